/* The source of the metrics APIs in simulated time, against a simulated apiserver. */
#include "adapter/metricsapi.h"

#include "adapter/tests/fake_kube.h"
#include "base/log.h"
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
#define NOW ((usec_t)1767225600 * USEC_PER_SEC) /* wall time, 2026-01-01T00:00:00Z */

enum { FOLLOWERS = 1200 };

struct follower {
    struct world *world;
    struct metric_subscription *sub;
    int told;
    bool in_call;
    void (*when_told)(struct follower *follower);
};

struct world {
    struct loop *loop;
    struct kube kube;
    struct discovery discovery;
    struct metric_source *source;
    struct str_pool pool;
    struct follower followers[FOLLOWERS];
    int count;
    /* What the server says to every path with this in it; else a list by the group. */
    struct {
        const char *part;
        struct fake_answer answer;
    } rules[4];
};

#define TIME "\"timestamp\":\"2026-01-01T00:00:00Z\""
static const char pods_list[] =
    "{\"kind\":\"PodMetricsList\",\"items\":["
    "{\"metadata\":{\"name\":\"web-1\"}," TIME ",\"window\":\"30s\",\"containers\":["
    "{\"name\":\"app\",\"usage\":{\"cpu\":\"100m\",\"memory\":\"1Ki\"}},"
    "{\"name\":\"log\",\"usage\":{\"cpu\":\"20m\"}}]},"
    "{\"metadata\":{\"name\":\"web-2\"},\"timestamp\":\"2025-12-31T23:58:00Z\",\"window\":\"15s\","
    "\"containers\":[{\"name\":\"app\",\"usage\":{\"cpu\":\"1\",\"memory\":\"2Ki\"}}]}]}";
static const char values_list[] = "{\"kind\":\"MetricValueList\",\"items\":["
                                  "{\"describedObject\":{\"name\":\"web-1\"}," TIME ",\"value\":\"7\"}]}";
static const char external_list[] = "{\"kind\":\"ExternalMetricValueList\",\"items\":[{" TIME
                                    ",\"value\":\"3\"},{" TIME ",\"value\":\"1500m\"}]}";
static const char not_served[] = "HTTP 404: 404 page not found";

static void serve(void *arg, const char *path, struct fake_answer *ret_answer) {
    const struct world *w = arg;

    for (size_t i = 0; i < sizeof(w->rules) / sizeof(w->rules[0]); i++)
        if (w->rules[i].part && strstr(path, w->rules[i].part)) {
            *ret_answer = w->rules[i].answer;
            return;
        }
    ret_answer->status = 200;
    ret_answer->text = strstr(path, "/external.") ? external_list
                       : strstr(path, "/custom.") ? values_list
                                                  : pods_list;
}

static struct world *world_with(const struct metricsapi_options *options) {
    struct world *w = XNEW(struct world);

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    str_pool_init(&w->pool);
    w->loop = fake_loop_new();
    w->kube = (struct kube){.loop = w->loop, .serve = serve, .arg = w};
    w->source = metricsapi_new(w->loop, &w->kube, &w->discovery, options);
    return w;
}

static struct world *world_new(void) {
    return world_with(NULL);
}

static void rule(struct world *w, int i, const char *part, struct fake_answer answer) {
    w->rules[i].part = part;
    w->rules[i].answer = answer;
}

static void leave(struct follower *f) {
    if (f->sub)
        f->world->source->ops->unsubscribe(f->world->source, f->sub);
    f->sub = NULL;
}

static void world_free(struct world *w) {
    struct metricsapi_stats stats;

    for (int i = 0; i < w->count; i++)
        leave(&w->followers[i]);
    metricsapi_stats(w->source, &stats);
    assert_int_equal(stats.followed, 0);
    assert_int_equal(w->kube.in_flight, 0);
    metricsapi_free(w->source);
    fake_loop_free(w->loop);
    str_pool_done(&w->pool);
    free(w);
}

static void told(void *arg) {
    struct follower *f = arg;

    assert_false(f->in_call);
    f->told++;
    if (f->when_told)
        f->when_told(f);
}

