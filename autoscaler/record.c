/* Record: what a person reads about a decision: one word, what held the number back, one sentence, and the
 * TARGETS column. */
#include "autoscaler/stages.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TARGETS_SHOWN = 3 }; /* as kubectl get hpa */

const char *decision_reason_name(enum decision_reason reason) {
    static const char *const names[] = {
        [REASON_NONE] = "",
        [REASON_ABOVE_TARGET] = "AboveTarget",
        [REASON_BELOW_TARGET] = "BelowTarget",
        [REASON_WITHIN_TOLERANCE] = "WithinTolerance",
        [REASON_STABILIZED] = "Stabilized",
        [REASON_RATE_LIMITED] = "RateLimited",
        [REASON_AT_MAXIMUM] = "AtMaximum",
        [REASON_AT_MINIMUM] = "AtMinimum",
        [REASON_PAUSED] = "Paused",
        [REASON_METRIC_ABSENT] = "MetricAbsent",
        [REASON_METRIC_STALE] = "MetricStale",
        [REASON_METRIC_FAILED] = "MetricFailed",
        [REASON_TARGET_MISSING] = "TargetMissing",
        [REASON_INVALID_SELECTOR] = "InvalidSelector",
        [REASON_DISABLED] = "Disabled",
        [REASON_ASLEEP] = "Asleep",
        [REASON_WAKING] = "Waking",
        [REASON_SCHEDULED] = "Scheduled",
        [REASON_FALLBACK] = "Fallback",
        [REASON_CONFLICT] = "Conflict",
    };
    return names[reason];
}

const char *record_number(int64_t milli, struct arena *arena) {
    char text[48];
    double value = (double)milli / 1000, size = value < 0 ? -value : value;
    int digits = size >= 100 ? 1 : size >= 1 ? 2 : 3;

    snprintf(text, sizeof(text), "%.*f", digits, value);
    for (size_t n = strlen(text); text[n - 1] == '0' || text[n - 1] == '.';) {
        bool point = text[--n] == '.';
        text[n] = '\0';
        if (point)
            break;
    }
    return arena_strdup(arena, text);
}

/* ---- the one word ---- */

static enum decision_reason reason_of_scale(const struct scale_view *scale) {
    for (int r = REASON_NONE + 1; scale->error_reason && r < REASON_COUNT; r++)
        if (strcmp(scale->error_reason, decision_reason_name((enum decision_reason)r)) == 0)
            return (enum decision_reason)r;
    return REASON_TARGET_MISSING;
}

static enum decision_reason reason_of_failure(const struct decide_run *run) {
    const struct decide_input *in = run->in;
    uint32_t i = run->out->steps.combined.first_invalid;

    if (in->spec->metrics[i].type == METRIC_PROMETHEUS && in->samples[i].quality == QUALITY_ABSENT)
        return REASON_METRIC_ABSENT;
    if (in->spec->metrics[i].type == METRIC_PROMETHEUS && in->samples[i].quality == QUALITY_STALE)
        return REASON_METRIC_STALE;
    return REASON_METRIC_FAILED;
}

static enum decision_reason reason_of_computed(const struct decide_run *run) {
    const struct decision *d = run->out;
    int32_t raw = run->out->steps.combined.replicas;

    if (run->out->steps.limited.limited && strcmp(run->out->steps.limited.by, "maxReplicas") == 0)
        return REASON_AT_MAXIMUM;
    if (run->out->steps.limited.limited && strcmp(run->out->steps.limited.by, "minReplicas") == 0)
        return REASON_AT_MINIMUM;
    if (run->out->steps.limited.limited)
        return REASON_RATE_LIMITED;
    if (run->out->steps.stabilized.replicas != raw)
        return REASON_STABILIZED;
    if (d->current == 0)
        return d->desired > 0 ? REASON_WAKING : REASON_ASLEEP;
    if (raw == d->current)
        return REASON_WITHIN_TOLERANCE;
    return raw > d->current ? REASON_ABOVE_TARGET : REASON_BELOW_TARGET;
}

static enum decision_reason reason_of(const struct decide_run *run) {
    bool moved = run->out->desired != run->out->steps.before_pause;
    bool both = run->out->steps.paused && run->in->spec->pause.direction == PAUSE_BOTH;

