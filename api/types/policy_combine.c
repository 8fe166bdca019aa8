/* What is made of the metrics together, beyond HPA's largest proposal: spec.formula, spec.activation and
 * spec.fallback. */
#include "api/types/policy_read.h"

/* Holding is what happens without a fallback too: a number that holding would not look at is a mistake. */
static int check_fallback(struct reader *r, const struct path *path, const struct policy_fallback *f) {
    if (f->behavior == FALLBACK_HOLD && f->replicas >= 0)
        return read_error(r, path, "replicas",
                          "counts for nothing with behavior Hold: set behavior to Static, AtLeast or AtMost, "
                          "or remove replicas");
    if (f->behavior != FALLBACK_HOLD && f->replicas < 0)
        return read_error(r, path, "replicas", "is missing: behavior Static, AtLeast and AtMost need it");
    return 0;
}

/* whenMissing Fallback sends a metric to spec.fallback, which must then be there. */
static int check_when_missing(struct reader *r, const struct path *up, const struct policy_spec *s) {
    struct path metrics = {up, "metrics", 0};

    for (uint32_t i = 0; i < s->metric_count; i++) {
        struct path at = {&metrics, NULL, i};
        if (s->metrics[i].when_missing == MISSING_FALLBACK && !s->has_fallback)
            return read_error(r, &at, "whenMissing", "Fallback needs spec.fallback: add it");
    }
    return 0;
}

int policy_read_fallback(struct reader *r, const json_t *spec, const struct path *up,
                         struct policy_spec *ret) {
    static const char *const behaviors[] = {"Hold", "Static", "AtLeast", "AtMost"};
    struct path path = {up, "fallback", 0};
    const json_t *fallback = NULL;
    int behavior = FALLBACK_HOLD, e = read_object(r, spec, &path, false, &fallback);

    /* A minute: four of HPA's rounds, longer than a source needs to start again. */
    ret->fallback = (struct policy_fallback){.after = USEC_PER_MIN, .replicas = -1};
    if (e < 0)
        return e;
    ret->has_fallback = fallback != NULL;
    if (!fallback)
        return check_when_missing(r, up, ret);
    e = read_duration(r, fallback, &path, "after", (struct read_range){0, 24 * USEC_PER_HOUR},
                      &ret->fallback.after);
    if (e == 0)
        e = read_int(r, fallback, &path, "replicas", (struct read_range){0, INT32_MAX},
                     &ret->fallback.replicas);
    if (e == 0)
        e = read_word(r, fallback, &path, "behavior", (struct read_words){behaviors, 4}, &behavior);
    ret->fallback.behavior = (enum fallback_behavior)behavior;
    return e < 0 ? e : check_fallback(r, &path, &ret->fallback);
}

/* Whether some metric has a value while there are no pods, of those with an activation or of all. */
static bool some_at_zero(const struct policy_spec *s, bool with_activation) {
    for (uint32_t i = 0; i < s->metric_count; i++)
        if (metric_at_zero(s->metrics[i].type) && (s->metrics[i].has_activation || !with_activation))
            return true;
    return false;
}

#define AT_ZERO "needs a metric that exists without pods: "
#define TYPES_AT_ZERO "one of type Prometheus, Object, External or Workload"

/* At 0 only a metric that does not come from the pods can tell that there is work. A window that is closed
 * for all wakes by its end. */
static int check_floors(struct reader *r, const struct path *up, const struct policy_spec *s) {
    struct path schedules = {up, "schedules", 0};

    if (some_at_zero(s, false))
        return 0;
    if (s->min_replicas == 0)
        return read_error(r, up, "minReplicas", "0 " AT_ZERO "add " TYPES_AT_ZERO ", or set it to 1 or more");
    for (uint32_t i = 0; i < s->schedule_count; i++) {
        struct path at = {&schedules, NULL, i};
        if (s->schedules[i].min_replicas == 0 && s->schedules[i].max_replicas != 0)
            return read_error(r, &at, "minReplicas",
                              "0 " AT_ZERO "add " TYPES_AT_ZERO
                              ", or set maxReplicas of the window to 0 too");
    }
    return 0;
}

/* An activation on a metric is enough; spec.activation only says how long to wait, up to a week. */
int policy_read_activation(struct reader *r, const json_t *spec, const struct path *up,
                           struct policy_spec *ret) {
    struct path path = {up, "activation", 0};
    const json_t *activation = NULL;
    bool by_metrics = false;
    int e = read_object(r, spec, &path, false, &activation);

    ret->activation = (struct policy_activation){.given = activation != NULL, .after = 5 * USEC_PER_MIN};
    for (uint32_t i = 0; i < ret->metric_count; i++)
        by_metrics |= ret->metrics[i].has_activation;
    ret->activation.given |= by_metrics;
    if (e == 0 && activation)
        e = read_duration(r, activation, &path, "after", (struct read_range){0, 168 * USEC_PER_HOUR},
                          &ret->activation.after);
    if (e == 0)
        e = check_floors(r, up, ret);
    /* Where metrics have an activation, they alone wake the workload. */
    if (e == 0 && ret->activation.given && !some_at_zero(ret, by_metrics))
        return read_error(r, &path, NULL,
                          AT_ZERO "give " TYPES_AT_ZERO " an activation, or remove every activation");
    return e;
}

/* Parsed here, so that a wrong one is a wrong spec, told with its position, and not a decision that fails. */
int policy_read_formula(struct reader *r, const json_t *spec, const struct path *up,
                        struct policy_spec *ret) {
    const char *names[POLICY_METRICS_MAX] = {0}; /* policy_read_metrics has refused more */
    struct err why = {0};
    int e = read_string(r, spec, up, "formula", &ret->formula_text);

    if (e < 0 || !ret->formula_text)
        return e;
    /* Indexes of names are indexes of metrics: those without a name are NULL and never found. */
    for (uint32_t i = 0; i < ret->metric_count; i++)
        names[i] = ret->metrics[i].name;
    if (formula_parse(ret->formula_text, names, ret->metric_count, r->arena, &ret->formula, &why) < 0)
        return read_error(r, up, "formula", "%s", err_text(&why));
    return 0;
}
