/* The fields that an AutoscalingPolicy and a HorizontalPodAutoscaler have, and the search for one they do
 * not. An API server prunes such fields or refuses them; a file that comes past it may have any misspelling.
 * The tables are in the order of crds/autoscalingpolicies.yaml, and operator/tests/test_definition.c holds
 * them against it. */
#include "api/types/policy_read.h"
#include "base/str.h"

#include <string.h>

/* One field that an object may have; a list of them ends with one without a name. */
struct field {
    const char *name;
    const struct field *of; /* what the object in it, or each of a list, may have; NULL: not looked into */
    bool ours;              /* not of autoscaling/v2 */
};

static const struct field reference[] = {{.name = "apiVersion"}, {.name = "kind"}, {.name = "name"}, {0}};

/* ---- metrics ---- */

static const struct field requirement[] = {{.name = "key"}, {.name = "operator"}, {.name = "values"}, {0}};

static const struct field selector[] = {
    {.name = "matchLabels"},
    {.name = "matchExpressions", .of = requirement},
    {0},
};

static const struct field identifier[] = {{.name = "name"}, {.name = "selector", .of = selector}, {0}};

static const struct field hpa_target[] = {
    {.name = "type"}, {.name = "value"}, {.name = "averageValue"}, {.name = "averageUtilization"}, {0}};

/* Neither a query's value nor a count is a part of what was requested. */
static const struct field own_target[] = {{.name = "type"}, {.name = "value"}, {.name = "averageValue"}, {0}};

static const struct field workload[] = {
    {.name = "count"},
    {.name = "selector", .of = selector},
    {.name = "target", .of = own_target},
    {0},
};

static const struct field prometheus[] = {
    {.name = "query"}, {.name = "source"}, {.name = "combine"}, {.name = "target", .of = own_target}, {0}};

static const struct field resource[] = {{.name = "name"}, {.name = "target", .of = hpa_target}, {0}};

static const struct field container_resource[] = {
    {.name = "container"}, {.name = "name"}, {.name = "target", .of = hpa_target}, {0}};

/* Pods and External. */
static const struct field identified[] = {
    {.name = "metric", .of = identifier},
    {.name = "target", .of = hpa_target},
    {0},
};

static const struct field object[] = {
    {.name = "describedObject", .of = reference},
    {.name = "metric", .of = identifier},
    {.name = "target", .of = hpa_target},
    {0},
};

static const struct field metric[] = {
    {.name = "type"},
    {.name = "name", .ours = true},
    {.name = "maxAge", .ours = true},
    {.name = "activation", .ours = true},
    {.name = "whenMissing", .ours = true},
    {.name = "workload", .of = workload, .ours = true},
    {.name = "prometheus", .of = prometheus, .ours = true},
    {.name = "resource", .of = resource},
    {.name = "containerResource", .of = container_resource},
    {.name = "pods", .of = identified},
    {.name = "object", .of = object},
    {.name = "external", .of = identified},
    {0},
};

/* ---- the other parts ---- */

static const struct field scaling_policy[] = {
    {.name = "type"}, {.name = "value"}, {.name = "periodSeconds"}, {0}};

static const struct field rules[] = {
    {.name = "stabilizationWindowSeconds"},
    {.name = "selectPolicy"},
    {.name = "policies", .of = scaling_policy},
    {.name = "tolerance"},
    {0},
};

static const struct field behavior[] = {
    {.name = "scaleUp", .of = rules}, {.name = "scaleDown", .of = rules}, {0}};

static const struct field pause_fields[] = {
    {.name = "until"}, {.name = "direction"}, {.name = "replicas"}, {0}};

static const struct field activation[] = {{.name = "after"}, {0}};

static const struct field fallback[] = {{.name = "after"}, {.name = "replicas"}, {.name = "behavior"}, {0}};

static const struct field schedule[] = {
    {.name = "name"},        {.name = "timeZone"}, {.name = "start"},
    {.name = "end"},         {.name = "duration"}, {.name = "minReplicas"},
    {.name = "maxReplicas"}, {.name = "except"},   {0},
};

