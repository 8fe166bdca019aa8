/* Reading recorded decisions of the HPA controller; see hpa_vector.h. */
#include "autoscaler/tests/hpa_vector.h"
#include "api/types/quantity.h"
#include "api/types/selector.h"
#include "autoscaler/stages.h"
#include "informers/decode.h"
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

static usec_t duration_of(const json_t *flags, const char *key) {
    usec_t d = 0;

    assert_int_equal(clock_parse_duration(text(flags, key), &d), 0);
    return d;
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
    v->flags.cpu_initialization_period = duration_of(flags, "cpuInitializationPeriod");
    v->flags.initial_readiness_delay = duration_of(flags, "initialReadinessDelay");
    v->flags.no_tolerance_fields = json_is_false(json_object_get(gates, "HPAConfigurableTolerance"));
    v->flags.no_pod_level_resources = json_is_false(json_object_get(gates, "PodLevelResources"));
    v->flags.scale_up_factor = (int32_t)json_integer_value(json_object_get(flags, "scaleUpLimitFactor"));
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

/* ---- pods ---- */

static void take_pod(void *arg, enum decode_event event, struct object *object) {
    struct hpa_vector *v = arg;

    (void)event;
    v->all_pods[v->all_count++] = (struct pod *)object;
}

static void no_bookmark(void *arg, const char *resource_version, bool initial_end) {
    (void)arg, (void)resource_version, (void)initial_end;
}

static void no_error(void *arg, const struct decode_status *status) {
    (void)arg;
    fail_msg("%s", status->message);
}

static void no_skipping(void *arg, const char *name, const char *why) {
    (void)arg;
    fail_msg("pod %s: %s", name, why);
}

static json_t *pod_list(const json_t *objects) {
    json_t *items = json_array();

    for (size_t i = 0; i < json_array_size(objects); i++) {
        json_t *pod = json_deep_copy(json_array_get(objects, i)), *meta = json_object_get(pod, "metadata");
        if (kind_is(pod, "Pod") && !json_object_get(meta, "namespace"))
            json_object_set_new(meta, "namespace", json_string("test-namespace"));
        if (kind_is(pod, "Pod"))
            json_array_append(items, pod);
        json_decref(pod);
    }
    return json_pack("{s:{}, s:o}", "metadata", "items", items);
}

/* Through the informers' own decoder. */
static void read_pods(struct hpa_vector *v, const json_t *objects) {
    const struct decode_handler handler = {take_pod, no_bookmark, no_error, no_skipping, v};
    struct decoder *decoder = decoder_new(DECODE_LIST, OBJECT_POD, &v->pool, &handler);
    json_t *list = pod_list(objects);
    char *document = json_dumps(list, 0);
    struct err err = {0};

    v->all_pods = ARENA_ARRAY(&v->arena, struct pod *, json_array_size(objects) + 1);
    if (decoder_feed(decoder, document, strlen(document), &err) < 0 || decoder_finish(decoder, &err) < 0)
        fail_msg("%s", err.text);
    free(document);
    json_decref(list);
    decoder_free(decoder);
}

/* What the scale's selector picks. */
static void select_pods(struct hpa_vector *v) {
    struct selector selector = {0};
    struct err err = {0};

    if (selector_parse(str_or_empty(v->in.scale.selector), &v->arena, &selector, &err) < 0) {
        v->in.selector_error = arena_strdup(&v->arena, err.text);
        return;
    }
    v->pods = ARENA_ARRAY(&v->arena, const struct pod *, v->all_count + 1);
    for (uint32_t i = 0; i < v->all_count; i++) {
        const struct pod *pod = v->all_pods[i];
        if (!selector_matches(&selector, pod->meta.labels))
            continue;
        v->pods[v->in.pods++] = pod;
        v->in.ready_pods += pod->phase == POD_RUNNING && pod->ready == CONDITION_TRUE;
    }
    v->in.pod_list = v->pods;
}

/* Selectors that other HPAs registered before: one that picks a pod of ours makes both stop. */
static void look_for_others(struct hpa_vector *v) {
    const json_t *others = json_object_get(v->json, "otherHPAs");
    struct selector selector;
    struct err err = {0};

    for (size_t i = 0; i < json_array_size(others); i++) {
        const json_t *other = json_array_get(others, i);
        assert_int_equal(selector_parse(text(other, "selector"), &v->arena, &selector, &err), 0);
        for (uint32_t k = 0; k < v->in.pods; k++)
            if (selector_matches(&selector, v->pods[k]->meta.labels))
                v->in.ambiguous = "another HPA selects these pods";
    }
}

/* ---- the case ---- */

static void read_spec(struct hpa_vector *v, const json_t *hpa) {
    struct err err = {0};

    if (hpa && hpa_read_spec(json_object_get(hpa, "spec"), &v->arena, &v->spec, &err) < 0)
        fail_msg("%s: %s", text(v->json, "name"), err.text);
    policy_read_status(json_object_get(hpa, "status"), &v->arena, &v->status);
}

void hpa_vector_init(struct hpa_vector *v, const json_t *json) {
    const json_t *objects = json_object_get(json, "objects");

    *v = (struct hpa_vector){
        .json = json, .expect = json_object_get(json, "expect"), .input = json_object_get(json, "input")};
    arena_init(&v->arena, 0);
    str_pool_init(&v->pool);
    v->in = (struct decide_input){
        .now = time_of(json, "now"), .spec = &v->spec, .status = &v->status, .flags = &v->flags};
    read_spec(v, find(objects, "HorizontalPodAutoscaler"));
    read_flags(v);
    read_history(v);
    read_scale(v, objects);
    read_pods(v, objects);
    select_pods(v);
    look_for_others(v);
    hpa_read_samples(v);
}

void hpa_vector_done(struct hpa_vector *v) {
    for (uint32_t i = 0; i < v->all_count; i++)
        object_unref(&v->all_pods[i]->meta);
    history_done(&v->history);
    arena_done(&v->arena);
    str_pool_done(&v->pool);
}

int32_t hpa_input(const struct hpa_vector *v, const char *key) {
    return (int32_t)json_integer_value(json_object_get(v->input, key));
}

bool hpa_unpinned(const struct hpa_vector *v, const char *part) {
    const json_t *list = json_object_get(v->json, "unpinned");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), part) == 0)
            return true;
    return false;
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
