/* AutoscalingPolicy: from the document to the cached object; spec's own fields, and status. */
#include "api/types/policy.h"
#include "api/types/policy_read.h"
#include <errno.h>
#include <string.h>

int policy_read_reference(struct reader *r, const json_t *parent, const struct path *path,
                          struct object_reference *ret) {
    const json_t *object = NULL;
    int e = read_object(r, parent, path, true, &object);

    ret->api_version = "";
    if (e == 0)
        e = read_string(r, object, path, "apiVersion", &ret->api_version);
    if (e == 0)
        e = read_required_string(r, object, path, "kind", &ret->kind);
    return e < 0 ? e : read_required_string(r, object, path, "name", &ret->name);
}

static int read_limits(struct reader *r, const json_t *spec, const struct path *path, struct policy_spec *s) {
    int e = read_int(r, spec, path, "minReplicas", (struct read_range){0, INT32_MAX}, &s->min_replicas);

    if (e == 0)
        e = read_int(r, spec, path, "maxReplicas", (struct read_range){1, INT32_MAX}, &s->max_replicas);
    if (e < 0)
        return e;
    if (s->max_replicas == 0)
        return read_error(r, path, "maxReplicas", "is missing: add it");
    if (s->min_replicas > s->max_replicas)
        return read_error(r, path, "minReplicas",
                          "must not be above maxReplicas: lower minReplicas or raise maxReplicas");
    return 0;
}

static int check_pause(struct reader *r, const struct path *path, const struct policy_spec *s) {
    if (s->pause.replicas < 0)
        return 0;
    if (s->pause.direction != PAUSE_BOTH)
        return read_error(r, path, "replicas",
                          "fixes the number in both directions: remove it, or set direction to Both");
    if (s->pause.replicas < s->min_replicas || s->pause.replicas > s->max_replicas)
        return read_error(r, path, "replicas", "must lie between minReplicas and maxReplicas");
    return 0;
}

static int read_pause(struct reader *r, const json_t *spec, const struct path *up, struct policy_spec *s) {
    static const char *const directions[] = {"Both", "Up", "Down"};
    struct path path = {up, "pause", 0};
    const json_t *pause = NULL;
    const char *until = NULL;
    int direction = PAUSE_BOTH, e = read_object(r, spec, &path, false, &pause);

    s->pause.replicas = -1;
    if (e < 0 || !pause)
        return e;
    s->has_pause = true;
    e = read_word(r, pause, &path, "direction", (struct read_words){directions, 3}, &direction);
    if (e == 0)
        e = read_string(r, pause, &path, "until", &until);
    if (e == 0)
        e = read_int(r, pause, &path, "replicas", (struct read_range){0, INT32_MAX}, &s->pause.replicas);
    if (e < 0)
        return e;
    s->pause.direction = (enum pause_direction)direction;
    if (until && clock_parse(until, &s->pause.until) < 0)
        return read_error(r, &path, "until", "must be a time such as 2027-01-31T08:00:00Z");
    return check_pause(r, &path, s);
}

static bool works_without_pods(enum metric_type type) {
    return type == METRIC_PROMETHEUS || type == METRIC_OBJECT || type == METRIC_EXTERNAL;
}

static int check_zero(struct reader *r, const struct path *path, const struct policy_spec *s) {
    if (s->min_replicas > 0)
        return 0;
    for (uint32_t i = 0; i < s->metric_count; i++)
        if (works_without_pods(s->metrics[i].type))
            return 0;
    return read_error(
        r, path, "minReplicas",
        "0 needs a metric of type Prometheus, Object or External: add one, or set it to 1 or more");
}

static int read_mode(struct reader *r, const json_t *spec, const struct path *path, struct policy_spec *s) {
    static const char *const modes[] = {"Active", "Preview"};
    int mode = MODE_ACTIVE, e = read_word(r, spec, path, "mode", (struct read_words){modes, 2}, &mode);

    s->mode = (enum policy_mode)mode;
    return e;
}

