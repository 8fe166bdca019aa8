/* What the files of the propose stage share. */
#ifndef AUTOSCALER_PROPOSE_INTERNAL_H
#define AUTOSCALER_PROPOSE_INTERNAL_H

#include "autoscaler/stages.h"

/* One metric under one decision. */
struct propose_args {
    const struct decide_input *in;
    const struct metric_spec *metric;
    const struct sample *sample;
    struct tolerances tolerances;
    bool hpa; /* HPA's faults are kept */
    struct arena *arena;
};

/* ---- propose_total.c, propose_pods.c: the arithmetic; fill everything but names and texts of the metric
 * ---- */

/* Prometheus, Object, External, Workload: one number. */
void propose_total(const struct propose_args *a, struct proposal *p);
/* Resource, ContainerResource, Pods: a number of each pod. */
void propose_pods(const struct propose_args *a, struct proposal *p);

/* ---- propose.c ---- */

/* int32(math.Ceil(x)) as Go has it on amd64, where what does not fit becomes the lowest number. */
int32_t propose_ceil_go(double x);
/* Of a policy: whether so many pods are more than wanted because a rollout put some beside them. Those are
 * surge, and no capacity. */
bool propose_surge(const struct propose_args *a, uint32_t pods);
/* Whether the source answered with a value. */
bool propose_has_value(const struct sample *s);

/* ---- propose_text.c ---- */

/* As HPA's messages call the metric. */
const char *propose_name(const struct propose_args *a, const char *label);
const char *propose_failure_reason(enum metric_type type);
/* Sets failure to the metric's own text around cause, and valid to false. */
void propose_fail(const struct propose_args *a, struct proposal *p, const char *cause);
/* The same, with the cause that the sample's quality gives. */
void propose_fail_source(const struct propose_args *a, struct proposal *p);
/* current_text, from what the proposal holds. */
void propose_write_current(const struct propose_args *a, struct proposal *p);
/* "within tolerance: 0.98 of target, 10 stay". */
const char *propose_stays(const struct propose_args *a, double ratio, int32_t replicas);
/* Ages are shown in steps, so that a status that only grows older is not written all the time. */
usec_t propose_age_step(usec_t age);

#endif
