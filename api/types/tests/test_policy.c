/* AutoscalingPolicy as data: what a document is read as, and what a bad one is told. */
#include "api/types/policy.h"
#include "api/types/tests/cases.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static json_t *target_json(const struct metric_target *t) {
    return json_pack("{s:s, s:I, s:i, s:s}", "type", target_type_name(t->type), "milli", (json_int_t)t->milli,
                     "utilization", t->utilization, "text", t->text);
}

static void set_text(json_t *o, const char *key, const char *text) {
    if (text)
        json_object_set_new(o, key, json_string(text));
}

/* The time in seconds. */
static double seconds(usec_t t) {
    return (double)t / USEC_PER_SEC;
}

/* What only a policy's metrics have. */
static void set_own_fields(json_t *o, const struct metric_spec *m) {
    set_text(o, "name", m->name);
    json_object_set_new(o, "combine", json_integer(m->combine));
    json_object_set_new(o, "maxAge", json_real(seconds(m->max_age)));
    json_object_set_new(o, "hasActivation", json_boolean(m->has_activation));
    json_object_set_new(o, "activation", json_integer(m->activation_milli));
    json_object_set_new(o, "whenMissing", json_integer(m->when_missing));
    json_object_set_new(o, "workload", json_integer(m->workload));
}

static json_t *metrics_json(const struct policy_spec *s) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < s->metric_count; i++) {
        const struct metric_spec *m = &s->metrics[i];
        json_t *o = json_pack("{s:s, s:s, s:o}", "type", metric_type_name(m->type), "typeText", m->type_text,
                              "target", target_json(&m->target));
        set_own_fields(o, m);
        set_text(o, "invalid", m->invalid);
        set_text(o, "metric", m->metric);
        set_text(o, "container", m->container);
        set_text(o, "selector", m->selector);
        set_text(o, "query", m->query);
        set_text(o, "source", m->source);
        set_text(o, "described", m->described.kind);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *rules_json(const struct scaling_rules *r) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < r->policy_count; i++)
        json_array_append_new(list,
                              json_pack("[s,i,i]", r->policies[i].type == SCALING_PODS ? "Pods" : "Percent",
                                        r->policies[i].value, r->policies[i].period_seconds));
    return json_pack("{s:i, s:i, s:o, s:b, s:f}", "window", r->window_seconds, "select", (int)r->select,
                     "policies", list, "hasTolerance", r->has_tolerance, "tolerance", r->tolerance);
}

static json_t *pause_json(const struct policy_spec *s) {
    char until[CLOCK_TEXT_MAX];

    if (!s->has_pause)
        return json_null();
    return json_pack("{s:i, s:s, s:i}", "direction", (int)s->pause.direction, "until",
                     s->pause.until ? clock_format(s->pause.until, until) : "", "replicas",
                     s->pause.replicas);
}

static char *cron_text(const struct cron *c, char *out, size_t size) {
    snprintf(out, size, "%" PRIx64 " %x %x %x %x", c->minutes, c->hours, c->days, c->months, c->weekdays);
    return out;
}

static json_t *schedules_json(const struct policy_spec *s) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < s->schedule_count; i++) {
        const struct policy_schedule *w = &s->schedules[i];
        char start[80], end[80];
        json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:f, s:[i,i], s:[]}", "name", w->name, "zone",
                              w->time_zone, "start", cron_text(&w->start, start, sizeof(start)), "end",
                              cron_text(&w->end, end, sizeof(end)), "duration", seconds(w->duration),
                              "bounds", w->min_replicas, w->max_replicas, "except");
        for (uint32_t j = 0; j < w->except_count; j++)
            json_array_append_new(
                json_object_get(o, "except"),
                json_pack("[i,i,i]", w->except[j].year, w->except[j].month, w->except[j].day));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *fallback_json(const struct policy_spec *s) {
    return json_pack("{s:b, s:f, s:i, s:i}", "given", s->has_fallback, "after", seconds(s->fallback.after),
                     "replicas", s->fallback.replicas, "behavior", (int)s->fallback.behavior);
}

static json_t *spec_json(const struct policy_spec *s) {
    json_t *o = json_pack("{s:s, s:s, s:s, s:i, s:i, s:o, s:b, s:o, s:o, s:i, s:o, s:f}", "apiVersion",
                          s->target.api_version, "kind", s->target.kind, "name", s->target.name, "min",
                          s->min_replicas, "max", s->max_replicas, "metrics", metrics_json(s), "behavior",
                          s->has_behavior, "up", rules_json(&s->up), "down", rules_json(&s->down), "mode",
                          (int)s->mode, "pause", pause_json(s), "interval", seconds(s->interval));

    json_object_set_new(o, "schedules", schedules_json(s));
    json_object_set_new(o, "fallback", fallback_json(s));
    json_object_set_new(
        o, "activation",
        json_pack("{s:b, s:f}", "given", s->activation.given, "after", seconds(s->activation.after)));
    set_text(o, "formula", s->formula_text);
    assert_int_equal(s->formula_text != NULL, s->formula != NULL);
    return o;
}

