/* Counting pods and nodes, with the informers in a test's hands. */
#include "adapter/workload.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/tests/fake_loop.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

enum { OBJECTS = 64, FOLLOWERS = 8 };

/* In place of informers/informers.c: one cache for pods, one for nodes. */
struct informer {
    bool open, synced;
    struct err err;
    informer_fn *fn;
    void *arg;
    const struct object *objects[OBJECTS];
    int opened, selected;
};

struct informers {
    struct informer pods, nodes;
};

struct informer *informers_open(struct informers *all, const struct resource *resource, enum object_type type,
                                informer_fn *fn, void *arg) {
    struct informer *i = type == OBJECT_POD ? &all->pods : &all->nodes;

    assert_false(i->open);
    assert_string_equal(resource->plural, type == OBJECT_POD ? "pods" : "nodes");
    i->open = true;
    i->fn = fn;
    i->arg = arg;
    i->opened++;
    return i;
}

void informer_close(struct informer *informer) {
    informer->open = false;
}

bool informer_synced(const struct informer *informer) {
    return informer->synced;
}

const struct err *informer_error(const struct informer *informer) {
    return &informer->err;
}

void informer_select(const struct informer *informer, const char *ns, const struct selector *selector,
                     informer_each_fn *fn, void *arg) {
    ((struct informer *)(uintptr_t)informer)->selected++;
    for (int i = 0; i < OBJECTS; i++) {
        const struct object *o = informer->objects[i];
        if (o && str_eq(o->ns, ns) && selector_matches(selector, o->labels))
            fn(arg, o);
    }
}

struct world {
    struct loop *loop;
    struct str_pool pool;
    struct informers informers;
    struct metric_source *source;
    struct follower {
        struct world *world;
        struct metric_subscription *sub;
        int told;
        bool in_call, leaves;
    } followers[FOLLOWERS];
    int count;
};

static struct world *world_new(void) {
    struct world *w = XNEW(struct world);

    str_pool_init(&w->pool);
    w->loop = fake_loop_new();
    w->source = workload_new(w->loop, &w->informers);
    return w;
}

static void leave(struct follower *f) {
    if (f->sub)
        f->world->source->ops->unsubscribe(f->world->source, f->sub);
    f->sub = NULL;
}

static void world_free(struct world *w) {
    for (int i = 0; i < w->count; i++)
        leave(&w->followers[i]);
    assert_false(w->informers.pods.open || w->informers.nodes.open);
    workload_free(w->source);
    for (int i = 0; i < OBJECTS; i++) {
        object_unref(w->informers.pods.objects[i]);
        object_unref(w->informers.nodes.objects[i]);
    }
    fake_loop_free(w->loop);
    str_pool_done(&w->pool);
    free(w);
}

static void told(void *arg) {
    struct follower *f = arg;

    assert_false(f->in_call);
    f->told++;
    if (f->leaves)
        for (int i = 0; i < f->world->count; i++)
            leave(&f->world->followers[i]);
}

static struct follower *follow(struct world *w, const char *ns, struct metric_spec metric) {
    assert_true(w->count < FOLLOWERS);
    struct follower *f = &w->followers[w->count++];
    const struct metric_request request = {.metric = &metric, .ns = ns};

    *f = (struct follower){.world = w, .in_call = true};
    metric.type = METRIC_WORKLOAD;
    f->sub = w->source->ops->subscribe(w->source, &request, told, f);
    f->in_call = false;
    return f;
}

static struct follower *follow_pods(struct world *w, const char *ns, const char *selector) {
    return follow(w, ns, (struct metric_spec){.workload = WORKLOAD_PODS, .selector = selector});
}

/* An object, with the label app=APP where given. */
static const struct object *make(struct world *w, enum object_type type, const char *ns, const char *app) {
    struct object *o = object_new(type, &w->pool, &(struct object_names){.ns = ns, .name = "x"});

    if (app) {
        o->labels = labels_new(1);
        o->labels->items[0].key = str_intern(&w->pool, "app", 3);
        o->labels->items[0].value = str_intern(&w->pool, app, strlen(app));
    }
    return o;
}

static const struct object *make_pod(struct world *w, const char *ns, const char *app, enum pod_phase phase) {
    const struct object *o = make(w, OBJECT_POD, ns, app);

    ((struct pod *)(uintptr_t)o)->phase = (uint8_t)phase;
    return o;
}

