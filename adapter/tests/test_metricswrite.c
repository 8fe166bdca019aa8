/* The documents of the metrics APIs: exact texts, and every recorded answer of the original, read into what
 * it was made of and written again. */
#include "adapter/metricswrite.h"

#include "adapter/exposition.h"
#include "api/types/quantity.h"
#include "api/types/tests/cases.h"
#include "base/mem.h"
#include "base/str.h"
#include <dirent.h>
#include <stdlib.h>

#include "base/tests/cm.h"

static const usec_t NOW = 1767225600 * USEC_PER_SEC; /* 2026-01-01T00:00:00Z */
static const struct cluster_resource PODS = {"", "v1", "pods", "pod", "Pod", true};
static const struct cluster_resource DEPLOYMENTS = {"apps",       "v1",         "deployments",
                                                    "deployment", "Deployment", true};

static char *written(const char *path, const struct metrics_answer *answer, bool table) {
    cleanup_arena struct arena arena;
    cleanup_buf struct buf out;
    struct metrics_route route;
    struct err err = {0};

    arena_init(&arena, 0);
    buf_init(&out, 1 << 20);
    if (metrics_route_read(path, &arena, &route, &err) < 0)
        fail_msg("%s: %s", path, err.text);
    metrics_write_answer(&out, &route, answer, table, NOW);
    return buf_detach(&out);
}

static void assert_written(const char *path, const struct metrics_answer *answer, bool table,
                           const char *want) {
    cleanup_free char *text = written(path, answer, table);

    assert_string_equal(text, want);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    json_decref(json);
}

#define CUSTOM "/apis/custom.metrics.k8s.io/"
#define EXTERNAL "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/"
#define RESOURCE "/apis/metrics.k8s.io/v1beta1/"

static void writes_custom_values(void **state) {
    const struct metrics_value values[] = {
        {.ns = "shop", .name = "web-0", .milli = 1500000, .at = NOW},
        {.ns = "shop", .name = "web-1", .milli = 250, .at = NOW - 5 * USEC_PER_SEC}};
    struct metrics_answer answer = {
        .status = 200, .metric = "queue_depth", .resource = &PODS, .count = 2, .values = values};

    (void)state;
    assert_written(CUSTOM
                   "v1beta2/namespaces/shop/pods/*/queue_depth?metricLabelSelector=verb%3DGET,az+in+(b,a,b)",
                   &answer, false,
                   "{\"kind\":\"MetricValueList\",\"apiVersion\":\"custom.metrics.k8s.io/"
                   "v1beta2\",\"metadata\":{},\"items\":["
                   "{\"describedObject\":{\"kind\":\"Pod\",\"namespace\":\"shop\",\"name\":\"web-0\","
                   "\"apiVersion\":\"/v1\"},"
                   "\"metric\":{\"name\":\"queue_depth\",\"selector\":{\"matchLabels\":{\"verb\":\"GET\"},"
                   "\"matchExpressions\":[{\"key\":\"az\",\"operator\":\"In\",\"values\":[\"a\",\"b\"]}]}},"
                   "\"timestamp\":\"2026-01-01T00:00:00Z\",\"value\":\"1500\"},"
                   "{\"describedObject\":{\"kind\":\"Pod\",\"namespace\":\"shop\",\"name\":\"web-1\","
                   "\"apiVersion\":\"/v1\"},"
                   "\"metric\":{\"name\":\"queue_depth\",\"selector\":{\"matchLabels\":{\"verb\":\"GET\"},"
                   "\"matchExpressions\":[{\"key\":\"az\",\"operator\":\"In\",\"values\":[\"a\",\"b\"]}]}},"
                   "\"timestamp\":\"2025-12-31T23:59:55Z\",\"value\":\"250m\"}]}\n");
    answer.resource = &DEPLOYMENTS;
    answer.count = 1;
    assert_written(
        CUSTOM "v1beta1/namespaces/shop/deployments.apps/web-0/queue_depth", &answer, false,
        "{\"kind\":\"MetricValueList\",\"apiVersion\":\"custom.metrics.k8s.io/"
        "v1beta1\",\"metadata\":{},\"items\":["
        "{\"describedObject\":{\"kind\":\"Deployment\",\"namespace\":\"shop\",\"name\":\"web-0\","
        "\"apiVersion\":"
        "\"apps/"
        "v1\"},\"metricName\":\"queue_depth\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"value\":\"1500\","
        "\"selector\":null}]}\n");
    answer.count = 0;
    assert_written(CUSTOM "v1beta2/namespaces/shop/pods/*/queue_depth", &answer, false,
                   "{\"kind\":\"MetricValueList\",\"apiVersion\":\"custom.metrics.k8s.io/"
                   "v1beta2\",\"metadata\":{},\"items\":[]}\n");
}

