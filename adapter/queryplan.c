/* The schedule of queries: a heap by due time, and the back-off of queries and of their server.
 *
 * A query is in the heap or in flight, never both: plan_start takes it out, plan_finish and plan_again put it
 * back. in_flight of the plan is the number of those that are out. The server is up or down: it goes down
 * with a fetch that nothing answers, and up with the first one that is answered, be it with an error. While
 * it is down one query at a time is sent, after a pause that grows; those that become due meanwhile are
 * handed out by plan_held, once each, so that who waits for them hears of the outage.
 *
 * Every change of due of a query in the heap is made outside of it (pull, change, push), but for release,
 * which changes many and puts the heap in order afterwards. */
#include "adapter/queryplan.h"

#include "base/mem.h"
#include <stdlib.h>

static bool earlier(const struct plan_query *a, const struct plan_query *b) {
    return a->due < b->due;
}

static void put_at(struct query_plan *plan, size_t place, struct plan_query *query) {
    plan->heap[place] = query;
    query->place = place;
}

static void sift_up(struct query_plan *plan, size_t i) {
    struct plan_query *query = plan->heap[i];

    for (; i && earlier(query, plan->heap[(i - 1) / 2]); i = (i - 1) / 2)
        put_at(plan, i, plan->heap[(i - 1) / 2]);
    put_at(plan, i, query);
}

static void sift_down(struct query_plan *plan, size_t i) {
    struct plan_query *query = plan->heap[i];

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= plan->len)
            break;
        if (child + 1 < plan->len && earlier(plan->heap[child + 1], plan->heap[child]))
            child++;
        if (!earlier(plan->heap[child], query))
            break;
        put_at(plan, i, plan->heap[child]);
        i = child;
    }
    put_at(plan, i, query);
}

static void push(struct query_plan *plan, struct plan_query *query) {
    if (plan->len == plan->cap) {
        plan->cap = plan->cap ? plan->cap * 2 : 16;
        plan->heap = xrealloc(plan->heap, plan->cap * sizeof(struct plan_query *));
    }
    put_at(plan, plan->len, query);
    sift_up(plan, plan->len++);
}

static void pull(struct query_plan *plan, struct plan_query *query) {
    size_t i = query->place;
    struct plan_query *last = plan->heap[--plan->len];

    if (last == query)
        return;
    /* The last one is not below the gap's parent by nature: it may have to go up or down. */
    put_at(plan, i, last);
    sift_up(plan, i);
    sift_down(plan, last->place);
}

