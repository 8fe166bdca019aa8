/* Stabilize: recommendations of the past hold the number back (HPA's stabilizeRecommendation and
 * stabilizeRecommendationWithBehaviors). Whether an entry exactly at the edge of the window counts differs
 * between the two, as it does there. */
#include "autoscaler/stages.h"

/* HPA's words; "matches current size" is also said where the number was not held back and does change. */
static const char ready_reason[] = "ReadyForNewScale";
static const char ready_message[] = "recommended size matches current size";
static const char down_message[] =
    "recent recommendations were higher than current one, applying the highest recent recommendation";
static const char up_message[] =
    "recent recommendations were lower than current one, applying the lowest recent recommendation";

/* Several entries may hold the same number: it is let go when the last of them leaves. */
static void later(usec_t *at, usec_t candidate) {
    if (candidate > *at)
        *at = candidate;
}

/* What was asked for, before any window or limit: the next decisions are held by what the load wanted. */
static void record(struct history *history, int64_t slot, int32_t raw, usec_t now) {
    history->has_recommendations = true;
    history_put(&history->recommendations, slot, (struct history_entry){.at = now, .value = raw});
}

/* The window is inclusive: an entry exactly at its edge still counts, so that it leaves one microsecond later
 * (hence the + 1). The slot used again is the last one outside, however many there are. */
void stabilize_plain(struct history *history, int32_t raw, usec_t now, usec_t window,
                     struct stabilized *ret_stabilized) {
    const struct history_list *list = &history->recommendations;
    struct stabilized s = {.replicas = raw, .reason = ready_reason, .message = ready_message};
    usec_t cutoff = now - window;
    int64_t old = -1;

    for (uint32_t i = 0; i < list->count; i++) {
        const struct history_entry *e = &list->items[i];
        if (e->at < cutoff) {
            old = i;
        } else if (e->value > s.replicas) {
            s.replicas = e->value;
            s.changes_at = e->at + window + 1;
        } else if (e->value == s.replicas && s.replicas != raw) {
            later(&s.changes_at, e->at + window + 1);
        }
    }
    record(history, old, raw, now);
    if (s.replicas != raw) {
        s.reason = "ScaleDownStabilized";
        s.message = down_message;
        s.window = window;
    }
    *ret_stabilized = s;
}

/* Where nothing is left of what the window did, it has not acted: nobody is to wait for its end. */
void stabilize_never_up(int32_t current, int32_t raw, struct stabilized *stabilized) {
    int32_t most = raw > current ? raw : current;

    if (stabilized->replicas <= most)
        return;
    stabilized->replicas = most;
    if (most == raw)
        *stabilized = (struct stabilized){.replicas = raw, .reason = ready_reason, .message = ready_message};
}

/* scaleDown.stabilizationWindowSeconds that is not given means the flag; 0 is given, and means no window. */
struct stabilize_windows stabilize_windows(const struct policy_spec *spec, const struct decide_flags *flags) {
    int32_t up = spec->up.window_seconds, down = spec->down.window_seconds;

    return (struct stabilize_windows){
        .up = up > 0 ? (usec_t)up * USEC_PER_SEC : 0,
        /* HPA keeps whole seconds here. */
        .down = down >= 0 ? (usec_t)down * USEC_PER_SEC
                          : flags->downscale_stabilization / USEC_PER_SEC * USEC_PER_SEC,
    };
}

/* The extreme (least or most) recommendation within one window, and when it leaves. */
struct extreme {
    int32_t value;
    usec_t leaves;
};

static struct extreme find_extreme(const struct history_list *list, int32_t raw, usec_t now, usec_t window,
                                   bool largest) {
    struct extreme x = {.value = raw};

    for (uint32_t i = 0; i < list->count; i++) {
        const struct history_entry *e = &list->items[i];
        if (e->at <= now - window)
            continue;
        if (largest ? e->value > x.value : e->value < x.value)
            x = (struct extreme){e->value, e->at + window};
        else if (e->value == x.value && x.value != raw)
            later(&x.leaves, e->at + window);
    }
    return x;
}

/* Outside of both windows, strictly: the longer one may still need what the shorter has let go. */
static int64_t old_slot(const struct history_list *list, usec_t up_cutoff, usec_t down_cutoff) {
    int64_t slot = -1;

    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].at < up_cutoff && list->items[i].at < down_cutoff)
            slot = i;
    return slot;
}

/* HPA's stabilizeRecommendationWithBehaviors. up <= raw <= down always: current is moved into that range, and
 * no further, so that it follows only what all recommendations of a window agree on. */
void stabilize_behavior(struct history *history, struct stabilize_windows windows, int32_t current,
                        int32_t raw, usec_t now, struct stabilized *ret_stabilized) {
    const struct history_list *list = &history->recommendations;
    struct extreme up = find_extreme(list, raw, now, windows.up, /* largest= */ false);
    struct extreme down = find_extreme(list, raw, now, windows.down, /* largest= */ true);
    struct stabilized s = {.replicas = current, .reason = ready_reason, .message = ready_message};
    /* HPA's choice of reason, also where the number then does not move. */
    bool rising = raw >= current;

    if (s.replicas < up.value)
        s.replicas = up.value;
    if (s.replicas > down.value)
        s.replicas = down.value;
    record(history, old_slot(list, now - windows.up, now - windows.down), raw, now);
    if (s.replicas != raw) {
        s.reason = rising ? "ScaleUpStabilized" : "ScaleDownStabilized";
        s.message = rising ? up_message : down_message;
        s.window = rising ? windows.up : windows.down;
        s.changes_at = rising ? up.leaves : down.leaves;
    }
    *ret_stabilized = s;
}
