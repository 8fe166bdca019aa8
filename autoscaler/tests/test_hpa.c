/* Our decisions against recorded ones of the HPA controller (Kubernetes 1.36): single steps, whole decisions
 * of External metrics, and everything behind the proposals for all other metric types. */
#include "api/types/quantity.h"
#include "api/types/tests/cases.h"
#include "autoscaler/stages.h"
#include "autoscaler/tests/hpa_vector.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *text(const json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "";
}

static int32_t want_int(const struct hpa_vector *v, const char *key) {
    assert_true(json_is_integer(json_object_get(v->expect, key)));
    return (int32_t)json_integer_value(json_object_get(v->expect, key));
}

static void assert_history(struct hpa_vector *v) {
    json_t *want = hpa_history_wanted(v), *got = hpa_history_json(&v->history);

    assert_json_has(want, got);
    json_decref(want);
    json_decref(got);
}

/* ---- single steps ---- */

static void check_quantity(struct hpa_vector *v) {
    bool memory = strcmp(text(v->input, "resource"), "memory") == 0;
    char out[QUANTITY_TEXT_MAX];
    struct err err;
    int64_t milli;

    assert_int_equal(quantity_parse(text(v->input, "milli"), &milli, &err), 0);
    assert_string_equal(quantity_write(milli, memory ? QUANTITY_BINARY_SI : QUANTITY_DECIMAL_SI, out),
                        text(v->expect, "quantity"));
}

static void check_stabilize(struct hpa_vector *v) {
    struct stabilized s;
    int32_t current = hpa_input(v, "currentReplicas"), raw = hpa_input(v, "desiredReplicas");

    if (v->spec.has_behavior)
        stabilize_behavior(&v->history, stabilize_windows(&v->spec, &v->flags), current, raw, v->in.now, &s);
    else
        stabilize_plain(&v->history, raw, v->in.now, v->flags.downscale_stabilization, &s);
    assert_int_equal(s.replicas, want_int(v, "desiredReplicas"));
    if (s.replicas != raw && v->spec.has_behavior)
        assert_string_equal(s.reason, text(v->expect, "reasonIfChanged"));
    assert_history(v);
}

static void check_limits(struct hpa_vector *v) {
    struct limit_input in = {.spec = &v->spec,
                             .flags = &v->flags,
                             .history = &v->history,
                             .now = v->in.now,
                             .current = hpa_input(v, "currentReplicas"),
                             .desired = hpa_input(v, "desiredReplicas")};
    struct limited l;

    if (v->spec.has_behavior)
        limit_behavior(&in, &l);
    else
        limit_plain(&in, &l);
    assert_int_equal(l.replicas, want_int(v, "desiredReplicas"));
    assert_string_equal(l.reason, text(v->expect, "reason"));
}

static void check_policy_limit(struct hpa_vector *v) {
    int32_t current = hpa_input(v, "currentReplicas");
    bool up = strcmp(text(v->json, "level"), "policyLimitUp") == 0;
    int32_t limit = up ? behavior_limit_up(&v->spec.up, &v->history, current, v->in.now)
                       : behavior_limit_down(&v->spec.down, &v->history, current, v->in.now);

    assert_int_equal(limit, want_int(v, "limit"));
}

static void check_store_event(struct hpa_vector *v) {
    history_store_scale(&v->history, &v->spec, hpa_input(v, "currentReplicas"),
                        hpa_input(v, "desiredReplicas"), v->in.now);
    assert_history(v);
}

/* ---- whole decisions ---- */

static void check_metric(struct hpa_vector *v) {
    struct proposal p;
    const char *usage = text(v->expect, "usage");
    char out[QUANTITY_TEXT_MAX];

    propose(&v->in, 0, &v->arena, &p);
    assert_int_equal(p.valid, !json_is_true(json_object_get(v->expect, "error")));
    if (!p.valid)
        return;
    assert_int_equal(p.replicas, want_int(v, "desiredReplicas"));
    snprintf(out, sizeof(out), "%" JSON_INTEGER_FORMAT "m", (json_int_t)p.current_milli);
    assert_string_equal(out, usage);
}

/* Five conflicts in a row, or an error, and the scale stays. */
static bool write_succeeds(const struct hpa_vector *v, const char **ret_error) {
    const json_t *faults = json_object_get(json_object_get(v->json, "faults"), "scaleUpdate");

    for (size_t i = 0; i < json_array_size(faults); i++) {
        *ret_error = json_string_value(json_array_get(faults, i));
        if (i == 4 || strncmp(*ret_error, "Conflict", 8) != 0)
            return false;
    }
    return true;
}

static void decide_and_write(struct hpa_vector *v, struct decision *d) {
    const char *error = NULL;
    bool ok;

    if (strcmp(text(v->json, "level"), "stages") == 0)
        decide_from(&v->in, hpa_proposals(v), &v->history, &v->arena, d);
    else
        decide(&v->in, &v->history, &v->arena, d);
    if (!d->rescale)
        return;
    ok = write_succeeds(v, &error);
    if (ok)
        history_store_scale(&v->history, &v->spec, d->current, d->desired, v->in.now);
    decision_written(d, &v->in, ok, error, &v->arena);
}

