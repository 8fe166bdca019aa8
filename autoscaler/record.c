/* Record: what a person reads about a decision: one word, what held the number back, one sentence, and the
 * TARGETS column.
 *
 * All of it is made at the end, from the steps that the stages have left: only then it is known which of them
 * the number comes from. The word answers "why this number", limited_by "what would have to give way"; both
 * look from the last stage back, with the pause before all others. */
#include "autoscaler/stages.h"
#include <inttypes.h>
#include <math.h>
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
    /* There is always a point: digits is 1 at least. */
    for (size_t n = strlen(text); text[n - 1] == '0' || text[n - 1] == '.';) {
        bool point = text[--n] == '.';
        text[n] = '\0';
        if (point)
            break;
    }
    return arena_strdup(arena, text);
}

const char *record_double(double value, struct arena *arena) {
    /* Beyond this thousandths are below a double's own precision, and then int64_t ends. */
    if (!(fabs(value) < 1e12))
        return arena_printf(arena, "%.4g", value);
    return record_number((int64_t)llround(value * 1000), arena);
}

/* ---- the one word ---- */

/* A bound that an open window has moved. */
static bool moved_bound(const struct decide_run *run, bool upper) {
    const struct scheduled *s = &run->out->steps.scheduled;
    const struct policy_spec *spec = run->in->spec;

    return s->active > 0 &&
           (upper ? s->max_replicas != spec->max_replicas : s->min_replicas != spec->min_replicas);
}

static enum decision_reason reason_of_bound(const struct decide_run *run, bool upper) {
    if (moved_bound(run, upper))
        return REASON_SCHEDULED;
    return upper ? REASON_AT_MAXIMUM : REASON_AT_MINIMUM;
}

/* By the quality that status.metrics shows, which of pods is not the sample's. */
static enum decision_reason reason_of_failure(const struct decide_run *run) {
    const struct combined *c = &run->out->steps.combined;
    enum quality quality = run->out->proposals[c->first_invalid].quality;

    if (quality == QUALITY_ABSENT)
        return REASON_METRIC_ABSENT;
    return quality == QUALITY_STALE ? REASON_METRIC_STALE : REASON_METRIC_FAILED;
}

static enum decision_reason reason_of_limit(const struct decide_run *run) {
    const struct limited *l = &run->out->steps.limited;

    if (strcmp(l->by, "maxReplicas") == 0)
        return reason_of_bound(run, /* upper= */ true);
    if (strcmp(l->by, "minReplicas") == 0)
        return reason_of_bound(run, /* upper= */ false);
    if (strcmp(l->by, "activation") == 0)
        return run->out->current == 0 ? REASON_WAKING : REASON_AT_MINIMUM;
    return REASON_RATE_LIMITED;
}

static enum decision_reason reason_of_computed(const struct decide_run *run) {
    const struct decision *d = run->out;
    int32_t raw = d->steps.combined.replicas;

    if (d->steps.limited.limited)
        return reason_of_limit(run);
    if (d->steps.stabilized.replicas != raw)
        return REASON_STABILIZED;
    if (d->current == 0)
        return d->desired > 0 ? REASON_WAKING : REASON_ASLEEP;
    if (d->steps.activated.asleep)
        return REASON_ASLEEP;
    if (raw == d->current)
        return REASON_WITHIN_TOLERANCE;
    return raw > d->current ? REASON_ABOVE_TARGET : REASON_BELOW_TARGET;
}

static enum decision_reason reason_of(const struct decide_run *run) {
    /* Both ways it is the reason wherever there is a decision that it could stop, though it stopped none. */
    bool moved = run->out->desired != run->out->steps.before_pause;
    bool both = run->out->steps.paused && run->in->spec->pause.direction == PAUSE_BOTH;