static struct follower *follow_in(struct world *w, const char *ns, struct metric_spec metric,
                                  usec_t interval) {
    assert_true(w->count < FOLLOWERS);
    struct follower *f = &w->followers[w->count++];
    const struct metric_request request = {.metric = &metric, .ns = ns, .interval = interval};

    *f = (struct follower){.world = w, .in_call = true};
    f->sub = w->source->ops->subscribe(w->source, &request, told, f);
    f->in_call = false;
    return f;
}

static struct follower *follow(struct world *w, struct metric_spec metric) {
    return follow_in(w, "shop", metric, 0);
}

static struct follower *follow_cpu(struct world *w) {
    return follow(w, (struct metric_spec){.type = METRIC_RESOURCE, .metric = "cpu"});
}

static struct follower *follow_external(struct world *w, const char *name) {
    return follow(w, (struct metric_spec){.type = METRIC_EXTERNAL, .metric = name});
}

static struct follower *follow_object(struct world *w, const char *api_version, const char *kind) {
    return follow(
        w, (struct metric_spec){.type = METRIC_OBJECT,
                                .metric = "rps",
                                .described = {.api_version = api_version, .kind = kind, .name = "main"}});
}

static struct sample sample_at(const struct follower *f, usec_t now) {
    struct sample sample;

    f->world->source->ops->read(f->world->source, f->sub, now, &sample);
    return sample;
}

static void expect(const struct follower *f, enum quality quality, int64_t milli, const char *message) {
    struct sample s = sample_at(f, NOW);

    if (s.quality != quality || s.milli != milli || strcmp(s.message, message) != 0)
        fail_msg("%s %lld \"%s\", expected %s %lld \"%s\"", quality_name(s.quality), (long long)s.milli,
                 s.message, quality_name(quality), (long long)milli, message);
}

static struct pod_value value_of(const struct follower *f, const char *pod, usec_t now) {
    const struct object *object =
        object_new(OBJECT_POD, &f->world->pool, &(struct object_names){.ns = "shop", .name = pod});
    const struct pod *list[] = {(const struct pod *)object};
    struct pod_value value;

    f->world->source->ops->read_pods(f->world->source, f->sub, now, list, 1, &value);
    object_unref(object);
    return value;
}

static void expect_pod(const struct follower *f, const char *pod, int64_t milli) {
    struct pod_value v = value_of(f, pod, NOW);

    if (milli < 0) {
        assert_false(v.known);
        return;
    }
    assert_true(v.known);
    assert_int_equal(v.milli, milli);
}

static void test_resource(void **state) {
    (void)state;
    struct world *w = world_new();
    struct follower *cpu = follow_cpu(w);
    struct follower *memory = follow(w, (struct metric_spec){.type = METRIC_RESOURCE, .metric = "memory"});
    struct follower *app = follow(
        w, (struct metric_spec){.type = METRIC_CONTAINER_RESOURCE, .metric = "memory", .container = "app"});
    struct follower *log = follow(
        w, (struct metric_spec){.type = METRIC_CONTAINER_RESOURCE, .metric = "cpu", .container = "log"});

    expect(cpu, QUALITY_PENDING, 0, "");
    expect_pod(cpu, "web-1", -1);
    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->kube.started, 1);
    assert_string_equal(w->kube.path, "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods");
    expect(cpu, QUALITY_VALUE, 0, "");
    assert_string_equal(sample_at(cpu, NOW).origin, "metrics.k8s.io");
    assert_true(sample_at(cpu, NOW).at == NOW);
    expect_pod(cpu, "web-1", 120);
    expect_pod(cpu, "web-2", 1000);
    expect_pod(cpu, "web-3", -1);
    expect_pod(memory, "web-1", -1); /* the container log lacks it */
    expect_pod(memory, "web-2", 2048000);
    expect_pod(app, "web-1", 1024000);
    expect_pod(log, "web-1", 20);
    expect_pod(log, "web-2", -1);
    struct pod_value v = value_of(cpu, "web-1", NOW);
    assert_true(v.at == NOW && v.window == 30 * SEC);
    world_free(w);
}

