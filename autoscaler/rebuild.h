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
};

/* Fills an empty history (has_recommendations is set). past is in order of time; what it says about sizes
 * becomes recommendations and, with behavior, scale events. Without anything to go by it is left empty, and
 * the decision begins it as HPA does. current: the replicas of the scale now. */
void history_rebuild(struct history *history, const struct policy_spec *spec,
                     const struct policy_status *status, const struct past_rescale *past, uint32_t count,
                     int32_t current, usec_t now);

/* Reads an Event's message: -EINVAL where it is not one of a rescale. */
int past_rescale_parse(const char *message, int32_t *ret_size);

#endif
