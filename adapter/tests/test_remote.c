/* Passing requests on, and following what the remote adapter lists, in simulated time. */
#include "adapter/remote.h"
#include "adapter/tests/fake_http.h"
#include "adapter/tests/fake_https.h"
#include "api/client/tests/fake_cluster.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include "net/tests/fake_loop.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define SEC USEC_PER_SEC
#define CUSTOM "https://prom.monitoring.svc:443/apis/custom.metrics.k8s.io/"
#define EXTERNAL "https://prom.monitoring.svc:443/apis/external.metrics.k8s.io/v1beta1"
#define METRIC "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/queue"

struct told {
    int count, status;
    char type[64], body[256];
    struct err err;
};

struct world {
    struct loop *loop;
    struct kube kube;
    struct fake_http http;
    struct remote *remote;
    const char *v2, *v1, *external; /* the lists; NULL: 404 */
    struct fake_reply metric;       /* status 0: the transport's failure of everything */
    struct cluster_answer apiservices;
    struct told told;
    int metrics_asked;
    char url[512], headers[1024], ca[64]; /* of the last metric asked for */
    const struct http_tls *tls;
};

static const char list_type[] = "application/json";

static struct fake_reply list_reply(const char *text) {
    return text ? (struct fake_reply){.status = 200, .body = text, .content_type = list_type}
                : (struct fake_reply){.status = 404, .body = "{}", .content_type = list_type};
}

static void serve_http(void *arg, const struct http_request *request, struct fake_reply *ret_reply) {
    struct world *w = arg;

    assert_string_equal(request->method, "GET");
    assert_false(request->tls->insecure);
    snprintf(w->ca, sizeof(w->ca), "%s", str_or_empty(request->tls->ca_pem));
    w->tls = request->tls;
    if (w->metric.err.code)
        *ret_reply = w->metric;
    else if (str_ends(request->url, CUSTOM "v1beta2"))
        *ret_reply = list_reply(w->v2);
    else if (str_ends(request->url, CUSTOM "v1beta1"))
        *ret_reply = list_reply(w->v1);
    else if (str_ends(request->url, EXTERNAL))
        *ret_reply = list_reply(w->external);
    else {
        size_t n = 0;
        *ret_reply = w->metric;
        w->metrics_asked++;
        snprintf(w->url, sizeof(w->url), "%s", request->url);
        for (const char *const *line = request->headers; *line; line++)
            n += (size_t)snprintf(w->headers + n, sizeof(w->headers) - n, "%s\n", *line);
    }
}

static void serve_kube(void *arg, const struct kube_request *request, struct cluster_answer *ret_answer) {
    const struct world *w = arg;

    assert_string_equal(request->path, "/apis/apiregistration.k8s.io/v1/apiservices");
    *ret_answer = w->apiservices;
}

/* caBundle: "the authority". */
static const char apiservices[] =
    "{\"items\":[{\"spec\":{\"service\":{\"namespace\":\"other\",\"name\":\"prom\"},\"caBundle\":\"eA==\"}},"
    "{\"spec\":{\"service\":{\"namespace\":\"monitoring\",\"name\":\"prom\"}}},"
    "{\"spec\":{\"service\":{\"namespace\":\"monitoring\",\"name\":\"prom\"},\"caBundle\":\"?\"}},"
    "{\"spec\":{\"service\":{\"namespace\":\"monitoring\",\"name\":\"prom\"},\"caBundle\":"
    "\"dGhlIGF1dGhvcml0eQ==\"}},{}]}";

static const char custom_list[] = "{\"kind\":\"APIResourceList\",\"resources\":[{\"name\":\"pods/queue\","
                                  "\"namespaced\":true},{\"name\":\"nodes/load\"}]}";
static const char external_list[] = "{\"kind\":\"APIResourceList\",\"resources\":[{\"name\":\"orders\"}]}";