static void test_many_policies_one_request(void **state) {
    (void)state;
    struct world *w = world_new();

    for (int i = 0; i < 100; i++)
        follow_in(w, "shop",
                  (struct metric_spec){.type = METRIC_RESOURCE, .metric = i % 2 ? "cpu" : "memory"},
                  (15 + i) * SEC);
    fake_loop_run(w->loop, 14 * SEC);
    assert_int_equal(w->kube.started, 1);
    for (int i = 0; i < 100; i++)
        assert_int_equal(w->followers[i].told, 1);
    fake_loop_run(w->loop, 60 * SEC);
    assert_in_range(w->kube.started, 4, 6);
    /* The one who wanted the most goes: it is asked for as the next wants it. */
    follow_in(w, "shop", (struct metric_spec){.type = METRIC_RESOURCE, .metric = "cpu"}, 1);
    int before = w->kube.started;
    fake_loop_run(w->loop, 10 * SEC);
    assert_in_range(w->kube.started - before, 8, 11); /* no more often than every second */
    leave(&w->followers[100]);
    before = w->kube.started;
    fake_loop_run(w->loop, 60 * SEC);
    assert_in_range(w->kube.started - before, 3, 5);
    world_free(w);
}

static void test_bounded_concurrency(void **state) {
    (void)state;
    struct world *w = world_with(&(struct metricsapi_options){.interval = 10 * SEC, .max_concurrent = 3});
    char ns[16];

    for (int i = 0; i < 200; i++) {
        snprintf(ns, sizeof(ns), "ns-%d", i);
        follow_in(w, ns, (struct metric_spec){.type = METRIC_RESOURCE, .metric = "cpu"}, 0);
    }
    fake_loop_run(w->loop, 2 * SEC);
    assert_int_equal(w->kube.started, 200);
    assert_int_equal(w->kube.max_in_flight, 3);
    world_free(w);
}

static void test_custom_pods(void **state) {
    (void)state;
    struct world *w = world_new();
    struct follower *rps = follow(w, (struct metric_spec){.type = METRIC_PODS, .metric = "rps"});
    fake_loop_run(w->loop, SEC);
    assert_string_equal(w->kube.path, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/rps");
    struct follower *some =
        follow(w, (struct metric_spec){.type = METRIC_PODS, .metric = "rps", .selector = "a=b,c in (d,e)"});
    fake_loop_run(w->loop, SEC);
    assert_string_equal(w->kube.path, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/rps"
                                      "?metricLabelSelector=a%3Db%2Cc%20in%20%28d%2Ce%29");
    follow(w, (struct metric_spec){.type = METRIC_PODS, .metric = "rps"});
    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->kube.started, 2);
    expect(rps, QUALITY_VALUE, 0, "");
    expect(some, QUALITY_VALUE, 0, "");
    expect_pod(rps, "web-1", 7000);
    expect_pod(rps, "web-2", -1);
    assert_true(value_of(rps, "web-1", NOW).window == 60 * SEC);
    assert_string_equal(sample_at(rps, NOW).origin, "custom.metrics.k8s.io");
    world_free(w);
}

static void test_external(void **state) {
    (void)state;
    struct world *w = world_new();
    struct follower *f =
        follow(w, (struct metric_spec){.type = METRIC_EXTERNAL, .metric = "a.b|c d", .selector = "queue=q"});

    fake_loop_run(w->loop, SEC);
    assert_string_equal(w->kube.path, "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/a.b%7Cc%20d"
                                      "?labelSelector=queue%3Dq");
    expect(f, QUALITY_VALUE, 4500, "");
    assert_true(sample_at(f, NOW).value == 4.5);
    assert_string_equal(sample_at(f, NOW).origin, "external.metrics.k8s.io");
    world_free(w);
}

#define EXTERNAL(items) "{\"kind\":\"ExternalMetricValueList\",\"items\":[" items "]}"

