/* Pods, their controllers and a target: who counts. */
#include "autoscaler/owners.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 8 };

static struct str_pool pool;
static struct object *sets[ROOM];
static const struct pod *pods[ROOM];
static uint32_t set_count, pod_count;

static const char *interned(const char *text) {
    return text ? str_intern(&pool, text, strlen(text)) : NULL;
}

static struct object *make(enum object_type type, const char *name, const char *uid) {
    return object_new(
        type, &pool,
        &(struct object_names){.ns = "default", .name = name, .uid = uid, .resource_version = "1"});
}

static void own(struct object *o, const char *kind, const char *name, const char *uid) {
    o->owner_kind = interned(kind);
    o->owner_name = interned(name);
    o->owner_uid = interned(uid);
}

/* owner NULL: none. */
static void add_set(const char *name, const char *uid, const char *owner, const char *owner_uid) {
    struct object *o = make(OBJECT_META, name, uid);

    if (owner)
        own(o, "Deployment", owner, owner_uid);
    sets[set_count++] = o;
}

static struct pod *add_pod(const char *name, const char *kind, const char *owner, const char *owner_uid) {
    struct pod *pod = (struct pod *)make(OBJECT_POD, name, name);

    pod->phase = POD_RUNNING;
    if (owner)
        own(&pod->meta, kind, owner, owner_uid);
    pods[pod_count++] = pod;
    return pod;
}

static const struct object *find(void *arg, const char *ns, const char *name) {
    (void)arg;
    for (uint32_t i = 0; i < set_count; i++)
        if (str_eq(sets[i]->ns, ns) && str_eq(sets[i]->name, name))
            return sets[i];
    return NULL;
}

static int setup(void **state) {
    (void)state;
    str_pool_init(&pool);
    set_count = pod_count = 0;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    while (set_count)
        object_unref(sets[--set_count]);
    while (pod_count)
        object_unref(&pods[--pod_count]->meta);
    str_pool_done(&pool);
    return 0;
}

static const struct owner_target web = {.kind = "Deployment", .name = "web", .uid = "d-web"};

/* Names of the pods that are left, "a b"; the test's own pods stay owned by the fixture. */
static const char *left(const struct owner_target *target) {
    static char text[128];
    const struct pod *list[ROOM];

    memcpy(list, pods, sizeof(list));
    uint32_t n = owners_filter(list, pod_count, target, find, NULL);
    text[0] = '\0';
    for (uint32_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "", list[i]->meta.name);
    return text;
}

static void test_chain_through_a_replicaset(void **state) {
    (void)state;
    add_set("web-1", "s-1", "web", "d-web");
    add_set("api-1", "s-2", "api", "d-api");
    add_pod("a", "ReplicaSet", "web-1", "s-1");
    add_pod("b", "ReplicaSet", "api-1", "s-2");
    add_pod("c", "ReplicaSet", "web-1", "s-1");
    assert_int_equal(owners_look(&pods[0]->meta, &web, find, NULL), OWNED);
    assert_int_equal(owners_look(&pods[1]->meta, &web, find, NULL), OWNED_BY_OTHER);
    assert_string_equal(left(&web), "a c");
}

static void test_pods_without_a_controller(void **state) {
    (void)state;
    add_set("bare", "s-3", NULL, NULL);
    add_pod("a", NULL, NULL, NULL);
    add_pod("b", "ReplicaSet", "bare", "s-3");
    assert_int_equal(owners_look(&pods[0]->meta, &web, find, NULL), OWNED_BY_NONE);
    assert_int_equal(owners_look(&pods[1]->meta, &web, find, NULL), OWNED_BY_NONE);
    /* nobody is the target's own: they count as with HPA */
    assert_string_equal(left(&web), "a b");
    add_set("web-1", "s-1", "web", "d-web");
    add_pod("c", "ReplicaSet", "web-1", "s-1");
    assert_string_equal(left(&web), "c");
}

/* A Job's pods, and those of another kind's workload, are never the target's. */
static void test_other_kinds_of_owners(void **state) {
    (void)state;
    add_pod("a", "Job", "web", "j-1");
    add_pod("b", "StatefulSet", "web", "f-1");
    assert_string_equal(left(&web), "");
}

/* The list of ReplicaSets lags behind or may not be read: what is not known to be foreign counts. */
static void test_replicaset_not_known(void **state) {
    (void)state;
    add_pod("a", "ReplicaSet", "web-1", "s-1");
    assert_int_equal(owners_look(&pods[0]->meta, &web, find, NULL), OWNER_UNKNOWN);
    assert_string_equal(left(&web), "a");
    add_set("web-1", "s-other", "api", "d-api"); /* of this name, but another one */
    assert_int_equal(owners_look(&pods[0]->meta, &web, find, NULL), OWNER_UNKNOWN);
}

static void test_uid_counts_where_it_is_known(void **state) {
    static const struct owner_target by_name = {.kind = "Deployment", .name = "web"};
    (void)state;
    add_set("web-old", "s-0", "web", "d-before");
    add_set("web-1", "s-1", "web", NULL);
    add_pod("a", "ReplicaSet", "web-old", "s-0");
    add_pod("b", "ReplicaSet", "web-1", "s-1");
    assert_string_equal(left(&web), "b"); /* a belonged to a Deployment of that name before */
    assert_string_equal(left(&by_name), "a b");
}

static void test_direct_owners(void **state) {
    static const struct owner_target db = {.kind = "StatefulSet", .name = "db", .uid = "f-db"};
    static const struct owner_target set = {.kind = "ReplicaSet", .name = "web-1", .uid = "s-1"};
    (void)state;
    add_set("web-2", "s-2", NULL, NULL);
    add_pod("a", "StatefulSet", "db", "f-db");
    add_pod("b", "StatefulSet", "other", "f-other");
    add_pod("c", "ReplicaSet", "web-1", "s-1");
    add_pod("d", "ReplicaSet", "web-2", "s-2");
    assert_string_equal(left(&db), "a");
    assert_string_equal(left(&set), "c");
}

static void test_custom_kinds_are_left_alone(void **state) {
    static const struct owner_target rollout = {.kind = "Rollout", .name = "web", .uid = "r-1"};
    (void)state;
    add_pod("a", "ReplicaSet", "web-1", "s-1");
    add_pod("b", "Worker", "x", "w-1");
    add_pod("c", NULL, NULL, NULL);
    assert_string_equal(left(&rollout), "a b c");
}

static void test_rollout(void **state) {
    (void)state;
    assert_false(owners_rollout(pods, pod_count));
    add_pod("a", "ReplicaSet", "web-1", "s-1");
    add_pod("b", "ReplicaSet", "web-1", "s-1");
    add_pod("c", NULL, NULL, NULL);
    assert_false(owners_rollout(pods, pod_count));
    struct pod *old = add_pod("d", "ReplicaSet", "web-0", "s-0");
    assert_true(owners_rollout(pods, pod_count));
    old->phase = POD_FAILED; /* evicted long ago */
    assert_false(owners_rollout(pods, pod_count));
    old->phase = POD_RUNNING;
    old->meta.deleting = true;
    assert_false(owners_rollout(pods, pod_count));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_chain_through_a_replicaset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pods_without_a_controller, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_kinds_of_owners, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replicaset_not_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uid_counts_where_it_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_direct_owners, setup, teardown),
        cmocka_unit_test_setup_teardown(test_custom_kinds_are_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rollout, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
