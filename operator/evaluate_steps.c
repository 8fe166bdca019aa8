/* Recorded cases of a single step: the pure functions of the decision, one by one.
 *
 * They were recorded from the unit tests of HPA's controller, which call one function with a few numbers; a
 * case has what that function was given, in `input`, beside the objects that its arguments came from. So a
 * step answers with HPA's fields and not with a decision's, and asks nothing that its function does not. */
#include "operator/evaluate_steps.h"
#include "api/types/quantity.h"
#include "autoscaler/stages.h"
#include "base/str.h"
#include "operator/evaluate.h"
#include "operator/evaluate_metrics.h"

#include <errno.h>
#include <inttypes.h>

const json_t *step_input(const struct evaluate_case *c, const char *key) {
    return json_path2(c->recorded, "input", key);
}

const char *step_text(const struct evaluate_case *c, const char *key) {
    const char *text = json_string_value(step_input(c, key));

    return text && *text ? text : NULL;
}

int step_int(const struct evaluate_case *c, const char *key, int32_t *ret_value, struct err *err) {
    const char *field = arena_printf(c->arena, "input.%s", key);

    if (!json_is_integer(step_input(c, key)))
        return place_error(c->place, field, err, "a whole number is expected");
    return case_int(c->place, json_object_get(c->recorded, "input"), key, field, ret_value, err);
}

/* The case itself stands in for an item of a metric list: the value is read, and refused, in the same way. */
int step_milli(const struct evaluate_case *c, const char *field, const json_t *value, int64_t *ret,
               struct err *err) {
    struct metric_item item = {.json = c->recorded, .place = c->place, .prefix = ""};

    return item_quantity(&item, field, value, ret, err);
}

json_t *step_milli_json(int64_t milli) {
    return json_sprintf("%" PRId64 "m", milli);
}

json_t *step_error_json(const char *message) {
    return json_pack("{s:b, s:s}", "error", 1, "errorMessage", message);
}

json_t *step_time_json(usec_t t) {
    char text[CLOCK_TEXT_MAX];

    return json_string(clock_format(t, text));
}

/* ---- limits, stabilization, events ---- */

struct numbers {
    int32_t current, desired;
};

static int read_numbers(const struct evaluate_case *c, struct numbers *ret, struct err *err) {
    int r = step_int(c, "currentReplicas", &ret->current, err);

    return r < 0 ? r : step_int(c, "desiredReplicas", &ret->desired, err);
}

/* reason and message are those of the condition ScalingLimited. */
static int step_limit(struct evaluate_case *c, json_t **ret_result, struct err *err) {
    struct limit_input in = {.spec = &c->spec, .flags = &c->flags, .history = &c->history, .now = c->in.now};
    struct limited limited;
    struct numbers n = {0};

    if (read_numbers(c, &n, err) < 0)
        return -EINVAL;
    in.current = n.current;
    in.desired = n.desired;
    if (str_eq(c->level, "rate"))
        limit_behavior(&in, &limited);
    else
        limit_plain(&in, &limited);
    *ret_result = json_pack("{s:i, s:s, s:s}", "desiredReplicas", (int)limited.replicas, "reason",
                            limited.reason, "message", str_or_empty(limited.message));
    return 0;
}

/* One direction's policies alone, without the bounds. */
static int step_policy_limit(struct evaluate_case *c, json_t **ret_result, struct err *err) {
    struct numbers n = {0};

    if (read_numbers(c, &n, err) < 0)
        return -EINVAL;
    int32_t limit = str_eq(c->level, "policyLimitUp")
                        ? behavior_limit_up(&c->spec.up, &c->history, n.current, c->in.now)
                        : behavior_limit_down(&c->spec.down, &c->history, n.current, c->in.now);
    *ret_result = json_pack("{s:i}", "limit", (int)limit);
    return 0;
}

/* reasonIfChanged is only there where the number changed: nothing is promised of the reason otherwise. */
static int step_stabilize(struct evaluate_case *c, json_t **ret_result, struct err *err) {
    struct stabilized s = {0};
    struct numbers n = {0};

    if (read_numbers(c, &n, err) < 0)
        return -EINVAL;
    if (str_eq(c->level, "stabilizeBehavior"))
        stabilize_behavior(&c->history, stabilize_windows(&c->spec, &c->flags), n.current, n.desired,
                           c->in.now, &s);
    else
        stabilize_plain(&c->history, n.desired, c->in.now, c->flags.downscale_stabilization, &s);
    *ret_result = json_pack("{s:i, s:o}", "desiredReplicas", (int)s.replicas, "historyAfter",
                            history_json(&c->history));
    if (s.replicas != n.desired)
        json_object_set_new(*ret_result, "reasonIfChanged", json_string(s.reason));
    return 0;
}

