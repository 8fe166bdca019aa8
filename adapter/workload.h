/* Workload metrics: how many pods (of the policy's namespace) or nodes match a selector, counted in the
 * informers' caches. Pods that are finished or being deleted are not counted. */
#ifndef ADAPTER_WORKLOAD_H
#define ADAPTER_WORKLOAD_H

#include "api/types/metric_source.h"
#include "informers/informers.h"

/* All arguments are borrowed and outlive it. The informers are opened while somebody is subscribed. */
struct metric_source *workload_new(struct loop *loop, struct informers *informers);
/* Every subscription has ended. NULL is allowed. */
void workload_free(struct metric_source *source);

#endif
