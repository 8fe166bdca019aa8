/* Which of the lists answers which metric, and the sample that comes of it. A recorded case tells the calls
 * that were made, in their order, and its lists are the answers in the same order; among plain objects a
 * metric is answered by what bears its name. */
#include "operator/evaluate_metrics.h"
#include "api/types/quantity.h"
#include "api/types/selector.h"
#include "base/str.h"
#include "operator/evaluate.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { FIELD_MAX = 160 };

/* What is read of a case's recorded calls: the next one of each API, and the next list that answers one. */
struct answers {
    size_t call[METRICS_APIS];
    uint32_t list[METRICS_APIS];
};

static const char *const api_names[METRICS_APIS] = {[API_RESOURCE] = "metrics.k8s.io",
                                                    [API_CUSTOM] = "custom.metrics.k8s.io",
                                                    [API_EXTERNAL] = "external.metrics.k8s.io"};
static const enum input_kind api_lists[METRICS_APIS] = {
    [API_RESOURCE] = INPUT_POD_METRICS, [API_CUSTOM] = INPUT_CUSTOM, [API_EXTERNAL] = INPUT_EXTERNAL};

/* ---- values of items ---- */

static const char *full_field(const struct metric_item *item, const char *field, char *out, size_t size) {
    snprintf(out, size, "%s%s", item->prefix, field);
    return out;
}

int item_quantity(const struct metric_item *item, const char *field, const json_t *value, int64_t *ret_milli,
                  struct err *err) {
    char number[QUANTITY_TEXT_MAX], full[FIELD_MAX];
    const char *text = json_string_value(value);

    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        text = number;
    } else if (json_is_real(value)) {
        snprintf(number, sizeof(number), "%.17g", json_real_value(value));
        text = number;
    }
    if (text && quantity_parse(text, ret_milli, NULL) == 0)
        return 0;
    return place_error(item->place, full_field(item, field, full, sizeof(full)), err,
                       "a quantity is expected, such as 250m%s%s%s", text ? ", not \"" : "",
                       str_or_empty(text), text ? "\"" : "");
}

int item_time(const struct metric_item *item, usec_t *ret_at, struct err *err) {
    const char *text = json_text(item->json, "timestamp");
    char full[FIELD_MAX];

    *ret_at = 0;
    if (!text || clock_parse(text, ret_at) == 0)
        return 0;
    return place_error(item->place, full_field(item, "timestamp", full, sizeof(full)), err,
                       "a time is expected, such as 2026-01-01T00:00:00Z");
}

/* PodMetrics have a duration, a MetricValue seconds (v1beta1 calls them window), 60 where it says nothing. */
static int item_window(const struct metric_item *item, bool of_pod, usec_t *ret_window, struct err *err) {
    const json_t *value = json_object_get(item->json, "windowSeconds");
    char full[FIELD_MAX];

    *ret_window = of_pod ? 0 : USEC_PER_MIN;
    if (!value)
        value = json_object_get(item->json, "window");
    if (!value || json_is_null(value))
        return 0;
    if (json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= INT32_MAX) {
        *ret_window = json_integer_value(value) * USEC_PER_SEC;
        return 0;
    }
    if (json_is_string(value) && clock_parse_duration(json_string_value(value), ret_window) == 0)
        return 0;
    return place_error(item->place, full_field(item, of_pod ? "window" : "windowSeconds", full, sizeof(full)),
                       err, "a duration is expected");
}

/* As HPA's client: all containers, or the named one; one that lacks the resource makes the pod unmeasured. */
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
        if (__builtin_add_overflow(v.milli, milli, &v.milli))
            v.milli = INT64_MAX;
    }
    v.known &= !lacking;
    if (item_time(item, &v.at, err) < 0 || item_window(item, true, &v.window, err) < 0)
        return -EINVAL;
    *ret_value = v;
    return 0;
}

static int value_of_item(const struct metric_item *item, bool external, struct pod_value *ret_value,
                         struct err *err) {
    *ret_value = (struct pod_value){.known = true};
    if (item_quantity(item, "value", json_object_get(item->json, "value"), &ret_value->milli, err) < 0 ||
        item_time(item, &ret_value->at, err) < 0)
        return -EINVAL;
    return external ? 0 : item_window(item, false, &ret_value->window, err);
}

/* ---- which items ---- */

struct gathering {
    struct evaluate_case *c;
    const struct metric_spec *metric;
    uint32_t index;
    enum metrics_api api;
    struct metric_item *items; /* room for all of the API's lists */
    uint32_t count;
    bool answered;     /* a list was there, if an empty one */
    const char *error; /* the recorded call failed; NULL: no */
};

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

