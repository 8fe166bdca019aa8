/* The stages of a decision, each a pure function from plain data to plain data; decide.c runs them in the
 * order of the design. Private to the decision. */
#ifndef AUTOSCALER_STAGES_H
#define AUTOSCALER_STAGES_H

#include "api/types/quantity.h"
#include "autoscaler/decide.h"

struct decide_run;

/* ---- propose: one metric, one number of replicas ---- */

/* How far the ratio of value to target may be off 1, downward and upward. */
struct tolerances {
    double down, up;
};
struct tolerances propose_tolerances(const struct policy_spec *spec, const struct decide_flags *flags);
/* Both ends inclusive; NaN is never within. */
bool propose_within(const struct tolerances *t, double ratio);
/* Replicas of a number that was computed: rounded up as HPA does, never below 0 (NaN is 0), and INT32_MAX
 * where it does not fit. */
int32_t propose_ceil(double x);
/* What metric i of the spec asks for. Texts live in arena. */
void propose(const struct decide_input *in, uint32_t i, struct arena *arena, struct proposal *ret_proposal);
/* Wall time at which metric i says something else without a new sample: it becomes stale, or visibly staler;
 * 0: never. */
usec_t propose_changes_at(const struct decide_input *in, uint32_t i);
/* How values of the metric are printed: memory in powers of two, all else in powers of ten, as HPA does. */
enum quantity_format metric_format(const struct metric_spec *metric);
/* The metric's name where a person reads it: its own, else its query or metric, shortened. */
const char *metric_label(const struct metric_spec *metric, struct arena *arena);

/* ---- combine: the largest proposal, or failure ---- */

void combine_max(const struct proposal *proposals, uint32_t count, int32_t current,
                 struct combined *ret_combined);
/* The policy's formula in its place. */
void combine_formula(const struct decide_input *in, const struct proposal *proposals, struct arena *arena,
                     struct combined *ret_combined);

/* ---- stabilize: recommendations of the past hold the number back ---- */

/* Without behavior: the largest recommendation of the window; records raw. */
void stabilize_plain(struct history *history, int32_t raw, usec_t now, usec_t window,
                     struct stabilized *ret_stabilized);
/* Of a policy without behavior: the window holds the number up, and never takes it above both current and raw
 * as HPA's does (kubernetes/kubernetes#98174). */
void stabilize_never_up(int32_t current, int32_t raw, struct stabilized *stabilized);
struct stabilize_windows {
    usec_t up, down;
};
struct stabilize_windows stabilize_windows(const struct policy_spec *spec, const struct decide_flags *flags);
/* With behavior: current, moved only as far as all recommendations of the windows agree; records raw. */
void stabilize_behavior(struct history *history, struct stabilize_windows windows, int32_t current,
                        int32_t raw, usec_t now, struct stabilized *ret_stabilized);

/* ---- limit: how fast, and between which bounds ---- */

struct limit_input {
    const struct policy_spec *spec; /* with the bounds in force */
    const struct decide_flags *flags;
    const struct history *history;
    usec_t now;
    int32_t current, desired;
};
/* Without behavior: at most twice as many (or 4), between the bounds. */
void limit_plain(const struct limit_input *in, struct limited *ret_limited);
/* With behavior: the policies of the direction, and the bound in that direction. */
void limit_behavior(const struct limit_input *in, struct limited *ret_limited);
/* The number that the policies allow to go to from current. */
int32_t behavior_limit_up(const struct scaling_rules *rules, const struct history *history, int32_t current,
                          usec_t now);
int32_t behavior_limit_down(const struct scaling_rules *rules, const struct history *history, int32_t current,
                            usec_t now);

/* ---- missing: what whenMissing and fallback make of metrics without a value ---- */

/* Since when nothing usable is there, and what fallback asks for; keeps the condition Fallback, whose
 * transition is the memory of it. */
void fallback_look(struct decide_run *run);
/* Applies whenMissing to the proposals. */
void missing_apply(struct decide_run *run);

/* ---- activation: 0 ↔ 1 ---- */

/* Whether a metric is above its activation, and if none is, since when; keeps the condition Active, whose
 * transition is the memory of it. Only where the floor in force is 0. */
void activation_look(struct decide_run *run);
/* Wall time at which the policy falls asleep if nothing changes; 0: none. */
usec_t activation_changes_at(const struct decide_run *run);

/* ---- schedules: windows that move the bounds ---- */

/* The bounds in force now. zones: one for each schedule. Where several windows are open the highest floor and
 * the highest ceiling count; a floor above the ceiling lifts it, a ceiling below spec's own floor lowers
 * that. */
void schedule_apply(const struct policy_spec *spec, const struct tz *const *zones, usec_t now,
                    struct arena *arena, struct scheduled *ret_scheduled);

/* ---- pause ---- */

bool pause_in_force(const struct policy_spec *spec, usec_t now);
/* What is left of desired under the pause in force. */
int32_t pause_apply(const struct policy_spec *spec, int32_t current, int32_t desired);

/* ---- history ---- */

/* Puts an entry over slot (an index), or behind the last where slot is negative. */
void history_put(struct history_list *list, int64_t slot, struct history_entry entry);
/* What is of the future, since the clock has been set back, is as of now. */
void history_not_after(struct history *history, usec_t now);
/* HPA's first step: a policy that has no recommendations begins with its present number. */
void history_begin(struct history *history, int32_t current, usec_t now);

/* ---- conditions ---- */

/* Room for the conditions of before and all that a decision can add. */
void conditions_begin(struct decision *d, const struct policy_status *status, struct arena *arena);
/* One slot a type, in order of appearance; the transition moves only with the status. */
void condition_set(struct decision *d, usec_t now, const char *type, const char *status, const char *reason,
                   const char *message);
void condition_remove(struct decision *d, const char *type);
const struct condition *condition_find(const struct condition *conditions, uint32_t count, const char *type);
bool condition_true(const struct policy_status *status, const char *type);
/* Room for max events; whoever runs the stages knows how many they can add. */
void events_begin(struct decision *d, uint32_t max, struct arena *arena);
void event_add(struct decision *d, bool warning, const char *reason, const char *message);

/* ---- record: what a person reads ---- */

/* A decision under way. */
struct decide_run {
    const struct decide_input *in;
    const struct policy_spec *spec; /* in->spec with the bounds in force */
    struct arena *arena;
    struct decision *out; /* its steps fill as the stages go */
};

/* Everything behind the proposals (one for each metric), which decide makes from the samples. */
void decide_from(const struct decide_input *input, struct proposal *proposals, struct history *history,
                 struct arena *arena, struct decision *ret_decision);

/* Fills reason, limited_by, metric, message, rescale_reason of the decision. */
void record_decision(struct decide_run *run);
/* "94/100, cpu: 41%/80% + 2 more..." */
const char *record_targets(const struct decide_input *in, const struct decision *d, struct arena *arena);
/* A number in milli-units for people: "139.2", "0.128". */
const char *record_number(int64_t milli, struct arena *arena);
/* The same of a double in units, however large. */
const char *record_double(double value, struct arena *arena);

#endif
