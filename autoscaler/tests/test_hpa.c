/* Our decisions against recorded ones of the HPA controller (Kubernetes 1.36): single steps, what one metric
 * asks for, and whole decisions. */
#include "api/types/quantity.h"
#include "api/types/tests/cases.h"
#include "autoscaler/pods.h"
#include "autoscaler/stages.h"
#include "autoscaler/status.h"
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

/* ---- pods ---- */

/* The metric of a case that names only a resource and a container. */
static struct metric_spec metric_of(const struct hpa_vector *v) {
    const char *resource = text(v->input, "resource"), *container = text(v->input, "container");

    return (struct metric_spec){
        .type = resource[0] ? METRIC_RESOURCE : METRIC_PODS,
        .metric = resource,
        .container = container[0] ? container : NULL,
        .target = {.type = TARGET_UTILIZATION,
                   .utilization =
                       (int32_t)json_integer_value(json_object_get(v->input, "targetUtilization"))},
    };
}

static struct pods_query query_of(const struct hpa_vector *v, const struct metric_spec *m) {
    return (struct pods_query){.in = &v->in, .metric = m, .resource = pods_resource(m)};
}

static int by_name(const void *a, const void *b) {
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

static json_t *sorted(json_t *list) {
    size_t n = json_array_size(list);
    json_t **items = malloc((n + 1) * sizeof(json_t *)), *out = json_array();

    for (size_t i = 0; i < n; i++)
        items[i] = json_array_get(list, i);
    qsort(items, n, sizeof(json_t *), by_name);
    for (size_t i = 0; i < n; i++)
        json_array_append(out, items[i]);
    free(items);
    return out;
}

static void check_group_pods(struct hpa_vector *v) {
    static const char *const keys[] = {
        [POD_UNREADY] = "unreadyPods", [POD_MISSING] = "missingPods", [POD_IGNORED] = "ignoredPods"};
    const struct metric_spec m = metric_of(v);
    const struct pods_query q = query_of(v, &m);
    const struct pod_values *values = hpa_join(v, json_object_get(v->input, "metrics"));
    json_t *got[] = {json_array(), json_array(), json_array(), json_array()};

    for (uint32_t i = 0; i < v->in.pods; i++)
        json_array_append_new(got[pods_group(&q, v->pods[i], &values->of_pods[i])],
                              json_string(v->pods[i]->meta.name));
    assert_int_equal(json_array_size(got[POD_COUNTED]), want_int(v, "readyPodCount"));
    for (size_t i = POD_UNREADY; i <= POD_IGNORED; i++) {
        json_t *want = sorted(json_object_get(v->expect, keys[i])), *have = sorted(got[i]);
        assert_json_has(want, have);
        json_decref(want);
        json_decref(have);
    }
    for (size_t i = 0; i < 4; i++)
        json_decref(got[i]);
}

static void check_requests(struct hpa_vector *v) {
    const struct metric_spec m = metric_of(v);
    const struct pods_query q = query_of(v, &m);
    const json_t *want = json_object_get(v->expect, "requests");

    if (!want) { /* one that lacks its request fails all */
        bool lacking = false;
        for (uint32_t i = 0; i < v->in.pods; i++)
            lacking |= pods_request(&q, v->pods[i]) < 0;
        assert_true(lacking);
        return;
    }
    assert_int_equal(json_object_size(want), v->in.pods);
    for (uint32_t i = 0; i < v->in.pods; i++) {
        int64_t milli;
        assert_int_equal(quantity_parse(text(want, v->pods[i]->meta.name), &milli, NULL), 0);
        assert_int_equal(pods_request(&q, v->pods[i]), milli);
    }
}

static void assert_proposal(struct hpa_vector *v, const struct proposal *p) {
    const json_t *utilization = json_object_get(v->expect, "averageUtilization");
    const char *usage = text(v->expect, utilization ? "averageValue" : "usage");
    char out[QUANTITY_TEXT_MAX];

    assert_int_equal(p->valid, !json_is_true(json_object_get(v->expect, "error")));
    if (!p->valid) {
        assert_non_null(strstr(p->failure, text(v->expect, "errorMessage")));
        return;
    }
    snprintf(out, sizeof(out), "%" JSON_INTEGER_FORMAT "m", (json_int_t)p->current_milli);
    assert_string_equal(out, usage);
    if (utilization)
        assert_int_equal(p->utilization, json_integer_value(utilization));
}

/* Pods with requests as the case gives them; a metric of any other is one of an unknown pod. One more pod,
 * which is pending, keeps the list from being empty. */
static void check_ratio(struct hpa_vector *v) {
    const json_t *requests = json_object_get(v->input, "requests");
    size_t count = json_object_size(requests);
    struct pod *pods = ARENA_ARRAY(&v->arena, struct pod, count + 1);
    struct pod_container *containers = ARENA_ARRAY(&v->arena, struct pod_container, count + 1);
    struct metric_spec m = metric_of(v);
    struct sample sample = {.quality = QUALITY_VALUE};
    struct proposal p;
    json_t *request;
    const char *name;

    v->pods = ARENA_ARRAY(&v->arena, const struct pod *, count + 1);
    json_object_foreach((json_t *)(uintptr_t)requests, name, request) {
        struct pod *pod = &pods[v->in.pods];
        *pod = (struct pod){.meta = {.name = name},
                            .phase = POD_RUNNING,
                            .ready = CONDITION_TRUE,
                            .start_time = 1,
                            .container_count = 1,
                            .containers = &containers[v->in.pods],
                            .pod_cpu_milli = -1,
                            .pod_memory_milli = -1};
        assert_int_equal(quantity_parse(json_string_value(request), &pod->containers->cpu_milli, NULL), 0);
        v->pods[v->in.pods++] = pod;
    }
    pods[count] = (struct pod){.phase = POD_PENDING, .meta = {.name = "pending"}};
    v->pods[v->in.pods++] = &pods[count];
    v->in.pod_list = v->pods;
    m.metric = "cpu";
    m.type = METRIC_RESOURCE;
    v->spec = (struct policy_spec){.metric_count = 1, .metrics = &m};
    sample.pods = hpa_join(v, json_object_get(v->input, "metrics"));
    v->in.samples = &sample;
    propose(&v->in, 0, &v->arena, &p);
    assert_proposal(v, &p);
    if (p.valid)
        assert_true(p.ratio == json_number_value(json_object_get(v->expect, "ratio")));
}

static void check_metric(struct hpa_vector *v) {
    struct proposal p;

    propose(&v->in, 0, &v->arena, &p);
    assert_proposal(v, &p);
    if (p.valid)
        assert_int_equal(p.replicas, want_int(v, "desiredReplicas"));
}

/* ---- whole decisions ---- */

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

    decide(&v->in, &v->history, &v->arena, d);
    if (!d->rescale)
        return;
    ok = write_succeeds(v, &error);
    if (ok)
        history_store_scale(&v->history, &v->spec, d->current, d->desired, v->in.now);
    decision_written(d, &v->in, ok, error, &v->arena);
}