static void test_external_sums(void **state) {
    (void)state;
    static const char big[] = EXTERNAL("{\"value\":\"9E\"},{\"value\":\"9E\"}");
    static const char negative[] = EXTERNAL("{\"value\":\"-9\"},{\"value\":\"4\"}");
    static const char zero[] = EXTERNAL("{\"value\":\"-4\"},{\"value\":\"4\"}");
    static const char none[] = EXTERNAL("");
    struct world *w = world_new();
    rule(w, 0, "/big", (struct fake_answer){.status = 200, .text = big});
    rule(w, 1, "/negative", (struct fake_answer){.status = 200, .text = negative});
    rule(w, 2, "/zero", (struct fake_answer){.status = 200, .text = zero});
    rule(w, 3, "/none", (struct fake_answer){.status = 200, .text = none});
    struct follower *b = follow_external(w, "big"), *n = follow_external(w, "negative");
    struct follower *z = follow_external(w, "zero"), *no = follow_external(w, "none");

    fake_loop_run(w->loop, SEC);
    expect(b, QUALITY_VALUE, INT64_MAX, "");
    expect(n, QUALITY_VALUE, -5000, "");
    expect(z, QUALITY_ZERO, 0, "");
    expect(no, QUALITY_ABSENT, 0, "no metrics returned from external metrics API");
    world_free(w);
}

static void test_empty_lists(void **state) {
    (void)state;
    struct world *w = world_new();
    rule(w, 0, "/apis/metrics", (struct fake_answer){.status = 200, .text = "{\"items\":[]}"});
    rule(w, 1, "/pods/*/rps", (struct fake_answer){.status = 200, .text = "{\"items\":null}"});
    struct follower *cpu = follow_cpu(w);
    struct follower *rps = follow(w, (struct metric_spec){.type = METRIC_PODS, .metric = "rps"});

    fake_loop_run(w->loop, SEC);
    expect(cpu, QUALITY_ABSENT, 0, "no metrics returned from resource metrics API");
    expect(rps, QUALITY_ABSENT, 0, "no metrics returned from custom metrics API");
    expect_pod(cpu, "web-1", -1);
    world_free(w);
}

static void test_object(void **state) {
    (void)state;
    static const struct resource ingresses = {.group = "networking.k8s.io",
                                              .version = "v1",
                                              .kind = "Ingress",
                                              .plural = "ingresses",
                                              .namespaced = true};
    static const struct resource services = {
        .group = "", .version = "v1", .kind = "Service", .plural = "services", .namespaced = true};
    struct world *w = world_new();
    w->discovery.resource = &ingresses;
    struct follower *ingress = follow_object(w, "networking.k8s.io/v1", "Ingress");

    fake_loop_run(w->loop, SEC);
    assert_string_equal(w->kube.path, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/"
                                      "ingresses.networking.k8s.io/main/rps");
    expect(ingress, QUALITY_VALUE, 7000, "");
    w->discovery.resource = &services;
    follow_object(w, "v1", "Service");
    fake_loop_run(w->loop, SEC);
    assert_string_equal(w->kube.path,
                        "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/services/main/rps");
    int asked = w->discovery.asked;
    follow_object(w, "v1", "Namespace");
    fake_loop_run(w->loop, SEC);
    assert_string_equal(w->kube.path, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/metrics/rps");
    assert_int_equal(w->discovery.asked, asked);
    rule(w, 0, "/metrics/rps", (struct fake_answer){.status = 200, .text = "{\"items\":[]}"});
    fake_loop_run(w->loop, 20 * SEC);
    expect(&w->followers[2], QUALITY_FAILED, 0,
           "custom.metrics.k8s.io: it answers with 0 values for one object");
    world_free(w);
}

static void test_object_waits_for_discovery(void **state) {
    (void)state;
    static const struct resource queues = {
        .group = "example.com", .version = "v1", .kind = "Queue", .plural = "queues", .namespaced = true};
    struct world *w = world_new();
    struct follower *f = follow_object(w, "example.com/v1", "Queue");

    fake_loop_run(w->loop, 60 * SEC);
    expect(f, QUALITY_PENDING, 0, "");
    assert_int_equal(w->discovery.asked, 1);
    w->discovery.code = -ENOENT;
    fake_discovery_round(&w->discovery);
    fake_loop_run(w->loop, 60 * SEC);
    expect(f, QUALITY_FAILED, 0,
           "custom.metrics.k8s.io: the server has no kind \"Queue\" in \"example.com/v1\"");
    assert_int_equal(f->told, 1);
    w->discovery.resource = &queues;
    fake_discovery_round(&w->discovery);
    fake_loop_run(w->loop, SEC);
    expect(f, QUALITY_VALUE, 7000, "");
    assert_int_equal(f->told, 2);
    struct follower *late = follow_object(w, "example.com/v1", "Queue");
    expect(late, QUALITY_VALUE, 7000, "");
    w->discovery.resource = NULL;
    w->discovery.code = 0;
    fake_loop_run(w->loop, 60 * SEC); /* waits again: leaving is allowed meanwhile */
    world_free(w);
}

static void test_old_custom_api(void **state) {
    (void)state;
    struct world *w = world_new();
    rule(w, 0, "/v1beta2/", (struct fake_answer){.status = 404, .text = not_served});
    struct follower *f = follow(w, (struct metric_spec){.type = METRIC_PODS, .metric = "rps"});

    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->kube.started, 2);
    assert_string_equal(w->kube.path, "/apis/custom.metrics.k8s.io/v1beta1/namespaces/shop/pods/*/rps");
    expect(f, QUALITY_VALUE, 0, "");
    follow(w, (struct metric_spec){.type = METRIC_PODS, .metric = "other"});
    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->kube.started, 3); /* it is known by now */
    /* And the other way round, after an upgrade of the adapter. */
    w->rules[0].part = "/v1beta1/";
    fake_loop_run(w->loop, 40 * SEC);
    expect(f, QUALITY_VALUE, 0, "");
    assert_non_null(strstr(w->kube.path, "/v1beta2/"));
    world_free(w);
}

