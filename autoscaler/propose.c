/* Propose: what one metric alone asks for. The arithmetic is that of HPA's replica calculator (int64
 * milli-units, the same doubles in the same order), so that equal inputs give equal replicas.
 *
 * Every proposal is written in full, valid or not: name, texts, quality and what TARGETS shows are needed of
 * a metric that failed, too. Two kinds follow: propose_total.c has one number for the workload,
 * propose_pods.c one of each pod. Where HPA's answer is a fault, `hpa` keeps it and a policy gets ours. */
#include "autoscaler/owners.h"
#include "autoscaler/propose_internal.h"
#include <math.h>

/* behavior's tolerance replaces the flag's, one direction at a time; 0 is a tolerance too. */
struct tolerances propose_tolerances(const struct policy_spec *spec, const struct decide_flags *flags) {
    struct tolerances t = {flags->tolerance, flags->tolerance};

    if (!spec->has_behavior || flags->no_tolerance_fields)
        return t;
    if (spec->down.has_tolerance)
        t.down = spec->down.tolerance;
    if (spec->up.has_tolerance)
        t.up = spec->up.tolerance;
    return t;
}

bool propose_within(const struct tolerances *t, double ratio) {
    return (1.0 - t->down) <= ratio && ratio <= (1.0 + t->up);
}

int32_t propose_ceil_go(double x) {
    double up = ceil(x);

    /* The comparison fails for NaN too, which is what the instruction makes of it. */
    if (!(up >= (double)INT32_MIN && up <= (double)INT32_MAX))
        return INT32_MIN;
    return (int32_t)up;
}

int32_t propose_ceil(double x) {
    double up = ceil(x);

    if (!(up > 0))
        return 0;
    return up >= (double)INT32_MAX ? INT32_MAX : (int32_t)up;
}

bool propose_surge(const struct propose_args *a, uint32_t pods) {
    const struct decide_input *in = a->in;

    /* Owners cost a walk over the pods: asked last, and only where there are more than wanted. */
    return !a->hpa && in->pod_list && in->scale.spec_replicas > 0 &&
           pods > (uint32_t)in->scale.spec_replicas && owners_rollout(in->pod_list, in->pods);
}

bool propose_has_value(const struct sample *s) {
    return s->quality == QUALITY_VALUE || s->quality == QUALITY_ZERO;
}

/* A sample's age is all that changes by itself here; metrics of pods are read again before it matters. */
usec_t propose_changes_at(const struct decide_input *in, uint32_t i) {
    const struct metric_spec *m = &in->spec->metrics[i];
    const struct sample *s = &in->samples[i];
    usec_t age = in->now - s->at;

    if (metric_of_pods(m->type) || s->at == 0 || age < 0)
        return 0;
    if (s->quality == QUALITY_STALE)
        /* When the age that TARGETS shows takes its next step. */
        return s->at + (age / propose_age_step(age) + 1) * propose_age_step(age);
    if (propose_has_value(s) && m->max_age > 0)
        /* Stale is what is older, not what is just as old. */
        return s->at + m->max_age + 1;
    return 0;
}

/* A metric that can never be computed: of an unknown type, or its target does not fit it. */
static void propose_invalid(const struct propose_args *a, struct proposal *p) {
    p->quality = QUALITY_FAILED;
    p->failure = a->metric->invalid ? a->metric->invalid
                                    : arena_printf(a->arena, "unknown metric source type \"%s\"",
                                                   str_or_empty(a->metric->type_text));
}

void propose(const struct decide_input *in, uint32_t i, struct arena *arena, struct proposal *ret_proposal) {
    const struct metric_spec *m = &in->spec->metrics[i];
    const struct propose_args a = {
        .in = in,
        .metric = m,
        .sample = &in->samples[i],
        .tolerances = propose_tolerances(in->spec, in->flags),
        .hpa = in->flags->hpa,
        .arena = arena,
    };
    struct proposal p = {.label = metric_label(m, arena), .arithmetic = "", .note = "", .utilization = -1};

    /* First what failures are told with. */
    p.name = propose_name(&a, p.label);
    p.failure_reason = propose_failure_reason(m->type);
    if (m->type == METRIC_UNKNOWN || m->invalid)
        propose_invalid(&a, &p);
    else if (metric_of_pods(m->type))
        propose_pods(&a, &p);
    else
        propose_total(&a, &p);
    propose_write_current(&a, &p);
    *ret_proposal = p;
}