/* The next recorded call of the metric's API and name, or NULL. */
static const json_t *next_call(const struct gathering *g, struct answers *answers) {
    const json_t *calls = json_object_get(g->c->recorded, "apiCalls");
    size_t *at = &answers->call[g->api];

    while (*at < json_array_size(calls)) {
        const json_t *call = json_array_get(calls, (*at)++);
        const char *api = str_or_empty(json_text(call, "api"));
        if (str_starts(api, api_names[g->api]) &&
            (g->api == API_RESOURCE || str_eq(json_text(call, "metric"), g->metric->metric)))
            return call;
    }
    return NULL;
}

static void take_recorded(struct gathering *g, struct answers *answers) {
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

static bool in_namespace(const struct gathering *g, const json_t *names) {
    const char *ns = json_text(names, "namespace");

    return !ns || !*g->c->ns || str_eq(ns, g->c->ns);
}

/* v1beta1 has metricName, v1beta2 metric with a name and the selector it was asked for by. */
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
    return str_eq(json_text(described, "kind"), g->metric->described.kind) &&
           str_eq(json_text(described, "name"), g->metric->described.name);
}

/* No API carries a Prometheus query's answer: here an external value of the metric's name, or its query. */
static bool external_matches(const struct gathering *g, const json_t *item) {
    const char *name = json_text(item, "metricName");

    if (g->metric->type == METRIC_PROMETHEUS)
        return name && (str_eq(name, g->metric->name) || str_eq(name, g->metric->query));
    return str_eq(name, g->metric->metric) &&
           labels_match(g, g->metric->selector, json_object_get(item, "metricLabels"));
}

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

static size_t count_items(const struct input_list *lists, bool of_lists) {
    size_t n = lists->count;

    for (uint32_t i = 0; of_lists && i < lists->count; i++)
        n += json_array_size(json_object_get(lists->items[i].json, "items"));
    return n;
}

static void find_items(struct gathering *g, struct answers *answers) {
    const struct input_list *lists = &g->c->world->of[api_lists[g->api]];

    g->items = ARENA_ARRAY(g->c->arena, struct metric_item, count_items(lists, g->api != API_RESOURCE) + 1);
    if (json_is_array(json_object_get(g->c->recorded, "apiCalls")) && g->metric->type != METRIC_PROMETHEUS)
        take_recorded(g, answers);
    else
        take_plain(g);
}

/* ---- samples ---- */

/* What would have answered. */
static const char *what_is_missing(const struct gathering *g) {
    const struct metric_spec *m = g->metric;

    switch (m->type) {
    case METRIC_RESOURCE:
    case METRIC_CONTAINER_RESOURCE:
        return "no PodMetrics of the target's pods are among the objects";
    case METRIC_PODS:
        return arena_printf(g->c->arena,
                            "no MetricValueList with an item of metric %s and a described Pod is among the "
                            "objects",
                            m->metric);
    case METRIC_OBJECT:
        return arena_printf(g->c->arena,
                            "no MetricValueList with an item of metric %s and the described %s %s is among "
                            "the objects",
                            m->metric, m->described.kind, m->described.name);
    case METRIC_PROMETHEUS:
        return arena_printf(g->c->arena,
                            "no ExternalMetricValueList with an item whose metricName is %s is among the "
                            "objects",
                            m->name ? m->name : "the query");
    case METRIC_EXTERNAL:
    case METRIC_WORKLOAD:
    case METRIC_UNKNOWN:
        break;
    }
    return arena_printf(g->c->arena,
                        "no ExternalMetricValueList with an item of metricName %s%s%s is among the objects",
                        str_or_empty(m->metric), m->selector && *m->selector ? " and labels " : "",
                        str_or_empty(m->selector));
}

static struct sample no_sample(const struct gathering *g) {
    static const char *const empty[METRICS_APIS] = {
        [API_RESOURCE] = "no metrics returned from resource metrics API",
        [API_CUSTOM] = "no metrics returned from custom metrics API",
        [API_EXTERNAL] = "no metrics returned from external metrics API"};

    if (g->error)
        return (struct sample){.quality = QUALITY_FAILED, .message = g->error};
    if (g->answered)
        return (struct sample){.quality = QUALITY_ABSENT, .message = empty[g->api]};
    return (struct sample){.quality = QUALITY_FAILED, .message = what_is_missing(g)};
}

static bool is_stale(const struct gathering *g, usec_t at) {
    return g->metric->max_age > 0 && at > 0 && g->c->in.now - at > g->metric->max_age;
}

static const char *stale_text(const struct gathering *g, usec_t at) {
    char age[CLOCK_TEXT_MAX], allowed[CLOCK_TEXT_MAX];

    return arena_printf(g->c->arena, "the last sample is %s old, maxAge is %s",
                        clock_format_duration(g->c->in.now - at, age),
                        clock_format_duration(g->metric->max_age, allowed));
}

