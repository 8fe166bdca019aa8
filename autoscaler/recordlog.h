/* The last decisions of a policy, packed, in bounded memory: RECORDLOG_SLOTS of them. A decision that comes
 * to the same as the one before (reason, numbers, quality) takes its place and is counted, so that a policy
 * that decides every second keeps its last changes and not its last seconds. Half of the slots are kept for
 * decisions that changed something: what came to nothing cannot push them out. Pure. */
#ifndef AUTOSCALER_RECORDLOG_H
#define AUTOSCALER_RECORDLOG_H

#include "autoscaler/record.h"

enum { RECORDLOG_SLOTS = 16 };

struct recordlog; /* NULL is an empty one */

/* Keeps a decision (after decision_written, where it was written); allocates only where the slot is too small
 * for it. The first one makes *log. */
void recordlog_add(struct recordlog **log, const struct decide_input *input, const struct decision *decision,
                   struct arena *scratch);
void recordlog_free(struct recordlog *log);
/* Bytes it holds, for the operator's own metrics. */
size_t recordlog_bytes(const struct recordlog *log);

struct recordlog_item {
    const struct record *record; /* in the arena given */
    usec_t first, last;          /* wall times of the first and the last decision that came to this */
    uint32_t count;
    bool change; /* it asked for another number of replicas than there was */
};
/* The index-th kept decision, 0 the newest; false past the oldest. */
bool recordlog_get(const struct recordlog *log, uint32_t index, struct arena *arena,
                   struct recordlog_item *ret_item);

#endif
