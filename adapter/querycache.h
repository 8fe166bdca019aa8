/* Answers of Prometheus by query, kept and kept fresh: a query that somebody has asked for lately is asked
 * again in the background, so that the next one who asks is answered from memory. One fetch for all who wait
 * for it. */
#ifndef ADAPTER_QUERYCACHE_H
#define ADAPTER_QUERYCACHE_H

#include "adapter/promclient.h"
#include "adapter/vector.h"

struct querycache;

struct querycache_options {
    usec_t freshness;     /* a query is sent once in so long; an answer a twentieth older than this is fetched
                             again before it is given; 0: 10 s */
    usec_t keep;          /* a query not asked for so long is forgotten; 0: 5 min */
    usec_t wait;          /* the longest that anyone waits for a fetch; 0: 10 s */
    usec_t max_age;       /* the last good answer stands in for a failed fetch until it is so old; 0: 2 min */
    size_t max_bytes;     /* of all answers; the least recently asked for go first; 0: 64 MiB */
    uint32_t max_queries; /* 0: 20,000 */
};

/* What is asked. Who asks for one namespace may say how to ask for all of them at once, where that gives each
 * element of this one the same value: then, as soon as more than a few namespaces are asked for, one query
 * serves them all. Borrowed for the call. */
struct querycache_query {
    const char *text;
    const char *wide; /* the query for all namespaces; NULL: there is none */
    const char *ns_label,
        *ns; /* where wide: the elements that text gives have this value of this label in it */
};

struct querycache_wait;
/* vector NULL: failed, err says why (-EINVAL: refused; -EBADMSG: not a vector; -ETIMEDOUT; …). Where vector
 * is set and err->code is not 0, it is the last good answer. Both borrowed for the call. */
typedef void querycache_fn(void *arg, const struct vector *vector, const struct err *err);

/* Borrows loop; owned. */
struct querycache *querycache_new(struct loop *loop, const struct querycache_options *options);
/* No callback follows; what is waited for and followed ends. */
void querycache_free(struct querycache *cache);

/* Asks. From memory where it is fresh: fn is called inside and NULL returned. Else fn is called later, within
 * wait; the handle is valid until then. client is borrowed: see querycache_forget. */
struct querycache_wait *querycache_ask(struct querycache *cache, struct promclient *client,
                                       const struct querycache_query *query, querycache_fn *fn, void *arg);
/* No callback follows. NULL is allowed. */
void querycache_cancel(struct querycache_wait *wait);
/* The client goes: its queries are dropped, those who wait or follow are told -ECANCELED (once; a follower
 * still has to unfollow). */
void querycache_forget(struct querycache *cache, struct promclient *client);

/* For followers (policies): the query is refreshed each interval whether anyone asks or not, and fn called
 * after each fetch, good or failed; never inside querycache_follow. */
struct querycache_follow;
struct querycache_follow *querycache_follow(struct querycache *cache, struct promclient *client,
                                            const struct querycache_query *query, usec_t interval,
                                            querycache_fn *fn, void *arg);
void querycache_unfollow(struct querycache_follow *follow);

struct querycache_stats {
    uint64_t hits, misses, shared, fetches, failures, evicted;
    uint64_t wide; /* of the fetches: for all namespaces at once */
    uint32_t queries;
    size_t bytes;
    usec_t oldest; /* age of the oldest answer that is refreshed; 0: none */
};
void querycache_stats(const struct querycache *cache, struct querycache_stats *ret_stats);

#endif
