/* The Prometheus-compatible servers by name: MetricSource (of a namespace) and ClusterMetricSource objects,
 * and the default one of --prometheus-url. Followed while running, Secrets by name with them; the health of
 * each is written to its status. */
#ifndef ADAPTER_SOURCES_H
#define ADAPTER_SOURCES_H

#include "adapter/promclient.h"
#include "api/client/discovery.h"
#include "api/types/metric_source.h"
#include "informers/informers.h"

struct sources;

struct sources_world {
    struct loop *loop;
    struct http *http;
    struct kube *kube;
    struct discovery *discovery;
    struct informers *informers;
    const struct prometheus_options *fallback; /* of --prometheus-url; NULL: there is none */
    const char *own_ns; /* the operator's: Secrets of ClusterMetricSources live there; NULL: not known */
    bool write_status;  /* false: --dry-run, or nobody may */
};

/* Owned by the caller. -EINVAL: the fallback's options. */
int sources_new(const struct sources_world *world, struct sources **ret_sources, struct err *err);
void sources_free(struct sources *sources);

/* The client of a source: a MetricSource of ns, else a ClusterMetricSource of that name (ns NULL: these
 * alone); name NULL: the default. NULL: there is none, and err says so ("MetricSource shop/mimir: not found",
 * or why it cannot be used; -EAGAIN: not known yet). Borrowed until the source changes: then on_change is
 * called first, and clients are gone after. */
struct promclient *sources_client(struct sources *sources, const char *ns, const char *name, struct err *err);
/* fn is called after any source has changed, come or gone; at most 8 of them. */
void sources_on_change(struct sources *sources, loop_fn *fn, void *arg);

/* The source of METRIC_PROMETHEUS: asks the server that the metric names. Borrowed from sources. */
struct metric_source *sources_metric_source(struct sources *sources);

/* For metrics and health: each server that there is, "" its name for the default. */
typedef void sources_fn(void *arg, const char *ns, const char *name, const struct promclient_stats *stats,
                        uint32_t policies);
void sources_each(const struct sources *sources, sources_fn *fn, void *arg);

#endif
