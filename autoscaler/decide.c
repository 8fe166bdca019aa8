/* The decision: runs the stages in the order of the design over what was gathered, and keeps HPA's conditions
 * and events as it goes (reconcileAutoscaler is the model). */
#include "autoscaler/decide.h"
#include "autoscaler/stages.h"
#include <inttypes.h>
#include <string.h>

static void able(struct decide_run *run, const char *status, const char *reason, const char *message) {
    condition_set(run->out, run->in->now, "AbleToScale", status, reason, message);
}

static void active(struct decide_run *run, const char *status, const char *reason, const char *message) {
    condition_set(run->out, run->in->now, "ScalingActive", status, reason, message);
}

/* ---- zero ---- */

/* Whether HPA's HPAScaleToZero rules apply: where the policy may go to 0, or once went there. */
static bool zero_rules(const struct decide_input *in) {
    if (in->flags->scale_to_zero != ZERO_AUTO)
        return in->flags->scale_to_zero == ZERO_ON;
    return in->spec->min_replicas == 0 ||
           condition_find(in->status->conditions, in->status->condition_count, "ScaledToZero") != NULL;
}

/* Metrics that exist without pods. */
static bool has_metric_at_zero(const struct policy_spec *spec) {
    for (uint32_t i = 0; i < spec->metric_count; i++)
        if (spec->metrics[i].type == METRIC_PROMETHEUS || spec->metrics[i].type == METRIC_OBJECT ||
            spec->metrics[i].type == METRIC_EXTERNAL)
            return true;
    return false;
}

/* A workload at 0 is looked after only if this policy put it there: by hand it means "off". */
static bool may_wake(const struct decide_input *in) {
    return zero_rules(in) && condition_true(in->status, "ScaledToZero") &&
           (in->spec->min_replicas != 0 || has_metric_at_zero(in->spec));
}

static void disabled(struct decide_run *run) {
    run->out->steps.path = PATH_DISABLED;
    active(run, "False", "ScalingDisabled",
           "scaling is disabled since the replica count of the target is zero");
    if (!zero_rules(run->in))
        condition_remove(run->out, "ScaledToZero");
}

/* ---- metrics ---- */

/* Prometheus totals by AverageValue need no pods; everything else counts those of the selector. */
static bool needs_selector(const struct policy_spec *spec) {
    for (uint32_t i = 0; i < spec->metric_count; i++)
        if (spec->metrics[i].type != METRIC_PROMETHEUS ||
            spec->metrics[i].target.type != TARGET_AVERAGE_VALUE)
            return true;
    return false;
}

static void compute_failed(struct decide_run *run, const char *message) {
    run->out->failed = true;
    run->out->keep_desired_status = true;
    event_add(run->out, true, "FailedComputeMetricsReplicas", message);
}

static bool selector_fails(struct decide_run *run) {
    const struct decide_input *in = run->in;
    bool missing = !in->scale.selector || in->scale.selector[0] == '\0';
    const char *text = missing ? "selector is required" : in->selector_error;

    if (!needs_selector(in->spec) || (!missing && !in->selector_error))
        return false;
    run->out->steps.path = PATH_SELECTOR;
    active(run, "False", "InvalidSelector",
           missing ? "the target's scale is missing a selector"
                   : arena_printf(run->arena, "the target's selector cannot be read: %s", text));
    event_add(run->out, true, missing ? "SelectorRequired" : "InvalidSelector", text);
    compute_failed(run, text);
    return true;
}

static bool is_pending(const struct decide_input *in) {
    for (uint32_t i = 0; i < in->spec->metric_count; i++)
        if (in->spec->metrics[i].type == METRIC_PROMETHEUS && in->samples[i].quality == QUALITY_PENDING)
            return true;
    return false;
}

static void metric_events(struct decide_run *run) {
    for (uint32_t i = 0; i < run->out->proposal_count; i++) {
        const struct proposal *p = &run->out->proposals[i];
        if (!p->valid)
            event_add(run->out, true, p->failure_reason, p->failure);
    }
}

static void metrics_failed(struct decide_run *run) {
    const struct proposal *first = &run->out->proposals[run->out->steps.combined.first_invalid];

    run->out->steps.path = PATH_FAILED;
    active(run, "False", first->failure_reason,
           arena_printf(run->arena, "the replica count cannot be computed: %s", first->failure));
    compute_failed(
        run, arena_printf(run->arena,
                          "invalid metrics (%" PRIu32 " invalid out of %" PRIu32 "), first error is: %s",
                          run->out->steps.combined.invalid, run->out->proposal_count, first->failure));
}