    if (moved || (both && (run->out->steps.path == PATH_COMPUTED || run->out->steps.path == PATH_ABOVE_MAX ||
                           run->out->steps.path == PATH_BELOW_MIN)))
        return REASON_PAUSED;
    switch (run->out->steps.path) {
    case PATH_NO_SCALE:
        return reason_of_scale(&run->in->scale);
    case PATH_DISABLED:
        return REASON_DISABLED;
    case PATH_ABOVE_MAX:
        return REASON_AT_MAXIMUM;
    case PATH_BELOW_MIN:
        return REASON_AT_MINIMUM;
    case PATH_SELECTOR:
        return REASON_INVALID_SELECTOR;
    case PATH_PENDING:
        return REASON_NONE;
    case PATH_CONFLICT:
        return REASON_CONFLICT;
    case PATH_FALLBACK:
        return REASON_FALLBACK;
    case PATH_FAILED:
        return reason_of_failure(run);
    case PATH_COMPUTED:
        break;
    }
    return reason_of_computed(run);
}

static const char *limited_by(const struct decide_run *run) {
    if (run->out->desired != run->out->steps.before_pause)
        return "pause";
    if (run->out->steps.path == PATH_ABOVE_MAX)
        return "maxReplicas";
    if (run->out->steps.path == PATH_BELOW_MIN)
        return "minReplicas";
    if (run->out->steps.path != PATH_COMPUTED)
        return "";
    if (run->out->steps.limited.limited)
        return run->out->steps.limited.by;
    return run->out->steps.stabilized.replicas != run->out->steps.combined.replicas ? "stabilization" : "";
}

/* ---- the sentence ---- */

static const char *duration_text(usec_t d, struct arena *arena) {
    char text[CLOCK_TEXT_MAX];

    return arena_strdup(arena, clock_format_duration(d, text));
}

static const char *asks_for(const struct decide_run *run) {
    int32_t raw = run->out->steps.combined.replicas;

    if (!run->out->proposals[run->out->steps.combined.best].within)
        return arena_printf(run->arena, ", which asks for %" PRId32, raw);
    /* AverageValue is measured over the replicas that exist, not over those that are wanted. */
    if (raw != run->out->current)
        return arena_printf(run->arena, ", within tolerance with the %" PRId32 " replicas that exist", raw);
    return ", within tolerance";
}

/* "requests is 139.2 per replica against 100" */
static const char *measure(const struct decide_run *run) {
    const struct proposal *p = &run->out->proposals[run->out->steps.combined.best];
    const struct metric_target *target = &run->in->spec->metrics[run->out->steps.combined.best].target;
    bool average = target->type == TARGET_AVERAGE_VALUE && run->in->scale.status_replicas > 0;

    return arena_printf(run->arena, "%s is %s%s against %s", p->label,
                        record_number(p->current_milli, run->arena), average ? " per replica" : "",
                        record_number(target->milli, run->arena));
}

static const char *limit_text(const struct decide_run *run) {
    const struct limited *l = &run->out->steps.limited;

    if (strcmp(l->by, "maxReplicas") == 0 || strcmp(l->by, "minReplicas") == 0)
        return arena_printf(run->arena, "; %s is %" PRId32, l->by, l->replicas);
    return arena_printf(run->arena, "; the %s allows %" PRId32, l->by, l->replicas);
}

static const char *computed_text(const struct decide_run *run) {
    const struct stabilized *s = &run->out->steps.stabilized;
    int32_t raw = run->out->steps.combined.replicas;
    bool held = s->replicas != raw;
    const char *invalid = "";

    if (run->out->steps.combined.invalid > 0)
        invalid = arena_printf(run->arena, "; %" PRIu32 " of %" PRIu32 " metrics failed, first %s",
                               run->out->steps.combined.invalid, run->out->proposal_count,
                               run->out->proposals[run->out->steps.combined.first_invalid].failure);
    return arena_printf(run->arena, "%s%s%s%s%s", measure(run), asks_for(run),
                        held
                            ? arena_printf(run->arena, "; recommendations of the last %s keep it at %" PRId32,
                                           duration_text(s->window, run->arena), s->replicas)
                            : "",
                        run->out->steps.limited.limited ? limit_text(run) : "", invalid);
}

static const char *waiting_text(const struct decide_run *run) {
    const struct decide_input *in = run->in;

    for (uint32_t i = 0; i < in->spec->metric_count; i++)
        if (in->spec->metrics[i].type == METRIC_PROMETHEUS && in->samples[i].quality == QUALITY_PENDING)
            return arena_printf(run->arena, "waiting for the first sample of %s",
                                run->out->proposals[i].label);
    return "waiting for the first samples";
}

