/* spec.metrics: HPA's five types and ours. Which field of a target counts is as in HPA's replica calculator:
 * averageValue before averageUtilization (resources) or value (External); Object and Prometheus by type. */
#include "api/types/policy_read.h"
#include "api/types/quantity.h"
#include "api/types/selector.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number as a quantity's text: the shortest that reads back as the same number. */
static const char *number_text(struct arena *arena, const json_t *number) {
    char text[32];

    if (json_is_integer(number)) {
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(number));
        return arena_strdup(arena, text);
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, json_real_value(number));
        if (strtod(text, NULL) == json_real_value(number))
            break;
    }
    return arena_strdup(arena, text);
}

/* Reads a quantity above zero: a string or a number. ret_found tells whether the member is there. */
static int read_quantity(struct reader *r, const json_t *object, const struct path *path, const char *key,
                         struct metric_target *target, bool *ret_found) {
    const json_t *value = json_object_get(object, key);
    const char *text = NULL;
    struct err why;
    int e = 0;

    *ret_found = value && !json_is_null(value);
    if (!*ret_found)
        return 0;
    if (json_is_number(value))
        text = number_text(r->arena, value);
    else if (json_is_string(value))
        e = read_string(r, object, path, key, &text);
    if (e < 0)
        return e;
    if (!text || strlen(text) > 32 || quantity_parse(text, &target->milli, &why) < 0 || target->milli <= 0)
        return read_error(r, path, key, "must be a quantity above 0, for example 100, 250m or 1.5Gi");
    target->text = text;
    return 0;
}

static const char *const target_names[] = {"Utilization", "Value", "AverageValue"};

/* Every field of a target, before the type of the metric says which of them counts. */
struct target_fields {
    int type; /* enum target_type, -1: not given */
    struct metric_target value, average;
    bool has_value, has_average;
    int32_t utilization; /* 0: not given */
};

static int read_target(struct reader *r, const json_t *parent, const struct path *path,
                       struct target_fields *f) {
    const json_t *object = NULL;
    int e = read_object(r, parent, path, true, &object);

    *f = (struct target_fields){.type = -1, .value.type = TARGET_VALUE, .average.type = TARGET_AVERAGE_VALUE};
    if (e == 0)
        e = read_word(r, object, path, "type", (struct read_words){target_names, 3}, &f->type);
    if (e == 0)
        e = read_quantity(r, object, path, "value", &f->value, &f->has_value);
    if (e == 0)
        e = read_quantity(r, object, path, "averageValue", &f->average, &f->has_average);
    if (e == 0)
        e = read_int(r, object, path, "averageUtilization", (struct read_range){1, INT32_MAX},
                     &f->utilization);
    return e;
}

static int target_by_type(struct reader *r, const struct path *path, const struct target_fields *f,
                          struct metric_target *ret) {
    if (f->type == TARGET_VALUE && f->has_value)
        *ret = f->value;
    else if (f->type == TARGET_AVERAGE_VALUE && f->has_average)
        *ret = f->average;
    else if (f->type == TARGET_VALUE)
        return read_error(r, path, "value", "is missing: target.type Value needs it");
    else if (f->type == TARGET_AVERAGE_VALUE)
        return read_error(r, path, "averageValue", "is missing: target.type AverageValue needs it");
    else
        return read_error(r, path, "type", "must be Value or AverageValue");
    return 0;
}

static int target_resource(struct reader *r, const struct path *path, const struct target_fields *f,
                           struct metric_target *ret) {
    if (f->has_average) {
        *ret = f->average;
    } else if (f->utilization > 0) {
        *ret = (struct metric_target){.type = TARGET_UTILIZATION, .utilization = f->utilization};
        ret->text = arena_printf(r->arena, "%" PRId32 "%%", f->utilization);
    } else {
        return read_error(r, path, NULL, "set exactly one of averageUtilization and averageValue");
    }
    return 0;
}

static int target_average_first(struct reader *r, const struct path *path, const struct target_fields *f,
                                struct metric_target *ret) {
    if (!f->has_average && !f->has_value)
        return read_error(r, path, NULL, "set exactly one of value and averageValue");
    *ret = f->has_average ? f->average : f->value;
    return 0;
}

static int read_metric_target(struct reader *r, const json_t *source, const struct path *up,
                              struct metric_spec *m) {
    struct path path = {up, "target", 0};
    struct target_fields f;
    int e = read_target(r, source, &path, &f);

    if (e < 0)
        return e;
    switch (m->type) {
    case METRIC_RESOURCE:
    case METRIC_CONTAINER_RESOURCE:
        return target_resource(r, &path, &f, &m->target);
    case METRIC_PODS:
        if (!f.has_average)
            return read_error(r, &path, "averageValue",
                              "is missing: a Pods metric is averaged over the pods");
        m->target = f.average;
        return 0;
    case METRIC_EXTERNAL:
        return target_average_first(r, &path, &f, &m->target);
    case METRIC_OBJECT:
    case METRIC_PROMETHEUS:
    case METRIC_WORKLOAD:
    case METRIC_UNKNOWN:
        break;
    }
    return target_by_type(r, &path, &f, &m->target);
}

