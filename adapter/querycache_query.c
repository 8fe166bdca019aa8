/* One query of the cache: when it is fetched, what its answer or failure leads to, and when it goes.
 *
 * A query is either being fetched (by itself, or by its family: cached_query_busy) or has its timer set for
 * the next time, never neither: the end of a fetch calls cached_query_schedule. When the timer fires and
 * nobody has asked lately, waits or follows, it is dropped. An answer is fresh (given without a word), usable
 * (given where a fetch fails) or gone; err is that of the last fetch, whatever answer is still there.
 *
 * A query that is dropped leaves the map and the list at once; its memory goes when the last one who holds it
 * lets go. Whoever has come by it in a callback must not assume that it is still known. */
#include "adapter/querycache_internal.h"

#include "base/mem.h"
#include "net/url.h"
#include <string.h>

/* A query that fails is tried again after 1 s, 2 s, 4 s, …; from its second failure on nobody waits for it.
 */
static const usec_t BACKOFF_MIN = USEC_PER_SEC;
static const usec_t BACKOFF_MAX = 10 * USEC_PER_SEC;
enum { PATIENCE_LOST = 2 };
/* The part of the freshness over which refreshes are spread, and the part for which a slow server is left
 * alone between an answer and the next query. */
enum { SPREAD = 40, PAUSE = 2 };
/* Somebody new who follows is told at the latest so long after the fetch before. */
static const usec_t JOIN_MAX = USEC_PER_SEC;
/* The largest answer, as a part of all. */
enum { ANSWER_SHARE = 4 };
/* How many in a row that cannot go an eviction passes over. */
enum { EVICT_SKIP_MAX = 64 };

static usec_t now_of(const struct cached_query *q) {
    return loop_now(q->cache->loop);
}

static void list_add(struct cached_query *q) {
    struct querycache *cache = q->cache;

    q->newer = NULL;
    q->older = cache->newest;
    if (cache->newest)
        cache->newest->newer = q;
    else
        cache->oldest = q;
    cache->newest = q;
}

static void list_remove(struct cached_query *q) {
    struct querycache *cache = q->cache;

    *(q->newer ? &q->newer->older : &cache->newest) = q->older;
    *(q->older ? &q->older->newer : &cache->oldest) = q->newer;
}

void cached_query_touch(struct cached_query *q) {
    if (q->gone || !q->newer) /* it is in no list, or the newest already */
        return;
    list_remove(q);
    list_add(q);
}

void cached_query_hold(struct cached_query *q) {
    q->held++;
}

void cached_query_release(struct cached_query *q) {
    if (--q->held || !q->gone)
        return;
    vector_free(q->vector);
    free(q->err);
    free(q->ns);
    free(q->text);
    free(q);
}

void cached_query_drop(struct cached_query *q) {
    struct querycache *cache = q->cache;

    /* The text is the key, so the memory goes last. */
    cached_query_hold(q);
    cached_family_leave(q);
    map_remove(&q->origin->queries, q->text);
    list_remove(q);
    cache->stats.queries--;
    cache->stats.bytes -= q->bytes;
    promclient_cancel(steal_ptr(&q->call));
    promvector_free(steal_ptr(&q->reader));
    loop_timer_free(steal_ptr(&q->timer));
    q->gone = true;
    cached_query_release(q);
}

static bool wanted_by_somebody(const struct cached_query *q) {
    return q->held || q->waits.first || q->follows.first;
}

void cached_query_evict(struct querycache *cache, const struct cached_query *except) {
    const struct querycache_options *o = &cache->options;
    struct querycache_stats *s = &cache->stats;
    struct cached_query *newer, *q = cache->oldest;

    /* Each answer comes by here: a cache full of what is followed must not be searched through for each of
     * them. */
    for (int skipped = 0; q && skipped < EVICT_SKIP_MAX; q = newer) {
        if (s->bytes <= o->max_bytes && s->queries <= o->max_queries)
            return;
        /* Read before the drop. A drop may start a fetch of another query (a probe), but ends no other
         * one. */
        newer = q->newer;
        skipped++;
        if (q == except || wanted_by_somebody(q))
            continue;
        cached_query_drop(q);
        s->evicted++;
        skipped = 0;
    }
}

