/* What the HorizontalPodAutoscaler controller would write: its status, in its words. A policy says the same
 * things differently; an HPA object given to evaluate must get HPA's answer, and whether its status would
 * change depends on every word.
 *
 * The words are those of Kubernetes' pkg/controller/podautoscaler: horizontal.go has the conditions and
 * events, and wraps the errors of replica_calculator.go. One failure is therefore worded three times, each
 * around the one before: hpa_failure (the metric's own condition and event), hpa_metric_error (as the metric
 * hands it on) and hpa_compute_error (what the whole reconcile returns). The decision's texts are ours; here
 * they are taken apart where HPA's name more, such as the namespace or the selector. */
#include "autoscaler/stages.h"
#include "autoscaler/status.h"
#include "base/buf.h"
#include "base/str.h"
#include "operator/evaluate.h"

#include <inttypes.h>
#include <string.h>

/* Of a longer selector the end is left out: it is only ever part of a message. */
enum { SELECTOR_TEXT_MAX = 4096 };

/* ---- names ---- */

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "map[string]string{a: b,c: d,}", keys sorted. */
static void write_labels(json_t *labels, struct arena *arena, struct buf *out) {
    const char **keys = ARENA_ARRAY(arena, const char *, json_object_size(labels) + 1), *key;
    size_t count = 0;
    json_t *value;

    json_object_foreach(labels, key, value) keys[count++] = key;
    qsort(keys, count, sizeof(*keys), by_text);
    buf_puts(out, "map[string]string{");
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s: %s,", keys[i], str_or_empty(json_text(labels, keys[i])));
    buf_puts(out, "}");
}

static void write_expressions(const json_t *list, struct buf *out) {
    const json_t *item, *value;
    size_t i, n;

    buf_puts(out, "[]LabelSelectorRequirement{");
    json_array_foreach(list, i, item) {
        buf_printf(out, "LabelSelectorRequirement{Key:%s,Operator:%s,Values:[",
                   str_or_empty(json_text(item, "key")), str_or_empty(json_text(item, "operator")));
        json_array_foreach(json_object_get(item, "values"), n, value)
            buf_printf(out, "%s%s", n ? " " : "", str_or_empty(json_string_value(value)));
        buf_puts(out, "],},");
    }
    buf_puts(out, "}");
}

/* A label selector as Go prints it: HPA's messages have it so. The form is that of the String methods which
 * are generated for apimachinery's types (meta/v1/generated.pb.go). */
static const char *go_selector(const json_t *selector, struct arena *arena) {
    cleanup_buf struct buf out;

    buf_init(&out, SELECTOR_TEXT_MAX);
    if (!json_is_object(selector))
        return "nil";
    buf_puts(&out, "&LabelSelector{MatchLabels:");
    write_labels(json_object_get(selector, "matchLabels"), arena, &out);
    buf_puts(&out, ",MatchExpressions:");
    write_expressions(json_object_get(selector, "matchExpressions"), &out);
    buf_puts(&out, ",}");
    return arena_strdup(arena, out.data);
}

/* HPA calls an object's metric by AverageValue external too. */
const char *hpa_metric_name(const struct evaluate_case *c, uint32_t i) {
    const struct metric_spec *m = &c->spec.metrics[i];
    const json_t *metrics = json_path2(c->subject->json, "spec", "metrics");
    bool object = m->type == METRIC_OBJECT && m->target.type == TARGET_AVERAGE_VALUE;

    if (m->type != METRIC_EXTERNAL && !object)
        return c->decision.proposals[i].name;
    const json_t *source = json_object_get(json_array_get(metrics, i), object ? "object" : "external");
    return arena_printf(c->arena, "external metric %s(%s)", m->metric,
                        go_selector(json_path2(source, "metric", "selector"), c->arena));
}

/* ---- messages ---- */

static const char *selector_of(const struct evaluate_case *c, uint32_t i) {
    const json_t *metric = json_array_get(json_path2(c->subject->json, "spec", "metrics"), i);

    return go_selector(json_object_get(json_path2(metric, "external", "metric"), "selector"), c->arena);
}

