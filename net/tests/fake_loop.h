/* The loop's timers in simulated time, in place of net/loop.c: tests of a minute take no time. */
#ifndef NET_TESTS_FAKE_LOOP_H
#define NET_TESTS_FAKE_LOOP_H

#include "net/loop.h"

struct loop *fake_loop_new(void);
/* Checks that no timer is left. */
void fake_loop_free(struct loop *loop);
/* Runs the timers that are due within duration, each at its time, and ends there. */
void fake_loop_run(struct loop *loop, usec_t duration);

/* The end of a turn: calls the hooks of loop_on_turn. */
void fake_loop_end_turn(struct loop *loop);
/* A whole turn, as loop_turn: goes on to the first timer that is due, or to timeout where none is before it,
 * runs the timers of that moment and calls the hooks. */
void fake_loop_turn(struct loop *loop, usec_t timeout);

#endif