static const struct field spec_fields[] = {
    {.name = "scaleTargetRef", .of = reference},
    {.name = "minReplicas"},
    {.name = "maxReplicas"},
    {.name = "metrics", .of = metric},
    {.name = "behavior", .of = behavior},
    {.name = "mode", .ours = true},
    {.name = "pause", .of = pause_fields, .ours = true},
    {.name = "formula", .ours = true},
    {.name = "activation", .of = activation, .ours = true},
    {.name = "fallback", .of = fallback, .ours = true},
    {.name = "schedules", .of = schedule, .ours = true},
    {.name = "interval", .ours = true},
    {0},
};

static const struct field document_fields[] = {
    {.name = "apiVersion"},
    {.name = "kind"},
    {.name = "metadata"}, /* has many fields, and those that matter here are few */
    {.name = "spec", .of = spec_fields},
    {.name = "status"}, /* nobody writes it by hand */
    {0},
};

/* ---- what was meant ---- */

enum { MEANT_MAX = 40 }; /* bytes of a name that a hint is looked for; the longest field has 26 */

/* The nearest field, where no more than about a quarter of the letters is wrong; else NULL. */
static const char *nearest(const char *key, const struct field *fields, bool hpa) {
    const char *best = NULL;
    unsigned best_distance = 0;

    if (strlen(key) > MEANT_MAX)
        return NULL;
    for (const struct field *f = fields; f->name; f++) {
        unsigned d = str_distance(key, f->name);
        if (d <= 1 + strlen(f->name) / 4 && (!best || d < best_distance) && !(hpa && f->ours)) {
            best = f->name;
            best_distance = d;
        }
    }
    return best;
}

/* ---- the search ---- */

/* at is the place of the field; ours: it would be one in a policy. */
static int refuse(struct reader *r, const struct path *at, const struct field *fields, bool ours) {
    const char *meant = nearest(at->name, fields, r->hpa);
    char all[240] = "";
    size_t n = 0;

    if (ours)
        return read_error(r, at, NULL, "unknown field: only an AutoscalingPolicy has it");
    if (meant)
        return read_error(r, at, NULL, "unknown field: did you mean %s?", meant);
    for (const struct field *f = fields; f->name && n < sizeof(all); f++)
        if (!(r->hpa && f->ours))
            n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n ? ", " : "", f->name);
    return read_error(r, at, NULL, "unknown field: the fields here are %s", all);
}

static int check_object(struct reader *r, const json_t *value, const struct path *up,
                        const struct field *fields);

/* An object, or each element of a list; what should be one and is not is the reader's to refuse. */
static int check_value(struct reader *r, const json_t *value, const struct path *path,
                       const struct field *fields) {
    const json_t *item;
    size_t i;

    json_array_foreach(value, i, item) {
        struct path at = {path, NULL, i};
        int e = check_object(r, item, &at, fields);
        if (e < 0)
            return e;
    }
    return check_object(r, value, path, fields);
}

static const struct field *find(const struct field *fields, const char *key) {
    while (fields->name && strcmp(fields->name, key) != 0)
        fields++;
    return fields->name ? fields : NULL;
}

/* up is NULL for the document itself. The tables nest a few levels deep, so that no document recurses on. */
static int check_object(struct reader *r, const json_t *value, const struct path *up,
                        const struct field *fields) {
    const char *key;
    json_t *member;

    json_object_foreach((json_t *)(uintptr_t)value, key, member) {
        const struct path at = {up, key, 0};
        const struct field *f = find(fields, key);
        int e = 0;
        if (!f || (r->hpa && f->ours))
            e = refuse(r, &at, fields, f != NULL);
        else if (f->of)
            e = check_value(r, member, &at, f->of);
        if (e < 0)
            return e;
    }
    return 0;
}

int policy_check_fields(const json_t *document, bool hpa, struct err *err) {
    struct reader r = {NULL, err, hpa};

    return check_object(&r, document, NULL, document_fields);
}
