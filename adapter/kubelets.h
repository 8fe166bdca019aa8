/* The kubelets of the cluster, read at --metric-resolution: what metrics-server does. Serves metrics.k8s.io,
 * and policies as the source of Resource and ContainerResource metrics.
 *
 * Each kubelet is asked once a resolution, all of them evenly over it, and a new one twice at once, some ten
 * seconds apart. Where one does not answer, or answers what is no exposition, what it said before is kept
 * until it is two to three resolutions old, and then nothing is known of its node and pods. */
#ifndef ADAPTER_KUBELETS_H
#define ADAPTER_KUBELETS_H

#include "adapter/kubeletaddress.h"
#include "adapter/metricsanswer.h"
#include "api/client/discovery.h"
#include "api/types/metric_source.h"
#include "informers/informers.h"

struct kubelets;

struct kubelets_world {
    struct loop *loop;
    struct http *http;
    struct kube *kube; /* whose credentials the kubelets are asked with */
    struct discovery *discovery;
    struct informers *informers;
};

/* Owned. -EINVAL names a bad option. Follows nodes and pods from the start. */
int kubelets_new(const struct kubelets_world *world, const struct kubelets_options *options,
                 struct kubelets **ret_kubelets, struct err *err);
void kubelets_free(struct kubelets *all);

/* Answers a ROUTE_RESOURCE request from memory, with metrics-server's errors; fn is called inside. */
void kubelets_answer(struct kubelets *all, const struct metrics_route *route, metrics_answer_fn *fn,
                     void *arg);
/* Whether there is data (metrics-server's readiness). */
bool kubelets_ready(const struct kubelets *all);
/* The source of METRIC_RESOURCE and METRIC_CONTAINER_RESOURCE. Borrowed. */
struct metric_source *kubelets_source(struct kubelets *all);
/* Whether any pod or node has data of ours, or is about to: after a start for as long as it takes to read the
 * kubelets twice, unless all fail. For those who choose between sources. */
bool kubelets_serves(const struct kubelets *all);

struct kubelets_stats {
    uint64_t scrapes, failures, malformed;
    double latency_sum;       /* seconds */
    uint32_t nodes, answered; /* known; of these, with an answer within two resolutions */
    uint32_t pods, containers;
    size_t bytes;
    usec_t last_tick; /* monotonic; for liveness */
};
void kubelets_stats(const struct kubelets *all, struct kubelets_stats *ret_stats);

#endif