static void assert_selector(const char *query, const char *want) {
    const struct metrics_value value = {.name = "n"};
    const struct metrics_answer answer = {
        .status = 200, .metric = "m", .resource = &PODS, .count = 1, .values = &value};
    cleanup_free char *path = xasprintf(CUSTOM "v1beta1/nodes/n/m?metricLabelSelector=%s", query);
    cleanup_free char *text = written(path, &answer, false);
    const char *at = strstr(text, "\"selector\":");

    assert_non_null(at);
    cleanup_free char *tail = xasprintf("\"selector\":%s}]}\n", want);
    assert_string_equal(at, tail);
}

/* As ParseToLabelSelector gives it back, whose "!=" fails. */
static void gives_the_selector_back(void **state) {
    (void)state;
    assert_selector("", "null");
    assert_selector("b%3D2,a%3D%3D1", "{\"matchLabels\":{\"a\":\"1\",\"b\":\"2\"}}");
    assert_selector("a%3D1,b%3D2,a%3D3", "{\"matchLabels\":{\"a\":\"3\",\"b\":\"2\"}}");
    assert_selector("a%3D", "{\"matchLabels\":{\"a\":\"\"}}");
    assert_selector("a%21%3D1",
                    "{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"1\"]}]}");
    assert_selector("b,%21a", "{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"DoesNotExist\"},"
                              "{\"key\":\"b\",\"operator\":\"Exists\"}]}");
    assert_selector("a+notin+(y,x),a+in+(z)",
                    "{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"x\",\"y\"]},"
                    "{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"z\"]}]}");
}

static void writes_external_values(void **state) {
    const struct series_label labels[] = {{"az", "1"}, {"queue", "say \"hi\""}};
    const struct metrics_value values[] = {
        {.labels = labels, .label_count = 2, .milli = 7000, .at = NOW + 999999},
        {.labels = labels, .label_count = 0, .milli = -1, .at = NOW + USEC_PER_SEC},
        {.labels = NULL, .milli = 0, .at = NOW},
    };
    const struct metrics_answer answer = {.status = 200, .metric = "backlog", .count = 3, .values = values};

    (void)state;
    assert_written(
        EXTERNAL "backlog", &answer, false,
        "{\"kind\":\"ExternalMetricValueList\",\"apiVersion\":\"external.metrics.k8s.io/"
        "v1beta1\",\"metadata\":{},"
        "\"items\":[{\"metricName\":\"backlog\",\"metricLabels\":{\"az\":\"1\",\"queue\":\"say \\\"hi\\\"\"},"
        "\"timestamp\":\"2026-01-01T00:00:00Z\",\"value\":\"7\"},"
        "{\"metricName\":\"backlog\",\"metricLabels\":{},\"timestamp\":\"2026-01-01T00:00:01Z\",\"value\":\"-"
        "1m\"},"
        "{\"metricName\":\"backlog\",\"metricLabels\":null,\"timestamp\":\"2026-01-01T00:00:00Z\",\"value\":"
        "\"0\"}]}\n");
}

static struct labels *one_label(struct str_pool *pool) {
    struct labels *labels = labels_new(1);

    labels->items[0].key = str_intern(pool, "app", 3);
    labels->items[0].value = str_intern(pool, "web", 3);
    return labels;
}