    if (moved || (both && (run->out->steps.path == PATH_COMPUTED || run->out->steps.path == PATH_ABOVE_MAX ||
                           run->out->steps.path == PATH_BELOW_MIN)))
        return REASON_PAUSED;
    switch (run->out->steps.path) {
    case PATH_NO_SCALE:
        return REASON_TARGET_MISSING;
    case PATH_DISABLED:
        return REASON_DISABLED;
    case PATH_ABOVE_MAX:
        return reason_of_bound(run, /* upper= */ true);
    case PATH_BELOW_MIN:
        return reason_of_bound(run, /* upper= */ false);
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

/* Which of the two bounds, and the schedule where that has moved it. */
static const char *bound_name(const struct decide_run *run, bool upper) {
    if (moved_bound(run, upper))
        return "schedule";
    return upper ? "maxReplicas" : "minReplicas";
}

/* From the last stage back, since the last one to move the number is what holds it there. */
static const char *limited_by(const struct decide_run *run) {
    const struct decision_steps *steps = &run->out->steps;
    int32_t raw = steps->path == PATH_FALLBACK ? steps->fallback.replicas : steps->combined.replicas;

    if (run->out->desired != steps->before_pause)
        return "pause";
    if (steps->path == PATH_ABOVE_MAX || steps->path == PATH_BELOW_MIN)
        return bound_name(run, steps->path == PATH_ABOVE_MAX);
    if (steps->path != PATH_COMPUTED && steps->path != PATH_FALLBACK)
        return "";
    if (!steps->limited.limited)
        return steps->stabilized.replicas != raw ? "stabilization" : "";
    if (strcmp(steps->limited.by, "maxReplicas") == 0 || strcmp(steps->limited.by, "minReplicas") == 0)
        return bound_name(run, steps->limited.by[1] == 'a');
    return steps->limited.by;
}

/* ---- the sentence ---- */

static const char *duration_text(usec_t d, struct arena *arena) {
    char text[CLOCK_TEXT_MAX];

    return arena_strdup(arena, clock_format_duration(d, text));
}

/* Those without a value count as something, and that can turn the number round. */
static bool guessed(const struct decide_run *run, uint32_t i) {
    const struct proposal *p = &run->out->proposals[i];

    return metric_of_pods(run->in->spec->metrics[i].type) && !p->substituted && p->counted_pods < p->pods;
}

/* Within tolerance by what was assumed of some pods is told by its arithmetic: beside the value that was
 * measured the plain words would be a riddle. */
static const char *asks_for(const struct decide_run *run) {
    const struct proposal *best = &run->out->proposals[run->out->steps.combined.best];
    int32_t raw = run->out->steps.combined.replicas;

    if (!best->within)
        return arena_printf(run->arena, ", which asks for %" PRId32, raw);
    if (guessed(run, run->out->steps.combined.best))
        return ARENA_JOIN(run->arena, "; ", best->arithmetic);
    /* AverageValue is measured over the replicas that exist, not over those that are wanted. */
    if (raw != run->out->current)
        return arena_printf(run->arena, ", within tolerance with the %" PRId32 " replicas that exist", raw);
    return ", within tolerance";
}

/* A value in the metric's own units; memory in the largest that leaves a number of 1 or more: "79.5Mi". */
static const char *amount(const struct decide_run *run, const struct metric_spec *m, int64_t milli) {
    static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi"};
    size_t unit = 0;

    /* Truncated from unit to unit: this is for people; the exact number is in status. */
    if (metric_format(m) != QUANTITY_BINARY_SI)
        return record_number(milli, run->arena);
    for (; unit + 1 < sizeof(units) / sizeof(units[0]) && milli >= 1024 * 1000; unit++)
        milli /= 1024;
    return arena_printf(run->arena, "%s%s", record_number(milli, run->arena), units[unit]);
}

static const char *known_of(const struct decide_run *run, uint32_t i) {
    const struct proposal *p = &run->out->proposals[i];

    if (!guessed(run, i))
        return "";
    return arena_printf(run->arena, " in %" PRIu32 " of %" PRIu32 " pods", p->counted_pods, p->pods);
}

/* "139.2 per replica against 100", "41% against 80%" */
static const char *measured(const struct decide_run *run, uint32_t i) {
    const struct proposal *p = &run->out->proposals[i];
    const struct metric_spec *m = &run->in->spec->metrics[i];
    bool average = m->target.type == TARGET_AVERAGE_VALUE && run->in->scale.status_replicas > 0;

    if (p->substituted)
        return p->arithmetic;
    if (m->target.type == TARGET_UTILIZATION)
        return arena_printf(run->arena, "%" PRId32 "%% against %" PRId32 "%%", p->utilization,
                            m->target.utilization);
    return arena_printf(run->arena, "%s%s against %s", amount(run, m, p->current_milli),
                        metric_of_pods(m->type) ? " a pod"
                        : average               ? " per replica"
                                                : "",
                        amount(run, m, m->target.milli));
}

/* "requests is 139.2 per replica against 100, which asks for 14" */
static const char *cause(const struct decide_run *run) {
    const struct combined *c = &run->out->steps.combined;
    const struct activated *a = &run->out->steps.activated;
    char since[CLOCK_TEXT_MAX];

    if (a->asleep)
        return arena_printf(run->arena, "asleep: no metric is above its activation since %s",
                            clock_format(a->idle_since, since));
    if (c->failure)
        return arena_printf(run->arena, "%s is above its activation, while the formula has no result",
                            run->out->proposals[a->metric].label);
    if (c->by_formula)
        return arena_printf(run->arena, "the formula gives %s, which asks for %" PRId32,
                            record_double(c->result, run->arena), c->replicas);
    const struct proposal *best = &run->out->proposals[c->best];
    return ARENA_JOIN(run->arena, best->label, best->substituted ? ": " : " is ", measured(run, c->best),
                      known_of(run, c->best), asks_for(run));
}

static const char *limit_text(const struct decide_run *run) {
    const struct limited *l = &run->out->steps.limited;
    const char *by = limited_by(run);

    /* selectPolicy Disabled: there is no number that it allows. */
    if (strcmp(by, "scaleDown policy") == 0 && run->in->spec->down.select == SELECT_DISABLED)
        return "; scaling down is disabled";
    if (strcmp(by, "scaleUp policy") == 0 && run->in->spec->up.select == SELECT_DISABLED)
        return "; scaling up is disabled";

    if (strcmp(by, "activation") == 0)
        return "; awake, it keeps at least 1";
    if (strcmp(by, "schedule") == 0)
        return arena_printf(run->arena, "; schedule %s says %" PRId32, run->out->steps.scheduled.names,
                            l->replicas);
    if (strcmp(by, "maxReplicas") == 0 || strcmp(by, "minReplicas") == 0)
        return arena_printf(run->arena, "; %s is %" PRId32, by, l->replicas);
    return arena_printf(run->arena, "; the %s allows %" PRId32, l->by, l->replicas);
}

/* What window and limits made of the number. */
static const char *held_text(const struct decide_run *run, int32_t raw) {
    const struct stabilized *s = &run->out->steps.stabilized;
    const char *window = "", *limit = "";

    if (s->replicas != raw)
        window = arena_printf(run->arena, "; recommendations of the last %s keep it at %" PRId32,
                              duration_text(s->window, run->arena), s->replicas);
    if (run->out->steps.limited.limited && run->out->steps.before_pause == run->out->desired)
        limit = limit_text(run);
    if (*window == '\0')
        return limit;
    return *limit == '\0' ? window : arena_printf(run->arena, "%s%s", window, limit);
}

static const char *computed_text(const struct decide_run *run) {
    const struct combined *c = &run->out->steps.combined;
    const char *held = held_text(run, c->replicas);

    /* Those that failed beside it are told as well: with them the number might be larger. */
    if (c->invalid == 0)
        return ARENA_JOIN(run->arena, cause(run), held);
    return arena_printf(run->arena, "%s%s; %" PRIu32 " of %" PRIu32 " metrics failed, first %s", cause(run),
                        held, c->invalid, run->out->proposal_count,
                        run->out->proposals[c->first_invalid].failure);
}

static const char *failed_text(const struct decide_run *run) {
    const struct combined *c = &run->out->steps.combined;

    return c->failure ? c->failure : str_or_empty(run->out->proposals[c->first_invalid].failure);
}

static const char *fallback_text(const struct decide_run *run) {
    const struct fell_back *fb = &run->out->steps.fallback;

    return arena_printf(run->arena, "fallback asks for %" PRId32 "%s; %s", fb->replicas,
                        held_text(run, fb->replicas), failed_text(run));
}

static const char *bound_text(const struct decide_run *run, bool above) {
    int32_t bound = above ? run->spec->max_replicas : run->spec->min_replicas;

    if (moved_bound(run, above))
        return arena_printf(run->arena, "schedule %s wants at %s %" PRId32, run->out->steps.scheduled.names,
                            above ? "most" : "least", bound);
    return arena_printf(run->arena, "there are %s than %s, which is %" PRId32, above ? "more" : "fewer",
                        above ? "maxReplicas" : "minReplicas", bound);
}

/* The first one in the order of spec, so that the sentence stays the same until it is there. */
static const char *waiting_text(const struct decide_run *run) {
    const struct decide_input *in = run->in;

    for (uint32_t i = 0; i < in->spec->metric_count; i++)
        if (in->samples[i].quality == QUALITY_PENDING)
            return arena_printf(run->arena, "waiting for the first sample of %s",
                                run->out->proposals[i].label);
    return "waiting for the first samples";
}

static const char *path_text(const struct decide_run *run) {
    switch (run->out->steps.path) {
    case PATH_NO_SCALE:
        return str_or_empty(run->in->scale.error);
    case PATH_DISABLED:
        return "scaling is disabled since the replica count of the target is zero";
    case PATH_CONFLICT:
        return condition_find(run->out->conditions, run->out->condition_count, "Conflict")->message;
    case PATH_ABOVE_MAX:
        return bound_text(run, /* above= */ true);
    case PATH_BELOW_MIN:
        return bound_text(run, /* above= */ false);
    case PATH_SELECTOR:
        return run->in->ambiguous
                   ? run->in->ambiguous
                   : "the target's selector is missing or cannot be read, so its pods are not known";
    case PATH_PENDING:
        return waiting_text(run);
    case PATH_FAILED:
        return failed_text(run);
    case PATH_FALLBACK:
        return fallback_text(run);
    case PATH_COMPUTED:
        break;
    }
    return computed_text(run);
}

/* Times in it are points and never spans up to now: status shows it, and must not change while nothing does.
 */
static const char *sentence(const struct decide_run *run) {
    const struct decision *d = run->out;
    const char *pause = run->out->reason == REASON_PAUSED ? "; scaling is paused" : "";

    if (run->out->steps.path == PATH_NO_SCALE)
        return arena_printf(run->arena, "%s/%s: %s", run->in->spec->target.kind, run->in->spec->target.name,
                            path_text(run));
    if (d->desired == d->current)
        return arena_printf(run->arena, "%" PRId32 " %s: %s%s", d->current,
                            d->current == 1 ? "replica" : "replicas", path_text(run), pause);
    return arena_printf(run->arena, "%" PRId32 " -> %" PRId32 " replicas: %s%s", d->current, d->desired,
                        path_text(run), pause);
}

/* HPA's text: empty where the metrics ask for what there is and a bound or a window moved it. */
static const char *hpa_reason(const struct decide_run *run) {
    const struct combined *c = &run->out->steps.combined;

    if (c->replicas > run->out->current)
        return arena_printf(run->arena, "%s above target", run->out->proposals[c->best].name);
    return c->replicas < run->out->current ? "All metrics below target" : "";
}

/* The same where it is true, else what moved the number. */
static const char *computed_reason(const struct decide_run *run) {
    const struct decision_steps *steps = &run->out->steps;
    const struct combined *c = &steps->combined;
    bool up = run->out->desired > run->out->current;

    if (steps->activated.asleep)
        return "no metric above its activation";
    /* Woken, or held up at one, where the formula or the metrics ask for none. */
    if (up && steps->activated.active && (c->failure || strcmp(steps->limited.by, "activation") == 0))
        return arena_printf(run->arena, "%s above its activation",
                            run->out->proposals[steps->activated.metric].label);
    if (c->by_formula && c->replicas != run->out->current)
        return up ? "formula above the present number" : "formula below the present number";
    if (up ? c->replicas > run->out->current : c->replicas < run->out->current)
        return hpa_reason(run);
    if (steps->stabilized.replicas != c->replicas)
        return arena_printf(run->arena, "recommendations of the last %s",
                            duration_text(steps->stabilized.window, run->arena));
    return "Current number of replicas outside Spec.MinReplicas and Spec.MaxReplicas";
}

/* For the event. */
static const char *rescale_reason(const struct decide_run *run) {
    const struct decision_steps *steps = &run->out->steps;
    bool above = steps->path == PATH_ABOVE_MAX;

    if (run->out->desired != steps->before_pause)
        return "spec.pause.replicas";
    if (steps->path == PATH_FALLBACK)
        return "fallback: no metric has a usable value";
    if (steps->path == PATH_COMPUTED)
        return run->in->flags->hpa ? hpa_reason(run) : computed_reason(run);
    /* HPA's own words for its short cuts are kept where it was spec's bound. */
    if (moved_bound(run, above))
        return arena_printf(run->arena, "schedule %s", steps->scheduled.names);
    return above ? "Current number of replicas above Spec.MaxReplicas"
                 : "Current number of replicas below Spec.MinReplicas";
}

void record_decision(struct decide_run *run) {
    struct decision *d = run->out;

    d->reason = reason_of(run);
    d->limited_by = limited_by(run);
    if (d->steps.path == PATH_COMPUTED && !d->steps.activated.asleep)
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

    /* As kubectl get hpa: resources by name, others by their place unless they were given one. */
    if (resource || (m->name && in->spec->metric_count > 1))
        return ARENA_JOIN(arena, d->proposals[i].label, ": ", d->proposals[i].current_text);
    return d->proposals[i].current_text;
}

const char *record_targets(const struct decide_input *in, const struct decision *d, struct arena *arena) {
    const char *text = "";
    uint32_t count = d->proposal_count;

    for (uint32_t i = 0; i < count && i < TARGETS_SHOWN; i++)
        text = ARENA_JOIN(arena, text, i ? ", " : "", target_entry(in, d, i, arena));
    if (count > TARGETS_SHOWN)
        text = arena_printf(arena, "%s + %" PRIu32 " more...", text, count - TARGETS_SHOWN);
    return text;
}
