/* Informers against a real apiserver, found by KUBECONFIG (an administrator's): streaming lists and pages,
 * changes, and, where CONTROL_PLANE names the state of e2e/cluster/control-plane.sh, an apiserver that is
 * started again and one that halts. After each the cache must be what a plain list says. Works in a namespace
 * of its own, live-informers. */
#include "informers/informers.h"

#include "base/log.h"
#include "base/mem.h"
#include "informers/transport.h"
#include "net/http_curl.h"
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define PAUSE (USEC_PER_MSEC * 50)
#define PATIENCE (60 * USEC_PER_SEC)
#define PODS "/api/v1/namespaces/live-informers/pods"

enum { MANY = 600 }; /* more than a page */

static const struct resource pods = {
    .group = "", .version = "v1", .kind = "Pod", .plural = "pods", .namespaced = true};

struct live {
    struct loop *loop;
    struct http *http;
    struct kubeconfig *config;
    struct kube *kube;
    struct informer_transport transport;
    struct informers *informers;
    struct informer *informer;
    bool refuse; /* streaming lists, by asking for them in a way that the server refuses */
    unsigned changes[3];
};

struct answer {
    bool done;
    int status;
    json_t *body;
};

static void on_done(void *arg, const struct kube_reply *reply) {
    struct answer *a = arg;

    a->done = true;
    a->status = reply->status;
    a->body = reply->body ? json_deep_copy(reply->body) : NULL;
}

static struct answer ask(struct live *l, enum kube_verb verb, const char *path, const char *body) {
    struct answer a = {0};
    json_t *json = body ? json_loads(body, 0, NULL) : NULL;
    const struct kube_request request = {.verb = verb,
                                         .path = path,
                                         .body = json,
                                         .max_body = (size_t)64 << 20,
                                         .on_done = on_done,
                                         .arg = &a};
    usec_t end = clock_mono() + PATIENCE;

    kube_start(l->kube, &request);
    json_decref(json);
    while (!a.done && clock_mono() < end)
        loop_turn(l->loop, PAUSE);
    assert_true(a.done);
    return a;
}

static int status_of(struct live *l, enum kube_verb verb, const char *path, const char *body) {
    struct answer a = ask(l, verb, path, body);

    json_decref(a.body);
    return a.status;
}

/* --- the transport: kube's, with an eye on streaming lists --- */

static void *list(void *arg, const struct kube_request *request) {
    struct live *l = arg;
    struct kube_request changed = *request;
    const char *match = strstr(request->path, "&resourceVersionMatch");
    cleanup_free char *path = match ? xstrndup(request->path, (size_t)(match - request->path)) : NULL;

    if (l->refuse && match)
        changed.path = path;
    return kube_start(l->kube, &changed);
}

static void list_cancel(void *arg, void *call) {
    (void)arg;
    kube_cancel(call);
}

static void *watch_open(void *arg, const char *path, const struct ws_request *callbacks) {
    struct ws_request quick = *callbacks;

    quick.idle_ping = USEC_PER_SEC;
    quick.idle_hangup = 3 * USEC_PER_SEC;
    return kube_watch_open(((struct live *)arg)->kube, path, &quick);
}

static void watch_close(void *arg, void *watch) {
    (void)arg;
    kube_watch_close(watch);
}

/* --- helpers --- */

static void create_pod(struct live *l, int number) {
    cleanup_free char *body = xasprintf("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p%"
                                        "d\",\"labels\":{\"app\":\"a%d\"}},"
                                        "\"spec\":{\"terminationGracePeriodSeconds\":0,\"containers\":[{"
                                        "\"name\":\"c\",\"image\":\"none\"}]}}",
                                        number, number % 3);
    int status = status_of(l, KUBE_CREATE, PODS, body);

    assert_true(status == 201 || status == 409);
}

static void on_change(void *arg, enum informer_change change, const struct object *old,
                      const struct object *new_) {
    (void)old;
    (void)new_;
    ((struct live *)arg)->changes[change]++;
}

static void follow(struct live *l, bool refuse) {
    static const char *const namespaces[] = {"live-informers", NULL};

    memset(l->changes, 0, sizeof(l->changes));
    l->refuse = refuse;
    l->informers = informers_new(l->loop, l->kube,
                                 &(struct informers_options){.namespaces = namespaces,
                                                             .backoff_min = 100 * USEC_PER_MSEC,
                                                             .backoff_max = USEC_PER_SEC,
                                                             .transport = &l->transport});
    l->informer = informers_open(l->informers, &pods, OBJECT_POD, on_change, l);
    usec_t end = clock_mono() + PATIENCE;
    while (!informer_synced(l->informer) && clock_mono() < end)
        loop_turn(l->loop, PAUSE);
    assert_true(informer_synced(l->informer));
}

static void unfollow(struct live *l) {
    informers_free(l->informers);
    l->informers = NULL;
}

static bool like(const struct live *l, const json_t *listed) {
    const json_t *items = json_object_get(listed, "items");
    size_t i;
    json_t *item;

    if (informer_count(l->informer) != json_array_size(items))
        return false;
    json_array_foreach(items, i, item) {
        const json_t *meta = json_object_get(item, "metadata");
        const struct object *o =
            informer_get(l->informer, "live-informers", json_string_value(json_object_get(meta, "name")));
        if (!o ||
            strcmp(o->resource_version, json_string_value(json_object_get(meta, "resourceVersion"))) != 0)
            return false;
    }
    return true;
}

