/* What policies have scaled before this start, from their SuccessfulRescale events: listed once, before
 * anything is decided, and given to each policy for its first decision (rebuild.h). */
#ifndef AUTOSCALER_PAST_H
#define AUTOSCALER_PAST_H

#include "base/map.h"

struct autoscaler;
struct entry;
struct kube_call;
struct loop_timer;

struct past {
    struct map of_policies;  /* uid -> struct past_of_policy */
    struct kube_call *call;  /* a page under way */
    struct loop_timer *tick; /* tries again, gives up, and forgets what nobody asked for */
    uint32_t ticks;          /* since the policies are in */
    const char *const *ns;   /* the one being listed, in options.namespaces; NULL: all at once */
    uint32_t seen;           /* events */
    bool done;
};

/* Starts listing; whatever goes wrong only makes less known. */
void past_open(struct autoscaler *as);
void past_close(struct autoscaler *as);
/* Whether the events are in, or are not waited for any longer. */
bool past_settled(const struct autoscaler *as);
/* Rebuilds the history of a policy that has none in memory and has decided before; input is gathered. */
void entry_remember(struct entry *entry);

#endif
