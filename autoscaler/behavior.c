/* Limit: how fast the number may change, and between which bounds (HPA's convertDesiredReplicasWithRules and
 * convertDesiredReplicasWithBehaviorRate). Percentages are computed in doubles as there: 10 % of 100 up is
 * 110.00000000000001, which is 111. */
#include "autoscaler/stages.h"
#include <math.h>

/* Of so large a number Go makes what the processor makes of it; here it is the nearest that there is. */
static int32_t clamp32(double x) {
    if (x >= (double)INT32_MAX)
        return INT32_MAX;
    return x <= (double)INT32_MIN ? INT32_MIN : (int32_t)x;
}

/* ScalingLimited's one reason for "no". */
static struct limited within_range(int32_t replicas) {
    return (struct limited){.replicas = replicas,
                            .allowed = -1,
                            .reason = "DesiredWithinRange",
                            .message = "the desired count is within the acceptable range",
                            .by = ""};
}

/* Kept at a limit: the bound itself, or the rate. */
enum limit_kind { LIMIT_MIN, LIMIT_MAX, LIMIT_UP_RATE, LIMIT_DOWN_RATE };

static struct limited limited_to(int32_t replicas, enum limit_kind kind, bool behavior) {
    static const struct limited kinds[] = {
        [LIMIT_MIN] = {.reason = "TooFewReplicas",
                       .message = "the desired replica count is less than the minimum replica count",
                       .by = "minReplicas"},
        [LIMIT_MAX] = {.reason = "TooManyReplicas",
                       .message = "the desired replica count is more than the maximum replica count",
                       .by = "maxReplicas"},
        [LIMIT_UP_RATE] = {.reason = "ScaleUpLimit",
                           .message =
                               "the desired replica count is increasing faster than the maximum scale rate",
                           .by = "scaleUp policy"},
        [LIMIT_DOWN_RATE] = {.reason = "ScaleDownLimit",
                             .message =
                                 "the desired replica count is decreasing faster than the maximum scale rate",
                             .by = "scaleDown policy"},
    };
    struct limited l = kinds[kind];

    l.replicas = replicas;
    l.limited = true;
    l.allowed = -1;
    if (kind == LIMIT_UP_RATE && !behavior)
        l.by = "scale-up rate";
    return l;
}

/* HPA's scaleUpLimit: 2 and 4 are its scaleUpLimitFactor and scaleUpLimitMinimum. Down there is no rate, only
 * the floor. */
void limit_plain(const struct limit_input *in, struct limited *ret_limited) {
    const struct policy_spec *spec = in->spec;
    int32_t factor = in->flags->scale_up_factor ? in->flags->scale_up_factor : 2;
    int32_t rate = clamp32(fmax(factor * (double)in->current, 4));
    int32_t most = spec->max_replicas > rate ? rate : spec->max_replicas;

    if (in->desired < spec->min_replicas)
        *ret_limited = limited_to(spec->min_replicas, LIMIT_MIN, false);
    else if (in->desired > most) /* at the same height the ceiling is to blame, not the rate */
        *ret_limited =
            limited_to(most, most == rate && spec->max_replicas > rate ? LIMIT_UP_RATE : LIMIT_MAX, false);
    else
        *ret_limited = within_range(in->desired);
    if (in->desired > in->current)
        ret_limited->allowed = rate;
}

/* Replicas by all changes after cutoff; one exactly at it is out, as in HPA's getReplicasChangePerPeriod. */
static int64_t changed_within(const struct history_list *events, usec_t cutoff) {
    int64_t sum = 0;

    for (uint32_t i = 0; i < events->count; i++)
        if (events->items[i].at > cutoff)
            sum += events->items[i].value;
    return sum;
}

/* The number of replicas at the beginning of a policy's period. */
static int32_t period_start(const struct scaling_policy *policy, const struct history *history,
                            int32_t current, usec_t now) {
    usec_t cutoff = now - (usec_t)policy->period_seconds * USEC_PER_SEC;

    return clamp32((double)(current - changed_within(&history->up_events, cutoff) +
                            changed_within(&history->down_events, cutoff)));
}

/* A percentage rounds up, so that 10 % of 1 lets one more in. Doubles, in HPA's order. */
static int32_t allowed_up(const struct scaling_policy *policy, int32_t start) {
    if (policy->type == SCALING_PODS)
        return clamp32((double)start + (double)policy->value);
    return clamp32(ceil((double)start * (1 + (double)policy->value / 100)));
}

/* A percentage is cut, so that 10 % of 1 takes that one away. */
static int32_t allowed_down(const struct scaling_policy *policy, int32_t start) {
    if (policy->type == SCALING_PODS)
        return clamp32((double)start - (double)policy->value);
    return clamp32((double)start * (1 - (double)policy->value / 100));
}

/* HPA's calculateScaleUpLimitWithScalingRules and (below) calculateScaleDownLimitWithBehaviors: Max takes the
 * largest change that any of the policies allows, Min the smallest. */
