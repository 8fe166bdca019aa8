/* When which query is fetched: pure scheduling, with time (monotonic) and chance as arguments.
 *
 * Every query is due once an interval, at a phase of its own, so that many queries are even over the
 * interval. At most so many are under way at once; those that wait go in the order in which they were due. A
 * query that fails is backed off alone; a server that does not answer at all holds all queries, and one at a
 * time tries whether it is back. */
#ifndef ADAPTER_QUERYPLAN_H
#define ADAPTER_QUERYPLAN_H

#include "base/clock.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PLAN_QUERY_BACKOFF_MIN_MS = 500,
    PLAN_QUERY_BACKOFF_MAX_MS = 10000,
    PLAN_SOURCE_BACKOFF_MIN_MS = 250,
    PLAN_SOURCE_BACKOFF_MAX_MS = 5000, /* a server that is back is seen within this */
    PLAN_HOLD_MAX_MS = 60000,          /* Retry-After is honoured up to here */
    PLAN_FIRST_SPREAD_MS = 100,        /* over which first fetches are spread at most */
};

/* One query, embedded in its user's struct. All fields belong to the plan. */
struct plan_query {
    size_t place; /* in the heap */
    usec_t due;
    usec_t interval, phase;
    usec_t started;    /* of the fetch under way or the last one */
    unsigned failures; /* in a row, of its own */
    bool in_flight;
    bool held; /* told by plan_held since its last fetch */
};

struct query_plan {
    struct plan_query **heap; /* those not in flight, the earliest due first */
    size_t len, cap;
    int max_concurrent, in_flight;
    uint32_t added;     /* ever; numbers the phases */
    uint64_t chance;    /* state of the jitter */
    bool down;          /* the server did not answer last time */
    usec_t down_since;  /* start of the outage, or its latest failed try */
    usec_t open_at;     /* nothing starts before */
    unsigned failures;  /* of the server, in a row */
    usec_t last_answer; /* when any query was answered; -1: never */
};

enum plan_outcome {
    PLAN_ANSWERED,      /* a good answer */
    PLAN_QUERY_FAILED,  /* the server answered that this query is bad */
    PLAN_SOURCE_FAILED, /* no answer */
    PLAN_NOT_ASKED,     /* it could not be sent (a secret could not be read) */
};

/* An empty plan; seed makes the jitter of several processes differ. */
void plan_init(struct query_plan *plan, int max_concurrent, uint64_t seed);
/* Frees the plan's own memory. */
void plan_done(struct query_plan *plan);

/* Takes a query in, due at once but for a small spread. */
void plan_add(struct query_plan *plan, struct plan_query *query, usec_t interval, usec_t now);
/* Takes it out, in flight or not. */
void plan_remove(struct query_plan *plan, struct plan_query *query);
/* Changes how often it is asked for. */
void plan_set_interval(struct query_plan *plan, struct plan_query *query, usec_t interval, usec_t now);

/* The next query to start now, counted as in flight from here on; or NULL. */
struct plan_query *plan_start(struct query_plan *plan, usec_t now);
/* A query that was due and cannot start because the server is down, each once an outage; or NULL. */
struct plan_query *plan_held(struct query_plan *plan, usec_t now);
/* How long until plan_start or plan_held can give something: 0 now, -1 not before something else happens. */
usec_t plan_wait(const struct query_plan *plan, usec_t now);

/* Ends the fetch of query. hold: the server asked for a pause (Retry-After), or 0. Returns what it came to: a
 * failure to answer counts against the query alone where others were answered meanwhile. */
enum plan_outcome plan_finish(struct query_plan *plan, struct plan_query *query, enum plan_outcome outcome,
                              usec_t hold, usec_t now);
/* Ends the fetch of query, which shall be started again at once (in another way). */
void plan_again(struct query_plan *plan, struct plan_query *query, usec_t now);

#endif
