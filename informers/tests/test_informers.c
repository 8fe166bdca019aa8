/* The informers against a server in memory: what users are told, what is asked for, and that whatever goes
 * wrong once, the cache ends up as the server is. */
#include "informers/informers.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "informers/tests/fake_server.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const struct resource pods = {
    .group = "", .version = "v1", .kind = "Pod", .plural = "pods", .namespaced = true};
static const struct resource nodes = {.group = "", .version = "v1", .kind = "Node", .plural = "nodes"};

struct fixture {
    struct loop *loop;
    struct fake_server server;
    struct informers *informers;
    struct buf trace; /* of what users were told: "+p1 *p1 -p1" */
    struct informer *nested;
};

static void make_informers(struct fixture *f, const char *const *namespaces) {
    f->informers = informers_new(f->loop, NULL,
                                 &(struct informers_options){.namespaces = namespaces,
                                                             .backoff_min = 200,
                                                             .backoff_max = 400,
                                                             .transport = &f->server.transport});
}

static int setup_with(void **state, bool can_stream) {
    struct fixture *f = XNEW(struct fixture);

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    assert_int_equal(loop_new(&f->loop, NULL), 0);
    fake_server_init(&f->server, can_stream);
    buf_init(&f->trace, (size_t)1 << 20);
    make_informers(f, NULL);
    *state = f;
    return 0;
}

static int setup(void **state) {
    return setup_with(state, true);
}

static int setup_paged(void **state) {
    return setup_with(state, false);
}

static int teardown(void **state) {
    struct fixture *f = *state;

    informers_free(f->informers);
    assert_int_equal(fake_server_open(&f->server), 0);
    loop_free(f->loop);
    buf_done(&f->trace);
    free(f);
    return 0;
}

static void on_change(void *arg, enum informer_change change, const struct object *old,
                      const struct object *new_) {
    struct fixture *f = arg;

    assert_true((old == NULL) == (change == INFORMER_ADDED));
    assert_true((new_ == NULL) == (change == INFORMER_DELETED));
    const struct object *o = new_ ? new_ : old;
    buf_printf(&f->trace, "%s%c%s", f->trace.len ? " " : "", "+*-"[change], o ? o->name : "nothing");
}

/* Lets everything settle: turns of the loop with the server's answers in between. */
static void settle(struct fixture *f) {
    for (int i = 0; i < 12; i++) {
        loop_turn(f->loop, 500);
        fake_server_pump(&f->server);
    }
}

static void expect_trace(struct fixture *f, const char *want) {
    assert_string_equal(f->trace.data, want);
    buf_reset(&f->trace);
}

static struct informer *open_pods(struct fixture *f) {
    return informers_open(f->informers, &pods, OBJECT_POD, on_change, f);
}

static void test_streaming(void **state) {
    struct fixture *f = *state;
    struct informer_stats stats;

    fake_server_put(&f->server, 1);
    fake_server_put(&f->server, 2);
    struct informer *i = open_pods(f);
    assert_false(informer_synced(i));
    assert_int_equal(fake_server_open(&f->server), 0); /* nothing happens inside the call */
    settle(f);
    assert_string_equal(f->server.first_path, "/api/v1/pods?watch=1&allowWatchBookmarks=true"
                                              "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    assert_string_equal(f->server.last_path,
                        "/api/v1/pods?watch=1&allowWatchBookmarks=true&resourceVersion=3");
    expect_trace(f, "+p1 +p2");
    assert_true(informer_synced(i));
    fake_server_put(&f->server, 1);
    fake_server_delete(&f->server, 2);
    fake_server_put(&f->server, 3);
    settle(f);
    expect_trace(f, "*p1 -p2 +p3");
    assert_int_equal(informer_count(i), 2);
    assert_string_equal(informer_get(i, "n", "p3")->uid, "u3");
    assert_int_equal(informer_error(i)->code, 0);
    informer_stats(i, &stats);
    assert_int_equal(stats.lists, 1);
    assert_int_equal(stats.watches, 1);
    assert_int_equal(stats.events, 5);
    assert_int_equal(stats.objects, 2);
    assert_true(stats.bytes > 100);
    informer_close(i);
}

