/* How long to wait after a failure: twice as long from one to the next, of which the upper half is random, so
 * that those who failed together do not come back together. */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include "base/clock.h"
#include <stdint.h>

/* The rule itself, for who keeps count (and chance) elsewhere. The wait after this many failures in a row (0
 * is as 1): min · 2^(failures - 1), at most max, of which random (any number, evenly spread) takes between
 * the half and all. Never less than at_least (a server's Retry-After; 0: none), behind which random takes up
 * to that half. */
usec_t backoff_wait(usec_t min, usec_t max, uint32_t failures, usec_t at_least, uint32_t random);

struct backoff {
    usec_t min, max;   /* of the first wait; of any */
    uint32_t failures; /* in a row; 0 after a success is the owner's to set */
    uint64_t random;
};

/* seed: any number, another for each. */
void backoff_init(struct backoff *backoff, usec_t min, usec_t max, uint64_t seed);
/* Counts a failure and returns the wait after it, as backoff_wait. */
usec_t backoff_next(struct backoff *backoff, usec_t at_least);

/* A seed that differs from owner to owner, and for each from process to process; never 0. */
uint64_t backoff_seed(const void *owner);
/* The next number, for jitter only; state is a seed that is not 0. */
uint32_t backoff_random(uint64_t *state);

#endif
