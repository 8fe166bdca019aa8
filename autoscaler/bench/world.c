/* Making the cluster of the benches.
 *
 * As a usual one is made: a hundred workloads a namespace, each a Deployment with one ReplicaSet, pods of an
 * app and a sidecar with labels that the selectors have to tell apart, a metric of the pods and one of
 * Prometheus. Objects go into the caches as the informers would put them there, texts interned in one pool,
 * and policies are read from JSON.
 *
 * The random numbers are the bench's own and begin with the same seed: two runs measure the same. */
#include "autoscaler/bench/world.h"

#include "autoscaler/stages.h"
#include "base/mem.h"
#include <stdio.h>
#include <string.h>

enum {
    POLICIES_PER_NAMESPACE = 100,
    CPU_REQUEST = 500, /* milli-cores of a pod's main container */
    CPU_TARGET = 70,   /* percent */
    REQUESTS_TARGET = 100,
    REMEMBERED = 20, /* recommendations: five minutes of one every 15 s */
    NAME_MAX_LENGTH = 80,
};

/* Names of one workload; what is made of it carries them. */
struct names {
    char ns[NAME_MAX_LENGTH], name[NAME_MAX_LENGTH], uid[NAME_MAX_LENGTH];
    char set[NAME_MAX_LENGTH], set_uid[NAME_MAX_LENGTH];
};

/* Marsaglia's xorshift with 64 bits; the upper bits are taken, which are the better ones. */
static uint32_t pick(struct bench_world *w, uint32_t n) {
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 33) % n;
}

static const char *intern(struct bench_world *w, const char *text) {
    return str_intern(&w->pool, text, strlen(text));
}

static void name_it(uint32_t i, struct names *n) {
    snprintf(n->ns, sizeof(n->ns), "team-%03u", i / POLICIES_PER_NAMESPACE);
    snprintf(n->name, sizeof(n->name), "web-%05u", i);
    snprintf(n->uid, sizeof(n->uid), "00000000-0000-4000-8000-%012u", i);
    snprintf(n->set, sizeof(n->set), "web-%05u-6d4cf56db6", i);
    snprintf(n->set_uid, sizeof(n->set_uid), "00000000-0000-4000-9000-%012u", i);
}

static void own(struct bench_world *w, struct object *o, const char *kind, const char *name,
                const char *uid) {
    o->owner_kind = intern(w, kind);
    o->owner_name = intern(w, name);
    o->owner_uid = intern(w, uid);
}

static void label(struct bench_world *w, struct object *o, const struct names *n) {
    const char *const pairs[][2] = {{"app", n->name}, {"pod-template-hash", "6d4cf56db6"}, {"team", n->ns}};

    o->labels = labels_new(sizeof(pairs) / sizeof(pairs[0]));
    for (uint32_t i = 0; i < o->labels->count; i++)
        o->labels->items[i] = (struct label){intern(w, pairs[i][0]), intern(w, pairs[i][1])};
}

/* The cache takes the reference; nobody follows changes here. */
static void keep(struct cache *cache, struct object *o) {
    const struct object *old = NULL, *new_ = NULL;

    cache_put(cache, o, 1, &old, &new_);
}

static void make_replicaset(struct bench_world *w, const struct names *n) {
    struct object *o =
        object_new(OBJECT_META, &w->pool,
                   &(struct object_names){n->ns, n->set, n->set_uid, /* resource_version= */ "1"});

    own(w, o, "Deployment", n->name, n->uid);
    keep(w->replicasets, o);
}

/* An hour old and ready ever since: HPA's rules for starting pods let it count. */
static void make_pod(struct bench_world *w, const struct names *n, uint32_t i) {
    char name[2 * NAME_MAX_LENGTH], uid[2 * NAME_MAX_LENGTH];
    snprintf(name, sizeof(name), "%s-%05u", n->set, i);
    snprintf(uid, sizeof(uid), "%.24s%012u", n->set_uid, i);
    struct object *o = object_new(OBJECT_POD, &w->pool, &(struct object_names){n->ns, name, uid, "1"});
    struct pod *pod = (struct pod *)o;

    own(w, o, "ReplicaSet", n->set, n->set_uid);
    label(w, o, n);
    pod->phase = POD_RUNNING;
    pod->ready = CONDITION_TRUE;
    pod->start_time = w->start - USEC_PER_HOUR;
    pod->ready_transition = pod->start_time + 10 * USEC_PER_SEC;
    /* No request of the pod as a whole, so that its containers are added up. */
    pod->pod_cpu_milli = pod->pod_memory_milli = -1;
    pod->container_count = 2;
    pod->containers = pod_containers_new(2);
    pod->containers[0] = (struct pod_container){intern(w, "app"), CPU_REQUEST, -1, false};
    pod->containers[1] = (struct pod_container){intern(w, "proxy"), CPU_REQUEST / 10, -1, false};
    keep(w->pods, o);
}

