/* Reading recorded decisions of the HPA controller; see hpa_vector.h. */
#include "autoscaler/tests/hpa_vector.h"
#include "api/types/quantity.h"
#include "api/types/selector.h"
#include "autoscaler/stages.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *text(const json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "";
}

static bool kind_is(const json_t *object, const char *kind) {
    return strcmp(text(object, "kind"), kind) == 0;
}

static const json_t *find(const json_t *objects, const char *kind) {
    for (size_t i = 0; i < json_array_size(objects); i++)
        if (kind_is(json_array_get(objects, i), kind))
            return json_array_get(objects, i);
    return NULL;
}

static usec_t time_of(const json_t *object, const char *key) {
    usec_t t = 0;

    assert_int_equal(clock_parse(text(object, key), &t), 0);
    return t;
}

static int64_t milli_of(const char *quantity) {
    int64_t milli = 0;
    struct err err = {0};

    if (quantity_parse(quantity, &milli, &err) < 0)
        fail_msg("%s", err.text);
    return milli;
}

static usec_t duration_of(const json_t *flags, const char *key) {
    usec_t d = 0;

    assert_int_equal(clock_parse_duration(text(flags, key), &d), 0);
    return d;
}

/* External becomes Prometheus; averageValue counts before value. */
static json_t *as_prometheus(const json_t *metric, size_t i) {
    const json_t *external = json_object_get(metric, "external");
    json_t *target = json_deep_copy(json_object_get(external, "target"));
    const char *type = json_object_get(target, "averageValue") ? "AverageValue" : "Value";

    json_object_set_new(target, "type", json_string(type));
    return json_pack("{s:s, s:o, s:{s:s, s:o}}", "type", "Prometheus", "name", json_sprintf("metric_%zu", i),
                     "prometheus", "query", text(json_object_get(external, "metric"), "name"), "target",
                     target);
}

static json_t *spec_of(const json_t *hpa, bool map) {
    json_t *spec = json_deep_copy(json_object_get(hpa, "spec")), *metrics = json_object_get(spec, "metrics");

    for (size_t i = 0; map && i < json_array_size(metrics); i++)
        if (strcmp(text(json_array_get(metrics, i), "type"), "External") == 0)
            json_array_set_new(metrics, i, as_prometheus(json_array_get(metrics, i), i));
    return spec;
}

static void read_history_list(const json_t *list, const char *key, struct history_list *ret) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        struct history_entry e = {.at = time_of(item, "timestamp"),
                                  .value = (int32_t)json_integer_value(json_object_get(item, key)),
                                  .outdated = json_is_true(json_object_get(item, "outdated"))};
        history_put(ret, -1, e);
    }
}

static void read_history_lists(const json_t *h, struct history *ret) {
    read_history_list(json_object_get(h, "recommendations"), "replicas", &ret->recommendations);
    read_history_list(json_object_get(h, "scaleUpEvents"), "replicaChange", &ret->up_events);
    read_history_list(json_object_get(h, "scaleDownEvents"), "replicaChange", &ret->down_events);
}

static void read_history(struct hpa_vector *v) {
    const json_t *h = json_object_get(v->json, "history");

    v->history.has_recommendations = json_is_array(json_object_get(h, "recommendations"));
    read_history_lists(h, &v->history);
}

static void read_flags(struct hpa_vector *v) {
    const json_t *flags = json_object_get(v->json, "flags");
    const json_t *gates = json_object_get(flags, "featureGates");
    struct err err;

    assert_int_equal(quantity_parse_double(text(flags, "tolerance"), &v->flags.tolerance, &err), 0);
    v->flags.downscale_stabilization = duration_of(flags, "downscaleStabilization");
    v->flags.hpa = true;
    v->flags.scale_to_zero = json_is_true(json_object_get(gates, "HPAScaleToZero")) ? ZERO_ON : ZERO_OFF;
}

static void read_scale(struct hpa_vector *v, const json_t *objects) {
    const json_t *scale = find(objects, "Scale");
    const json_t *spec = json_object_get(scale, "spec"), *status = json_object_get(scale, "status");
    const json_t *fault = json_object_get(json_object_get(v->json, "faults"), "scaleGet");

    v->in.scale = (struct scale_view){
        .known = !fault && scale,
        .error = json_string_value(fault),
        .spec_replicas = (int32_t)json_integer_value(json_object_get(spec, "replicas")),
        .status_replicas = (int32_t)json_integer_value(json_object_get(status, "replicas")),
        .selector = text(status, "selector"),
    };
}

static bool pod_ready(const json_t *pod) {
    const json_t *status = json_object_get(pod, "status"), *list = json_object_get(status, "conditions");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(text(json_array_get(list, i), "type"), "Ready") == 0)
            return strcmp(text(status, "phase"), "Running") == 0 &&
                   strcmp(text(json_array_get(list, i), "status"), "True") == 0;
    return false;
}

static bool pod_selected(const struct selector *selector, const json_t *pod, struct arena *arena) {
    json_t *map = json_object_get(json_object_get(pod, "metadata"), "labels"), *value;
    struct labels *labels =
        arena_alloc(arena, sizeof(*labels) + json_object_size(map) * sizeof(struct label));
    const char *key;

    json_object_foreach(map, key, value) labels->items[labels->count++] =
        (struct label){key, json_string_value(value)};
    return selector_matches(selector, labels);
}

