/* The metrics APIs as requests arrive: who may ask (access), what is asked (metricsroute), who knows it (our
 * rules, the kubelets, resourceRules, a remote adapter), and the documents that describe it all (apidocs). */
#ifndef ADAPTER_METRICSSERVER_H
#define ADAPTER_METRICSSERVER_H

#include "adapter/access.h"
#include "adapter/kubelets.h"
#include "adapter/ownmetrics.h"
#include "adapter/remote.h"
#include "adapter/resourcerules.h"

struct metricsserver;

/* What /healthz and its like answer, and /metrics: 200 or 503 and a text in body. path: "/readyz"; false: no
 * such path. */
typedef bool metricsserver_health_fn(void *arg, const char *path, struct buf *body, int *ret_status);

/* All borrowed; NULL: there is none. */
struct metricsserver_world {
    struct loop *loop;
    struct access *access;
    struct ruleset *ruleset;
    struct ownmetrics *own;
    struct kubelets *kubelets;           /* metrics.k8s.io from the kubelets */
    struct resourcerules *resourcerules; /* … or from Prometheus, where the rules in force say so */
    struct remote *remote;
    const char *version; /* of the program, for /version */
    metricsserver_health_fn *health;
    void *health_arg;
};

/* Owned by the caller. access is set later (it needs the server, which needs the handler). */
struct metricsserver *metricsserver_new(const struct metricsserver_world *world);
void metricsserver_set_access(struct metricsserver *server, struct access *access);
/* No exchange waits any more: the httpsserver has been freed. NULL is allowed. */
void metricsserver_free(struct metricsserver *server);

/* An https_handler; arg is the struct metricsserver. */
void metricsserver_handle(void *arg, struct https_exchange *exchange, const struct https_request *request);

/* What is asked for, as metrics tell it. */
enum metricsserver_kind {
    SERVED_CUSTOM,
    SERVED_EXTERNAL,
    SERVED_RESOURCE,
    SERVED_DISCOVERY,
    SERVED_OTHER,
    SERVED_KINDS
};
enum { SERVED_BUCKETS = 11 };
extern const double served_bounds[SERVED_BUCKETS - 1]; /* seconds; the last bucket is +Inf */
/* "custom.metrics.k8s.io", …, "discovery", "other". */
const char *metricsserver_kind_name(enum metricsserver_kind kind);

struct metricsserver_stats {
    uint64_t by_class[SERVED_KINDS][6]; /* [2] 2xx … [5] 5xx */
    uint64_t latency_count[SERVED_KINDS][SERVED_BUCKETS];
    double latency_sum[SERVED_KINDS]; /* seconds */
    uint64_t remote;                  /* passed on */
    uint32_t waiting;
};
const struct metricsserver_stats *metricsserver_stats(const struct metricsserver *server);

#endif