static void test_not_served(void **state) {
    (void)state;
    struct world *w = world_new();
    rule(w, 0, "/apis/", (struct fake_answer){.status = 404, .text = not_served});
    struct follower *cpu = follow_cpu(w), *external = follow_external(w, "queue");
    struct follower *rps = follow(w, (struct metric_spec){.type = METRIC_PODS, .metric = "rps"});

    fake_loop_run(w->loop, SEC);
    expect(cpu, QUALITY_FAILED, 0,
           "the cluster serves no metrics.k8s.io: install metrics-server or another adapter that serves it");
    expect(
        rps, QUALITY_FAILED, 0,
        "the cluster serves no custom.metrics.k8s.io: install an adapter that serves it, or use a metric of "
        "type Prometheus");
    expect(
        external, QUALITY_FAILED, 0,
        "the cluster serves no external.metrics.k8s.io: install an adapter that serves it, or use a metric "
        "of type Prometheus");
    assert_int_equal(w->kube.started, 4); /* the custom one in both versions */
    fake_loop_run(w->loop, 60 * SEC);
    assert_in_range(w->kube.started, 20, 40); /* each of the three about every 8 s */
    w->rules[0].part = NULL;
    fake_discovery_round(&w->discovery); /* an APIService has come */
    fake_loop_run(w->loop, SEC);
    expect(cpu, QUALITY_VALUE, 0, "");
    expect(rps, QUALITY_VALUE, 0, "");
    expect(external, QUALITY_VALUE, 4500, "");
    int before = w->kube.started;
    fake_loop_run(w->loop, 60 * SEC);
    assert_in_range(w->kube.started - before, 9, 12); /* as often as ever */
    world_free(w);
}

/* Many questions of a group that is not served are asked more rarely each. */
static void test_not_served_to_many(void **state) {
    (void)state;
    struct world *w = world_new();
    char name[16];

    rule(w, 0, "/apis/", (struct fake_answer){.status = 404, .text = not_served});
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "queue-%d", i);
        follow_external(w, name);
    }
    fake_loop_run(w->loop, 60 * SEC); /* those that came first found few others */
    int before = w->kube.started;
    fake_loop_run(w->loop, 60 * SEC);
    assert_in_range(w->kube.started - before, 450, 600);
    world_free(w);
}

