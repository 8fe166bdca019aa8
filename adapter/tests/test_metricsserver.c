/* Requests of the metrics APIs from their head to their answer: what is refused, who may, whom it is passed
 * to, and peers that go while it waits. Access and those who know values are stood for by functions that
 * answer inside, or when a test lets them. */
#include "adapter/metricsserver.h"

#include "adapter/tests/fake_https.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#define DEPTH "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/depth"
#define QUEUE "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue"
#define PODS "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"

/* ---- the connection ---- */

struct https_exchange {
    loop_fn *gone;
    void *arg;
    int answered, status;
    char type[64], *body;
    bool close, allow, later;
    bool full; /* no large answer fits any more */
};

void https_answer(struct https_exchange *exchange, const struct https_answer *answer, struct buf *body) {
    exchange->answered++;
    exchange->status = answer->status;
    exchange->close = answer->close;
    exchange->allow = answer->headers && str_eq(answer->headers[0], "Allow: GET");
    snprintf(exchange->type, sizeof(exchange->type), "%s", answer->content_type);
    exchange->later = answer->headers && str_eq(answer->headers[0], "Retry-After: 1");
    exchange->body = buf_detach(body);
}

bool https_has_room(const struct https_exchange *exchange, const struct buf *body) {
    return !exchange->full || body->len <= HTTPS_ANSWER_SMALL;
}

void https_on_gone(struct https_exchange *exchange, loop_fn *fn, void *arg) {
    exchange->gone = fn;
    exchange->arg = arg;
}

/* ---- those who are asked ---- */

/* One question that waits. */
struct waits {
    int asked, cancelled;
    bool later; /* it is not answered inside */
    void *fn, *arg;
};

struct access_check {
    struct waits waits;
    enum access_verdict verdict;
};
struct ownmetrics_call {
    struct waits waits;
};
struct resourcerules_call {
    struct waits waits;
};
struct remote_call {
    struct waits waits;
};

static struct world {
    struct metricsserver *server;
    struct access_check access;
    struct ownmetrics_call own;
    struct resourcerules_call rules;
    struct remote_call remote;
    int kubelets;
    bool has_rule, resource_rules, remote_has;
    char target[256], accept[64], user[32]; /* as the remote has got them */
} w;

static void note(struct waits *waits, void *fn, void *arg) {
    waits->asked++;
    waits->fn = fn;
    waits->arg = arg;
}

static void tell_verdict(void) {
    static const struct identity anna = {.user = "anna"};
    struct err err = {0};

    if (w.access.verdict != ACCESS_ALLOWED)
        err_set(&err, -EACCES, "because");
    ((access_done_fn *)w.access.waits.fn)(w.access.waits.arg, w.access.verdict, &anna, &err);
}

struct access_check *access_ask(struct access *access, const struct https_request *request,
                                const struct access_action *action, access_done_fn *done, void *arg) {
    (void)access;
    (void)request;
    assert_true(str_eq(action->verb, "get") || str_eq(action->verb, "list"));
    note(&w.access.waits, (void *)done, arg);
    if (w.access.waits.later)
        return &w.access;
    tell_verdict();
    return NULL;
}

void access_cancel(struct access_check *check) {
    if (check)
        check->waits.cancelled++;
}

static void tell_values(const struct waits *waits) {
    static const struct cluster_resource pods = {
        .group = "", .version = "v1", .plural = "pods", .kind = "Pod"};
    static const struct metrics_value value = {.ns = "shop", .name = "web-1", .milli = 2500};

    ((metrics_answer_fn *)waits->fn)(
        waits->arg, &(struct metrics_answer){
                        .status = 200, .metric = "depth", .resource = &pods, .count = 1, .values = &value});
}

static void tell_objects(const struct waits *waits) {
    static const struct metrics_object none[1];

    ((metrics_answer_fn *)waits->fn)(waits->arg, &(struct metrics_answer){.status = 200, .objects = none});
}

