/* Usage of cpu and memory as metrics-server tells it: two points of each container and node, the rate between
 * them by the kubelet's own timestamps. Bounded, in memory. Pure.
 * Source of the rules: metrics-server 0.7, pkg/storage (pod.go, node.go, types.go). */
#ifndef ADAPTER_USAGE_H
#define ADAPTER_USAGE_H

#include "adapter/metricsanswer.h"

struct usage_store;

struct usage_store *usage_store_new(usec_t resolution);
void usage_store_free(struct usage_store *store);

/* Takes a kubelet's answer to /metrics/resource for a node: all of it, or nothing where it is malformed
 * (-EINVAL "line 12: …"), so that a bad answer changes no value. What the node no longer names is gone. */
int usage_store_take(struct usage_store *store, const char *node, const char *text, size_t len,
                     struct err *err);
/* The node is gone, or has not answered for too long: its data and its pods' are dropped. */
void usage_store_forget(struct usage_store *store, const char *node);

/* The usage of a pod or node, containers sorted by name, in arena; false where there is none (one point only,
 * a container without its second point, unknown). labels of ret_object are left NULL. */
bool usage_store_pod(const struct usage_store *store, const char *ns, const char *name, struct arena *arena,
                     struct metrics_object *ret_object);
bool usage_store_node(const struct usage_store *store, const char *node, struct arena *arena,
                      struct metrics_object *ret_object);
/* Whether anything has its second point. */
bool usage_store_ready(const struct usage_store *store);

struct usage_store_stats {
    uint32_t nodes, pods, containers;
    size_t bytes;
};
void usage_store_stats(const struct usage_store *store, struct usage_store_stats *ret_stats);

#endif