static const struct metrics_usage USAGES[] = {
    {"app", 123456789, 128 << 20, 0}, {"log", 1500000, 1000, 0}, {"odd", -1, 1536, 500}};

static void writes_pods(void **state) {
    struct str_pool pool;
    struct metrics_object pods[] = {
        {.ns = "shop",
         .name = "web-0",
         .at = NOW - USEC_PER_SEC,
         .window = 15052000,
         .usage_count = 3,
         .usages = USAGES},
        {.ns = "shop", .name = "web-1", .at = NOW, .window = 3 * USEC_PER_MIN},
    };
    struct metrics_answer answer = {.status = 200, .count = 2, .objects = pods};

    (void)state;
    str_pool_init(&pool);
    struct labels *labels = one_label(&pool);
    pods[0].labels = labels;
#define WEB_0                                                                                                \
    "\"metadata\":{\"name\":\"web-0\",\"namespace\":\"shop\",\"creationTimestamp\":\"2026-01-01T00:00:"      \
    "00Z\","                                                                                                 \
    "\"labels\":{\"app\":\"web\"}}"
#define WEB_0_REST                                                                                           \
    ",\"timestamp\":\"2025-12-31T23:59:59Z\",\"window\":\"15.052s\",\"containers\":["                        \
    "{\"name\":\"app\",\"usage\":{\"cpu\":\"123456789n\",\"memory\":\"128Mi\"}},"                            \
    "{\"name\":\"log\",\"usage\":{\"cpu\":\"1500u\",\"memory\":\"1k\"}},"                                    \
    "{\"name\":\"odd\",\"usage\":{\"cpu\":\"0\",\"memory\":\"1536500m\"}}]}"
#define WEB_1                                                                                                \
    "\"metadata\":{\"name\":\"web-1\",\"namespace\":\"shop\",\"creationTimestamp\":\"2026-01-01T00:00:"      \
    "00Z\"}"
    assert_written(RESOURCE "pods", &answer, false,
                   "{\"kind\":\"PodMetricsList\",\"apiVersion\":\"metrics.k8s.io/v1beta1\",\"metadata\":{},"
                   "\"items\":[{" WEB_0 WEB_0_REST ",{" WEB_1
                   ",\"timestamp\":\"2026-01-01T00:00:00Z\",\"window\":\"3m0s\",\"containers\":[]}]}\n");
#define COLUMN(name, format, description)                                                                    \
    "{\"name\":\"" name "\",\"type\":\"string\",\"format\":\"" format "\",\"description\":\"" description    \
    "\",\"priority\":0}"
#define TABLE                                                                                                \
    "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{},\"columnDefinitions\":[" COLUMN(  \
        "Name", "name", "Name of the resource") "," COLUMN("cpu", "quantity",                                \
                                                           "") "," COLUMN("memory", "quantity",              \
                                                                          "") "," COLUMN("Window",           \
                                                                                         "duration",         \
                                                                                         "") "],\"rows\":["
#define OBJECT "\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\","
    assert_written(RESOURCE "namespaces/shop/pods", &answer, true,
                   TABLE "{\"cells\":[\"web-0\",\"124956789n\",\"134220264500m\",\"15.052s\"]," OBJECT WEB_0
                         "}},{\"cells\":[\"web-1\",\"0\",\"0\",\"3m0s\"]," OBJECT WEB_1 "}}]}\n");
    answer.count = 1;
    assert_written(RESOURCE "namespaces/shop/pods/web-0", &answer, false,
                   "{\"kind\":\"PodMetrics\",\"apiVersion\":\"metrics.k8s.io/v1beta1\"," WEB_0 WEB_0_REST
                   "\n");
    answer.count = 0;
    assert_written(RESOURCE "pods", &answer, true, TABLE "]}\n");
    labels_unref(labels, &pool);
    str_pool_done(&pool);
}

