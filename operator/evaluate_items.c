/* Which items of the metric lists answer which metric, and what an item says. A recorded case tells the calls
 * that were made, in their order, and its lists are the answers in the same order; among plain objects a
 * metric is answered by what bears its name.
 *
 * Three answers are told apart, and must be: items; an answer without items (answered, and the metric is
 * absent); none at all (error, or nothing that bears the name: the metric failed). */
#include "api/types/quantity.h"
#include "api/types/selector.h"
#include "base/str.h"
#include "operator/evaluate_metrics.h"

#include <errno.h>
#include <string.h>

enum { FIELD_MAX = 160 };

const char *const metrics_api_names[METRICS_APIS] = {[API_RESOURCE] = "metrics.k8s.io",
                                                     [API_CUSTOM] = "custom.metrics.k8s.io",
                                                     [API_EXTERNAL] = "external.metrics.k8s.io"};
static const enum input_kind api_lists[METRICS_APIS] = {
    [API_RESOURCE] = INPUT_POD_METRICS, [API_CUSTOM] = INPUT_CUSTOM, [API_EXTERNAL] = INPUT_EXTERNAL};

/* ---- values of items ---- */

/* The field as a message names it. */
static const char *full_field(const struct metric_item *item, const char *field, char *out, size_t size) {
    snprintf(out, size, "%s%s", item->prefix, field);
    return out;
}

int item_quantity(const struct metric_item *item, const char *field, const json_t *value, int64_t *ret_milli,
                  struct err *err) {
    char number[QUANTITY_TEXT_MAX], full[FIELD_MAX];
    const char *text = json_string_value(value);

    if (json_is_number(value))
        text = quantity_write_number(value, number);
    if (text && quantity_parse(text, ret_milli, NULL) == 0)
        return 0;
    return place_error(item->place, full_field(item, field, full, sizeof(full)), err,
                       "a quantity is expected, such as 250m%s%s%s", text ? ", not \"" : "",
                       str_or_empty(text), text ? "\"" : "");
}

int item_time(const struct metric_item *item, usec_t *ret_at, struct err *err) {
    const json_t *value = json_object_get(item->json, "timestamp");
    char full[FIELD_MAX];

    *ret_at = 0;
    if (!value || json_is_null(value) ||
        (json_is_string(value) && clock_parse(json_string_value(value), ret_at) == 0))
        return 0;
    return place_error(item->place, full_field(item, "timestamp", full, sizeof(full)), err,
                       "a time is expected, such as 2026-01-01T00:00:00Z");
}

/* Seconds are bounded before they are multiplied: a window of INT32_MAX seconds is 68 years. */
static bool is_window(const json_t *value, usec_t *ret_window) {
    json_int_t seconds = json_integer_value(value);

    if (json_is_string(value))
        return clock_parse_duration(json_string_value(value), ret_window) == 0 && *ret_window >= 0;
    *ret_window = seconds >= 0 && seconds <= INT32_MAX ? seconds * USEC_PER_SEC : -1;
    return json_is_integer(value) && *ret_window >= 0;
}

/* PodMetrics have a duration, a MetricValue seconds (v1beta1 calls them window), 60 where it says nothing. */
static int item_window(const struct metric_item *item, bool of_pod, usec_t *ret_window, struct err *err) {
    const json_t *value = json_object_get(item->json, "windowSeconds");
    char full[FIELD_MAX];

    *ret_window = of_pod ? 0 : USEC_PER_MIN;
    if (!value)
        value = json_object_get(item->json, "window");
    if (!value || json_is_null(value) || is_window(value, ret_window))
        return 0;
    return place_error(item->place, full_field(item, of_pod ? "window" : "windowSeconds", full, sizeof(full)),
                       err,
                       of_pod ? "a duration is expected, such as 30s" : "seconds are expected, such as 30");
}

/* As HPA's client: all containers, or the named one; one that lacks the resource makes the pod unmeasured. A
 * quantity that cannot be read is refused also where the pod would not count: it is the file that is wrong.
 */