/* Puts o in place of what is there (NULL: deletes), and tells whoever follows. */
static void put(struct informer *i, int at, const struct object *o) {
    const struct object *old = i->objects[at];

    i->objects[at] = o;
    if (i->open && (old || o))
        i->fn(i->arg, !old ? INFORMER_ADDED : o ? INFORMER_MODIFIED : INFORMER_DELETED, old, o);
    object_unref(old);
}

static void expect(const struct follower *f, enum quality quality, int64_t count, const char *message) {
    struct sample s;

    f->world->source->ops->read(f->world->source, f->sub, clock_wall(), &s);
    if (s.quality != quality || s.milli != count * 1000 || s.value != (double)count ||
        strcmp(s.message, message) != 0)
        fail_msg("%s %g \"%s\", expected %s %d \"%s\"", quality_name(s.quality), s.value, s.message,
                 quality_name(quality), (int)count, message);
}

static void sync_pods(struct world *w) {
    w->informers.pods.synced = true;
    fake_loop_end_turn(w->loop);
}

static void test_pods(void **state) {
    (void)state;
    struct world *w = world_new();
    struct informer *pods = &w->informers.pods;
    put(pods, 0, make_pod(w, "shop", "web", POD_RUNNING));
    struct follower *web = follow_pods(w, "shop", "app=web"), *all = follow_pods(w, "shop", NULL);
    struct follower *other = follow_pods(w, "other", "app=web");

    assert_int_equal(pods->opened, 1);
    expect(web, QUALITY_PENDING, 0, "");
    put(pods, 1, make_pod(w, "shop", "web", POD_PENDING));
    put(pods, 2, make_pod(w, "shop", NULL, POD_RUNNING));
    fake_loop_end_turn(w->loop);
    expect(web, QUALITY_PENDING, 0, "");
    assert_int_equal(web->told, 0);
    sync_pods(w);
    expect(web, QUALITY_VALUE, 2, "");
    expect(all, QUALITY_VALUE, 3, "");
    expect(other, QUALITY_ZERO, 0, "");
    assert_int_equal(web->told, 1);
    assert_int_equal(other->told, 1);

    int selected = pods->selected;
    for (int i = 3; i < 40; i++)
        put(pods, i, make_pod(w, "shop", "web", POD_RUNNING));
    assert_int_equal(web->told, 1);
    fake_loop_end_turn(w->loop);
    assert_int_equal(web->told, 2); /* once for the turn */
    assert_int_equal(other->told, 1);
    expect(web, QUALITY_VALUE, 39, "");
    assert_int_equal(pods->selected, selected); /* and nothing was counted over */
    world_free(w);
}

static void test_which_pods_count(void **state) {
    (void)state;
    struct world *w = world_new();
    struct informer *pods = &w->informers.pods;
    struct follower *f = follow_pods(w, "shop", "app=web");
    sync_pods(w);
    put(pods, 0, make_pod(w, "shop", "web", POD_PENDING));
    expect(f, QUALITY_VALUE, 1, "");
    put(pods, 0, make_pod(w, "shop", "web", POD_RUNNING));
    expect(f, QUALITY_VALUE, 1, "");
    put(pods, 0, make_pod(w, "shop", "web", POD_SUCCEEDED));
    expect(f, QUALITY_ZERO, 0, "");
    put(pods, 0, NULL);
    expect(f, QUALITY_ZERO, 0, "");
    put(pods, 0, make_pod(w, "shop", "web", POD_UNKNOWN));
    expect(f, QUALITY_VALUE, 1, "");
    put(pods, 0, make_pod(w, "shop", "web", POD_FAILED));
    expect(f, QUALITY_ZERO, 0, "");
    put(pods, 0, make_pod(w, "shop", "db", POD_RUNNING));
    expect(f, QUALITY_ZERO, 0, "");
    put(pods, 0, make_pod(w, "shop", "web", POD_RUNNING));
    expect(f, QUALITY_VALUE, 1, "");
    const struct object *leaving = make_pod(w, "shop", "web", POD_RUNNING);
    ((struct object *)(uintptr_t)leaving)->deleting = true;
    put(pods, 0, leaving);
    expect(f, QUALITY_ZERO, 0, "");
    put(pods, 0, NULL);
    put(pods, 1, make_pod(w, "else", "web", POD_RUNNING));
    expect(f, QUALITY_ZERO, 0, "");
    world_free(w);
}

