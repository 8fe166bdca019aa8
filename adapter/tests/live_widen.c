/* Widened queries against a real Prometheus: for hundreds of random queries, what the wide one gives for each
 * object is what the narrow one gives. */
#include "adapter/widen.h"

#include "adapter/promclient.h"
#include "adapter/promvector.h"
#include "adapter/tests/prom_process.h"
#include "adapter/tests/promql_random.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include "net/http_curl.h"
#include "net/url.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { QUERIES = 1500, SPAN_S = 1800, STEP_S = 15 };

struct live {
    struct prom_process prometheus;
    struct loop *loop;
    struct http *http;
    struct promclient *client;
    int64_t at; /* seconds: when all queries are evaluated */
    /* What came out of them. */
    int widened[3], compared, empty, failed;
};

/* ---- the series ---- */

struct series_of {
    const char *name, *labels;
    double first, step;
    int reset_at; /* the sample at which it starts anew; 0: never */
    int from, to; /* it is there between these samples */
};

/* The same pods in two namespaces, some pods without one container, series without a pod or a namespace, and
 * two names that have the same labels for pod c alone. */
static const struct series_of all_series[] = {
    {"x", "container=\"c1\",job=\"j\",namespace=\"n1\",pod=\"a\"", 5, 0.25, 0, 0, 120},
    {"x", "container=\"c2\",job=\"j\",namespace=\"n1\",pod=\"a\"", 7, -0.5, 0, 0, 120},
    {"x", "container=\"c1\",job=\"j\",namespace=\"n1\",pod=\"b\"", 50, 0.75, 0, 0, 120},
    {"x", "container=\"c1\",job=\"k\",namespace=\"n1\",pod=\"c\"", 1000, 1, 0, 100, 120},
    {"x", "container=\"c1\",job=\"j\",namespace=\"n2\",pod=\"a\"", 5000, 3, 0, 0, 120},
    {"x", "container=\"c1\",job=\"j\",namespace=\"n2\",pod=\"c\"", 0, 0, 0, 0, 120},
    {"x", "container=\"c1\",job=\"j\",namespace=\"n1\"", 9, 9, 0, 0, 120},
    {"x", "container=\"c1\",job=\"j\",pod=\"a\"", 11, 1, 0, 0, 120},
    {"y", "container=\"c1\",job=\"j\",namespace=\"n1\",pod=\"a\"", 2, 0.01, 0, 0, 120},
    {"y", "container=\"c2\",job=\"j\",namespace=\"n1\",pod=\"a\"", 3, 0, 0, 0, 120},
    {"y", "container=\"c1\",job=\"j\",namespace=\"n1\",pod=\"b\"", 0, 0, 0, 0, 120},
    {"y", "container=\"c1\",job=\"j\",namespace=\"n2\",pod=\"a\"", 8, 0.5, 0, 0, 100},
    {"y", "container=\"c1\",job=\"j\",namespace=\"n2\",pod=\"b\"", 8, 0.5, 0, 0, 120},
    {"c_total", "container=\"c1\",job=\"j\",namespace=\"n1\",pod=\"a\"", 0, 3, 115, 0, 120},
    {"c_total", "container=\"c2\",job=\"j\",namespace=\"n1\",pod=\"a\"", 100, 1, 0, 0, 120},
    {"c_total", "container=\"c1\",job=\"j\",namespace=\"n1\",pod=\"b\"", 7, 0, 0, 0, 120},
    {"c_total", "container=\"c1\",job=\"j\",namespace=\"n2\",pod=\"a\"", 0, 10, 0, 0, 120},
    {"c_total", "container=\"c1\",job=\"j\",namespace=\"n2\",pod=\"b\"", 0, 11, 0, 110, 120},
    {"c_total", "job=\"j\",namespace=\"n1\"", 0, 1, 0, 0, 120},
    {"d_total", "container=\"c1\",job=\"j\",namespace=\"n1\",pod=\"a\"", 0, 4, 0, 0, 120},
    {"d_total", "container=\"c1\",job=\"j\",namespace=\"n1\",pod=\"c\"", 0, 5, 60, 0, 120},
    {"d_total", "container=\"c1\",job=\"j\",namespace=\"n2\",pod=\"c\"", 0, 6, 0, 0, 120},
    {"h_bucket", "container=\"c1\",job=\"j\",le=\"1\",namespace=\"n1\",pod=\"a\"", 0, 2, 0, 0, 120},
    {"h_bucket", "container=\"c1\",job=\"j\",le=\"5\",namespace=\"n1\",pod=\"a\"", 0, 5, 0, 0, 120},
    {"h_bucket", "container=\"c1\",job=\"j\",le=\"+Inf\",namespace=\"n1\",pod=\"a\"", 0, 6, 0, 0, 120},
    {"h_bucket", "container=\"c1\",job=\"j\",le=\"1\",namespace=\"n2\",pod=\"a\"", 0, 9, 0, 0, 120},
    {"h_bucket", "container=\"c1\",job=\"j\",le=\"+Inf\",namespace=\"n2\",pod=\"a\"", 0, 9, 0, 0, 120},
    {"h_bucket", "container=\"c1\",job=\"j\",le=\"1\",namespace=\"n1\",pod=\"b\"", 0, 0, 0, 0, 120},
    {"h_bucket", "container=\"c1\",job=\"j\",le=\"+Inf\",namespace=\"n1\",pod=\"b\"", 0, 1, 0, 0, 120},
    {"z1", "container=\"c1\",job=\"j\",namespace=\"n1\",pod=\"a\"", 0, 1, 0, 0, 120},
    {"z1", "container=\"c1\",job=\"j\",namespace=\"n1\",pod=\"b\"", 0, 2, 0, 0, 120},
    {"z1", "container=\"c1\",job=\"j\",namespace=\"n1\",pod=\"c\"", 0, 3, 0, 0, 120},
    {"z2", "container=\"c1\",job=\"j\",namespace=\"n1\",pod=\"c\"", 0, 4, 0, 0, 120},
};