int policy_read_spec(const json_t *spec, struct arena *arena, struct policy_spec *ret_spec, struct err *err) {
    struct reader r = {arena, err};
    struct path path = {NULL, "spec", 0}, target = {&path, "scaleTargetRef", 0};
    struct policy_spec s = {.min_replicas = 1};
    int e;

    if (!json_is_object(spec))
        return read_error(&r, &path, NULL, "is missing: add it");
    e = policy_read_reference(&r, spec, &target, &s.target);
    if (e == 0)
        e = read_limits(&r, spec, &path, &s);
    if (e == 0)
        e = policy_read_metrics(&r, spec, &path, &s);
    if (e == 0)
        e = policy_read_behavior(&r, spec, &path, &s);
    if (e == 0)
        e = read_mode(&r, spec, &path, &s);
    if (e == 0)
        e = read_pause(&r, spec, &path, &s);
    if (e == 0)
        e = read_duration(&r, spec, &path, "interval",
                          (struct read_range){100 * USEC_PER_MSEC, USEC_PER_HOUR}, &s.interval);
    if (e == 0)
        e = check_zero(&r, &path, &s);
    if (e == 0)
        *ret_spec = s;
    return e;
}

static usec_t status_time(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    usec_t t = 0;

    return text && clock_parse(text, &t) == 0 ? t : 0;
}

static int32_t status_int(const json_t *object, const char *key) {
    json_int_t v = json_integer_value(json_object_get(object, key));

    return v < 0 || v > INT32_MAX ? 0 : (int32_t)v;
}

static const char *status_text(const json_t *object, const char *key, struct arena *arena) {
    const char *text = json_string_value(json_object_get(object, key));

    return text ? arena_strdup(arena, text) : "";
}

void policy_read_status(const json_t *status, struct arena *arena, struct policy_status *ret_status) {
    enum { CONDITIONS_MAX = 64 };
    const json_t *list = json_object_get(status, "conditions"), *item;
    size_t count = json_array_size(list), i;

    *ret_status = (struct policy_status){
        .observed_generation = json_integer_value(json_object_get(status, "observedGeneration")),
        .current_replicas = status_int(status, "currentReplicas"),
        .desired_replicas = status_int(status, "desiredReplicas"),
        .last_scale_time = status_time(status, "lastScaleTime"),
    };
    if (count == 0 || count > CONDITIONS_MAX)
        return;
    ret_status->conditions = ARENA_ARRAY(arena, struct condition, count);
    json_array_foreach(list, i, item) {
        struct condition *c = &ret_status->conditions[ret_status->condition_count];
        c->type = status_text(item, "type", arena);
        c->status = status_text(item, "status", arena);
        c->reason = status_text(item, "reason", arena);
        c->message = status_text(item, "message", arena);
        c->last_transition = status_time(item, "lastTransitionTime");
        ret_status->condition_count += c->type[0] != '\0';
    }
}

static const char *member_text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static struct policy_object *policy_new(const json_t *metadata, struct str_pool *pool) {
    struct object_names names = {
        .ns = member_text(metadata, "namespace"),
        .name = member_text(metadata, "name"),
        .uid = member_text(metadata, "uid"),
        .resource_version = member_text(metadata, "resourceVersion"),
    };
    struct object *o = object_new(OBJECT_POLICY, pool, &names);

    o->generation = json_integer_value(json_object_get(metadata, "generation"));
    o->deleting = json_is_string(json_object_get(metadata, "deletionTimestamp"));
    return (struct policy_object *)o;
}

static bool is_name(const json_t *value) {
    enum { NAME_MAX_LENGTH = 253 };

    return json_string_length(value) > 0 && json_string_length(value) <= NAME_MAX_LENGTH;
}

int policy_from_json(const json_t *document, struct str_pool *pool, struct policy_object **ret_policy,
                     struct err *err) {
    const json_t *metadata = json_object_get(document, "metadata");
    json_t *status = json_object_get(document, "status");
    struct policy_object *p;

    if (!is_name(json_object_get(metadata, "name")) || !is_name(json_object_get(metadata, "namespace")))
        return err_set(err, -EINVAL, "an AutoscalingPolicy without metadata.name or metadata.namespace");
    p = policy_new(metadata, pool);
    arena_init(&p->arena, 1024);
    if (policy_read_spec(json_object_get(document, "spec"), &p->arena, &p->spec, &p->invalid) == 0)
        err_clear(&p->invalid);
    policy_read_status(status, &p->arena, &p->status);
    if (json_is_object(status))
        p->status_json = json_incref(status);
    *ret_policy = p;
    return 0;
}
