/* Aggregation and rate limit of events. */
#include "autoscaler/eventlog.h"

#include "base/map.h"
#include <string.h>

/* Events that may be repeated only after a while (warnings) leave some tokens to the others: what was scaled
 * is not to be lost in complaints, a restart reads it back. */
enum { BURST = 25, RESERVED = 10 };
static const usec_t refill = 5 * USEC_PER_MIN;
static const usec_t forget = 10 * USEC_PER_MIN; /* client-go's aggregation interval */

static uint32_t hash_of(const char *reason, const char *message) {
    uint32_t h = map_hash(reason, strlen(reason)) * 31u + map_hash(message, strlen(message));
    return h ? h : 1;
}

/* What is from the future was said by a clock that has been set right since: it is as good as forgotten, or
 * the policy would be silent until that time comes. */
static bool is_recent(const struct eventlog_slot *slot, usec_t now) {
    return slot->last <= now && now - slot->last < forget;
}

/* The slot of this hash, or the one to be reused for it. */
static struct eventlog_slot *slot_for(struct eventlog *log, uint32_t hash, usec_t now) {
    struct eventlog_slot *oldest = &log->slots[0];

    for (int i = 0; i < EVENTLOG_SLOTS; i++) {
        struct eventlog_slot *s = &log->slots[i];
        if (s->hash == hash && is_recent(s, now))
            return s;
        if (s->last < oldest->last)
            oldest = s;
    }
    *oldest = (struct eventlog_slot){.hash = hash};
    return oldest;
}

static bool take_token(struct eventlog *log, usec_t now, int leave) {
    if (!log->refilled)
        log->tokens = BURST;
    else if (now > log->refilled) /* a clock that is set back takes no tokens away */
        log->tokens += (double)(now - log->refilled) / (double)refill;
    if (log->tokens > BURST)
        log->tokens = BURST;
    log->refilled = now;
    if (log->tokens < 1 + leave)
        return false;
    log->tokens -= 1;
    return true;
}

enum eventlog_action eventlog_add(struct eventlog *log, const char *reason, const char *message, usec_t now,
                                  usec_t repeat_after, struct eventlog_slot **ret_slot) {
    struct eventlog_slot *slot = slot_for(log, hash_of(reason, message), now);

    if (slot->count && now - slot->last < repeat_after)
        return EVENTLOG_DROP;
    if (!take_token(log, now, repeat_after ? RESERVED : 0))
        return EVENTLOG_DROP;
    if (!slot->count)
        slot->first = now;
    slot->count++;
    slot->last = now;
    *ret_slot = slot;
    return slot->count > 1 && slot->name[0] ? EVENTLOG_COUNT : EVENTLOG_CREATE;
}
