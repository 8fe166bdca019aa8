/* How long to wait after a failure: twice as long from one to the next, of which the upper half is random, so
 * that those who failed together do not come back together. */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include "base/clock.h"
#include <stdint.h>

struct backoff {
    usec_t min, max;   /* of the first wait; of any */
    uint32_t failures; /* in a row; 0 after a success is the owner's to set */
    uint64_t random;
};

/* seed: any number, another for each. */
void backoff_init(struct backoff *backoff, usec_t min, usec_t max, uint64_t seed);
/* Counts a failure and returns the wait after it: min · 2^(failures - 1), at most max, of which between the
 * half and all; never less than at_least (a server's Retry-After; 0: none). */
usec_t backoff_next(struct backoff *backoff, usec_t at_least);

#endif
