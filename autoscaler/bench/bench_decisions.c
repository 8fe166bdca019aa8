/* What deciding costs: every policy of a made-up cluster decided once a round, in one thread, from the caches
 * that the operator has: select the pods, keep the target's own, join what was measured, decide. Prints a
 * line of JSON and exits 1 where anything was allocated outside the arena; how long it may take is for the
 * reader to judge.
 *
 * usage: bench_decisions [POLICIES=10000] [PODS=10] [ROUNDS=7] */
#include "autoscaler/bench/allocations.h"
#include "autoscaler/bench/world.h"

#include "autoscaler/owners.h"
#include "autoscaler/status.h"
#include "base/mem.h"
#include <stdio.h>
#include <string.h>

enum { ARENA_BLOCK = 16 * 1024 /* as the autoscaler's */, ROUNDS_MAX = 100, WARM_UP = 2 };

static const struct decide_flags flags = {.tolerance = 0.1,
                                          .downscale_stabilization = 5 * USEC_PER_MIN,
                                          .cpu_initialization_period = 5 * USEC_PER_MIN,
                                          .initial_readiness_delay = 30 * USEC_PER_SEC};

/* Room for the pods of one decision, kept from one to the next as the autoscaler does. */
struct pod_list {
    const struct pod **pods;
    uint32_t count;
};

struct bench {
    struct bench_world world;
    struct pod_list list;
    struct arena arena;
    usec_t now;
    uint64_t decisions, rescales, failed, arena_bytes, arena_most, allocated;
    usec_t gathering;
};

static void take_pod(void *arg, const struct object *object) {
    struct pod_list *list = arg;

    list->pods[list->count++] = (const struct pod *)object;
}

static const struct object *find_replicaset(void *arg, const char *ns, const char *name) {
    const struct bench_world *w = arg;

    return cache_get(w->replicasets, ns, name);
}

static void gather_pods(struct bench *b, const struct bench_policy *p, struct decide_input *in) {
    struct pod_list *list = &b->list;
    struct owner_target target = {
        .kind = "Deployment", .name = p->object->spec.target.name, .uid = p->target_uid};
    struct selector selector;

    list->count = 0;
    if (selector_parse(p->selector, &b->arena, &selector, NULL) < 0)
        abort();
    cache_select(b->world.pods, p->object->meta.ns, &selector, take_pod, list);
    list->count = owners_filter(list->pods, list->count, &target, find_replicaset, &b->world);
    const struct pod **pods = ARENA_ARRAY(&b->arena, const struct pod *, list->count + 1);
    for (uint32_t i = 0; i < list->count; i++) {
        pods[i] = list->pods[i];
        in->ready_pods += pods[i]->phase == POD_RUNNING && pods[i]->ready == CONDITION_TRUE;
    }
    in->pods = list->count;
    in->pod_list = pods;
}

static void gather_samples(struct bench *b, const struct bench_policy *p, struct decide_input *in) {
    struct sample *samples = ARENA_ARRAY(&b->arena, struct sample, BENCH_METRICS);
    struct pod_value *values = ARENA_ARRAY(&b->arena, struct pod_value, in->pods + 1);
    struct pod_values *joined = ARENA_NEW(&b->arena, struct pod_values);

    memcpy(values, p->usage, in->pods * sizeof(*values));
    *joined = (struct pod_values){.of_pods = values};
    samples[0] =
        (struct sample){.quality = QUALITY_VALUE, .at = b->now, .message = "", .warning = "", .pods = joined};
    samples[1] = (struct sample){.quality = QUALITY_VALUE,
                                 .value = p->requests,
                                 .milli = (int64_t)(p->requests * 1000),
                                 .at = b->now,
                                 .message = "",
                                 .warning = ""};
    in->samples = samples;
}

static void gather(struct bench *b, const struct bench_policy *p, struct decide_input *ret_input) {
    *ret_input =
        (struct decide_input){.now = b->now, .spec = &p->object->spec, .status = &p->status, .flags = &flags};
    ret_input->scale = (struct scale_view){
        .known = true, .selector = p->selector, .spec_replicas = p->replicas, .status_replicas = p->replicas};
    gather_pods(b, p, ret_input);
    gather_samples(b, p, ret_input);
}

