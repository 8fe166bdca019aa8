/* The target of a metric. Which of its fields counts is as in HPA's replica calculator: averageValue before
 * averageUtilization (resources) or value (External); Object, Prometheus and Workload by type. */
#include "api/types/policy_read.h"
#include <inttypes.h>

static const char *const target_names[] = {"Utilization", "Value", "AverageValue"};

/* Every field of a target, before the type of the metric says which of them counts. */
struct target_fields {
    int type; /* enum target_type, -1: not given */
    struct read_quantity value, average;
    int32_t utilization; /* 0: not given */
};

static int read_fields(struct reader *r, const json_t *parent, const struct path *path,
                       struct target_fields *f) {
    const json_t *object = NULL;
    int e = read_object(r, parent, path, true, &object);

    *f = (struct target_fields){.type = -1, .value.above_zero = true, .average.above_zero = true};
    if (e == 0)
        e = read_word(r, object, path, "type", (struct read_words){target_names, 3}, &f->type);
    if (e == 0)
        e = read_quantity(r, object, path, "value", &f->value);
    if (e == 0)
        e = read_quantity(r, object, path, "averageValue", &f->average);
    if (e == 0)
        e = read_int(r, object, path, "averageUtilization", (struct read_range){1, INT32_MAX},
                     &f->utilization);
    return e;
}

/* In milli-units, with the text as it was written, which people see in status and columns in its canonical
 * form. */
static struct metric_target of_quantity(enum target_type type, const struct read_quantity *quantity) {
    return (struct metric_target){.type = type, .milli = quantity->milli, .text = quantity->text};
}

/* Object's rule: target.type says which field counts, and the field must be there. */
static int by_type(struct reader *r, const struct path *path, const struct target_fields *f,
                   struct metric_target *ret) {
    if (f->type == TARGET_VALUE && f->value.found)
        *ret = of_quantity(TARGET_VALUE, &f->value);
    else if (f->type == TARGET_AVERAGE_VALUE && f->average.found)
        *ret = of_quantity(TARGET_AVERAGE_VALUE, &f->average);
    else if (f->type == TARGET_VALUE)
        return read_error(r, path, "value", "is missing: target.type Value needs it");
    else if (f->type == TARGET_AVERAGE_VALUE)
        return read_error(r, path, "averageValue", "is missing: target.type AverageValue needs it");
    else
        return read_error(r, path, "type", "must be Value or AverageValue");
    return 0;
}

/* HPA never looks at target.type here. */
static int of_resource(struct reader *r, const struct path *path, const struct target_fields *f,
                       struct metric_target *ret) {
    if (f->average.found) {
        *ret = of_quantity(TARGET_AVERAGE_VALUE, &f->average);
    } else if (f->utilization > 0) {
        *ret = (struct metric_target){.type = TARGET_UTILIZATION, .utilization = f->utilization};
        ret->text = arena_printf(r->arena, "%" PRId32 "%%", f->utilization);
    } else {
        return read_error(r, path, NULL, "set exactly one of averageUtilization and averageValue");
    }
    return 0;
}

static int of_pods(struct reader *r, const struct path *path, const struct target_fields *f,
                   struct metric_target *ret) {
    if (!f->average.found)
        return read_error(r, path, "averageValue", "is missing: a Pods metric is averaged over the pods");
    *ret = of_quantity(TARGET_AVERAGE_VALUE, &f->average);
    return 0;
}

static int of_external(struct reader *r, const struct path *path, const struct target_fields *f,
                       struct metric_target *ret) {
    if (f->average.found)
        *ret = of_quantity(TARGET_AVERAGE_VALUE, &f->average);
    else if (f->value.found)
        *ret = of_quantity(TARGET_VALUE, &f->value);
    else
        return read_error(r, path, NULL, "set exactly one of value and averageValue");
    return 0;
}

/* Which rule is whose; a metric of unknown type never gets here. */
static int choose(struct reader *r, const struct path *path, const struct target_fields *f,
                  struct metric_spec *m) {
    switch (m->type) {
    case METRIC_RESOURCE:
    case METRIC_CONTAINER_RESOURCE:
        return of_resource(r, path, f, &m->target);
    case METRIC_PODS:
        return of_pods(r, path, f, &m->target);
    case METRIC_EXTERNAL:
        return of_external(r, path, f, &m->target);
    case METRIC_OBJECT:
    case METRIC_PROMETHEUS:
    case METRIC_WORKLOAD:
    case METRIC_UNKNOWN:
        break;
    }
    return by_type(r, path, f, &m->target);
}

int policy_read_target(struct reader *r, const json_t *parent, const struct path *up, struct metric_spec *m) {
    struct path path = {up, "target", 0};
    struct err why = {0};
    struct reader alone = {r->arena, &why, r->hpa};
    struct target_fields f;
    int e = read_fields(r, parent, &path, &f);

    if (e < 0)
        return e;
    /* HPA finds out that a target of its five types lacks a field when it computes the metric; of our own the
     * schema has promised it. */
    if (m->type > METRIC_EXTERNAL)
        return choose(r, &path, &f, m);
    if (choose(&alone, &path, &f, m) < 0)
        m->invalid = arena_strdup(r->arena, err_text(&why));
    return 0;
}
