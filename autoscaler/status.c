/* The status document: HPA's fields, and ours beside them.
 *
 * Built whole each time; what of it is sent is status_compare's and merge_diff's matter. Not all of it is for
 * people: the operator reads back after a restart when stabilization lets go (decision.heldUntil), what was
 * decided last, and the transitions of conditions. Whatever comes from outside goes through text_json, since
 * one text that is not UTF-8 would make jansson refuse the document. */
#include "autoscaler/status.h"
#include "api/types/quantity.h"
#include "autoscaler/stages.h"
#include <string.h>

static json_t *time_json(usec_t t) {
    char text[CLOCK_TEXT_MAX];

    return json_string(clock_format(t, text));
}

json_t *text_json(const char *text) {
    json_t *value = json_string(str_or_empty(text));

    return value ? value : json_string("(text that is not UTF-8)");
}

static void set_text(json_t *object, const char *key, const char *text) {
    if (text && text[0] != '\0')
        json_object_set_new(object, key, text_json(text));
}

static json_t *conditions_json(const struct decision *d) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < d->condition_count; i++) {
        const struct condition *c = &d->conditions[i];
        json_t *item = json_object();
        json_object_set_new(item, "type", text_json(c->type));
        json_object_set_new(item, "status", text_json(c->status));
        /* HPA's API lets a condition be without, and the status of before may have such. */
        if (c->last_transition)
            json_object_set_new(item, "lastTransitionTime", time_json(c->last_transition));
        json_object_set_new(item, "reason", text_json(c->reason));
        json_object_set_new(item, "message", text_json(c->message));
        json_array_append_new(list, item);
    }
    return list;
}

/* ---- currentMetrics: HPA's shapes ---- */

static json_t *metric_quantity(const struct metric_spec *m, int64_t milli) {
    char text[QUANTITY_TEXT_MAX];

    return json_string(quantity_write(milli, metric_format(m), text));
}

/* A utilization is told in percent and as the average that it is of. */
static json_t *current_json(const struct metric_spec *m, const struct proposal *p) {
    const char *key = m->target.type == TARGET_VALUE ? "value" : "averageValue";
    json_t *current = json_object();

    if (m->target.type == TARGET_UTILIZATION)
        json_object_set_new(current, "averageUtilization", json_integer(p->utilization));
    json_object_set_new(current, key, metric_quantity(m, p->current_milli));
    return current;
}

/* A selector is echoed as it was written. */
static void set_selector(json_t *object, const struct metric_spec *m) {
    if (m->selector_json)
        json_object_set_new(object, "selector", json_loads(m->selector_json, 0, NULL));
}

static json_t *identifier_json(const struct metric_spec *m) {
    json_t *o = json_object();

    json_object_set_new(o, "name", text_json(m->metric));
    set_selector(o, m);
    return o;
}

/* apiVersion is optional in HPA's API, and kept as it was given. */
static json_t *described_json(const struct object_reference *described) {
    json_t *o = json_object();

    set_text(o, "apiVersion", described->api_version);
    json_object_set_new(o, "kind", text_json(described->kind));
    json_object_set_new(o, "name", text_json(described->name));
    return o;
}

/* What says which metric it is, by type. */
static json_t *source_json(const struct metric_spec *m) {
    json_t *o = json_object();

    switch (m->type) {
    case METRIC_CONTAINER_RESOURCE:
        json_object_set_new(o, "container", text_json(m->container));
        json_object_set_new(o, "name", text_json(m->metric));
        break;
    case METRIC_RESOURCE:
        json_object_set_new(o, "name", text_json(m->metric));
        break;
    case METRIC_OBJECT:
        json_object_set_new(o, "describedObject", described_json(&m->described));
        json_object_set_new(o, "metric", identifier_json(m));
        break;
    case METRIC_PODS:
    case METRIC_EXTERNAL:
        json_object_set_new(o, "metric", identifier_json(m));
        break;
    case METRIC_PROMETHEUS:
        json_object_set_new(o, "query", text_json(m->query));
        break;
    case METRIC_WORKLOAD:
        json_object_set_new(o, "count", json_string(m->workload == WORKLOAD_NODES ? "Nodes" : "Pods"));
        set_selector(o, m);
        break;
    case METRIC_UNKNOWN:
        break;
    }
    return o;
}

/* As HPA: a metric that could not be read leaves an empty slot. One that counts by whenMissing alone was not
 * read either. */
static json_t *current_metric_json(const struct metric_spec *m, const struct proposal *p) {
    static const char *const keys[] = {
        [METRIC_RESOURCE] = "resource", [METRIC_CONTAINER_RESOURCE] = "containerResource",
        [METRIC_PODS] = "pods",         [METRIC_OBJECT] = "object",
        [METRIC_EXTERNAL] = "external", [METRIC_PROMETHEUS] = "prometheus",
        [METRIC_WORKLOAD] = "workload", [METRIC_UNKNOWN] = "",
    };
    json_t *source, *item = json_object();

    if (!p->valid || p->substituted || !p->has_current) {
        json_object_set_new(item, "type", json_string(""));
        return item;
    }
    source = source_json(m);
    json_object_set_new(source, "current", current_json(m, p));
    json_object_set_new(item, "type", json_string(metric_type_name(m->type)));
    json_object_set_new(item, keys[m->type], source);
    return item;
}

