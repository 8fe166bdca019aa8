/* The cache as its users see it: asking, waiting, following; what is asked is in querycache_query.c.
 *
 * Queries are kept by client (an origin) and text. Those who wait come in by querycache_ask and go with the
 * next answer or their own patience; those who follow stay. Asking alone keeps a query alive, too: it is
 * refreshed in the background until nobody has asked for it for options.keep, see cached_query_schedule.
 *
 * Any callback may end any wait or follow and may ask for anything. So whoever calls one holds the query
 * (cached_query_hold), and looks at nothing that it has not read again afterwards. */
#include "adapter/querycache_internal.h"

#include "base/mem.h"
#include <errno.h>

static const usec_t INTERVAL_MIN = 100 * USEC_PER_MSEC;
/* Who follows keeps out of step with the scrape behind the query, see docs/decisions/006. */
enum { DRIFT = 32 };
/* The part of the freshness that an answer is given beyond it: the next query is sent when it is over, and
 * not before, and its answer takes some time. */
enum { GRACE = 20 };

usec_t querycache_limit(const struct querycache_options *options) {
    return options->freshness + options->freshness / GRACE;
}

struct querycache *querycache_new(struct loop *loop, const struct querycache_options *options) {
    struct querycache *cache = XNEW(struct querycache);
    struct querycache_options *o = &cache->options;

    cache->loop = loop;
    /* xorshift stays at 0 for ever. */
    cache->chance = (uint64_t)clock_wall() | 1;
    *o = *options;
    o->freshness = o->freshness > 0 ? o->freshness : 10 * USEC_PER_SEC;
    o->keep = o->keep > 0 ? o->keep : 5 * USEC_PER_MIN;
    o->wait = o->wait > 0 ? o->wait : 10 * USEC_PER_SEC;
    o->max_age = o->max_age > 0 ? o->max_age : 2 * USEC_PER_MIN;
    /* What is fresh can always be shown. */
    o->max_age = o->max_age > querycache_limit(o) ? o->max_age : querycache_limit(o);
    o->max_bytes = o->max_bytes ? o->max_bytes : (size_t)64 << 20;
    o->max_queries = o->max_queries ? o->max_queries : 20 * 1000;
    return cache;
}

static void wait_end(struct cached_query *q, struct querycache_wait *wait) {
    subscribers_remove(&q->waits, &wait->head);
    loop_timer_free(wait->timer);
    free(wait);
}

/* Ends the wait and answers, in this order: the callback may end the query. err as in cached_query_answer. */
static void wait_answer(struct querycache_wait *wait, const struct err *err) {
    struct cached_query *q = wait->query;
    querycache_fn *fn = wait->fn;
    void *arg = wait->arg;

    wait_end(q, wait);
    cached_query_answer(q, fn, arg, err);
}

static void on_fetched(void *arg) {
    wait_answer(arg, NULL);
}

/* The fetch goes on for those who came later. */
static void on_impatient(void *arg) {
    struct querycache_wait *wait = arg;
    const struct cached_query *q = wait->query;
    struct err err = {0};
    char limit[CLOCK_TEXT_MAX];

    err_set(&err, -ETIMEDOUT, "%s: no answer within %s", promclient_label(q->origin->client),
            clock_format_duration(q->cache->options.wait, limit));
    wait_answer(wait, &err);
}

struct querycache_wait *querycache_ask(struct querycache *cache, struct promclient *client,
                                       const struct querycache_query *query, querycache_fn *fn, void *arg) {
    struct cached_query *q = cached_query_of(cache, client, query);

    q->asked = loop_now(cache->loop);
    cached_query_touch(q);
    if (cached_query_ready(q)) {
        cache->stats.hits++;
        cached_query_answer(q, fn, arg, NULL);
        return NULL;
    }
    /* Counted before the fetch is started, which makes it busy. */
    if (cached_query_busy(q))
        cache->stats.shared++;
    else
        cache->stats.misses++;
    struct querycache_wait *wait = XNEW(struct querycache_wait);
    *wait = (struct querycache_wait){
        .head = {.changed = on_fetched, .arg = wait}, .query = q, .fn = fn, .arg = arg};
    wait->timer = loop_timer_new(cache->loop, on_impatient, wait);
    loop_timer_set(wait->timer, cache->options.wait);
    subscribers_add(&q->waits, &wait->head);
    cached_query_fetch(q);
    return wait;
}

void querycache_cancel(struct querycache_wait *wait) {
    if (wait)
        wait_end(wait->query, wait);
}