int pod_metrics_usage(const struct metric_item *item, const struct usage_wanted *wanted, struct arena *arena,
                      struct pod_value *ret_value, struct err *err) {
    const json_t *containers = json_object_get(item->json, "containers"), *container;
    struct pod_value v = {0};
    bool lacking = false;
    size_t i;

    json_array_foreach(containers, i, container) {
        const json_t *usage = json_path2(container, "usage", wanted->resource);
        int64_t milli = 0;
        if (wanted->container && !str_eq(json_text(container, "name"), wanted->container))
            continue;
        if (usage && item_quantity(item, arena_printf(arena, "containers[%zu].usage.%s", i, wanted->resource),
                                   usage, &milli, err) < 0)
            return -EINVAL;
        lacking |= !usage;
        v.known = true;
        /* The builtin leaves what has wrapped. */
        if (__builtin_add_overflow(v.milli, milli, &v.milli) && !wanted->wraps)
            v.milli = INT64_MAX;
    }
    v.known &= !lacking;
    if (item_time(item, &v.at, err) < 0 || item_window(item, true, &v.window, err) < 0)
        return -EINVAL;
    *ret_value = v;
    return 0;
}

int item_value(const struct metric_item *item, bool external, struct pod_value *ret_value, struct err *err) {
    *ret_value = (struct pod_value){.known = true};
    if (item_quantity(item, "value", json_object_get(item->json, "value"), &ret_value->milli, err) < 0 ||
        item_time(item, &ret_value->at, err) < 0)
        return -EINVAL;
    return external ? 0 : item_window(item, false, &ret_value->window, err);
}

/* ---- which items ---- */

static void take(struct gathering *g, const json_t *json, const struct place *place, const char *prefix) {
    g->items[g->count++] = (struct metric_item){.json = json, .place = place, .prefix = prefix};
}

static const char *nth_item(const struct gathering *g, size_t i) {
    return arena_printf(g->c->arena, "items[%zu].", i);
}

static void take_list(struct gathering *g, const struct input_object *list) {
    const json_t *items = json_object_get(list->json, "items"), *item;
    size_t i;

    json_array_foreach(items, i, item) take(g, item, list->place, nth_item(g, i));
    g->answered = true;
}

/* The next recorded call of the metric's API and name, or NULL. Metrics are asked for in the order of the
 * spec, so a call that was passed over was another's, and is not looked at again. */
static const json_t *next_call(const struct gathering *g, struct recorded_answers *answers) {
    const json_t *calls = json_object_get(g->c->recorded, "apiCalls");

    for (size_t at = answers->call[g->api]; at < json_array_size(calls); at++) {
        const json_t *call = json_array_get(calls, at);
        const char *api = str_or_empty(json_text(call, "api"));
        if (!str_starts(api, metrics_api_names[g->api]) ||
            (g->api != API_RESOURCE && !str_eq(json_text(call, "metric"), g->metric->metric)))
            continue;
        answers->call[g->api] = at + 1;
        return call;
    }
    return NULL;
}

/* A failed call has no list, so calls and lists are counted apart; PodMetrics are what every call of their
 * API sees. */
static void take_recorded(struct gathering *g, struct recorded_answers *answers) {
    const struct input_list *lists = &g->c->world->of[api_lists[g->api]];
    const json_t *call = next_call(g, answers);

    g->error = call ? json_text(call, "error") : "the case records no request for it";
    if (g->error)
        return;
    g->answered = true;
    if (g->api == API_RESOURCE) {
        for (uint32_t i = 0; i < lists->count; i++)
            take(g, lists->items[i].json, lists->items[i].place, "");
    } else if (answers->list[g->api] < lists->count) {
        take_list(g, &lists->items[answers->list[g->api]++]);
    }
}

/* The labels of a JSON map; a selector that cannot be read matches nothing. They are matched by the code that
 * matches pods, so they are put into its form, in the arena, without a pool. */
static bool labels_match(const struct gathering *g, const char *selector_text, json_t *map) {
    size_t size = json_object_size(map) * sizeof(struct label);
    struct labels *labels = arena_alloc(g->c->arena, sizeof(*labels) + size);
    struct selector selector;
    const char *key;
    json_t *value;

    if (selector_parse(str_or_empty(selector_text), g->c->arena, &selector, NULL) < 0)
        return false;
    json_object_foreach(map, key, value) {
        labels->items[labels->count++] = (struct label){key, str_or_empty(json_string_value(value))};
    }
    return selector_matches(&selector, labels);
}

