/* spec: the workload, the limits, and the fields that say when nothing is written; and the order in which the
 * parts are read. */
#include "api/types/policy_read.h"

/* Without apiVersion it is a kind of the core group, "" as HPA has it. */
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

/* 1 below and no default above, as in autoscaling/v2. */
static int read_limits(struct reader *r, const json_t *spec, const struct path *path, struct policy_spec *s) {
    int e;

    s->min_replicas = 1;
    e = read_int(r, spec, path, "minReplicas", (struct read_range){0, INT32_MAX}, &s->min_replicas);
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

/* A fixed number is a pause of both directions, and no way past the limits. */
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

/* Until when it holds is not looked at here: the same spec must read the same at any time. */
static int read_pause(struct reader *r, const json_t *spec, const struct path *up, struct policy_spec *s) {
    /* In the order of enum pause_direction. */
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

/* Active writes what was decided, Preview only shows it. */
static int read_mode(struct reader *r, const json_t *spec, const struct path *path, struct policy_spec *s) {
    static const char *const modes[] = {"Active", "Preview"};
    int mode = MODE_ACTIVE, e = read_word(r, spec, path, "mode", (struct read_words){modes, 2}, &mode);

    s->mode = (enum policy_mode)mode;
    return e;
}

static int read_target_ref(struct reader *r, const json_t *spec, const struct path *up,
                           struct policy_spec *s) {
    struct path path = {up, "scaleTargetRef", 0};

    return policy_read_reference(r, spec, &path, &s->target);
}

/* Faster than a tenth of a second no source has anything new to say. */
static int read_interval(struct reader *r, const json_t *spec, const struct path *path,
                         struct policy_spec *s) {
    return read_duration(r, spec, path, "interval", (struct read_range){100 * USEC_PER_MSEC, USEC_PER_HOUR},
                         &s->interval);
}

/* The first count parts, in order, up to the first that is wrong. */
static int read_parts(struct reader *r, const json_t *spec, policy_part_fn *const *parts, size_t count,
                      struct policy_spec *ret_spec) {
    struct path path = {NULL, "spec", 0};
    struct policy_spec s = {0}; /* the caller's is only touched when all is well */

    if (!json_is_object(spec))
        return read_error(r, &path, NULL, "is missing: add it");
    for (size_t i = 0; i < count; i++) {
        int e = parts[i](r, spec, &path, &s);
        if (e < 0)
            return e;
    }
    *ret_spec = s;
    return 0;
}

/* In this order: what is held against another part is read behind it. */
int policy_read_spec(const json_t *spec, struct arena *arena, struct policy_spec *ret_spec, struct err *err) {
    static policy_part_fn *const parts[] = {
        read_target_ref,
        read_limits,
        policy_read_metrics,
        policy_read_behavior,
        read_mode,
        read_pause,
        read_interval,
        policy_read_schedules,
        policy_read_activation,
        policy_read_fallback,
        policy_read_formula,
    };
    struct reader r = {arena, err, false};

    return read_parts(&r, spec, parts, sizeof(parts) / sizeof(parts[0]), ret_spec);
}

/* What is not read is as in a policy that does not have it. */
int hpa_read_spec(const json_t *spec, struct arena *arena, struct policy_spec *ret_spec, struct err *err) {
    static policy_part_fn *const parts[] = {
        read_target_ref,
        read_limits,
        policy_read_metrics,
        policy_read_behavior,
    };
    struct reader r = {arena, err, true};
    int e = read_parts(&r, spec, parts, sizeof(parts) / sizeof(parts[0]), ret_spec);

    if (e < 0)
        return e;
    ret_spec->pause.replicas = ret_spec->fallback.replicas = -1;
    return 0;
}