static void set_total(const struct gathering *g, double value, int64_t milli, struct sample *s) {
    bool stale = is_stale(g, s->at);

    s->milli = milli;
    s->value = value;
    s->quality = stale ? QUALITY_STALE : milli == 0 ? QUALITY_ZERO : QUALITY_VALUE;
    s->message = stale ? stale_text(g, s->at) : "";
}

/* HPA's running sums: it takes a negative one by AverageValue for an overflow, and so do we for it. After an
 * overflow it adds nothing more. */
static void add_value(const struct gathering *g, int64_t milli, int64_t *sum) {
    bool external = g->c->hpa && g->metric->type == METRIC_EXTERNAL;
    bool suspicious = external && g->metric->target.type == TARGET_AVERAGE_VALUE;

    if (external && *sum == INT64_MAX)
        return;
    if (__builtin_add_overflow(*sum, milli, sum))
        *sum = milli > 0 ? INT64_MAX : INT64_MIN;
    if (suspicious && *sum < 0)
        *sum = INT64_MAX;
}

/* Of several elements: what `combine` makes of them; false: they are not to be combined. */
static bool combine(const struct gathering *g, int64_t milli, uint32_t nth, int64_t *total) {
    if (nth == 0) {
        *total = 0;
        add_value(g, milli, total);
        return true;
    }
    if (g->metric->type == METRIC_PROMETHEUS && g->metric->combine == COMBINE_NONE)
        return false;
    else if (g->metric->type == METRIC_PROMETHEUS && g->metric->combine == COMBINE_MAX)
        *total = milli > *total ? milli : *total;
    else if (g->metric->type == METRIC_PROMETHEUS && g->metric->combine == COMBINE_MIN)
        *total = milli < *total ? milli : *total;
    else
        add_value(g, milli, total);
    return true;
}

/* Object (its one value), External (the sum) and Prometheus. */
static int sample_total(const struct gathering *g, struct sample *s, struct err *err) {
    uint32_t count = g->metric->type == METRIC_OBJECT ? 1 : g->count;
    int64_t total = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct pod_value v;
        if (value_of_item(&g->items[i], true, &v, err) < 0)
            return -EINVAL;
        if (v.at > 0 && (s->at == 0 || v.at < s->at))
            s->at = v.at; /* the sum is as old as its oldest part */
        if (!combine(g, v.milli, i, &total)) {
            s->quality = QUALITY_FAILED;
            s->message = "it has more than one value: add combine: Sum, Max, Min or Avg";
            return 0;
        }
    }
    if (g->metric->type == METRIC_PROMETHEUS && g->metric->combine == COMBINE_AVG)
        total /= (int64_t)count;
    set_total(g, (double)total / 1000, total, s);
    return 0;
}

/* Joins what items say with the pods of the decision. */
struct join {
    const struct gathering *g;
    struct map pods; /* name: its place in the decision's list, from 1 */
    struct pod_value *of_pods, *others;
    uint32_t other_count, stale;
    usec_t newest;
};

/* A value of a pod that is not in the decision's list. One that is given is not selected; what the API
 * answered for the selector, or has the selector's labels, is of a pod that was not given. */
static bool may_be_other(const struct gathering *g, const char *name) {
    return (g->c->recorded || g->api == API_RESOURCE) && !world_find(g->c->world, "Pod", g->c->ns, name);
}

static void join_value(struct join *j, const char *name, struct pod_value v) {
    uintptr_t nth = (uintptr_t)map_get(&j->pods, str_or_empty(name));

    if (v.at > j->newest)
        j->newest = v.at;
    if (v.known && is_stale(j->g, v.at)) {
        v.known = false;
        j->stale++;
    }
    if (nth)
        j->of_pods[nth - 1] = v;
    else if (v.known && may_be_other(j->g, name))
        j->others[j->other_count++] = v;
}

static int join_item(struct join *j, const struct metric_item *item, struct err *err) {
    const struct metric_spec *m = j->g->metric;
    struct usage_wanted wanted = {.resource = m->metric, .container = m->container};
    bool of_pod = j->g->api == API_RESOURCE;
    struct pod_value v;

    int ret = of_pod ? pod_metrics_usage(item, &wanted, j->g->c->arena, &v, err)
                     : value_of_item(item, false, &v, err);
    if (ret == 0)
        join_value(
            j, json_string_value(json_path2(item->json, of_pod ? "metadata" : "describedObject", "name")), v);
    return ret;
}

