/* Waits that double. */
#include "base/backoff.h"

void backoff_init(struct backoff *b, usec_t min, usec_t max, uint64_t seed) {
    /* xorshift never leaves 0 */
    *b = (struct backoff){.min = min, .max = max, .random = seed ^ 0x9e3779b97f4a7c15u};
    if (b->random == 0)
        b->random = 1;
}

/* xorshift64: for jitter only. */
static usec_t up_to(struct backoff *b, usec_t limit) {
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return (usec_t)(b->random % (uint64_t)(limit + 1));
}

usec_t backoff_next(struct backoff *b, usec_t at_least) {
    usec_t wait = b->min;

    for (uint32_t i = 0; i < b->failures && wait < b->max; i++)
        wait *= 2;
    b->failures++;
    wait = wait > b->max ? b->max : wait;
    usec_t half = wait / 2;
    wait = half + up_to(b, half);
    return at_least > wait ? at_least + up_to(b, half) : wait;
}
