/* The decision: one pure function over plain data, in the stages of the design: quality → propose (per
 * metric) → missing → combine (maximum or formula) → activation → schedule bounds → stabilize → rate limit →
 * min/max → pause → record. With no field of ours set, replicas, conditions and reasons equal HPA v2's
 * (Kubernetes 1.36) for the same inputs, but for the faults of HPA's that docs/reference/hpa-differences.md
 * lists. */
#ifndef AUTOSCALER_DECIDE_H
#define AUTOSCALER_DECIDE_H

#include "api/types/policy.h"
#include "api/types/sample.h"
#include "base/arena.h"
#include "base/tz.h"

/* A recommendation (replicas) or a scale event (change), as HPA's timestampedRecommendation /
 * timestampedScaleEvent. */
struct history_entry {
    usec_t at;
    int32_t value;
    bool outdated; /* scale events only: the slot may be reused */
};

struct history_list {
    struct history_entry *items; /* owned (malloc) */
    uint32_t count, cap;
};

/* What a policy remembers between decisions. has_recommendations: an existing empty list is not the same as
 * none. */
struct history {
    bool has_recommendations;
    struct history_list recommendations, up_events, down_events;
};
void history_done(struct history *history);
/* Drops recommendations that can no longer count in any window, so that deciding every second for an hour
 * does not keep an entry for each. Never changes a decision; for whoever keeps a history for long. */
void history_compact(struct history *history);
/* Records a successful rescale (behavior only), reusing outdated slots as HPA's storeScaleEvent does. */
void history_store_scale(struct history *history, const struct policy_spec *spec, int32_t from, int32_t to,
                         usec_t now);

/* Whether HPA's rules of HPAScaleToZero apply: by itself where the policy may go to 0 or has gone there. */
enum scale_to_zero { ZERO_AUTO, ZERO_ON, ZERO_OFF };

struct decide_flags {
    double tolerance;                 /* 0.1 */
    usec_t downscale_stabilization;   /* 5 min */
    usec_t cpu_initialization_period; /* 5 min */
    usec_t initial_readiness_delay;   /* 30 s */
    enum scale_to_zero scale_to_zero;
    bool hpa; /* HPA's answer to the letter, its faults included: for HorizontalPodAutoscaler objects */
    /* HPA's feature gates and constants, for recorded cases; zero is how a cluster has them. */
    bool no_tolerance_fields, no_pod_level_resources;
    int32_t scale_up_factor; /* of the limit without behavior; 0: 2 */
};

/* The scale subresource as last seen. */
struct scale_view {
    bool known; /* false: error says why it cannot be had */
    int32_t spec_replicas, status_replicas;
    const char *selector; /* text form */
    const char *error;    /* message of FailedGetScale */
};

struct decide_input {
    usec_t now; /* wall */
    const struct policy_spec *spec;
    const struct policy_status *status; /* before */
    struct scale_view scale;
    const char *selector_error; /* the selector does not parse: InvalidSelector; NULL: fine */
    const char *ambiguous;      /* HPA's AmbiguousSelector: what else selects these pods; NULL: nothing */
    const char *conflict;       /* who else scales the target: "HorizontalPodAutoscaler web"; NULL: nobody */
    const char *conflict_text;  /* what to say of it in place of the usual sentence; NULL: that */
    uint32_t pods,
        ready_pods; /* of the selector and (policies) the target's own: all, and Running and Ready */
    const struct pod *const *pod_list; /* pods of them; NULL where no metric looks at pods */
    const struct sample *samples;      /* one for each metric of spec */
    const struct tz *const *zones;     /* one for each schedule of spec */
    const struct decide_flags *flags;
};

enum decision_reason {
    REASON_NONE,
    REASON_ABOVE_TARGET,
    REASON_BELOW_TARGET,
    REASON_WITHIN_TOLERANCE,
    REASON_STABILIZED,
    REASON_RATE_LIMITED,
    REASON_AT_MAXIMUM,
    REASON_AT_MINIMUM,
    REASON_PAUSED,
    REASON_METRIC_ABSENT,
    REASON_METRIC_STALE,
    REASON_METRIC_FAILED,
    REASON_TARGET_MISSING,
    REASON_INVALID_SELECTOR,
    REASON_DISABLED,
    REASON_ASLEEP, /* at 0, where this policy put it */
    REASON_WAKING, /* from there to more */
    REASON_SCHEDULED,
    REASON_FALLBACK,
    REASON_CONFLICT,
    REASON_COUNT,
};
/* "AboveTarget", … */
const char *decision_reason_name(enum decision_reason reason);

struct proposal {
    bool valid;
    bool ignored;     /* not valid, and by whenMissing none that counts */
    bool substituted; /* valid by whenMissing alone: Zero, or Fallback's number */
    bool valueless;   /* by Fallback's number: replicas count, and a value there is not */
    int32_t replicas;
    double ratio;           /* value to target */
    bool within;            /* the ratio is within tolerance */
    const char *label;      /* short, for people: the name given, or the query cut short */
    const char *name;       /* as in HPA's messages: "external metric …", "prometheus metric …" */
    const char *arithmetic; /* "ceil(1000 / 100) = 10" */
    const char *failure_reason, *failure; /* HPA's reason and the message where not valid */
    const char *note; /* what a person should know though it is valid: "pod web-3 left out: …"; "" */
    const char *current_text; /* for status.targets: "94/100" */
    enum quality quality;     /* of the sample, or of what came of it */
    usec_t at;                /* wall time of the sample; of pods the oldest that counted; 0: none */
    int64_t current_milli;    /* for currentMetrics: total (Value) or per replica or pod (AverageValue) */
    bool has_current;
    int32_t utilization;         /* percent, of TARGET_UTILIZATION; -1: none */
    double value;                /* in units, for activation and formula: the total; of pods the average */
    uint32_t counted_pods, pods; /* of a metric of pods: measured and ready, and looked at */
};

