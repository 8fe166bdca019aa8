/* The decision: runs the stages in the order of the design over what was gathered, and keeps HPA's conditions
 * and events as it goes (reconcileAutoscaler in pkg/controller/podautoscaler/horizontal.go is the model).
 *
 * Each decision takes one path through it (steps.path), which tells the record what there is to tell: the
 * short cuts end before the metrics, PENDING and FAILED behind them, and only FALLBACK and COMPUTED come to
 * windows, rates and bounds. Whatever the path, pause, mode, Ready and the next look come after it.
 *
 * The conditions Fallback, Active and ScaledToZero are more than words for people: what they say and since
 * when is the memory of the stages behind them, which status keeps over a restart. */
#include "autoscaler/decide.h"
#include "autoscaler/stages.h"
#include <inttypes.h>
#include <string.h>

/* AbleToScale and ScalingActive have HPA's reasons, which people's alerts look for; the messages are ours. */
static void able(struct decide_run *run, const char *status, const char *reason, const char *message) {
    condition_set(run->out, run->in->now, "AbleToScale", status, reason, message);
}

static void active(struct decide_run *run, const char *status, const char *reason, const char *message) {
    condition_set(run->out, run->in->now, "ScalingActive", status, reason, message);
}

/* ---- zero ---- */

/* Whether a policy may bring its workload to 0 by itself, or once did. */
static bool reaches_zero(const struct decide_input *in) {
    const struct policy_spec *spec = in->spec;

    if (spec->min_replicas == 0 ||
        condition_find(in->status->conditions, in->status->condition_count, "ScaledToZero"))
        return true;
    for (uint32_t i = 0; i < spec->schedule_count; i++)
        if (spec->schedules[i].min_replicas == 0 || spec->schedules[i].max_replicas == 0)
            return true;
    return false;
}

/* Whether HPA's HPAScaleToZero rules apply. */
static bool zero_rules(const struct decide_input *in) {
    if (in->flags->scale_to_zero != ZERO_AUTO)
        return in->flags->scale_to_zero == ZERO_ON;
    return reaches_zero(in);
}

/* Only a metric that exists without pods can tell that there is work again; without one, 0 is for good. */
static bool has_metric_at_zero(const struct policy_spec *spec) {
    for (uint32_t i = 0; i < spec->metric_count; i++)
        if (metric_at_zero(spec->metrics[i].type))
            return true;
    return false;
}

/* A workload at 0 is looked after only if this policy put it there: by hand it means "off". */
static bool may_wake(const struct decide_run *run) {
    return zero_rules(run->in) && condition_true(run->in->status, "ScaledToZero") &&
           (run->spec->min_replicas != 0 || has_metric_at_zero(run->spec));
}

/* Whoever is not at work does not look at metrics either: what they were like before is no time that idleness
 * or a fallback has waited when it begins again. */
static void forget_waiting(struct decide_run *run) {
    condition_remove(run->out, "Fallback");
    condition_remove(run->out, "Active");
}

/* HPA's ScalingDisabled: the workload keeps its 0, and not even a floor lifts it, since this is how people
 * turn one off. Where no rule of zero applies ScaledToZero would be about nothing. */
static void disabled(struct decide_run *run) {
    run->out->steps.path = PATH_DISABLED;
    forget_waiting(run);
    active(run, "False", "ScalingDisabled",
           "scaling is disabled since the replica count of the target is zero");
    if (!zero_rules(run->in))
        condition_remove(run->out, "ScaledToZero");
}

/* ---- metrics ---- */

/* Our own totals by AverageValue need no pods; everything else counts those of the selector. */
static bool needs_selector(const struct decide_input *in) {
    for (uint32_t i = 0; i < in->spec->metric_count; i++) {
        const struct metric_spec *m = &in->spec->metrics[i];
        if (m->type < METRIC_PROMETHEUS || m->target.type != TARGET_AVERAGE_VALUE)
            return true;
    }
    return false;
}