static int set_up(void **state) {
    static struct world world;
    struct world *w = &world;

    *w = (struct world){
        .loop = fake_loop_new(),
        .v2 = custom_list,
        .external = external_list,
        .metric = {.status = 200, .body = "values", .content_type = "application/x"},
        .apiservices = {.status = 200, .text = apiservices},
    };
    w->kube = (struct kube){.loop = w->loop, .serve = serve_kube, .arg = w};
    fake_http_init(&w->http, w->loop, serve_http, w);
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;

    remote_free(w->remote);
    cluster_done(&w->kube);
    assert_int_equal(w->http.in_flight, 0);
    fake_loop_free(w->loop);
    return 0;
}

static int try_start(struct world *w, struct remote_options options, struct err *err) {
    return remote_new(w->loop, &w->http.head, &w->kube, &options, &w->remote, err);
}

static void start(struct world *w, struct remote_options options) {
    options.target = options.target ? options.target : "monitoring/prom:443";
    assert_int_equal(try_start(w, options, NULL), 0);
    fake_loop_run(w->loop, 100 * USEC_PER_MSEC);
}

static void on_done(void *arg, const struct remote_answer *answer, const struct err *err) {
    struct told *t = arg;

    t->count++;
    t->status = answer->status;
    t->err = *err;
    snprintf(t->type, sizeof(t->type), "%s", answer->content_type);
    snprintf(t->body, sizeof(t->body), "%s", answer->body->data);
}

static struct remote_call *begin(struct world *w, const char *target, const struct identity *who) {
    return remote_get(w->remote, target, "application/json;as=Table", who, on_done, &w->told);
}

static const struct told *get(struct world *w, const char *target, const struct identity *who) {
    int count = w->told.count;

    w->headers[0] = '\0';
    begin(w, target, who);
    assert_int_equal(w->told.count, count); /* not inside */
    fake_loop_run(w->loop, 50 * USEC_PER_MSEC);
    assert_int_equal(w->told.count, count + 1);
    return &w->told;
}

static struct remote_stats stats(const struct world *w) {
    struct remote_stats s;

    remote_stats(w->remote, &s);
    return s;
}

static bool has(const struct world *w, enum metrics_route_api api, const char *resource, const char *metric) {
    return remote_has(w->remote, &(struct metrics_route){.api = api, .resource = resource, .metric = metric});
}