/* ---- what the stages gave; the record keeps it ---- */

/* How the decision came about. */
enum decide_path {
    PATH_NO_SCALE,
    PATH_CONFLICT,
    PATH_DISABLED,
    PATH_ABOVE_MAX,
    PATH_BELOW_MIN,
    PATH_SELECTOR,
    PATH_PENDING,
    PATH_FAILED,
    PATH_FALLBACK,
    PATH_COMPUTED,
};

struct combined {
    bool failed; /* all failed, or some and the rest would scale down, or the formula could not be computed */
    int32_t replicas;
    uint32_t best; /* index of the metric that decides */
    uint32_t invalid;
    uint32_t first_invalid; /* index, where invalid > 0 */
    bool by_formula;
    double result;       /* the formula's, before it is rounded up */
    const char *failure; /* of the formula; NULL: none */
};

struct activated {
    bool used;         /* the policy sleeps and wakes by activation */
    bool active;       /* a metric is above its activation */
    bool unknown;      /* none is, and one that could be has no value: no falling asleep */
    bool asleep;       /* none was for activation.after: 0 */
    uint32_t metric;   /* the one above, where active */
    usec_t idle_since; /* wall time since when none is; 0 while active */
};

struct scheduled {
    uint32_t active;                    /* windows open now */
    const char *names;                  /* theirs, joined by ", "; "" */
    int32_t min_replicas, max_replicas; /* the bounds in force */
    usec_t changes_at;                  /* wall time at which a window opens or closes next; 0: none */
};

struct fell_back {
    usec_t since;     /* wall time since when no usable metric; 0: all is well */
    bool in_force;    /* for longer than fallback.after */
    bool whole;       /* not one metric has a value: it may stand for the whole decision */
    int32_t replicas; /* what fallback asks for */
};

struct stabilized {
    int32_t replicas;
    const char *reason, *message; /* of AbleToScale */
    usec_t window;                /* the one that counted, where the number was changed */
    usec_t changes_at;            /* wall time at which the recommendation that counted leaves it; 0: none */
};

struct limited {
    int32_t replicas;
    bool limited;
    const char *reason, *message; /* of ScalingLimited */
    const char *by;               /* "maxReplicas", "scaleUp policy", …; "" */
    int32_t allowed;              /* how far the rate limit lets it go in its direction; -1: none applies */
    int32_t used;      /* of the policies of that direction: replicas that past changes have taken already */
    usec_t changes_at; /* wall time at which a past change leaves its period; 0: none */
};

struct decision_steps {
    enum decide_path path;
    struct combined combined;
    struct activated activated;
    struct scheduled scheduled;
    struct fell_back fallback;
    struct stabilized stabilized;
    struct limited limited;
    bool paused;          /* a pause is in force */
    int32_t before_pause; /* what would have been decided without it */
};

/* An event to be sent. */
struct decision_event {
    bool warning;
    const char *reason, *message;
};

struct decision {
    int32_t current, desired; /* desired == current: nothing to write */
    bool rescale;             /* the scale is to be patched to desired (never in Preview) */
    int32_t preview;          /* what Active would have written; -1 in Active */
    bool keep_desired_status; /* status.desiredReplicas keeps its old value (HPA: metrics failed) */
    enum decision_reason reason;
    const char *limited_by;     /* "maxReplicas", "scaleUp policy", "stabilization", … or "" */
    const char *metric;         /* the one that decided, or "" */
    const char *message;        /* one sentence */
    const char *rescale_reason; /* HPA's reason text in the SuccessfulRescale event */
    struct decision_steps steps;
    uint32_t proposal_count;
    struct proposal *proposals;
    uint32_t condition_count;
    struct condition *conditions; /* in order, transitions kept from status */
    uint32_t event_count;
    struct decision_event *events;
    bool metrics_read;   /* the proposals count: no short cut was taken (status.currentMetrics) */
    bool failed;         /* metrics could not be computed, or no scale: no write of scale */
    bool ready;          /* of the Ready condition */
    const char *targets; /* what kubectl get shows as TARGETS */
    usec_t
        look_again; /* wall time at which time alone may change the answer (window or pause ends); 0: never */
};

/* Decides. history is read and the recommendation recorded in it (scale events are recorded after the write,
 * by history_store_scale). Everything in ret_decision lives in arena. Cannot fail: what is wrong is in the
 * decision. Same input, same output. */
void decide(const struct decide_input *input, struct history *history, struct arena *arena,
            struct decision *ret_decision);
/* After the write: sets AbleToScale True SucceededRescale / False FailedUpdateScale with the message, and the
 * event. */
void decision_written(struct decision *decision, const struct decide_input *input, bool succeeded,
                      const char *error, struct arena *arena);

#endif
