/* The query of a request: the rule's metricsQuery rendered to the same text as prometheus-adapter's. Pure. */
#ifndef ADAPTER_RULEQUERY_H
#define ADAPTER_RULEQUERY_H

#include "adapter/registry.h"
#include "api/types/selector.h"

struct rulequery {
    const struct rule *rule;
    const char *series;
    const struct cluster_resources *resources;
    const char *ns;                          /* NULL: not namespaced */
    const struct cluster_resource *resource; /* NULL: external */
    uint32_t name_count;                     /* of the objects; "*" is resolved by the caller */
    const char *const *names;
    const struct selector *metric_selector; /* NULL: none */
};

/* Appends the PromQL to out. -ENOENT: no label is known for the namespace or the resource; -EINVAL: the
 * template failed, or gave an empty text; err tells. Order of matchers and forms as in the reference:
 * selector requirements sorted by key, namespace, objects. */
int rulequery_write(const struct rulequery *query, struct buf *out, struct err *err);
/* The same for resourceRules' containerQuery (pods) and nodeQuery (nodes). */
int rulequery_write_resource(const struct resource_rule *rule, const struct rulequery *query, bool node,
                             struct buf *out, struct err *err);

#endif
