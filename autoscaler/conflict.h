/* One writer per workload: who claims to scale which target, and who of several does. A
 * HorizontalPodAutoscaler comes before every policy, and of two policies the older one. Pure. */
#ifndef AUTOSCALER_CONFLICT_H
#define AUTOSCALER_CONFLICT_H

#include "api/types/policy.h"
#include "base/map.h"

struct claim_target;

/* That an HPA or a policy scales a target. Embedded in what its user keeps of either; starts as {0}. The
 * fields above the line may only change while it is not claimed, or through claims_set. */
struct claim {
    bool hpa;              /* of a HorizontalPodAutoscaler, else of a policy */
    bool idle;             /* writes nothing (Preview, invalid, being deleted): in nobody's way */
    usec_t created;        /* creationTimestamp; 0: not known, counts as the oldest */
    const char *ns, *name; /* of the claimant; borrowed while it is claimed */
    void *user;
    /* ---- */
    struct claim_target *target; /* NULL: it claims nothing */
    struct claim *next;
};

/* A policy's claim is to be looked at again: who is ahead of it may have changed. */
typedef void claim_changed_fn(void *arg, struct claim *claim);

struct claims {
    struct map targets; /* key -> struct claim_target */
    claim_changed_fn *changed;
    void *arg;
};

void claims_init(struct claims *all, claim_changed_fn *changed, void *arg);
/* Every claim must have been cleared. */
void claims_done(struct claims *all);

/* Claims the target that ref names in wanted->ns: claim becomes as wanted (its fields above the line).
 * Targets are the same where group, kind and name are; versions may differ. Calls changed for the other
 * policies on the target of before and on the present one, unless nothing is new. */
void claims_set(struct claims *all, struct claim *claim, const struct claim *wanted,
                const struct object_reference *ref);
/* It claims nothing any more; calls changed for the policies that are left on its target. */
void claims_clear(struct claims *all, struct claim *claim);

/* Who scales the target in place of this policy: the first of the HPAs, or of the older policies; NULL:
 * nobody, or the policy is idle itself. except: the name of an HPA that is left out; NULL: none. */
const struct claim *claims_ahead(const struct claim *policy, const char *except);

#endif