struct ownmetrics_call *ownmetrics_ask(struct ownmetrics *own, const struct metrics_route *route,
                                       metrics_answer_fn *fn, void *arg) {
    (void)own;
    assert_non_null(route->metric);
    note(&w.own.waits, (void *)fn, arg);
    if (w.own.waits.later)
        return &w.own;
    tell_values(&w.own.waits);
    return NULL;
}

void ownmetrics_cancel(struct ownmetrics_call *call) {
    if (call)
        call->waits.cancelled++;
}

bool ownmetrics_has(const struct ownmetrics *own, const struct metrics_route *route) {
    (void)own;
    (void)route;
    return w.has_rule;
}

bool resourcerules_serve(const struct resourcerules *all) {
    (void)all;
    return w.resource_rules;
}

struct resourcerules_call *resourcerules_answer(struct resourcerules *all, const struct metrics_route *route,
                                                metrics_answer_fn *fn, void *arg) {
    (void)all;
    assert_string_equal(route->resource, "pods");
    note(&w.rules.waits, (void *)fn, arg);
    if (w.rules.waits.later)
        return &w.rules;
    tell_objects(&w.rules.waits);
    return NULL;
}

void resourcerules_cancel(struct resourcerules_call *call) {
    if (call)
        call->waits.cancelled++;
}

void kubelets_answer(struct kubelets *all, const struct metrics_route *route, metrics_answer_fn *fn,
                     void *arg) {
    (void)all;
    (void)route;
    w.kubelets++;
    tell_objects(&(struct waits){.fn = (void *)fn, .arg = arg});
}

struct remote_call *remote_get(struct remote *remote, const char *target, const char *accept,
                               const struct identity *identity, remote_done_fn *done, void *arg) {
    (void)remote;
    snprintf(w.target, sizeof(w.target), "%s", target);
    snprintf(w.accept, sizeof(w.accept), "%s", accept);
    snprintf(w.user, sizeof(w.user), "%s", identity ? identity->user : "");
    note(&w.remote.waits, (void *)done, arg);
    return &w.remote;
}

static void tell_remote(int status, const char *text, int code) {
    const struct remote_answer answer = {
        .status = status, .content_type = "text/x", .body = &(struct buf){0}};
    struct err err = {0};

    buf_init(answer.body, 100);
    buf_puts(answer.body, text);
    if (code)
        err_set(&err, code, "it is down");
    ((remote_done_fn *)w.remote.waits.fn)(w.remote.waits.arg, &answer, &err);
    buf_done(answer.body);
}

void remote_cancel(struct remote_call *call) {
    if (call)
        call->waits.cancelled++;
}

bool remote_has(const struct remote *remote, const struct metrics_route *route) {
    (void)remote;
    (void)route;
    return w.remote_has;
}

bool remote_has_come_round(const struct https_request *request) {
    return str_eq(https_header_first(request, "Via"), "1.1 trimtab");
}

const struct apidocs_entry *remote_entries(const struct remote *remote, uint32_t *ret_count) {
    static const struct apidocs_entry entry = {.namespaced = true, .name = "pods/theirs"};

    (void)remote;
    *ret_count = 1;
    return &entry;
}

const struct registry *ruleset_registry(const struct ruleset *ruleset) {
    (void)ruleset;
    return NULL;
}

static bool tell_health(void *arg, const char *path, struct buf *body, int *ret_status) {
    assert_ptr_equal(arg, &w);
    *ret_status = 503;
    buf_puts(body, "not ready\n");
    return str_eq(path, "/readyz");
}

/* ---- asking ---- */

/* What is only looked at for whether it is there. */
static void *const something = &w;

static int set_up(void **state) {
    w = (struct world){.has_rule = true};
    w.server = metricsserver_new(&(struct metricsserver_world){.access = something,
                                                               .own = something,
                                                               .kubelets = something,
                                                               .remote = something,
                                                               .version = "1.2.3",
                                                               .health = tell_health,
                                                               .health_arg = &w});
    *state = NULL;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    assert_int_equal(metricsserver_stats(w.server)->waiting, 0);
    metricsserver_free(w.server);
    return 0;
}

