/* What a policy remembers between decisions: recommendations and past changes, with HPA's rules for reusing
 * slots (the order of entries is part of its results). */
#include "autoscaler/stages.h"
#include "base/mem.h"
#include <stdlib.h>

void history_done(struct history *history) {
    free(history->recommendations.items);
    free(history->up_events.items);
    free(history->down_events.items);
    *history = (struct history){0};
}

/* The list grows with what is recorded and shrinks by history_compact alone; HPA's rules for slots bound it
 * to what a window can hold. */
void history_put(struct history_list *list, int64_t slot, struct history_entry entry) {
    if (slot >= 0) {
        list->items[slot] = entry;
        return;
    }
    if (list->count == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 4;
        list->items = xrealloc(list->items, list->cap * sizeof(*list->items));
    }
    list->items[list->count++] = entry;
}

/* Without it the first decision after a start could shrink at once, on one sample. A list that exists and is
 * empty is not begun again, as in HPA. */
void history_begin(struct history *history, int32_t current, usec_t now) {
    if (history->has_recommendations)
        return;
    history->has_recommendations = true;
    history_put(&history->recommendations, -1, (struct history_entry){.at = now, .value = current});
}

static void list_not_after(struct history_list *list, usec_t now) {
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].at > now)
            list->items[i].at = now;
}

/* HPA's times come from a clock that only goes forward (Go's monotonic one); ours is the wall's, which a
 * restart can read back. Set back by a day it would leave each entry in its window for a day. */
void history_not_after(struct history *history, usec_t now) {
    list_not_after(&history->recommendations, now);
    list_not_after(&history->up_events, now);
    list_not_after(&history->down_events, now);
}

/* HPA's getLongestPolicyPeriod; 0 where there are no policies. */
static usec_t longest_period(const struct scaling_rules *rules) {
    int32_t longest = 0;

    for (uint32_t i = 0; i < rules->policy_count; i++)
        if (rules->policies[i].period_seconds > longest)
            longest = rules->policies[i].period_seconds;
    return (usec_t)longest * USEC_PER_SEC;
}

/* HPA's storeScaleEvent: what is older than the longest period of its direction is outdated, for good even if
 * a period is made longer later, and the last such slot is used again. Without behavior nobody asks for the
 * past. */
void history_store_scale(struct history *history, const struct policy_spec *spec, int32_t from, int32_t to,
                         usec_t now) {
    struct history_list *list = to > from ? &history->up_events : &history->down_events;
    usec_t cutoff = now - longest_period(to > from ? &spec->up : &spec->down);
    int64_t slot = -1;

    if (!spec->has_behavior)
        return;
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i].at < cutoff)
            list->items[i].outdated = true;
        if (list->items[i].outdated)
            slot = i;
    }
    history_put(list, slot, (struct history_entry){.at = now, .value = to > from ? to - from : from - to});
}

/* Whether a later or equal entry asks for as much and another for as little: then this one can no longer be
 * the largest or the smallest of any window that ends now. */
static bool outdone(const struct history_list *list, uint32_t i) {
    const struct history_entry *e = &list->items[i];
    bool above = false, below = false;

    for (uint32_t j = 0; j < list->count && !(above && below); j++) {
        const struct history_entry *o = &list->items[j];
        if (j == i || o->at < e->at || (o->at == e->at && o->value == e->value && j < i))
            continue;
        above |= o->value >= e->value;
        below |= o->value <= e->value;
    }
    return above && below;
}

void history_compact(struct history *history) {
    struct history_list *list = &history->recommendations;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < list->count; i++) {
        bool drop = outdone(list, i);
        /* Each is compared with all others, dropped ones too, so that nothing moves before all are marked. Of
         * recommendations the mark has no other meaning. */
        list->items[i].outdated = drop;
    }
    for (uint32_t i = 0; i < list->count; i++)
        if (!list->items[i].outdated)
            list->items[kept++] = list->items[i];
    list->count = kept;
}
