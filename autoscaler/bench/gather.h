/* What a decision starts from, gathered from the bench's world as the autoscaler does it from its caches: the
 * pods that the selector picks, the target's own of them, and what was measured of each. */
#ifndef AUTOSCALER_BENCH_GATHER_H
#define AUTOSCALER_BENCH_GATHER_H

#include "autoscaler/bench/world.h"

/* One decision after the other; keeps its room as the autoscaler does. */
struct bench_gather {
    struct bench_world *world;
    struct arena arena; /* of the decision under way */
    const struct pod **pods;
    uint32_t pod_count;
};

void bench_gather_init(struct bench_gather *g, struct bench_world *world);
void bench_gather_done(struct bench_gather *g);
/* Begins a decision: what the one before had in the arena is gone. */
void bench_gather(struct bench_gather *g, const struct bench_policy *policy, usec_t now,
                  struct decide_input *ret_input);
/* The status that a decision leaves, read as the next one finds it. */
void bench_keep_status(struct bench_policy *policy, const struct decide_input *input,
                       const struct decision *decision);

#endif