/* HPA's words for a metric that its spec makes impossible; ours name the field. */
static const char *invalid_metric(const struct evaluate_case *c, const struct metric_spec *m) {
    static const char before[] = "operator is ";
    const char *at = strstr(m->invalid, before), *end = at ? strstr(at, ": must be") : NULL;

    if (end) {
        at += sizeof(before) - 1;
        return arena_printf(c->arena, "%.*s is not a valid label selector operator", (int)(end - at), at);
    }
    if (!strstr(m->invalid, ".target"))
        return m->invalid;
    if (m->type == METRIC_OBJECT || m->type == METRIC_EXTERNAL)
        return arena_printf(c->arena,
                            "invalid %s metric source: neither a value target nor an average value target "
                            "was set",
                            m->type == METRIC_OBJECT ? "object" : "external");
    return "invalid resource metric source: neither an average utilization target nor an average value "
           "(usage) target was set";
}

/* HPA's words for why metric i failed: ours name the metric and the object shorter. */
const char *hpa_failure(const struct evaluate_case *c, uint32_t i) {
    const struct metric_spec *m = &c->spec.metrics[i];
    const char *ours = c->decision.proposals[i].failure;

    if (m->type == METRIC_UNKNOWN)
        return arena_printf(c->arena, "unknown metric source type \"%s\"", m->type_text);
    if (m->invalid)
        return invalid_metric(c, m);
    if (m->type == METRIC_EXTERNAL && str_starts(ours, "unable to get external metric ")) {
        const char *cause = strstr(ours, "): ");
        return arena_printf(c->arena, "unable to get external metric %s/%s/%s: %s", c->ns, m->metric,
                            selector_of(c, i), cause ? cause + 3 : "");
    }
    if (m->type == METRIC_OBJECT && str_starts(ours, "unable to get metric ")) {
        const char *cause = strstr(ours, ": ");
        return arena_printf(c->arena, "unable to get metric %s: %s on %s %s/%s", m->metric, m->described.kind,
                            c->ns, m->described.name, cause ? cause + 2 : "");
    }
    return ours;
}

/* A total's error is wrapped once more where the target is an average, an external one's always; but not what
 * is found before anything is asked. */
static const char *total_error(const struct evaluate_case *c, uint32_t i) {
    const struct metric_spec *m = &c->spec.metrics[i];
    const char *inner = hpa_failure(c, i);

    if (m->invalid && (m->type == METRIC_OBJECT || str_starts(inner, "invalid ")))
        return inner;
    if (m->target.type == TARGET_AVERAGE_VALUE)
        return arena_printf(c->arena, "failed to get %s %s metric: %s", m->metric,
                            m->type == METRIC_OBJECT ? "object" : "external", inner);
    return m->type == METRIC_OBJECT
               ? inner
               : arena_printf(c->arena, "failed to get external metric %s: %s", m->metric, inner);
}

const char *hpa_metric_error(const struct evaluate_case *c, uint32_t i) {
    const struct metric_spec *m = &c->spec.metrics[i];
    const char *inner = c->hpa ? hpa_failure(c, i) : c->decision.proposals[i].failure;

    switch (c->hpa ? m->type : METRIC_UNKNOWN) {
    case METRIC_RESOURCE:
        return arena_printf(c->arena, "failed to get %s resource metric value: %s", m->metric, inner);
    case METRIC_CONTAINER_RESOURCE:
        return arena_printf(c->arena, "failed to get %s container metric value: %s", m->container, inner);
    case METRIC_PODS:
        return ARENA_JOIN(c->arena, "failed to get pods metric value: ", inner);
    case METRIC_OBJECT:
        return ARENA_JOIN(c->arena, "failed to get object metric value: ", total_error(c, i));
    case METRIC_EXTERNAL:
        return arena_printf(c->arena, "failed to get %s external metric value: %s", m->metric,
                            total_error(c, i));
    case METRIC_PROMETHEUS:
    case METRIC_WORKLOAD:
    case METRIC_UNKNOWN:
        break;
    }
    return inner;
}

