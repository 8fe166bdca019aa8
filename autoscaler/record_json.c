/* A record as JSON: the numbers with their units in the names, and beside them the words of the text. The
 * order of the fields is fixed, and the same record gives the same bytes.
 *
 * As a rule a field is there if and only if it means something: no 0 for "none" and no "" for "not told", so
 * that a program can ask whether it is there. The words are those of record_stages, which print shows as
 * well. */
#include "autoscaler/record_fields.h"
#include "autoscaler/status.h"
#include "base/str.h"
#include <math.h>

/* Fields are set one after the other: jansson keeps their order, and so the bytes are the same each time. */
static void set(json_t *object, const char *key, json_t *value) {
    json_object_set_new(object, key, value);
}

/* A field without anything in it is left out: a reader need not tell "" from none. */
static void set_text(json_t *object, const char *key, const char *text) {
    if (text[0] != '\0')
        set(object, key, text_json(text));
}

/* Whole numbers without a point; JSON has no infinity, and no number for "none". */
static json_t *number_json(double value) {
    if (!isfinite(value))
        return json_null();
    /* Below 2^53 every whole number is a double of its own. */
    if (value == floor(value) && fabs(value) < 1e15)
        return json_integer((json_int_t)value);
    return json_real(value);
}

/* Quantities in units, so that nobody has to know about milli-units. A double has room for every one that
 * HPA's int64 of milli-units can hold but for the last digits of very large ones. */
static json_t *milli_json(int64_t milli) {
    return milli % 1000 == 0 ? json_integer(milli / 1000) : json_real((double)milli / 1000);
}

static json_t *seconds_json(usec_t duration) {
    return number_json((double)duration / (double)USEC_PER_SEC);
}

/* With microseconds: samples come several times a second. 0 is no time. */
static void set_time(json_t *object, const char *key, usec_t at) {
    char text[CLOCK_TEXT_MAX];

    if (at)
        set(object, key, json_string(clock_format_micro(at, text)));
}

/* ---- metrics ---- */

/* As HPA's MetricTarget, but with plain numbers and the unit in the name. */
static json_t *target_json(const struct record_metric *m) {
    json_t *o = json_pack("{s:s}", "type", target_type_name(m->target_type));

    if (m->target_type == TARGET_UTILIZATION)
        set(o, "averageUtilizationPercent", json_integer(m->target_utilization));
    else
        set(o, m->target_type == TARGET_VALUE ? "value" : "averageValue", milli_json(m->target_milli));
    return o;
}

/* Both where a metric of pods has both: its utilization, and the value that that is of. */
static json_t *current_json(const struct record_metric *m) {
    json_t *o = json_object();

    if (m->utilization >= 0 && m->target_type == TARGET_UTILIZATION)
        set(o, "averageUtilizationPercent", json_integer(m->utilization));
    if (m->has_current)
        set(o, m->target_type == TARGET_VALUE ? "value" : "averageValue", milli_json(m->current_milli));
    return o;
}

static void set_measured(json_t *o, const struct record *r, const struct record_metric *m) {
    set(o, "target", target_json(m));
    set(o, "current", current_json(m));
    /* What whenMissing put in its place was not measured. */
    if (m->valid && !m->substituted) {
        set(o, "value", number_json(m->value));
        set(o, "ratio", number_json(m->ratio));
        set(o, "withinTolerance", json_boolean(m->within));
    }
    if (m->at) {
        set_time(o, "sampleTime", m->at);
        set(o, "sampleAgeSeconds", seconds_json(r->at - m->at));
    }
    if (metric_of_pods(m->type)) {
        set(o, "pods", json_integer(m->pods));
        set(o, "podsCounted", json_integer(m->counted_pods));
    }
}