static void test_pages(void **state) {
    struct fixture *f = *state;

    for (int i = 0; i < 8; i++)
        fake_server_put(&f->server, i);
    struct informer *i = open_pods(f);
    settle(f);
    expect_trace(f, "+p0 +p1 +p2 +p3 +p4 +p5 +p6 +p7");
    assert_true(informer_synced(i));
    assert_int_equal(f->server.lists, 5); /* two were refused, in protobuf and in JSON */
    assert_string_equal(f->server.last_path,
                        "/api/v1/pods?watch=1&allowWatchBookmarks=true&resourceVersion=9");
    fake_server_put(&f->server, 0);
    settle(f);
    expect_trace(f, "*p0");
    informer_close(i);
}

/* A watch that ends in good order is resumed from the last version, without a list. */
static void test_resume(void **state) {
    struct fixture *f = *state;

    fake_server_put(&f->server, 1);
    struct informer *i = open_pods(f);
    settle(f);
    fake_server_close_watches(&f->server);
    fake_server_put(&f->server, 2);
    settle(f);
    expect_trace(f, "+p1 +p2");
    assert_string_equal(f->server.last_path,
                        "/api/v1/pods?watch=1&allowWatchBookmarks=true&resourceVersion=2");
    assert_int_equal(f->server.watches, 2);
    assert_int_equal(f->server.lists, 1);
    informer_close(i);
}

/* After a 410 the new list tells only what is different. */
static void test_relist(void **state) {
    struct fixture *f = *state;

    for (int n = 1; n <= 3; n++)
        fake_server_put(&f->server, n);
    struct informer *i = open_pods(f);
    settle(f);
    buf_reset(&f->trace);
    fake_server_close_watches(&f->server);
    fake_server_put(&f->server, 2);
    fake_server_delete(&f->server, 3);
    fake_server_compact(&f->server);
    settle(f);
    expect_trace(f, "*p2 -p3");
    assert_true(informer_synced(i));
    informer_close(i);
}

static void test_shared(void **state) {
    struct fixture *f = *state;

    fake_server_put(&f->server, 1);
    struct informer *a = open_pods(f);
    settle(f);
    const struct resource same = pods; /* another struct, the same kind */
    struct informer *b = informers_open(f->informers, &same, OBJECT_POD, on_change, f);
    assert_false(informer_synced(b));
    settle(f);
    expect_trace(f, "+p1 +p1");
    assert_true(informer_synced(b));
    assert_int_equal(f->server.watches, 1);
    informer_close(a);
    fake_server_put(&f->server, 1);
    settle(f);
    expect_trace(f, "*p1");
    informer_close(b);
    settle(f);
    assert_int_equal(fake_server_open(&f->server), 0);
    assert_non_null(open_pods(f));
    settle(f);
    expect_trace(f, "+p1");
    assert_int_equal(f->server.watches, 2);
}

static void open_another(void *arg, enum informer_change change, const struct object *old,
                         const struct object *new_) {
    struct fixture *f = arg;

    on_change(arg, change, old, new_);
    if (f->nested) {
        informer_close(f->nested);
        f->nested = NULL;
    } else {
        f->nested = open_pods(f);
        informers_open(f->informers, &nodes, OBJECT_NODE, on_change, f);
    }
}

/* Users may open and close inside their callbacks, themselves included. */
static void test_nested(void **state) {
    struct fixture *f = *state;

    fake_server_put(&f->server, 1);
    informers_open(f->informers, &pods, OBJECT_POD, open_another, f);
    settle(f);
    expect_trace(f, "+p1 +p1 +p1");
    assert_int_equal(f->server.watches, 2);
    fake_server_put(&f->server, 2);
    settle(f);
    settle(f);
    assert_null(f->nested);
}