/* splitmix64: enough for jitter, and the tests can seed it. */
static uint64_t chance(struct query_plan *plan) {
    uint64_t z = plan->chance += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* first doubled for each failure in a row, at most max, less up to a quarter by chance. */
static usec_t backoff(struct query_plan *plan, usec_t first, usec_t max, unsigned failures) {
    usec_t d = first;

    /* Ends with max, so that failures without end double nothing past it. */
    for (unsigned i = 1; i < failures && d < max; i++)
        d *= 2;
    if (d > max)
        d = max;
    /* Less and not more: max is a promise to who waits for the server to come back. */
    return d - (usec_t)(chance(plan) % (uint64_t)(d / 4 + 1));
}

/* Fractions of an interval that stay evenly spread however many there are: multiples of the golden ratio. */
static usec_t phase_of(uint32_t number, usec_t interval) {
    /* 2^32 divided by the golden ratio, in arithmetic modulo 2^32 (Knuth, The Art of Computer Programming,
     * 6.4). */
    uint32_t fraction = number * 2654435769u;
    return (usec_t)((double)fraction / 4294967296.0 * (double)interval);
}

/* The time of the query's next fetch: an interval after due, moved later by at most a quarter of an interval
 * towards its phase, so that it gets there in a few steps and never asks more often than it should. */
static usec_t next_due(const struct plan_query *query, usec_t due, usec_t now) {
    /* A turn that was missed is not made up for. */
    usec_t base = due + query->interval < now ? now : due + query->interval;
    usec_t off = (query->phase - base % query->interval + query->interval) % query->interval;

    return base + (off < query->interval / 4 ? off : query->interval / 4);
}

void plan_init(struct query_plan *plan, int max_concurrent, uint64_t seed) {
    *plan = (struct query_plan){.max_concurrent = max_concurrent, .chance = seed, .last_answer = -1};
}

void plan_done(struct query_plan *plan) {
    free(plan->heap);
    *plan = (struct query_plan){0};
}

void plan_add(struct query_plan *plan, struct plan_query *query, usec_t interval, usec_t now) {
    /* One query alone is sent at once; the more there are, the further they are spread, up to the whole of
     * it. */
    usec_t spread = (usec_t)(plan->len < 10 ? plan->len : 10) * (PLAN_FIRST_SPREAD_MS / 10) * USEC_PER_MSEC;

    *query = (struct plan_query){.interval = interval, .phase = phase_of(plan->added++, interval)};
    query->due = now + (usec_t)(chance(plan) % (uint64_t)(spread + 1));
    push(plan, query);
}

void plan_remove(struct query_plan *plan, struct plan_query *query) {
    if (query->in_flight)
        plan->in_flight--;
    else
        pull(plan, query);
    query->in_flight = false;
}

void plan_set_interval(struct query_plan *plan, struct plan_query *query, usec_t interval, usec_t now) {
    usec_t latest = (query->started ? query->started : now) + interval;

    /* The same part of the new interval. */
    query->phase = (usec_t)((double)query->phase / (double)query->interval * (double)interval);
    query->interval = interval;
    /* Only ever sooner: a longer interval counts from the next fetch on, and who is backed off stays so. */
    if (query->in_flight || query->failures || query->due <= latest)
        return;
    pull(plan, query);
    query->due = latest < now ? now : latest;
    push(plan, query);
}

static int allowed(const struct query_plan *plan) {
    return plan->down ? 1 : plan->max_concurrent;
}

struct plan_query *plan_start(struct query_plan *plan, usec_t now) {
    if (now < plan->open_at || plan->in_flight >= allowed(plan) || !plan->len)
        return NULL;
    struct plan_query *query = plan->heap[0];
    if (query->due > now && !plan->down) /* whether the server is back is tried with any query */
        return NULL;
    pull(plan, query);
    /* A trial before its time: plan_finish counts its interval from when it was sent. */
    if (query->due > now)
        query->due = now;
    query->in_flight = true;
    query->held = false;
    query->started = now;
    plan->in_flight++;
    return query;
}

/* Whether what is due now has to be told that it cannot be had. */
static bool holding(const struct query_plan *plan, usec_t now) {
    return plan->down && (now < plan->open_at || plan->in_flight >= allowed(plan));
}

struct plan_query *plan_held(struct query_plan *plan, usec_t now) {
    while (holding(plan, now) && plan->len && plan->heap[0]->due <= now) {
        struct plan_query *query = plan->heap[0];
        pull(plan, query);
        /* After now in any case, or this loop would meet it again. */
        query->due = next_due(query, query->due, now + 1);
        push(plan, query);
        if (query->held)
            continue;
        query->held = true;
        return query;
    }
    return NULL;
}

usec_t plan_wait(const struct query_plan *plan, usec_t now) {
    if (!plan->len)
        return -1;
    usec_t at = plan->heap[0]->due;
    /* plan_held takes what is due, trial or not; and where none is under way, one begins with open_at,
     * whatever is due then. */
    if (plan->down) {
        if (!plan->in_flight && plan->open_at < at)
            at = plan->open_at;
    } else if (plan->in_flight >= plan->max_concurrent) {
        return -1;
    } else if (at < plan->open_at) {
        at = plan->open_at;
    }
    return at > now ? at - now : 0;
}

/* The server is back: what was held is due soon, not at its next turn, which may be a minute away. */
static void release(struct query_plan *plan, usec_t now) {
    plan->down = false;
    plan->failures = 0;
    plan->open_at = 0;
    for (size_t i = 0; i < plan->len; i++) {
        struct plan_query *query = plan->heap[i];
        usec_t spread = query->interval < USEC_PER_SEC ? query->interval : USEC_PER_SEC;
        usec_t soon = now + (usec_t)(chance(plan) % (uint64_t)spread);
        if (query->held && soon < query->due)
            query->due = soon;
    }
    /* From the last one that has a child up to the root: linear, where as many pushes would not be. */
    for (size_t i = plan->len / 2; i-- > 0;)
        sift_down(plan, i);
}

static void source_failed(struct query_plan *plan, struct plan_query *query, usec_t now) {
    /* Its user hears of the failure by the end of the fetch: plan_held need not tell it again. */
    query->held = true;
    query->due = next_due(query, query->due, now);
    if (plan->down && query->started <= plan->down_since) /* one of the same outage says nothing new */
        return;
    plan->down = true;
    plan->down_since = now;
    plan->failures++;
    plan->open_at = now + backoff(plan, PLAN_SOURCE_BACKOFF_MIN_MS * USEC_PER_MSEC,
                                  PLAN_SOURCE_BACKOFF_MAX_MS * USEC_PER_MSEC, plan->failures);
}

static void query_failed(struct query_plan *plan, struct plan_query *query, usec_t now) {
    usec_t delay = backoff(plan, PLAN_QUERY_BACKOFF_MIN_MS * USEC_PER_MSEC,
                           PLAN_QUERY_BACKOFF_MAX_MS * USEC_PER_MSEC, ++query->failures);

    /* Not sooner than it would have been asked anyway. */
    query->due = now + (delay > query->interval ? delay : query->interval);
}

static void hold_until(struct query_plan *plan, usec_t hold, usec_t now) {
    /* A proxy that asks for a day would switch the autoscaler off. */
    if (hold > PLAN_HOLD_MAX_MS * USEC_PER_MSEC)
        hold = PLAN_HOLD_MAX_MS * USEC_PER_MSEC;
    if (hold > 0 && plan->open_at < now + hold)
        plan->open_at = now + hold;
}

/* What a fetch came to, seen with what became of the others. */
static enum plan_outcome judge(const struct query_plan *plan, const struct plan_query *query,
                               enum plan_outcome outcome) {
    /* A secret that cannot be read tells nothing of the server: if that is down it stays so, else it is
     * this query's trouble alone. */
    if (outcome == PLAN_NOT_ASKED)
        return plan->down ? PLAN_SOURCE_FAILED : PLAN_QUERY_FAILED;
    /* Others have been answered since it was sent: it is the query that is too much for the server. */
    if (outcome == PLAN_SOURCE_FAILED && !plan->down && plan->last_answer > query->started)
        return PLAN_QUERY_FAILED;
    return outcome;
}

enum plan_outcome plan_finish(struct query_plan *plan, struct plan_query *query, enum plan_outcome outcome,
                              usec_t hold, usec_t now) {
    bool answered = outcome == PLAN_ANSWERED || outcome == PLAN_QUERY_FAILED;

    query->in_flight = false;
    plan->in_flight--;
    outcome = judge(plan, query, outcome);
    /* Before the query is put back: release goes through the heap only. */
    if (answered)
        plan->last_answer = now;
    if (answered && plan->down)
        release(plan, now);
    if (outcome == PLAN_SOURCE_FAILED) {
        source_failed(plan, query, now);
    } else if (outcome == PLAN_QUERY_FAILED) {
        query_failed(plan, query, now);
    } else {
        query->failures = 0;
        query->due = next_due(query, query->due, now);
    }
    hold_until(plan, hold, now);
    push(plan, query);
    return outcome;
}

void plan_again(struct query_plan *plan, struct plan_query *query, usec_t now) {
    query->in_flight = false;
    plan->in_flight--;
    query->due = now;
    push(plan, query);
}