/* xorshift64: spreads, nothing more. */
static usec_t chance(struct querycache *cache, usec_t below) {
    uint64_t x = cache->chance;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    cache->chance = x;
    return below > 0 ? (usec_t)(x % (uint64_t)below) : 0;
}

static bool fresh(const struct cached_query *q) {
    return q->vector && now_of(q) - q->fetched < querycache_limit(&q->cache->options);
}

static bool asked_lately(const struct cached_query *q) {
    return now_of(q) - q->asked < q->cache->options.keep;
}

bool cached_query_ready(const struct cached_query *q) {
    /* Where it fails again and again it is tried in the background, and only there. */
    return fresh(q) || (q->err && (now_of(q) < q->retry_at || q->failures >= PATIENCE_LOST));
}

bool cached_query_busy(const struct cached_query *q) {
    return q->call || cached_family_busy(q);
}

static bool usable(const struct cached_query *q) {
    return q->vector && now_of(q) - q->fetched < q->cache->options.max_age;
}

void cached_query_answer(struct cached_query *q, querycache_fn *fn, void *arg, const struct err *err) {
    static const struct err none = {0};

    /* A refresh that failed takes nothing from an answer that is still fresh. */
    if (!err)
        err = fresh(q) || !q->err ? &none : q->err;
    cached_query_hold(q);
    fn(arg, usable(q) ? q->vector : NULL, err);
    cached_query_release(q);
}

/* When the query is sent again: never twice within the freshness, counted from one start to the next. */
static usec_t refresh_at(const struct cached_query *q) {
    usec_t freshness = q->cache->options.freshness;
    usec_t next = q->started + freshness, rested = q->fetched + freshness / PAUSE;

    return (next > rested ? next : rested) + chance(q->cache, freshness / SPREAD);
}

void cached_query_schedule(struct cached_query *q) {
    usec_t interval = subscribers_interval(&q->follows);
    usec_t at = now_of(q); /* nobody wants it: it goes */

    if (cached_query_busy(q)) /* its end schedules again */
        return;
    if (q->err) /* whoever wants it, and however often */
        at = q->retry_at;
    else if (asked_lately(q))
        at = refresh_at(q);
    /* Who follows alone gets just the interval that it asked for, be it a longer one. */
    if (!q->err && interval && (!asked_lately(q) || q->started + interval < at))
        at = q->started + interval;
    loop_timer_set(q->timer, at - now_of(q));
}

void cached_query_hasten(struct cached_query *q) {
    usec_t interval = subscribers_interval(&q->follows);
    usec_t soon = q->started + (interval < JOIN_MAX ? interval : JOIN_MAX);

    /* A failure is told when it is tried again. */
    if (q->err || cached_query_busy(q))
        cached_query_schedule(q);
    else if (!q->vector)
        cached_query_fetch(q);
    else
        loop_timer_set(q->timer, soon - now_of(q));
}

/* What q takes, with its vector. */
static void account(struct cached_query *q) {
    q->cache->stats.bytes -= q->bytes;
    q->bytes = sizeof(*q) + 2 * strlen(q->text) + (q->vector ? vector_size(q->vector) : 0);
    q->cache->stats.bytes += q->bytes;
}

void cached_query_take(struct cached_query *q, usec_t started, struct vector *vector) {
    vector_free(q->vector);
    q->vector = vector;
    q->started = started;
    q->fetched = now_of(q);
    account(q);
    free(steal_ptr(&q->err));
    q->failures = 0;
}

/* The last good answer stays as long as it may be shown. */
void cached_query_fail(struct cached_query *q, usec_t started, const struct err *err) {
    /* The shift is bounded since failures are not. */
    usec_t pause = BACKOFF_MIN << (q->failures < 8 ? q->failures : 8);

    q->started = started;
    /* What can never be shown again is not kept either: a server may be down for long. */
    if (!usable(q))
        vector_free(steal_ptr(&q->vector));
    account(q);
    pause = pause < BACKOFF_MAX ? pause : BACKOFF_MAX;
    if (!q->err)
        q->err = XNEW(struct err);
    *q->err = *err;
    q->failures++;
    q->retry_at = now_of(q) + pause + chance(q->cache, pause / SPREAD);
}

