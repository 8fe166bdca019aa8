/* What deciding costs: every policy of a made-up cluster decided once a round, in one thread, from caches
 * like the operator's. Prints a line of JSON, and exits 1 where anything was allocated outside the arena; how
 * long it may take is for the reader to judge.
 *
 * usage: bench_decisions [POLICIES=10000] [PODS=10] [ROUNDS=7] */
#include "autoscaler/bench/allocations.h"
#include "autoscaler/bench/gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS_MAX = 100, WARM_UP = 2 };
/* A share of the policies that would scale, as on a day with some traffic. */
static const double unrest = 0.1;

struct bench {
    struct bench_world world;
    struct bench_gather gather;
    usec_t now, gathering, wall;
    uint64_t decisions, rescales, failed, arena_bytes, arena_most, allocated;
};

static void count(struct bench *b, const struct decision *d) {
    size_t used = b->gather.arena.used;

    b->decisions++;
    b->rescales += d->rescale;
    b->failed += d->failed;
    b->arena_bytes += used;
    b->arena_most = used > b->arena_most ? used : b->arena_most;
}

static void decide_one(struct bench *b, struct bench_policy *p, bool keeping) {
    struct decide_input in;
    struct decision d;
    usec_t begun = clock_mono();

    bench_gather(&b->gather, p, b->now, &in);
    b->gathering += clock_mono() - begun;
    /* Gathering may allocate where a selector or a list grows; deciding may not. */
    uint64_t before = allocations();
    decide(&in, &p->history, &b->gather.arena, &d);
    b->allocated += allocations() - before;
    count(b, &d);
    if (keeping)
        bench_keep_status(p, &in, &d);
}

/* Of one round over all policies, in microseconds. On a machine with nothing else to do both are the same;
 * elsewhere it is the processor time that says what one core takes. */
struct times {
    usec_t processor, wall;
};

static struct times decide_all(struct bench *b, bool keeping) {
    /* HPA's period, so that windows hold what they hold in a cluster. */
    b->now += 15 * USEC_PER_SEC;
    bench_world_measure(&b->world, b->now, unrest);
    clock_t begun = clock();
    usec_t wall = clock_mono();
    for (uint32_t i = 0; i < b->world.policy_count; i++)
        decide_one(b, &b->world.policies[i], keeping);
    return (struct times){.processor = (clock() - begun) * USEC_PER_SEC / CLOCKS_PER_SEC,
                          .wall = clock_mono() - wall};
}

static int by_time(const void *a, const void *b) {
    const struct times *x = a, *y = b;

    return (x->processor > y->processor) - (x->processor < y->processor);
}

static void print(const struct bench *b, const struct times *times, uint32_t rounds) {
    const struct times *median = &times[rounds / 2], *most = &times[rounds - 1];

    printf("{\"bench\": \"decisions\", \"policies\": %u, \"pods_each\": %u, \"rounds\": %u, ",
           b->world.policy_count, b->world.pods_each, rounds);
    printf("\"ms\": %.1f, \"ms_most\": %.1f, \"wall_ms\": %.1f, \"gathering_share\": %.2f, ",
           (double)median->processor / 1000, (double)most->processor / 1000, (double)median->wall / 1000,
           (double)b->gathering / (double)b->wall);
    printf("\"arena_bytes\": %.0f, \"arena_bytes_most\": %llu, \"allocations\": %llu, ",
           (double)b->arena_bytes / (double)b->decisions, (unsigned long long)b->arena_most,
           (unsigned long long)b->allocated);
    printf("\"rescales\": %llu, \"failed\": %llu}\n", (unsigned long long)b->rescales,
           (unsigned long long)b->failed);
}

static void run(struct bench *b, struct times *times, uint32_t rounds) {
    /* The first brings the conditions, which stay; the second finds everything at its size. */
    for (int i = 0; i < WARM_UP; i++)
        decide_all(b, /* keeping= */ true);
    b->decisions = b->rescales = b->failed = b->arena_bytes = b->arena_most = b->allocated = 0;
    b->gathering = b->wall = 0;
    for (uint32_t i = 0; i < rounds; i++) {
        times[i] = decide_all(b, /* keeping= */ false);
        b->wall += times[i].wall;
    }
    qsort(times, rounds, sizeof(times[0]), by_time);
}

int main(int argc, char **argv) {
    struct bench b = {0};
    struct times times[ROUNDS_MAX];
    uint32_t policies = bench_argument(argc, argv, 1, 10000), pods = bench_argument(argc, argv, 2, 10);
    uint32_t rounds = bench_argument(argc, argv, 3, 7);

    rounds = rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    bench_world_init(&b.world, policies, pods);
    bench_gather_init(&b.gather, &b.world);
    b.now = b.world.start;
    run(&b, times, rounds);
    print(&b, times, rounds);
    bench_gather_done(&b.gather);
    bench_world_done(&b.world);
    return b.allocated ? 1 : 0;
}
