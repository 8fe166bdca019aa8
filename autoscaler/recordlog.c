/* The memory of a policy's last decisions.
 *
 * Invariants: the slots in use are the first `count` and in order of time, the newest last; only that one is
 * ever added to, so that a decision which comes up again after another one has a slot of its own. A slot's
 * memory stays with it when it is given up, and only grows: a log that is full allocates no more, unless a
 * record is longer than any that the slot has held. */
#include "autoscaler/recordlog.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

enum {
    HOLDS_MAX = RECORDLOG_SLOTS / 2, /* decisions that changed nothing, while changes want their slots */
    ROUND = 32                       /* bytes */
};

/* One decision, or several that came to the same: then the last of them. */
struct kept {
    usec_t first, last;
    uint64_t key; /* of what it came to */
    uint32_t count;
    uint16_t len, cap;
    bool change;
    unsigned char packed[];
};

struct recordlog {
    uint32_t count;
    struct kept *kept[RECORDLOG_SLOTS]; /* the oldest first */
};

/* ---- what a decision came to ---- */

static void mix(uint64_t *key, uint64_t value) {
    *key = (*key ^ value) * UINT64_C(0x100000001b3); /* FNV-1a's, a value at a time */
}

/* Texts of a decision live in its arena, so that they are compared by what they say. */
static void mix_text(uint64_t *key, const char *text) {
    text = str_or_empty(text);
    mix(key, map_hash(text, strlen(text)));
}

static uint64_t key_of(const struct decision *d) {
    uint64_t key = UINT64_C(0xcbf29ce484222325);

    /* No times and no values: they differ each time, and would make every decision a new one. */
    mix(&key, (uint64_t)d->steps.path << 32 | (uint64_t)d->reason);
    mix(&key, (uint64_t)(uint32_t)d->current << 32 | (uint32_t)d->desired);
    mix(&key, (uint64_t)d->rescale | (uint64_t)d->failed << 1 | (uint64_t)d->steps.paused << 2);
    mix_text(&key, d->limited_by);
    mix_text(&key, d->steps.scheduled.names);
    /* Whether a metric has a value counts, which one does not: values change all the time. */
    for (uint32_t i = 0; i < d->proposal_count; i++) {
        const struct proposal *p = &d->proposals[i];
        mix(&key, (uint64_t)p->quality << 3 | (uint64_t)p->valid << 2 | (uint64_t)p->ignored << 1 |
                      (uint64_t)p->substituted);
    }
    return key;
}

/* ---- slots ---- */

/* The one to give up for a new decision: the oldest, but no change while there are too many others. */
static uint32_t victim(const struct recordlog *log) {
    uint32_t holds = 0, oldest_hold = 0;

    for (uint32_t i = log->count; i-- > 0;) {
        if (log->kept[i]->change)
            continue;
        holds++;
        oldest_hold = i;
    }
    /* With no more holds than that the oldest of all goes, whatever it is. */
    return holds > HOLDS_MAX ? oldest_hold : 0;
}

/* Room for a new decision at the end, with the memory of the one that it takes the place of. */
static struct kept **new_slot(struct recordlog *log) {
    uint32_t at;
    struct kept *old;

    if (log->count < RECORDLOG_SLOTS)
        return &log->kept[log->count++];
    at = victim(log);
    old = log->kept[at];
    for (; at + 1 < RECORDLOG_SLOTS; at++)
        log->kept[at] = log->kept[at + 1];
    log->kept[RECORDLOG_SLOTS - 1] = old;
    return &log->kept[RECORDLOG_SLOTS - 1];
}

/* In steps, so that a record which is a byte longer than the last one costs no new memory. */
static struct kept *fit(struct kept *kept, size_t len) {
    size_t cap = (len + ROUND - 1) / ROUND * ROUND;
    bool fresh = !kept;

    if (kept && kept->cap >= len)
        return kept;
    kept = xrealloc(kept, sizeof(*kept) + cap);
    if (fresh)
        *kept = (struct kept){0};
    kept->cap = (uint16_t)cap;
    return kept;
}

void recordlog_add(struct recordlog **log, const struct decide_input *input, const struct decision *decision,
                   struct arena *scratch) {
    uint64_t key = key_of(decision);
    struct recordlog *l = *log ? *log : (*log = XNEW(struct recordlog));
    struct kept **slot = l->count ? &l->kept[l->count - 1] : NULL;
    unsigned char packed[RECORD_PACKED_MAX];
    size_t len = record_pack(record_of(input, decision, scratch), packed);
    bool again = slot && (*slot)->key == key;

    if (!again)
        slot = new_slot(l);
    *slot = fit(*slot, len);
    struct kept *k = *slot;
    k->count = again ? k->count + 1 : 1;
    /* What is shown is the last of those that came to the same; when they began stays known. */
    k->first = again ? k->first : input->now;
    k->last = input->now;
    k->key = key;
    k->change = decision->desired != decision->current;
    k->len = (uint16_t)len;
    memcpy(k->packed, packed, len);
}

void recordlog_free(struct recordlog *log) {
    if (!log)
        return;
    for (uint32_t i = 0; i < log->count; i++)
        free(log->kept[i]);
    free(log);
}

size_t recordlog_bytes(const struct recordlog *log) {
    size_t bytes = log ? sizeof(*log) : 0;

    for (uint32_t i = 0; log && i < log->count; i++)
        bytes += sizeof(struct kept) + log->kept[i]->cap;
    return bytes;
}

bool recordlog_get(const struct recordlog *log, uint32_t index, struct arena *arena,
                   struct recordlog_item *ret_item) {
    if (!log || index >= log->count)
        return false;
    const struct kept *k = log->kept[log->count - 1 - index];
    struct recordlog_item item = {.first = k->first, .last = k->last, .count = k->count, .change = k->change};
    if (record_unpack(k->packed, k->len, arena, &item.record) < 0)
        return false; /* cannot be: these are record_pack's own bytes */
    /* The record is in the caller's arena: the log may change while it is being shown. */
    *ret_item = item;
    return true;
}