static void test_namespaces(void **state) {
    struct fixture *f = *state;
    const char *const namespaces[] = {"n", "m", NULL};

    informers_free(f->informers);
    make_informers(f, namespaces);
    fake_server_put(&f->server, 1);
    struct informer *i = open_pods(f);
    loop_turn(f->loop, 500);
    assert_string_equal(f->server.connections[1].path,
                        "/api/v1/namespaces/m/pods?watch=1&allowWatchBookmarks=true&sendInitialEvents=true"
                        "&resourceVersionMatch=NotOlderThan");
    f->server.connections[1].open = false; /* the second never answers */
    settle(f);
    assert_false(informer_synced(i));
    f->server.connections[1].open = true;
    settle(f);
    assert_true(informer_synced(i));
    assert_int_equal(f->server.watches, 2);
    informers_open(f->informers, &nodes, OBJECT_NODE, on_change, f);
    settle(f);
    assert_int_equal(f->server.watches, 3); /* what is cluster-scoped is followed once */
    informer_close(i);
}

/* A refusal in protobuf is asked for again at once in JSON, whose reasons can be read; it is one error. */
static void test_error(void **state) {
    struct fixture *f = *state;
    struct informer_stats stats;

    f->server.fault = FAULT_403;
    f->server.fault_at = 0;
    f->server.fault_times = 2;
    struct informer *i = open_pods(f);
    loop_turn(f->loop, 500);
    assert_non_null(f->server.connections[0].request.accept);
    assert_non_null(strstr(f->server.connections[0].request.accept, "protobuf"));
    fake_server_pump(&f->server);
    while (f->server.lists < 2)
        loop_turn(f->loop, 500);
    assert_int_equal(informer_error(i)->code, 0);
    assert_null(f->server.connections[0].request.accept);
    fake_server_pump(&f->server);
    assert_int_equal(informer_error(i)->code, -EACCES);
    settle(f);
    assert_int_equal(informer_error(i)->code, 0);
    informer_stats(i, &stats);
    assert_int_equal(stats.errors, 1);
    informer_close(i);
}

#define BOOKMARK_EVENT                                                                                       \
    "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\","                            \
    "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}"
#define ERROR_EVENT(code) "{\"type\":\"ERROR\",\"object\":{\"code\":" #code ",\"message\":\"m\"}}"

/* What stands in one piece behind the event that ends a stream: no second connection, and no standstill. */
static void test_piece(void **state) {
    static const char *const pieces[] = {BOOKMARK_EVENT ERROR_EVENT(410), ERROR_EVENT(410) ERROR_EVENT(500)};
    struct fixture *f = *state;

    for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
        struct informer *i = open_pods(f);
        loop_turn(f->loop, 500);
        const struct kube_request *request = &f->server.connections[0].request;
        assert_int_equal(request->on_body(request->arg, pieces[p], strlen(pieces[p]), NULL), 0);
        loop_turn(f->loop, 500);
        assert_int_equal(fake_server_open(&f->server), 1);
        settle(f);
        assert_true(informer_synced(i));
        informer_close(i);
        settle(f);
    }
}

/* One failure costs one list in JSON: the next one is in protobuf again. */
static void test_protobuf_again(void **state) {
    struct fixture *f = *state;
    const struct fake_connection *c = f->server.connections;

    f->server.fault = FAULT_LOST;
    f->server.fault_at = 0;
    struct informer *i = open_pods(f);
    settle(f);
    assert_true(informer_synced(i));
    assert_int_equal(f->server.lists, 2);
    fake_server_close_watches(&f->server);
    fake_server_compact(&f->server);
    for (int n = 0; f->server.lists < 3 && n < 100; n++) {
        fake_server_pump(&f->server);
        loop_turn(f->loop, 500);
    }
    while (!c->open || !c->is_list)
        c++;
    assert_non_null(c->request.accept);
    informer_close(i);
}

static void write_followed(void *arg, const struct resource *resource, const struct informer *informer) {
    struct fixture *f = arg;

    buf_printf(&f->trace, "%s%s:%d", f->trace.len ? " " : "", resource->plural,
               informer_error(informer)->code);
}

