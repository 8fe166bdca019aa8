/* Which metrics there are: series are taken in rule by rule and become (resource, metric) -> (series, rule),
 * as prometheus-adapter's naming does: labels map to resources by overrides, then by the template and the
 * cluster's resources. What is kept are names, not series. Pure. */
#ifndef ADAPTER_REGISTRY_H
#define ADAPTER_REGISTRY_H

#include "adapter/exposition.h"
#include "adapter/resourcelabels.h"
#include "adapter/rules.h"

struct registry;

/* Empty, for these rules and resources (borrowed). -EINVAL where an override of any rule, resourceRules
 * included, names a resource that does not exist, or a template cannot be read backwards:
 * "rules[2]: line 12: …". */
int registry_new(const struct rules *rules, const struct cluster_resources *resources,
                 struct registry **ret_registry, struct err *err);
/* The same for those who cannot wait for all to be right: a rule of which registry_new would complain gets no
 * metrics, and fn is told of it. Never NULL. */
struct registry *registry_new_partial(const struct rules *rules, const struct cluster_resources *resources,
                                      rules_error_fn *fn, void *arg);
void registry_free(struct registry *registry);

/* Takes a series in for rules[index] (external: external[index]); it has been selected by the rule's
 * seriesQuery, filters and name.matches are looked at here. The later one wins. A metric whose name comes out
 * empty is left out (the original lists it as "pods/"; nobody could ask for it). */
void registry_add(struct registry *registry, bool external, uint32_t index, const struct series *series);

/* The resource that a label stands for in the series of rules[index]: by override, else back through the
 * template. NULL: it stands for none, and ret_why (may be NULL) tells as resource_labels_find does. */
const struct cluster_resource *registry_label_resource(const struct registry *registry, uint32_t index,
                                                       const char *label, const char **ret_why);

/* One metric of a resource. */
struct registry_entry {
    const struct cluster_resource *resource; /* NULL: an external metric */
    /* namespaces, nodes and persistentvolumes are not, every other resource is, as in the original: also
     * cluster-scoped custom ones. External metrics always are. */
    bool namespaced;
    const char *metric, *series;
    const struct rule *rule;
};
/* Calls fn for each, sorted by resource and metric (external: by metric). */
typedef void registry_fn(void *arg, const struct registry_entry *entry);
void registry_each(const struct registry *registry, bool external, registry_fn *fn, void *arg);
/* How many there are. */
uint32_t registry_count(const struct registry *registry, bool external);
/* The metric of a custom request; resource as in the URL. Metrics of cluster-scoped custom resources are
 * found in both scopes. NULL: it is not registered. Borrowed until the next add. */
const struct registry_entry *registry_find(const struct registry *registry, const char *resource,
                                           bool namespaced, const char *metric);
const struct registry_entry *registry_find_external(const struct registry *registry, const char *metric);

#endif
