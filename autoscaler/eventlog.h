/* What a policy has said lately: equal events are counted up instead of sent anew, and their rate is limited,
 * as client-go's event correlator does (aggregation, and a token bucket of 25 refilled every 5 minutes).
 * Pure. */
#ifndef AUTOSCALER_EVENTLOG_H
#define AUTOSCALER_EVENTLOG_H

#include "base/clock.h"
#include <stdbool.h>
#include <stdint.h>

enum { EVENTLOG_SLOTS = 6, EVENTLOG_NAME_MAX = 80 };

struct eventlog_slot {
    uint32_t hash;  /* of reason and message; 0: free */
    uint32_t count; /* times it was said */
    usec_t first, last;
    char name[EVENTLOG_NAME_MAX]; /* suffix of the Event object's name; "" while it has not been sent */
};

struct eventlog {
    struct eventlog_slot slots[EVENTLOG_SLOTS];
    double tokens;
    usec_t refilled;
};

enum eventlog_action { EVENTLOG_DROP, EVENTLOG_CREATE, EVENTLOG_COUNT };

/* What to do with an event now (wall time): create an Event object, count up the one of *ret_slot, or nothing
 * (the same was said less than repeat_after ago, or the bucket is empty). */
enum eventlog_action eventlog_add(struct eventlog *log, const char *reason, const char *message, usec_t now,
                                  usec_t repeat_after, struct eventlog_slot **ret_slot);

#endif
