/* What a proposal says: names as in HPA's messages, why there is no value, and the TARGETS entry.
 *
 * People search the web for HPA's words and alert on its reasons: what is told of a metric keeps both, with
 * the wrapping of its Go errors ("failed to get cpu utilization: unable to get metrics for resource cpu:
 * ..."). Metrics of our own types have no such past, and begin with their name. */
#include "autoscaler/propose_internal.h"
#include <inttypes.h>
#include <string.h>

enum { LABEL_MAX = 60 }; /* in a column of kubectl, and within a sentence */

/* ---- names ---- */

enum quantity_format metric_format(const struct metric_spec *metric) {
    bool resource = metric->type == METRIC_RESOURCE || metric->type == METRIC_CONTAINER_RESOURCE;

    return resource && str_eq(metric->metric, "memory") ? QUANTITY_BINARY_SI : QUANTITY_DECIMAL_SI;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The text with runs of blanks drawn together and none at its end, as far as size allows; returns whether
 * that is all of it. */
static bool squeeze(const char *s, char *out, size_t size) {
    size_t n = 0;

    for (; *s != '\0' && n + 1 < size; s++) {
        if (!is_blank(*s))
            out[n++] = *s;
        else if (n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    s += strspn(s, " \t\r\n");
    /* A cut must not leave half a character behind. */
    for (; n > 0 && ((unsigned char)*s & 0xc0) == 0x80; s--)
        n--;
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
    return *s == '\0';
}

/* A count has no name of its own: what is counted tells it. */
static const char *workload_label(const struct metric_spec *m, struct arena *arena) {
    const char *what = m->workload == WORKLOAD_NODES ? "nodes" : "pods";

    if (!m->selector || m->selector[0] == '\0')
        return what;
    return arena_printf(arena, "%s %s", what, m->selector);
}

/* Queries are long and may have several lines; names are used as they are, without a copy. */
const char *metric_label(const struct metric_spec *metric, struct arena *arena) {
    const char *text = metric->name ? metric->name : metric->metric;
    char out[LABEL_MAX + 1];
    bool all;

    if (!text && metric->type == METRIC_WORKLOAD)
        text = workload_label(metric, arena);
    if (text && strlen(text) <= LABEL_MAX)
        return text;
    all = squeeze(str_or_empty(text ? text : metric->query), out, sizeof(out));
    return ARENA_JOIN(arena, out, all ? "" : "...");
}

/* Go prints a slice without commas. */
static const char *go_values(const json_t *list, struct arena *arena) {
    const char *text = "";

    for (size_t i = 0; i < json_array_size(list); i++)
        text = arena_printf(arena, "%s%s%s", text, i ? " " : "",
                            str_or_empty(json_string_value(json_array_get(list, i))));
    return text;
}

static const char *go_expressions(const json_t *list, struct arena *arena) {
    const char *text = "";

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        text = arena_printf(arena, "%sLabelSelectorRequirement{Key:%s,Operator:%s,Values:[%s],},", text,
                            str_or_empty(json_string_value(json_object_get(item, "key"))),
                            str_or_empty(json_string_value(json_object_get(item, "operator"))),
                            go_values(json_object_get(item, "values"), arena));
    }
    return text;
}

/* A label selector as Go prints the API's struct, which is how HPA's messages have it. */
static const char *go_selector(const char *written, struct arena *arena) {
    json_t *selector = written ? json_loads(written, 0, NULL) : NULL, *value;
    const char *labels = "", *key, *text;

    if (!selector)
        return "nil";
    json_object_foreach(json_object_get(selector, "matchLabels"), key, value) labels =
        arena_printf(arena, "%s%s: %s,", labels, key, str_or_empty(json_string_value(value)));
    text = arena_printf(arena,
                        "&LabelSelector{MatchLabels:map[string]string{%s},"
                        "MatchExpressions:[]LabelSelectorRequirement{%s},}",
                        labels, go_expressions(json_object_get(selector, "matchExpressions"), arena));
    json_decref(selector);
    return text;
}

/* HPA tells metrics of one name apart by their selector; to a person its text is enough. */
static const char *external_name(const struct propose_args *a) {
    const struct metric_spec *m = a->metric;
    const char *metric = str_or_empty(m->metric);

    if (a->hpa)
        return arena_printf(a->arena, "external metric %s(%s)", metric,
                            go_selector(m->selector_json, a->arena));
    if (str_or_empty(m->selector)[0] == '\0')
        return ARENA_JOIN(a->arena, "external metric ", metric);
    return arena_printf(a->arena, "external metric %s(%s)", metric, m->selector);
}

const char *propose_name(const struct propose_args *a, const char *label) {
    const struct metric_spec *m = a->metric;
    bool utilization = m->target.type == TARGET_UTILIZATION;

    switch (m->type) {
    case METRIC_RESOURCE:
        return ARENA_JOIN(a->arena, m->metric, " resource",
                          utilization ? " utilization (percentage of request)" : "");
    case METRIC_CONTAINER_RESOURCE:
        return ARENA_JOIN(a->arena, m->metric, utilization ? " container resource" : " resource",
                          utilization ? " utilization (percentage of request)" : "");
    case METRIC_PODS:
        return ARENA_JOIN(a->arena, "pods metric ", m->metric);
    case METRIC_OBJECT:
        /* HPA calls it so where it is averaged, and its texts are what people search for. */
        if (m->target.type == TARGET_AVERAGE_VALUE)
            return external_name(a);
        return ARENA_JOIN(a->arena, str_or_empty(m->described.kind), " metric ", str_or_empty(m->metric));
    case METRIC_EXTERNAL:
        return external_name(a);
    case METRIC_PROMETHEUS:
        return ARENA_JOIN(a->arena, "prometheus metric ", label);
    case METRIC_WORKLOAD:
        return ARENA_JOIN(a->arena, "workload metric ", label);
    case METRIC_UNKNOWN:
        break;
    }
    return ARENA_JOIN(a->arena, str_or_empty(m->type_text), " metric");
}

/* ---- why there is none ---- */

const char *propose_failure_reason(enum metric_type type) {
    static const char *const reasons[] = {
        [METRIC_RESOURCE] = "FailedGetResourceMetric",
        [METRIC_CONTAINER_RESOURCE] = "FailedGetContainerResourceMetric",
        [METRIC_PODS] = "FailedGetPodsMetric",
        [METRIC_OBJECT] = "FailedGetObjectMetric",
        [METRIC_EXTERNAL] = "FailedGetExternalMetric",
        [METRIC_PROMETHEUS] = "FailedGetPrometheusMetric",
        [METRIC_WORKLOAD] = "FailedGetWorkloadMetric",
        [METRIC_UNKNOWN] = "InvalidMetricSourceType",
    };
    return reasons[type];
}

/* Which of the three metrics APIs a metric is asked of; NULL: of none. */
/* Adapters that serve them are often the cause, so that a failure names the API. */
static const char *api_of(enum metric_type type) {
    switch (type) {
    case METRIC_RESOURCE:
    case METRIC_CONTAINER_RESOURCE:
        return "resource metrics API";
    case METRIC_PODS:
    case METRIC_OBJECT:
        return "custom metrics API";
    case METRIC_EXTERNAL:
        return "external metrics API";
    case METRIC_PROMETHEUS:
    case METRIC_WORKLOAD:
    case METRIC_UNKNOWN:
        break;
    }
    return NULL;
}

/* The source answered, and there was nothing. */
static const char *absent_cause(const struct propose_args *a) {
    const char *api = api_of(a->metric->type);

    if (api)
        return ARENA_JOIN(a->arena, "no metrics returned from ", api);
    return a->metric->type == METRIC_PROMETHEUS ? "the query has no result" : "there is no value";
}

/* What the source says of itself comes first. An API's error is named as HPA's client names it. */
static const char *cause_of(const struct propose_args *a) {
    const char *api = api_of(a->metric->type), *message = str_or_empty(a->sample->message);

    if (message[0] != '\0' && api && a->sample->quality == QUALITY_FAILED)
        return arena_printf(a->arena, "unable to fetch metrics from %s: %s", api, message);
    if (message[0] != '\0')
        return message;
    switch (a->sample->quality) {
    case QUALITY_PENDING:
        return "waiting for the first sample";
    case QUALITY_ABSENT:
        return absent_cause(a);
    case QUALITY_STALE:
        return "the last sample is too old";
    case QUALITY_VALUE:
    case QUALITY_ZERO:
        return metric_of_pods(a->metric->type) ? absent_cause(a) : "the value is not a finite number";
    case QUALITY_FAILED:
        break;
    }
    return "the source did not answer";
}

/* HPA names the metric in front of the cause for resources alone; ours always do. */
void propose_fail(const struct propose_args *a, struct proposal *p, const char *cause) {
    const struct metric_spec *m = a->metric;

    p->valid = false;
    p->arithmetic = "";
    p->failure = cause;
    if (m->type == METRIC_RESOURCE || m->type == METRIC_CONTAINER_RESOURCE)
        p->failure = arena_printf(a->arena, "failed to get %s %s: %s", m->metric,
                                  m->target.type == TARGET_UTILIZATION ? "utilization" : "usage", cause);
    else if (m->type == METRIC_PROMETHEUS || m->type == METRIC_WORKLOAD)
        p->failure = arena_printf(a->arena, "%s: %s", p->name, cause);
}

/* As HPA's replica calculator wraps the error of its metrics client. */
void propose_fail_source(const struct propose_args *a, struct proposal *p) {
    const struct metric_spec *m = a->metric;
    const char *cause = cause_of(a);

    switch (m->type) {
    case METRIC_RESOURCE:
    case METRIC_CONTAINER_RESOURCE:
        cause = arena_printf(a->arena, "unable to get metrics for resource %s: %s", m->metric, cause);
        break;
    case METRIC_PODS:
        cause = arena_printf(a->arena, "unable to get metric %s: %s", m->metric, cause);
        break;
    case METRIC_OBJECT:
        cause = arena_printf(a->arena, "unable to get metric %s on %s %s: %s", m->metric, m->described.kind,
                             m->described.name, cause);
        break;
    case METRIC_EXTERNAL:
        cause = arena_printf(a->arena, "unable to get external metric %s(%s): %s", m->metric,
                             str_or_empty(m->selector), cause);
        break;
    case METRIC_PROMETHEUS:
    case METRIC_WORKLOAD:
    case METRIC_UNKNOWN:
        break;
    }
    propose_fail(a, p, cause);
}

/* ---- TARGETS, arithmetic ---- */

const char *propose_stays(const struct propose_args *a, double ratio, int32_t replicas) {
    return arena_printf(a->arena, "within tolerance: %.4g of target, %" PRId32 " stay", ratio, replicas);
}

usec_t propose_age_step(usec_t age) {
    if (age < USEC_PER_MIN)
        return 10 * USEC_PER_SEC;
    return age < USEC_PER_HOUR ? USEC_PER_MIN : USEC_PER_HOUR;
}

/* " (stale 2m)"; "" where it is not. */
static const char *stale_text(const struct propose_args *a) {
    const struct sample *s = a->sample;
    char text[CLOCK_TEXT_MAX];
    usec_t age = a->in->now - s->at, step = propose_age_step(age);

    if (s->quality != QUALITY_STALE)
        return "";
    if (s->at <= 0 || age <= 0)
        return " (stale)";
    /* A maxAge below the step: "stale 0s" would tell nothing. */
    if (age < step)
        step = USEC_PER_SEC;
    return ARENA_JOIN(a->arena, " (stale ", clock_format_duration(age / step * step, text), ")");
}

/* As kubectl get hpa shows it: "41%/80%", "128Mi/100Mi", and "(avg)" where a total is shared out. */
void propose_write_current(const struct propose_args *a, struct proposal *p) {
    const struct metric_spec *m = a->metric;
    bool averaged =
        m->target.type == TARGET_AVERAGE_VALUE && (m->type == METRIC_OBJECT || m->type == METRIC_EXTERNAL);
    const char *target = m->target.text ? m->target.text : "?", *after = averaged ? " (avg)" : "";
    char value[QUANTITY_TEXT_MAX] = "<unknown>", canonical[QUANTITY_TEXT_MAX];

    /* has_current is about the number, valid about its use: a stale one is shown, with its age. */
    if (p->has_current && m->target.type == TARGET_UTILIZATION)
        snprintf(value, sizeof(value), "%" PRId32 "%%", p->utilization);
    else if (p->has_current)
        quantity_write(p->current_milli, metric_format(m), value);
    /* "1000m" is shown as "1", as an apiserver would; without a number the text stands as it was written. */
    if (m->target.type != TARGET_UTILIZATION && m->target.milli > 0)
        target = quantity_write_like(m->target.milli, target, canonical);
    p->current_text = ARENA_JOIN(a->arena, value, p->has_current ? stale_text(a) : "", "/", target, after);
}