static void test_nodes(void **state) {
    (void)state;
    struct world *w = world_new();
    struct informer *nodes = &w->informers.nodes;
    put(nodes, 0, make(w, OBJECT_NODE, "", "gpu"));
    put(nodes, 1, make(w, OBJECT_NODE, "", NULL));
    struct follower *gpu =
        follow(w, "shop", (struct metric_spec){.workload = WORKLOAD_NODES, .selector = "app in (gpu)"});
    struct follower *all = follow(w, "other", (struct metric_spec){.workload = WORKLOAD_NODES});

    nodes->synced = true;
    fake_loop_end_turn(w->loop);
    expect(gpu, QUALITY_VALUE, 1, "");
    expect(all, QUALITY_VALUE, 2, "");
    put(nodes, 1, NULL);
    expect(all, QUALITY_VALUE, 1, "");
    assert_int_equal(w->informers.pods.opened, 0);
    world_free(w);
}

static void test_forbidden(void **state) {
    (void)state;
    struct world *w = world_new();
    struct informer *pods = &w->informers.pods;
    struct follower *f =
        follow(w, "shop", (struct metric_spec){.workload = WORKLOAD_PODS, .max_age = 60 * SEC});
    struct sample s;

    err_set(&pods->err, -EACCES, "pods is forbidden");
    fake_loop_end_turn(w->loop);
    expect(f, QUALITY_FAILED, 0, "pods is forbidden");
    assert_int_equal(f->told, 1);
    fake_loop_end_turn(w->loop);
    assert_int_equal(f->told, 1);
    err_clear(&pods->err);
    put(pods, 0, make_pod(w, "shop", NULL, POD_RUNNING));
    sync_pods(w);
    expect(f, QUALITY_VALUE, 1, "");
    /* Later it cannot be followed for a while: the last number stands, and gets old. */
    err_set(&pods->err, -EIO, "connection refused");
    fake_loop_end_turn(w->loop);
    expect(f, QUALITY_VALUE, 1, "");
    w->source->ops->read(w->source, f->sub, clock_wall() + 62 * SEC, &s);
    assert_int_equal(s.quality, QUALITY_STALE);
    assert_non_null(strstr(s.message, "longer than maxAge 1m: connection refused"));
    err_clear(&pods->err);
    fake_loop_end_turn(w->loop);
    w->source->ops->read(w->source, f->sub, clock_wall() + 62 * SEC, &s);
    assert_int_equal(s.quality, QUALITY_VALUE);
    world_free(w);
}

static void test_coming_later(void **state) {
    (void)state;
    struct world *w = world_new();
    struct informer *pods = &w->informers.pods;
    put(pods, 0, make_pod(w, "shop", "web", POD_RUNNING));
    struct follower *first = follow_pods(w, "shop", "app=web");
    sync_pods(w);
    struct follower *second = follow_pods(w, "shop", NULL), *third = follow_pods(w, "shop", "app=web");

    expect(second, QUALITY_VALUE, 1, "");
    expect(third, QUALITY_VALUE, 1, "");
    fake_loop_end_turn(w->loop);
    assert_int_equal(second->told, 1);
    assert_int_equal(third->told, 1);
    leave(first);
    leave(third);
    put(pods, 1, make_pod(w, "shop", "web", POD_RUNNING));
    expect(second, QUALITY_VALUE, 2, "");
    leave(second);
    assert_false(pods->open);
    pods->synced = false;
    struct follower *again = follow_pods(w, "shop", NULL);
    expect(again, QUALITY_PENDING, 0, "");
    sync_pods(w);
    expect(again, QUALITY_VALUE, 2, "");
    world_free(w);
}

static void test_leaving_while_told(void **state) {
    (void)state;
    for (int who = 0; who < 3; who++) {
        struct world *w = world_new();
        follow_pods(w, "shop", "app=web");
        follow_pods(w, "shop", "app=web");
        follow_pods(w, "shop", NULL);
        w->followers[who].leaves = true;
        sync_pods(w);
        assert_false(w->informers.pods.open);
        fake_loop_end_turn(w->loop);
        world_free(w);
    }
}

static void test_bad_selector(void **state) {
    (void)state;
    struct world *w = world_new();
    struct follower *f = follow_pods(w, "shop", "app in web");
    struct sample s;

    fake_loop_end_turn(w->loop);
    w->source->ops->read(w->source, f->sub, clock_wall(), &s);
    assert_int_equal(s.quality, QUALITY_FAILED);
    assert_true(s.message[0] != '\0');
    assert_int_equal(w->informers.pods.opened, 0);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pods),         cmocka_unit_test(test_which_pods_count),
        cmocka_unit_test(test_nodes),        cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_coming_later), cmocka_unit_test(test_leaving_while_told),
        cmocka_unit_test(test_bad_selector),
    };

    return cmocka_run_group_tests_name("workload", tests, NULL, NULL);
}
