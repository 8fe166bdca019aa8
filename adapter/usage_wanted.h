/* What a metric of a policy wants of a source of cpu and memory, be it the kubelets or resourceRules. Pure.
 */
#ifndef ADAPTER_USAGE_WANTED_H
#define ADAPTER_USAGE_WANTED_H

#include "adapter/staleness.h"
#include "adapter/usage.h"
#include "api/types/metric_source.h"

struct usage_wanted {
    enum usage_resource resource;
    char *container; /* NULL: all */
    char *why;       /* it cannot be had: why not; else NULL */
    struct staleness staleness;
};

/* source: who is asked and what it does, "kubelets measure", as the sentence of a metric that it does not
 * have begins. */
void usage_wanted_init(struct usage_wanted *wanted, const struct metric_spec *metric, const char *source);
void usage_wanted_done(struct usage_wanted *wanted);

/* Begins the sample: pending, or failed where it cannot be had; then false, and there is no more to say. The
 * message is borrowed from wanted. */
bool usage_wanted_begin(const struct usage_wanted *wanted, const char *origin, struct sample *ret_sample);

#endif
