/* What came of a case, as JSON: the fields that a recorded case expects, and the decision's record. For an
 * HPA all texts are HPA's (evaluate_hpa.c), for a policy those of its decision; replicas, reasons and history
 * are the decision's in both. */
#include "autoscaler/record.h"
#include "autoscaler/status.h"
#include "base/str.h"
#include "operator/evaluate.h"

#include <inttypes.h>
#include <string.h>

/* RFC 3339 with as many digits as it takes, as Go's RFC3339Nano. History needs them: whether an entry is
 * still within a window may hang on the millisecond. */
static json_t *time_json(usec_t t) {
    char text[CLOCK_TEXT_MAX];

    if (t % USEC_PER_SEC == 0)
        return json_string(clock_format(t, text));
    clock_format_micro(t, text);
    size_t len = strlen(text) - 1; /* without the Z */
    while (text[len - 1] == '0')
        len--;
    text[len] = 'Z';
    text[len + 1] = '\0';
    return json_string(text);
}

static json_t *entries_json(const struct history_list *list, const char *key) {
    json_t *out = json_array();

    for (uint32_t i = 0; i < list->count; i++) {
        const struct history_entry *e = &list->items[i];
        json_t *item = json_pack("{s:i, s:o}", key, (int)e->value, "timestamp", time_json(e->at));
        if (e->outdated)
            json_object_set_new(item, "outdated", json_true());
        json_array_append_new(out, item);
    }
    return out;
}

json_t *history_json(const struct history *h) {
    return json_pack("{s:o, s:o, s:o}", "recommendations",
                     h->has_recommendations ? entries_json(&h->recommendations, "replicas") : json_null(),
                     "scaleUpEvents", entries_json(&h->up_events, "replicaChange"), "scaleDownEvents",
                     entries_json(&h->down_events, "replicaChange"));
}

/* The event of a failed metric has that metric's text, and the one of the whole what HPA's error says. The
 * decision puts the very text of the proposal into its event, so the pointer tells which metric it is of. */
static const char *event_message(const struct evaluate_case *c, const struct decision_event *e) {
    if (c->hpa && c->decision.steps.path == PATH_FAILED && str_eq(e->reason, "FailedComputeMetricsReplicas"))
        return hpa_compute_error(c);
    for (uint32_t i = 0; c->hpa && i < c->decision.proposal_count; i++)
        if (c->decision.proposals[i].failure == e->message)
            return hpa_failure(c, i);
    return e->message;
}

static json_t *events_json(const struct evaluate_case *c) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < c->decision.event_count; i++) {
        const struct decision_event *e = &c->decision.events[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o}", "type", e->warning ? "Warning" : "Normal",
                                        "reason", e->reason, "message", text_json(event_message(c, e))));
    }
    return list;
}

/* Before any limit; a metric that failed has its reason in place of a number. */
static json_t *proposals_json(const struct evaluate_case *c) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < c->decision.proposal_count; i++) {
        const struct proposal *p = &c->decision.proposals[i];
        json_t *item = json_pack("{s:i, s:s}", "index", (int)i, "type", c->spec.metrics[i].type_text);
        if (p->valid) {
            json_object_set_new(item, "name", text_json(c->hpa ? hpa_metric_name(c, i) : p->name));
            json_object_set_new(item, "replicas", json_integer(p->replicas));
        } else {
            json_object_set_new(item, "error", text_json(hpa_metric_error(c, i)));
        }
        json_array_append_new(list, item);
    }
    return list;
}

/* ---- the status ---- */

/* observedGeneration is the object's generation: the decision was made from the spec beside it. */
static json_t *new_status(const struct evaluate_case *c) {
    const json_t *generation = json_path2(c->subject->json, "metadata", "generation");
    bool scaled = c->write.tried && !c->write.failed;

    if (c->hpa)
        return hpa_status(c);
    return status_build(&c->in, &c->decision, json_integer_value(generation),
                        scaled ? c->in.now : c->status.last_scale_time);
}

/* Whether the status would be written: HPA writes what is not semantically the same, a policy what a person
 * would read differently. */
static bool status_changed(const struct evaluate_case *c, const json_t *status) {
    const json_t *before = json_object_get(c->subject->json, "status");

    if (!c->hpa)
        return status_compare(before, status) != STATUS_SAME;
    return !hpa_status_equal(before, status);
}

/* ---- errors ---- */

/* What the reconcile would return: also where some metrics failed and the rest scaled up. In the order in
 * which HPA's gets there, for it returns at the first; of a failed computation the last event is the one
 * about the whole. */
static const char *reconcile_error(const struct evaluate_case *c) {
    const struct decision *d = &c->decision;
    const struct object_reference *ref = &c->spec.target;
    const char *target = arena_printf(c->arena, "%s/%s/%s", ref->kind, c->ns, ref->name);

    if (c->bad_reference)
        return ARENA_JOIN(c->arena, "invalid API version in scale target reference: ", c->in.scale.error);
    if (!c->in.scale.known)
        return arena_printf(c->arena, "failed to query scale subresource for %s: %s", target,
                            str_or_empty(c->in.scale.error));
    if (c->write.failed)
        return arena_printf(c->arena, "failed to rescale %s: %s", target, c->write.error);
    if (d->failed && d->event_count)
        return arena_printf(c->arena,
                            "failed to compute desired number of replicas based on listed metrics for %s: %s",
                            target, event_message(c, &d->events[d->event_count - 1]));
    if (d->metrics_read && d->steps.combined.invalid)
        return hpa_compute_error(c);
    return NULL;
}

/* HPA counts what the user can mend in the spec apart from all else; of a whole reconcile that is the
 * apiVersion alone. */
static void set_error(struct evaluate_case *c, json_t *result) {
    const char *error = reconcile_error(c);

    json_object_set_new(result, "error", json_boolean(error != NULL));
    if (!error)
        return;
    json_object_set_new(result, "errorMessage", text_json(error));
    json_object_set_new(result, "errorLabel", json_string(c->bad_reference ? "spec" : "internal"));
}

/* ---- all of it ---- */

json_t *case_result(struct evaluate_case *c) {
    const struct decision *d = &c->decision;
    bool scaled = c->write.tried && !c->write.failed;
    json_t *status = new_status(c), *result = json_object();
    static const char *const of_status[] = {"desiredReplicas", "currentReplicas", "conditions",
                                            "currentMetrics"};

    json_object_set_new(result, "name", text_json(c->name));
    for (size_t i = 0; i < sizeof(of_status) / sizeof(of_status[0]); i++)
        json_object_set(result, of_status[i], json_object_get(status, of_status[i]));
    json_object_set_new(result, "scaled", json_boolean(scaled));
    if (scaled)
        json_object_set_new(result, "scaledTo", json_integer(d->desired));
    json_object_set_new(result, "events", events_json(c));
    if (d->metrics_read)
        json_object_set_new(result, "metricProposals", proposals_json(c));
    json_object_set_new(result, "statusChanged", json_boolean(status_changed(c, status)));
    json_object_set_new(result, "lastScaleTimeUpdated", json_boolean(scaled));
    set_error(c, result);
    json_object_set_new(result, "historyAfter", history_json(&c->history));
    json_object_set_new(result, "status", status);
    json_object_set_new(result, "decision", record_json(record_of(&c->in, d, c->arena)));
    return result;
}
