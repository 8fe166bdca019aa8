/* spec.metrics: HPA's five types and ours. What HPA fails one metric for, and not the whole decision, is kept
 * as that metric's fault. */
#include "api/types/policy_read.h"
#include "api/types/selector.h"
#include <string.h>

/* A label selector as text. HPA takes any at admission and fails the metric where it is not one. */
static void read_selector(struct reader *r, const json_t *object, const struct path *path,
                          struct metric_spec *m) {
    struct err why = {0}, where = {0};
    struct reader alone = {r->arena, &where, r->hpa};

    if (!read_has(object, "selector"))
        return;
    char *written = json_dumps(json_object_get(object, "selector"), JSON_COMPACT);
    m->selector_json = arena_strdup(r->arena, str_or_empty(written));
    free(written);
    if (selector_write(json_object_get(object, "selector"), r->arena, &m->selector, &why) == 0)
        return;
    read_error(&alone, path, "selector", "%s", err_text(&why));
    m->invalid = arena_strdup(r->arena, err_text(&where));
}

/* metric.name and metric.selector of Pods, Object and External. */
static int read_identifier(struct reader *r, const json_t *source, const struct path *up,
                           struct metric_spec *m) {
    struct path path = {up, "metric", 0};
    const json_t *object = NULL;
    int e = read_object(r, source, &path, true, &object);

    if (e == 0)
        e = read_required_string(r, object, &path, "name", &m->metric);
    if (e == 0)
        read_selector(r, object, &path, m);
    return e;
}

/* Whether there is a server of that name may change any time; the metric says so where there is none. */
static int read_server(struct reader *r, const json_t *source, const struct path *path,
                       struct metric_spec *m) {
    int e = read_string(r, source, path, "source", &m->source);

    if (e == 0 && m->source && m->source[0] == '\0')
        return read_error(r, path, "source", "must not be empty: leave it out for the default server");
    return e;
}

/* A query that is only blanks parses nowhere; whether another one does, the server knows. */
static int read_prometheus(struct reader *r, const json_t *source, const struct path *path,
                           struct metric_spec *m) {
    static const char *const combines[] = {"Sum", "Max", "Min", "Avg"};
    int combine = -1, e = read_required_string(r, source, path, "query", &m->query);

    if (e < 0)
        return e;
    if (m->query[strspn(m->query, " \t\r\n")] == '\0')
        return read_error(r, path, "query", "must not be blank: give an instant query in PromQL");
    e = read_server(r, source, path, m);
    if (e < 0)
        return e;
    e = read_word(r, source, path, "combine", (struct read_words){combines, 4}, &combine);
    m->combine = (enum combine)(combine + 1); /* COMBINE_NONE comes before the words */
    return e;
}

/* Without a selector everything is counted, as an empty LabelSelector means everywhere in the API. */
static int read_workload(struct reader *r, const json_t *source, const struct path *path,
                         struct metric_spec *m) {
    static const char *const counts[] = {"Pods", "Nodes"};
    int count = WORKLOAD_PODS, e;

    e = read_word(r, source, path, "count", (struct read_words){counts, 2}, &count);
    m->workload = (enum workload_kind)count;
    if (e == 0)
        read_selector(r, source, path, m);
    return e;
}

/* What says which metric it is; the target comes after, in a file of its own. */
static int read_source(struct reader *r, const json_t *source, const struct path *path,
                       struct metric_spec *m) {
    struct path described = {path, "describedObject", 0};
    int e = 0;

    switch (m->type) {
    case METRIC_CONTAINER_RESOURCE:
        e = read_required_string(r, source, path, "container", &m->container);
        return e < 0 ? e : read_required_string(r, source, path, "name", &m->metric);
    case METRIC_RESOURCE:
        return read_required_string(r, source, path, "name", &m->metric);
    case METRIC_OBJECT:
        e = policy_read_reference(r, source, &described, &m->described);
        return e < 0 ? e : read_identifier(r, source, path, m);
    case METRIC_PODS:
    case METRIC_EXTERNAL:
        return read_identifier(r, source, path, m);
    case METRIC_WORKLOAD:
        return read_workload(r, source, path, m);
    case METRIC_PROMETHEUS:
        return read_prometheus(r, source, path, m);
    case METRIC_UNKNOWN:
        break; /* it has no field that could be read */
    }
    return 0;
}

/* type, as the word and as written. A policy's is one of ours; HPA fails a metric of any other alone. */
static int read_type(struct reader *r, const json_t *item, const struct path *path, struct metric_spec *m) {
    /* In the order of enum metric_type, as the keys in read_metric; HPA's come first. */
    static const char *const types[] = {"Resource", "ContainerResource", "Pods",    "Object",
                                        "External", "Prometheus",        "Workload"};
    struct read_words words = {types, r->hpa ? METRIC_EXTERNAL + 1 : METRIC_UNKNOWN};
    struct err why = {0};
    struct reader alone = {r->arena, &why, r->hpa};
    int type = METRIC_UNKNOWN, e = read_required_string(r, item, path, "type", &m->type_text);

    if (e < 0)
        return e;
    e = read_word(r->hpa ? &alone : r, item, path, "type", words, &type);
    m->type = (enum metric_type)type;
    if (e == 0 || !r->hpa)
        return e;
    m->invalid = arena_strdup(r->arena, err_text(&why));
    return 0;
}