const char *hpa_compute_error(const struct evaluate_case *c) {
    const struct combined *combined = &c->decision.steps.combined;

    return arena_printf(
        c->arena, "invalid metrics (%" PRIu32 " invalid out of %" PRIu32 "), first error is: %s",
        combined->invalid, c->decision.proposal_count, hpa_metric_error(c, combined->first_invalid));
}

/* By reason, for the reasons that HPA has one sentence for; the others are dealt with in hpa_message. */
static const struct {
    const char *reason, *message; /* %s: what it is about */
} messages[] = {
    {"SucceededGetScale", "the HPA controller was able to get the target's current scale"},
    {"FailedGetScale", "the HPA controller was unable to get the target's current scale: %s"},
    {"ReadyForNewScale", "recommended size matches current size"},
    {"ScaleDownStabilized",
     "recent recommendations were higher than current one, applying the highest recent recommendation"},
    {"ScaleUpStabilized",
     "recent recommendations were lower than current one, applying the lowest recent recommendation"},
    {"SucceededRescale", "the HPA controller was able to update the target scale to %s"},
    {"FailedUpdateScale", "the HPA controller was unable to update the target scale: %s"},
    {"ValidMetricFound", "the HPA was able to successfully calculate a replica count from %s"},
    {"ScalingDisabled", "scaling is disabled since the replica count of the target is zero"},
    {"DesiredWithinRange", "the desired count is within the acceptable range"},
    {"TooFewReplicas", "the desired replica count is less than the minimum replica count"},
    {"TooManyReplicas", "the desired replica count is more than the maximum replica count"},
    {"ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate"},
    {"ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate"},
    {"ScaledToZero", "the HPA controller scaled the workload to zero"},
    {"NotScaledToZero", "the HPA controller did not scale the workload to zero"},
};

/* What a message is about. */
static const char *subject_of(const struct evaluate_case *c, const char *reason) {
    if (str_eq(reason, "FailedGetScale"))
        return str_or_empty(c->in.scale.error);
    if (str_eq(reason, "SucceededRescale"))
        return arena_printf(c->arena, "%" PRId32, c->decision.desired);
    if (str_eq(reason, "FailedUpdateScale"))
        return str_or_empty(c->write.error);
    return str_eq(reason, "ValidMetricFound") ? hpa_metric_name(c, c->decision.steps.combined.best) : "";
}

/* No format of printf's: what is put in may come from anywhere. */
static const char *with_subject(const char *format, const char *subject, struct arena *arena) {
    const char *at = strstr(format, "%s");

    if (!at)
        return format;
    return arena_printf(arena, "%.*s%s", (int)(at - format), format, subject);
}

/* A condition that this decision did not touch keeps what was stored. */
static bool untouched(const struct evaluate_case *c, const struct condition *condition) {
    const struct condition *before =
        condition_find(c->status.conditions, c->status.condition_count, condition->type);

    return before && str_eq(before->status, condition->status) && str_eq(before->reason, condition->reason) &&
           str_eq(before->message, condition->message);
}

/* What HPA's parser says of a selector is not ours to repeat: as long as its condition stands, so do its
 * words, and the status does not change. */
static const char *invalid_selector(const struct evaluate_case *c, const struct condition *condition) {
    static const char words[] = "couldn't convert selector into a corresponding internal selector object: ";
    const struct condition *before =
        condition_find(c->status.conditions, c->status.condition_count, condition->type);

    if (before && str_eq(before->reason, condition->reason) && str_starts(before->message, words))
        return before->message;
    return ARENA_JOIN(c->arena, words, str_or_empty(c->in.selector_error));
}

const char *hpa_message(const struct evaluate_case *c, const struct condition *condition) {
    const struct decision *d = &c->decision;

    if (untouched(c, condition))
        return condition->message;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        if (str_eq(messages[i].reason, condition->reason))
            return with_subject(messages[i].message, subject_of(c, condition->reason), c->arena);
    if (d->steps.path == PATH_SELECTOR && str_eq(condition->reason, "InvalidSelector"))
        return *str_or_empty(c->in.scale.selector) ? invalid_selector(c, condition)
                                                   : "the HPA target's scale is missing a selector";
    if (d->steps.path == PATH_FAILED && str_eq(condition->type, "ScalingActive"))
        return arena_printf(c->arena, "the HPA was unable to compute the replica count: %s",
                            hpa_failure(c, d->steps.combined.first_invalid));
    return condition->message;
}