/* A failed metric is told as fully as one that counts: it is what one looks for. */
static json_t *metric_json(const struct record *r, const struct record_metric *m) {
    json_t *o = json_object();

    set(o, "name", text_json(m->label));
    set(o, "type", json_string(metric_type_name(m->type)));
    set_text(o, "origin", m->origin);
    set(o, "quality", json_string(quality_name(m->quality)));
    set_measured(o, r, m);
    set(o, "valid", json_boolean(m->valid));
    if (m->ignored)
        set(o, "ignored", json_true());
    if (m->substituted)
        set(o, "substituted", json_true());
    if (m->valid)
        set(o, "proposal", json_integer(m->replicas));
    set_text(o, "arithmetic", m->valid ? m->arithmetic : "");
    set_text(o, "failure", m->failure);
    set_text(o, "note", m->note);
    return o;
}

static json_t *metrics_json(const struct record *r) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < r->metric_count; i++)
        json_array_append_new(list, metric_json(r, &r->metrics[i]));
    return list;
}

/* ---- stages: what only one of them has ---- */

static void set_fallback(json_t *o, const struct record *r) {
    set(o, "inForce", json_boolean(r->fallback.in_force));
    set_time(o, "since", r->fallback.since);
    set(o, "afterSeconds", seconds_json(r->fallback.after));
    set(o, "behavior", json_string(fallback_behavior_name(r->fallback.behavior)));
    set(o, "replicas", json_integer(r->fallback.replicas));
}

/* Also says which metric decided: with a formula the one that a person would name. */
static void set_combine(json_t *o, const struct record *r) {
    set(o, "by", json_string(r->combined.by_formula ? "formula" : "max"));
    set(o, "failed", json_boolean(r->combined.failed));
    set(o, "missing", json_integer(r->combined.invalid));
    if (r->combined.by_formula)
        set(o, "formula", text_json(r->formula));
    if (r->combined.by_formula && !r->combined.failed)
        set(o, "result", number_json(r->combined.result));
    /* best may be a metric that packing left out. */
    if (!r->combined.failed && r->combined.best < r->metric_count)
        set(o, "metric", text_json(r->metrics[r->combined.best].label));
}

static void set_activation(json_t *o, const struct record *r) {
    set(o, "active", json_boolean(r->activation.active));
    set(o, "unknown", json_boolean(r->activation.unknown));
    set(o, "asleep", json_boolean(r->activation.asleep));
    if (r->activation.active && r->activation.metric < r->metric_count)
        set(o, "metric", text_json(r->metrics[r->activation.metric].label));
    set_time(o, "idleSince", r->activation.idle_since);
    set(o, "afterSeconds", seconds_json(r->activation.after));
}

static void set_schedule(json_t *o, const struct record *r) {
    set(o, "active", json_integer(r->schedule.active));
    set_text(o, "names", r->schedule.names);
    set(o, "minReplicas", json_integer(r->schedule.min_replicas));
    set(o, "maxReplicas", json_integer(r->schedule.max_replicas));
    set_time(o, "changesAt", r->schedule.changes_at);
}

static void set_stabilize(json_t *o, const struct record *r) {
    if (r->stabilize.up_known)
        set(o, "scaleUpWindowSeconds", seconds_json(r->stabilize.up));
    set(o, "scaleDownWindowSeconds", seconds_json(r->stabilize.down));
    set_time(o, "changesAt", r->stabilize.changes_at);
}

static json_t *rule_json(const struct record_rule *rule) {
    return json_pack("{s:s, s:i, s:i}", "type", rule->percent ? "Percent" : "Pods", "value", rule->value,
                     "periodSeconds", rule->period_seconds);
}

static void set_rate(json_t *o, const struct record *r) {
    static const char *const selects[] = {
        [SELECT_MAX] = "Max", [SELECT_MIN] = "Min", [SELECT_DISABLED] = "Disabled"};
    json_t *rules = json_array();

    for (uint32_t i = 0; i < r->limit.rule_count; i++)
        json_array_append_new(rules, rule_json(&r->limit.rules[i]));
    /* Without behavior there are no policies to select from. */
    if (r->limit.rule_count || r->limit.select == SELECT_DISABLED)
        set(o, "selectPolicy", json_string(selects[r->limit.select]));
    set(o, "policies", rules);
    /* Where no rate applied there is nothing that could have been used. */
    if (r->limit.allowed >= 0 && r->limit.used >= 0)
        set(o, "used", json_integer(r->limit.used));
    if (r->limit.allowed >= 0)
        set(o, "allowed", json_integer(r->limit.allowed));
    set_time(o, "changesAt", r->limit.changes_at);
}

