/* The metrics of a recorded case: what the metrics APIs answered, joined with the pods. */
#include "api/types/quantity.h"
#include "autoscaler/tests/hpa_vector.h"
#include "base/str.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *text(const json_t *object, const char *key) {
    return str_or_empty(json_string_value(json_object_get(object, key)));
}

static int64_t milli_of(const char *quantity) {
    int64_t milli = 0;
    struct err err = {0};

    if (quantity_parse(quantity, &milli, &err) < 0)
        fail_msg("%s", err.text);
    return milli;
}

static usec_t time_of(const json_t *object, const char *key) {
    usec_t t = 0;

    if (json_object_get(object, key))
        assert_int_equal(clock_parse(text(object, key), &t), 0);
    return t;
}

static usec_t window_of(const json_t *object) {
    usec_t d = USEC_PER_MIN;

    if (json_object_get(object, "window"))
        assert_int_equal(clock_parse_duration(text(object, "window"), &d), 0);
    return d;
}

/* ---- values of pods ---- */

static struct pod_value value_of(const json_t *item) {
    const char *quantity = json_is_string(item) ? json_string_value(item) : text(item, "value");

    return (struct pod_value){.known = true,
                              .milli = milli_of(quantity),
                              .at = time_of(item, "timestamp"),
                              .window = window_of(item)};
}

static bool is_pod_of(const struct hpa_vector *v, const char *name) {
    for (uint32_t i = 0; i < v->in.pods; i++)
        if (strcmp(v->pods[i]->meta.name, name) == 0)
            return true;
    return false;
}

const struct pod_values *hpa_join(struct hpa_vector *v, const json_t *by_name) {
    struct pod_values *values = ARENA_NEW(&v->arena, struct pod_values);
    struct pod_value *of_pods = ARENA_ARRAY(&v->arena, struct pod_value, v->in.pods + 1);
    struct pod_value *others = ARENA_ARRAY(&v->arena, struct pod_value, json_object_size(by_name) + 1);
    json_t *item;
    const char *name;

    for (uint32_t i = 0; i < v->in.pods; i++) {
        item = json_object_get(by_name, v->pods[i]->meta.name);
        if (item)
            of_pods[i] = value_of(item);
    }
    json_object_foreach((json_t *)(uintptr_t)by_name, name, item) {
        if (!is_pod_of(v, name))
            others[values->other_count++] = value_of(item);
    }
    values->of_pods = of_pods;
    values->others = others;
    return values;
}

/* The sum of the pod's containers, or the one named; false: one of them does not say. */
static bool usage_of(const json_t *pod, const struct metric_spec *m, int64_t *ret_milli) {
    const json_t *list = json_object_get(pod, "containers");
    bool found = false;

    *ret_milli = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i), *usage = json_object_get(c, "usage");
        if (m->container && strcmp(text(c, "name"), m->container) != 0)
            continue;
        if (!json_object_get(usage, m->metric))
            return false;
        *ret_milli = (int64_t)((uint64_t)*ret_milli + (uint64_t)milli_of(text(usage, m->metric)));
        found = true;
    }
    return found;
}

static json_t *entry(int64_t milli, const json_t *item) {
    json_t *o = json_pack("{s:o}", "value", json_sprintf("%" JSON_INTEGER_FORMAT "m", (json_int_t)milli));

    if (json_object_get(item, "timestamp"))
        json_object_set(o, "timestamp", json_object_get(item, "timestamp"));
    if (json_object_get(item, "window"))
        json_object_set(o, "window", json_object_get(item, "window"));
    return o;
}

static struct sample of_pods(struct hpa_vector *v, json_t *by_name, bool answered) {
    struct sample s = {.quality = answered ? QUALITY_VALUE : QUALITY_ABSENT, .message = "", .warning = ""};

    s.pods = hpa_join(v, by_name);
    json_decref(by_name);
    return s;
}

static struct sample resource_sample(struct hpa_vector *v, const struct metric_spec *m) {
    const json_t *objects = json_object_get(v->json, "objects");
    json_t *by_name = json_object();
    bool answered = false;
    int64_t milli;

