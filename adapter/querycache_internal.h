/* What the files of the cache share: one query with its answer, and who waits for it. */
#ifndef ADAPTER_QUERYCACHE_INTERNAL_H
#define ADAPTER_QUERYCACHE_INTERNAL_H

#include "adapter/promvector.h"
#include "adapter/querycache.h"
#include "adapter/subscribers.h"
#include "base/map.h"

/* The queries of one client. */
struct cached_origin {
    struct cached_origin *next;
    struct promclient *client;
    struct map queries; /* struct cached_query by its text */
};

struct cached_query {
    struct querycache *cache;
    struct cached_origin *origin;
    struct cached_query *newer, *older; /* in the order of their last use */
    char *text;
    struct loop_timer *timer; /* the next fetch, or the end where nobody wants it any more */
    struct subscribers waits, follows;
    usec_t asked; /* monotonic, as all times here */

    struct promclient_call *call; /* under way */
    struct promvector *reader;
    usec_t started; /* the last fetch */

    struct vector *vector; /* the last good answer, or NULL */
    usec_t fetched;
    size_t bytes;
    struct err *err;   /* of the last fetch; NULL: it was good */
    unsigned failures; /* in a row */
    usec_t retry_at;

    unsigned held; /* callbacks are running that borrow from it */
    bool gone;     /* out of the cache; freed when they have returned */
};

struct querycache {
    struct loop *loop;
    struct querycache_options options;
    struct cached_origin *origins;
    struct cached_query *newest, *oldest;
    struct querycache_stats stats;
    uint64_t chance;
};

struct querycache_wait {
    struct subscriber head;
    struct cached_query *query;
    struct loop_timer *timer; /* its patience */
    querycache_fn *fn;
    void *arg;
};

struct querycache_follow {
    struct subscriber head;
    struct cached_query *query; /* NULL: its client has gone */
    querycache_fn *fn;
    void *arg;
};

/* The age up to which an answer is given without a word. */
usec_t querycache_limit(const struct querycache_options *options);
/* The query of a client, made where it is not known. Lives until cached_query_drop. */
struct cached_query *cached_query_of(struct querycache *cache, struct promclient *client, const char *text);
/* Takes it out of the cache; its memory goes when nobody holds it. */
void cached_query_drop(struct cached_query *q);
/* Around callbacks, which may drop it. */
void cached_query_hold(struct cached_query *q);
void cached_query_release(struct cached_query *q);
/* Marks it as the one used last. */
void cached_query_touch(struct cached_query *q);
/* Drops queries that were asked for least lately, never except, until the limits hold. */
void cached_query_evict(struct querycache *cache, const struct cached_query *except);

/* Whether it can be answered without waiting. */
bool cached_query_ready(const struct cached_query *q);
/* Starts a fetch where none is under way. */
void cached_query_fetch(struct cached_query *q);
/* Sets the timer to when it is to be fetched next. */
void cached_query_schedule(struct cached_query *q);
/* The same, with somebody new who follows and does not know the answer yet. */
void cached_query_hasten(struct cached_query *q);
/* Calls fn with what is known: a fresh answer, or the failure (of the last fetch where err is NULL) with the
 * last good answer where that is not too old. Afterwards q may be gone. */
void cached_query_answer(struct cached_query *q, querycache_fn *fn, void *arg, const struct err *err);

#endif