static void ask_with(struct https_exchange *x, const char *method, const char *target, const char *line,
                     int refused) {
    const char *const lines[] = {line, NULL};
    const struct https_wire wire = {lines};
    const struct https_request request = {
        .method = method, .target = target, .refused = refused, .wire = &wire};

    *x = (struct https_exchange){0};
    metricsserver_handle(w.server, x, &request);
}

static void ask(struct https_exchange *x, const char *target) {
    ask_with(x, "GET", target, NULL, 0);
}

/* It has been answered once, so, with text in the body. */
static void expect(struct https_exchange *x, int status, const char *text) {
    assert_int_equal(x->answered, 1);
    assert_int_equal(x->status, status);
    if (!x->body || !strstr(x->body, text))
        fail_msg("%s, wanted %s", x->body, text);
    free(steal_ptr(&x->body));
}

/* The same, with a Status of this reason as the body. */
static void expect_status(struct https_exchange *x, int status, const char *reason, const char *message) {
    json_t *body = json_loads(str_or_empty(x->body), 0, NULL);

    assert_string_equal(x->type, "application/json");
    assert_string_equal(str_or_empty(json_string_value(json_object_get(body, "kind"))), "Status");
    assert_string_equal(str_or_empty(json_string_value(json_object_get(body, "reason"))), reason);
    assert_int_equal(json_integer_value(json_object_get(body, "code")), status);
    json_decref(body);
    expect(x, status, message);
}

/* ---- the tests ---- */

static void test_what_nobody_may(void **state) {
    static const struct {
        const char *method, *line;
        int refused, status;
        const char *reason;
    } cases[] = {
        {"POST", NULL, 0, 405, "MethodNotAllowed"},
        {"HEAD", NULL, 0, 405, "MethodNotAllowed"},
        {"GET", NULL, 400, 400, "BadRequest"},
        {"GET", NULL, 414, 414, "RequestURITooLong"},
        {"GET", NULL, 431, 431, "RequestHeaderFieldsTooLarge"},
        {"GET", "Via: 1.1 trimtab", 0, 508, "LoopDetected"},
    };
    struct https_exchange x;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ask_with(&x, cases[i].method, DEPTH, cases[i].line, cases[i].refused);
        assert_true(x.close == (cases[i].status == 405) && x.allow == x.close);
        expect_status(&x, cases[i].status, cases[i].reason, "");
    }
    assert_int_equal(w.access.waits.asked, 0);
    assert_int_equal(metricsserver_stats(w.server)->by_class[SERVED_OTHER][4], 5);
    assert_int_equal(metricsserver_stats(w.server)->by_class[SERVED_OTHER][5], 1);
}

static void test_verdicts(void **state) {
    struct https_exchange x;

    (void)state;
    w.access.verdict = ACCESS_UNAUTHENTICATED;
    ask(&x, DEPTH);
    expect_status(&x, 401, "Unauthorized", "Unauthorized");
    w.access.verdict = ACCESS_FORBIDDEN;
    ask(&x, DEPTH);
    expect_status(&x, 403, "Forbidden", "because");
    w.access.verdict = ACCESS_FAILED;
    w.access.waits.later = true;
    ask(&x, DEPTH);
    assert_int_equal(x.answered, 0);
    tell_verdict();
    expect_status(&x, 500, "InternalError", "because");
    assert_int_equal(w.own.waits.asked, 0);
    assert_int_equal(w.access.waits.cancelled, 0);
    w.access.verdict = ACCESS_ALLOWED;
    ask(&x, DEPTH);
    tell_verdict();
    expect(&x, 200, "\"value\":\"2500m\"");
}

static void test_metrics_of_rules(void **state) {
    struct https_exchange x;

    (void)state;
    ask(&x, DEPTH);
    assert_string_equal(x.type, "application/json");
    expect(&x, 200, "\"kind\":\"MetricValueList\"");
    w.own.waits.later = true;
    ask(&x, QUEUE);
    assert_int_equal(x.answered, 0);
    assert_int_equal(metricsserver_stats(w.server)->waiting, 1);
    tell_values(&w.own.waits);
    expect(&x, 200, "ExternalMetricValueList");
    assert_int_equal(w.own.waits.cancelled, 0);
    w.own.waits.later = false;
    ask_with(&x, "GET", DEPTH, "Accept: application/xml", 0);
    expect_status(&x, 406, "NotAcceptable", "");
    assert_int_equal(metricsserver_stats(w.server)->by_class[SERVED_CUSTOM][2], 1);
    assert_int_equal(metricsserver_stats(w.server)->by_class[SERVED_CUSTOM][4], 1);
    assert_int_equal(metricsserver_stats(w.server)->by_class[SERVED_EXTERNAL][2], 1);
}