/* What is in the window is counted before the new event is stored, strictly newer than its start; HPA's own
 * test asks for a window of 60 s, whatever the periods of the policies are. */
static int step_store_event(struct evaluate_case *c, json_t **ret_result, struct err *err) {
    const usec_t window = USEC_PER_MIN;
    struct numbers n = {0};
    int64_t change = 0;

    if (read_numbers(c, &n, err) < 0)
        return -EINVAL;
    const struct history_list *list = n.desired > n.current ? &c->history.up_events : &c->history.down_events;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].at > c->in.now - window)
            change += list->items[i].value;
    history_store_scale(&c->history, &c->spec, n.current, n.desired, c->in.now);
    *ret_result = json_pack("{s:I, s:o}", "changeInLast60s", (json_int_t)change, "historyAfter",
                            history_json(&c->history));
    return 0;
}

/* ---- one metric ---- */

/* The raw proposal: no bound has been looked at, and what it says is in use is from before missing and
 * unready pods were filled in. */
static int step_metric(struct evaluate_case *c, json_t **ret_result, struct err *err) {
    struct proposal p;

    if (c->spec.metric_count == 0)
        return place_error(c->place, "objects", err, "a metric is expected");
    propose(&c->in, 0, c->arena, &p);
    if (!p.valid) {
        *ret_result = step_error_json(str_or_empty(p.failure));
        return 0;
    }
    json_t *result = json_pack("{s:b, s:i}", "error", 0, "desiredReplicas", (int)p.replicas);
    if (c->spec.metrics[0].target.type == TARGET_UTILIZATION) {
        json_object_set_new(result, "averageUtilization", json_integer(p.utilization));
        json_object_set_new(result, "averageValue", step_milli_json(p.current_milli));
        json_object_set_new(result, "metricTimestamp", step_time_json(c->first_at[0]));
    } else {
        json_object_set_new(result, "usage", step_milli_json(p.current_milli));
    }
    *ret_result = result;
    return 0;
}

/* As a status shows it: memory in powers of two. */
static int step_quantity(struct evaluate_case *c, json_t **ret_result, struct err *err) {
    bool memory = str_eq(step_text(c, "resource"), "memory");
    char text[QUANTITY_TEXT_MAX];
    int64_t milli;

    if (step_milli(c, "input.milli", step_input(c, "milli"), &milli, err) < 0)
        return -EINVAL;
    quantity_write(milli, memory ? QUANTITY_BINARY_SI : QUANTITY_DECIMAL_SI, text);
    *ret_result = json_pack("{s:s}", "quantity", text);
    return 0;
}

/* ---- which step ---- */

/* By level. Those that are not of_policy may not look at the case's spec: it may be empty. */
static const struct {
    const char *level;
    step_fn *run;
    bool of_policy; /* works on a policy or HPA */
} steps[] = {
    {"metric", step_metric, true},
    {"rate", step_limit, true},
    {"limits", step_limit, true},
    {"policyLimitUp", step_policy_limit, true},
    {"policyLimitDown", step_policy_limit, true},
    {"stabilize", step_stabilize, true},
    {"stabilizeBehavior", step_stabilize, true},
    {"storeEvent", step_store_event, true},
    {"groupPods", step_group_pods, false},
    {"requests", step_requests, false},
    {"quantity", step_quantity, false},
    {"ratio", step_ratio, false},
    {"metricsClient", step_metrics_client, false},
};

int case_step(struct evaluate_case *c, json_t **ret_result, struct err *err) {
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (!str_eq(steps[i].level, c->level))
            continue;
        if (steps[i].of_policy && !c->subject)
            return place_error(c->place, "objects", err,
                               "an AutoscalingPolicy or a HorizontalPodAutoscaler is expected");
        int ret = steps[i].run(c, ret_result, err);
        if (ret == 0)
            json_object_set_new(*ret_result, "name", json_string(c->name));
        return ret;
    }
    return place_error(c->place, "level", err,
                       "\"%s\" is none that is known: reconcile, metric, or a single step", c->level);
}
