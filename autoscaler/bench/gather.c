/* Gathering what a decision starts from.
 *
 * The same steps as in the shell (reconcile.c), which cannot be called from here: it wants a loop and a
 * cluster. Whoever changes one looks at the other, or the bench measures what nobody does. */
#include "autoscaler/bench/gather.h"

#include "autoscaler/owners.h"
#include "autoscaler/status.h"
#include "base/mem.h"
#include <string.h>

enum { ARENA_BLOCK = 16 * 1024 /* as the autoscaler's */ };

static const struct decide_flags flags = {.tolerance = 0.1,
                                          .downscale_stabilization = 5 * USEC_PER_MIN,
                                          .cpu_initialization_period = 5 * USEC_PER_MIN,
                                          .initial_readiness_delay = 30 * USEC_PER_SEC};

void bench_gather_init(struct bench_gather *g, struct bench_world *world) {
    *g = (struct bench_gather){.world = world, .pods = xcalloc(world->pods_each, sizeof(struct pod *))};
    arena_init(&g->arena, ARENA_BLOCK);
}

void bench_gather_done(struct bench_gather *g) {
    arena_done(&g->arena);
    free(g->pods);
}

static void take_pod(void *arg, const struct object *object) {
    struct bench_gather *g = arg;

    /* Room for pods_each was taken; a selector picks the pods of one policy. */
    g->pods[g->pod_count++] = (const struct pod *)object;
}

static const struct object *find_replicaset(void *arg, const char *ns, const char *name) {
    const struct bench_gather *g = arg;

    return cache_get(g->world->replicasets, ns, name);
}

static void gather_pods(struct bench_gather *g, const struct bench_policy *p, struct decide_input *in) {
    struct owner_target target = {
        .kind = "Deployment", .name = p->object->spec.target.name, .uid = p->target_uid};
    struct selector selector;

    g->pod_count = 0;
    /* Made by world.c: a mistake there, and nothing to measure. */
    if (selector_parse(p->selector, &g->arena, &selector, NULL) < 0)
        abort();
    cache_select(g->world->pods, p->object->meta.ns, &selector, take_pod, g);
    in->pods = owners_filter(g->pods, g->pod_count, &target, find_replicaset, g);
    const struct pod **pods = ARENA_ARRAY(&g->arena, const struct pod *, in->pods + 1);
    for (uint32_t i = 0; i < in->pods; i++) {
        pods[i] = g->pods[i];
        in->ready_pods += pods[i]->phase == POD_RUNNING && pods[i]->ready == CONDITION_TRUE;
    }
    in->pod_list = pods;
}

/* In the order of bench_policy's metrics: cpu of the pods, then the query's number. */
static void gather_samples(struct bench_gather *g, const struct bench_policy *p, struct decide_input *in) {
    struct sample *samples = ARENA_ARRAY(&g->arena, struct sample, BENCH_METRICS);
    struct pod_value *values = ARENA_ARRAY(&g->arena, struct pod_value, in->pods + 1);
    struct pod_values *joined = ARENA_NEW(&g->arena, struct pod_values);

    /* A copy, as the source's read_pods makes one. */
    memcpy(values, p->usage, in->pods * sizeof(*values));
    *joined = (struct pod_values){.of_pods = values};
    samples[0] = (struct sample){
        .quality = QUALITY_VALUE, .at = in->now, .message = "", .warning = "", .pods = joined};
    samples[1] = (struct sample){.quality = QUALITY_VALUE,
                                 .value = p->requests,
                                 .milli = (int64_t)(p->requests * 1000),
                                 .at = in->now,
                                 .message = "",
                                 .warning = ""};
    in->samples = samples;
}

void bench_gather(struct bench_gather *g, const struct bench_policy *policy, usec_t now,
                  struct decide_input *ret_input) {
    struct decide_input in = {
        .now = now, .spec = &policy->object->spec, .status = &policy->status, .flags = &flags};

    arena_reset(&g->arena);
    in.scale = (struct scale_view){.known = true,
                                   .selector = policy->selector,
                                   .spec_replicas = policy->replicas,
                                   .status_replicas = policy->replicas};
    gather_pods(g, policy, &in);
    gather_samples(g, policy, &in);
    *ret_input = in;
}

void bench_keep_status(struct bench_policy *policy, const struct decide_input *input,
                       const struct decision *decision) {
    json_t *status = status_build(input, decision, /* generation= */ 1, /* last_scale_time= */ 0);

    arena_reset(&policy->status_arena);
    policy_read_status(status, &policy->status_arena, &policy->status);
    json_decref(status);
}