/* HPA's way out of a failure: the scale is not touched, and status goes on to say what was wanted last. */
static void compute_failed(struct decide_run *run, const char *message) {
    run->out->failed = true;
    run->out->keep_desired_status = true;
    event_add(run->out, true, "FailedComputeMetricsReplicas", message);
}

/* HPA's checks of the selector, in its order: there is one, it parses, nobody else selects the same pods. */
static bool selector_fails(struct decide_run *run) {
    const struct decide_input *in = run->in;
    const char *reason = "InvalidSelector", *event = reason, *message, *text = in->selector_error;

    if (!needs_selector(in))
        return false;
    /* HPA has two words here: the event is SelectorRequired, the condition InvalidSelector. */
    if (!in->scale.selector || in->scale.selector[0] == '\0') {
        event = "SelectorRequired";
        text = "selector is required";
        message = "the target's scale is missing a selector";
    } else if (in->selector_error) {
        message = arena_printf(run->arena, "the target's selector cannot be read: %s", text);
    } else if (in->ambiguous) {
        reason = event = "AmbiguousSelector";
        message = text = in->ambiguous;
    } else {
        return false;
    }
    run->out->steps.path = PATH_SELECTOR;
    active(run, "False", reason, message);
    event_add(run->out, true, event, text);
    compute_failed(run, text);
    return true;
}

/* HPA asks and waits within its decision; here an answer may still be on its way. */
static bool is_pending(const struct decide_input *in) {
    for (uint32_t i = 0; i < in->spec->metric_count && !in->flags->hpa; i++)
        if (in->samples[i].quality == QUALITY_PENDING && !in->spec->metrics[i].invalid)
            return true;
    return false;
}

/* An event for each failed metric, also where the others suffice for a decision, as HPA has them; ignored is
 * what the policy itself has said does not matter. */
static void metric_events(struct decide_run *run) {
    for (uint32_t i = 0; i < run->out->proposal_count; i++) {
        const struct proposal *p = &run->out->proposals[i];
        if (!p->valid && !p->ignored)
            event_add(run->out, true, p->failure_reason, p->failure);
    }
}

static void formula_failed(struct decide_run *run) {
    const struct combined *c = &run->out->steps.combined;

    active(run, "False", "FormulaFailed", c->failure);
    compute_failed(run, c->failure);
}

/* The condition names the first failed metric in the order of spec, as HPA's does; which one that is does not
 * depend on the time of anything, so that the message stays the same from one decision to the next. */
static void metrics_failed(struct decide_run *run) {
    const struct combined *c = &run->out->steps.combined;
    const struct proposal *first = &run->out->proposals[c->first_invalid];

    run->out->steps.path = PATH_FAILED;
    if (c->failure) {
        formula_failed(run);
        return;
    }
    active(run, "False", first->failure_reason,
           arena_printf(run->arena, "the replica count cannot be computed: %s", first->failure));
    compute_failed(run, arena_printf(run->arena,
                                     "invalid metrics (%" PRIu32 " invalid out of %" PRIu32
                                     "), first error is: %s",
                                     c->invalid, run->out->proposal_count, first->failure));
}

