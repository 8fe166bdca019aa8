/* metrics.k8s.io out of Prometheus, by the resourceRules of a prometheus-adapter configuration: for those who
 * have them in place of the kubelets; and the same for policies. Two queries for all pods of a namespace (or
 * of all namespaces, where they can be widened), two for all nodes; answers come from the cache. */
#ifndef ADAPTER_RESOURCERULES_H
#define ADAPTER_RESOURCERULES_H

#include "adapter/metricsanswer.h"
#include "adapter/querycache.h"
#include "adapter/ruleset.h"
#include "informers/informers.h"

struct resourcerules;

struct resourcerules_world {
    struct loop *loop;
    struct discovery *discovery;
    struct informers *informers;
    struct sources *sources;
    struct ruleset *ruleset;
    struct querycache *cache;
};

/* Owned; borrows all. Pods and nodes are followed from when the rules in force first have resourceRules. */
struct resourcerules *resourcerules_new(const struct resourcerules_world *world);
/* Ends what waits, without a callback. NULL is allowed. */
void resourcerules_free(struct resourcerules *all);

/* Whether the rules in force have resourceRules. */
bool resourcerules_serve(const struct resourcerules *all);

struct resourcerules_call;
/* Answers a ROUTE_RESOURCE request as prometheus-adapter does: a pod or node that is not in both results is
 * left out, a container in one of them has 0 for the other, NaN and negative values are 0; where a query
 * fails its pods are left out. But where queries fail and nothing at all is known for that, it is a 500 with
 * the reason. Values are truncated to milli-cores and bytes; window is the configuration's.
 * From memory: fn is called inside and NULL returned; else later, and the handle is valid until then. route
 * is copied. */
struct resourcerules_call *resourcerules_answer(struct resourcerules *all, const struct metrics_route *route,
                                                metrics_answer_fn *fn, void *arg);
/* No callback follows. NULL is allowed. */
void resourcerules_cancel(struct resourcerules_call *call);

/* For policies: Resource and ContainerResource metrics of cpu and memory, out of the same answers. Borrowed
 * from all. */
struct metric_source *resourcerules_source(struct resourcerules *all);

#endif