/* ---- the status ---- */

/* A decision has more conditions (Ready, Fallback): HPA's status knows these four. */
static bool is_hpas(const char *type) {
    static const char *const types[] = {"AbleToScale", "ScalingActive", "ScalingLimited", "ScaledToZero"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (str_eq(type, types[i]))
            return true;
    return false;
}

static json_t *conditions_json(const struct evaluate_case *c) {
    json_t *list = json_array();
    char when[CLOCK_TEXT_MAX];

    for (uint32_t i = 0; i < c->decision.condition_count; i++) {
        const struct condition *o = &c->decision.conditions[i];
        if (!is_hpas(o->type))
            continue;
        json_t *item = json_pack("{s:s, s:s, s:s, s:s}", "type", o->type, "status", o->status, "reason",
                                 o->reason, "message", hpa_message(c, o));
        if (o->last_transition)
            json_object_set_new(item, "lastTransitionTime",
                                json_string(clock_format(o->last_transition, when)));
        json_array_append_new(list, item);
    }
    return list;
}

/* Fields that are not computed anew keep their old value, or 0. */
static json_t *kept(const json_t *before, const char *key) {
    json_t *value = json_object_get(before, key);

    return value ? json_incref(value) : json_integer(0);
}

/* Where there is no scale HPA writes a copy of the old status with one condition changed; else it makes a new
 * one (setStatus), and only what that function thinks of is in it. */
json_t *hpa_status(const struct evaluate_case *c) {
    const struct decision *d = &c->decision;
    const json_t *before = json_object_get(c->subject->json, "status");
    bool scaled = c->write.tried && !c->write.failed;
    json_t *status = json_object(), *metrics = json_object_get(before, "currentMetrics");
    char when[CLOCK_TEXT_MAX];

    json_object_set_new(status, "currentReplicas",
                        c->in.scale.known ? json_integer(d->current) : kept(before, "currentReplicas"));
    json_object_set_new(status, "desiredReplicas",
                        d->keep_desired_status ? kept(before, "desiredReplicas") : json_integer(d->desired));
    if (c->in.scale.known)
        json_object_set_new(status, "currentMetrics", status_current_metrics(&c->in, d));
    else
        json_object_set_new(status, "currentMetrics",
                            json_is_array(metrics) ? json_incref(metrics) : json_array());
    json_object_set_new(status, "conditions", conditions_json(c));
    /* Only a status that is made anew loses it. */
    if (!c->in.scale.known && json_object_get(before, "observedGeneration"))
        json_object_set(status, "observedGeneration", json_object_get(before, "observedGeneration"));
    if (scaled)
        json_object_set_new(status, "lastScaleTime", json_string(clock_format(c->in.now, when)));
    else if (json_object_get(before, "lastScaleTime"))
        json_object_set(status, "lastScaleTime", json_object_get(before, "lastScaleTime"));
    return status;
}

/* Absent, null, 0 and empty lists are one thing to the controller's semantic comparison: it compares Go
 * structs, in which a number that was left out is 0, and takes a nil list for an empty one. */
static bool same_member(const json_t *a, const json_t *b, const char *key) {
    const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);
    bool no_x = !x || json_is_null(x) || (json_is_array(x) && json_array_size(x) == 0);
    bool no_y = !y || json_is_null(y) || (json_is_array(y) && json_array_size(y) == 0);

    if (json_is_integer(x) || json_is_integer(y))
        return json_integer_value(x) == json_integer_value(y);
    return no_x || no_y ? no_x && no_y : json_equal(x, y) == 1;
}

bool hpa_status_equal(const json_t *before, const json_t *status) {
    static const char *const members[] = {"currentReplicas", "desiredReplicas",    "currentMetrics",
                                          "conditions",      "observedGeneration", "lastScaleTime"};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (!same_member(before, status, members[i]))
            return false;
    return true;
}
