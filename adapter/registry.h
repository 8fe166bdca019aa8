/* Which metrics there are: series are taken in rule by rule and become (resource, metric) -> (series, rule),
 * as prometheus-adapter's naming does: labels map to resources by overrides, then by the template and the
 * cluster's resources. Pure. */
#ifndef ADAPTER_REGISTRY_H
#define ADAPTER_REGISTRY_H

#include "adapter/exposition.h"
#include "adapter/rules.h"

/* A resource that the cluster serves, as its discovery lists it. */
struct cluster_resource {
    const char *group, *version, *plural, *singular, *kind;
    bool namespaced;
};
/* The cluster's resources in discovery order; borrowed. */
struct cluster_resources {
    const struct cluster_resource *items;
    uint32_t count;
};
/* The resource named in singular or plural, with or without group ("deployments", "deployment.apps"; a prefix
 * of the group counts, as in apimachinery); group NULL: any. NULL: there is none. */
const struct cluster_resource *cluster_resource_find(const struct cluster_resources *all, const char *group,
                                                     const char *name);

struct registry;

/* Empty, for these rules and resources (borrowed). -EINVAL where an override names a resource that does not
 * exist: "line 12: …". */
int registry_new(const struct rules *rules, const struct cluster_resources *resources,
                 struct registry **ret_registry, struct err *err);
void registry_free(struct registry *registry);

/* Takes a series in for rules[index] (external: external[index]); it has been selected by the rule's
 * seriesQuery. The later one wins. */
void registry_add(struct registry *registry, bool external, uint32_t index, const struct series *series);

/* The resource that a label stands for in the series of rules[index]: by override, else back through the
 * template. NULL: it stands for none, and ret_why tells, in static words, what was tried: "neither an
 * override nor a template", "the template does not fit", "no such resource in the cluster". */
const struct cluster_resource *registry_label_resource(const struct registry *registry, uint32_t index,
                                                       const char *label, const char **ret_why);

/* One metric of a resource. */
struct registry_entry {
    const struct cluster_resource *resource; /* NULL: an external metric */
    bool namespaced;
    const char *metric, *series;
    const struct rule *rule;
};
/* Calls fn for each, sorted by resource and metric (external: by metric). */
typedef void registry_fn(void *arg, const struct registry_entry *entry);
void registry_each(const struct registry *registry, bool external, registry_fn *fn, void *arg);
/* The metric of a custom request; resource as in the URL. NULL: it is not registered. Borrowed until the next
 * add. */
const struct registry_entry *registry_find(const struct registry *registry, const char *resource,
                                           bool namespaced, const char *metric);
const struct registry_entry *registry_find_external(const struct registry *registry, const char *metric);
/* The label that stands for the resource in the rule's series: override, else template; appended to out.
 * -ENOENT: there is none. Where two overrides name one resource, the first of the file (the original takes a
 * random one). */
int rule_label(const struct rule_resources *resources, const struct cluster_resources *all,
               const struct cluster_resource *resource, struct buf *out);

#endif