/* Each resource once, however many use it, as long as anybody does. */
static void test_each(void **state) {
    struct fixture *f = *state;

    informers_each(f->informers, write_followed, f);
    expect_trace(f, "");
    f->server.fault = FAULT_403;
    f->server.fault_at = 0;
    f->server.fault_times = 2;
    struct informer *a = open_pods(f), *b = open_pods(f);
    while (!informer_error(a)->code) {
        loop_turn(f->loop, 500);
        fake_server_pump(&f->server);
    }
    informers_each(f->informers, write_followed, f);
    expect_trace(f, "pods:-13");
    informer_close(a);
    settle(f);
    informers_each(f->informers, write_followed, f);
    expect_trace(f, "pods:0");
    informer_close(b);
    informers_each(f->informers, write_followed, f); /* before the feed is taken apart */
    expect_trace(f, "");
}

/* A list that brings nothing is given up and asked for again. */
static void test_stall(void **state) {
    struct fixture *f = *state;
    usec_t end = clock_mono() + 10 * USEC_PER_SEC;

    informers_free(f->informers);
    f->informers = informers_new(
        f->loop, NULL,
        &(struct informers_options){
            .backoff_min = 200, .backoff_max = 400, .list_stall = 2000, .transport = &f->server.transport});
    fake_server_put(&f->server, 1);
    struct informer *i = open_pods(f);
    while (f->server.lists < 2 && clock_mono() < end)
        loop_turn(f->loop, 500);
    assert_int_equal(f->server.lists, 2);
    assert_int_equal(informer_error(i)->code, -ETIMEDOUT);
    assert_int_equal(fake_server_open(&f->server), 1);
    informer_close(i);
}

static void count_one(void *arg, const struct object *object) {
    (void)object;
    ++*(int *)arg;
}

static void expect_like_server(struct fixture *f, const struct informer *i) {
    int want = 0, found = 0;

    for (int n = 0; n < FAKE_NAMES; n++) {
        char name[16], version[16];
        snprintf(name, sizeof(name), "p%d", n);
        snprintf(version, sizeof(version), "%d", f->server.objects[n]);
        const struct object *o = informer_get(i, "n", name);
        assert_true((o != NULL) == (f->server.objects[n] != 0));
        if (o)
            assert_string_equal(o->resource_version, version);
        want += o != NULL;
    }
    informer_each(i, count_one, &found);
    assert_int_equal(found, want);
}

/* A life of the cluster, in which the nth answer goes wrong. Returns how many there were. */
static int run_with_fault(struct fixture *f, enum fake_fault fault, int at) {
    bool can_stream = f->server.can_stream;

    fake_server_init(&f->server, can_stream);
    f->server.fault = fault;
    f->server.fault_at = at;
    for (int n = 0; n < 7; n++)
        fake_server_put(&f->server, n);
    struct informer *i = open_pods(f);
    settle(f);
    fake_server_put(&f->server, 2);
    fake_server_delete(&f->server, 3);
    settle(f);
    fake_server_close_watches(&f->server);
    fake_server_put(&f->server, 9);
    settle(f);
    fake_server_close_watches(&f->server);
    fake_server_delete(&f->server, 0);
    fake_server_compact(&f->server);
    fake_server_put(&f->server, 10);
    settle(f);
    settle(f);
    assert_true(informer_synced(i));
    assert_int_equal(informer_error(i)->code, 0);
    expect_like_server(f, i);
    informer_close(i);
    settle(f);
    return f->server.done;
}

static void test_faults(void **state) {
    struct fixture *f = *state;
    int done = run_with_fault(f, FAULT_NONE, -1);

    assert_true(done >= 10);
    for (int fault = FAULT_LOST; fault < FAULT_COUNT; fault++)
        for (int at = 0; at < done; at++)
            run_with_fault(f, (enum fake_fault)fault, at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_streaming, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages, setup_paged, teardown),
        cmocka_unit_test_setup_teardown(test_resume, setup, teardown),
        cmocka_unit_test_setup_teardown(test_relist, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nested, setup, teardown),
        cmocka_unit_test_setup_teardown(test_namespaces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_piece, setup, teardown),
        cmocka_unit_test_setup_teardown(test_protobuf_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stall, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup_paged, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