/* HPA's normalizeDesiredReplicas and normalizeDesiredReplicasWithBehaviors. */
static void normalize(struct decide_run *run, struct history *history) {
    const struct decide_input *in = run->in;
    int32_t current = run->out->current, raw = run->out->steps.combined.replicas;
    struct limit_input limit = {.spec = in->spec, .history = history, .now = in->now, .current = current};

    if (in->spec->has_behavior)
        stabilize_behavior(history, stabilize_windows(in->spec, in->flags), current, raw, in->now,
                           &run->out->steps.stabilized);
    else
        stabilize_plain(history, raw, in->now, in->flags->downscale_stabilization,
                        &run->out->steps.stabilized);
    able(run, "True", run->out->steps.stabilized.reason, run->out->steps.stabilized.message);
    limit.desired = run->out->steps.stabilized.replicas;
    if (in->spec->has_behavior)
        limit_behavior(&limit, &run->out->steps.limited);
    else
        limit_plain(&limit, &run->out->steps.limited);
    condition_set(run->out, in->now, "ScalingLimited", run->out->steps.limited.limited ? "True" : "False",
                  run->out->steps.limited.reason, run->out->steps.limited.message);
    run->out->desired = run->out->steps.limited.replicas;
}

static void compute(struct decide_run *run, struct history *history) {
    struct decision *d = run->out;

    if (selector_fails(run))
        return;
    d->metrics_read = true;
    if (is_pending(run->in)) {
        run->out->steps.path = PATH_PENDING;
        d->failed = d->keep_desired_status = true;
        return;
    }
    combine_max(d->proposals, d->proposal_count, d->current, &run->out->steps.combined);
    metric_events(run);
    if (run->out->steps.combined.failed) {
        metrics_failed(run);
        return;
    }
    run->out->steps.path = PATH_COMPUTED;
    active(run, "True", "ValidMetricFound",
           arena_printf(run->arena, "a replica count was calculated from %s",
                        d->proposals[run->out->steps.combined.best].name));
    normalize(run, history);
}

/* ---- the order of it all ---- */

static void no_scale(struct decide_run *run) {
    struct decision *d = run->out;
    const char *error = str_or_empty(run->in->scale.error);

    run->out->steps.path = PATH_NO_SCALE;
    d->current = d->desired = run->in->status->current_replicas;
    d->failed = d->keep_desired_status = true;
    able(run, "False", "FailedGetScale",
         arena_printf(run->arena, "the target's current scale cannot be had: %s", error));
    event_add(d, true, "FailedGetScale", error);
}

static void choose(struct decide_run *run, struct history *history) {
    const struct decide_input *in = run->in;
    struct decision *d = run->out;

    able(run, "True", "SucceededGetScale", "the target's current scale is known");
    d->current = d->desired = in->scale.spec_replicas;
    history_begin(history, d->current, in->now);
    if (d->current == 0 && !may_wake(in)) {
        disabled(run);
    } else if (d->current > in->spec->max_replicas) {
        run->out->steps.path = PATH_ABOVE_MAX;
        d->desired = in->spec->max_replicas;
    } else if (d->current != 0 && d->current < in->spec->min_replicas) {
        run->out->steps.path = PATH_BELOW_MIN;
        d->desired = in->spec->min_replicas;
    } else {
        compute(run, history);
    }
}

static void apply_pause(struct decide_run *run) {
    const struct decide_input *in = run->in;
    struct decision *d = run->out;
    char until[CLOCK_TEXT_MAX];
    static const char *const directions[] = {"scaling is", "scaling up is", "scaling down is"};

    run->out->steps.paused = pause_in_force(in->spec, in->now);
    run->out->steps.before_pause = d->desired;
    if (!in->spec->has_pause) {
        condition_remove(d, "Paused");
        return;
    }
    if (!run->out->steps.paused) {
        condition_set(d, in->now, "Paused", "False", "PauseEnded", "the time of pause.until has passed");
        return;
    }
    condition_set(
        d, in->now, "Paused", "True", "Paused",
        arena_printf(run->arena, "%s paused %s", directions[in->spec->pause.direction],
                     in->spec->pause.until
                         ? arena_printf(run->arena, "until %s", clock_format(in->spec->pause.until, until))
                         : "until spec.pause is removed"));
    if (run->out->steps.path == PATH_NO_SCALE || run->out->steps.path == PATH_DISABLED)
        return;
    d->desired = pause_apply(in->spec, d->current, d->desired);
    if (d->desired != d->current)
        d->keep_desired_status = false;
}

