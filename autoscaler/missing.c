/* Missing: what becomes of a metric without a usable value (whenMissing), and of a policy without any
 * (fallback). By default both hold, as HPA does; everything else has been asked for in the policy. */
#include "autoscaler/stages.h"
#include <inttypes.h>

/* whenMissing: Fallback on one metric is enough to start the clock, even while the others have values. */
static bool some_fall_back(const struct decide_run *run) {
    for (uint32_t i = 0; i < run->out->proposal_count; i++)
        if (run->spec->metrics[i].when_missing == MISSING_FALLBACK && !run->out->proposals[i].valid)
            return true;
    return false;
}

/* whenMissing: Zero. A source that failed has not said that there is nothing. */
static bool counts_as_zero(const struct decide_run *run, uint32_t i) {
    return run->spec->metrics[i].when_missing == MISSING_ZERO &&
           run->out->proposals[i].quality == QUALITY_ABSENT;
}

static bool none_usable(const struct decide_run *run) {
    for (uint32_t i = 0; i < run->out->proposal_count; i++)
        if (run->out->proposals[i].valid || counts_as_zero(run, i))
            return false;
    return true;
}

/* What spec.fallback asks for; bounds and rate come after it, and hold for this number as for any other. */
static int32_t wanted(const struct policy_fallback *f, int32_t current) {
    switch (f->behavior) {
    case FALLBACK_STATIC:
        return f->replicas;
    case FALLBACK_AT_LEAST:
        return current > f->replicas ? current : f->replicas;
    case FALLBACK_AT_MOST:
        return current < f->replicas ? current : f->replicas;
    case FALLBACK_HOLD:
        break;
    }
    return current;
}

/* Since when is the condition's transition, so that a restart does not begin fallback.after anew: at first it
 * is False ("waiting"), and once True, which is fallback.after later, it stays so for as long as the trouble
 * lasts. */
void fallback_look(struct decide_run *run) {
    const struct policy_fallback *f = &run->spec->fallback;
    struct decision *d = run->out;
    struct fell_back *fb = &d->steps.fallback;
    usec_t now = run->in->now;

    /* Of the proposals as the sources left them; missing_apply comes later and makes some valid. */
    fb->whole = none_usable(run);
    if (!run->spec->has_fallback || !(fb->whole || some_fall_back(run))) {
        condition_remove(d, "Fallback");
        return;
    }
    const struct condition *before = condition_find(d->conditions, d->condition_count, "Fallback");
    /* The condition turned True when `after` had passed, so that it began that much earlier. */
    bool already = before && before->status[0] == 'T';
    fb->since = !before ? now : before->last_transition - (already ? f->after : 0);
    fb->in_force = already || now - fb->since >= f->after;
    fb->replicas = wanted(f, d->current);
    if (fb->in_force)
        condition_set(
            d, now, "Fallback", "True", "MetricsMissing",
            arena_printf(run->arena, "metrics are missing: fallback asks for %" PRId32, fb->replicas));
    else
        condition_set(d, now, "Fallback", "False", "Waiting",
                      "metrics are missing, not yet for as long as fallback.after");
}

/* "No series" as "nothing to do". within is cleared: the record would say that nothing was to be changed. */
static void count_as_zero(struct proposal *p) {
    p->valid = p->substituted = true;
    p->replicas = 0;
    p->value = 0;
    p->within = false;
    p->arithmetic = "absent counts as 0 (whenMissing: Zero)";
}

/* Fallback's number as this metric's proposal, beside those that have values of their own. */
static void fall_back(struct decide_run *run, struct proposal *p) {
    p->valid = p->substituted = p->valueless = true;
    p->within = false;
    p->replicas = run->out->steps.fallback.replicas;
    p->arithmetic = arena_printf(run->arena, "fallback: %" PRId32 " (whenMissing: Fallback)", p->replicas);
}

void missing_apply(struct decide_run *run) {
    for (uint32_t i = 0; i < run->out->proposal_count; i++) {
        struct proposal *p = &run->out->proposals[i];
        if (p->valid)
            continue;
        switch (run->spec->metrics[i].when_missing) {
        case MISSING_IGNORE:
            /* Still not valid: combine passes over it, and status goes on to say why. */
            p->ignored = true;
            break;
        case MISSING_ZERO:
            if (counts_as_zero(run, i))
                count_as_zero(p);
            break;
        case MISSING_FALLBACK:
            if (run->out->steps.fallback.in_force)
                fall_back(run, p);
            break;
        case MISSING_HOLD:
            break;
        }
    }
}