/* Waits until the cache is what the server lists. */
static void expect_like_server(struct live *l) {
    usec_t end = clock_mono() + PATIENCE;
    bool same = false;

    while (!same && clock_mono() < end) {
        struct answer a = ask(l, KUBE_GET, PODS, NULL);
        same = a.status == 200 && like(l, a.body);
        json_decref(a.body);
        loop_turn(l->loop, PAUSE);
    }
    assert_true(same);
    assert_int_equal(informer_error(l->informer)->code, 0);
}

/* control-plane.sh VERB DIR NAME; false where there is no CONTROL_PLANE. */
static bool control(const char *verb, const char *name) {
    const char *dir = getenv("CONTROL_PLANE");
    char script[] = SOURCE_DIR "/e2e/cluster/control-plane.sh";
    char *argv[] = {script, xstrdup(verb), xstrdup(str_or_empty(dir)), xstrdup(name), NULL};
    int status = -1;
    pid_t pid;

    if (dir && posix_spawn(&pid, script, NULL, NULL, argv, environ) == 0)
        waitpid(pid, &status, 0);
    for (int i = 1; argv[i]; i++)
        free(argv[i]);
    return dir && status == 0;
}

/* --- tests --- */

static void test_streaming(void **state) {
    struct live *l = *state;
    struct informer_stats stats;

    follow(l, false);
    expect_like_server(l);
    assert_int_equal(l->changes[INFORMER_ADDED], MANY);
    informer_stats(l->informer, &stats);
    assert_int_equal(stats.lists, 1);
    assert_int_equal(stats.errors, 0);
    unfollow(l);
}

static void test_pages(void **state) {
    struct live *l = *state;
    struct informer_stats stats;

    follow(l, true);
    expect_like_server(l);
    assert_int_equal(l->changes[INFORMER_ADDED], MANY);
    informer_stats(l->informer, &stats);
    assert_int_equal(stats.lists, 4); /* refused twice, and two pages */
    unfollow(l);
}

static void count_one(void *arg, const struct object *object) {
    (void)object;
    ++*(unsigned *)arg;
}

static void test_changes(void **state) {
    struct live *l = *state;
    unsigned found = 0;
    const struct selector_term term = {.key = "app", .count = 1, .values = (const char *[]){"new"}};
    const struct selector selector = {.count = 1, .terms = (struct selector_term[]){term}};

    follow(l, false);
    assert_int_equal(
        status_of(l, KUBE_MERGE_PATCH, PODS "/p1", "{\"metadata\":{\"labels\":{\"app\":\"new\"}}}"), 200);
    assert_int_equal(status_of(l, KUBE_DELETE, PODS "/p2", NULL), 200);
    create_pod(l, MANY);
    expect_like_server(l);
    informer_select(l->informer, "live-informers", &selector, count_one, &found);
    assert_int_equal(found, 1);
    assert_true(l->changes[INFORMER_MODIFIED] >= 1);
    assert_int_equal(l->changes[INFORMER_DELETED], 1);
    unfollow(l);
}

/* The apiserver is started again: the watch goes on without a new list. */
static void test_restart(void **state) {
    struct live *l = *state;
    struct informer_stats stats;

    if (!getenv("CONTROL_PLANE"))
        skip();
    follow(l, false);
    assert_true(control("stop", "apiserver"));
    for (int i = 0; i < 20; i++)
        loop_turn(l->loop, PAUSE);
    assert_true(informer_synced(l->informer));
    assert_true(control("start", "apiserver"));
    create_pod(l, MANY + 1);
    expect_like_server(l);
    informer_stats(l->informer, &stats);
    assert_true(stats.watches >= 2);
    assert_int_equal(l->changes[INFORMER_DELETED], 0);
    unfollow(l);
}

/* The apiserver halts but keeps its sockets: only the silence tells. */
static void test_halt(void **state) {
    struct live *l = *state;
    usec_t end = clock_mono() + PATIENCE;

    if (!getenv("CONTROL_PLANE"))
        skip();
    follow(l, false);
    assert_true(control("freeze", "apiserver"));
    while (!informer_error(l->informer)->code && clock_mono() < end)
        loop_turn(l->loop, PAUSE);
    assert_true(informer_error(l->informer)->code != 0);
    assert_true(control("thaw", "apiserver"));
    create_pod(l, MANY + 2);
    expect_like_server(l);
    unfollow(l);
}

static int setup(void **state) {
    struct live *l = XNEW(struct live);
    struct err err = {0};

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    l->transport = (struct informer_transport){list, list_cancel, watch_open, watch_close, l};
    assert_int_equal(loop_new(&l->loop, &err), 0);
    if (kubeconfig_find(NULL, NULL, &l->config, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(http_curl_new(l->loop, 0, &l->http, &err), 0);
    assert_int_equal(kube_new(l->loop, l->http, l->config, &l->kube, &err), 0);
    status_of(l, KUBE_CREATE, "/api/v1/namespaces", "{\"metadata\":{\"name\":\"live-informers\"}}");
    for (int i = 0; i < MANY; i++)
        create_pod(l, i);
    *state = l;
    return 0;
}

static int teardown(void **state) {
    struct live *l = *state;

    informers_free(l->informers);
    status_of(l, KUBE_DELETE, "/api/v1/namespaces/live-informers", NULL);
    kube_free(l->kube);
    http_curl_free(l->http);
    kubeconfig_free(l->config);
    loop_free(l->loop);
    free(l);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streaming), cmocka_unit_test(test_pages), cmocka_unit_test(test_changes),
        cmocka_unit_test(test_restart),   cmocka_unit_test(test_halt),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