static void set_bounds(json_t *o, const struct record *r) {
    set(o, "minReplicas", json_integer(r->schedule.min_replicas));
    set(o, "maxReplicas", json_integer(r->schedule.max_replicas));
}

static void set_pause(json_t *o, const struct record *r) {
    static const char *const directions[] = {[PAUSE_BOTH] = "Both", [PAUSE_UP] = "Up", [PAUSE_DOWN] = "Down"};

    set(o, "direction", json_string(directions[r->pause.direction]));
    set_time(o, "until", r->pause.until);
    if (r->pause.replicas >= 0)
        set(o, "replicas", json_integer(r->pause.replicas));
}

/* What every stage has. A stage that only tells something has no number. */
static json_t *stage_json(const struct record_stage *s) {
    json_t *o = json_object();

    if (s->given)
        set(o, "in", json_integer(s->in));
    if (s->numbered)
        set(o, "out", json_integer(s->out));
    set(o, "changed", json_boolean(record_stage_changed(s)));
    set(o, "text", text_json(s->text));
    return o;
}

/* By name, so that a program finds a stage without a search; only those that the decision came to. */
static json_t *stages_json(const struct record *r) {
    /* JSON's names, which stay the same where the words for people change. */
    static const struct {
        const char *name;
        void (*fill)(json_t *object, const struct record *record);
    } kinds[STAGE_COUNT] = {
        [STAGE_TARGET] = {"target", NULL},
        [STAGE_COMBINE] = {"combine", set_combine},
        [STAGE_FALLBACK] = {"fallback", set_fallback},
        [STAGE_ACTIVATION] = {"activation", set_activation},
        [STAGE_SCHEDULE] = {"schedule", set_schedule},
        [STAGE_STABILIZE] = {"stabilize", set_stabilize},
        [STAGE_RATE] = {"rateLimit", set_rate},
        [STAGE_BOUNDS] = {"bounds", set_bounds},
        [STAGE_PAUSE] = {"pause", set_pause},
    };
    struct record_stage stages[STAGE_COUNT];
    json_t *all = json_object();
    cleanup_arena struct arena arena;

    /* Of the texts alone: jansson copies them. */
    arena_init(&arena, 0);
    record_stages(r, &arena, stages);
    for (int i = 0; i < STAGE_COUNT; i++) {
        if (!stages[i].name)
            continue;
        json_t *o = stage_json(&stages[i]);
        if (kinds[i].fill)
            kinds[i].fill(o, r);
        set(all, kinds[i].name, o);
    }
    return all;
}

json_t *record_json(const struct record *record) {
    const struct record *r = record;
    json_t *o = json_object();

    set_time(o, "time", r->at);
    set(o, "target", json_pack("{s:o, s:o}", "kind", text_json(r->kind), "name", text_json(r->name)));
    set(o, "path", json_string(decide_path_name(r->path)));
    set(o, "currentReplicas", json_integer(r->current));
    set(o, "desiredReplicas", json_integer(r->desired));
    if (r->preview >= 0)
        set(o, "previewReplicas", json_integer(r->preview));
    set(o, "rescale", json_boolean(r->rescale));
    set(o, "failed", json_boolean(r->failed));
    set(o, "writeFailed", json_boolean(r->write_failed));
    set_text(o, "reason", decision_reason_name(r->reason));
    set_text(o, "limitedBy", r->limited_by);
    set_text(o, "metric", r->metric);
    set(o, "message", text_json(r->message));
    set_text(o, "trouble", r->trouble);
    set(o, "tolerance",
        json_pack("{s:o, s:o}", "scaleUp", number_json(r->tolerance_up), "scaleDown",
                  number_json(r->tolerance_down)));
    set(o, "metrics", metrics_json(r));
    /* Short cuts read none: then nothing is missing. */
    if (r->metric_count < r->metric_total && r->metrics_read)
        set(o, "metricsNotKept", json_integer(r->metric_total - r->metric_count));
    set(o, "stages", stages_json(r));
    return o;
}
