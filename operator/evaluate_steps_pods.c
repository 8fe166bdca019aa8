/* Single steps of a recorded case that are about pods: how they are grouped, what they request, what is
 * measured of them. These functions of HPA's know no policy, so that a metric, and for the ratio a whole
 * decision's input, is made up here around what the case gives. */
#include "autoscaler/pods.h"
#include "autoscaler/stages.h"
#include "base/str.h"
#include "operator/evaluate_metrics.h"
#include "operator/evaluate_steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- pods ---- */

/* All pods of the case, whichever selector: the step begins where they have been selected. */
static void take_all_pods(struct evaluate_case *c) {
    const struct input_list *list = &c->world->of[INPUT_POD];
    const struct pod **pods = ARENA_ARRAY(c->arena, const struct pod *, list->count + 1);

    for (uint32_t i = 0; i < list->count; i++)
        pods[i] = (const struct pod *)list->items[i].decoded;
    c->in.pods = list->count;
    c->in.pod_list = pods;
}

/* What is measured matters to how pods are grouped: only for cpu are their conditions looked at. Cases
 * without a resource are about a metric of pods. */
static void set_metric(const struct evaluate_case *c, struct metric_spec *ret_metric) {
    const char *resource = step_text(c, "resource"), *container = step_text(c, "container");

    *ret_metric = (struct metric_spec){
        .type = !resource   ? METRIC_PODS
                : container ? METRIC_CONTAINER_RESOURCE
                            : METRIC_RESOURCE,
        .metric = resource ? resource : str_or_empty(step_text(c, "metric")),
        .container = container,
    };
}

