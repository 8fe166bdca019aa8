/* The stages of a record in words, and the number that each was given and gave. Only here is told what came
 * after what; text and JSON both show this.
 *
 * A chain carries the number: the first stage that brings one up begins it (combine, or fallback in its
 * place), each further one is given it and hands it on, and what differs was changed there. Stages that the
 * decision did not come to leave no entry. A record may have been cut by packing: whatever index it holds is
 * checked against the metrics that are left. */
#include "autoscaler/record_fields.h"
#include "autoscaler/stages.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NUMBERS_SHOWN = 8 }; /* proposals in "max(…)" */

/* The number on its way through the stages. */
struct chain {
    const struct record *record;
    struct arena *arena;
    struct record_stage *stages;
    int32_t number;
};

/* ---- words ---- */

const char *record_duration(usec_t duration, struct arena *arena) {
    char text[CLOCK_TEXT_MAX];

    /* Tenths matter for the age of a sample, and for nothing longer. */
    if (duration >= 0 && duration < 10 * USEC_PER_SEC && duration % USEC_PER_SEC != 0)
        return arena_printf(arena, "%.1f s", (double)duration / (double)USEC_PER_SEC);
    if (duration >= 0 && duration < 2 * USEC_PER_MIN)
        return arena_printf(arena, "%" PRId64 " s", duration / USEC_PER_SEC);
    if (duration % USEC_PER_HOUR == 0)
        return arena_printf(arena, "%" PRId64 " h", duration / USEC_PER_HOUR);
    if (duration % USEC_PER_MIN == 0 && duration < USEC_PER_HOUR)
        return arena_printf(arena, "%" PRId64 " min", duration / USEC_PER_MIN);
    return arena_strdup(arena, clock_format_duration(duration, text));
}

const char *record_time(usec_t at, usec_t day, struct arena *arena) {
    char text[CLOCK_TEXT_MAX], other[CLOCK_TEXT_MAX];
    enum { DATE = 11 }; /* "2026-01-01T" */

    clock_format(at, text);
    if (day && strncmp(text, clock_format(day, other), DATE) == 0)
        return arena_strdup(arena, text + DATE);
    return arena_strdup(arena, text);
}

const char *decide_path_name(enum decide_path path) {
    static const char *const names[] = {
        [PATH_NO_SCALE] = "NoScale",   [PATH_CONFLICT] = "Conflict",  [PATH_DISABLED] = "Disabled",
        [PATH_ABOVE_MAX] = "AboveMax", [PATH_BELOW_MIN] = "BelowMin", [PATH_SELECTOR] = "InvalidSelector",
        [PATH_PENDING] = "Pending",    [PATH_FAILED] = "Failed",      [PATH_FALLBACK] = "Fallback",
        [PATH_COMPUTED] = "Computed",
    };
    return names[path];
}

static const char *since_text(const struct chain *c, usec_t at) {
    return record_time(at, c->record->at, c->arena);
}

/* " until 03:12:07Z at the earliest", or "". */
static const char *until_text(const struct chain *c, usec_t at) {
    return at ? arena_printf(c->arena, " until %s at the earliest", since_text(c, at)) : "";
}

/* ---- the chain ---- */

/* A stage that tells something and changes no number. */
static void words(struct chain *c, enum record_stage_kind kind, const char *name, const char *text) {
    c->stages[kind] = (struct record_stage){.name = name, .text = text};
}

/* The stage that words have been given for brings the number up. */
static void begin(struct chain *c, enum record_stage_kind kind, int32_t out) {
    c->stages[kind].numbered = true;
    c->stages[kind].out = c->number = out;
}

/* A stage that hands a number on; the text is followed by it. */
static void step(struct chain *c, enum record_stage_kind kind, const char *name, const char *text,
                 int32_t out) {
    c->stages[kind] = (struct record_stage){
        .name = name,
        .text = arena_printf(c->arena, "%s: %" PRId32, text, out),
        .numbered = true,
        .given = true,
        .in = c->number,
        .out = out,
    };
    c->number = out;
}