static json_t *status_json(const struct policy_object *p) {
    const struct policy_status *s = &p->status;
    json_t *conditions = json_array();

    for (uint32_t i = 0; i < s->condition_count; i++)
        json_array_append_new(conditions,
                              json_pack("[s,s,s,s,b]", s->conditions[i].type, s->conditions[i].status,
                                        s->conditions[i].reason, s->conditions[i].message,
                                        s->conditions[i].last_transition != 0));
    return json_pack("{s:I, s:i, s:i, s:b, s:o, s:b, s:f, s:i}", "observed",
                     (json_int_t)s->observed_generation, "current", s->current_replicas, "desired",
                     s->desired_replicas, "scaled", s->last_scale_time != 0, "conditions", conditions, "kept",
                     p->status_json != NULL, "decidedAt", seconds(s->decided_at), "proposed", s->proposed);
}

static json_t *outcome(const json_t *document) {
    struct str_pool pool;
    struct policy_object *p = NULL;
    struct err err = {0};
    json_t *out;

    str_pool_init(&pool);
    if (policy_from_json(document, &pool, &p, &err) < 0) {
        out = json_pack("{s:s}", "refused", err.text);
    } else {
        out =
            json_pack("{s:s, s:s, s:s, s:I, s:b, s:s, s:o}", "key", p->meta.key, "name", p->meta.name, "uid",
                      p->meta.uid, "generation", (json_int_t)p->meta.generation, "deleting", p->meta.deleting,
                      "invalid", p->invalid.code ? p->invalid.text : "", "status", status_json(p));
        if (!p->invalid.code)
            json_object_set_new(out, "spec", spec_json(&p->spec));
        json_object_set_new(out, "created", json_real(seconds(p->created)));
        set_text(out, "takeOverFrom", p->take_over_from);
        object_unref(&p->meta);
    }
    str_pool_done(&pool);
    return out;
}

/* in.json may hold only what differs from a policy that works. */
static json_t *complete(const json_t *in) {
    json_t *base =
        json_pack("{s:{s:s, s:s}, s:{s:{s:s, s:s, s:s}, s:i, s:[{s:s, s:{s:s, s:{s:s, s:i}}}]}}", "metadata",
                  "namespace", "default", "name", "web", "spec", "scaleTargetRef", "apiVersion", "apps/v1",
                  "kind", "Deployment", "name", "web", "maxReplicas", 20, "metrics", "type", "Prometheus",
                  "prometheus", "query", "up", "target", "type", "AverageValue", "averageValue", 100);

    json_object_update_recursive(base, (json_t *)(uintptr_t)in);
    return base;
}

static json_t *hpa_outcome(const json_t *spec) {
    struct arena arena;
    struct policy_spec read;
    struct err err = {0};
    json_t *out;

    arena_init(&arena, 0);
    if (hpa_read_spec(spec, &arena, &read, &err) < 0)
        out = json_pack("{s:s}", "invalid", err.text);
    else
        out = json_pack("{s:s, s:o}", "invalid", "", "spec", spec_json(&read));
    arena_done(&arena);
    return out;
}

static json_t *fields_outcome(const json_t *document, bool hpa) {
    struct err err = {0};

    return json_pack("{s:b, s:s}", "refused", policy_check_fields(document, hpa, &err) < 0, "why", err.text);
}

/* in.json: a policy in part, one as a whole, a HorizontalPodAutoscaler, or one whose fields are checked. */
static void check(const struct test_case *c) {
    const json_t *whole = json_object_get(c->in, "whole"), *hpa = json_object_get(c->in, "hpa");
    json_t *document = whole ? json_deep_copy(whole) : complete(c->in);
    const json_t *fields = json_object_get(c->in, "fields"),
                 *hpa_fields = json_object_get(c->in, "hpaFields");
    json_t *out = fields       ? fields_outcome(fields, false)
                  : hpa_fields ? fields_outcome(hpa_fields, true)
                  : hpa        ? hpa_outcome(json_object_get(hpa, "spec"))
                               : outcome(document);

    json_decref(document); /* nothing of it may be needed by now */
    assert_json_has(c->want, out);
    json_decref(out);
}

int main(void) {
    return cases_run_dir("policy", TEST_DATA_DIR "/policy", check);
}
