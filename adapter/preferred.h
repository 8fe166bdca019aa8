/* A metric source in front of two others: the first where it serves a metric, else the second. Which one is
 * asked may change while a policy is subscribed: then its subscription moves. */
#ifndef ADAPTER_PREFERRED_H
#define ADAPTER_PREFERRED_H

#include "api/types/metric_source.h"

struct preferred_options {
    struct metric_source *first, *second;
    /* Whether first has the metric. Pure of side effects; called in subscribe and preferred_reconsider. */
    bool (*serves)(void *arg, const struct metric_spec *metric, const char *ns);
    void *arg;
};

/* Borrows both sources, which outlive it; owned. */
struct metric_source *preferred_new(const struct preferred_options *options);
/* Every subscription has ended. NULL is allowed. */
void preferred_free(struct metric_source *source);
/* What serves says may have changed: subscriptions move to where their metric is now. Until the new source
 * has its first answer, the old one's is read, if it has any. Not to be called inside a subscriber's changed.
 */
void preferred_reconsider(struct metric_source *source);

#endif
