/* Custom and external metrics of our own rules: a request becomes a query of the cache and objects of the
 * informers. Serves the metrics APIs, and policies as a metric source. */
#ifndef ADAPTER_OWNMETRICS_H
#define ADAPTER_OWNMETRICS_H

#include "adapter/metricsanswer.h"
#include "adapter/querycache.h"
#include "adapter/ruleset.h"
#include "informers/informers.h"

struct ownmetrics;

struct ownmetrics_world {
    struct loop *loop;
    struct discovery *discovery;
    struct informers *informers;
    struct sources *sources;
    struct ruleset *ruleset;
    struct querycache *cache;
    const char *const *namespaces; /* that it answers for, NULL-terminated; NULL: all */
};

/* Owned; borrows all. */
struct ownmetrics *ownmetrics_new(const struct ownmetrics_world *world);
void ownmetrics_free(struct ownmetrics *own);

/* Whether a rule of ours defines the metric that route asks for (ROUTE_CUSTOM, ROUTE_EXTERNAL). */
bool ownmetrics_has(const struct ownmetrics *own, const struct metrics_route *route);

struct ownmetrics_call;
/* Answers route. From memory: fn is called inside and NULL returned; else later, and the handle is valid
 * until then. route is copied. */
struct ownmetrics_call *ownmetrics_ask(struct ownmetrics *own, const struct metrics_route *route,
                                       metrics_answer_fn *fn, void *arg);
void ownmetrics_cancel(struct ownmetrics_call *call);

/* For policies: Pods, Object and External metrics. Borrowed from own. A metric that no rule defines reads as
 * FAILED; ownmetrics_defines tells beforehand. */
struct metric_source *ownmetrics_source(struct ownmetrics *own);
/* Whether a rule of ours defines the metric, for those who choose between sources. */
bool ownmetrics_defines(const struct ownmetrics *own, const struct metric_spec *metric, const char *ns);

#endif
