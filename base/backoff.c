/* Waits that double. */
#include "base/backoff.h"

usec_t backoff_wait(usec_t min, usec_t max, uint32_t failures, usec_t at_least, uint32_t random) {
    usec_t wait = min;

    for (uint32_t i = 1; i < failures && wait < max; i++)
        wait *= 2;
    usec_t half = (wait > max ? max : wait) / 2;
    usec_t jitter = (usec_t)((double)half * ((double)random / UINT32_MAX));
    return (at_least > half + jitter ? at_least : half) + jitter;
}

uint64_t backoff_seed(const void *owner) {
    /* multiplied so that owners side by side, whose last bits alone differ, begin far from each other */
    uint64_t seed = (((uint64_t)clock_wall() << 16) ^ (uintptr_t)owner) * 0x9e3779b97f4a7c15u;

    return seed ? seed : 1;
}

/* xorshift64, which never leaves 0. Its upper bits are the better ones. */
uint32_t backoff_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

void backoff_init(struct backoff *b, usec_t min, usec_t max, uint64_t seed) {
    /* small seeds would begin with small numbers */
    *b = (struct backoff){.min = min, .max = max, .random = seed ^ 0x9e3779b97f4a7c15u};
    if (b->random == 0)
        b->random = 1;
}

usec_t backoff_next(struct backoff *b, usec_t at_least) {
    return backoff_wait(b->min, b->max, ++b->failures, at_least, backoff_random(&b->random));
}