/* A minute is what HPA's client takes where none is given (metricServerDefaultMetricWindow). */
static int read_pod_value(const struct evaluate_case *c, const json_t *value, struct pod_value *ret,
                          struct err *err) {
    const char *at = json_text(value, "timestamp"), *window = json_text(value, "window");

    *ret = (struct pod_value){.known = true, .window = USEC_PER_MIN};
    if ((at && clock_parse(at, &ret->at) < 0) || (window && clock_parse_duration(window, &ret->window) < 0))
        return place_error(c->place, "input.metrics", err, "a timestamp and a window are expected");
    return step_milli(c, "input.metrics", json_object_get(value, "value"), &ret->milli, err);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names, sorted, as Go prints its sets. */
struct names {
    const char **items;
    size_t count;
};

static json_t *names_json(struct names *names) {
    json_t *list = json_array();

    qsort(names->items, names->count, sizeof(*names->items), by_name);
    for (size_t i = 0; i < names->count; i++)
        json_array_append_new(list, json_string(names->items[i]));
    return list;
}

/* A pod that the metrics do not name has no known value, and is grouped for that. */
int step_group_pods(struct evaluate_case *c, json_t **ret_result, struct err *err) {
    static const char *const fields[] = {
        [POD_UNREADY] = "unreadyPods", [POD_MISSING] = "missingPods", [POD_IGNORED] = "ignoredPods"};
    const json_t *metrics = step_input(c, "metrics");
    struct metric_spec metric;
    struct names names[POD_IGNORED + 1] = {0};

    take_all_pods(c);
    set_metric(c, &metric);
    struct pods_query q = {.in = &c->in, .metric = &metric, .resource = pods_resource(&metric)};
    for (int g = 0; g <= POD_IGNORED; g++)
        names[g].items = ARENA_ARRAY(c->arena, const char *, c->in.pods + 1);
    for (uint32_t i = 0; i < c->in.pods; i++) {
        const char *name = c->in.pod_list[i]->meta.name;
        const json_t *known = json_object_get(metrics, name);
        struct pod_value value = {0};
        if (known && read_pod_value(c, known, &value, err) < 0)
            return -EINVAL;
        struct names *of = &names[pods_group(&q, c->in.pod_list[i], &value)];
        of->items[of->count++] = name;
    }
    *ret_result = json_pack("{s:I}", "readyPodCount", (json_int_t)names[POD_COUNTED].count);
    for (int g = POD_UNREADY; g <= POD_IGNORED; g++)
        json_object_set_new(*ret_result, fields[g], names_json(&names[g]));
    return 0;
}

/* It fails with the first pod that lacks a request; any such pod may be the one named, so messages are not
 * compared. */
int step_requests(struct evaluate_case *c, json_t **ret_result, struct err *err) {
    struct metric_spec metric;
    json_t *requests = json_object();

    (void)err;
    take_all_pods(c);
    set_metric(c, &metric);
    struct pods_query q = {.in = &c->in, .metric = &metric, .resource = pods_resource(&metric)};
    for (uint32_t i = 0; i < c->in.pods; i++) {
        const struct pod *pod = c->in.pod_list[i];
        int64_t milli = pods_request(&q, pod);
        if (milli < 0) {
            json_decref(requests);
            *ret_result = step_error_json(
                arena_printf(c->arena, "missing request for %s in pod %s", metric.metric, pod->meta.name));
            return 0;
        }
        json_object_set_new(requests, pod->meta.name, step_milli_json(milli));
    }
    *ret_result = json_pack("{s:b, s:o}", "error", 0, "requests", requests);
    return 0;
}

/* ---- the ratio of utilization, by pods made up for it ---- */

struct made_up {
    struct pod *pods;
    const struct pod **list;
    struct pod_value *values;
    uint32_t count;
};

/* A pod for each metric that has a request: what has none is in neither sum of HPA's function. As all are
 * summed up, which pod a number belongs to makes no difference. */
static int make_up(const struct evaluate_case *c, struct made_up *m, struct err *err) {
    json_t *metrics = json_object_get(json_object_get(c->recorded, "input"), "metrics"), *value;
    const json_t *requests = step_input(c, "requests");
    size_t most = json_object_size(metrics) + 1;
    const char *name;

    *m = (struct made_up){.pods = ARENA_ARRAY(c->arena, struct pod, most),
                          .list = ARENA_ARRAY(c->arena, const struct pod *, most),
                          .values = ARENA_ARRAY(c->arena, struct pod_value, most)};
    json_object_foreach(metrics, name, value) {
        struct pod_container *container = ARENA_NEW(c->arena, struct pod_container);
        if (!json_object_get(requests, name))
            continue;
        if (step_milli(c, "input.requests", json_object_get(requests, name), &container->memory_milli, err) <
                0 ||
            step_milli(c, "input.metrics", value, &m->values[m->count].milli, err) < 0)
            return -EINVAL;
        m->values[m->count].known = true;
        m->pods[m->count] = (struct pod){.phase = POD_RUNNING,
                                         .ready = CONDITION_TRUE,
                                         .pod_cpu_milli = -1,
                                         .pod_memory_milli = -1,
                                         .container_count = 1,
                                         .containers = container};
        m->list[m->count] = &m->pods[m->count];
        m->count++;
    }
    return 0;
}

/* The case itself is left as it is: what is made up lives no longer than this. The ratio is asked of propose,
 * since ours is not computed in a function of its own; pods that are all ready and measured leave it as it
 * is. */
int step_ratio(struct evaluate_case *c, json_t **ret_result, struct err *err) {
    struct metric_spec metric = {.type = METRIC_RESOURCE,
                                 .type_text = "Resource",
                                 .metric = "memory", /* readiness does not matter to it */
                                 .target = {.type = TARGET_UTILIZATION}};
    const struct policy_spec spec = {
        .metric_count = 1, .metrics = &metric, .min_replicas = 1, .max_replicas = 1};
    const struct decide_flags flags = {.tolerance = c->flags.tolerance, .hpa = true};
    struct pod_values values = {0};
    const struct sample sample = {.quality = QUALITY_VALUE, .message = "", .warning = "", .pods = &values};
    struct made_up m;
    struct proposal p;

    if (step_int(c, "targetUtilization", &metric.target.utilization, err) < 0 || make_up(c, &m, err) < 0)
        return -EINVAL;
    if (metric.target.utilization < 1)
        return place_error(c->place, "input.targetUtilization", err, "must be above 0");
    values.of_pods = m.values;
    const struct decide_input in = {.spec = &spec,
                                    .status = &c->status,
                                    .flags = &flags,
                                    .now = c->in.now,
                                    .samples = &sample,
                                    .pod_list = m.list,
                                    .pods = m.count,
                                    .scale = {.known = true, .spec_replicas = 1, .selector = ""}};
    propose(&in, 0, c->arena, &p);
    *ret_result = p.valid
                      ? json_pack("{s:b, s:f, s:i, s:o}", "error", 0, "ratio", p.ratio, "averageUtilization",
                                  (int)p.utilization, "averageValue", step_milli_json(p.current_milli))
                      : step_error_json("no metrics returned matched known pods");
    return 0;
}

/* ---- what the metrics client gives ---- */

/* "30s", "1m0s", "10.5s": as Go prints what is not below a second (time.Duration's String). Smaller units are
 * written also where they are 0, which clock_format_duration leaves out. */
static json_t *go_duration_json(usec_t d) {
    int64_t s = d / USEC_PER_SEC;
    char rest[sizeof(".000000")] = "";

    if (d % USEC_PER_SEC != 0) {
        snprintf(rest, sizeof(rest), ".%06u", (unsigned)(d % USEC_PER_SEC) % 1000000);
        for (size_t len = strlen(rest); rest[len - 1] == '0'; len--)
            rest[len - 1] = '\0';
    }
    if (s >= 3600)
        return json_sprintf("%" PRId64 "h%" PRId64 "m%" PRId64 "%ss", s / 3600, s / 60 % 60, s % 60, rest);
    return s >= 60 ? json_sprintf("%" PRId64 "m%" PRId64 "%ss", s / 60, s % 60, rest)
                   : json_sprintf("%" PRId64 "%ss", s, rest);
}

static json_t *value_json(const struct pod_value *v) {
    return json_pack("{s:o, s:o, s:o}", "timestamp", step_time_json(v->at), "value",
                     step_milli_json(v->milli), "window", go_duration_json(v->window));
}

/* Values of PodMetrics, by pod. first is the time that HPA hands on with them, and only logs. */
static int client_pods(const struct evaluate_case *c, json_t *values, usec_t *first, struct err *err) {
    const struct input_list *list = &c->world->of[INPUT_POD_METRICS];
    struct usage_wanted wanted = {
        .resource = step_text(c, "resource"), .container = step_text(c, "container"), .wraps = true};

    for (uint32_t i = 0; i < list->count; i++) {
        struct metric_item item = {.json = list->items[i].json, .place = list->items[i].place, .prefix = ""};
        struct pod_value v;
        if (pod_metrics_usage(&item, &wanted, c->arena, &v, err) < 0)
            return -EINVAL;
        if (i == 0)
            *first = v.at;
        if (v.known)
            json_object_set_new(values,
                                str_or_empty(json_string_value(json_path2(item.json, "metadata", "name"))),
                                value_json(&v));
    }
    return 0;
}

/* How a recorded case writes the zero of Go's time: 2000-01-01T00:00:00Z. */
static const usec_t go_zero_time = 946684800 * USEC_PER_SEC;

/* Values of the first list of a kind, by described object, or numbered where they describe none. The step is
 * about one call of the client, so there is one list. */
static int client_list(const struct evaluate_case *c, enum input_kind kind, json_t *values, usec_t *first,
                       struct err *err) {
    const struct input_object *list = c->world->of[kind].items;
    const json_t *json;
    size_t i;

    if (!list)
        return 0;
    json_array_foreach(json_object_get(list->json, "items"), i, json) {
        struct metric_item item = {
            .json = json, .place = list->place, .prefix = arena_printf(c->arena, "items[%zu].", i)};
        const char *name = json_string_value(json_path2(json, "describedObject", "name"));
        struct pod_value v;
        if (item_value(&item, kind == INPUT_EXTERNAL, &v, err) < 0)
            return -EINVAL;
        if (i == 0)
            *first = v.at;
        if (kind == INPUT_EXTERNAL) {
            /* HPA's client gives bare numbers there: the rest was recorded as Go's zero. */
            v.at = go_zero_time;
            name = arena_printf(c->arena, "%s-val-%zu", str_or_empty(step_text(c, "metric")), i);
        }
        if (!name)
            return place_error(list->place, arena_printf(c->arena, "%sdescribedObject.name", item.prefix),
                               err, "a name is expected");
        json_object_set_new(values, name, value_json(&v));
    }
    return 0;
}

/* Which of the client's three functions is meant, the case's resource and its one call tell. An answer that
 * holds nothing is an error of that client, in words of its own. */
int step_metrics_client(struct evaluate_case *c, json_t **ret_result, struct err *err) {
    json_t *values = json_object();
    const json_t *call = json_array_get(json_object_get(c->recorded, "apiCalls"), 0);
    const char *api = str_or_empty(json_text(call, "api"));
    bool custom = str_starts(api, "custom."), resource = step_text(c, "resource") != NULL;
    usec_t first = 0;

    int ret = resource ? client_pods(c, values, &first, err)
                       : client_list(c, custom ? INPUT_CUSTOM : INPUT_EXTERNAL, values, &first, err);
    if (ret < 0) {
        json_decref(values);
        return ret;
    }
    /* PodMetrics that hold nothing of the resource are an answer all the same, with no values in it. */
    bool none = resource ? c->world->of[INPUT_POD_METRICS].count == 0 : json_object_size(values) == 0;
    if (json_text(call, "error") || none) {
        json_decref(values);
        *ret_result = step_error_json(json_text(call, "error")
                                          ? json_text(call, "error")
                                          : arena_printf(c->arena, "no metrics returned from %s metrics API",
                                                         resource ? "resource"
                                                         : custom ? "custom"
                                                                  : "external"));
        return 0;
    }
    *ret_result =
        json_pack("{s:b, s:o, s:o}", "error", 0, "timestamp", step_time_json(first), "values", values);
    return 0;
}
