/* What the cache keeps of a Kubernetes object: immutable, reference-counted, with only the fields that
 * deciding needs. Strings marked (pool) are interned in the cache's pool. */
#ifndef API_TYPES_OBJECT_H
#define API_TYPES_OBJECT_H

#include "base/clock.h"
#include "base/str.h"
#include <stdint.h>

struct label {
    const char *key, *value; /* (pool) */
};

/* Shared: the pods of one ReplicaSet have equal labels, and the cache keeps them once. */
struct labels {
    uint32_t count;
    uint32_t refs;        /* 0 counts as 1 */
    struct label items[]; /* in the order of the document; keys are distinct */
};

/* Room for count labels with one reference, all empty; whoever fills it interns in pool. */
struct labels *labels_new(uint32_t count);
struct labels *labels_ref(struct labels *labels);
/* Gives a reference back; the last one releases the strings to pool. NULL is allowed. */
void labels_unref(struct labels *labels, struct str_pool *pool);
bool labels_equal(const struct labels *a, const struct labels *b);
/* The value of key, or NULL. labels may be NULL. Borrowed. */
const char *labels_get(const struct labels *labels, const char *key);

enum object_type {
    OBJECT_POD,           /* struct pod */
    OBJECT_NODE,          /* struct node */
    OBJECT_WORKLOAD,      /* struct workload: a built-in kind with replicas and a selector */
    OBJECT_META,          /* struct object alone: any other kind that can be scaled */
    OBJECT_POLICY,        /* struct policy_object */
    OBJECT_HPA,           /* struct hpa_object */
    OBJECT_METRIC_SOURCE, /* struct promsource_object: MetricSource, ClusterMetricSource */
};

/* The type that the objects of a resource are followed as (group "" for core): those who follow one resource
 * share its objects if they agree on this. */
enum object_type object_type_of(const char *group, const char *plural);

struct object {
    uint32_t refs;
    uint8_t type;           /* enum object_type */
    bool packed;            /* made by object_new: key, uid and resource_version live in the same block */
    bool deleting;          /* deletionTimestamp is set */
    struct str_pool *pool;  /* where the (pool) strings go back to */
    const char *ns;         /* (pool) "" for cluster-scoped ones */
    char *key;              /* "namespace/name", or "name" where there is no namespace; owned */
    const char *name;       /* within key */
    char *uid;              /* owned */
    char *resource_version; /* owned */
    int64_t generation;
    struct labels *labels;  /* one reference; NULL where there are none */
    const char *owner_uid;  /* (pool) of the controlling owner reference, or NULL */
    const char *owner_kind; /* (pool) */
    const char *owner_name; /* (pool) */
};

/* What an object is called; NULL counts as "". */
struct object_names {
    const char *ns, *name, *uid, *resource_version;
};

/* A zeroed object of any type, in one block, with one reference and these names; its maker
 * fills in the rest before anyone else sees it. */
struct object *object_new(enum object_type type, struct str_pool *pool, const struct object_names *names);
/* One more reference; returns o (const is cast away: the count is the only thing that changes). */
const struct object *object_ref(const struct object *o);
/* Gives a reference back and frees with the last. NULL is allowed. */
void object_unref(const struct object *o);
static inline void cleanup_object_p(const struct object **o) {
    object_unref(*o);
}
#define cleanup_object cleanup(cleanup_object_p)

enum pod_phase { POD_PENDING, POD_RUNNING, POD_SUCCEEDED, POD_FAILED, POD_UNKNOWN };
enum condition_state { CONDITION_ABSENT, CONDITION_TRUE, CONDITION_FALSE, CONDITION_UNKNOWN };

/* A container's requests in milli-units (cpu: milli-cores; memory: milli-bytes), -1 where it requests none.
 */
struct pod_container {
    const char *name; /* (pool) */
    int64_t cpu_milli, memory_milli;
    bool sidecar; /* an init container that goes on running (restartPolicy: Always) */
};

struct pod {
    struct object meta;
    uint8_t phase;                           /* enum pod_phase */
    uint8_t ready;                           /* enum condition_state */
    usec_t start_time;                       /* 0: absent */
    usec_t ready_transition;                 /* lastTransitionTime of the Ready condition; 0: absent */
    const char *node;                        /* (pool) or NULL */
    int64_t pod_cpu_milli, pod_memory_milli; /* pod-level requests, -1: none */
    uint32_t container_count;         /* app containers and sidecars; other init containers are not kept */
    struct pod_container *containers; /* of pod_containers_new in a packed pod, else owned; NULL: none */
};

/* Containers are shared between pods too: these keep a count in front of the array. */
struct pod_container *pod_containers_new(uint32_t count);
struct pod_container *pod_containers_ref(struct pod_container *containers);
void pod_containers_unref(struct pod_container *containers, struct str_pool *pool);
bool pod_containers_equal(const struct pod *a, const struct pod *b);
/* What an object takes, in bytes, its labels and containers left out (they are shared). */
size_t object_bytes(const struct object *o);

enum node_address {
    NODE_HOSTNAME,
    NODE_INTERNAL_DNS,
    NODE_INTERNAL_IP,
    NODE_EXTERNAL_DNS,
    NODE_EXTERNAL_IP,
    NODE_ADDRESSES
};
/* As in status.addresses[].type: "Hostname", "InternalDNS", … */
extern const char *const node_address_names[NODE_ADDRESSES];

struct node {
    struct object meta;
    uint8_t ready;                         /* enum condition_state */
    const char *addresses[NODE_ADDRESSES]; /* (pool) the first of each type, or NULL */
    uint16_t kubelet_port;                 /* status.daemonEndpoints.kubeletEndpoint.Port; 0: none */
    const char *metrics_path;        /* (pool) annotation metrics.k8s.io/resource-metrics-path, or NULL */
    int64_t cpu_milli, memory_milli; /* allocatable */
};

/* Deployment, StatefulSet, ReplicaSet, ReplicationController: the numbers that their scale subresource would
 * show. */
struct workload {
    struct object meta;
    int32_t spec_replicas;   /* 1 where absent, as the apiserver defaults it */
    int32_t status_replicas; /* 0 where absent */
    char *selector;          /* text form, as Scale.status.selector; owned; "" where there is none */
};

/* HorizontalPodAutoscaler (autoscaling/v2): what it scales. */
struct hpa_object {
    struct object meta;
    usec_t created;                                      /* metadata.creationTimestamp; 0: absent */
    const char *api_version, *target_kind, *target_name; /* (pool) of scaleTargetRef; "" where absent */
};

#endif