static const char *path_text(const struct decide_run *run) {
    const struct policy_spec *spec = run->in->spec;

    switch (run->out->steps.path) {
    case PATH_NO_SCALE:
    case PATH_DISABLED:
        return "scaling is disabled since the replica count of the target is zero";
    case PATH_ABOVE_MAX:
        return arena_printf(run->arena, "there are more than maxReplicas, which is %" PRId32,
                            spec->max_replicas);
    case PATH_BELOW_MIN:
        return arena_printf(run->arena, "there are fewer than minReplicas, which is %" PRId32,
                            spec->min_replicas);
    case PATH_SELECTOR:
        return "the target's selector is missing or cannot be read, so its pods are not known";
    case PATH_PENDING:
        return waiting_text(run);
    case PATH_CONFLICT:
        return arena_printf(run->arena, "%s scales the target too", run->in->conflict);
    case PATH_FALLBACK:
    case PATH_FAILED:
        return run->out->proposals[run->out->steps.combined.first_invalid].failure;
    case PATH_COMPUTED:
        break;
    }
    return computed_text(run);
}

static const char *sentence(const struct decide_run *run) {
    const struct decision *d = run->out;
    const char *pause = run->out->reason == REASON_PAUSED ? "; scaling is paused" : "";

    if (run->out->steps.path == PATH_NO_SCALE)
        return arena_printf(run->arena, "%s/%s: %s", run->in->spec->target.kind, run->in->spec->target.name,
                            str_or_empty(run->in->scale.error));
    if (d->desired == d->current)
        return arena_printf(run->arena, "%" PRId32 " %s: %s%s", d->current,
                            d->current == 1 ? "replica" : "replicas", path_text(run), pause);
    return arena_printf(run->arena, "%" PRId32 " -> %" PRId32 " replicas: %s%s", d->current, d->desired,
                        path_text(run), pause);
}

/* HPA's text for the event. Where it would say nothing, or the opposite of what happened, because
 * recommendations of the past moved the number, that is said. */
static const char *rescale_reason(const struct decide_run *run) {
    const struct decision *d = run->out;
    int32_t raw = run->out->steps.combined.replicas;

    if (d->desired != run->out->steps.before_pause)
        return "spec.pause.replicas";
    if (run->out->steps.path == PATH_ABOVE_MAX)
        return "Current number of replicas above Spec.MaxReplicas";
    if (run->out->steps.path == PATH_BELOW_MIN)
        return "Current number of replicas below Spec.MinReplicas";
    if (raw > d->current && d->desired > d->current)
        return arena_printf(run->arena, "%s above target", d->proposals[run->out->steps.combined.best].name);
    if (raw < d->current && d->desired < d->current)
        return "All metrics below target";
    if (run->out->steps.stabilized.replicas != raw)
        return arena_printf(run->arena, "recommendations of the last %s",
                            duration_text(run->out->steps.stabilized.window, run->arena));
    return "Current number of replicas outside Spec.MinReplicas and Spec.MaxReplicas";
}

void record_decision(struct decide_run *run) {
    struct decision *d = run->out;

    d->reason = reason_of(run);
    d->limited_by = limited_by(run);
    if (run->out->steps.path == PATH_COMPUTED)
        d->metric = d->proposals[run->out->steps.combined.best].label;
    d->message = sentence(run);
    if (d->desired != d->current)
        d->rescale_reason = rescale_reason(run);
}

/* ---- TARGETS ---- */

static const char *target_entry(const struct decide_input *in, const struct decision *d, uint32_t i,
                                struct arena *arena) {
    const struct metric_spec *m = &in->spec->metrics[i];
    bool resource = m->type == METRIC_RESOURCE || m->type == METRIC_CONTAINER_RESOURCE;

    if (resource || (m->name && in->spec->metric_count > 1))
        return arena_printf(arena, "%s: %s", d->proposals[i].label, d->proposals[i].current_text);
    return d->proposals[i].current_text;
}

const char *record_targets(const struct decide_input *in, const struct decision *d, struct arena *arena) {
    const char *text = "";
    uint32_t count = d->proposal_count;

    for (uint32_t i = 0; i < count && i < TARGETS_SHOWN; i++)
        text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", target_entry(in, d, i, arena));
    if (count > TARGETS_SHOWN)
        text = arena_printf(arena, "%s + %" PRIu32 " more...", text, count - TARGETS_SHOWN);
    return text;
}
