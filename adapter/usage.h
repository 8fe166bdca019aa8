/* Usage of cpu and memory as metrics-server tells it: two points of each container and node, the rate between
 * them by the kubelet's own timestamps. Bounded, in memory. Pure.
 * Source of the rules: metrics-server 0.7, pkg/storage (pod.go, node.go, types.go) and
 * pkg/scraper/client/resource (decode.go). */
#ifndef ADAPTER_USAGE_H
#define ADAPTER_USAGE_H

#include "adapter/metricsanswer.h"
#include "api/types/sample.h"

/* More containers than this in the answer of one node are -E2BIG. */
enum { USAGE_CONTAINERS_MAX = 20000 };

struct usage_store;

struct usage_store *usage_store_new(usec_t resolution);
void usage_store_free(struct usage_store *store);

/* Takes a kubelet's answer to /metrics/resource for a node: all of it, or nothing where it is malformed
 * (-EINVAL "line 12: …", -E2BIG), so that a bad answer changes no value. What the node no longer names is
 * gone. asked: wall time, for values that come without a timestamp. */
int usage_store_take(struct usage_store *store, const char *node, const char *text, size_t len, usec_t asked,
                     struct err *err);
/* The node is gone, or has not answered for too long: its data and its pods' are dropped. */
void usage_store_forget(struct usage_store *store, const char *node);

/* A pod is looked for in the answer of the node that it is bound to, so that no kubelet can speak for
 * another's pods. */
struct usage_pod {
    const char *node, *ns, *name; /* node NULL: not bound yet */
};
/* The usage of a pod or node, containers sorted by name, in arena (which may hold texts of the store: valid
 * until its next change); false where there is none (one point only, a container without its second point,
 * unknown). labels of ret_object are left NULL. */
bool usage_store_pod(const struct usage_store *store, const struct usage_pod *pod, struct arena *arena,
                     struct metrics_object *ret_object);
bool usage_store_node(const struct usage_store *store, const char *node, struct arena *arena,
                      struct metrics_object *ret_object);

enum usage_resource { USAGE_CPU, USAGE_MEMORY };
/* Adds one container's usage to the sum of a pod, in milli-units rounded up; what is past int64_t stays
 * there. */
void usage_add(int64_t *sum, const struct metrics_usage *usage, enum usage_resource resource);
/* What a pod uses of one resource, as HPA sums it from a PodMetrics: of all containers, or of one (container
 * not NULL), in milli-units, each rounded up. known is false where usage_store_pod has nothing, or no such
 * container. Allocates nothing. */
void usage_store_value(const struct usage_store *store, const struct usage_pod *pod, const char *container,
                       enum usage_resource resource, struct pod_value *ret_value);
/* Calls fn once for each namespace that the node's last answer has pods of. newest: the wall time of the
 * latest of their points. */
typedef void usage_namespace_fn(void *arg, const char *ns, usec_t newest);
void usage_store_namespaces(const struct usage_store *store, const char *node, usage_namespace_fn *fn,
                            void *arg);

/* Whether anything has its second point. */
bool usage_store_ready(const struct usage_store *store);

struct usage_store_stats {
    uint32_t nodes, pods, containers;
    size_t bytes;
};
void usage_store_stats(const struct usage_store *store, struct usage_store_stats *ret_stats);

#endif