static void set_pods(const struct join *j, struct sample *s) {
    struct pod_values *values = ARENA_NEW(j->g->c->arena, struct pod_values);
    bool stale = j->stale > 0 && is_stale(j->g, j->newest);

    *values = (struct pod_values){.of_pods = j->of_pods, .others = j->others, .other_count = j->other_count};
    s->pods = values;
    s->at = j->newest;
    s->quality = stale ? QUALITY_STALE : QUALITY_VALUE;
    s->message = stale ? stale_text(j->g, j->newest) : "";
}

/* Resource, ContainerResource, Pods. */
static int sample_pods(const struct gathering *g, struct sample *s, struct err *err) {
    const struct decide_input *in = &g->c->in;
    struct join j = {.g = g,
                     .of_pods = ARENA_ARRAY(g->c->arena, struct pod_value, in->pods + 1),
                     .others = ARENA_ARRAY(g->c->arena, struct pod_value, g->count + 1)};
    int ret = 0;

    map_init(&j.pods);
    for (uint32_t i = 0; i < in->pods; i++)
        map_put(&j.pods, in->pod_list[i]->meta.name, (void *)(uintptr_t)(i + 1));
    for (uint32_t i = 0; ret == 0 && i < g->count; i++)
        ret = join_item(&j, &g->items[i], err);
    map_done(&j.pods);
    if (ret == 0)
        set_pods(&j, s);
    return ret;
}

/* Pods (not finished, not being deleted) or nodes that the selector picks. */
static bool counts(const struct evaluate_case *c, const struct metric_spec *m, const struct object *o) {
    const struct pod *pod = (const struct pod *)o;

    if (m->workload == WORKLOAD_NODES)
        return true;
    return !o->deleting && pod->phase != POD_SUCCEEDED && pod->phase != POD_FAILED &&
           (!*o->ns || !*c->ns || str_eq(o->ns, c->ns));
}

static void sample_workload(struct evaluate_case *c, const struct metric_spec *m, struct sample *s) {
    const struct input_list *list = &c->world->of[m->workload == WORKLOAD_NODES ? INPUT_NODE : INPUT_POD];
    struct selector selector;
    int64_t count = 0;

    if (selector_parse(str_or_empty(m->selector), c->arena, &selector, NULL) < 0) {
        *s = (struct sample){.quality = QUALITY_FAILED, .message = "the selector cannot be read"};
        return;
    }
    for (uint32_t i = 0; i < list->count; i++)
        count += counts(c, m, list->items[i].decoded) &&
                 selector_matches(&selector, list->items[i].decoded->labels);
    *s = (struct sample){.quality = count ? QUALITY_VALUE : QUALITY_ZERO,
                         .value = (double)count,
                         .milli = count * 1000,
                         .at = c->in.now,
                         .message = "",
                         .origin = "the objects"};
}

static enum metrics_api api_of(enum metric_type type) {
    if (type == METRIC_RESOURCE || type == METRIC_CONTAINER_RESOURCE)
        return API_RESOURCE;
    return type == METRIC_PODS || type == METRIC_OBJECT ? API_CUSTOM : API_EXTERNAL;
}

static int gather(struct evaluate_case *c, uint32_t i, struct answers *answers, struct sample *s,
                  struct err *err) {
    struct gathering g = {.c = c, .metric = &c->spec.metrics[i], .index = i};

    if (g.metric->type == METRIC_WORKLOAD) {
        sample_workload(c, g.metric, s);
        return 0;
    }
    /* HPA does not ask for a metric whose target makes no sense. */
    if (g.metric->type == METRIC_UNKNOWN || g.metric->invalid) {
        *s = (struct sample){.quality = QUALITY_FAILED, .message = str_or_empty(g.metric->invalid)};
        return 0;
    }
    g.api = api_of(g.metric->type);
    find_items(&g, answers);
    if (g.count == 0) {
        *s = no_sample(&g);
        return 0;
    }
    *s = (struct sample){.origin = api_names[g.api]};
    if (item_time(&g.items[0], &c->first_at[i], err) < 0)
        return -EINVAL;
    return metric_of_pods(g.metric->type) ? sample_pods(&g, s, err) : sample_total(&g, s, err);
}

int case_read_samples(struct evaluate_case *c, struct err *err) {
    struct sample *samples = ARENA_ARRAY(c->arena, struct sample, c->spec.metric_count + 1);
    struct answers answers = {0};

    c->first_at = ARENA_ARRAY(c->arena, usec_t, c->spec.metric_count + 1);
    for (uint32_t i = 0; i < c->spec.metric_count; i++) {
        int ret = gather(c, i, &answers, &samples[i], err);
        if (ret < 0)
            return ret;
        samples[i].message = str_or_empty(samples[i].message);
        samples[i].warning = "";
    }
    c->in.samples = samples;
    return 0;
}
