/* What the records of decisions take: each policy of a made-up cluster decides differently until its log is
 * full. Prints a line of JSON.
 *
 * usage: bench_records [POLICIES=10000] [PODS=10] */
#include "autoscaler/bench/gather.h"
#include "autoscaler/recordlog.h"

#include "base/mem.h"
#include <malloc.h>
#include <stdio.h>

enum { ROUNDS_MAX = 200 };

struct bench {
    struct bench_world world;
    struct bench_gather gather;
    struct recordlog **logs;
    usec_t now, adding;
    uint64_t records, packed_bytes, packed_most;
};

static void count_packed(struct bench *b, const struct decide_input *in, const struct decision *d) {
    unsigned char packed[RECORD_PACKED_MAX];
    size_t len = record_pack(record_of(in, d, &b->gather.arena), packed);

    b->records++;
    b->packed_bytes += len;
    b->packed_most = len > b->packed_most ? len : b->packed_most;
}

static void decide_and_keep(struct bench *b, uint32_t i) {
    struct bench_policy *p = &b->world.policies[i];
    struct decide_input in;
    struct decision d;

    bench_gather(&b->gather, p, b->now, &in);
    decide(&in, &p->history, &b->gather.arena, &d);
    usec_t begun = clock_mono();
    recordlog_add(&b->logs[i], &in, &d, &b->gather.arena);
    b->adding += clock_mono() - begun;
    count_packed(b, &in, &d);
}

/* Bytes that the heap holds: what the logs really cost, the allocator's own share included. */
static size_t heap(void) {
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* A slot is only used anew by a decision that differs from the one before. */
static bool all_full(struct bench *b) {
    struct recordlog_item item;

    for (uint32_t i = 0; i < b->world.policy_count; i++) {
        arena_reset(&b->gather.arena);
        if (!recordlog_get(b->logs[i], RECORDLOG_SLOTS - 1, &b->gather.arena, &item))
            return false;
    }
    return true;
}

static void print(struct bench *b, size_t before, size_t after) {
    size_t held = 0;

    for (uint32_t i = 0; i < b->world.policy_count; i++)
        held += recordlog_bytes(b->logs[i]);
    printf("{\"bench\": \"records\", \"policies\": %u, \"records_each\": %d, \"full\": %s, ",
           b->world.policy_count, RECORDLOG_SLOTS, all_full(b) ? "true" : "false");
    printf("\"packed_bytes\": %.0f, \"packed_bytes_most\": %llu, \"logs_mib\": %.1f, \"heap_mib\": %.1f, "
           "\"add_us\": %.2f}\n",
           (double)b->packed_bytes / (double)b->records, (unsigned long long)b->packed_most,
           (double)held / (1 << 20), (double)(after - before) / (1 << 20),
           (double)b->adding / (double)b->records);
}

/* Every log at once; a decision that comes to the same as the one before takes no slot, so this takes more
 * rounds than there are slots. */
static void fill(struct bench *b) {
    for (int round = 0; round < ROUNDS_MAX && !all_full(b); round++) {
        b->now += 15 * USEC_PER_SEC;
        /* The worst case: every load moves each time, and no two records are alike. */
        bench_world_measure(&b->world, b->now, /* unrest= */ 1);
        for (uint32_t i = 0; i < b->world.policy_count; i++)
            decide_and_keep(b, i);
    }
}

int main(int argc, char **argv) {
    struct bench b = {0};
    uint32_t policies = bench_argument(argc, argv, 1, 10000), pods = bench_argument(argc, argv, 2, 10);

    bench_world_init(&b.world, policies, pods);
    bench_gather_init(&b.gather, &b.world);
    b.now = b.world.start;
    /* Only what follows is the logs': the world stands already. */
    size_t before = heap();
    b.logs = xcalloc(policies, sizeof(struct recordlog *));
    fill(&b);
    print(&b, before, heap());
    for (uint32_t i = 0; i < policies; i++)
        recordlog_free(b.logs[i]);
    free(b.logs);
    bench_gather_done(&b.gather);
    bench_world_done(&b.world);
    return 0;
}