static void writes_nodes(void **state) {
    const struct metrics_object node = {.ns = "",
                                        .name = "node-a",
                                        .at = NOW,
                                        .window = 20 * USEC_PER_SEC,
                                        .usage_count = 1,
                                        .usages = USAGES};
    const struct metrics_answer answer = {.status = 200, .count = 1, .objects = &node};

    (void)state;
#define NODE                                                                                                 \
    "\"metadata\":{\"name\":\"node-a\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\"},"                     \
    "\"timestamp\":\"2026-01-01T00:00:00Z\",\"window\":\"20s\",\"usage\":{\"cpu\":\"123456789n\","           \
    "\"memory\":\"128Mi\"}}"
    assert_written(RESOURCE "nodes/node-a", &answer, false,
                   "{\"kind\":\"NodeMetrics\",\"apiVersion\":\"metrics.k8s.io/v1beta1\"," NODE "\n");
    assert_written(RESOURCE "nodes", &answer, false,
                   "{\"kind\":\"NodeMetricsList\",\"apiVersion\":\"metrics.k8s.io/v1beta1\",\"metadata\":{},"
                   "\"items\":[{" NODE "]}\n");
}

static void writes_errors(void **state) {
    struct metrics_answer answer = {.status = 404, .reason = "NotFound", .message = "no \"x\""};

    (void)state;
#define STATUS                                                                                               \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":"
    assert_written(EXTERNAL "x", &answer, false,
                   STATUS "\"no \\\"x\\\"\",\"reason\":\"NotFound\",\"code\":404}\n");
    answer = (struct metrics_answer){.status = 500, .reason = "", .message = "gone"};
    assert_written(RESOURCE "pods", &answer, true, STATUS "\"gone\",\"code\":500}\n");
}

static void assert_memory(int64_t bytes, int milli, const char *want) {
    cleanup_buf struct buf out;

    buf_init(&out, 64);
    metrics_write_memory(&out, bytes, milli);
    assert_string_equal(out.data, want);
}

static void writes_quantities(void **state) {
    cleanup_buf struct buf out;

    (void)state;
    buf_init(&out, 256);
    metrics_write_milli(&out, INT64_MIN);
    buf_puts(&out, " ");
    metrics_write_milli(&out, 12000000);
    buf_puts(&out, " ");
    metrics_write_nano(&out, 0);
    buf_puts(&out, " ");
    metrics_write_nano(&out, 2000000000);
    buf_puts(&out, " ");
    metrics_write_nano(&out, 2000000001);
    assert_string_equal(out.data, "-9223372036854775808m 12k 0 2 2000000001n");
    assert_memory(0, 0, "0");
    assert_memory(1023, 0, "1023");
    assert_memory(1024, 0, "1Ki");
    assert_memory(1025, 0, "1025");
    assert_memory(INT64_MAX, 999, "9223372036854775");
}

static void assert_duration(usec_t span, const char *want) {
    cleanup_buf struct buf out;

    buf_init(&out, 64);
    metrics_write_duration(&out, span);
    assert_string_equal(out.data, want);
}

static void writes_durations_as_go_does(void **state) {
    (void)state;
    assert_duration(0, "0s");
    assert_duration(1, "1\xc2\xb5s");
    assert_duration(1500, "1.5ms");
    assert_duration(999999, "999.999ms");
    assert_duration(USEC_PER_SEC, "1s");
    assert_duration(10001000, "10.001s");
    assert_duration(15052000, "15.052s");
    assert_duration(USEC_PER_MIN, "1m0s");
    assert_duration(90500000, "1m30.5s");
    assert_duration(USEC_PER_HOUR, "1h0m0s");
    assert_duration(-90 * USEC_PER_MIN, "-1h30m0s");
}

/* ---- the recorded answers ---- */

/* What an answer was made of. */
struct source {
    struct arena arena;
    struct cluster_resource resource;
    struct metrics_answer answer;
};

static const char *text_of(const json_t *object, const char *key) {
    return str_or_empty(json_string_value(json_object_get(object, key)));
}