static const char *renamed(const char *reason) {
    return strcmp(reason, "FailedGetPrometheusMetric") == 0 ? "FailedGetExternalMetric" : reason;
}

static json_t *conditions_got(const struct decision *d) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < d->condition_count; i++) {
        const struct condition *c = &d->conditions[i];
        if (strcmp(c->type, "Ready") != 0)
            json_array_append_new(list, json_pack("[s,s,s]", c->type, c->status, renamed(c->reason)));
    }
    return list;
}

static json_t *events_got(const struct decision *d) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < d->event_count; i++) {
        const struct decision_event *e = &d->events[i];
        assert_true(e->message[0] != '\0');
        assert_null(strstr(e->message, "reason: ;"));
        json_array_append_new(list,
                              json_pack("[s,s]", e->warning ? "Warning" : "Normal", renamed(e->reason)));
    }
    return list;
}

static json_t *columns(const json_t *list, const char *const *keys, size_t count) {
    json_t *out = json_array();

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *row = json_array();
        for (size_t k = 0; k < count; k++)
            json_array_append_new(row, json_string(text(json_array_get(list, i), keys[k])));
        json_array_append_new(out, row);
    }
    return out;
}

static void assert_outcome(struct hpa_vector *v, const struct decision *d) {
    static const char *const condition_keys[] = {"type", "status", "reason"};
    static const char *const event_keys[] = {"type", "reason"};
    int32_t desired = d->keep_desired_status ? v->status.desired_replicas : d->desired;
    json_t *want =
        json_pack("{s:O, s:O, s:o, s:o, s:O}", "desired", json_object_get(v->expect, "desiredReplicas"),
                  "current", json_object_get(v->expect, "currentReplicas"), "conditions",
                  columns(json_object_get(v->expect, "conditions"), condition_keys, 3), "events",
                  columns(json_object_get(v->expect, "events"), event_keys, 2), "scaled",
                  json_object_get(v->expect, "scaled"));
    json_t *got = json_pack("{s:i, s:i, s:o, s:o, s:b, s:s}", "desired", desired, "current", d->current,
                            "conditions", conditions_got(d), "events", events_got(d), "scaled",
                            d->rescale && !d->failed, "message", d->message);

    assert_json_has(want, got);
    json_decref(want);
    json_decref(got);
}

static void assert_proposals(struct hpa_vector *v, const struct decision *d) {
    const json_t *list = json_object_get(v->expect, "metricProposals");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const struct proposal *p = &d->proposals[json_integer_value(json_object_get(item, "index"))];
        assert_int_equal(p->valid, json_object_get(item, "error") == NULL);
        if (p->valid)
            assert_int_equal(p->replicas, json_integer_value(json_object_get(item, "replicas")));
    }
}

static void check_reconcile(struct hpa_vector *v) {
    struct decision d;

    decide_and_write(v, &d);
    assert_outcome(v, &d);
    assert_proposals(v, &d);
    assert_history(v);
}

static void check(const struct test_case *c) {
    static const struct {
        const char *level;
        void (*fn)(struct hpa_vector *);
    } levels[] = {
        {"quantity", check_quantity},
        {"stabilize", check_stabilize},
        {"stabilizeBehavior", check_stabilize},
        {"limits", check_limits},
        {"rate", check_limits},
        {"policyLimitUp", check_policy_limit},
        {"policyLimitDown", check_policy_limit},
        {"storeEvent", check_store_event},
        {"metric", check_metric},
        {"reconcile", check_reconcile},
        {"stages", check_reconcile},
    };
    struct hpa_vector v;

    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
        if (strcmp(levels[i].level, text(c->in, "level")) != 0)
            continue;
        if (strcmp(levels[i].level, "quantity") == 0) {
            v = (struct hpa_vector){.input = json_object_get(c->in, "input"),
                                    .expect = json_object_get(c->in, "expect")};
            check_quantity(&v);
            return;
        }
        hpa_vector_init(&v, c->in);
        levels[i].fn(&v);
        hpa_vector_done(&v);
        return;
    }
    fail_msg("unknown level %s", text(c->in, "level"));
}

int main(void) {
    static const char *const files[] = {TEST_DATA_DIR "/hpa/steps.json", TEST_DATA_DIR "/hpa/external.json",
                                        TEST_DATA_DIR "/hpa/stages.json"};
    struct test_cases cases = {0};

    for (size_t i = 0; i < 3; i++) {
        json_t *document = cases_read(files[i]), *list = json_object_get(document, "vectors");
        for (size_t k = 0; k < json_array_size(list); k++)
            cases_add(&cases, text(json_array_get(list, k), "name"), json_incref(json_array_get(list, k)),
                      NULL);
        json_decref(document);
    }
    return cases_run("hpa", &cases, check);
}
