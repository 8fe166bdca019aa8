/* What a policy remembers is rebuilt when the operator starts: from the status that was stored and from the
 * SuccessfulRescale events of the policy, as far as they go back. HPA begins anew at every start, with a full
 * stabilization window in which nothing scales down. Pure. */
#ifndef AUTOSCALER_REBUILD_H
#define AUTOSCALER_REBUILD_H

#include "autoscaler/decide.h"

/* A change of the past, from an event "New size: N; reason: …". */
struct past_rescale {
    usec_t at;
    int32_t size;
    int32_t from; /* the size before; -1: not known, then that of the change before */
};

struct rebuild_input {
    usec_t now;
    const struct policy_spec *spec;
    const struct policy_status *status; /* as stored before the start */
    const struct decide_flags *flags;
    const struct past_rescale *past; /* in order of time */
    uint32_t count;
    int32_t current; /* replicas of the scale now */
};

/* Fills an empty history. Sizes of the past become recommendations and, with behavior, scale events; a number
 * that stabilization held back (decision.heldUntil) is held as long as it would have been; otherwise the
 * present number counts as recommended now, as it was until the stop. A policy that has never decided is left
 * empty: the decision begins it as HPA does. */
void history_rebuild(struct history *history, const struct rebuild_input *input);

/* Reads an Event's message: -EINVAL where it is not one of a rescale. */
int past_rescale_parse(const char *message, int32_t *ret_size);

#endif
