/* Labels that stand for Kubernetes resources: "pod" for pods, both ways, by a rule's overrides and template
 * and by what the cluster serves. Pure. */
#ifndef ADAPTER_RESOURCELABELS_H
#define ADAPTER_RESOURCELABELS_H

#include "adapter/rules.h"

/* A resource that the cluster serves, as its discovery lists it. */
struct cluster_resource {
    const char *group, *version, *plural, *singular, *kind;
    bool namespaced;
};
/* The cluster's resources in discovery order, of each group the preferred version first; borrowed. */
struct cluster_resources {
    const struct cluster_resource *items;
    uint32_t count;
};
/* The resource named in singular or plural; the first in discovery order, so that two calls that mean one
 * resource give one pointer. With a group, one whose group is exactly that, else one whose group begins with
 * it, as in apimachinery ("ingress.networking"). group NULL or "": any, or what stands behind a dot in name.
 * NULL: there is none. */
const struct cluster_resource *cluster_resource_find(const struct cluster_resources *all, const char *group,
                                                     const char *name);

/* The label that stands for the resource in the rule's series: override, else template; appended to out.
 * -ENOENT: there is none; others as template_run. Where two overrides name one resource, the first of the
 * file (the original takes a random one). */
int rule_label(const struct rule_resources *resources, const struct cluster_resources *all,
               const struct cluster_resource *resource, struct buf *out);

/* The other way round, prepared; immutable. */
struct resource_labels;

/* Both are borrowed. -EINVAL where an override names a resource that does not exist ("line 12: …"), or where
 * the template cannot be read backwards. Owned by the caller. */
int resource_labels_new(const struct rule_resources *resources, const struct cluster_resources *all,
                        struct resource_labels **ret_labels, struct err *err);
void resource_labels_free(struct resource_labels *labels);
/* The resource that the label stands for. NULL: none, and ret_why (may be NULL) tells, in static words, what
 * was tried: "neither an override nor a template", "the template does not fit", "no such resource in the
 * cluster". */
const struct cluster_resource *resource_labels_find(const struct resource_labels *labels, const char *label,
                                                    const char **ret_why);

#endif
