/* What a recorded case brings along beside its objects: flags, clock and history. Of plain objects there is
 * none of it, and the defaults and the flags of the command line count.
 *
 * A value that cannot be read is refused with its line, and no default taken in its place: decided with
 * another flag or clock than it gives, a case would agree or differ by chance. */
#include "api/types/quantity.h"
#include "autoscaler/stages.h"
#include "base/str.h"
#include "operator/evaluate.h"

#include <errno.h>

int case_int(const struct place *place, const json_t *object, const char *key, const char *field,
             int32_t *ret_value, struct err *err) {
    const json_t *value = json_object_get(object, key);

    if (!value || json_is_null(value))
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < INT32_MIN ||
        json_integer_value(value) > INT32_MAX)
        return place_error(place, field, err, "a whole number is expected");
    *ret_value = (int32_t)json_integer_value(value);
    return 0;
}

/* ---- flags and the clock ---- */

void evaluate_options_init(struct evaluate_options *options) {
    *options = (struct evaluate_options){.tolerance = -1,
                                         .downscale_stabilization = -1,
                                         .cpu_initialization_period = -1,
                                         .initial_readiness_delay = -1};
}

/* *ret holds the default: the command line's value goes before the case's, and that before it. */
static int read_duration(struct evaluate_case *c, const char *key, usec_t given, usec_t *ret,
                         struct err *err) {
    const json_t *value = json_path2(c->recorded, "flags", key);

    if (given >= 0)
        *ret = given;
    else if (value &&
             (!json_is_string(value) || clock_parse_duration(json_string_value(value), ret) < 0 || *ret < 0))
        return place_error(c->place, arena_printf(c->arena, "flags.%s", key), err,
                           "a duration is expected, such as 300s");
    return 0;
}

/* HPA's recorder writes it as text; a person may write a number. */
static int read_tolerance(struct evaluate_case *c, double given, struct err *err) {
    const json_t *value = json_path2(c->recorded, "flags", "tolerance");
    const char *text = json_string_value(value);

    if (given >= 0)
        c->flags.tolerance = given;
    else if (json_is_number(value))
        c->flags.tolerance = json_number_value(value);
    else if (value && (!text || quantity_parse_double(text, &c->flags.tolerance, NULL) < 0))
        return place_error(c->place, "flags.tolerance", err, "a number is expected, such as 0.1");
    return 0;
}

/* HPA's gates are as a cluster has them where a case does not say otherwise. Single steps are HPA's, also
 * those that come without an object of it. */
static int read_gates(struct evaluate_case *c, struct err *err) {
    const json_t *flags = json_object_get(c->recorded, "flags");
    const json_t *gates = json_object_get(flags, "featureGates");

    c->flags.hpa = c->hpa;
    if (!c->hpa && c->subject)
        return 0;
    c->flags.scale_to_zero = json_is_true(json_object_get(gates, "HPAScaleToZero")) ? ZERO_ON : ZERO_OFF;
    c->flags.no_tolerance_fields = json_is_false(json_object_get(gates, "HPAConfigurableTolerance"));
    c->flags.no_pod_level_resources = json_is_false(json_object_get(gates, "PodLevelResources"));
    return case_int(c->place, flags, "scaleUpLimitFactor", "flags.scaleUpLimitFactor",
                    &c->flags.scale_up_factor, err);
}

/* The defaults are those of kube-controller-manager, and of `trimtab run`. */
static int read_flags(struct evaluate_case *c, const struct evaluate_options *o, struct err *err) {
    struct decide_flags *f = &c->flags;

    *f = (struct decide_flags){.tolerance = 0.1,
                               .downscale_stabilization = 5 * USEC_PER_MIN,
                               .cpu_initialization_period = 5 * USEC_PER_MIN,
                               .initial_readiness_delay = 30 * USEC_PER_SEC};
    int ret = read_tolerance(c, o->tolerance, err);
    if (ret == 0)
        ret = read_duration(c, "downscaleStabilization", o->downscale_stabilization,
                            &f->downscale_stabilization, err);
    if (ret == 0)
        ret = read_duration(c, "cpuInitializationPeriod", o->cpu_initialization_period,
                            &f->cpu_initialization_period, err);
    if (ret == 0)
        ret = read_duration(c, "initialReadinessDelay", o->initial_readiness_delay,
                            &f->initial_readiness_delay, err);
    return ret < 0 ? ret : read_gates(c, err);
}

/* The case's own digits below the second count: edges of windows are tested with them. */
static int read_now(struct evaluate_case *c, const struct evaluate_options *o, struct err *err) {
    const json_t *value = json_object_get(c->recorded, "now");
    const char *text = json_string_value(value);

    c->in.now = o->now;
    if (o->now)
        return 0;
    if (!value || json_is_null(value))
        c->in.now = clock_wall();
    else if (!text || clock_parse(text, &c->in.now) < 0)
        return place_error(c->place, "now", err, "a time is expected, such as 2026-01-01T00:00:00Z");
    return 0;
}

/* ---- history ---- */

static int read_history_entry(struct evaluate_case *c, const json_t *item, const char *key,
                              struct history_entry *ret_entry, struct err *err) {
    const char *at = json_text(item, "timestamp");

    *ret_entry = (struct history_entry){.outdated = json_is_true(json_object_get(item, "outdated"))};
    if (!at || clock_parse(at, &ret_entry->at) < 0)
        return place_error(c->place, "history", err, "every entry needs a timestamp");
    return case_int(c->place, item, key, "history", &ret_entry->value, err);
}

/* In the case's order, which matters: HPA writes over the last outdated entry, wherever it stands. */
static int read_history_list(struct evaluate_case *c, const char *list, const char *key,
                             struct history_list *ret_list, struct err *err) {
    const json_t *items = json_path2(c->recorded, "history", list), *item;
    struct history_entry entry;
    size_t i;

    json_array_foreach(items, i, item) {
        int ret = read_history_entry(c, item, key, &entry, err);
        if (ret < 0)
            return ret;
        history_put(ret_list, -1, entry);
    }
    return 0;
}

/* A list of recommendations that is null is one that never was: then the decision begins it with what the
 * target has now, as HPA's controller does for an HPA that is new to it. An empty one stays empty. */
static int read_history(struct evaluate_case *c, struct err *err) {
    struct history *h = &c->history;

    h->has_recommendations = json_is_array(json_path2(c->recorded, "history", "recommendations"));
    int ret = read_history_list(c, "recommendations", "replicas", &h->recommendations, err);
    if (ret == 0)
        ret = read_history_list(c, "scaleUpEvents", "replicaChange", &h->up_events, err);
    return ret < 0 ? ret : read_history_list(c, "scaleDownEvents", "replicaChange", &h->down_events, err);
}

int case_read_recorded(struct evaluate_case *c, const struct evaluate_options *options, struct err *err) {
    int ret = read_flags(c, options, err);

    if (ret == 0)
        ret = read_now(c, options, err);
    return ret < 0 ? ret : read_history(c, err);
}