/* Those who follow are told each failure, those who wait only one that matters to them. */
static void on_refetched(void *arg) {
    const struct querycache_follow *follow = arg;
    struct cached_query *q = follow->query;

    cached_query_answer(q, follow->fn, follow->arg, q->err);
}

struct querycache_follow *querycache_follow(struct querycache *cache, struct promclient *client,
                                            const struct querycache_query *query, usec_t interval,
                                            querycache_fn *fn, void *arg) {
    struct querycache_follow *follow = XNEW(struct querycache_follow);
    struct cached_query *q = cached_query_of(cache, client, query);

    interval = interval > 0 ? interval : cache->options.freshness;
    interval = interval > INTERVAL_MIN ? interval : INTERVAL_MIN;
    interval += interval / DRIFT;
    *follow = (struct querycache_follow){.query = q, .fn = fn, .arg = arg};
    follow->head = (struct subscriber){.interval = interval, .changed = on_refetched, .arg = follow};
    subscribers_add(&q->follows, &follow->head);
    cached_query_hasten(q);
    return follow;
}

void querycache_unfollow(struct querycache_follow *follow) {
    if (!follow)
        return;
    struct cached_query *q = follow->query;
    if (q)
        subscribers_remove(&q->follows, &follow->head);
    /* The interval may be a longer one without it, or nobody may want the query any more. */
    if (q && !q->gone)
        cached_query_schedule(q);
    free(follow);
}

/* Tells everybody that it is over. They may come and go meanwhile, and ask for other queries. */
static void abandon(struct cached_query *q) {
    struct err err = {0};

    err_set(&err, -ECANCELED, "the settings of the Prometheus server have changed");
    /* From the head each time, for the callback may have taken out whichever is next. */
    while (q->waits.first) {
        struct querycache_wait *wait = (struct querycache_wait *)q->waits.first;
        querycache_fn *fn = wait->fn;
        void *arg = wait->arg;
        wait_end(q, wait);
        fn(arg, NULL, &err);
    }
    while (q->follows.first) {
        struct querycache_follow *follow = (struct querycache_follow *)q->follows.first;
        subscribers_remove(&q->follows, &follow->head);
        /* The handle stays its user's: querycache_unfollow has only the memory to free then. */
        follow->query = NULL;
        follow->fn(follow->arg, NULL, &err);
    }
}

/* Of an origin that cannot be found any more: whoever asks meanwhile gets a new one. */
static void origin_free(struct cached_origin *origin, void (*end)(struct cached_query *q)) {
    struct map_iter it = {0};
    void *value;

    /* First, so that no query that goes hands its family's turn to another that goes as well. */
    cached_family_end_all(origin);
    while (map_next(&origin->queries, &it, NULL, &value)) {
        struct cached_query *q = value;
        cached_query_hold(q);
        /* Out of the cache before anyone hears of it, held so that the list of who hears of it stays. */
        cached_query_drop(q);
        end(q);
        cached_query_release(q);
    }
    map_done(&origin->queries);
    map_done(&origin->families);
    free(origin);
}

void querycache_forget(struct querycache *cache, struct promclient *client) {
    struct cached_origin **at = &cache->origins;

    while (*at && (*at)->client != client)
        at = &(*at)->next;
    struct cached_origin *origin = *at;
    if (!origin)
        return;
    *at = origin->next;
    origin_free(origin, abandon);
}

/* Without a word: the whole cache goes. */
static void end_silently(struct cached_query *q) {
    while (q->waits.first)
        wait_end(q, (struct querycache_wait *)q->waits.first);
    while (q->follows.first) {
        struct querycache_follow *follow = (struct querycache_follow *)q->follows.first;
        subscribers_remove(&q->follows, &follow->head);
        free(follow);
    }
}

void querycache_free(struct querycache *cache) {
    if (!cache)
        return;
    while (cache->origins) {
        struct cached_origin *origin = cache->origins;
        cache->origins = origin->next;
        origin_free(origin, end_silently);
    }
    free(cache);
}

void querycache_stats(const struct querycache *cache, struct querycache_stats *ret_stats) {
    usec_t now = loop_now(cache->loop);

    *ret_stats = cache->stats;
    /* All of them, some 20,000 at most: it is read when /metrics is, and not for each request. */
    for (const struct cached_query *q = cache->newest; q; q = q->older)
        if (q->vector && now - q->fetched > ret_stats->oldest)
            ret_stats->oldest = now - q->fetched;
}