static void sooner(usec_t *at, usec_t now, usec_t candidate) {
    if (candidate > now && (*at == 0 || candidate < *at))
        *at = candidate;
}

static void set_look_again(struct decide_run *run) {
    usec_t now = run->in->now;

    for (uint32_t i = 0; i < run->in->spec->metric_count; i++)
        sooner(&run->out->look_again, now, propose_changes_at(run->in, i));
    sooner(&run->out->look_again, now, run->out->steps.stabilized.changes_at);
    sooner(&run->out->look_again, now, run->out->steps.limited.changes_at);
    if (run->out->steps.paused)
        sooner(&run->out->look_again, now, run->in->spec->pause.until);
}

static void set_ready(struct decide_run *run) {
    struct decision *d = run->out;
    const char *reason =
        run->out->steps.path == PATH_PENDING ? "WaitingForMetrics" : decision_reason_name(d->reason);

    d->ready = !d->failed && run->out->steps.path != PATH_DISABLED;
    condition_set(d, run->in->now, "Ready", d->ready ? "True" : "False", reason, d->message);
}

void decide_from(const struct decide_input *input, struct proposal *proposals, struct history *history,
                 struct arena *arena, struct decision *ret_decision) {
    struct decision d = {.preview = -1, .limited_by = "", .metric = "", .message = "", .rescale_reason = ""};
    struct decide_run run = {.in = input, .spec = input->spec, .arena = arena, .out = &d};

    d.proposal_count = input->spec->metric_count;
    d.proposals = proposals;
    conditions_begin(&d, input->status, arena);
    events_begin(&d, input->spec->metric_count + 4, arena);
    if (input->scale.known)
        choose(&run, history);
    else
        no_scale(&run);
    apply_pause(&run);
    if (input->spec->mode == MODE_PREVIEW)
        d.preview = d.desired;
    d.rescale = d.desired != d.current && input->spec->mode == MODE_ACTIVE;
    record_decision(&run);
    d.targets = record_targets(input, &d, arena);
    set_look_again(&run);
    set_ready(&run);
    *ret_decision = d;
}

void decide(const struct decide_input *input, struct history *history, struct arena *arena,
            struct decision *ret_decision) {
    struct proposal *proposals = ARENA_ARRAY(arena, struct proposal, input->spec->metric_count);

    for (uint32_t i = 0; i < input->spec->metric_count; i++)
        propose(input, i, arena, &proposals[i]);
    decide_from(input, proposals, history, arena, ret_decision);
}

static void refresh_zero(struct decision *d, const struct decide_input *in) {
    bool zero =
        d->current > 0 && d->desired == 0 && in->spec->min_replicas == 0 && has_metric_at_zero(in->spec);

    if (!zero_rules(in))
        condition_remove(d, "ScaledToZero");
    else if (zero)
        condition_set(d, in->now, "ScaledToZero", "True", "ScaledToZero",
                      "the policy scaled the workload to zero");
    else
        condition_set(d, in->now, "ScaledToZero", "False", "NotScaledToZero",
                      "the policy did not scale the workload to zero");
}

void decision_written(struct decision *decision, const struct decide_input *input, bool succeeded,
                      const char *error, struct arena *arena) {
    struct decision *d = decision;
    const char *what =
        arena_printf(arena, "New size: %" PRId32 "; reason: %s", d->desired, d->rescale_reason);

    if (succeeded) {
        condition_set(d, input->now, "AbleToScale", "True", "SucceededRescale",
                      arena_printf(arena, "the target was scaled to %" PRId32, d->desired));
        event_add(d, false, "SuccessfulRescale", what);
        refresh_zero(d, input);
        return;
    }
    d->keep_desired_status = true;
    d->failed = true;
    d->ready = false;
    d->message = arena_printf(arena, "the target cannot be scaled to %" PRId32 ": %s", d->desired, error);
    condition_set(d, input->now, "AbleToScale", "False", "FailedUpdateScale", d->message);
    condition_set(d, input->now, "Ready", "False", "FailedUpdateScale", d->message);
    event_add(d, true, "FailedRescale", arena_printf(arena, "%s; error: %s", what, error));
}