static const struct series_label *read_labels(struct source *s, const json_t *labels, uint32_t *ret_count) {
    *ret_count = (uint32_t)json_object_size(labels);
    struct series_label *list = ARENA_ARRAY(&s->arena, struct series_label, *ret_count + 1);
    const char *name;
    json_t *value;
    uint32_t i = 0;

    json_object_foreach((json_t *)(uintptr_t)labels, name, value) {
        list[i++] = (struct series_label){name, json_string_value(value)};
    }
    return list;
}

static void read_item(struct source *s, const json_t *item, struct metrics_value *ret_value) {
    const json_t *object = json_object_get(item, "describedObject"),
                 *labels = json_object_get(item, "metricLabels");
    const char *api_version = text_of(object, "apiVersion"), *slash = strchr(api_version, '/');

    if (object) {
        assert_non_null(slash);
        s->resource = (struct cluster_resource){
            .group = arena_strndup(&s->arena, api_version, (size_t)(slash - api_version)),
            .version = slash + 1,
            .kind = text_of(object, "kind")};
    }
    *ret_value = (struct metrics_value){
        .ns = text_of(object, "namespace"), .name = text_of(object, "name"), .at = NOW};
    if (json_is_object(labels))
        ret_value->labels = read_labels(s, labels, &ret_value->label_count);
    assert_int_equal(quantity_parse(text_of(item, "value"), &ret_value->milli, NULL), 0);
}

static void read_source(struct source *s, const json_t *body) {
    const json_t *items = json_object_get(body, "items");
    struct metrics_value *values = ARENA_ARRAY(&s->arena, struct metrics_value, json_array_size(items) + 1);
    const json_t *item = NULL;
    size_t i;

    json_array_foreach(items, i, item) {
        read_item(s, item, &values[i]);
    }
    const char *metric = text_of(item, "metricName");
    s->answer = (struct metrics_answer){
        .status = 200,
        .metric = *metric ? metric : text_of(json_object_get(item, "metric"), "name"),
        .resource = &s->resource,
        .count = (uint32_t)json_array_size(items),
        .values = values,
    };
}

/* "<time>" stands for any time in the recording. */
static void set_times(json_t *body) {
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(body, "items"), i, item) {
        json_object_set_new(item, "timestamp", json_string("2026-01-01T00:00:00Z"));
    }
}

static void check_answer(const json_t *recorded) {
    json_t *body = json_deep_copy(json_object_get(recorded, "body"));
    struct source s = {0};

    set_times(body);
    arena_init(&s.arena, 0);
    read_source(&s, body);
    cleanup_free char *text = written(text_of(recorded, "path"), &s.answer, false);
    json_t *got = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!json_equal(got, body))
        fail_msg("%s: %s", text_of(recorded, "path"), text);
    json_decref(got);
    json_decref(body);
    arena_done(&s.arena);
}

static bool is_value_list(const json_t *recorded) {
    return str_ends(text_of(json_object_get(recorded, "body"), "kind"), "MetricValueList");
}

static int is_case(const struct dirent *entry) {
    return entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
}

static void writes_what_was_recorded(void **state) {
    struct dirent **entries = NULL;
    int n = scandir(TEST_DATA_DIR "/adapter", &entries, is_case, alphasort), checked = 0;

    (void)state;
    for (int i = 0; i < n; i++) {
        cleanup_free char *path = xasprintf("%s/adapter/%s", TEST_DATA_DIR, entries[i]->d_name);
        json_t *c = cases_read(path), *answer;
        size_t k;
        json_array_foreach(json_object_get(c, "answers"), k, answer) {
            if (is_value_list(answer)) {
                check_answer(answer);
                checked++;
            }
        }
        json_decref(c);
        free(entries[i]);
    }
    free(entries);
    assert_true(checked >= 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_custom_values),
        cmocka_unit_test(gives_the_selector_back),
        cmocka_unit_test(writes_external_values),
        cmocka_unit_test(writes_pods),
        cmocka_unit_test(writes_nodes),
        cmocka_unit_test(writes_errors),
        cmocka_unit_test(writes_quantities),
        cmocka_unit_test(writes_durations_as_go_does),
        cmocka_unit_test(writes_what_was_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
