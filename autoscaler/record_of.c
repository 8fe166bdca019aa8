/* Record of a decision: takes out of it, and of what it was made from, what a reader needs. Pods, the pods'
 * samples and the history are gone by the time a write has been answered, so nothing is taken from those.
 *
 * Every text is there, "" for none: packing, JSON and print ask for no NULL. What a stage did not do stays
 * 0, and the path says that it did not. */
#include "autoscaler/record_fields.h"
#include "autoscaler/stages.h"
#include "base/str.h"

/* The texts of the source were copied into the decision's arena when they were gathered; the others are the
 * policy's own, which the decision holds a reference to. */
static struct record_metric metric_of(const struct decide_input *in, const struct decision *d, uint32_t i) {
    const struct metric_spec *m = &in->spec->metrics[i];
    const struct proposal *p = &d->proposals[i];

    return (struct record_metric){
        .label = str_or_empty(p->label),
        .origin = str_or_empty(in->samples[i].origin),
        .arithmetic = str_or_empty(p->arithmetic),
        .failure = p->valid ? "" : str_or_empty(p->failure),
        .note = str_or_empty(p->note),
        .target_text = str_or_empty(m->target.text),
        .type = m->type,
        .quality = p->quality,
        .target_type = m->target.type,
        .valid = p->valid,
        .ignored = p->ignored,
        .substituted = p->substituted,
        .within = p->within,
        .has_current = p->has_current,
        .target_milli = m->target.milli,
        .current_milli = p->current_milli,
        .target_utilization = m->target.utilization,
        .utilization = p->utilization,
        .replicas = p->replicas,
        .value = p->value,
        .ratio = p->ratio,
        .at = p->at,
        .counted_pods = p->counted_pods,
        .pods = p->pods,
        .activation_milli = m->activation_milli,
    };
}

/* Where activation put a 0 or a 1 in its place the decision keeps that; the record shows what there was
 * before. */
static struct combined combined_of(const struct decision *d) {
    struct combined c = d->steps.combined;

    /* Activation has set the failure aside to wake the workload; it is the formula's all the same. */
    if (c.failure) {
        c.failed = true;
        c.replicas = 0;
        return c;
    }
    c.failure = "";
    if (!d->steps.activated.asleep)
        return c;
    c.failed = true;
    c.replicas = 0;
    /* The maximum as combine_max had found it before activation put its 0 there. */
    for (uint32_t i = 0; !c.by_formula && i < d->proposal_count; i++) {
        const struct proposal *p = &d->proposals[i];
        if (!p->valid || p->ignored)
            continue;
        if (c.failed || p->replicas > c.replicas) {
            c.replicas = p->replicas;
            c.best = i;
        }
        c.failed = false;
    }
    if (c.by_formula) {
        c.failed = false;
        c.replicas = propose_ceil(c.result);
    }
    return c;
}

/* Without behavior there is one window, and it only holds the number up. */
static struct record_stabilize stabilize_of(const struct decide_input *in, const struct decision *d) {
    struct stabilize_windows windows = {.down = in->flags->downscale_stabilization};

    if (in->spec->has_behavior)
        windows = stabilize_windows(in->spec, in->flags);
    return (struct record_stabilize){
        .replicas = d->steps.stabilized.replicas,
        .up_known = in->spec->has_behavior,
        .up = windows.up,
        .down = windows.down,
        .window = d->steps.stabilized.window,
        .changes_at = d->steps.stabilized.changes_at,
    };
}

/* The scaling policies of the direction that the number goes to; without behavior there are none. */
static void take_rules(const struct scaling_rules *rules, struct arena *arena, struct record_limit *ret) {
    ret->select = rules->select;
    ret->rule_count = rules->policy_count;
    ret->rules = ARENA_ARRAY(arena, struct record_rule, rules->policy_count);
    for (uint32_t i = 0; i < rules->policy_count; i++)
        ret->rules[i] = (struct record_rule){rules->policies[i].type == SCALING_PERCENT,
                                             rules->policies[i].value, rules->policies[i].period_seconds};
}

/* The direction is that of the number behind the window, as limit_behavior takes it. */
static struct record_limit limit_of(const struct decide_input *in, const struct decision *d,
                                    struct arena *arena) {
    int32_t wanted = d->steps.stabilized.replicas;
    struct record_limit l = {
        .replicas = d->steps.limited.replicas,
        .by = str_or_empty(d->steps.limited.by),
        .allowed = d->steps.limited.allowed,
        /* Without behavior nobody counts past changes: -1 is "not counted", 0 would be "none". */
        .used = in->spec->has_behavior ? d->steps.limited.used : -1,
        .behavior = in->spec->has_behavior,
        .changes_at = d->steps.limited.changes_at,
    };

    if (l.behavior && wanted != d->current)
        take_rules(wanted > d->current ? &in->spec->up : &in->spec->down, arena, &l);
    return l;
}