/* HPA's normalizeDesiredReplicas and normalizeDesiredReplicasWithBehaviors. */
static void normalize(struct decide_run *run, struct history *history, int32_t raw) {
    const struct decide_input *in = run->in;
    struct decision *d = run->out;
    struct stabilized *s = &d->steps.stabilized;
    struct limited *l = &d->steps.limited;
    struct limit_input limit = {
        .spec = run->spec, .flags = in->flags, .history = history, .now = in->now, .current = d->current};

    if (run->spec->has_behavior) {
        stabilize_behavior(history, stabilize_windows(run->spec, in->flags), d->current, raw, in->now, s);
    } else {
        stabilize_plain(history, raw, in->now, in->flags->downscale_stabilization, s);
        if (!in->flags->hpa)
            stabilize_never_up(d->current, raw, s);
    }
    able(run, "True", s->reason, s->message);
    limit.desired = s->replicas;
    if (run->spec->has_behavior)
        limit_behavior(&limit, l);
    else
        limit_plain(&limit, l);
    if (d->steps.activated.used && !d->steps.activated.asleep && strcmp(l->by, "minReplicas") == 0)
        l->by = "activation"; /* the floor of one is that of being awake */
    condition_set(d, in->now, "ScalingLimited", l->limited ? "True" : "False", l->reason, l->message);
    d->desired = l->replicas;
    /* HPA does this behind the rate, and ScalingLimited says nothing of it; ours is in limit_behavior. */
    if (in->flags->hpa && d->current == 0 && d->desired < run->spec->min_replicas)
        d->desired = run->spec->min_replicas;
}

/* A formula stands in place of the maximum, not beside it. */
static void combine(struct decide_run *run) {
    struct decision *d = run->out;
    struct combined *c = &d->steps.combined;

    if (run->spec->formula)
        combine_formula(run->in, d->proposals, run->arena, c);
    else
        combine_max(d->proposals, d->proposal_count, d->current, c);
}

/* Awake, the floor is one; asleep, nothing else counts. Metrics of pods have no value while there are none,
 * nor has a formula that needs them: it must neither keep a workload from sleeping nor from the first pod. */
static void activate(struct decide_run *run, struct policy_spec *spec) {
    struct combined *c = &run->out->steps.combined;
    const struct activated *a = &run->out->steps.activated;

    activation_look(run);
    if (!a->used)
        return;
    /* Where a schedule has closed the workload its ceiling is 0: a floor above that would be undone by the
     * next decision, and raised again by the one after it. */
    if (!a->asleep && spec->max_replicas > 0)
        spec->min_replicas = 1;
    if (a->asleep || (a->active && run->out->current == 0 && c->failed)) {
        c->failed = false;
        c->replicas = a->asleep ? 0 : 1;
        c->best = a->metric;
    }
}

static void use_fallback(struct decide_run *run, struct history *history) {
    run->out->steps.path = PATH_FALLBACK;
    active(run, "False", "Fallback", "no metric has a usable value: fallback takes their place");
    normalize(run, history, run->out->steps.fallback.replicas);
}

/* What ScalingActive says of a number that was found. */
static const char *found(const struct decide_run *run) {
    const struct combined *c = &run->out->steps.combined;

    if (run->out->steps.activated.asleep)
        return "the replica count is 0: no metric is above its activation";
    if (c->failure)
        return "the replica count is 1: a metric is above its activation, while the formula has no result";
    if (c->by_formula)
        return "a replica count was calculated by the formula";
    return arena_printf(run->arena, "a replica count was calculated from %s",
                        run->out->proposals[c->best].name);
}

/* HPA's way through metrics, with our stages between: the order is that of the design. spec is the run's own
 * copy, so that activation can lift its floor for the stages behind it. */
static void compute(struct decide_run *run, struct history *history, struct policy_spec *spec) {
    struct decision *d = run->out;

    if (selector_fails(run))
        return;
    /* From here on currentMetrics shows the proposals; HPA's is empty where a short cut was taken. */
    d->metrics_read = true;
    if (is_pending(run->in)) {
        d->steps.path = PATH_PENDING;
        d->failed = d->keep_desired_status = true;
        return;
    }
    /* First, since whenMissing may take fallback's number, and activation stays awake for it. */
    fallback_look(run);
    missing_apply(run);
    combine(run);
    activate(run, spec);
    metric_events(run);
    if (d->steps.combined.failed && d->steps.fallback.in_force && d->steps.fallback.whole) {
        use_fallback(run, history);
    } else if (d->steps.combined.failed) {
        metrics_failed(run);
    } else {
        d->steps.path = PATH_COMPUTED;
        active(run, "True", "ValidMetricFound", found(run));
        normalize(run, history, d->steps.combined.replicas);
    }
}

