/* The one interface through which the autoscaler sees metrics. A source is a const struct of functions and an
 * instance; a subscription says which metric a policy wants and how often, and may be shared below. */
#ifndef API_TYPES_METRIC_SOURCE_H
#define API_TYPES_METRIC_SOURCE_H

#include "api/types/policy.h"
#include "api/types/sample.h"

struct metric_source;
struct metric_subscription;

/* Called when the subscribed metric has a new answer (value or failure); never inside subscribe or read. */
typedef void metric_changed_fn(void *arg);

/* Which metric, and for whom. Borrowed: what a source keeps it copies. */
struct metric_request {
    const struct metric_spec *metric;
    const char *ns;  /* the policy's namespace */
    usec_t interval; /* asked for about this often; 0: the source's own */
};

struct metric_source_ops {
    const char *name; /* for logs and status: "Prometheus" */
    /* Starts following a metric. Never fails: a metric that cannot be had reads as FAILED. Owned by the
     * caller. */
    struct metric_subscription *(*subscribe)(struct metric_source *source,
                                             const struct metric_request *request, metric_changed_fn *changed,
                                             void *arg);
    void (*unsubscribe)(struct metric_source *source, struct metric_subscription *subscription);
    /* The present answer, from memory; now is wall time (for STALE by metric->max_age, whose text the
     * subscription keeps). */
    void (*read)(struct metric_source *source, struct metric_subscription *subscription, usec_t now,
                 struct sample *ret_sample);
    /* What each of these pods measures, from memory, into ret_values (one for each); pods of the request's
     * namespace. Only for metrics of pods, whose read tells quality, newest time and message alone; NULL in a
     * source that has none. No allocation: it is called for every decision. */
    void (*read_pods)(struct metric_source *source, const struct metric_subscription *subscription,
                      usec_t now, const struct pod *const *pods, uint32_t count,
                      struct pod_value *ret_values);
};

struct metric_source {
    const struct metric_source_ops *ops;
};

#endif