/* What one has to look for outside the policy. */
static const char *trouble_of(const struct decide_input *in, const struct decision *d) {
    switch (d->steps.path) {
    case PATH_NO_SCALE:
        return str_or_empty(in->scale.error);
    case PATH_CONFLICT:
        return str_or_empty(in->conflict);
    case PATH_SELECTOR:
        return str_or_empty(in->selector_error ? in->selector_error : in->ambiguous);
    case PATH_DISABLED:
    case PATH_ABOVE_MAX:
    case PATH_BELOW_MIN:
    case PATH_PENDING:
    case PATH_FAILED:
    case PATH_FALLBACK:
    case PATH_COMPUTED:
        break;
    }
    return "";
}

/* Told by the condition alone: `failed` may also be that metrics are missing, while a pause sets the number.
 */
static bool write_failed(const struct decision *d) {
    const struct condition *able = condition_find(d->conditions, d->condition_count, "AbleToScale");

    return d->rescale && able && str_eq(able->reason, "FailedUpdateScale");
}

static void take_outcome(const struct decision *d, struct record *r) {
    r->path = d->steps.path;
    r->reason = d->reason;
    r->limited_by = str_or_empty(d->limited_by);
    r->metric = str_or_empty(d->metric);
    r->message = str_or_empty(d->message);
    r->current = d->current;
    r->desired = d->desired;
    r->preview = d->preview;
    r->rescale = d->rescale;
    r->failed = d->failed;
    r->write_failed = write_failed(d);
    r->metrics_read = d->metrics_read;
}

/* Short cuts decide without metrics: then those say nothing about the decision. */
static void take_metrics(const struct decide_input *in, const struct decision *d, struct arena *arena,
                         struct record *r) {
    /* Packing may leave some out; the reader is told how many there were. */
    r->metric_total = d->proposal_count;
    if (!d->metrics_read)
        return; /* none of them was asked */
    r->metric_count = d->proposal_count;
    r->metrics = ARENA_ARRAY(arena, struct record_metric, d->proposal_count);
    for (uint32_t i = 0; i < d->proposal_count; i++)
        r->metrics[i] = metric_of(in, d, i);
}

/* The number before is what one would have without the pause: people ask for that. */
static struct record_pause pause_of(const struct policy_spec *spec, const struct decision *d) {
    return (struct record_pause){.in_force = d->steps.paused,
                                 .direction = spec->pause.direction,
                                 .until = spec->pause.until,
                                 .replicas = spec->pause.replicas,
                                 .before = d->steps.before_pause};
}

const struct record *record_of(const struct decide_input *input, const struct decision *decision,
                               struct arena *arena) {
    const struct policy_spec *spec = input->spec;
    const struct decision_steps *steps = &decision->steps;
    /* behavior's own where it has them, else the flag's. */
    struct tolerances tolerances = propose_tolerances(spec, input->flags);
    struct record *r = ARENA_NEW(arena, struct record);

    r->at = input->now;
    r->kind = str_or_empty(spec->target.kind);
    r->name = str_or_empty(spec->target.name);
    r->trouble = trouble_of(input, decision);
    r->tolerance_up = tolerances.up;
    r->tolerance_down = tolerances.down;
    take_outcome(decision, r);
    take_metrics(input, decision, arena, r);
    r->combined = combined_of(decision);
    r->formula = str_or_empty(spec->formula_text);
    r->activation = (struct record_activation){
        .used = steps->activated.used,
        .active = steps->activated.active,
        .unknown = steps->activated.unknown,
        .asleep = steps->activated.asleep,
        .metric = steps->activated.metric,
        .idle_since = steps->activated.idle_since,
        .after = spec->activation.after,
    };
    r->fallback = (struct record_fallback){.since = steps->fallback.since,
                                           .after = spec->fallback.after,
                                           .in_force = steps->fallback.in_force,
                                           .replicas = steps->fallback.replicas,
                                           .behavior = spec->fallback.behavior};
    r->schedule = (struct record_schedule){.count = spec->schedule_count,
                                           .active = steps->scheduled.active,
                                           .names = str_or_empty(steps->scheduled.names),
                                           .min_replicas = steps->scheduled.min_replicas,
                                           .max_replicas = steps->scheduled.max_replicas,
                                           .changes_at = steps->scheduled.changes_at};
    r->stabilize = stabilize_of(input, decision);
    r->limit = limit_of(input, decision, arena);
    r->pause = pause_of(spec, decision);
    return r;
}