/* ---- the order of it all ---- */

/* Without a scale there is nothing to decide on: status keeps all its numbers, as HPA's does. */
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

/* Another one scales the target: one writer is enough. */
static bool has_conflict(struct decide_run *run) {
    const char *other = run->in->conflict, *text;

    if (!other) {
        condition_remove(run->out, "Conflict");
        return false;
    }
    text = run->in->conflict_text;
    if (!text)
        text =
            arena_printf(run->arena, "%s scales the target too: only one may, and this policy waits", other);
    run->out->steps.path = PATH_CONFLICT;
    forget_waiting(run);
    condition_set(run->out, run->in->now, "Conflict", "True", "Conflict", text);
    active(run, "False", "Conflict", text);
    event_add(run->out, true, "Conflict", text);
    return true;
}

/* HPA leaves a workload at 0 to the metrics; a policy that put it there honours a floor without them. */
static bool below_minimum(const struct decide_run *run) {
    bool looked_after = run->out->current != 0 || !run->in->flags->hpa;

    return looked_after && run->out->current < run->spec->min_replicas;
}

/* HPA's reconcileAutoscaler from the scale on, its short cuts in its order. A bound that is already broken is
 * mended at once, without metrics, stabilization or rate, and records no recommendation. */
static void choose(struct decide_run *run, struct history *history, struct policy_spec *spec) {
    const struct decide_input *in = run->in;
    struct decision *d = run->out;

    able(run, "True", "SucceededGetScale", "the target's current scale is known");
    /* What was asked for counts, not what there is already: HPA decides on spec.replicas as well. */
    d->current = d->desired = in->scale.spec_replicas;
    if (has_conflict(run))
        return;
    /* Not in conflict: what counts is the number at which the policy begins to act. */
    history_not_after(history, in->now);
    history_begin(history, d->current, in->now);
    if (d->current == 0 && !may_wake(run)) {
        disabled(run);
    } else if (d->current > run->spec->max_replicas) {
        d->steps.path = PATH_ABOVE_MAX;
        d->desired = run->spec->max_replicas;
    } else if (below_minimum(run)) {
        d->steps.path = PATH_BELOW_MIN;
        d->desired = run->spec->min_replicas;
    } else {
        compute(run, history, spec);
    }
}

/* Last of all stages. Where there is no number to hold on to (no scale, off, another one's workload) the
 * pause is told, but fixes nothing. */
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
    if (d->steps.path == PATH_NO_SCALE || d->steps.path == PATH_DISABLED || d->steps.path == PATH_CONFLICT)
        return;
    d->desired = pause_apply(in->spec, d->current, d->desired);
    /* A fixed number is decided even where metrics failed. */
    if (d->desired != d->current)
        d->keep_desired_status = false;
}

/* The earlier of the two, where 0 is never; what is past has already had its say. */
static void sooner(usec_t *at, usec_t now, usec_t candidate) {
    if (candidate > now && (*at == 0 || candidate < *at))
        *at = candidate;
}

/* When time alone may change the answer. Samples and edits wake a policy by themselves; a window that ends
 * sends no word, and nobody polls. */
static void set_look_again(struct decide_run *run) {
    const struct decision_steps *steps = &run->out->steps;
    usec_t now = run->in->now, *at = &run->out->look_again;

    for (uint32_t i = 0; i < run->spec->metric_count; i++)
        sooner(at, now, propose_changes_at(run->in, i));
    sooner(at, now, steps->stabilized.changes_at);
    sooner(at, now, steps->limited.changes_at);
    sooner(at, now, steps->scheduled.changes_at);
    sooner(at, now, activation_changes_at(run));
    if (steps->fallback.since && !steps->fallback.in_force)
        sooner(at, now, steps->fallback.since + run->spec->fallback.after);
    if (steps->paused)
        sooner(at, now, run->spec->pause.until);
}

