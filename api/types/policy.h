/* AutoscalingPolicy (autoscaling.trimtab.dev/v1): its spec as the decision reads it. An HPA v2 spec is a
 * valid one. Reading applies the API's defaults and checks again what the CRD's schema promises: a policy
 * that got past an older schema must not crash or mislead. Everything is immutable and lives in the policy's
 * own arena. Pure. */
#ifndef API_TYPES_POLICY_H
#define API_TYPES_POLICY_H

#include "api/types/cron.h"
#include "api/types/formula.h"
#include "api/types/object.h"
#include "base/arena.h"
#include "base/err.h"
#include <jansson.h>

enum metric_type {
    METRIC_RESOURCE,
    METRIC_CONTAINER_RESOURCE,
    METRIC_PODS,
    METRIC_OBJECT,
    METRIC_EXTERNAL,
    METRIC_PROMETHEUS,
    METRIC_WORKLOAD,
    METRIC_UNKNOWN, /* of a type that HPA has not either: fails alone, as InvalidMetricSourceType */
};
enum { METRIC_TYPES = METRIC_UNKNOWN + 1 };
/* "Resource", "ContainerResource", …; "" for METRIC_UNKNOWN. */
const char *metric_type_name(enum metric_type type);
/* Resource, ContainerResource and Pods: measured of each pod of the target; the others are one number. */
static inline bool metric_of_pods(enum metric_type type) {
    return type <= METRIC_PODS;
}
/* Has a value while the workload has no pod. */
static inline bool metric_at_zero(enum metric_type type) {
    return type > METRIC_PODS && type != METRIC_UNKNOWN;
}

enum target_type { TARGET_UTILIZATION, TARGET_VALUE, TARGET_AVERAGE_VALUE };
const char *target_type_name(enum target_type type);

struct metric_target {
    enum target_type type;
    int64_t milli;       /* value or averageValue in milli-units */
    int32_t utilization; /* percent, of TARGET_UTILIZATION */
    const char *text;    /* as written: "50", "80%" */
};

struct object_reference {
    const char *api_version, *kind, *name;
};

enum combine { COMBINE_NONE, COMBINE_SUM, COMBINE_MAX, COMBINE_MIN, COMBINE_AVG };

/* What becomes of the decision while this metric has no usable value. */
enum when_missing {
    MISSING_HOLD,     /* as HPA: others may scale up, nothing scales down */
    MISSING_IGNORE,   /* as if the metric were not in the list */
    MISSING_FALLBACK, /* after fallback.after it asks for what fallback says */
    MISSING_ZERO,     /* an absent one (the source answered: there is none) counts as 0; else as Hold */
};

enum workload_kind { WORKLOAD_PODS, WORKLOAD_NODES };

struct metric_spec {
    enum metric_type type;
    const char *type_text; /* as written */
    const char *invalid;   /* not NULL: why this metric alone can never be computed (target.type and its
                              field do not fit, unknown type), with the field's path */
    const char *name;      /* given, or NULL */
    const char
        *metric; /* resource name (Resource, ContainerResource) or metric name (Pods, Object, External) */
    const char *container;             /* ContainerResource */
    const char *selector;              /* text form of metric.selector, or NULL */
    const char *selector_json;         /* the same as it was written, for status.currentMetrics */
    struct object_reference described; /* Object */
    const char *query;                 /* Prometheus */
    const char *source;                /* Prometheus: a MetricSource's name; NULL: the default server */
    enum combine combine;              /* Prometheus: more than one element is an error with COMBINE_NONE */
    enum workload_kind workload;       /* Workload: what is counted; selector tells which, NULL: all */
    usec_t max_age;                    /* a sample older is stale; 0: not given */
    bool has_activation;
    int64_t activation_milli; /* above this the metric wakes the workload; 0 where not given */
    enum when_missing when_missing;
    struct metric_target target;
};

enum scaling_policy_type { SCALING_PODS, SCALING_PERCENT };
enum select_policy { SELECT_MAX, SELECT_MIN, SELECT_DISABLED };

struct scaling_policy {
    enum scaling_policy_type type;
    int32_t value;
    int32_t period_seconds;
};

struct scaling_rules {
    int32_t window_seconds; /* stabilizationWindowSeconds; -1: not given (scaleDown: the flag's value) */
    enum select_policy select;
    uint32_t policy_count;
    const struct scaling_policy *policies;
    bool has_tolerance;
    double tolerance;
};

enum policy_mode { MODE_ACTIVE, MODE_PREVIEW };
enum pause_direction { PAUSE_BOTH, PAUSE_UP, PAUSE_DOWN };

