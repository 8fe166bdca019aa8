/* The pods under a metric: which of them count, what they request, and their sums (groupPods and
 * calculateRequests of HPA's replica calculator). Pure; private to the propose stage. */
#ifndef AUTOSCALER_PODS_H
#define AUTOSCALER_PODS_H

#include "autoscaler/decide.h"

enum pod_group {
    POD_COUNTED, /* measured and ready */
    POD_UNREADY, /* pending; of cpu also: starting, or never ready */
    POD_MISSING, /* no measurement */
    POD_IGNORED, /* being deleted, or failed */
};

/* Which resource a metric is of: cpu alone asks for readiness, and requests are known of two. */
enum pods_resource { PODS_NO_RESOURCE, PODS_CPU, PODS_MEMORY, PODS_OTHER_RESOURCE };
enum pods_resource pods_resource(const struct metric_spec *metric);

struct pods_query {
    const struct decide_input *in;
    const struct metric_spec *metric;
    enum pods_resource resource;
    const struct pod_values *values;
    bool requests; /* the sums need requests: a target of utilization */
};

enum pod_group pods_group(const struct pods_query *q, const struct pod *pod, const struct pod_value *value);
/* What the pod requests of the resource in milli-units: of the metric's container, else of the pod as a whole
 * where that is given, else of all containers; -1: not all of them request it. */
int64_t pods_request(const struct pods_query *q, const struct pod *pod);
/* The container that pods_request found without a request; NULL: the pod has no such container, or none
 * requests anything. */
const struct pod_container *pods_lacking(const struct pods_query *q, const struct pod *pod);

/* Sums that no number of pods overflows. */
__extension__ typedef __int128 pods_sum_t;

/* The pods of one group; in milli-units. Of a pod without a request neither value nor request is in the sums.
 */
struct pods_part {
    uint32_t count;
    uint32_t lacking; /* of them those without a request */
    pods_sum_t value, request;
    pods_sum_t assumed; /* what HPA takes the pods to use when it would scale down without knowing */
};

struct pods_sums {
    struct pods_part counted, unready, missing;
    struct pods_part others; /* measured, but not in the decision's list */
    usec_t oldest;           /* measurement of a counted pod; 0: none */
    uint32_t lacking;        /* pods without a request, of any group */
    const struct pod *first_lacking;
};
/* Groups and sums up the decision's pods. */
void pods_sum(const struct pods_query *q, struct pods_sums *ret_sums);

#endif
