/* A small world for the tests of the shell: an API server with one Deployment "web", policies and an HPA,
 * informers that show what it holds, and a metric whose value the test sets. Each request can be answered
 * wrongly once. The doubles stand in at link time for kube, discovery and informers, whose own tests use real
 * servers, and for the loop and the clocks: time passes as fast as there is nothing to do in it. */
#ifndef AUTOSCALER_TESTS_SHELL_WORLD_H
#define AUTOSCALER_TESTS_SHELL_WORLD_H

#include "autoscaler/autoscaler.h"
#include "net/tests/fake_loop.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum fault {
    FAULT_NONE,
    FAULT_LOST,
    FAULT_CONFLICT,
    FAULT_GONE,
    FAULT_TOO_MANY,
    FAULT_SERVER,
    FAULT_GARBAGE,
    FAULT_LOST_AFTER,
    FAULTS
};

enum { WORLD_POLICIES = 2 };

struct informer {
    enum object_type type;
    informer_fn *fn;
    void *arg;
    bool synced;
    struct err err;
};

struct world_subscriber {
    metric_changed_fn *changed; /* NULL: free */
    void *arg;
};

struct world {
    struct loop *loop; /* NULL while the operator is down */
    usec_t past;       /* wall time that went by in the loops before */
    struct str_pool pool;
    struct informer policies, workloads, pods, hpas;
    const struct workload *workload, *seen; /* on the server, in the cache */
    bool mute, hpa_mute;                    /* the watch tells nothing */
    json_t *document, *second; /* the policy "web" as the server has it, and another; NULL: none */
    struct policy_object *policy[WORLD_POLICIES]; /* in the cache */
    bool hpa_lingers;                             /* it has a finalizer: deleting only marks it */
    json_t *hpa;                                  /* as the server has it; NULL: none */
    const struct object *hpa_seen;                /* in the cache */
    json_t *events_held;                          /* by the server */
    int version;
    struct kube_call *calls;
    struct loop_timer *timer;
    int requests, fault_at;
    enum fault fault;
    const char *forbidden; /* in a path: such requests get a 403; NULL: none */
    int scale_patches, status_patches, events, hpa_deletes;
    int patches_beside_hpa;       /* of the scale, while there was an HPA */
    bool kind_known, custom_kind; /* custom: one whose scale is in no field that the cache keeps */
    struct world_subscriber subscribers[WORLD_POLICIES * 2]; /* an edited policy has both for a moment */
    struct sample sample;
    struct autoscaler *autoscaler;
};
extern struct world w;

/* A new world: nothing is synced, there is no Deployment, w.document is made and not yet shown. The
 * fault_at-th request meets the fault (0: none does). */
void world_begin(int fault_at, enum fault fault);
void world_end(void);
/* Another autoscaler in the same world, with another memory: the operator has been restarted. */
void world_restart(void);
void world_sync_all(void);

/* The Deployment changes; while the watch is mute nobody is told. */
void world_set_workload(int replicas);
/* w.document or w.second, or what has been changed in them, is shown. */
void world_set_policy(json_t *document);
void world_delete_policy(json_t *document);
/* An HPA "web" of this uid on a Deployment; replaces the one before. */
void world_set_hpa(const char *uid, const char *target);
/* It goes; while its watch is mute nobody is told. */
void world_delete_hpa(void);
/* The watch tells what the server holds. */
void world_show_hpa(void);
void world_set_value(double value);

/* Fields of the status of w.document: decision.FIELD, FIELD, and the message of a condition that is True
 * ("" where it is not). */
const char *decided(const char *field);
json_int_t shown(const char *field);
const char *condition_message(const json_t *document, const char *type);

void turn_for(usec_t time);
/* Lets the loop turn until the condition holds; what does not come about within 10 s never does. */
#define TURN_UNTIL(condition)                                                                                \
    do {                                                                                                     \
        usec_t give_up_ = clock_mono() + 10 * USEC_PER_SEC;                                                  \
        while (!(condition) && clock_mono() < give_up_)                                                      \
            fake_loop_turn(w.loop, 20 * USEC_PER_MSEC);                                                      \
        if (!(condition))                                                                                    \
            fail_msg("never came about: %s (fault %d at request %d)", #condition, (int)w.fault, w.fault_at); \
    } while (0)

#endif