void cached_query_tell(struct cached_query *q) {
    if (q->follows.first)
        cached_query_touch(q); /* an eviction does not meet it at the end of the list */
    subscribers_tell(&q->waits);
    subscribers_tell(&q->follows);
}

static void on_done(void *arg, const struct err *err) {
    struct cached_query *q = arg;
    struct querycache *cache = q->cache;
    struct vector *vector = NULL;
    /* A copy, for err is the call's and the reader may have more to say. */
    struct err failure = *err;

    q->call = NULL;
    /* The client names itself in its failures; the reader, which does not know it, does not. */
    if (!failure.code && promvector_finish(q->reader, clock_wall(), &vector, &failure) < 0)
        err_wrap(&failure, "%s", promclient_label(q->origin->client));
    promvector_free(steal_ptr(&q->reader));
    if (vector)
        cached_query_take(q, q->started, vector);
    else
        cached_query_fail(q, q->started, &failure);
    cache->stats.failures += !vector;
    /* Those who are told may drop the query, and with it free the client: so everything else comes first. */
    cached_query_hold(q);
    cached_query_schedule(q);
    cached_query_evict(cache, q);
    cached_family_probed(q, vector ? NULL : &failure);
    cached_query_tell(q);
    cached_query_release(q);
}

static int on_body(void *arg, const char *data, size_t len, struct err *err) {
    struct cached_query *q = arg;

    return promvector_feed(q->reader, data, len, err);
}

struct promclient_call *cached_query_send(struct cached_origin *origin, struct querycache *cache,
                                          const struct cached_sending *sending,
                                          struct promvector **ret_reader) {
    size_t max_body = cache->options.max_bytes / ANSWER_SHARE;
    cleanup_free char *escaped = url_escape(sending->text);
    cleanup_free char *form = xasprintf("query=%s", escaped);
    const struct promclient_request request = {.path = "/api/v1/query",
                                               .form = form,
                                               .max_body = max_body,
                                               .on_body = sending->on_body,
                                               .on_done = sending->on_done,
                                               .arg = sending->arg};
    cache->stats.fetches++;
    *ret_reader = promvector_new(max_body);
    return promclient_start(origin->client, &request);
}

void cached_query_fetch(struct cached_query *q) {
    const struct cached_sending sending = {q->text, on_body, on_done, q};

    if (q->call)
        return;
    loop_timer_cancel(q->timer);
    if (cached_family_fetch(q))
        return;
    q->started = now_of(q);
    q->call = cached_query_send(q->origin, q->cache, &sending, &q->reader);
}

static void on_timer(void *arg) {
    struct cached_query *q = arg;

    /* Only now is it looked whether anyone still wants it: asking does not touch timers. */
    if (!asked_lately(q) && !wanted_by_somebody(q))
        cached_query_drop(q);
    else if (!cached_family_give(q))
        cached_query_fetch(q);
}

static struct cached_origin *origin_of(struct querycache *cache, struct promclient *client) {
    struct cached_origin *o = cache->origins;

    while (o && o->client != client)
        o = o->next;
    if (o)
        return o;
    o = XNEW(struct cached_origin);
    *o = (struct cached_origin){.next = cache->origins, .client = client};
    map_init(&o->queries);
    map_init(&o->families);
    return cache->origins = o;
}

struct cached_query *cached_query_of(struct querycache *cache, struct promclient *client,
                                     const struct querycache_query *query) {
    struct cached_origin *origin = origin_of(cache, client);
    struct cached_query *q = map_get(&origin->queries, query->text);

    if (q) {
        cached_family_check(q, query);
        return q;
    }
    q = XNEW(struct cached_query);
    q->cache = cache;
    q->origin = origin;
    q->text = xstrdup(query->text);
    q->timer = loop_timer_new(cache->loop, on_timer, q);
    q->asked = loop_now(cache->loop) - cache->options.keep; /* never */
    map_put(&origin->queries, q->text, q);
    list_add(q);
    cache->stats.queries++;
    account(q);
    /* The new one is accounted for before what must go for it is chosen; and it may not be chosen itself. */
    cached_family_join(q, query);
    cached_query_evict(cache, q);
    return q;
}