/* metric.name and metric.selector of Pods, Object and External. */
static int read_identifier(struct reader *r, const json_t *source, const struct path *up,
                           struct metric_spec *m) {
    struct path path = {up, "metric", 0};
    const json_t *object = NULL;
    const json_t *selector;
    struct err why = {0};
    int e = read_object(r, source, &path, true, &object);

    if (e == 0)
        e = read_required_string(r, object, &path, "name", &m->metric);
    selector = e == 0 ? json_object_get(object, "selector") : NULL;
    if (!selector || json_is_null(selector))
        return e;
    if (selector_write(selector, r->arena, &m->selector, &why) < 0)
        return read_error(r, &path, "selector", "%s", err_text(&why));
    return 0;
}

static int read_prometheus(struct reader *r, const json_t *source, const struct path *path,
                           struct metric_spec *m) {
    static const char *const combines[] = {"Sum", "Max", "Min", "Avg"};
    int combine = -1, e = read_required_string(r, source, path, "query", &m->query);

    if (e < 0)
        return e;
    if (m->query[strspn(m->query, " \t\r\n")] == '\0')
        return read_error(r, path, "query", "must not be blank: give an instant query in PromQL");
    e = read_word(r, source, path, "combine", (struct read_words){combines, 4}, &combine);
    m->combine = (enum combine)(combine + 1); /* COMBINE_NONE comes before the words */
    return e;
}

/* The member that a metric of this type has its details in. */
static const char *source_key(enum metric_type type) {
    static const char *const keys[] = {
        [METRIC_RESOURCE] = "resource", [METRIC_CONTAINER_RESOURCE] = "containerResource",
        [METRIC_PODS] = "pods",         [METRIC_OBJECT] = "object",
        [METRIC_EXTERNAL] = "external", [METRIC_PROMETHEUS] = "prometheus",
    };
    return keys[type];
}

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
    case METRIC_PROMETHEUS:
    case METRIC_WORKLOAD:
    case METRIC_UNKNOWN:
        break;
    }
    return read_prometheus(r, source, path, m);
}

static int read_metric(struct reader *r, const json_t *item, const struct path *path, struct metric_spec *m) {
    static const char *const types[] = {"Resource", "ContainerResource", "Pods",
                                        "Object",   "External",          "Prometheus"};
    struct path below = {path, NULL, 0};
    const json_t *source = NULL;
    int type = -1, e;

    if (!json_is_object(item))
        return read_error(r, path, NULL, "must be an object");
    e = read_word(r, item, path, "type", (struct read_words){types, 6}, &type);
    if (e == 0 && type < 0)
        return read_error(r, path, "type", "is missing: add it, for example Prometheus");
    if (e == 0)
        e = read_string(r, item, path, "name", &m->name);
    if (e == 0)
        e = read_duration(r, item, path, "maxAge", (struct read_range){USEC_PER_SEC, 24 * USEC_PER_HOUR},
                          &m->max_age);
    if (e < 0)
        return e;
    m->type = (enum metric_type)type;
    below.name = source_key(m->type);
    if (!json_is_object(json_object_get(item, below.name)))
        return read_error(r, &below, NULL, "is missing: type %s needs the field %s",
                          metric_type_name(m->type), below.name);
    e = read_object(r, item, &below, true, &source);
    if (e == 0)
        e = read_source(r, source, &below, m);
    return e < 0 ? e : read_metric_target(r, source, &below, m);
}

static void default_metrics(struct reader *r, struct policy_spec *ret) {
    ret->metric_count = 1;
    ret->metrics = ARENA_NEW(r->arena, struct metric_spec);
    ret->metrics[0].type = METRIC_RESOURCE;
    ret->metrics[0].metric = "cpu";
    ret->metrics[0].target =
        (struct metric_target){.type = TARGET_UTILIZATION, .utilization = 80, .text = "80%"};
}

static int check_names(struct reader *r, const struct path *path, const struct policy_spec *spec) {
    for (uint32_t i = 0; i < spec->metric_count; i++)
        for (uint32_t j = 0; j < i && spec->metrics[i].name; j++)
            if (str_eq(spec->metrics[i].name, spec->metrics[j].name))
                return read_error(r, path, NULL,
                                  "two metrics have the name %.63s: give each a name of its own",
                                  spec->metrics[i].name);
    return 0;
}

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