static json_t *conditions_got(const struct decision *d) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < d->condition_count; i++) {
        const struct condition *c = &d->conditions[i];
        if (strcmp(c->type, "Ready") != 0)
            json_array_append_new(list, json_pack("[s,s,s]", c->type, c->status, c->reason));
    }
    return list;
}

static json_t *events_got(const struct decision *d) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < d->event_count; i++) {
        const struct decision_event *e = &d->events[i];
        assert_true(e->message[0] != '\0');
        assert_null(strstr(e->message, "reason: ;"));
        json_array_append_new(list, json_pack("[s,s]", e->warning ? "Warning" : "Normal", e->reason));
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
        if (!p->valid)
            continue;
        assert_int_equal(p->replicas, json_integer_value(json_object_get(item, "replicas")));
        assert_string_equal(p->name, text(item, "name"));
    }
}

static void assert_current_metrics(struct hpa_vector *v, const struct decision *d) {
    const json_t *want = json_object_get(v->expect, "currentMetrics");
    json_t *got = status_current_metrics(&v->in, d);

    /* HPA keeps its old ones where it cannot read the scale; those are not the decision's. */
    if (d->steps.path != PATH_NO_SCALE && !hpa_unpinned(v, "currentMetrics"))
        assert_json_has(want, got);
    json_decref(got);
}

static void check_reconcile(struct hpa_vector *v) {
    struct decision d;

    decide_and_write(v, &d);
    assert_outcome(v, &d);
    assert_proposals(v, &d);
    assert_current_metrics(v, &d);
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
        {"groupPods", check_group_pods},
        {"requests", check_requests},
        {"ratio", check_ratio},
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
    static const char *const files[] = {"steps", "metric", "reconcile", "episodes", "differential"};
    struct test_cases cases = {0};

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        char path[512];
        snprintf(path, sizeof(path), "%s/hpa/%s.json", TEST_DATA_DIR, files[i]);
        json_t *document = cases_read(path), *list = json_object_get(document, "vectors");
        for (size_t k = 0; k < json_array_size(list); k++)
            cases_add(&cases, text(json_array_get(list, k), "name"), json_incref(json_array_get(list, k)),
                      NULL);
        json_decref(document);
    }
    return cases_run("hpa", &cases, check);
}
