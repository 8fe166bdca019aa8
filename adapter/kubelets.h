/* The kubelets of the cluster, read at --metric-resolution: what metrics-server does. Serves metrics.k8s.io,
 * and policies as the source of Resource and ContainerResource metrics. */
#ifndef ADAPTER_KUBELETS_H
#define ADAPTER_KUBELETS_H

#include "adapter/metricsanswer.h"
#include "api/client/discovery.h"
#include "api/types/metric_source.h"
#include "informers/informers.h"

struct kubelets;

/* metrics-server's flags, with its meanings and defaults. */
struct kubelets_options {
    usec_t resolution;                  /* --metric-resolution; 0: 15 s */
    const char *const *preferred_types; /* --kubelet-preferred-address-types; NULL: its default order */
    int port;                           /* --kubelet-port; 0: 10250 */
    bool use_node_status_port;          /* --kubelet-use-node-status-port */
    bool insecure_tls;                  /* --kubelet-insecure-tls */
    const char *ca_file, *cert_file,
        *key_file;                       /* --kubelet-certificate-authority, -client-certificate, -key */
    usec_t request_timeout;              /* --kubelet-request-timeout; 0: 10 s */
    const char *node_selector;           /* --node-selector; NULL: all */
    bool deprecated_completely_insecure; /* --deprecated-kubelet-completely-insecure: plain HTTP */
};

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
void kubelets_free(struct kubelets *kubelets);

/* Answers a ROUTE_RESOURCE request from memory, with metrics-server's errors; fn is called inside. */
void kubelets_answer(struct kubelets *kubelets, const struct metrics_route *route, metrics_answer_fn *fn,
                     void *arg);
/* Whether there is data (metrics-server's readiness). */
bool kubelets_ready(const struct kubelets *kubelets);
/* The source of METRIC_RESOURCE and METRIC_CONTAINER_RESOURCE. Borrowed. */
struct metric_source *kubelets_source(struct kubelets *kubelets);
/* Whether any of the namespace's pods has data of ours, for those who choose between sources. */
bool kubelets_serves(const struct kubelets *kubelets);

struct kubelets_stats {
    uint64_t scrapes, failures, malformed;
    double latency_sum;       /* seconds */
    uint32_t nodes, answered; /* known; of these, with an answer within two resolutions */
    uint32_t pods, containers;
    size_t bytes;
    usec_t last_tick; /* monotonic; for liveness */
};
void kubelets_stats(const struct kubelets *kubelets, struct kubelets_stats *ret_stats);

#endif