static void count_pods(struct hpa_vector *v, const json_t *objects) {
    struct selector selector;
    struct err err = {0};

    if (selector_parse(v->in.scale.selector, &v->arena, &selector, &err) < 0) {
        v->in.selector_error = arena_strdup(&v->arena, err.text);
        return;
    }
    for (size_t i = 0; i < json_array_size(objects); i++) {
        const json_t *pod = json_array_get(objects, i);
        if (!kind_is(pod, "Pod") || !pod_selected(&selector, pod, &v->arena))
            continue;
        v->in.pods++;
        v->in.ready_pods += pod_ready(pod);
    }
}

static struct sample sum_of(const json_t *list) {
    const json_t *items = json_object_get(list, "items");
    struct sample s = {.quality = QUALITY_VALUE, .message = "", .warning = ""};

    if (json_array_size(items) == 0)
        return (struct sample){.quality = QUALITY_ABSENT, .message = "no metrics returned", .warning = ""};
    for (size_t i = 0; i < json_array_size(items); i++)
        if (__builtin_add_overflow(s.milli, milli_of(text(json_array_get(items, i), "value")), &s.milli))
            s.milli = INT64_MAX;
    if (s.milli == 0)
        s.quality = QUALITY_ZERO;
    s.value = (double)s.milli / 1000;
    return s;
}

/* The k-th call is answered by the k-th list; a call with an error has none. */
static void read_samples(struct hpa_vector *v, const json_t *objects) {
    const json_t *calls = json_object_get(v->json, "apiCalls");
    size_t list = 0, n = 0;

    for (size_t i = 0; i < json_array_size(calls) && n < v->spec.metric_count; i++) {
        const json_t *call = json_array_get(calls, i);
        if (strncmp(text(call, "api"), "external.", 9) != 0)
            continue;
        v->samples[n] =
            (struct sample){.quality = QUALITY_FAILED, .message = text(call, "error"), .warning = ""};
        while (!json_object_get(call, "error") && list < json_array_size(objects)) {
            const json_t *o = json_array_get(objects, list++);
            if (kind_is(o, "ExternalMetricValueList")) {
                v->samples[n] = sum_of(o);
                break;
            }
        }
        n++;
    }
}

void hpa_vector_init(struct hpa_vector *v, const json_t *json) {
    const json_t *objects = json_object_get(json, "objects");
    const json_t *hpa = find(objects, "HorizontalPodAutoscaler");
    bool stages = strcmp(text(json, "level"), "stages") == 0;
    json_t *spec = spec_of(hpa, !stages), *floor = json_object_get(spec, "minReplicas");
    struct err err = {0};

    *v = (struct hpa_vector){
        .json = json, .expect = json_object_get(json, "expect"), .input = json_object_get(json, "input")};
    arena_init(&v->arena, 0);
    /* Some were recorded with a floor of 0 and no metric that exists at 0, which no policy can have. */
    if (json_is_integer(floor) && json_integer_value(floor) == 0)
        json_object_set_new(spec, "minReplicas", json_integer(1));
    if (policy_read_spec(spec, &v->arena, &v->spec, &err) < 0)
        fail_msg("%s: %s", text(json, "name"), err.text);
    if (json_is_integer(json_object_get(json_object_get(hpa, "spec"), "minReplicas")))
        v->spec.min_replicas =
            (int32_t)json_integer_value(json_object_get(json_object_get(hpa, "spec"), "minReplicas"));
    json_decref(spec);
    policy_read_status(json_object_get(hpa, "status"), &v->arena, &v->status);
    read_flags(v);
    read_history(v);
    v->samples = ARENA_ARRAY(&v->arena, struct sample, v->spec.metric_count + 1);
    v->in = (struct decide_input){.now = time_of(json, "now"), .spec = &v->spec, .status = &v->status};
    v->in.samples = v->samples;
    v->in.flags = &v->flags;
    read_scale(v, objects);
    count_pods(v, objects);
    read_samples(v, objects);
}

void hpa_vector_done(struct hpa_vector *v) {
    history_done(&v->history);
    arena_done(&v->arena);
}

int32_t hpa_input(const struct hpa_vector *v, const char *key) {
    return (int32_t)json_integer_value(json_object_get(v->input, key));
}

struct proposal *hpa_proposals(struct hpa_vector *v) {
    const json_t *list = json_object_get(v->expect, "metricProposals");
    struct proposal *proposals = ARENA_ARRAY(&v->arena, struct proposal, v->spec.metric_count);

    for (uint32_t i = 0; i < v->spec.metric_count; i++)
        propose(&v->in, i, &v->arena, &proposals[i]);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        struct proposal *p = &proposals[json_integer_value(json_object_get(item, "index"))];
        p->valid = !json_object_get(item, "error");
        p->replicas = (int32_t)json_integer_value(json_object_get(item, "replicas"));
        p->failure = text(item, "error");
        p->name = text(item, "name");
    }
    return proposals;
}

static json_t *list_json(const struct history_list *list) {
    json_t *out = json_array();

    for (uint32_t i = 0; i < list->count; i++)
        json_array_append_new(out, json_pack("[i,I]", list->items[i].value, (json_int_t)list->items[i].at));
    return out;
}

json_t *hpa_history_json(const struct history *history) {
    return json_pack("{s:o, s:o, s:o}", "recommendations",
                     history->has_recommendations ? list_json(&history->recommendations) : json_null(),
                     "scaleUpEvents", list_json(&history->up_events), "scaleDownEvents",
                     list_json(&history->down_events));
}

json_t *hpa_history_wanted(const struct hpa_vector *v) {
    const json_t *after = json_object_get(v->expect, "historyAfter");
    struct history h = {.has_recommendations = json_is_array(json_object_get(after, "recommendations"))};
    json_t *json;

    read_history_lists(after, &h);
    json = hpa_history_json(&h);
    history_done(&h);
    return json;
}
