/* Metrics that are one number, whoever it is of: Prometheus, Object, External, Workload. */
#include "autoscaler/propose_internal.h"
#include <inttypes.h>
#include <math.h>

/* int64(math.Ceil(x)) of what one replica has of a total; what does not fit is the lowest number on amd64,
 * and the nearest here. */
static int64_t ceil_milli(const struct propose_args *a, double x) {
    double up = ceil(x);

    if (up >= (double)INT64_MAX)
        return a->hpa ? INT64_MIN : INT64_MAX;
    return up <= (double)INT64_MIN ? INT64_MIN : (int64_t)up;
}

/* HPA takes a negative sum of an External metric by AverageValue for an overflow, and asks for all there can
 * be. */
static int64_t total_of(const struct propose_args *a) {
    bool overflow = a->hpa && a->metric->type == METRIC_EXTERNAL &&
                    a->metric->target.type == TARGET_AVERAGE_VALUE && a->sample->milli < 0;

    return overflow ? INT64_MAX : a->sample->milli;
}

/* The replicas that the total is spread over: those that exist, but what a rollout put beside them is no
 * capacity, or its surge would be written back as the wish. */
static int32_t capacity(const struct propose_args *a) {
    const struct scale_view *scale = &a->in->scale;
    bool surge = !a->hpa && scale->spec_replicas < scale->status_replicas;

    return surge ? scale->spec_replicas : scale->status_replicas;
}

/* HPA shows an External total at the end of its range as it is, not by replica. */
static bool overflown(const struct propose_args *a, int64_t total) {
    return a->hpa && a->metric->type == METRIC_EXTERNAL && (double)total >= (double)INT64_MAX;
}

/* HPA does not cap Object's. */
static int32_t average_replicas(const struct propose_args *a, double x) {
    bool capped = a->metric->type != METRIC_OBJECT && x > 0;

    return a->hpa && !capped ? propose_ceil_go(x) : propose_ceil(x);
}

/* AverageValue (GetExternalPerPodMetricReplicas, GetObjectPerPodMetricReplicas): total by target; pods are
 * not looked at. Within tolerance it is the capacity. */
static void propose_average(const struct propose_args *a, struct proposal *p) {
    int64_t total = total_of(a), target = a->metric->target.milli;
    int32_t replicas = capacity(a);

    p->valid = true;
    /* Of no replicas it is infinite, or NaN where the total is 0 too: neither is within tolerance. */
    p->ratio = (double)total / ((double)target * (double)replicas);
    p->within = propose_within(&a->tolerances, p->ratio);
    p->current_milli = total;
    if (replicas > 0 && !overflown(a, total))
        p->current_milli = ceil_milli(a, (double)total / (double)replicas);
    if (propose_surge(a, (uint32_t)a->in->scale.status_replicas))
        p->note = arena_printf(a->arena, "%" PRId32 " surge pods not counted",
                               a->in->scale.status_replicas - replicas);
    if (p->within) {
        p->replicas = replicas;
        p->arithmetic = propose_stays(a, p->ratio, replicas);
        return;
    }
    p->replicas = average_replicas(a, (double)total / (double)target);
    p->arithmetic = arena_printf(a->arena, "ceil(%s / %s) = %" PRId32, record_number(total, a->arena),
                                 record_number(target, a->arena), p->replicas);
}

/* Of a policy without a single ready pod the load says nothing: it holds where HPA asks for 0. */
static void hold_unready(const struct propose_args *a, struct proposal *p) {
    p->replicas = a->in->scale.spec_replicas;
    p->arithmetic = arena_printf(a->arena, "no pod is ready to share %.4g of target: %" PRId32 " stay",
                                 p->ratio, p->replicas);
}

/* Who is not ready takes no part in the load that was measured, so the ratio is of those that are. */
static void value_by_ready(const struct propose_args *a, struct proposal *p) {
    uint32_t ready = a->in->ready_pods;
    double x;

    if (propose_surge(a, ready)) {
        p->note = arena_printf(a->arena, "%" PRIu32 " surge pods not counted",
                               ready - (uint32_t)a->in->scale.spec_replicas);
        ready = (uint32_t)a->in->scale.spec_replicas;
    }
    if (ready == 0 && !a->hpa) {
        hold_unready(a, p);
        return;
    }
    x = p->ratio * (double)ready;
    p->replicas = a->hpa && x <= (double)INT32_MAX ? propose_ceil_go(x) : propose_ceil(x);
    p->arithmetic =
        arena_printf(a->arena, "ceil(%.4g x %" PRIu32 ") = %" PRId32, p->ratio, ready, p->replicas);
}

/* Value (GetExternalMetricReplicas, GetObjectMetricReplicas): ratio times the ready pods; from zero, the
 * ratio itself. */
static void propose_value(const struct propose_args *a, struct proposal *p) {
    const struct decide_input *in = a->in;
    int64_t total = total_of(a);

    p->valid = true;
    p->ratio = (double)total / (double)a->metric->target.milli;
    p->current_milli = total;
    p->within = in->scale.spec_replicas != 0 && propose_within(&a->tolerances, p->ratio);
    if (p->within) {
        p->replicas = in->scale.spec_replicas;
        p->arithmetic = propose_stays(a, p->ratio, p->replicas);
    } else if (in->scale.spec_replicas == 0) {
        p->replicas = a->hpa ? propose_ceil_go(p->ratio) : propose_ceil(p->ratio);
        p->arithmetic = arena_printf(a->arena, "ceil(%.4g) = %" PRId32, p->ratio, p->replicas);
    } else if (in->pods == 0) {
        propose_fail(a, p,
                     "unable to calculate ready pods: no pods returned by selector while calculating replica "
                     "count");
    } else {
        value_by_ready(a, p);
    }
}

void propose_total(const struct propose_args *a, struct proposal *p) {
    const struct sample *s = a->sample;
    bool known = propose_has_value(s) || s->quality == QUALITY_STALE;

    p->quality = s->quality;
    p->at = s->at;
    /* The number may be useless while the text is not: a stale value is shown, and what it would ask for is
     * not used. */
    p->has_current = known && isfinite(s->value);
    p->value = p->has_current ? s->value : 0;
    if (p->has_current && a->metric->target.type == TARGET_AVERAGE_VALUE)
        propose_average(a, p);
    else if (p->has_current)
        propose_value(a, p);
    /* Last, since it takes back what the arithmetic has just made of a stale value. */
    if (!propose_has_value(s) || !p->has_current)
        propose_fail_source(a, p);
}