struct policy_pause {
    enum pause_direction direction;
    usec_t until;     /* 0: until it is removed */
    int32_t replicas; /* -1: not given */
};

struct policy_activation {
    bool given;   /* spec.activation or a metric's activation: then the workload sleeps and wakes by them */
    usec_t after; /* asleep after this long with no metric above its activation (5 min) */
};

enum fallback_behavior { FALLBACK_HOLD, FALLBACK_STATIC, FALLBACK_AT_LEAST, FALLBACK_AT_MOST };
const char *fallback_behavior_name(enum fallback_behavior behavior);

struct policy_fallback {
    usec_t after;
    int32_t replicas; /* -1: not given (Hold) */
    enum fallback_behavior behavior;
};

/* A window that opens by one cron line and closes by another, or after a time. */
struct policy_schedule {
    const char *name, *time_zone; /* "UTC" where not given */
    struct cron start, end;
    usec_t duration;                    /* 0: end is given */
    int32_t min_replicas, max_replicas; /* -1: not moved */
    uint32_t except_count;
    const struct civil_date *except; /* a window that starts on such a day, there, does not open */
};

struct policy_spec {
    struct object_reference target; /* scaleTargetRef */
    int32_t min_replicas, max_replicas;
    uint32_t metric_count;
    struct metric_spec *metrics;
    bool has_behavior;
    struct scaling_rules up, down; /* defaulted where has_behavior */
    enum policy_mode mode;
    bool has_pause;
    struct policy_pause pause;
    usec_t interval; /* 0: not given */
    struct policy_activation activation;
    bool has_fallback;
    struct policy_fallback fallback;
    uint32_t schedule_count;
    const struct policy_schedule *schedules;
    const char *formula_text;      /* NULL: the largest proposal */
    const struct formula *formula; /* parsed, in the policy's arena; its names are indexes of metrics */
};

/* One entry of status.conditions. */
struct condition {
    const char *type, *status, *reason, *message;
    usec_t last_transition; /* 0: absent */
};

/* The parts of status that a decision starts from. */
struct policy_status {
    int64_t observed_generation;
    int32_t current_replicas, desired_replicas;
    usec_t last_scale_time; /* 0: never */
    usec_t decided_at;      /* decision.time; 0: none */
    usec_t held_until;      /* decision.heldUntil: stabilization holds the number back so long; 0: not */
    int32_t proposed;       /* the largest of metrics[].proposal; -1: none */
    uint32_t condition_count;
    struct condition *conditions;
};

/* The cached object. */
struct policy_object {
    struct object meta;
    struct arena arena;
    usec_t created;             /* metadata.creationTimestamp; 0: absent */
    const char *take_over_from; /* the annotation autoscaling.trimtab.dev/take-over-from; NULL: none */
    const char *taken_over_uid; /* the annotation autoscaling.trimtab.dev/taken-over-uid; NULL: none */
    struct policy_spec spec;
    struct policy_status status;
    struct err invalid;  /* code != 0: the spec cannot be used, and why (field path and what to change) */
    json_t *status_json; /* status as stored, for the difference; owned; NULL where absent */
};

/* Reads spec: -EINVAL with the field's path ("spec.metrics[1].prometheus.query: …"). Strings live in arena.
 */
int policy_read_spec(const json_t *spec, struct arena *arena, struct policy_spec *ret_spec, struct err *err);
/* Reads the spec of a HorizontalPodAutoscaler (autoscaling/v2) as the API has it, defaults applied: our own
 * fields are not looked at, and what only our schema refuses (a floor of 0 without a metric that exists at 0,
 * a type unknown) is left to the decision, as HPA does. */
int hpa_read_spec(const json_t *spec, struct arena *arena, struct policy_spec *ret_spec, struct err *err);
/* Whether a document, an AutoscalingPolicy or (hpa) a HorizontalPodAutoscaler of autoscaling/v2, has only
 * fields that its API knows, metadata and status not looked into: else -EINVAL with the first that it does
 * not, and what was likely meant ("spec.metrics[0].whenMising: unknown field: did you mean whenMissing?").
 * For files: readers of an API server's objects ignore what they do not know, because a newer definition may
 * have more. */
int policy_check_fields(const json_t *document, bool hpa, struct err *err);
/* Reads status, leniently: what is missing or malformed is left at zero. */
void policy_read_status(const json_t *status, struct arena *arena, struct policy_status *ret_status);
/* Makes a cached policy (one reference) from the whole document; never fails but for a document without a
 * name or namespace: -EINVAL. A bad spec is kept as invalid. */
int policy_from_json(const json_t *document, struct str_pool *pool, struct policy_object **ret_policy,
                     struct err *err);

#endif
