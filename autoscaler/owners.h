/* Which of the pods that a selector picks are the target's own: owner references are followed through
 * ReplicaSets. HPA does not look (kubernetes/kubernetes#124307). Pure. */
#ifndef AUTOSCALER_OWNERS_H
#define AUTOSCALER_OWNERS_H

#include "api/types/object.h"

struct owner_target {
    const char *kind, *name;
    const char *uid; /* NULL: not known, kind and name count */
};

/* The cached ReplicaSet of this name, or NULL where it is not known. */
typedef const struct object *owner_find_fn(void *arg, const char *ns, const char *name);

enum ownership {
    OWNED,         /* the chain of controllers leads to the target */
    OWNED_BY_NONE, /* the pod, or the ReplicaSet that owns it, has no controller */
    OWNED_BY_OTHER,
    OWNER_UNKNOWN, /* the chain cannot be followed to its end */
};
enum ownership owners_look(const struct object *pod, const struct owner_target *target, owner_find_fn *find,
                           void *arg);

/* Takes out of pods (count of them, order kept) those that belong to another controller, and those without
 * one where at least one is the target's own; only for targets of the kinds Deployment, ReplicaSet,
 * StatefulSet and ReplicationController: any other kind may own its pods in ways that are not known here.
 * Returns how many are left. */
uint32_t owners_filter(const struct pod **pods, uint32_t count, const struct owner_target *target,
                       owner_find_fn *find, void *arg);

/* Whether the active pods (neither being deleted nor at their end) have more than one controller: a rollout
 * is under way, and what exceeds the wanted number is surge. */
bool owners_rollout(const struct pod *const *pods, uint32_t count);

#endif