/* Why nothing was decided at all; a decision has this or the other stages. */
static void target(struct chain *c) {
    const struct record *r = c->record;
    const char *text = NULL;

    if (r->path == PATH_NO_SCALE)
        text = arena_printf(c->arena, "its scale is not known: %s", r->trouble);
    else if (r->path == PATH_CONFLICT)
        text = arena_printf(c->arena, "%s scales it too: this policy waits", r->trouble);
    else if (r->path == PATH_DISABLED)
        text = "it is at 0, where this policy did not put it: left alone";
    else if (r->path == PATH_SELECTOR && r->trouble[0] != '\0')
        text = arena_printf(c->arena, "its pods are not known: %s", r->trouble);
    else if (r->path == PATH_SELECTOR)
        text = "its pods are not known: its scale has no selector";
    if (text)
        words(c, STAGE_TARGET, "target", text);
}

static const char *fallback_asks(const struct record_fallback *f, struct arena *arena) {
    return arena_printf(arena, "%s asks for %" PRId32, fallback_behavior_name(f->behavior), f->replicas);
}

static void fallback(struct chain *c) {
    const struct record_fallback *f = &c->record->fallback;

    if (!f->since)
        return;
    words(c, STAGE_FALLBACK, "fallback",
          arena_printf(c->arena, "metrics are missing since %s, %s %s: %s", since_text(c, f->since),
                       f->in_force ? "more than" : "not yet", record_duration(f->after, c->arena),
                       f->in_force ? fallback_asks(f, c->arena) : "not in force"));
    if (c->record->path != PATH_FALLBACK)
        return; /* it speaks through single metrics, if at all */
    begin(c, STAGE_FALLBACK, f->replicas);
}

/* ---- combine ---- */

/* "max(14, 6, -)" */
static const char *proposals_text(const struct chain *c) {
    const struct record *r = c->record;
    const char *list = "";

    for (uint32_t i = 0; i < r->metric_count && i < NUMBERS_SHOWN; i++) {
        const struct record_metric *m = &r->metrics[i];
        const char *number = m->valid && !m->ignored ? arena_printf(c->arena, "%" PRId32, m->replicas) : "-";
        list = arena_printf(c->arena, "%s%s%s", list, i ? ", " : "", number);
    }
    return arena_printf(c->arena, "max(%s%s)", list, r->metric_total > NUMBERS_SHOWN ? ", ..." : "");
}

/* A record that was cut may have lost the metric itself. */
static const char *deciding_label(const struct record *r) {
    return r->combined.best < r->metric_count ? r->metrics[r->combined.best].label : r->metric;
}

static bool some_ask(const struct record *r) {
    for (uint32_t i = 0; i < r->metric_count; i++)
        if (r->metrics[i].valid && !r->metrics[i].ignored)
            return true;
    return false;
}

static const char *combined_text(const struct chain *c) {
    const struct record *r = c->record;

    if (r->combined.by_formula && r->combined.failed)
        return arena_printf(c->arena, "%s: %s", r->formula,
                            r->combined.failure[0] ? r->combined.failure : "no result");
    if (r->combined.by_formula)
        return arena_printf(c->arena, "%s = %s, rounded up: %" PRId32, r->formula,
                            record_double(r->combined.result, c->arena), r->combined.replicas);
    if (r->combined.failed)
        return arena_printf(c->arena, "%s: %s", proposals_text(c),
                            some_ask(r) ? "what is missing never scales down"
                                        : "no metric has a usable value");
    return arena_printf(c->arena, "%s = %" PRId32 ", from %s", proposals_text(c), r->combined.replicas,
                        deciding_label(r));
}

/* It makes the first number, and changes none: what it was given are the proposals above it. */
static void combine(struct chain *c) {
    const struct record *r = c->record;

    if (!r->metrics_read)
        return;
    if (r->path == PATH_PENDING) {
        words(c, STAGE_COMBINE, "combine", "waits for the first samples");
        return;
    }
    words(c, STAGE_COMBINE, "combine", combined_text(c));
    if (r->combined.failed)
        return;
    begin(c, STAGE_COMBINE, r->combined.replicas);
}

/* ---- activation and schedule ---- */

