/* A cluster for the benches: policies with pods of their own, in the caches that the operator has, and what
 * has been measured of them. Made up, but the same at every run. */
#ifndef AUTOSCALER_BENCH_WORLD_H
#define AUTOSCALER_BENCH_WORLD_H

#include "autoscaler/decide.h"
#include "informers/cache.h"

enum { BENCH_METRICS = 2 }; /* Resource cpu by Utilization, and one of Prometheus by AverageValue */

struct bench_policy {
    struct policy_object *object;
    struct arena status_arena;
    struct policy_status status; /* as the decision before left it */
    struct history history;
    int32_t replicas;
    char *selector, *target_uid;
    struct pod_value *usage; /* of each pod, as a source has it */
    double requests;         /* the Prometheus metric */
};

struct bench_world {
    struct str_pool pool;
    struct cache *pods, *replicasets;
    struct bench_policy *policies;
    uint32_t policy_count, pods_each;
    usec_t start;
    uint64_t random;
};

/* Room for everything is taken here; pods_each > 0. */
void bench_world_init(struct bench_world *w, uint32_t policies, uint32_t pods_each);
void bench_world_done(struct bench_world *w);
/* New values of every pod and query. Most policies are near their targets; of `unrest` (0 to 1) of them the
 * load is anywhere from 0.8 to 1.2 of what is wanted. */
void bench_world_measure(struct bench_world *w, usec_t now, double unrest);
/* The argument argv[i] as a number, fallback where there is none; exits with 2 where it is not a small
 * positive one. */
uint32_t bench_argument(int argc, char **argv, int i, uint32_t fallback);

#endif