/* The fields beside type and source, all ours. */
static int read_own_fields(struct reader *r, const json_t *item, const struct path *path,
                           struct metric_spec *m) {
    static const char *const missing[] = {"Hold", "Ignore", "Fallback", "Zero"};
    struct read_quantity activation = {0};
    int when_missing = MISSING_HOLD, e = read_string(r, item, path, "name", &m->name);

    if (e == 0)
        e = read_duration(r, item, path, "maxAge", (struct read_range){USEC_PER_SEC, 24 * USEC_PER_HOUR},
                          &m->max_age);
    if (e == 0)
        e = read_quantity(r, item, path, "activation", &activation);
    if (e == 0)
        e = read_word(r, item, path, "whenMissing", (struct read_words){missing, 4}, &when_missing);
    m->has_activation = activation.found;
    m->activation_milli = activation.milli;
    m->when_missing = (enum when_missing)when_missing;
    return e;
}

/* One element of the list. */
static int read_metric(struct reader *r, const json_t *item, const struct path *path, struct metric_spec *m) {
    static const char *const keys[] = {"resource", "containerResource", "pods",    "object",
                                       "external", "prometheus",        "workload"};
    struct path below = {path, NULL, 0};
    const json_t *source = NULL;
    int e;

    if (!json_is_object(item))
        return read_error(r, path, NULL, "must be an object");
    m->target.text = "?"; /* of a metric that has none to be read */
    e = read_type(r, item, path, m);
    if (e == 0 && !r->hpa)
        e = read_own_fields(r, item, path, m);
    if (e < 0 || m->type == METRIC_UNKNOWN)
        return e;
    /* The union is told by type alone, as HPA does; a field of another type beside it is not looked at. */
    below.name = keys[m->type];
    if (!json_is_object(json_object_get(item, below.name)))
        return read_error(r, &below, NULL, "is missing: type %s needs the field %s",
                          metric_type_name(m->type), below.name);
    e = read_object(r, item, &below, true, &source);
    if (e == 0)
        e = read_source(r, source, &below, m);
    return e < 0 ? e : policy_read_target(r, source, &below, m);
}

/* As the apiserver defaults a HorizontalPodAutoscaler (autoscaling/v2 defaults.go). */
static void default_metrics(struct reader *r, struct policy_spec *ret) {
    ret->metric_count = 1;
    ret->metrics = ARENA_NEW(r->arena, struct metric_spec);
    ret->metrics[0] = (struct metric_spec){
        .type = METRIC_RESOURCE,
        .type_text = "Resource",
        .metric = "cpu",
        .target = {.type = TARGET_UTILIZATION, .utilization = 80, .text = "80%"},
    };
}

/* Formula and status tell metrics by their names. A handful: comparing each with each costs nothing. */
static int check_names(struct reader *r, const struct path *path, const struct policy_spec *spec) {
    for (uint32_t i = 0; i < spec->metric_count; i++)
        for (uint32_t j = 0; j < i && spec->metrics[i].name; j++)
            if (str_eq(spec->metrics[i].name, spec->metrics[j].name))
                return read_error(r, path, NULL,
                                  "two metrics have the name %.63s: give each a name of its own",
                                  spec->metrics[i].name);
    return 0;
}

/* Into an HPA without metrics the API server puts the default; for a policy nobody does before this. */
int policy_read_metrics(struct reader *r, const json_t *spec, const struct path *up,
                        struct policy_spec *ret) {
    struct path path = {up, "metrics", 0};
    const json_t *list = json_object_get(spec, "metrics");
    size_t count = json_array_size(list);

    if (list && !json_is_array(list) && !json_is_null(list))
        return read_error(r, &path, NULL, "must be a list");
    if (count > POLICY_METRICS_MAX)
        return read_error(r, &path, NULL, "has %zu elements: at most %d are allowed", count,
                          POLICY_METRICS_MAX);
    if (count == 0) {
        default_metrics(r, ret);
        return 0;
    }
    ret->metric_count = (uint32_t)count;
    ret->metrics = ARENA_ARRAY(r->arena, struct metric_spec, count);
    for (size_t i = 0; i < count; i++) {
        struct path at = {&path, NULL, i};
        int e = read_metric(r, json_array_get(list, i), &at, &ret->metrics[i]);
        if (e < 0)
            return e;
    }
    return check_names(r, &path, ret);
}
