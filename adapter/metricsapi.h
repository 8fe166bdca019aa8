/* Metrics that another adapter serves: metrics.k8s.io (Resource, ContainerResource), custom.metrics.k8s.io
 * (Pods, Object) and external.metrics.k8s.io (External) of the cluster, read as HPA reads them, but each
 * thing once for all policies: one request for the PodMetrics of a namespace, one for a pods metric of a
 * namespace, one for an object's or an external metric, at the shortest interval that a subscriber asks for.
 */
#ifndef ADAPTER_METRICSAPI_H
#define ADAPTER_METRICSAPI_H

#include "api/client/discovery.h"
#include "api/client/kube.h"
#include "api/types/metric_source.h"

struct metricsapi_options {
    usec_t interval;    /* between two requests for the same thing; 0: 15 s, as metrics-server's resolution */
    int max_concurrent; /* requests under way at once to each of the three; 0: 8 */
};

struct metricsapi_stats {
    uint64_t requests, failures;
    size_t followed; /* things asked for regularly */
};

/* A source for the five metric types of HPA; all arguments are borrowed and outlive it. */
struct metric_source *metricsapi_new(struct loop *loop, struct kube *kube, struct discovery *discovery,
                                     const struct metricsapi_options *options);
/* Cancels what is under way; every subscription has ended. NULL is allowed. */
void metricsapi_free(struct metric_source *source);
void metricsapi_stats(const struct metric_source *source, struct metricsapi_stats *ret_stats);

#endif