/* What names no namespace is in any: objects that were written by hand leave it out. */
static bool in_namespace(const struct gathering *g, const json_t *names) {
    const char *ns = json_text(names, "namespace");

    return !ns || !*g->c->ns || str_eq(ns, g->c->ns);
}

/* v1beta1 has metricName, v1beta2 metric with a name and the selector it was asked for by. A list that names
 * no selector answers whichever selector a metric has: v1beta1 cannot name one. */
static bool custom_matches(const struct gathering *g, const json_t *item) {
    const json_t *described = json_object_get(item, "describedObject");
    const json_t *metric = json_object_get(item, "metric"), *by = json_object_get(metric, "selector");
    const char *name = metric ? json_text(metric, "name") : json_text(item, "metricName");
    const char *selector = "";

    if (!str_eq(name, g->metric->metric) || !in_namespace(g, described))
        return false;
    if (json_is_object(by) && (selector_write(by, g->c->arena, &selector, NULL) < 0 ||
                               !str_eq(selector, str_or_empty(g->metric->selector))))
        return false;
    if (g->metric->type == METRIC_PODS)
        return str_eq(json_text(described, "kind"), "Pod");
    /* As HPA asks: of a Namespace it means its own, whatever name is given. */
    bool of_namespace = str_eq(g->metric->described.kind, "Namespace");
    return str_eq(json_text(described, "kind"), g->metric->described.kind) &&
           str_eq(json_text(described, "name"), of_namespace ? g->c->ns : g->metric->described.name);
}

/* No API carries a Prometheus query's answer: here an external value of the metric's name, or its query. */
static bool external_matches(const struct gathering *g, const json_t *item) {
    const char *name = json_text(item, "metricName");

    if (g->metric->type == METRIC_PROMETHEUS)
        return name && (str_eq(name, g->metric->name) || str_eq(name, g->metric->query));
    return str_eq(name, g->metric->metric) &&
           labels_match(g, g->metric->selector, json_object_get(item, "metricLabels"));
}

/* A list without items says that there is none: whatever is not answered otherwise is absent, not failed. */
static void take_matching(struct gathering *g, const struct input_object *list) {
    const json_t *items = json_object_get(list->json, "items"), *item;
    size_t i;

    g->answered |= json_array_size(items) == 0;
    json_array_foreach(items, i, item) {
        bool matches = g->api == API_CUSTOM ? custom_matches(g, item) : external_matches(g, item);
        if (matches)
            take(g, item, list->place, nth_item(g, i));
    }
}

/* PodMetrics of a pod that is there are told apart by its name later; of others by their labels. */
static bool pod_metrics_match(const struct gathering *g, const json_t *object) {
    const json_t *metadata = json_object_get(object, "metadata");

    if (!in_namespace(g, metadata))
        return false;
    return world_find(g->c->world, "Pod", g->c->ns, json_text(metadata, "name")) ||
           labels_match(g, g->c->in.scale.selector, json_object_get(metadata, "labels"));
}

static void take_plain(struct gathering *g) {
    const struct input_list *lists = &g->c->world->of[api_lists[g->api]];

    for (uint32_t i = 0; i < lists->count; i++)
        if (g->api != API_RESOURCE)
            take_matching(g, &lists->items[i]);
        else if (pod_metrics_match(g, lists->items[i].json))
            take(g, lists->items[i].json, lists->items[i].place, "");
    g->answered |= g->count > 0;
}

/* The most items that can be taken: each is taken once, so the array is made once. */
static size_t count_items(const struct input_list *lists, bool of_lists) {
    size_t n = lists->count;

    for (uint32_t i = 0; of_lists && i < lists->count; i++)
        n += json_array_size(json_object_get(lists->items[i].json, "items"));
    return n;
}

void metric_items_find(struct gathering *g, struct recorded_answers *answers) {
    const struct input_list *lists = &g->c->world->of[api_lists[g->api]];

    g->items = ARENA_ARRAY(g->c->arena, struct metric_item, count_items(lists, g->api != API_RESOURCE) + 1);
    if (json_is_array(json_object_get(g->c->recorded, "apiCalls")) && g->metric->type != METRIC_PROMETHEUS)
        take_recorded(g, answers);
    else
        take_plain(g);
}
