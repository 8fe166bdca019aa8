/* The index against the plain truth: whatever is put and removed, a selection is what a walk over every
 * object gives. */
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

enum { OBJECTS = 400, ROUNDS = 6000 };

static const char *const selectors[] = {
    "",
    "app=a",
    "app=b,tier=x",
    "app in (a,b)",
    "app in (a,a)",
    "app notin (a)",
    "app!=a,tier=y",
    "!tier",
    "tier",
    "app in (a,b,c),tier in (x,y),unique",
    "unique=u7",
    "app=none",
    "tier=x,unique=u3",
};
static const char *const namespaces[] = {"n", "m", ""};

struct world {
    struct str_pool pool;
    struct cache *cache;
    unsigned seed;
};

struct found {
    char marks[OBJECTS];
    unsigned count;
};

static unsigned choose(struct world *w, unsigned n) {
    return (unsigned)rand_r(&w->seed) % n;
}

static void set_label(struct world *w, struct label *label, const char *key, const char *value) {
    label->key = str_intern(&w->pool, key, strlen(key));
    label->value = str_intern(&w->pool, value, strlen(value));
}

static void put_random(struct world *w, unsigned i, unsigned version) {
    char name[16], version_text[16], unique[16];
    const struct object *old, *new_;

    snprintf(name, sizeof(name), "%u", i);
    snprintf(version_text, sizeof(version_text), "%u", version);
    snprintf(unique, sizeof(unique), "u%u", i % 10);
    struct object *o = object_new(
        OBJECT_META, &w->pool,
        &(struct object_names){.ns = namespaces[i % 3], .name = name, .resource_version = version_text});
    unsigned with = choose(w, 4);
    if (with) {
        o->labels = labels_new(with);
        set_label(w, &o->labels->items[0], "app", (const char *const[]){"a", "b", "c"}[choose(w, 3)]);
        if (with > 1)
            set_label(w, &o->labels->items[1], "tier", choose(w, 2) ? "x" : "y");
        if (with > 2)
            set_label(w, &o->labels->items[2], "unique", unique);
    }
    if (choose(w, 2))
        o->owner_uid = str_intern(&w->pool, unique, strlen(unique));
    cache_put(w->cache, o, 1, &old, &new_);
    object_unref(old);
}

static void mark(void *arg, const struct object *object) {
    struct found *found = arg;
    int64_t i = 0;

    assert_int_equal(str_to_i64(object->name, &i), 0);
    assert_int_equal(found->marks[i], 0); /* each at most once */
    found->marks[i] = 1;
    found->count++;
}

struct filter {
    const char *ns, *owner;
    const struct selector *selector;
    struct found found;
};

static void mark_where(void *arg, const struct object *object) {
    struct filter *filter = arg;

    if (filter->selector &&
        (!str_eq(object->ns, filter->ns) || !selector_matches(filter->selector, object->labels)))
        return;
    if (filter->owner && !str_eq(object->owner_uid, filter->owner))
        return;
    mark(&filter->found, object);
}

static unsigned check_selections(const struct world *w) {
    unsigned total = 0;

    for (unsigned s = 0; s < sizeof(selectors) / sizeof(selectors[0]); s++)
        for (unsigned n = 0; n < 3; n++) {
            cleanup_arena struct arena arena;
            struct selector selector;
            struct found found = {0};
            arena_init(&arena, 0);
            assert_int_equal(selector_parse(selectors[s], &arena, &selector, NULL), 0);
            struct filter truth = {.ns = namespaces[n], .selector = &selector};
            cache_select(w->cache, namespaces[n], &selector, mark, &found);
            cache_each(w->cache, mark_where, &truth);
            assert_memory_equal(&found, &truth.found, sizeof(found));
            total += found.count;
        }
    return total;
}

static unsigned check_owners(const struct world *w) {
    unsigned total = 0;

    for (unsigned i = 0; i < 10; i++) {
        char uid[16];
        struct found found = {0};
        struct filter truth = {.owner = uid};
        snprintf(uid, sizeof(uid), "u%u", i);
        cache_owned(w->cache, uid, mark, &found);
        cache_each(w->cache, mark_where, &truth);
        assert_memory_equal(&found, &truth.found, sizeof(found));
        total += found.count;
    }
    return total;
}

static void test_against_truth(void **state) {
    struct world w = {.cache = cache_new(), .seed = 7};
    unsigned total = 0;

    (void)state;
    str_pool_init(&w.pool);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned i = choose(&w, OBJECTS);
        char key[24];
        snprintf(key, sizeof(key), "%s%s%u", namespaces[i % 3], *namespaces[i % 3] ? "/" : "", i);
        if (choose(&w, 3))
            put_random(&w, i, round);
        else
            object_unref(cache_remove(w.cache, key));
        if (round % 100 == 0)
            total += check_selections(&w) + check_owners(&w);
    }
    assert_true(total > 10000);
    cache_free(w.cache);
    assert_int_equal(w.pool.strings.len, 0);
    str_pool_done(&w.pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_truth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
