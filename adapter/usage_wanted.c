/* Metrics of cpu and memory, and the refusal of all others. A refusal is made once, when the subscription is,
 * and told with every reading: such a metric has no value and never will. */
#include "adapter/usage_wanted.h"

#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>

void usage_wanted_init(struct usage_wanted *wanted, const struct metric_spec *metric, const char *source) {
    const char *resource = str_or_empty(metric->metric);
    bool memory = str_eq(resource, "memory");

    *wanted = (struct usage_wanted){.resource = memory ? USAGE_MEMORY : USAGE_CPU,
                                    .staleness = {.max_age = metric->max_age}};
    if (metric->type != METRIC_RESOURCE && metric->type != METRIC_CONTAINER_RESOURCE)
        wanted->why = xasprintf("%s Resource and ContainerResource metrics only", source);
    else if (!memory && !str_eq(resource, "cpu"))
        wanted->why = xasprintf("%s cpu and memory, not %s", source, resource);
    if (metric->type == METRIC_CONTAINER_RESOURCE)
        wanted->container = xstrdup(str_or_empty(metric->container));
}

void usage_wanted_done(struct usage_wanted *wanted) {
    staleness_done(&wanted->staleness);
    free(wanted->container);
    free(wanted->why);
}

bool usage_wanted_begin(const struct usage_wanted *wanted, const char *origin, struct sample *ret_sample) {
    *ret_sample = (struct sample){.quality = QUALITY_PENDING, .message = "", .warning = "", .origin = origin};
    if (!wanted->why) /* the caller fills in the rest */
        return true;
    ret_sample->quality = QUALITY_FAILED;
    ret_sample->message = wanted->why;
    return false;
}