/* It makes a number only where a formula failed to. */
static void awake(struct chain *c) {
    const struct record *r = c->record;
    const struct record_metric *m =
        r->activation.metric < r->metric_count ? &r->metrics[r->activation.metric] : NULL;
    const char *text = "a metric that is not kept is above its activation: awake";

    if (m)
        text = arena_printf(c->arena, "%s is above %s: awake", m->label,
                            record_number(m->activation_milli, c->arena));
    if (r->combined.failed && r->path == PATH_COMPUTED)
        step(c, STAGE_ACTIVATION, "activation", text, 1);
    else
        words(c, STAGE_ACTIVATION, "activation", text);
}

static void activation(struct chain *c) {
    const struct record_activation *a = &c->record->activation;

    if (!a->used)
        return;
    if (a->active)
        awake(c);
    else if (a->asleep)
        step(c, STAGE_ACTIVATION, "activation",
             arena_printf(c->arena, "no metric above its activation since %s: asleep",
                          since_text(c, a->idle_since)),
             0);
    else
        words(c, STAGE_ACTIVATION, "activation",
              a->unknown
                  ? "no metric is known to be above its activation, and one has no value: stays awake"
                  : arena_printf(c->arena, "no metric above its activation since %s: asleep at %s",
                                 since_text(c, a->idle_since), since_text(c, a->idle_since + a->after)));
}

/* Windows move the bounds, which act at the end; told here because it is here that they are settled. */
static void schedule(struct chain *c) {
    const struct record_schedule *s = &c->record->schedule;
    const char *next =
        s->changes_at ? arena_printf(c->arena, ", until %s", since_text(c, s->changes_at)) : "";

    if (s->count == 0)
        words(c, STAGE_SCHEDULE, "schedule", "none");
    else if (s->active == 0)
        words(c, STAGE_SCHEDULE, "schedule", arena_printf(c->arena, "none active%s", next));
    else
        words(c, STAGE_SCHEDULE, "schedule",
              arena_printf(c->arena, "%s: bounds %" PRId32 "..%" PRId32 "%s", s->names, s->min_replicas,
                           s->max_replicas, next));
}

/* ---- stabilize ---- */

static const char *window_text(const struct chain *c) {
    const struct record_stabilize *s = &c->record->stabilize;
    bool up = c->number > c->record->current;

    /* Neither direction: either window may have brought it there. */
    if (c->number == c->record->current && s->up_known)
        return arena_printf(c->arena, "windows scaleUp %s, scaleDown %s", record_duration(s->up, c->arena),
                            record_duration(s->down, c->arena));
    if (up && s->up_known)
        return arena_printf(c->arena, "scaleUp window %s", record_duration(s->up, c->arena));
    return arena_printf(c->arena, "scaleDown window %s", record_duration(s->down, c->arena));
}

static void stabilize(struct chain *c) {
    const struct record_stabilize *s = &c->record->stabilize;
    const char *held = "";

    /* It is the past that holds it, so that one wants to know for how long. */
    if (s->replicas != c->number)
        held = arena_printf(c->arena, ", its recommendations hold the number back%s",
                            until_text(c, s->changes_at));
    step(c, STAGE_STABILIZE, "stabilize", arena_printf(c->arena, "%s%s", window_text(c), held), s->replicas);
}

/* ---- rate limit and bounds ---- */

/* Most policies have one; it is then said once. */
static bool one_period(const struct record_limit *l) {
    for (uint32_t i = 1; i < l->rule_count; i++)
        if (l->rules[i].period_seconds != l->rules[0].period_seconds)
            return false;
    return true;
}

static const char *period_text(const struct record_rule *rule, struct arena *arena) {
    return arena_printf(arena, " in %s", record_duration(rule->period_seconds * USEC_PER_SEC, arena));
}

/* "+100% or +4 in 15 s", "the least of -10% in 60 s and -1 in 5 min" */
static const char *rules_text(const struct chain *c, bool up) {
    const struct record_limit *l = &c->record->limit;
    bool least = l->select == SELECT_MIN && l->rule_count > 1, together = one_period(l);
    const char *text = least ? "the least of " : "";

    for (uint32_t i = 0; i < l->rule_count; i++) {
        const struct record_rule *rule = &l->rules[i];
        bool last = i + 1 == l->rule_count;
        text = arena_printf(c->arena, "%s%s%s%" PRId32 "%s%s", text,
                            i == 0  ? ""
                            : least ? " and "
                                    : " or ",
                            up ? "+" : "-", rule->value, rule->percent ? "%" : "",
                            together && !last ? "" : period_text(rule, c->arena));
    }
    return text;
}