/* The status that the decision leaves, read as the next one will find it. */
static void keep_status(struct bench_policy *p, const struct decide_input *in, const struct decision *d) {
    json_t *status = status_build(in, d, 1, 0);

    arena_reset(&p->status_arena);
    policy_read_status(status, &p->status_arena, &p->status);
    json_decref(status);
}

static void decide_one(struct bench *b, struct bench_policy *p, bool keeping) {
    struct decide_input in;
    struct decision d;

    arena_reset(&b->arena);
    usec_t begun = clock_mono();
    gather(b, p, &in);
    b->gathering += clock_mono() - begun;
    uint64_t before = allocations();
    decide(&in, &p->history, &b->arena, &d);
    b->allocated += allocations() - before;
    b->decisions++;
    b->rescales += d.rescale;
    b->failed += d.failed;
    b->arena_bytes += b->arena.used;
    if (b->arena.used > b->arena_most)
        b->arena_most = b->arena.used;
    if (keeping)
        keep_status(p, &in, &d);
}

/* Every policy once; how long that took. */
static usec_t decide_all(struct bench *b, bool keeping) {
    b->now += 15 * USEC_PER_SEC;
    bench_world_measure(&b->world, b->now);
    usec_t begun = clock_mono();
    for (uint32_t i = 0; i < b->world.policy_count; i++)
        decide_one(b, &b->world.policies[i], keeping);
    return clock_mono() - begun;
}

static int by_time(const void *a, const void *b) {
    const usec_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void print(const struct bench *b, const usec_t *times, uint32_t rounds) {
    const usec_t *median = &times[rounds / 2], *most = &times[rounds - 1];

    printf(
        "{\"bench\": \"decisions\", \"policies\": %u, \"pods_each\": %u, \"rounds\": %u, \"ms\": %.1f, "
        "\"ms_most\": %.1f, "
        "\"gathering_ms\": %.1f, \"arena_bytes\": %.0f, \"arena_bytes_most\": %llu, \"allocations\": %llu, "
        "\"rescales\": %.3f, \"failed\": %llu}\n",
        b->world.policy_count, b->world.pods_each, rounds, (double)*median / 1000, (double)*most / 1000,
        (double)b->gathering / 1000 / rounds, (double)b->arena_bytes / (double)b->decisions,
        (unsigned long long)b->arena_most, (unsigned long long)b->allocated,
        (double)b->rescales / (double)b->decisions, (unsigned long long)b->failed);
}

static void forget_counts(struct bench *b) {
    b->decisions = b->rescales = b->failed = b->arena_bytes = b->arena_most = b->allocated = 0;
    b->gathering = 0;
}

static uint32_t argument(int argc, char **argv, int i, uint32_t fallback) {
    int64_t value = fallback;

    if (i < argc && (str_to_i64(argv[i], &value) < 0 || value < 1 || value > 1000000)) {
        fprintf(stderr, "usage: bench_decisions [POLICIES] [PODS] [ROUNDS]\n");
        exit(2);
    }
    return (uint32_t)value;
}

int main(int argc, char **argv) {
    struct bench b = {0};
    usec_t times[ROUNDS_MAX];
    uint32_t policies = argument(argc, argv, 1, 10000), pods = argument(argc, argv, 2, 10);
    uint32_t rounds = argument(argc, argv, 3, 7);

    rounds = rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    bench_world_init(&b.world, policies, pods);
    b.now = b.world.start;
    b.list.pods = xcalloc(pods, sizeof(struct pod *));
    arena_init(&b.arena, ARENA_BLOCK);
    for (int i = 0; i < WARM_UP; i++)
        decide_all(&b, /* keeping= */ true);
    forget_counts(&b);
    for (uint32_t i = 0; i < rounds; i++)
        times[i] = decide_all(&b, /* keeping= */ false);
    qsort(times, rounds, sizeof(times[0]), by_time);
    print(&b, times, rounds);
    arena_done(&b.arena);
    free(b.list.pods);
    bench_world_done(&b.world);
    return b.allocated ? 1 : 0;
}