/* The answer that waits gets count values, whose names have a million letters. */
static void tell_large(uint32_t count) {
    enum { LENGTH = 1000 * 1000 };
    static const struct cluster_resource pods = {
        .group = "", .version = "v1", .plural = "pods", .kind = "Pod"};
    struct metrics_value *values = xcalloc(count, sizeof(*values));
    char *name = xcalloc(1, LENGTH + 1);

    memset(name, 'a', LENGTH);
    for (uint32_t i = 0; i < count; i++)
        values[i] = (struct metrics_value){.ns = "shop", .name = name};
    ((metrics_answer_fn *)w.own.waits.fn)(
        w.own.waits.arg,
        &(struct metrics_answer){
            .status = 200, .metric = "depth", .resource = &pods, .count = count, .values = values});
    free(name);
    free(values);
}

/* Half a list would be worse than none. */
static void test_answer_that_is_too_large(void **state) {
    struct https_exchange x;

    (void)state;
    w.own.waits.later = true;
    ask(&x, DEPTH);
    tell_large(70);
    expect_status(&x, 500, "InternalError", "larger than 64 MiB");
}

static void test_too_many_large_answers(void **state) {
    struct https_exchange x;

    (void)state;
    w.own.waits.later = true;
    ask(&x, DEPTH);
    x.full = true;
    tell_large(1);
    assert_true(x.later && !x.close);
    expect_status(&x, 429, "TooManyRequests", "try again later");
    ask(&x, DEPTH);
    x.full = true;
    tell_values(&w.own.waits); /* a small one is always let through */
    expect(&x, 200, "MetricValueList");
    assert_int_equal(metricsserver_stats(w.server)->by_class[SERVED_CUSTOM][2], 1);
    assert_int_equal(metricsserver_stats(w.server)->by_class[SERVED_CUSTOM][4], 1);
}

/* Rights come first: who has none is not told what is wrong. */
static void test_wrong_requests(void **state) {
    struct https_exchange x;

    (void)state;
    ask(&x, DEPTH "?labelSelector=%25%25");
    expect_status(&x, 400, "BadRequest", "");
    ask(&x, PODS "?labelSelector=a+b");
    expect_status(&x, 400, "BadRequest", "");
    ask(&x, PODS "?watch=true");
    expect_status(&x, 405, "MethodNotAllowed", "watch is not supported");
    w.access.verdict = ACCESS_FORBIDDEN;
    ask(&x, DEPTH "?labelSelector=%25%25");
    expect_status(&x, 403, "Forbidden", "because");
    assert_int_equal(w.own.waits.asked + w.kubelets, 0);
}

static void test_usage(void **state) {
    struct https_exchange x;

    (void)state;
    ask(&x, PODS);
    expect(&x, 200, "\"kind\":\"PodMetricsList\"");
    assert_int_equal(w.kubelets, 1);
    ask_with(&x, "GET", PODS, "Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json", 0);
    expect(&x, 200, "\"kind\":\"Table\"");
    w.resource_rules = true; /* they win */
    ask(&x, PODS);
    expect(&x, 200, "PodMetricsList");
    w.rules.waits.later = true;
    ask(&x, PODS);
    assert_int_equal(x.answered, 0);
    tell_objects(&w.rules.waits);
    expect(&x, 200, "PodMetricsList");
    assert_int_equal(w.rules.waits.asked, 2);
    assert_int_equal(w.rules.waits.cancelled, 0);
    assert_int_equal(w.kubelets, 2);
}