static void test_passed_on(void **state) {
    const struct kubeconfig we = {.token = "ours", .cert_pem = "not shown", .key_pem = "not shown"};
    struct world *w = *state;

    start(w, (struct remote_options){.ourselves = &we});
    const struct told *t = get(w, METRIC "?labelSelector=a%3Db", NULL);
    assert_int_equal(t->err.code, 0);
    assert_int_equal(t->status, 200);
    assert_string_equal(t->type, "application/x");
    assert_string_equal(t->body, "values");
    assert_string_equal(w->url, "https://prom.monitoring.svc:443" METRIC "?labelSelector=a%3Db");
    assert_string_equal(w->headers,
                        "Via: 1.1 trimtab\nAccept: application/json;as=Table\nAuthorization: Bearer ours\n");
    assert_string_equal(w->ca, "the authority");
    assert_null(w->tls->cert_pem);
    w->metric = (struct fake_reply){.status = 404, .body = "no such metric", .content_type = "text/plain"};
    t = get(w, METRIC, NULL);
    assert_int_equal(t->err.code, 0);
    assert_int_equal(t->status, 404);
    assert_string_equal(t->body, "no such metric");
    assert_int_equal(stats(w).failures, 0);
    assert_int_equal(stats(w).requests, 4);
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* With a front proxy's certificate the user's identity goes along, and our own token does not. */
static void test_identity_is_forwarded(void **state) {
    static const char *const groups[] = {"dev", NULL}, *const odd[] = {"dev ", NULL};
    static const struct identity_extra extra = {0};
    const struct identity anna = {"anna", "", groups, &extra}, eve = {"eve", "", odd, &extra};
    const struct kubeconfig we = {.token = "ours"};
    struct world *w = *state;
    char path[] = "/tmp/test_remote.XXXXXX";

    close(mkstemp(path));
    write_file(path, "pem");
    start(w, (struct remote_options){.ca_file = path, .cert_file = path, .key_file = path, .ourselves = &we});
    assert_int_equal(w->kube.started, 0); /* the CA is given */
    get(w, METRIC, &anna);
    assert_string_equal(w->headers,
                        "Via: 1.1 trimtab\nAccept: application/json;as=Table\nX-Remote-User: anna\n"
                        "X-Remote-Group: dev\n");
    assert_string_equal(w->tls->cert_file, path);
    assert_string_equal(w->ca, "pem");
    get(w, METRIC, NULL);
    assert_non_null(strstr(w->headers, "X-Remote-User: trimtab\nX-Remote-Group: system:authenticated\n"));
    int asked = w->metrics_asked;
    assert_int_equal(get(w, METRIC, &eve)->err.code, -EINVAL);
    assert_int_equal(get(w, "/apis/x/../y", &anna)->err.code, -EINVAL);
    assert_int_equal(w->metrics_asked, asked);
    write_file(path, "another");
    fake_loop_run(w->loop, 31 * SEC);
    get(w, METRIC, &anna);
    assert_string_equal(w->ca, "another");
    unlink(path);
}

static void test_own_certificate_and_token_file(void **state) {
    const struct kubeconfig with_cert = {.cert_pem = "cert", .key_pem = "key"};
    struct kubeconfig with_token = {.token = "old"};
    struct world *w = *state;
    char path[] = "/tmp/test_remote.XXXXXX";

    start(w, (struct remote_options){.ourselves = &with_cert});
    get(w, METRIC, NULL);
    assert_string_equal(w->tls->cert_pem, "cert");
    assert_null(strstr(w->headers, "Authorization"));
    remote_free(w->remote);
    close(mkstemp(path));
    write_file(path, "one\n");
    with_token.token_file = path;
    start(w, (struct remote_options){.ourselves = &with_token});
    get(w, METRIC, NULL);
    assert_non_null(strstr(w->headers, "Authorization: Bearer one\n"));
    write_file(path, "second\n");
    get(w, METRIC, NULL);
    assert_non_null(strstr(w->headers, "Authorization: Bearer second\n"));
    unlink(path);
}

static void test_lists(void **state) {
    struct world *w = *state;
    uint32_t n;

    start(w, (struct remote_options){0});
    const struct apidocs_entry *entries = remote_entries(w->remote, &n);
    assert_int_equal(n, 3);
    assert_string_equal(entries[0].name, "nodes/load");
    assert_string_equal(entries[1].name, "orders");
    assert_true(entries[1].external && !entries[2].external && entries[2].namespaced);
    assert_true(has(w, ROUTE_CUSTOM, "pods", "queue") && has(w, ROUTE_EXTERNAL, NULL, "orders"));
    assert_false(has(w, ROUTE_CUSTOM, "pods", "orders") || has(w, ROUTE_EXTERNAL, NULL, "queue"));
    assert_false(has(w, ROUTE_RESOURCE, "pods", NULL));
    assert_true(clock_wall() - stats(w).last_list < USEC_PER_MIN);
    /* a remote that only has the older version, and no external metrics any more */
    w->v1 = "{\"kind\":\"APIResourceList\",\"resources\":[{\"name\":\"pods/other\"}]}";
    w->v2 = w->external = NULL;
    fake_loop_run(w->loop, 30 * SEC);
    entries = remote_entries(w->remote, &n);
    assert_int_equal(n, 1);
    assert_string_equal(entries[0].name, "pods/other");
    assert_false(has(w, ROUTE_EXTERNAL, NULL, "orders"));
    /* garbage, and an error: the last list stays */
    w->v1 = "{\"kind\":";
    fake_loop_run(w->loop, 30 * SEC);
    w->v1 = "[]";
    fake_loop_run(w->loop, 30 * SEC);
    assert_true(has(w, ROUTE_CUSTOM, "pods", "other"));
    assert_int_equal(stats(w).entries, 1);
}

/* Whoever asks shows it, an HPA in its status: it stays the same from try to try. */
#define DOWN "the remote adapter https://prom.monitoring.svc:443: connection refused"

/* What is not known is passed on: the answer is then that it is down, and not that there is no such metric.
 */
static void test_down(void **state) {
    struct world *w = *state;

    err_set(&w->metric.err, -ECONNREFUSED, "prom: Failed to connect after 12 ms");
    w->metric.status = 0;
    start(w, (struct remote_options){0});
    assert_true(has(w, ROUTE_CUSTOM, "pods", "queue") && has(w, ROUTE_EXTERNAL, NULL, "any"));
    assert_false(stats(w).up);
    const struct told *t = get(w, METRIC, NULL);
    assert_int_equal(t->status, 0);
    assert_int_equal(t->err.code, -EAGAIN);
    assert_string_equal(t->err.text, DOWN);
    int started = w->http.started;
    fake_loop_run(w->loop, 10 * USEC_PER_MIN);
    int tries = w->http.started - started;
    if (tries < 15 || tries > 60)
        fail_msg("%d tries in ten minutes", tries);
    w->metric = (struct fake_reply){.status = 200, .body = "values"};
    fake_loop_run(w->loop, 40 * SEC);
    assert_true(stats(w).up);
    assert_string_equal(stats(w).last_error, "");
    assert_false(has(w, ROUTE_EXTERNAL, NULL, "any"));
    assert_int_equal(get(w, METRIC, NULL)->status, 200);
    /* down again: the list stays */
    w->metric = (struct fake_reply){0};
    err_set(&w->metric.err, -ECONNREFUSED, "prom: Failed to connect after 3 ms");
    t = get(w, METRIC, NULL);
    assert_int_equal(t->err.code, -ECONNREFUSED);
    assert_string_equal(t->err.text, DOWN);
    fake_loop_run(w->loop, USEC_PER_MIN);
    assert_true(has(w, ROUTE_CUSTOM, "pods", "queue"));
    assert_int_equal(stats(w).entries, 3);
}

static void test_no_authority(void **state) {
    struct world *w = *state;

    w->apiservices.text = "{\"items\":[]}";
    start(w, (struct remote_options){0});
    assert_int_equal(get(w, METRIC, NULL)->err.code, -ENOKEY);
    assert_int_equal(w->http.started, 0);
    w->apiservices = (struct cluster_answer){.status = 403, .text = "forbidden"};
    fake_loop_run(w->loop, 10 * SEC);
    assert_int_equal(w->http.started, 0);
    w->apiservices = (struct cluster_answer){.status = 200, .text = apiservices};
    fake_loop_run(w->loop, 10 * SEC);
    assert_int_equal(get(w, METRIC, NULL)->status, 200);
    /* rights that are taken away later do no harm */
    w->apiservices = (struct cluster_answer){.status = 403, .text = "forbidden"};
    w->v2 = NULL;
    fake_loop_run(w->loop, 31 * SEC);
    assert_false(has(w, ROUTE_CUSTOM, "pods", "queue"));
}

static void test_url(void **state) {
    struct world *w = *state;

    start(w, (struct remote_options){.target = "https://127.0.0.1:6443/"});
    assert_int_equal(get(w, METRIC, NULL)->status, 200);
    assert_string_equal(w->url, "https://127.0.0.1:6443" METRIC);
    assert_string_equal(w->ca, ""); /* the system's */
    assert_int_equal(w->kube.started, 0);
}

static void test_bad_options(void **state) {
    static const char *const targets[] = {"",     "prom:443", "a/b",     "a/b:0",         "a/b:70000",
                                          "a/:1", "/b:1",     "a/b/c:1", "http://host:1", "https://",
                                          "a:b/c"};
    struct world *w = *state;
    struct err err = {0};

    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        if (try_start(w, (struct remote_options){.target = targets[i]}, &err) != -EINVAL || !err.text[0])
            fail_msg("%s", targets[i]);
    const struct remote_options bad[] = {{.ca_file = "/nonexistent/ca"},
                                         {.cert_file = "/nonexistent/c"},
                                         {.key_file = "/nonexistent/k"},
                                         {.cert_file = "/nonexistent/c", .key_file = "/nonexistent/k"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct remote_options options = bad[i];
        options.target = "a/b:1";
        assert_int_equal(try_start(w, options, &err), -EINVAL);
    }
    w->remote = NULL;
}

static void test_cancel_and_bounds(void **state) {
    struct world *w = *state;
    struct remote_call *calls[64];

    start(w, (struct remote_options){0});
    w->metric.delay = 5 * SEC;
    for (int i = 0; i < 64; i++)
        calls[i] = begin(w, METRIC, NULL);
    assert_int_equal(get(w, METRIC, NULL)->err.code, -EBUSY);
    for (int i = 0; i < 64; i++)
        remote_cancel(calls[i]);
    remote_cancel(NULL);
    remote_cancel(begin(w, "bad target", NULL));
    assert_int_equal(stats(w).in_flight, 0);
    w->metric.delay = 0;
    assert_int_equal(get(w, METRIC, NULL)->status, 200);
    begin(w, METRIC, NULL); /* ended by remote_free */
}

/* Slow is not down: the others are still asked. */
static void test_slow(void **state) {
    struct world *w = *state;

    start(w, (struct remote_options){0});
    w->http.fault = FAULT_LOST;
    w->http.fault_at = w->http.started;
    begin(w, METRIC, NULL);
    fake_loop_run(w->loop, 10 * SEC);
    assert_int_equal(w->told.err.code, -ETIMEDOUT);
    assert_int_equal(get(w, METRIC, NULL)->status, 200);
}

/* Nor is one that answers too much: whoever asks for that would take the remote from all others. */
static void test_too_large(void **state) {
    struct world *w = *state;

    start(w, (struct remote_options){0});
    w->metric = (struct fake_reply){0};
    err_set(&w->metric.err, -E2BIG, "the answer is larger than 8388608 bytes");
    assert_int_equal(get(w, METRIC, NULL)->err.code, -E2BIG);
    assert_true(stats(w).up);
    w->metric = (struct fake_reply){.status = 200, .body = "values"};
    assert_int_equal(get(w, METRIC, NULL)->status, 200);
}

static void on_done_free(void *arg, const struct remote_answer *answer, const struct err *err) {
    struct world *w = arg;

    on_done(&w->told, answer, err);
    remote_free(w->remote);
    w->remote = NULL;
}

static void test_freed_inside(void **state) {
    struct world *w = *state;

    start(w, (struct remote_options){0});
    remote_get(w->remote, METRIC, NULL, NULL, on_done_free, w);
    w->metric.delay = SEC / 2;
    begin(w, METRIC, NULL);
    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->told.count, 1);
}

static void test_loops(void **state) {
    static const char *const ours[] = {"Via: 1.1 trimtab", "via: 1.0 fred, 1.1 trimtab (a comment), 1.1 x",
                                       "Via: 1.1 trimtab,1.0 x"};
    static const char *const others[] = {"Via: 1.1 trimtabs", "Via: trimtab/1.1 x", "X: 1.1 trimtab"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const struct https_wire one = {(const char *const[]){"Via: 1.1 x", ours[i], NULL}};
        const struct https_wire two = {(const char *const[]){others[i], NULL}};
        assert_true(remote_has_come_round(&(struct https_request){.wire = &one}));
        assert_false(remote_has_come_round(&(struct https_request){.wire = &two}));
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_passed_on),
        TEST(test_identity_is_forwarded),
        TEST(test_own_certificate_and_token_file),
        TEST(test_lists),
        TEST(test_down),
        TEST(test_no_authority),
        TEST(test_url),
        TEST(test_bad_options),
        TEST(test_cancel_and_bounds),
        TEST(test_slow),
        TEST(test_too_large),
        TEST(test_freed_inside),
        TEST(test_loops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