static void put_samples(const struct series_of *s, int64_t at, struct buf *out) {
    for (int i = s->from; i <= s->to; i++) {
        double value = s->first + s->step * (s->reset_at && i >= s->reset_at ? i - s->reset_at : i);
        buf_printf(out, "%s{%s} %g %" PRId64 "\n", s->name, s->labels, value,
                   at - SPAN_S + (int64_t)STEP_S * i);
    }
}

static void make_series(const struct live *l) {
    cleanup_buf struct buf text;
    int status = -1;

    buf_init(&text, 8 << 20);
    for (size_t i = 0; i < sizeof(all_series) / sizeof(all_series[0]); i++)
        put_samples(&all_series[i], l->at, &text);
    buf_puts(&text, "# EOF\n");
    prom_process_put(&l->prometheus, "series.om", text.data);
    pid_t pid = fork();
    if (pid == 0) {
        if (chdir(l->prometheus.folder) == 0 && freopen("/dev/null", "w", stdout))
            execlp("promtool", "promtool", "tsdb", "create-blocks-from", "openmetrics", "series.om", "data",
                   (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* ---- one query ---- */

struct answer {
    struct promvector *reader;
    bool done;
    struct err err;
};

static int on_body(void *arg, const char *data, size_t len, struct err *err) {
    struct answer *a = arg;

    return promvector_feed(a->reader, data, len, err);
}

static void on_done(void *arg, const struct err *err) {
    struct answer *a = arg;

    a->err = *err;
    a->done = true;
}

/* The vector, or NULL where the query fails. */
static struct vector *run(struct live *l, const char *query, struct err *err) {
    struct answer a = {.reader = promvector_new(1 << 20)};
    cleanup_free char *escaped = url_escape(query);
    cleanup_free char *form = xasprintf("query=%s&time=%" PRId64, escaped, l->at);
    struct vector *vector = NULL;
    usec_t end = clock_mono() + 30 * USEC_PER_SEC;

    promclient_start(
        l->client,
        &(struct promclient_request){
            .path = "/api/v1/query", .form = form, .on_body = on_body, .on_done = on_done, .arg = &a});
    while (!a.done && clock_mono() < end)
        loop_turn(l->loop, 100 * USEC_PER_MSEC);
    assert_true(a.done);
    *err = a.err;
    if (!a.err.code)
        promvector_finish(a.reader, 1, &vector, err);
    promvector_free(a.reader);
    return vector;
}

/* ---- the comparison ---- */

static bool same_label(const struct vector_sample *a, const struct vector_sample *b, const char *label) {
    return str_eq(str_or_empty(vector_label(a, label)), str_or_empty(vector_label(b, label)));
}

/* Whether b has all labels of a beside the namespace, which the wide query adds. */
static bool labels_in(const struct vector_sample *a, const struct vector_sample *b) {
    for (uint32_t i = 0; i < a->label_count; i++)
        if (!str_eq(a->labels[i].name, "namespace") && !same_label(a, b, a->labels[i].name))
            return false;
    return true;
}

static bool same_value(double a, double b) {
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b));
}

static bool is_of(const struct vector_sample *s, const char *object) {
    return str_eq(vector_label(s, "pod"), object);
}

static uint32_t count_of(const struct vector *v, const char *object) {
    uint32_t n = 0;

    for (uint32_t i = 0; i < v->count; i++)
        n += is_of(&v->samples[i], object);
    return n;
}

/* Each element that the narrow query gives for the object is in the wide one, and no other. */
static bool same_for(const struct vector *narrow, const struct vector *wide, const char *object) {
    if (count_of(narrow, object) != count_of(wide, object))
        return false;
    for (uint32_t i = 0; i < narrow->count; i++) {
        const struct vector_sample *a = &narrow->samples[i];
        bool found = !is_of(a, object);
        for (uint32_t j = 0; j < wide->count && !found; j++) {
            const struct vector_sample *b = &wide->samples[j];
            found = is_of(b, object) && labels_in(a, b) && labels_in(b, a) && same_value(a->value, b->value);
        }
        if (!found)
            return false;
    }
    return true;
}

struct request {
    const char *ns, *matcher;
    const char *objects[4];
};

/* The answer to the query widened so far; NULL: it cannot be widened so far. Owned. */
static struct vector *run_wide(struct live *l, const struct request *request, const char *query,
                               enum widened level) {
    const struct widen_labels labels = {.object = "pod", .ns = "namespace", .ns_value = request->ns};
    cleanup_buf struct buf wide_query;
    struct err err = {0};

    buf_init(&wide_query, 1 << 20);
    enum widened got = widen_query(query, &labels, level, &wide_query);
    l->widened[got] += got == level || (got == WIDEN_NONE && level == WIDEN_OBJECTS);
    if (got != level)
        return NULL;
    struct vector *wide = run(l, wide_query.data, &err);
    if (!wide)
        fail_msg("%s\nfails: %s\nbut not %s", wide_query.data, err.text, query);
    return wide;
}

static void compare(struct live *l, const struct request *request, const char *query,
                    const struct vector *narrow, const struct vector *wide) {
    for (int i = 0; request->objects[i]; i++)
        if (!same_for(narrow, wide, request->objects[i]))
            fail_msg("for %s/%s of what is widened differs\n%s", request->ns, request->objects[i], query);
    l->compared++;
    l->empty += narrow->count == 0;
}

/* One query for all namespaces gives each of them, in its part, what a query of its own gives: for the
 * objects of the request, and for all that share the query for all objects. */
static void compare_all(struct live *l, const struct request *request, const char *query,
                        const struct vector *narrow) {
    static const struct request everything = {.objects = {"a", "b", "c"}};
    struct vector *objects = run_wide(l, request, query, WIDEN_OBJECTS);
    struct vector *all = run_wide(l, request, query, WIDEN_NAMESPACES);
    struct vector *part = NULL;

    if (all) {
        vector_group(all, "namespace");
        part = vector_part(all, request->ns);
        vector_free(all);
    }
    if (objects)
        compare(l, request, query, narrow, objects);
    if (part)
        compare(l, request, query, narrow, part);
    if (part && !objects)
        fail_msg("for all namespaces, but not for all objects: %s", query);
    if (part)
        compare(l, &everything, query, objects, part);
    vector_free(objects);
    vector_free(part);
}

static void test_random_queries(void **state) {
    struct live *l = *state;
    static const struct request requests[] = {
        {"n1", "=\"a\"", {"a"}},
        {"n1", "=~\"a|b\"", {"a", "b"}},
        {"n1", "=~\"a|b|c\"", {"a", "b", "c"}},
        {"n2", "=\"a\"", {"a"}},
        {"n2", "=~\"c|b|a\"", {"a", "b", "c"}},
        {"n3", "=~\"a|b\"", {"a", "b"}}, /* has none of them */
    };
    struct promql_random random = {.state = 1};

    buf_init(&random.out, 1 << 20);
    for (int i = 0; i < QUERIES; i++) {
        const struct request *request = &requests[i % 6];
        struct err err = {0};
        promql_random_query(&random, request->ns, request->matcher);
        struct vector *narrow = run(l, random.out.data, &err);
        if (narrow)
            compare_all(l, request, random.out.data, narrow);
        l->failed += !narrow;
        vector_free(narrow);
    }
    buf_done(&random.out);
    print_message(
        "%d fail, %d as they are, %d for all objects, %d for all namespaces, %d compared, %d empty\n",
        l->failed, l->widened[WIDEN_NONE], l->widened[WIDEN_OBJECTS], l->widened[WIDEN_NAMESPACES],
        l->compared, l->empty);
    /* It was not for nothing. */
    assert_true(l->widened[WIDEN_NONE] > 100 && l->widened[WIDEN_NAMESPACES] > 200);
    assert_true(l->compared - l->empty > 500);
}

/* Queries that would give something else, or fail, if their names were left out: so it is no accident that
 * they are sent as they are. */
static void test_not_widened(void **state) {
    struct live *l = *state;
    static const struct {
        const char *query, *careless;
    } cases[] = {
        {"sum(rate({__name__=~\"z.\",job=\"j\",pod=~\"a|b\"}[5m])) by (pod)",
         "sum(rate({__name__=~\"z.\",job=\"j\"}[5m])) by (pod)"},
        {"sum(x{namespace=\"n1\",pod=\"a\"}) by (pod) / scalar(sum(y{pod=\"a\"}))",
         "sum(x{namespace=\"n1\"}) by (pod) / scalar(sum(y{}))"},
        {"topk(1, sum(x{pod=\"a\",namespace=\"n1\"}) by (pod))",
         "topk(1, sum(x{namespace=\"n1\"}) by (pod))"},
        {"sum(x{pod=\"a\",namespace=\"n1\"}) by (pod) / on () group_left sum(y{pod=\"a\",namespace=\"n1\"})",
         "sum(x{namespace=\"n1\"}) by (pod) / on () group_left sum(y{namespace=\"n1\"})"},
        {"sum(x{pod=\"a\",namespace=\"n1\"} * on (container) c_total{pod=\"a\",namespace=\"n1\"}) by (pod)",
         "sum(x{namespace=\"n1\"} * on (container) c_total{namespace=\"n1\"}) by (pod)"},
        {"absent(x{pod=\"a\",container=\"none\"})", "absent(x{container=\"none\"})"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_buf struct buf out;
        struct err err = {0};
        buf_init(&out, 1 << 16);
        assert_int_equal(widen_query(cases[i].query,
                                     &(struct widen_labels){.object = "pod", .ns = "namespace"},
                                     WIDEN_NAMESPACES, &out),
                         WIDEN_NONE);
        struct vector *narrow = run(l, cases[i].query, &err);
        struct vector *careless = run(l, cases[i].careless, &err);
        if (!narrow || (careless && same_for(narrow, careless, "a") && narrow->count == careless->count))
            fail_msg("%s %s", cases[i].query, err.text);
        vector_free(narrow);
        vector_free(careless);
    }
}

static int live_new(void **state) {
    struct live *l = XNEW(struct live);

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    l->at = clock_wall() / USEC_PER_SEC - 600;
    prom_process_init(&l->prometheus);
    prom_process_put(&l->prometheus, "web.yml", "{}");
    prom_process_put(&l->prometheus, "prometheus.yml", "{}");
    make_series(l);
    prom_process_start(&l->prometheus);
    assert_int_equal(loop_new(&l->loop, NULL), 0);
    assert_int_equal(http_curl_new(l->loop, 8, &l->http, NULL), 0);
    cleanup_free char *url = xasprintf("http://127.0.0.1:%d", l->prometheus.port);
    const struct prometheus_options options = {.url = url};
    assert_int_equal(promclient_new(l->loop, l->http, &options, &l->client, NULL), 0);
    *state = l;
    return 0;
}

static int live_free(void **state) {
    struct live *l = *state;

    promclient_free(l->client);
    http_curl_free(l->http);
    loop_free(l->loop);
    prom_process_stop(&l->prometheus);
    prom_process_done(&l->prometheus);
    free(l);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_queries),
        cmocka_unit_test(test_not_widened),
    };

    return cmocka_run_group_tests(tests, live_new, live_free);
}
