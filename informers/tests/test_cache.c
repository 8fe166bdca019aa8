/* The cache: versions, lists by epoch, sharing, and that everything is given back. */
#include "informers/cache.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

struct fixture {
    struct str_pool pool;
    struct cache *cache;
};

static int setup(void **state) {
    struct fixture *f = XNEW(struct fixture);

    str_pool_init(&f->pool);
    f->cache = cache_new();
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;

    cache_free(f->cache);
    assert_int_equal(f->pool.strings.len, 0);
    str_pool_done(&f->pool);
    free(f);
    return 0;
}

static struct object *make(struct fixture *f, const char *ns, const char *name, const char *version) {
    return object_new(
        OBJECT_POD, &f->pool,
        &(struct object_names){.ns = ns, .name = name, .uid = name, .resource_version = version});
}

static void label(struct fixture *f, struct object *o, const char *key, const char *value) {
    o->labels = labels_new(1);
    o->labels->items[0].key = str_intern(&f->pool, key, strlen(key));
    o->labels->items[0].value = str_intern(&f->pool, value, strlen(value));
}

static void contain(struct fixture *f, struct object *o, const char *name, int64_t cpu) {
    struct pod *pod = (struct pod *)o;

    pod->container_count = 1;
    pod->containers = pod_containers_new(1);
    pod->containers[0] = (struct pod_container){str_intern(&f->pool, name, strlen(name)), cpu, -1, false};
}

static enum cache_change put(struct fixture *f, struct object *o, uint32_t epoch) {
    const struct object *old = NULL, *new_ = NULL;
    enum cache_change change = cache_put(f->cache, o, epoch, &old, &new_);

    assert_non_null(new_);
    assert_true((old != NULL) == (change == CACHE_MODIFIED));
    object_unref(old);
    return change;
}

static void test_versions(void **state) {
    struct fixture *f = *state;

    assert_int_equal(put(f, make(f, "n", "a", "1"), 1), CACHE_ADDED);
    assert_int_equal(put(f, make(f, "n", "a", "1"), 1), CACHE_SAME);
    assert_int_equal(put(f, make(f, "n", "a", "2"), 1), CACHE_MODIFIED);
    assert_int_equal(put(f, make(f, "", "a", "2"), 1), CACHE_ADDED);
    assert_int_equal(put(f, make(f, "n", "nover", ""), 1), CACHE_ADDED);
    assert_int_equal(put(f, make(f, "n", "nover", ""), 1), CACHE_MODIFIED); /* no version: never the same */
    assert_int_equal(cache_count(f->cache), 3);
    assert_string_equal(cache_get(f->cache, "n", "a")->resource_version, "2");
    assert_string_equal(cache_get(f->cache, "", "a")->key, "a");
    assert_null(cache_get(f->cache, "m", "a"));
    const struct object *old = cache_remove(f->cache, "n/a");
    assert_string_equal(old->name, "a");
    object_unref(old);
    assert_null(cache_remove(f->cache, "n/a"));
    assert_int_equal(cache_count(f->cache), 2);
}

/* An object that was made anew under the same name is another one, even with the same version. */
static void test_uid(void **state) {
    struct fixture *f = *state;
    struct object *o = make(f, "n", "a", "1");

    put(f, make(f, "n", "a", "1"), 1);
    o->uid[0] = 'x';
    assert_int_equal(put(f, o, 1), CACHE_MODIFIED);
}

static void note(void *arg, const struct object *object) {
    size_t len = strlen(arg);

    snprintf((char *)arg + len, 16 - len, "%s", object->name);
}

static void count(void *arg, const struct object *object) {
    (void)object;
    ++*(int *)arg;
}

static void test_sweep(void **state) {
    struct fixture *f = *state;
    char gone[16] = "";
    int n = 0;

    put(f, make(f, "n", "a", "1"), 1);
    put(f, make(f, "n", "b", "1"), 1);
    put(f, make(f, "m", "c", "1"), 1);
    put(f, make(f, "n", "b", "1"), 2); /* the next list of n brings b alone */
    cache_sweep(f->cache, "n", 2, note, gone);
    assert_string_equal(gone, "a");
    cache_sweep(f->cache, NULL, 2, note, gone);
    assert_string_equal(gone, "ac");
    cache_each(f->cache, count, &n);
    assert_int_equal(n, 1);
}

/* Pods of one ReplicaSet: labels and containers once, also when one of them changes. */
static void test_sharing(void **state) {
    struct fixture *f = *state;
    const char *const names[] = {"a", "b", "c"};

    for (int i = 0; i < 3; i++) {
        struct object *o = make(f, "n", names[i], "1");
        label(f, o, "app", "web");
        contain(f, o, "app", i == 2 ? 200 : 100);
        put(f, o, 1);
    }
    const struct pod *a = (const struct pod *)cache_get(f->cache, "n", "a");
    const struct pod *b = (const struct pod *)cache_get(f->cache, "n", "b");
    const struct pod *c = (const struct pod *)cache_get(f->cache, "n", "c");
    assert_ptr_equal(a->meta.labels, b->meta.labels);
    assert_ptr_equal(a->meta.labels, c->meta.labels);
    assert_ptr_equal(a->containers, b->containers);
    assert_ptr_not_equal(a->containers, c->containers);
    struct object *next = make(f, "n", "a", "2");
    label(f, next, "app", "web");
    put(f, next, 1);
    b = (const struct pod *)cache_get(f->cache, "n", "b");
    assert_ptr_equal(cache_get(f->cache, "n", "a")->labels, b->meta.labels);
    assert_int_equal(b->containers[0].cpu_milli, 100);
}

/* What someone else holds outlives the cache's entry. */
static void test_reference(void **state) {
    struct fixture *f = *state;
    struct object *o = make(f, "n", "a", "1");

    label(f, o, "app", "web");
    put(f, o, 1);
    const struct object *held = object_ref(cache_get(f->cache, "n", "a"));
    object_unref(cache_remove(f->cache, "n/a"));
    assert_string_equal(labels_get(held->labels, "app"), "web");
    object_unref(held);
}

static void test_bytes(void **state) {
    struct fixture *f = *state;
    size_t empty = cache_bytes(f->cache);

    for (int i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof(name), "p%d", i);
        struct object *o = make(f, "n", name, "1");
        label(f, o, "app", name);
        o->owner_uid = str_intern(&f->pool, name, strlen(name));
        put(f, o, 1);
    }
    assert_true(cache_bytes(f->cache) > empty + 5 * sizeof(struct pod));
    char gone[16] = "";
    cache_sweep(f->cache, NULL, 2, note, gone);
    assert_int_equal(cache_bytes(f->cache) - 8 * sizeof(uint32_t) - 6 * sizeof(struct map_entry),
                     empty); /* the table stays */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sharing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reference, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
