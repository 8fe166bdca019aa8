/* The samples of a case: from the items that answer a metric to what the decision reads. They are what the
 * operator's metric sources would give it for these items, with the same qualities: a value, zero, stale,
 * absent (answered with nothing) or failed. Totals (Object, External, Prometheus) are one number; metrics of
 * pods are a value for each pod, joined by name with the pods that the decision counts. */
#include "operator/evaluate_metrics.h"
#include "api/types/selector.h"
#include "base/str.h"

#include <errno.h>

/* ---- totals ---- */

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

/* Nothing answered: the request failed, or it was answered with nothing, or nobody asked. */
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

/* Of what has no time nobody can say that it is old. */
static bool is_stale(const struct gathering *g, usec_t at) {
    return g->metric->max_age > 0 && at > 0 && g->c->in.now - at > g->metric->max_age;
}

static const char *stale_text(const struct gathering *g, usec_t at) {
    char age[CLOCK_TEXT_MAX], allowed[CLOCK_TEXT_MAX];

    return arena_printf(g->c->arena, "the last sample is %s old, maxAge is %s",
                        clock_format_duration(g->c->in.now - at, age),
                        clock_format_duration(g->metric->max_age, allowed));
}

/* A stale value is kept beside its quality: it is shown. */
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
    /* The API answers for an object with a list of one, and HPA reads the first. */
    uint32_t count = g->metric->type == METRIC_OBJECT ? 1 : g->count;
    int64_t total = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct pod_value v;
        if (item_value(&g->items[i], true, &v, err) < 0)
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

/* ---- pods ---- */

/* Joins what items say with the pods of the decision. */
struct join {
    const struct gathering *g;
    struct map pods; /* name: its place in the decision's list, from 1 */
    /* One for each pod of the decision, in its order; and those of pods that are not in it, which HPA's
     * averages count too. */
    struct pod_value *of_pods, *others;
    uint32_t other_count, stale;
    usec_t newest; /* of all values, stale ones too: whether the whole is stale */
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
    struct usage_wanted wanted = {.resource = m->metric, .container = m->container, .wraps = j->g->c->hpa};
    bool of_pod = j->g->api == API_RESOURCE;
    struct pod_value v;

    int ret =
        of_pod ? pod_metrics_usage(item, &wanted, j->g->c->arena, &v, err) : item_value(item, false, &v, err);
    if (ret == 0)
        join_value(
            j, json_string_value(json_path2(item->json, of_pod ? "metadata" : "describedObject", "name")), v);
    return ret;
}

/* Stale as a whole only where no pod has anything newer; else the pods that are stale count as missing. */
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

/* ---- workloads ---- */

/* Pods (not finished, not being deleted) or nodes that the selector picks. */
static bool counts(const struct evaluate_case *c, const struct metric_spec *m, const struct object *o) {
    const struct pod *pod = (const struct pod *)o;

    if (m->workload == WORKLOAD_NODES)
        return true;
    return !o->deleting && pod->phase != POD_SUCCEEDED && pod->phase != POD_FAILED &&
           (!*o->ns || !*c->ns || str_eq(o->ns, c->ns));
}

/* Counted when it is decided, so it is never old; an error cannot happen but in the selector. */
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

/* ---- any metric ---- */

static enum metrics_api api_of(enum metric_type type) {
    if (type == METRIC_RESOURCE || type == METRIC_CONTAINER_RESOURCE)
        return API_RESOURCE;
    return type == METRIC_PODS || type == METRIC_OBJECT ? API_CUSTOM : API_EXTERNAL;
}

static int gather(struct evaluate_case *c, uint32_t i, struct recorded_answers *answers, struct sample *s,
                  struct err *err) {
    struct gathering g = {.c = c, .metric = &c->spec.metrics[i]};

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
    /* Also of a failed call: it is one of the recorded ones, and the next metric's comes behind it. */
    metric_items_find(&g, answers);
    if (g.count == 0) {
        *s = no_sample(&g);
        return 0;
    }
    *s = (struct sample){.origin = metrics_api_names[g.api]};
    if (item_time(&g.items[0], &c->first_at[i], err) < 0)
        return -EINVAL;
    return metric_of_pods(g.metric->type) ? sample_pods(&g, s, err) : sample_total(&g, s, err);
}

int case_read_samples(struct evaluate_case *c, struct err *err) {
    struct sample *samples = ARENA_ARRAY(c->arena, struct sample, c->spec.metric_count + 1);
    struct recorded_answers answers = {0};

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