/* Whoever sees a limit wants to know whether past changes are the reason. */
static const char *used_text(const struct chain *c) {
    const struct record_limit *l = &c->record->limit;

    return l->used >= 0 ? arena_printf(c->arena, ", %" PRId32 " used", l->used) : "";
}

/* How far the rate lets the number go; the number itself where no rate applies. */
static int32_t after_rate(const struct chain *c, bool up) {
    const struct record_limit *l = &c->record->limit;

    if (l->allowed < 0)
        return c->number;
    return (up ? c->number > l->allowed : c->number < l->allowed) ? l->allowed : c->number;
}

/* The limit is told also where it did not act: one sees how far it was away. */
static const char *rate_text(const struct chain *c, bool up) {
    const struct record_limit *l = &c->record->limit;
    const char *rules = "at most twice as many or 4";

    if (c->number == c->record->current)
        return "no change to limit";
    if (!l->behavior && !up)
        return "none without behavior";
    if (l->behavior && l->select == SELECT_DISABLED)
        return up ? "scaleUp is disabled" : "scaleDown is disabled";
    if (l->behavior)
        rules = rules_text(c, up);
    if (l->allowed < 0)
        return rules;
    return arena_printf(c->arena, "%s%s: %s %" PRId32, rules, used_text(c), up ? "at most" : "at least",
                        l->allowed);
}

/* The limit stage of a decision knows rate and bounds together; here they are told apart. */
static void rate(struct chain *c) {
    /* By the number that came out of the window, as limit_behavior does. */
    bool up = c->number > c->record->current;
    int32_t out = after_rate(c, up);
    const char *wait = out != c->number ? until_text(c, c->record->limit.changes_at) : "";

    step(c, STAGE_RATE, "rate limit", arena_printf(c->arena, "%s%s", rate_text(c, up), wait), out);
}

/* Awake, the floor is one whatever the policy says, unless a schedule has closed the workload. */
static void bounds(struct chain *c, int32_t out) {
    const struct record *r = c->record;
    int32_t floor = r->schedule.min_replicas;
    bool awake = r->activation.used && !r->activation.asleep && floor == 0 && r->schedule.max_replicas > 0;

    step(c, STAGE_BOUNDS, "bounds",
         arena_printf(c->arena, "%" PRId32 "..%" PRId32 "%s", awake ? 1 : floor, r->schedule.max_replicas,
                      awake ? ", awake" : ""),
         out);
}

/* ---- pause ---- */

/* Last, so that its number is the decision's. */
static void pause_stage(struct chain *c) {
    static const char *const directions[] = {
        [PAUSE_BOTH] = "both ways", [PAUSE_UP] = "up", [PAUSE_DOWN] = "down"};
    const struct record_pause *p = &c->record->pause;
    const char *until = "";

    if (!p->in_force)
        return;
    if (p->until)
        until = arena_printf(c->arena, " until %s", since_text(c, p->until));
    step(c, STAGE_PAUSE, "pause",
         arena_printf(c->arena, "%s%s%s", directions[p->direction], until,
                      p->replicas >= 0 ? ", with replicas of its own" : ""),
         c->record->desired);
}

void record_stages(const struct record *record, struct arena *arena, struct record_stage *ret_stages) {
    struct chain c = {.record = record, .arena = arena, .stages = ret_stages, .number = record->current};
    bool computed = record->path == PATH_COMPUTED || record->path == PATH_FALLBACK;

    memset(ret_stages, 0, STAGE_COUNT * sizeof(*ret_stages));
    target(&c);
    combine(&c);
    fallback(&c);
    activation(&c);
    schedule(&c);
    if (computed) {
        stabilize(&c);
        rate(&c);
        bounds(&c, record->limit.replicas);
    } else if (record->path == PATH_ABOVE_MAX || record->path == PATH_BELOW_MIN) {
        bounds(&c, record->pause.before);
    }
    pause_stage(&c);
}
