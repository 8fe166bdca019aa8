/* The autoscaler: follows policies and their targets, decides when something that matters has changed, and
 * writes. */
#ifndef AUTOSCALER_AUTOSCALER_H
#define AUTOSCALER_AUTOSCALER_H

#include "api/types/metric_source.h"
#include "autoscaler/recordlog.h"
#include "informers/informers.h"

struct autoscaler;

struct autoscaler_options {
    struct decide_flags flags;
    bool dry_run;                  /* every policy as if in Preview */
    const char *const *namespaces; /* those that are followed, NULL-terminated; NULL: all. Borrowed */
    usec_t status_interval; /* least time between two status writes that only carry new values; 0: 15 s */
    usec_t retry_interval;  /* after a failed write, doubled up to 10 s; 0: 1 s */
};

struct autoscaler_stats {
    size_t policies;
    uint64_t decisions;
    uint64_t scale_writes, scale_failures, scale_conflicts, scale_reads;
    uint64_t status_writes, status_failures;
    uint64_t events, events_dropped;
    size_t record_bytes; /* of the decisions that are kept */
};

/* What the autoscaler works with; all borrowed and outliving it. */
struct autoscaler_world {
    struct loop *loop;
    struct kube *kube;
    struct discovery *discovery;
    struct informers *informers;
    struct metric_source *sources[METRIC_TYPES]; /* by metric type; NULL: there is none, such metrics fail */
};

/* Starts following the policies; owned by the caller. Nothing is written before every list that a decision
 * needs is in. */
struct autoscaler *autoscaler_new(const struct autoscaler_world *world,
                                  const struct autoscaler_options *options);
/* Cancels what is under way and frees. NULL is allowed. */
void autoscaler_free(struct autoscaler *as);
/* Whether the policies are in memory. */
bool autoscaler_ready(const struct autoscaler *as);
/* Why the policies cannot be followed at the moment (code 0: they are). Borrowed. */
const struct err *autoscaler_error(const struct autoscaler *as);
void autoscaler_stats(const struct autoscaler *as, struct autoscaler_stats *ret_stats);

/* What a reader of decisions needs to know of a policy; all borrowed, until the end of the turn. */
struct autoscaler_policy {
    const struct recordlog *log; /* NULL: nothing has been decided yet */
    const char *invalid;         /* why its spec cannot be used; NULL: it can */
};
/* False where there is no such policy in memory. */
bool autoscaler_policy(const struct autoscaler *as, const char *ns, const char *name,
                       struct autoscaler_policy *ret_policy);

#endif
