/* What the files of the cache share: one query with its answer, and who waits for it; and the family of those
 * that can be asked all at once. */
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
    struct map queries;  /* struct cached_query by its text */
    struct map families; /* struct cached_family by its key */
};

/* The queries of a client that differ in their namespace alone. While there are more than a few of them, they
 * are not sent: each takes its part of the answer to one query for all namespaces. */
struct cached_family {
    struct cached_origin *origin;
    struct querycache *cache;
    char *key, *ns_label;
    const char *text; /* in key */
    struct cached_query *first;
    uint32_t count;

    struct promclient_call *call; /* under way */
    struct promvector *reader;
    struct loop_timer *timer; /* its patience */
    usec_t started, fetched;  /* the last fetch, and the last good one's end */
    struct vector *vector;    /* the last good answer, in groups, or NULL */
    size_t bytes;
    /* It has failed, and this one of them has been sent: if that is answered, it is not the server's fault.
     */
    struct cached_query *probe;
    uint32_t probes; /* how many there have been */
    struct err why;
    usec_t barred_until; /* until then each is sent by itself */
};

struct cached_query {
    struct querycache *cache;
    struct cached_origin *origin;
    struct cached_query *newer, *older; /* in the order of their last use */
    char *text;
    struct cached_family *family; /* or NULL */
    struct cached_query *sibling, **sibling_at;
    char *ns;                 /* of the family's member */
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
struct cached_query *cached_query_of(struct querycache *cache, struct promclient *client,
                                     const struct querycache_query *query);
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
/* A query as it is sent, and what becomes of the pieces of its answer. */
struct cached_sending {
    const char *text;
    int (*on_body)(void *arg, const char *data, size_t len, struct err *err);
    void (*on_done)(void *arg, const struct err *err);
    void *arg;
};
/* Sends it; the answer may be as large as the reader's owner can take. */
struct promclient_call *cached_query_send(struct cached_origin *origin, struct querycache *cache,
                                          const struct cached_sending *sending,
                                          struct promvector **ret_reader);
/* Starts a fetch, its own or the family's, where none is under way. */
void cached_query_fetch(struct cached_query *q);
/* Whether one is under way. */
bool cached_query_busy(const struct cached_query *q);
/* Sets the timer to when it is to be fetched next. */
void cached_query_schedule(struct cached_query *q);
/* The same, with somebody new who follows and does not know the answer yet. */
void cached_query_hasten(struct cached_query *q);
/* Calls fn with what is known: a fresh answer, or the failure (of the last fetch where err is NULL) with the
 * last good answer where that is not too old. Afterwards q may be gone. */
void cached_query_answer(struct cached_query *q, querycache_fn *fn, void *arg, const struct err *err);
/* What a fetch that began at started has brought: an answer, which q owns from here on, or a failure. Nobody
 * is told yet. */
void cached_query_take(struct cached_query *q, usec_t started, struct vector *vector);
void cached_query_fail(struct cached_query *q, usec_t started, const struct err *err);
/* Those who wait go with the answer, those who follow stay; either may drop q, which the caller holds. */
void cached_query_tell(struct cached_query *q);

/* A new query, in the order of these: it comes into the family of its kind, and has the family's answer where
 * there is a fresh one; one that is known already leaves its family where it is asked for in another way. */
void cached_family_join(struct cached_query *q, const struct querycache_query *query);
void cached_family_check(struct cached_query *q, const struct querycache_query *query);
/* A query goes. */
void cached_family_leave(struct cached_query *q);
/* The whole origin goes, and is asked for nothing any more. */
void cached_family_end_all(struct cached_origin *origin);
/* Whether the family fetches for q, and, if so, makes it do it; whether it is at it. */
bool cached_family_fetch(struct cached_query *q);
bool cached_family_busy(const struct cached_query *q);
/* Gives q what the family has while that needs no fetch yet, and tells. False: it does. */
bool cached_family_give(struct cached_query *q);
/* q's own fetch has ended; err NULL: well. Others may be told. */
void cached_family_probed(struct cached_query *q, const struct err *err);

#endif
