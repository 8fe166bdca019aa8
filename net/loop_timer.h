/* The set of timers inside the loop; the public part is in net/loop.h. */
#ifndef NET_LOOP_TIMER_H
#define NET_LOOP_TIMER_H

#include "net/loop.h"
#include <stddef.h>
#include <stdint.h>

struct loop_timers {
    struct loop_timer **heap; /* from 1, the earliest first */
    size_t len, cap;
    uint64_t order;
};

/* A zeroed struct is an empty set. Frees the set, not the timers, which belong to their makers. */
void loop_timers_done(struct loop_timers *timers);
struct loop_timer *loop_timers_add(struct loop_timers *timers, loop_fn *fn, void *arg);
/* When the next one is due (monotonic), or -1 where none is set. */
usec_t loop_timers_due(const struct loop_timers *timers);
/* Runs what is due at now. Callbacks may set, cancel and free any timer. */
void loop_timers_run(struct loop_timers *timers, usec_t now);

#endif
