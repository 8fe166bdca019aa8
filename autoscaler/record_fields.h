/* What a record holds, for the files record_*.c alone: plain numbers and the few texts that cannot be made of
 * them again. Everything that a person reads is rendered from this when it is asked for, so that a kept
 * record stays small and prints the same as a fresh one. */
#ifndef AUTOSCALER_RECORD_FIELDS_H
#define AUTOSCALER_RECORD_FIELDS_H

#include "autoscaler/record.h"

/* One metric's proposal. Texts are "" where there is none. */
struct record_metric {
    const char *label, *origin, *arithmetic, *failure, *note;
    const char *target_text; /* as written in the policy: "512Mi" */
    enum metric_type type;
    enum quality quality;
    enum target_type target_type;
    bool valid, ignored, substituted, within, has_current;
    int64_t target_milli, current_milli;
    int32_t target_utilization, utilization; /* percent; utilization -1: none */
    int32_t replicas;
    double value, ratio;
    usec_t at;
    uint32_t counted_pods, pods;
    int64_t activation_milli;
};

struct record_activation {
    bool used, active, unknown, asleep;
    uint32_t metric;
    usec_t idle_since, after;
};

struct record_fallback {
    usec_t since, after;
    bool in_force;
    int32_t replicas; /* what the stage asks for */
    enum fallback_behavior behavior;
};

struct record_schedule {
    uint32_t count, active; /* windows of the policy, and those that are open */
    const char *names;
    int32_t min_replicas, max_replicas; /* the bounds in force */
    usec_t changes_at;
};

struct record_stabilize {
    int32_t replicas;
    bool up_known; /* with behavior there is a window for scaling up too */
    usec_t up, down;
    usec_t window, changes_at; /* where the number was changed */
};

/* A scaling policy of the direction that the decision went to. */
struct record_rule {
    bool percent;
    int32_t value, period_seconds;
};

struct record_limit {
    int32_t replicas; /* after rate and bounds */
    const char *by;
    int32_t allowed, used;
    bool behavior;
    enum select_policy select;
    uint32_t rule_count;
    struct record_rule *rules;
    usec_t changes_at;
};

struct record_pause {
    bool in_force;
    enum pause_direction direction;
    usec_t until;
    int32_t replicas, before;
};

struct record {
    usec_t at;
    const char *kind, *name; /* of the scale target */
    enum decide_path path;
    enum decision_reason reason;
    const char *limited_by, *metric, *message;
    const char *trouble; /* why there is no scale, or who else scales the target; "" */
    int32_t current, desired, preview;
    bool rescale, failed, write_failed, metrics_read;
    double tolerance_up, tolerance_down;
    uint32_t metric_total, metric_count; /* of the policy, and those kept here */
    struct record_metric *metrics;
    struct combined combined;
    const char *formula; /* its text; "" */
    struct record_activation activation;
    struct record_fallback fallback;
    struct record_schedule schedule;
    struct record_stabilize stabilize;
    struct record_limit limit;
    struct record_pause pause;
};

/* The stages behind the proposals, in their order. */
enum record_stage_kind {
    STAGE_TARGET,
    STAGE_COMBINE,
    STAGE_FALLBACK,
    STAGE_ACTIVATION,
    STAGE_SCHEDULE,
    STAGE_STABILIZE,
    STAGE_RATE,
    STAGE_BOUNDS,
    STAGE_PAUSE,
    STAGE_COUNT,
};

/* What a stage made of a number. */
struct record_stage {
    const char *name; /* "rate limit"; NULL: the decision did not come to this stage, or has no use for it */
    const char *text; /* in words */
    bool numbered;    /* out counts */
    bool given;       /* in counts: the stage was handed a number, which it changed or not */
    int32_t in, out;
};
static inline bool record_stage_changed(const struct record_stage *stage) {
    return stage->given && stage->in != stage->out;
}

/* Renders all STAGE_COUNT stages; texts live in arena. */
void record_stages(const struct record *record, struct arena *arena, struct record_stage *ret_stages);

/* Words that the renderings share; texts live in arena. */
/* "40 s", "5 min", "2m30s". */
const char *record_duration(usec_t duration, struct arena *arena);
/* "03:12:07Z" on the day of `day`, else with its date; day 0: with its date. */
const char *record_time(usec_t at, usec_t day, struct arena *arena);
const char *decide_path_name(enum decide_path path);

#endif