int32_t behavior_limit_up(const struct scaling_rules *rules, const struct history *history, int32_t current,
                          usec_t now) {
    bool least = rules->select == SELECT_MIN;
    /* There is a policy: the reader refuses an empty list. So these ends never come out. */
    int32_t result = least ? INT32_MAX : INT32_MIN;

    if (rules->select == SELECT_DISABLED)
        return current;
    for (uint32_t i = 0; i < rules->policy_count; i++) {
        const struct scaling_policy *policy = &rules->policies[i];
        int32_t allowed = allowed_up(policy, period_start(policy, history, current, now));
        if (least ? allowed < result : allowed > result)
            result = allowed;
    }
    return result;
}

int32_t behavior_limit_down(const struct scaling_rules *rules, const struct history *history, int32_t current,
                            usec_t now) {
    bool least = rules->select == SELECT_MIN; /* the least change leaves the most replicas */
    int32_t result = least ? INT32_MIN : INT32_MAX;

    if (rules->select == SELECT_DISABLED)
        return current;
    for (uint32_t i = 0; i < rules->policy_count; i++) {
        const struct scaling_policy *policy = &rules->policies[i];
        int32_t allowed = allowed_down(policy, period_start(policy, history, current, now));
        if (least ? allowed > result : allowed < result)
            result = allowed;
    }
    return result;
}

/* What the longest of the policies' periods counts of the past, for people. */
static int32_t used_up(const struct scaling_rules *rules, const struct history_list *events, usec_t now) {
    int64_t most = 0;

    for (uint32_t i = 0; i < rules->policy_count; i++) {
        usec_t period = (usec_t)rules->policies[i].period_seconds * USEC_PER_SEC;
        int64_t used = changed_within(events, now - period);
        if (used > most)
            most = used;
    }
    return clamp32((double)most);
}

/* When the first past change leaves the period of a policy that counts it. */
static usec_t first_to_leave(const struct scaling_rules *rules, const struct history_list *events, usec_t now,
                             usec_t before) {
    for (uint32_t i = 0; i < rules->policy_count; i++) {
        usec_t period = (usec_t)rules->policies[i].period_seconds * USEC_PER_SEC;
        for (uint32_t j = 0; j < events->count; j++) {
            usec_t leaves = events->items[j].at + period;
            if (leaves > now && (before == 0 || leaves < before))
                before = leaves;
        }
    }
    return before;
}

/* Changes of both directions count in a period (see period_start), so that either may make room. */
static usec_t rate_changes_at(const struct limit_input *in, const struct scaling_rules *rules) {
    usec_t at;

    if (rules->select == SELECT_DISABLED)
        return 0;
    at = first_to_leave(rules, &in->history->up_events, in->now, 0);
    return first_to_leave(rules, &in->history->down_events, in->now, at);
}

/* Up: not past what scaleUp allows, nor past the ceiling; the nearer of the two names the reason. */
static struct limited limit_rise(const struct limit_input *in) {
    const struct policy_spec *spec = in->spec;
    int32_t rate = behavior_limit_up(&spec->up, in->history, in->current, in->now);
    bool by_rate;
    struct limited l;

    if (rate < in->current)
        rate = in->current; /* nothing more until past changes leave their period */
    /* A percentage of nothing is nothing: it must not keep a workload asleep. */
    if (rate == 0 && spec->up.select != SELECT_DISABLED && !in->flags->hpa)
        rate = 1;
    by_rate = spec->max_replicas > rate;
    if (in->desired <= (by_rate ? rate : spec->max_replicas))
        l = within_range(in->desired);
    else
        l = limited_to(by_rate ? rate : spec->max_replicas, by_rate ? LIMIT_UP_RATE : LIMIT_MAX, true);
    if (l.limited && by_rate)
        l.changes_at = rate_changes_at(in, &spec->up);
    l.allowed = rate;
    l.used = used_up(&spec->up, &in->history->up_events, in->now);
    return l;
}

/* Down: the mirror of limit_rise, with the floor. */
static struct limited limit_fall(const struct limit_input *in) {
    const struct policy_spec *spec = in->spec;
    int32_t rate = behavior_limit_down(&spec->down, in->history, in->current, in->now);
    bool by_rate;
    struct limited l;

    if (rate > in->current)
        rate = in->current; /* and nothing less, in the same way */
    by_rate = spec->min_replicas < rate;
    if (in->desired >= (by_rate ? rate : spec->min_replicas))
        l = within_range(in->desired);
    else
        l = limited_to(by_rate ? rate : spec->min_replicas, by_rate ? LIMIT_DOWN_RATE : LIMIT_MIN, true);
    if (l.limited && by_rate)
        l.changes_at = rate_changes_at(in, &spec->down);
    l.allowed = rate;
    l.used = used_up(&spec->down, &in->history->down_events, in->now);
    return l;
}

/* HPA checks the bound of the direction alone: a number that stays as it is was within both before. */
void limit_behavior(const struct limit_input *in, struct limited *ret_limited) {
    if (in->desired > in->current)
        *ret_limited = limit_rise(in);
    else if (in->desired < in->current)
        *ret_limited = limit_fall(in);
    else
        *ret_limited = within_range(in->desired);
    /* Waking from zero with a floor that was raised meanwhile: not below it. HPA does so behind this step,
     * and says nothing of it. */
    if (!in->flags->hpa && in->current == 0 && ret_limited->replicas < in->spec->min_replicas)
        *ret_limited = limited_to(in->spec->min_replicas, LIMIT_MIN, true);
}
