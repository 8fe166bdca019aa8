/* The status document: HPA's fields, and ours beside them. */
#include "autoscaler/status.h"
#include "api/types/quantity.h"
#include "autoscaler/stages.h"
#include <string.h>

static json_t *time_json(usec_t t) {
    char text[CLOCK_TEXT_MAX];

    return json_string(clock_format(t, text));
}

static json_t *quantity_json(int64_t milli) {
    char text[QUANTITY_TEXT_MAX];

    return json_string(quantity_write(milli, QUANTITY_DECIMAL_SI, text));
}

/* Text from a source may not be UTF-8, and then jansson has none of it. */
static json_t *text_json(const char *text) {
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
        if (c->last_transition)
            json_object_set_new(item, "lastTransitionTime", time_json(c->last_transition));
        json_object_set_new(item, "reason", text_json(c->reason));
        json_object_set_new(item, "message", text_json(c->message));
        json_array_append_new(list, item);
    }
    return list;
}

/* As HPA: a metric that could not be read leaves an empty slot. */
static json_t *current_metric_json(const struct metric_spec *m, const struct proposal *p) {
    const char *key = m->target.type == TARGET_AVERAGE_VALUE ? "averageValue" : "value";

    if (!p->valid || m->type != METRIC_PROMETHEUS)
        return json_pack("{s:s}", "type", "");
    return json_pack("{s:s, s:{s:o, s:{s:o}}}", "type", "Prometheus", "prometheus", "query",
                     text_json(m->query), "current", key, quantity_json(p->current_milli));
}

static json_t *current_metrics_json(const struct decide_input *in, const struct decision *d) {
    json_t *list = json_array();

    for (uint32_t i = 0; d->metrics_read && i < d->proposal_count; i++)
        json_array_append_new(list, current_metric_json(&in->spec->metrics[i], &d->proposals[i]));
    return list;
}

static void set_sample(json_t *item, const struct sample *s) {
    if (s->quality == QUALITY_VALUE || s->quality == QUALITY_ZERO || s->quality == QUALITY_STALE)
        json_object_set_new(item, "value", quantity_json(s->milli));
    if (s->at)
        json_object_set_new(item, "sampleTime", time_json(s->at));
    if (s->warning && s->warning[0] != '\0')
        json_object_set_new(item, "warnings", json_pack("[o]", text_json(s->warning)));
}

static json_t *metric_json(const struct metric_spec *m, const struct sample *s, const struct proposal *p) {
    json_t *item = json_object();
    bool read = m->type == METRIC_PROMETHEUS;

    set_text(item, "name", p->label);
    json_object_set_new(item, "type", json_string(metric_type_name(m->type)));
    json_object_set_new(item, "quality", json_string(quality_name(read ? s->quality : QUALITY_FAILED)));
    if (read)
        set_sample(item, s);
    if (p->valid)
        json_object_set_new(item, "proposal", json_integer(p->replicas));
    else
        set_text(item, "message", p->failure);
    return item;
}

static json_t *metrics_json(const struct decide_input *in, const struct decision *d) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < d->proposal_count; i++)
        json_array_append_new(list, metric_json(&in->spec->metrics[i], &in->samples[i], &d->proposals[i]));
    return list;
}

static json_t *decision_json(const struct decide_input *in, const struct decision *d) {
    json_t *o = json_object();

    json_object_set_new(o, "time", time_json(in->now));
    json_object_set_new(o, "replicas", json_integer(d->desired));
    set_text(o, "reason", decision_reason_name(d->reason));
    set_text(o, "limitedBy", d->limited_by);
    set_text(o, "metric", d->metric);
    set_text(o, "message", d->message);
    return o;
}

json_t *status_build(const struct decide_input *input, const struct decision *decision, int64_t generation,
                     usec_t last_scale_time) {
    const struct decision *d = decision;
    const struct object_reference *target = &input->spec->target;
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
    if (last_scale_time)
        json_object_set_new(status, "lastScaleTime", time_json(last_scale_time));
    json_object_set_new(status, "decision", decision_json(input, d));
    json_object_set_new(status, "metrics", metrics_json(input, d));
    json_object_set_new(status, "currentMetrics", current_metrics_json(input, d));
    json_object_set_new(status, "conditions", conditions_json(d));
    return status;
}
