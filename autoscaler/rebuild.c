/* A history made of what the cluster still knows. It need not be the one that was lost; it must not let a
 * decision through that the lost one would have held back, nor hold one back for much longer. */
#include "autoscaler/rebuild.h"

#include "autoscaler/stages.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

enum { DIGITS_MAX = 10 };

int past_rescale_parse(const char *message, int32_t *ret_size) {
    static const char prefix[] = "New size: ";
    const char *number = message + sizeof(prefix) - 1;
    char text[DIGITS_MAX + 1] = "";
    int64_t size;

    if (!str_starts(message, prefix))
        return -EINVAL;
    size_t len = strspn(number, "0123456789");
    /* The text goes on with "; reason: ", as HPA writes it and we do. */
    if (len == 0 || len > DIGITS_MAX || number[len] != ';')
        return -EINVAL;
    memcpy(text, number, len);
    if (str_to_i64(text, &size) < 0 || size > INT32_MAX)
        return -EINVAL;
    *ret_size = (int32_t)size;
    return 0;
}

/* What is said to come from the future, by a clock that was wrong or by somebody's hand, would stay in its
 * window until then: it counts as of now. */
static usec_t not_after(usec_t now, usec_t at) {
    return at < now ? at : now;
}

static void recommend(struct history *history, usec_t at, int32_t replicas) {
    history_put(&history->recommendations, -1, (struct history_entry){.at = at, .value = replicas});
}

/* HPA keeps changes only where there is behavior. */
static void add_rescale(struct history *history, const struct rebuild_input *in, int32_t before,
                        const struct past_rescale *change) {
    int32_t from = change->from >= 0 ? change->from : before;
    usec_t at = not_after(in->now, change->at);

    recommend(history, at, change->size);
    if (from >= 0 && from != change->size)
        history_store_scale(history, in->spec, from, change->size, at);
}

/* Events are courtesies: the last rescale may have left its trace in the status alone. */
static bool lacks_last(const struct rebuild_input *in) {
    usec_t last = in->count ? in->past[in->count - 1].at : 0;

    /* In status and in events times are of whole seconds. */
    return in->status->last_scale_time > last + USEC_PER_SEC;
}

static void add_past(struct history *history, const struct rebuild_input *in) {
    int32_t before = -1;

    for (uint32_t i = 0; i < in->count; i++) {
        add_rescale(history, in, before, &in->past[i]);
        before = in->past[i].size;
    }
    if (lacks_last(in))
        add_rescale(history, in, before,
                    &(struct past_rescale){in->status->last_scale_time, in->status->desired_replicas, -1});
}

/* The direction in which the metrics pulled: the condition says it, unless the number changed all the same;
 * then the largest proposal tells, which a formula or activation may have put aside. */
static bool held_down(const struct policy_status *s) {
    const struct condition *able = condition_find(s->conditions, s->condition_count, "AbleToScale");

    if (able && str_eq(able->reason, "ScaleDownStabilized"))
        return true;
    if (able && str_eq(able->reason, "ScaleUpStabilized"))
        return false;
    return s->proposed < s->desired_replicas;
}

/* The window of that direction. */
static usec_t window_held(const struct rebuild_input *in) {
    if (!in->spec->has_behavior)
        return in->flags->downscale_stabilization;
    struct stabilize_windows w = stabilize_windows(in->spec, in->flags);
    return held_down(in->status) ? w.down : w.up;
}

/* The recommendation that held the number back was made one window before it was to let go. */
static void add_held(struct history *history, const struct rebuild_input *in) {
    recommend(history, not_after(in->now, in->status->held_until - window_held(in)),
              in->status->desired_replicas);
}

void history_rebuild(struct history *history, const struct rebuild_input *input) {
    const struct policy_status *s = input->status;

    /* Never decided: no status of ours, and no event. */
    if (s->observed_generation == 0 && input->count == 0)
        return;
    history->has_recommendations = true;
    add_past(history, input);
    /* Not both: the present number, recommended now, would hold for a whole new window. */
    if (s->held_until)
        add_held(history, input);
    else
        recommend(history, input->now, input->current);
}