json_t *status_current_metrics(const struct decide_input *input, const struct decision *decision) {
    json_t *list = json_array();

    for (uint32_t i = 0; decision->metrics_read && i < decision->proposal_count; i++)
        json_array_append_new(list, current_metric_json(&input->spec->metrics[i], &decision->proposals[i]));
    return list;
}

/* ---- metrics: ours ---- */

/* Of pods the average, of anything else the total, whatever the target: that is what the source measured. */
static void set_value(json_t *item, const struct metric_spec *m, const struct sample *s,
                      const struct proposal *p) {
    if (metric_of_pods(m->type) && p->has_current)
        json_object_set_new(item, "value", metric_quantity(m, p->current_milli));
    else if (!metric_of_pods(m->type) &&
             (s->quality == QUALITY_VALUE || s->quality == QUALITY_ZERO || s->quality == QUALITY_STALE))
        json_object_set_new(item, "value", metric_quantity(m, s->milli));
}

/* Unlike currentMetrics it also tells of metrics without a value, and why they have none. */
static json_t *metric_json(const struct metric_spec *m, const struct sample *s, const struct proposal *p) {
    json_t *item = json_object();

    set_text(item, "name", p->label);
    json_object_set_new(item, "type", json_string(metric_type_name(m->type)));
    json_object_set_new(item, "quality", json_string(quality_name(p->quality)));
    set_value(item, m, s, p);
    if (p->at)
        json_object_set_new(item, "sampleTime", time_json(p->at));
    set_text(item, "origin", s->origin);
    set_text(item, "note", p->note);
    if (s->warning && s->warning[0] != '\0')
        json_object_set_new(item, "warnings", json_pack("[o]", text_json(s->warning)));
    if (p->valid)
        json_object_set_new(item, "proposal", json_integer(p->replicas));
    if (p->failure)
        set_text(item, "message", p->failure);
    return item;
}

/* Of every metric, whatever path was taken: there HPA's currentMetrics may be empty. */
static json_t *metrics_json(const struct decide_input *in, const struct decision *d) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < d->proposal_count; i++)
        json_array_append_new(list, metric_json(&in->spec->metrics[i], &in->samples[i], &d->proposals[i]));
    return list;
}

/* ---- the document ---- */

/* When stabilization lets go, up to the second: a restart in between keeps to it (rebuild.h). */
static usec_t held_until(const struct decision *d) {
    const struct stabilized *s = &d->steps.stabilized;

    /* Where stabilization did not change the number nothing is held. */
    if (!s->window || !s->changes_at)
        return 0;
    /* Rounded up: a time of whole seconds must not let go too early. */
    return (s->changes_at + USEC_PER_SEC - 1) / USEC_PER_SEC * USEC_PER_SEC;
}

static json_t *decision_json(const struct decide_input *in, const struct decision *d) {
    json_t *o = json_object();

    json_object_set_new(o, "time", time_json(in->now));
    /* What this decision came to; desiredReplicas may keep an earlier one's. */
    json_object_set_new(o, "replicas", json_integer(d->desired));
    set_text(o, "reason", decision_reason_name(d->reason));
    set_text(o, "limitedBy", d->limited_by);
    set_text(o, "metric", d->metric);
    set_text(o, "message", d->message);
    if (held_until(d))
        json_object_set_new(o, "heldUntil", time_json(held_until(d)));
    return o;
}

json_t *status_build(const struct decide_input *input, const struct decision *decision, int64_t generation,
                     usec_t last_scale_time) {
    const struct decision *d = decision;
    const struct object_reference *target = &input->spec->target;
    /* HPA's way: while metrics fail the number that was wanted last stays. */
    int32_t desired = d->keep_desired_status ? input->status->desired_replicas : d->desired;
    json_t *status = json_object();

    json_object_set_new(status, "observedGeneration", json_integer(generation));
    json_object_set_new(status, "reference", json_sprintf("%s/%s", target->kind, target->name));
    set_text(status, "selector", input->scale.known ? input->scale.selector : NULL);
    json_object_set_new(status, "targets", text_json(d->targets));
    json_object_set_new(status, "currentReplicas", json_integer(d->current));
    json_object_set_new(status, "desiredReplicas", json_integer(desired));
    if (d->preview >= 0)
        json_object_set_new(status, "previewReplicas", json_integer(d->preview));
    set_text(status, "schedule", d->steps.scheduled.names);
    if (last_scale_time)
        json_object_set_new(status, "lastScaleTime", time_json(last_scale_time));
    json_object_set_new(status, "decision", decision_json(input, d));
    json_object_set_new(status, "metrics", metrics_json(input, d));
    json_object_set_new(status, "currentMetrics", status_current_metrics(input, d));
    json_object_set_new(status, "conditions", conditions_json(d));
    return status;
}