static json_t *metrics_json(const struct names *n) {
    cleanup_free char *query =
        xasprintf("sum(rate(http_requests_total{namespace=\"%s\",app=\"%s\"}[1m]))", n->ns, n->name);

    return json_pack("[{s:s, s:{s:s, s:{s:s, s:i}}}, {s:s, s:s, s:{s:s, s:{s:s, s:i}}}]", "type", "Resource",
                     "resource", "name", "cpu", "target", "type", "Utilization", "averageUtilization",
                     CPU_TARGET, "type", "Prometheus", "name", "requests", "prometheus", "query", query,
                     "target", "type", "AverageValue", "averageValue", REQUESTS_TARGET);
}

static struct policy_object *make_object(struct bench_world *w, const struct names *n) {
    struct policy_object *object;
    struct err err;
    json_t *document =
        json_pack("{s:{s:s, s:s, s:s, s:s, s:i}, s:{s:{s:s, s:s, s:s}, s:i, s:i, s:o}}", "metadata",
                  "namespace", n->ns, "name", n->name, "uid", n->uid, "resourceVersion", "1", "generation", 1,
                  "spec", "scaleTargetRef", "apiVersion", "apps/v1", "kind", "Deployment", "name", n->name,
                  "minReplicas", 1, "maxReplicas", 1000, "metrics", metrics_json(n));

    if (policy_from_json(document, &w->pool, &object, &err) < 0 || object->invalid.code) {
        fprintf(stderr, "bench: the policy that was made up is not valid\n");
        abort();
    }
    json_decref(document);
    return object;
}

static void make_policy(struct bench_world *w, uint32_t i) {
    struct bench_policy *p = &w->policies[i];
    struct names n;

    name_it(i, &n);
    p->object = make_object(w, &n);
    p->selector = xasprintf("app=%s", n.name);
    p->target_uid = xstrdup(n.uid);
    p->usage = xcalloc(w->pods_each, sizeof(*p->usage));
    p->replicas = (int32_t)w->pods_each;
    arena_init(&p->status_arena, 1024);
    make_replicaset(w, &n);
    for (uint32_t k = 0; k < w->pods_each; k++)
        make_pod(w, &n, k);
    /* Full from the start, as after five minutes of deciding: every decision walks the window. */
    p->history.has_recommendations = true;
    for (int k = REMEMBERED; k > 0; k--)
        history_put(&p->history.recommendations, -1,
                    (struct history_entry){.at = w->start - k * 15 * USEC_PER_SEC, .value = p->replicas});
}

void bench_world_init(struct bench_world *w, uint32_t policies, uint32_t pods_each) {
    *w = (struct bench_world){.policy_count = policies,
                              .pods_each = pods_each,
                              .start = 1767225600 * USEC_PER_SEC,
                              .random = 0x9e3779b97f4a7c15u,
                              .pods = cache_new(),
                              .replicasets = cache_new(),
                              .policies = xcalloc(policies, sizeof(struct bench_policy))};
    str_pool_init(&w->pool);
    for (uint32_t i = 0; i < policies; i++)
        make_policy(w, i);
}

void bench_world_done(struct bench_world *w) {
    for (uint32_t i = 0; i < w->policy_count; i++) {
        struct bench_policy *p = &w->policies[i];
        object_unref(&p->object->meta);
        arena_done(&p->status_arena);
        history_done(&p->history);
        free(p->selector);
        free(p->target_uid);
        free(p->usage);
    }
    free(w->policies);
    cache_free(w->pods);
    cache_free(w->replicasets);
    str_pool_done(&w->pool);
}

/* Each pod wanders around the load of its policy. */
void bench_world_measure(struct bench_world *w, usec_t now, double unrest) {
    /* Both containers' usage at which the policy has just what it wants. */
    const int64_t wanted = (CPU_REQUEST + CPU_REQUEST / 10) * CPU_TARGET / 100;

    for (uint32_t i = 0; i < w->policy_count; i++) {
        struct bench_policy *p = &w->policies[i];
        bool calm = pick(w, 1000) >= (uint32_t)(unrest * 1000);
        double load = calm ? 0.95 + pick(w, 100) / 1000.0 : 0.8 + pick(w, 400) / 1000.0;
        for (uint32_t k = 0; k < w->pods_each; k++)
            p->usage[k] = (struct pod_value){.known = true,
                                             .milli = (int64_t)((double)wanted * load) + pick(w, 40) - 20,
                                             .at = now - 5 * USEC_PER_SEC,
                                             .window = 30 * USEC_PER_SEC};
        p->requests = load * REQUESTS_TARGET * (double)p->replicas;
    }
}

uint32_t bench_argument(int argc, char **argv, int i, uint32_t fallback) {
    int64_t value = fallback;

    if (i < argc && (str_to_i64(argv[i], &value) < 0 || value < 1 || value > 1000000)) {
        fprintf(stderr, "%s: %s is not a number from 1 to 1000000\n", argv[0], argv[i]);
        exit(2);
    }
    return (uint32_t)value;
}
