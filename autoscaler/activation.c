/* Activation: whether there is work at all. A metric above its activation value keeps the workload at one
 * replica or more, and wakes it; where none is for activation.after, it goes to 0. How many replicas there
 * are above one stays the metrics' matter. */
#include "autoscaler/stages.h"
#include <string.h>

/* Where some metrics carry an activation, those decide; else all that exist at zero do, above 0. */
static bool decides(const struct policy_spec *spec, uint32_t i) {
    for (uint32_t k = 0; k < spec->metric_count; k++)
        if (spec->metrics[k].has_activation)
            return spec->metrics[i].has_activation;
    return metric_at_zero(spec->metrics[i].type);
}

/* The value is compared in milli-units, as the quantity is kept; "above" means above, so that an activation
 * of 0 is any work at all. A metric without a value neither wakes a workload nor lets one fall asleep. */
static void look_at_metrics(struct decide_run *run, struct activated *a) {
    const struct policy_spec *spec = run->spec;
    bool asked = false; /* where all that decide are ignored, nothing is known */

    for (uint32_t i = 0; i < spec->metric_count; i++) {
        const struct proposal *p = &run->out->proposals[i];
        if (!decides(spec, i) || p->ignored)
            continue;
        asked = true;
        if (!p->valid || p->valueless) {
            a->unknown = true;
        } else if (p->value * 1000 > (double)spec->metrics[i].activation_milli && !a->active) {
            a->active = true;
            a->metric = i;
        }
    }
    a->unknown = !a->active && (a->unknown || !asked);
}

/* The transition of Active is the beginning of the idle time: it outlives a restart, as status does. */
static void keep_condition(struct decide_run *run, const struct activated *a) {
    struct decision *d = run->out;
    usec_t now = run->in->now;

    if (a->active)
        condition_set(d, now, "Active", "True", "AboveActivation",
                      arena_printf(run->arena, "%s is above its activation", d->proposals[a->metric].label));
    else
        condition_set(d, now, "Active", "False", a->unknown ? "MetricsMissing" : "BelowActivation",
                      a->unknown ? "no metric is known to be above its activation, and one has no value"
                                 : "no metric is above its activation");
}

/* Whoever wants replicas while nothing is known of the load wants them of a workload that sleeps, too, or is
 * about to. */
static bool kept_by_fallback(const struct fell_back *fb) {
    return fb->in_force && fb->whole && fb->replicas > 0;
}

/* The floor is the one in force: a schedule that lifts it keeps the workload awake, and with the condition
 * the idle time so far is forgotten. */
void activation_look(struct decide_run *run) {
    struct activated *a = &run->out->steps.activated;
    struct decision *d = run->out;

    a->used = run->spec->activation.given && run->spec->min_replicas == 0;
    if (!a->used) {
        condition_remove(d, "Active");
        return;
    }
    look_at_metrics(run, a);
    keep_condition(run, a);
    if (a->active)
        return;
    a->idle_since = condition_find(d->conditions, d->condition_count, "Active")->last_transition;
    if (kept_by_fallback(&d->steps.fallback))
        return;
    /* At 0 it sleeps on; above, missing data is no reason to fall asleep. */
    a->asleep =
        d->current == 0 || (!a->unknown && run->in->now - a->idle_since >= run->spec->activation.after);
}

/* Only of one that is awake and idle: waking is a sample's doing, which comes by itself. */
usec_t activation_changes_at(const struct decide_run *run) {
    const struct activated *a = &run->out->steps.activated;

    return a->used && !a->active && !a->asleep ? a->idle_since + run->spec->activation.after : 0;
}