/* Ready is ours, for `kubectl wait` and alerts: that the policy is at work. Off by hand, another one's
 * workload and a number out of fallback are no errors, but neither are they that. */
static void set_ready(struct decide_run *run) {
    struct decision *d = run->out;
    enum decide_path path = d->steps.path;
    const char *reason = path == PATH_PENDING ? "WaitingForMetrics" : decision_reason_name(d->reason);

    d->ready = !d->failed && path != PATH_DISABLED && path != PATH_CONFLICT && path != PATH_FALLBACK;
    condition_set(d, run->in->now, "Ready", d->ready ? "True" : "False", reason, d->message);
}

/* The bounds in force: spec's own, moved by the schedules whose windows are open. */
static void set_bounds(struct decide_run *run, struct policy_spec *spec) {
    struct scheduled *s = &run->out->steps.scheduled;

    *s = (struct scheduled){
        .names = "", .min_replicas = spec->min_replicas, .max_replicas = spec->max_replicas};
    if (spec->schedule_count)
        schedule_apply(spec, run->in->zones, run->in->now, run->arena, s);
    spec->min_replicas = s->min_replicas;
    spec->max_replicas = s->max_replicas;
}

/* The bounds are moved before anything looks at them; pause comes behind everything, and then the mode says
 * whether the number is written or only shown. */
void decide_from(const struct decide_input *input, struct proposal *proposals, struct history *history,
                 struct arena *arena, struct decision *ret_decision) {
    struct decision d = {.preview = -1, .limited_by = "", .metric = "", .message = "", .rescale_reason = ""};
    struct policy_spec spec = *input->spec;
    struct decide_run run = {.in = input, .spec = &spec, .arena = arena, .out = &d};

    d.proposal_count = input->spec->metric_count;
    d.proposals = proposals;
    conditions_begin(&d, input->status, arena);
    /* One for each metric, and of the selector, the failure, the conflict and the write one each. */
    events_begin(&d, input->spec->metric_count + 4, arena);
    set_bounds(&run, &spec);
    if (input->scale.known)
        choose(&run, history, &spec);
    else
        no_scale(&run);
    apply_pause(&run);
    if (input->spec->mode == MODE_PREVIEW)
        d.preview = d.desired;
    d.rescale = d.desired != d.current && input->spec->mode == MODE_ACTIVE;
    /* In this order: the sentence names what limited the number, Ready repeats the sentence. */
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

/* HPA remembers that it put a workload to 0 only where its floor is 0 and a metric could wake it; a policy
 * may also have done so by a schedule or a pause, and looks after it all the same. */
static bool put_to_zero(const struct decision *d, const struct decide_input *in) {
    if (d->current == 0 || d->desired != 0)
        return false;
    return !in->flags->hpa || (in->spec->min_replicas == 0 && has_metric_at_zero(in->spec));
}

/* ScaledToZero is the only memory of who put a workload to 0: it has to outlive this process, and does in
 * status. */
static void refresh_zero(struct decision *d, const struct decide_input *in) {
    if (!zero_rules(in))
        condition_remove(d, "ScaledToZero");
    else if (put_to_zero(d, in))
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
    /* The number was not reached: status must not say that it was, and the next decision starts anew. */
    d->keep_desired_status = true;
    d->failed = true;
    d->ready = false;
    d->message = arena_printf(arena, "the target cannot be scaled to %" PRId32 ": %s", d->desired, error);
    condition_set(d, input->now, "AbleToScale", "False", "FailedUpdateScale", d->message);
    condition_set(d, input->now, "Ready", "False", "FailedUpdateScale", d->message);
    event_add(d, true, "FailedRescale", arena_printf(arena, "%s; error: %s", what, error));
}