    for (size_t i = 0; i < json_array_size(objects); i++) {
        const json_t *o = json_array_get(objects, i);
        if (strcmp(text(o, "kind"), "PodMetrics") != 0)
            continue;
        answered = true;
        if (usage_of(o, m, &milli))
            json_object_set_new(by_name, text(json_object_get(o, "metadata"), "name"), entry(milli, o));
    }
    return of_pods(v, by_name, answered);
}

static struct sample custom_pods_sample(struct hpa_vector *v, const json_t *list) {
    const json_t *items = json_object_get(list, "items");
    json_t *by_name = json_object();

    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        json_object_set_new(by_name, text(json_object_get(item, "describedObject"), "name"),
                            entry(milli_of(text(item, "value")), item));
    }
    return of_pods(v, by_name, json_array_size(items) > 0);
}

/* ---- totals ---- */

/* HPA adds up until it overflows; of AverageValue it takes any negative sum for that. */
static int64_t add_up(const json_t *items, bool average) {
    int64_t sum = 0;

    for (size_t i = 0; i < json_array_size(items); i++) {
        bool over = __builtin_add_overflow(sum, milli_of(text(json_array_get(items, i), "value")), &sum);
        if (over || (average && sum < 0))
            return INT64_MAX;
    }
    return sum;
}

static struct sample total_sample(const struct metric_spec *m, const json_t *list) {
    const json_t *items = json_object_get(list, "items");
    struct sample s = {.quality = QUALITY_VALUE, .message = "", .warning = ""};

    if (json_array_size(items) == 0)
        return (struct sample){.quality = QUALITY_ABSENT, .message = "", .warning = ""};
    if (m->type == METRIC_OBJECT)
        s.milli = milli_of(text(json_array_get(items, 0), "value"));
    else
        s.milli = add_up(items, m->target.type == TARGET_AVERAGE_VALUE);
    s.quality = s.milli == 0 ? QUALITY_ZERO : QUALITY_VALUE;
    s.value = (double)s.milli / 1000;
    s.at = time_of(json_array_get(items, 0), "timestamp");
    return s;
}

/* ---- which answer is whose ---- */

/* Where the case's lists and calls are read to. */
struct answers {
    size_t call, custom, external;
};

static const json_t *next_of_kind(const struct hpa_vector *v, const char *kind, size_t *at) {
    const json_t *objects = json_object_get(v->json, "objects");

    while (*at < json_array_size(objects)) {
        const json_t *o = json_array_get(objects, (*at)++);
        if (strcmp(text(o, "kind"), kind) == 0)
            return o;
    }
    return NULL;
}

static struct sample answer(struct hpa_vector *v, const struct metric_spec *m, struct answers *a) {
    if (m->type == METRIC_RESOURCE || m->type == METRIC_CONTAINER_RESOURCE)
        return resource_sample(v, m);
    if (m->type == METRIC_PODS)
        return custom_pods_sample(v, next_of_kind(v, "MetricValueList", &a->custom));
    if (m->type == METRIC_OBJECT)
        return total_sample(m, next_of_kind(v, "MetricValueList", &a->custom));
    return total_sample(m, next_of_kind(v, "ExternalMetricValueList", &a->external));
}

/* HPA asks once for each metric, in their order. */
void hpa_read_samples(struct hpa_vector *v) {
    const json_t *calls = json_object_get(v->json, "apiCalls");
    struct answers at = {0};

    v->samples = ARENA_ARRAY(&v->arena, struct sample, v->spec.metric_count + 1);
    v->in.samples = v->samples;
    for (uint32_t i = 0; i < v->spec.metric_count; i++) {
        const struct metric_spec *m = &v->spec.metrics[i];
        const json_t *call = json_array_get(calls, at.call);
        v->samples[i] = (struct sample){.quality = QUALITY_FAILED, .message = "not asked", .warning = ""};
        if (!call || m->invalid || m->type == METRIC_UNKNOWN)
            continue;
        at.call++;
        if (json_object_get(call, "error"))
            v->samples[i].message = text(call, "error");
        else
            v->samples[i] = answer(v, m, &at);
    }
}
