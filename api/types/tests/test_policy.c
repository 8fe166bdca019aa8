/* AutoscalingPolicy as data: what a document is read as, and what a bad one is told. */
#include "api/types/policy.h"
#include "api/types/tests/cases.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static json_t *target_json(const struct metric_target *t) {
    return json_pack("{s:s, s:I, s:i, s:s}", "type", target_type_name(t->type), "milli", (json_int_t)t->milli,
                     "utilization", t->utilization, "text", t->text);
}

static void set_text(json_t *o, const char *key, const char *text) {
    if (text)
        json_object_set_new(o, key, json_string(text));
}

static json_t *metrics_json(const struct policy_spec *s) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < s->metric_count; i++) {
        const struct metric_spec *m = &s->metrics[i];
        json_t *o = json_pack("{s:s, s:o, s:i, s:f}", "type", metric_type_name(m->type), "target",
                              target_json(&m->target), "combine", (int)m->combine, "maxAge",
                              (double)m->max_age / USEC_PER_SEC);
        set_text(o, "name", m->name);
        set_text(o, "metric", m->metric);
        set_text(o, "container", m->container);
        set_text(o, "selector", m->selector);
        set_text(o, "query", m->query);
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

static json_t *spec_json(const struct policy_spec *s) {
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:o, s:b, s:o, s:o, s:i, s:o, s:f}", "apiVersion",
                     s->target.api_version, "kind", s->target.kind, "name", s->target.name, "min",
                     s->min_replicas, "max", s->max_replicas, "metrics", metrics_json(s), "behavior",
                     s->has_behavior, "up", rules_json(&s->up), "down", rules_json(&s->down), "mode",
                     (int)s->mode, "pause", pause_json(s), "interval", (double)s->interval / USEC_PER_SEC);
}

static json_t *status_json(const struct policy_object *p) {
    const struct policy_status *s = &p->status;
    json_t *conditions = json_array();

    for (uint32_t i = 0; i < s->condition_count; i++)
        json_array_append_new(conditions,
                              json_pack("[s,s,s,s,b]", s->conditions[i].type, s->conditions[i].status,
                                        s->conditions[i].reason, s->conditions[i].message,
                                        s->conditions[i].last_transition != 0));
    return json_pack("{s:I, s:i, s:i, s:b, s:o, s:b}", "observed", (json_int_t)s->observed_generation,
                     "current", s->current_replicas, "desired", s->desired_replicas, "scaled",
                     s->last_scale_time != 0, "conditions", conditions, "kept", p->status_json != NULL);
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

static void check(const struct test_case *c) {
    bool whole = json_object_get(c->in, "whole") != NULL;
    json_t *document = whole ? json_incref(json_object_get(c->in, "whole")) : complete(c->in);
    json_t *out = outcome(document);

    json_decref(document); /* nothing of it may be needed by now */
    assert_json_has(c->want, out);
    json_decref(out);
}

int main(void) {
    return cases_run_dir("policy", TEST_DATA_DIR "/policy", check);
}
