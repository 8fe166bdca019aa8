/* What the autoscaler's files share: the state of a policy (entry), of a scale target, and of a followed
 * kind.
 *
 *   policy event, sample, target event, timer ─> entry_queue ─> end of turn: entry_reconcile
 *   entry_reconcile: bind (targets.c) -> gather, decide (reconcile.c) -> scale, events, status (writes.c) */
#ifndef AUTOSCALER_ENTRY_H
#define AUTOSCALER_ENTRY_H

#include "autoscaler/autoscaler.h"
#include "autoscaler/eventlog.h"
#include "autoscaler/past.h"
#include "autoscaler/recordlog.h"
#include "autoscaler/rivals.h"
#include "informers/workqueue.h"

/* A kind that some policy scales, and its informer. */
struct target_kind {
    struct autoscaler *autoscaler;
    const struct resource *resource;
    enum object_type type;
    struct informer *informer;
    unsigned users; /* targets */
    struct target_kind *next;
};

/* A scale as a request answered it; newer than the cache while the cached object's version is lower. */
struct scale_reading {
    bool known;
    struct err err; /* why it could not be read (code 0: it could) */
    char *resource_version;
    int32_t spec_replicas, status_replicas;
    char *selector;
};

/* A workload that one or more policies name. */
struct target {
    char *key; /* "deployments.apps/namespace/name" */
    char *ns, *name;
    struct target_kind *kind;
    struct entry *entries;
    struct scale_reading reading;
    char *reading_of; /* resourceVersion of the object that a kind without known fields was last read for */
    struct kube_call *get; /* GET …/scale under way */
    bool get_again;
    usec_t asked; /* monotonic: when the last one began */
};

/* A policy. */
struct entry {
    struct autoscaler *autoscaler;
    char *key;                          /* "namespace/name" */
    const struct policy_object *policy; /* as cached; a reference */
    const struct policy_object *bound; /* the one that target and subscriptions were made from; a reference */
    bool deleted;

    struct claim claim;        /* that it scales its target */
    struct takeover *takeover; /* from an HPA, under way; NULL: none */

    struct target *target; /* NULL while the kind cannot be resolved; then bind_err tells why */
    struct err bind_err;
    struct entry *next_of_target;
    bool uses_pods;
    struct metric_subscription **subscriptions; /* one for each metric; NULL where no source has it */
    const struct tz **zones;                    /* one for each schedule; borrowed from the autoscaler */
    struct err zone_err;                        /* a zone that is not known; code 0: all are */

    struct history history;
    struct json_t *stored;   /* status as last written or seen */
    uint64_t stored_version; /* resourceVersion it is of */
    uint64_t digest;         /* status_digest of what is stored; 0: not known */
    int64_t *shown;          /* the metrics' values as last written, in milli-units; NULL: none */
    struct arena status_arena;
    struct policy_status status; /* stored, read */
    usec_t last_scale_time;      /* wall */

    struct arena arena; /* of the decision under way: the autoscaler's spare one, or empty */
    struct decide_input input;
    struct decision decision;
    const struct policy_object *deciding; /* the policy input points into; a reference */
    struct kube_call *scale_call, *status_call;
    json_t *status_sent;
    int64_t status_sent_generation;
    unsigned conflicts, failures;
    usec_t not_before; /* monotonic: a failed write is not followed by another decision before this */

    struct eventlog events;
    struct recordlog *log;                        /* the last decisions */
    usec_t born, last_decided, last_status_write; /* monotonic; 0: never */
    bool sampled;                                 /* a sample has come since the last decision */
    usec_t last_sampled; /* monotonic time of the last decision that a sample asked for; 0: never */
};

struct pod_list {
    const struct pod **pods; /* owned; the pods are borrowed from the cache for the turn */
    uint32_t count, cap;
};

struct autoscaler {
    struct autoscaler_world world;
    struct autoscaler_options options;
    struct autoscaler_stats stats;
    struct informer *policies;
    struct rivals rivals;
    struct past past;
    struct informer *pods, *replicasets; /* open while a policy needs pods */
    unsigned pod_users;
    struct pod_list pod_list;
    struct map zones;   /* name -> struct tz, read once */
    struct map entries; /* key -> struct entry */
    struct map targets; /* key -> struct target */
    struct target_kind *kinds;
    struct workqueue *queue;
    struct loop_timer *timer;
    uint64_t event_serial;
    struct arena
        spare; /* lent to one decision after the other, so that none has to start with an empty one */
    unsigned statuses_under_way;
    struct workqueue *waiting; /* keys of entries whose status waits for another's write to end */
    unsigned seed;             /* of jitter */
};

/* autoscaler.c */
/* Asks for a decision at the given monotonic time (0: this turn). */
void entry_queue(struct entry *entry, usec_t when);
/* Asks for one as soon as the policy's interval allows. */
void entry_queue_paced(struct entry *entry);
/* The same because of a new sample. */
void entry_queue_sampled(struct entry *entry);
/* base, doubled for each failure up to max, and ± 20 %. */
usec_t entry_backoff(struct entry *entry, usec_t base, usec_t max);

/* targets.c */
/* Makes target and subscriptions fit entry->policy. -EAGAIN: not known yet, something will queue the entry
 * again; other codes: in entry->bind_err. */
int entry_bind(struct entry *entry);
void entry_unbind(struct entry *entry);
/* What is known of the entry's scale; strings are put into arena. -EAGAIN: not known yet. */
int entry_scale(struct entry *entry, struct arena *arena, struct scale_view *ret_scale);
/* Reads the scale again by a GET; queues the target's entries when it is in. */
void target_read_scale(struct target *target);
/* Takes over a Scale document that a request answered. */
void target_take_scale(struct target *target, const json_t *scale);
/* The target object's uid, where it is in memory; borrowed, NULL: not known. target may be NULL. */
const char *target_uid(const struct target *target);
/* The resourceVersion a scale write must be based on; borrowed. */
const char *target_version(const struct target *target);

/* reconcile.c */
void entry_reconcile(struct entry *entry);
/* The end of a decision, after its scale write if there was one: events, status, next look. */
void entry_finish(struct entry *entry);
/* Sets what is stored as status (a new reference is taken) and its version. */
void entry_set_stored(struct entry *entry, json_t *status, uint64_t version);

/* writes.c: the only file that writes to the cluster */
void write_scale(struct entry *entry);
void write_status(struct entry *entry, json_t *wanted);
void write_event(struct entry *entry, const struct decision_event *event);
/* Puts an HPA's manifest and uid into the policy's annotations. The call is the caller's to cancel. */
struct kube_call *write_taken_over(struct entry *entry, const char *manifest, const char *uid,
                                   kube_done_fn *done);
/* Deletes an HPA if it is still of this uid and resourceVersion (else 409). */
struct kube_call *write_hpa_delete(struct entry *entry, const struct object_names *hpa, kube_done_fn *done);
void writes_cancel(struct entry *entry);

#endif