static void test_usage_of_nobody(void **state) {
    struct metricsserver *full = w.server;
    struct https_exchange x;

    (void)state;
    w.server = metricsserver_new(&(struct metricsserver_world){.version = ""});
    ask(&x, PODS);
    expect_status(&x, 404, "NotFound", "could not find the requested resource");
    ask(&x, "/readyz");
    expect_status(&x, 404, "NotFound", "");
    metricsserver_free(w.server);
    w.server = full;
}

static void test_passing_on(void **state) {
    struct https_exchange x;

    (void)state;
    w.remote_has = true;
    ask(&x, DEPTH);
    expect(&x, 200, "MetricValueList"); /* a rule of ours wins */
    w.has_rule = false;
    ask_with(&x, "GET", DEPTH "?labelSelector=a%3Db", "Accept: text/x", 0);
    assert_int_equal(x.answered, 0);
    assert_string_equal(w.target, DEPTH "?labelSelector=a%3Db");
    assert_string_equal(w.accept, "text/x");
    assert_string_equal(w.user, "anna");
    tell_remote(404, "theirs", 0);
    assert_string_equal(x.type, "text/x");
    expect(&x, 404, "theirs");
    ask(&x, QUEUE);
    tell_remote(0, "half", -EAGAIN);
    expect_status(&x, 503, "ServiceUnavailable", "it is down");
    ask(&x, PODS); /* never passed on */
    expect(&x, 200, "PodMetricsList");
    w.remote_has = false;
    ask(&x, DEPTH);
    expect(&x, 200, "MetricValueList");
    assert_int_equal(metricsserver_stats(w.server)->remote, 2);
    assert_int_equal(w.remote.waits.cancelled, 0);
}

static void test_gone_while_waiting(void **state) {
    struct https_exchange x;

    (void)state;
    w.access.waits.later = true;
    ask(&x, DEPTH);
    x.gone(x.arg);
    assert_int_equal(w.access.waits.cancelled, 1);
    w.access.waits.later = false;
    w.own.waits.later = true;
    ask(&x, DEPTH);
    x.gone(x.arg);
    assert_int_equal(w.own.waits.cancelled, 1);
    w.resource_rules = w.rules.waits.later = true;
    ask(&x, PODS);
    x.gone(x.arg);
    assert_int_equal(w.rules.waits.cancelled, 1);
    w.has_rule = false;
    w.remote_has = true;
    ask(&x, DEPTH);
    x.gone(x.arg);
    assert_int_equal(w.remote.waits.cancelled, 1);
    assert_int_equal(x.answered, 0);
    assert_int_equal(w.access.waits.cancelled, 1);
    assert_int_equal(metricsserver_stats(w.server)->by_class[SERVED_CUSTOM][2], 0);
}

static void test_health(void **state) {
    struct https_exchange x;

    (void)state;
    ask(&x, "/readyz?verbose");
    assert_string_equal(x.type, "text/plain; charset=utf-8");
    expect(&x, 503, "not ready");
    ask(&x, "/healthz/ping");
    expect_status(&x, 404, "NotFound", "");
}

static void test_documents(void **state) {
    struct https_exchange x;

    (void)state;
    ask(&x, "/version");
    expect(&x, 200, "1.2.3");
    ask(&x, "/apis/custom.metrics.k8s.io/v1beta2");
    expect(&x, 200, "pods/theirs"); /* the remote's, merged */
    ask(&x, "/apis/metrics.k8s.io/v1beta1");
    expect(&x, 200, "PodMetrics");
    ask_with(&x, "GET", "/apis", "Accept: application/xml", 0);
    expect_status(&x, 406, "NotAcceptable", "");
    ask(&x, "/nonsense");
    expect_status(&x, 404, "NotFound", "");
    assert_int_equal(metricsserver_stats(w.server)->by_class[SERVED_DISCOVERY][2], 3);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_what_nobody_may),
        TEST(test_verdicts),
        TEST(test_metrics_of_rules),
        TEST(test_answer_that_is_too_large),
        TEST(test_too_many_large_answers),
        TEST(test_wrong_requests),
        TEST(test_usage),
        TEST(test_usage_of_nobody),
        TEST(test_passing_on),
        TEST(test_gone_while_waiting),
        TEST(test_health),
        TEST(test_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