static void test_failures_are_told_at_once(void **state) {
    (void)state;
    struct world *w = world_new();
    struct follower *cpu = follow_cpu(w), *queue = follow_external(w, "queue");
    struct metricsapi_stats stats;

    fake_loop_run(w->loop, SEC);
    rule(w, 0, "/apis/metrics",
         (struct fake_answer){
             .status = 403, .reason = "Forbidden", .text = "pods.metrics.k8s.io is forbidden"});
    rule(w, 1, "/queue",
         (struct fake_answer){
             .status = 404, .reason = "NotFound", .text = "the server could not find the metric"});
    fake_loop_run(w->loop, 20 * SEC);
    expect(cpu, QUALITY_FAILED, 0, "metrics.k8s.io: pods.metrics.k8s.io is forbidden");
    expect_pod(cpu, "web-1", -1);
    expect(queue, QUALITY_FAILED, 0, "external.metrics.k8s.io: the server could not find the metric");
    metricsapi_stats(w->source, &stats);
    assert_int_equal(stats.requests, w->kube.started);
    assert_in_range(stats.failures, 2, 4);
    assert_int_equal(stats.followed, 2);
    rule(w, 0, "/apis/metrics",
         (struct fake_answer){.status = 200, .text = "{\"items\":[{\"metadata\":5}]}"});
    rule(w, 1, "/queue", (struct fake_answer){.status = 503, .text = "HTTP 503: service unavailable"});
    fake_loop_run(w->loop, 20 * SEC);
    expect(cpu, QUALITY_FAILED, 0,
           "metrics.k8s.io: the answer is not a PodMetricsList: a field has the wrong type");
    expect(queue, QUALITY_FAILED, 0, "external.metrics.k8s.io: HTTP 503: service unavailable");
    w->rules[0].part = w->rules[1].part = NULL;
    fake_loop_run(w->loop, 20 * SEC);
    expect_pod(cpu, "web-1", 120);
    expect(queue, QUALITY_VALUE, 4500, "");
    world_free(w);
}

static void test_one_api_that_hangs(void **state) {
    (void)state;
    struct world *w = world_new();
    struct follower *cpu = follow_cpu(w), *queue = follow_external(w, "queue");

    rule(w, 0, "/apis/external",
         (struct fake_answer){.code = -ETIMEDOUT, .text = "after 20003 ms", .delay = 20 * SEC});
    fake_loop_run(w->loop, 120 * SEC);
    expect(cpu, QUALITY_VALUE, 0, "");
    assert_in_range(cpu->told, 7, 9);
    expect(queue, QUALITY_FAILED, 0, "external.metrics.k8s.io: no answer within 20s");
    struct follower *other = follow_external(w, "other"); /* is told as soon as it is due */
    fake_loop_run(w->loop, 5 * SEC);
    expect(other, QUALITY_FAILED, 0, "external.metrics.k8s.io: no answer within 20s");
    w->rules[0].part = NULL;
    fake_loop_run(w->loop, 40 * SEC);
    expect(queue, QUALITY_VALUE, 4500, "");
    expect(other, QUALITY_VALUE, 4500, "");
    world_free(w);
}

static void test_max_age(void **state) {
    (void)state;
    struct world *w = world_new();
    struct follower *cpu =
        follow(w, (struct metric_spec){.type = METRIC_RESOURCE, .metric = "cpu", .max_age = 60 * SEC});
    struct follower *queue =
        follow(w, (struct metric_spec){.type = METRIC_EXTERNAL, .metric = "queue", .max_age = 60 * SEC});
    struct follower *patient = follow_cpu(w);

    fake_loop_run(w->loop, SEC);
    assert_true(value_of(cpu, "web-1", NOW + 60 * SEC).known);
    assert_false(value_of(cpu, "web-1", NOW + 61 * SEC).known);
    assert_false(value_of(cpu, "web-2", NOW).known); /* of two minutes before */
    assert_true(value_of(patient, "web-2", NOW).known);
    assert_int_equal(sample_at(cpu, NOW + 60 * SEC).quality, QUALITY_VALUE);
    assert_int_equal(sample_at(cpu, NOW + 61 * SEC).quality, QUALITY_STALE);
    assert_int_equal(sample_at(patient, NOW + 3600 * SEC).quality, QUALITY_VALUE);
    struct sample s = sample_at(queue, NOW + 61 * SEC);
    assert_int_equal(s.quality, QUALITY_STALE);
    assert_int_equal(s.milli, 4500);
    assert_string_equal(s.message, "the last value is of 2026-01-01T00:00:00Z, older than maxAge 1m");
    world_free(w);
}

