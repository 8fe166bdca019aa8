/* What every server of metrics.k8s.io does alike: which pods and nodes a request is about, and how it is told
 * that there are none. The words are metrics-server's, which prometheus-adapter has as well. */
#ifndef ADAPTER_RESOURCEOBJECTS_H
#define ADAPTER_RESOURCEOBJECTS_H

#include "adapter/metricsanswer.h"
#include "informers/informers.h"

/* Both NULL where they are not followed yet. */
struct resource_informers {
    const struct informer *pods, *nodes;
};

/* Whether route is about pods; else about nodes. */
bool resource_route_is_pods(const struct metrics_route *route);
/* Calls fn for each object that route selects: pods that run (others do not exist for these APIs), or nodes.
 * false: they are not known yet; then fn was not called. */
bool resource_objects_each(const struct metrics_route *route, const struct resource_informers *informers,
                           informer_each_fn *fn, void *arg);

/* Answers that the objects are not known yet. */
void resource_answer_unknown(metrics_answer_fn *fn, void *arg);
/* Answers that what was asked for them failed, and why. */
void resource_answer_failed(const char *why, metrics_answer_fn *fn, void *arg);
/* Answers with the objects that have been measured, which are sorted in place; exists: one was there, with
 * values or without. */
void resource_answer(const struct metrics_route *route, bool exists, struct metrics_object *objects,
                     uint32_t count, metrics_answer_fn *fn, void *arg);

#endif
