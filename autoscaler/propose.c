/* Propose: what one metric alone asks for. The arithmetic is that of HPA's replica calculator (int64
 * milli-units, the same doubles in the same order), so that equal inputs give equal replicas. */
#include "api/types/quantity.h"
#include "autoscaler/stages.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_MAX = 60 };

struct tolerances propose_tolerances(const struct policy_spec *spec, const struct decide_flags *flags) {
    struct tolerances t = {flags->tolerance, flags->tolerance};

    if (spec->has_behavior && spec->down.has_tolerance)
        t.down = spec->down.tolerance;
    if (spec->has_behavior && spec->up.has_tolerance)
        t.up = spec->up.tolerance;
    return t;
}

bool propose_within(const struct tolerances *t, double ratio) {
    return (1.0 - t->down) <= ratio && ratio <= (1.0 + t->up);
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

/* Queries are long and may have several lines. */
const char *metric_label(const struct metric_spec *metric, struct arena *arena) {
    const char *text = metric->name ? metric->name : metric->query ? metric->query : metric->metric;
    char out[LABEL_MAX + 1];
    bool all = squeeze(str_or_empty(text), out, sizeof(out));

    return arena_printf(arena, "%s%s", out, all ? "" : "...");
}

/* int32(math.Ceil(x)) with HPA's cap; a negative value asks for nothing (HPA takes it for an overflow). */
static int32_t ceil_replicas(double x) {
    double up = ceil(x);

    if (!(up > 0))
        return 0;
    return up >= (double)INT32_MAX ? INT32_MAX : (int32_t)up;
}

/* A double back to milli-units; int64's ends are where HPA's overflow ends too. */
static int64_t saturate(double x) {
    if (x >= (double)INT64_MAX)
        return INT64_MAX;
    return x <= (double)INT64_MIN ? INT64_MIN : (int64_t)x;
}

struct propose_args {
    const struct decide_input *in;
    const struct metric_spec *metric;
    struct tolerances tolerances;
    int64_t total; /* milli */
    struct arena *arena;
};

/* AverageValue (GetExternalPerPodMetricReplicas): total by target; pods are not looked at. Within tolerance
 * it is the replicas of the scale's status. */
static void propose_average(const struct propose_args *a, struct proposal *p) {
    const struct scale_view *scale = &a->in->scale;
    int64_t target = a->metric->target.milli;

    p->ratio = (double)a->total / ((double)target * (double)scale->status_replicas);
    p->within = propose_within(&a->tolerances, p->ratio);
    p->replicas = p->within ? scale->status_replicas : ceil_replicas((double)a->total / (double)target);
    p->current_milli = a->total;
    if (scale->status_replicas > 0)
        p->current_milli = saturate(ceil((double)a->total / (double)scale->status_replicas));
    p->arithmetic =
        p->within ? arena_printf(a->arena, "within tolerance: %" PRId32, p->replicas)
                  : arena_printf(a->arena, "ceil(%s / %s) = %" PRId32, record_number(a->total, a->arena),
                                 record_number(target, a->arena), p->replicas);
    p->valid = true;
}

/* Value (GetExternalMetricReplicas): ratio times the ready pods; from zero, the ratio itself. */
static void propose_value(const struct propose_args *a, struct proposal *p) {
    const struct decide_input *in = a->in;

    p->ratio = (double)a->total / (double)a->metric->target.milli;
    p->current_milli = a->total;
    p->within = in->scale.spec_replicas != 0 && propose_within(&a->tolerances, p->ratio);
    p->valid = true;
    if (p->within) {
        p->replicas = in->scale.spec_replicas;
        p->arithmetic = arena_printf(a->arena, "within tolerance: %" PRId32, p->replicas);
    } else if (in->scale.spec_replicas == 0) {
        p->replicas = ceil_replicas(p->ratio);
        p->arithmetic = arena_printf(a->arena, "ceil(%.4g) = %" PRId32, p->ratio, p->replicas);
    } else if (in->pods == 0) {
        p->valid = false;
        p->failure = "unable to calculate ready pods: no pods returned by selector while calculating replica "
                     "count";
    } else {
        p->replicas = ceil_replicas(p->ratio * (double)in->ready_pods);
        p->arithmetic = arena_printf(a->arena, "ceil(%.4g x %" PRIu32 ") = %" PRId32, p->ratio,
                                     in->ready_pods, p->replicas);
    }
}

static const char *target_text(const struct metric_target *target, struct arena *arena) {
    char text[QUANTITY_TEXT_MAX];

    if (target->type == TARGET_UTILIZATION)
        return arena_printf(arena, "%" PRId32 "%%", target->utilization);
    return arena_strdup(arena, quantity_write(target->milli, QUANTITY_DECIMAL_SI, text));
}

/* Ages are shown in steps, so that a status that only grows older is not written all the time. */
static usec_t age_step(usec_t age) {
    if (age < USEC_PER_MIN)
        return 10 * USEC_PER_SEC;
    return age < USEC_PER_HOUR ? USEC_PER_MIN : USEC_PER_HOUR;
}

static const char *coarse_age(usec_t age, struct arena *arena) {
    char text[CLOCK_TEXT_MAX];
    usec_t step = age_step(age);

    if (age < step)
        step = USEC_PER_SEC;
    return arena_strdup(arena, clock_format_duration(age / step * step, text));
}

usec_t propose_changes_at(const struct decide_input *in, uint32_t i) {
    const struct metric_spec *m = &in->spec->metrics[i];
    const struct sample *s = &in->samples[i];
    usec_t age = in->now - s->at;

    if (m->type != METRIC_PROMETHEUS || s->at == 0 || age < 0)
        return 0;
    if (s->quality == QUALITY_STALE)
        return s->at + (age / age_step(age) + 1) * age_step(age);
    if ((s->quality == QUALITY_VALUE || s->quality == QUALITY_ZERO) && m->max_age > 0)
        return s->at + m->max_age + 1;
    return 0;
}

static void write_current(const struct decide_input *in, const struct metric_spec *m, const struct sample *s,
                          struct arena *arena, struct proposal *p) {
    const char *target = target_text(&m->target, arena);
    char value[QUANTITY_TEXT_MAX];

    if (!p->has_current) {
        p->current_text = arena_printf(arena, "<unknown>/%s", target);
        return;
    }
    quantity_write(p->current_milli, QUANTITY_DECIMAL_SI, value);
    if (s->quality == QUALITY_STALE && s->at > 0 && in->now > s->at)
        p->current_text =
            arena_printf(arena, "%s (stale %s)/%s", value, coarse_age(in->now - s->at, arena), target);
    else if (s->quality == QUALITY_STALE)
        p->current_text = arena_printf(arena, "%s (stale)/%s", value, target);
    else
        p->current_text = arena_printf(arena, "%s/%s", value, target);
}

static const char *cause_of(const struct sample *s) {
    if (s->message && s->message[0] != '\0')
        return s->message;
    switch (s->quality) {
    case QUALITY_PENDING:
        return "waiting for the first sample";
    case QUALITY_ABSENT:
        return "the query has no result";
    case QUALITY_STALE:
        return "the last sample is too old";
    case QUALITY_VALUE:
    case QUALITY_ZERO:
        return "the value is not a finite number";
    case QUALITY_FAILED:
        break;
    }
    return "the source did not answer";
}

static void propose_prometheus(const struct propose_args *a, const struct sample *s, struct proposal *p) {
    bool value = s->quality == QUALITY_VALUE || s->quality == QUALITY_ZERO;

    p->failure_reason = "FailedGetPrometheusMetric";
    p->has_current = (value || s->quality == QUALITY_STALE) && isfinite(s->value);
    if (p->has_current && a->metric->target.type == TARGET_AVERAGE_VALUE)
        propose_average(a, p);
    else if (p->has_current)
        propose_value(a, p);
    if (!value || !p->has_current) {
        p->valid = false;
        p->failure = cause_of(s);
    }
    write_current(a->in, a->metric, s, a->arena, p);
    if (!p->valid)
        p->failure = arena_printf(a->arena, "%s: %s", p->name, p->failure);
}

static const char *failure_reason(enum metric_type type) {
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

/* The types that have no source yet: failed, never guessed. */
static void propose_unread(const struct metric_spec *m, struct arena *arena, struct proposal *p) {
    p->failure_reason = failure_reason(m->type);
    p->failure =
        arena_printf(arena, "a metric of type %s is not read: this version reads only Prometheus metrics",
                     metric_type_name(m->type));
    p->current_text = arena_printf(arena, "<unknown>/%s", target_text(&m->target, arena));
}

/* As in HPA's messages. */
static const char *message_name(const struct metric_spec *m, struct arena *arena) {
    const char *label = metric_label(m, arena);

    switch (m->type) {
    case METRIC_RESOURCE:
        return arena_printf(arena, "%s resource", label);
    case METRIC_CONTAINER_RESOURCE:
        return arena_printf(arena, "%s container resource", label);
    case METRIC_PODS:
        return arena_printf(arena, "pods metric %s", label);
    case METRIC_OBJECT:
        return arena_printf(arena, "%s metric %s", m->described.kind, label);
    case METRIC_EXTERNAL:
        return arena_printf(arena, "external metric %s", label);
    case METRIC_PROMETHEUS:
    case METRIC_WORKLOAD:
    case METRIC_UNKNOWN:
        break;
    }
    return arena_printf(arena, "prometheus metric %s", label);
}

void propose(const struct decide_input *in, uint32_t i, struct arena *arena, struct proposal *ret_proposal) {
    const struct metric_spec *m = &in->spec->metrics[i];
    struct propose_args args = {
        .in = in,
        .metric = m,
        .total = in->samples[i].milli,
        .arena = arena,
        .tolerances = propose_tolerances(in->spec, in->flags),
    };
    struct proposal p = {.name = message_name(m, arena), .label = metric_label(m, arena), .arithmetic = ""};

    if (m->type == METRIC_PROMETHEUS)
        propose_prometheus(&args, &in->samples[i], &p);
    else
        propose_unread(m, arena, &p);
    *ret_proposal = p;
}