static void test_what_cannot_be_asked_for(void **state) {
    (void)state;
    struct world *w = world_new();

    follow_external(w, "a/b");
    follow_external(w, "..");
    follow(w, (struct metric_spec){.type = METRIC_PODS});
    follow(w, (struct metric_spec){.type = METRIC_OBJECT, .metric = "rps"});
    follow(w, (struct metric_spec){.type = METRIC_PROMETHEUS, .query = "up"});
    fake_loop_run(w->loop, 60 * SEC);
    assert_int_equal(w->kube.started, 0);
    expect(&w->followers[0], QUALITY_FAILED, 0,
           "the metric's name \"a/b\" cannot be asked for: it must not be \".\" or \"..\" or hold / or %");
    assert_int_equal(sample_at(&w->followers[1], NOW).quality, QUALITY_FAILED);
    expect(&w->followers[2], QUALITY_FAILED, 0, "the metric's name is missing");
    expect_pod(&w->followers[2], "web-1", -1);
    expect(&w->followers[3], QUALITY_FAILED, 0, "the described object's name is missing");
    expect(&w->followers[4], QUALITY_FAILED, 0, "this metric is not one of the metrics APIs");
    world_free(w);
}

static void leave_all(struct follower *f) {
    for (int i = 0; i < f->world->count; i++)
        leave(&f->world->followers[i]);
}

static void leave_and_come_back(struct follower *f) {
    f->when_told = NULL;
    leave(f);
    follow_cpu(f->world);
}

static void test_coming_and_going_while_told(void **state) {
    (void)state;
    for (int who = 0; who < 3; who++) {
        struct world *w = world_new();
        for (int i = 0; i < 3; i++)
            follow_cpu(w);
        w->followers[who].when_told = leave_all;
        fake_loop_run(w->loop, 60 * SEC);
        assert_int_equal(w->kube.started, 1);
        world_free(w);
    }
    struct world *w = world_new();
    follow_cpu(w)->when_told = leave_and_come_back;
    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->kube.started, 2);
    expect(&w->followers[1], QUALITY_VALUE, 0, "");
    world_free(w);
}

static void test_leaving_while_asking(void **state) {
    (void)state;
    struct world *w = world_new();
    struct follower *f = follow_cpu(w);

    rule(w, 0, "/", (struct fake_answer){.status = 200, .text = pods_list, .delay = 10 * SEC});
    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->kube.in_flight, 1);
    leave(f);
    assert_int_equal(w->kube.in_flight, 0);
    fake_loop_run(w->loop, 60 * SEC);
    assert_int_equal(w->kube.started, 1);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resource),
        cmocka_unit_test(test_many_policies_one_request),
        cmocka_unit_test(test_bounded_concurrency),
        cmocka_unit_test(test_custom_pods),
        cmocka_unit_test(test_external),
        cmocka_unit_test(test_external_sums),
        cmocka_unit_test(test_empty_lists),
        cmocka_unit_test(test_object),
        cmocka_unit_test(test_object_waits_for_discovery),
        cmocka_unit_test(test_old_custom_api),
        cmocka_unit_test(test_not_served),
        cmocka_unit_test(test_not_served_to_many),
        cmocka_unit_test(test_failures_are_told_at_once),
        cmocka_unit_test(test_one_api_that_hangs),
        cmocka_unit_test(test_max_age),
        cmocka_unit_test(test_what_cannot_be_asked_for),
        cmocka_unit_test(test_coming_and_going_while_told),
        cmocka_unit_test(test_leaving_while_asking),
    };

    return cmocka_run_group_tests_name("metricsapi", tests, NULL, NULL);
}
