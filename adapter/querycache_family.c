/* One query for all namespaces in place of one for each: when, what each gets of its answer, and the way back
 * where it fails. */
#include "adapter/querycache_internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

/* So many namespaces are asked for one by one. */
enum { NARROW_MAX = 3 };
/* An answer with more elements than the one, or with more than the other of which less than a part is of
 * namespaces that are asked for, is the last one of its kind for a while. */
enum { ELEMENTS_MAX = 50 * 1000, ELEMENTS_FEW = 1000, WORTH = 4 };
static const usec_t BARRED = 10 * USEC_PER_MIN;
/* The part of the time that anyone waits which the query has; the rest is for the one for a namespace. */
enum { PATIENCE = 2 };
enum { SEPARATOR = '\x1f' };

static usec_t now_of(const struct cached_family *f) {
    return loop_now(f->cache->loop);
}

/* One that is followed more often than anything need be fresh does not drag the others along. */
static bool delegates(const struct cached_query *q) {
    const struct cached_family *f = q->family;
    usec_t interval = subscribers_interval(&q->follows);

    return f && f->count > NARROW_MAX && q != f->probe && now_of(f) >= f->barred_until &&
           (!interval || interval >= q->cache->options.freshness);
}

/* Whether its last fetch was a good one, and the next one may not be sent yet. */
static bool rests(const struct cached_family *f) {
    return f->vector && !f->call && f->fetched >= f->started &&
           now_of(f) - f->started < f->cache->options.freshness;
}

static void keep_vector(struct cached_family *f, struct vector *vector) {
    /* The parts that were given out share the memory by a count: they may outlive it. */
    vector_free(f->vector);
    f->vector = vector;
    f->cache->stats.bytes -= f->bytes;
    f->bytes = vector ? vector_size(vector) : 0;
    f->cache->stats.bytes += f->bytes;
}

/* The parts that are still shown live on. */
static void bar(struct cached_family *f, const char *why) {
    log_info("querycache", "no query for all namespaces for a while: %s: %s", why, f->text);
    /* From now on delegates says no of every member. Whoever has been left to the family is scheduled by
     * the caller. */
    f->barred_until = now_of(f) + BARRED;
    keep_vector(f, NULL);
}

static void take_part(struct cached_query *q) {
    const struct cached_family *f = q->family;

    cached_query_take(q, f->started, vector_part(f->vector, q->ns));
    /* cached_query_take has put the present there; the answer is as old as the family's. */
    q->fetched = f->fetched;
}

bool cached_family_busy(const struct cached_query *q) {
    /* While a probe is out the family's failure is undecided, and its members go on waiting for the
     * outcome. */
    return delegates(q) && (q->family->call || q->family->probe);
}

bool cached_family_give(struct cached_query *q) {
    if (q->call || !delegates(q) || !rests(q->family))
        return false;
    take_part(q);
    cached_query_schedule(q);
    cached_query_hold(q);
    cached_query_tell(q);
    cached_query_release(q);
    return true;
}

/* ---- members ---- */

/* A member that does not fetch by itself, or NULL; each time another one, for it may fail where the others
 * would not. */
static struct cached_query *idle_member(struct cached_family *f) {
    struct cached_query *found = NULL;
    /* The last idle one up to turn; where there is none, the first one behind it. */
    uint32_t turn = f->probes++ % f->count, at = 0;

    for (struct cached_query *q = f->first; q && !(found && at > turn); q = q->sibling, at++)
        if (!q->call)
            found = q;
    return found;
}

static void start_probe(struct cached_family *f) {
    f->probe = idle_member(f);
    /* Without one all members are fetching for themselves, and each will learn how the server is. */
    if (f->probe)
        cached_query_fetch(f->probe);
}

static void stop(struct cached_family *f) {
    promclient_cancel(steal_ptr(&f->call));
    promvector_free(steal_ptr(&f->reader));
    loop_timer_cancel(f->timer);
}

static void family_free(struct cached_family *f) {
    stop(f);
    keep_vector(f, NULL);
    loop_timer_free(f->timer);
    free(f->ns_label);
    free(f->key);
    free(f);
}

static void unlink_member(struct cached_family *f, struct cached_query *q) {
    *q->sibling_at = q->sibling;
    if (q->sibling)
        q->sibling->sibling_at = q->sibling_at;
    f->count--;
    q->family = NULL;
}

void cached_family_leave(struct cached_query *q) {
    struct cached_family *f = q->family;

    if (!f)
        return;
    unlink_member(f, q);
    if (!f->count) {
        map_remove(&f->origin->families, f->key);
        family_free(f);
        return;
    }
    /* Nobody is given a part of it any more; a fetch that is under way still serves those who wait for it. */
    if (f->count <= NARROW_MAX)
        keep_vector(f, NULL);
    /* Its fetch goes with it, and the others would wait for an outcome that never comes. */
    if (f->probe == q)
        start_probe(f);
}

void cached_family_end_all(struct cached_origin *origin) {
    struct map_iter it = {0};
    void *value;

    while (map_next(&origin->families, &it, NULL, &value)) {
        struct cached_family *f = value;
        while (f->first)
            unlink_member(f, f->first);
        family_free(f);
    }
}

/* What it has is of the family, and may have a label more than its own answer: it is not shown any more. */
void cached_family_check(struct cached_query *q, const struct querycache_query *query) {
    const struct cached_family *f = q->family;

    if (!f ||
        (str_eq(query->wide, f->text) && str_eq(query->ns_label, f->ns_label) && str_eq(query->ns, q->ns)))
        return;
    cached_family_leave(q);
    q->fetched = loop_now(q->cache->loop) - q->cache->options.max_age;
    cached_query_schedule(q); /* nobody else does, where the family was at it */
}

/* ---- the query for all ---- */

/* Told are those who were members when it came: who is told may end any of them. */
struct told {
    uint32_t count;
    struct cached_query **queries;
};

static void add_told(struct told *told, struct cached_query *q) {
    told->queries[told->count++] = q;
    cached_query_hold(q);
}

/* Everything has been done beside this. */
static void tell_all(struct told *told) {
    for (uint32_t i = 0; i < told->count; i++) {
        cached_query_tell(told->queries[i]);
        cached_query_release(told->queries[i]);
    }
    free(told->queries);
}

static struct told told_of(const struct cached_family *f) {
    return (struct told){.queries = xcalloc(f->count, sizeof(struct cached_query *))};
}

static bool is_worth(const struct cached_family *f, size_t asked) {
    const struct querycache *cache = f->cache;
    uint32_t count = f->vector->count;

    return count <= ELEMENTS_MAX && (count <= ELEMENTS_FEW || asked * WORTH >= count) &&
           cache->stats.bytes <= cache->options.max_bytes;
}

static void give_parts(struct cached_family *f, struct vector *vector) {
    struct told told = told_of(f);
    size_t asked = 0;

    /* Before it is kept: grouping moves samples, which nobody may have seen by then. */
    vector_group(vector, f->ns_label);
    f->fetched = now_of(f);
    keep_vector(f, vector);
    for (struct cached_query *q = f->first; q; q = q->sibling) {
        /* What it fetches for itself is on its way, and will be told by that. */
        if (q->call)
            continue;
        take_part(q);
        asked += q->vector->count;
        add_told(&told, q);
    }
    /* Before its worth is judged: what nobody asks for any more does not count. It may end the family, but
     * not while there is somebody to be told, who is held; or leave it too few members to keep an answer. */
    cached_query_evict(f->cache, NULL);
    if (told.count && f->vector && !is_worth(f, asked))
        bar(f, "its answer is too large for what is asked of it");
    for (uint32_t i = 0; i < told.count; i++)
        cached_query_schedule(told.queries[i]);
    tell_all(&told);
}

/* Whether the server is there, and has something against this one query or its answer: it may well be what
 * the one namespace has that spoils the query for all, and is nobody else's failure. */
static bool is_of_query(const struct err *err) {
    return err->code == -EINVAL || err->code == -EBADMSG || err->code == -E2BIG;
}

/* The server answers for one namespace, and not for all of them: each asks for itself. */
static void go_narrow(struct cached_family *f) {
    bar(f, f->why.text);
    for (struct cached_query *q = f->first; q; q = q->sibling)
        if (!q->call)
            cached_query_schedule(q);
}

static void fail_all(struct cached_family *f, const struct cached_query *probe, const struct err *err) {
    struct told told = told_of(f);

    for (struct cached_query *q = f->first; q; q = q->sibling) {
        /* The probe has taken the failure already, and is told by its own fetch's end. */
        if (q->call || q == probe)
            continue;
        cached_query_fail(q, f->started, err);
        cached_query_schedule(q);
        add_told(&told, q);
    }
    tell_all(&told);
}

void cached_family_probed(struct cached_query *q, const struct err *err) {
    struct cached_family *f = q->family;

    if (!f || f->probe != q)
        return;
    /* Before the members are scheduled, or they would count as busy. */
    f->probe = NULL;
    if (err && !is_of_query(err))
        fail_all(f, q, err);
    else
        go_narrow(f);
}

static void on_done(void *arg, const struct err *err) {
    struct cached_family *f = arg;
    struct vector *vector = NULL;

    f->call = NULL;
    if (!err->code)
        promvector_finish(f->reader, clock_wall(), &vector, &f->why);
    else
        f->why = *err;
    /* After promvector_finish, which needs the reader; before the members, who may start the next fetch. */
    stop(f);
    f->cache->stats.failures += !vector;
    if (vector)
        give_parts(f, vector);
    else
        start_probe(f);
}

static void on_impatient(void *arg) {
    struct cached_family *f = arg;

    err_set(&f->why, -ETIMEDOUT, "it takes too long");
    stop(f);
    f->cache->stats.failures++;
    start_probe(f);
}

static int on_body(void *arg, const char *data, size_t len, struct err *err) {
    struct cached_family *f = arg;

    return promvector_feed(f->reader, data, len, err);
}

bool cached_family_fetch(struct cached_query *q) {
    struct cached_family *f = q->family;

    if (!delegates(q))
        return false;
    /* Whoever comes now waits with the others. */
    if (f->call || f->probe)
        return true;
    if (rests(f)) {
        loop_timer_set(q->timer, 0); /* it gets its part on another turn */
        return true;
    }
    f->started = now_of(f);
    f->cache->stats.wide++;
    loop_timer_set(f->timer, f->cache->options.wait / PATIENCE);
    f->call = cached_query_send(f->origin, f->cache, &(struct cached_sending){f->text, on_body, on_done, f},
                                &f->reader);
    return true;
}

/* ---- joining ---- */

static struct cached_family *family_of(struct cached_query *q, const struct querycache_query *query) {
    cleanup_free char *key = xasprintf("%s%c%s", query->ns_label, SEPARATOR, query->wide);
    struct cached_family *f = map_get(&q->origin->families, key);

    if (f)
        return f;
    f = XNEW(struct cached_family);
    f->origin = q->origin;
    f->cache = q->cache;
    f->key = steal_ptr(&key);
    f->ns_label = xstrdup(query->ns_label);
    f->text = f->key + strlen(f->ns_label) + 1;
    f->timer = loop_timer_new(f->cache->loop, on_impatient, f);
    f->barred_until = now_of(f);
    map_put(&q->origin->families, f->key, f);
    return f;
}

void cached_family_join(struct cached_query *q, const struct querycache_query *query) {
    if (!query->wide)
        return;
    struct cached_family *f = family_of(q, query);
    q->family = f;
    q->ns = xstrdup(query->ns);
    q->sibling = f->first;
    q->sibling_at = &f->first;
    if (f->first)
        f->first->sibling_at = &q->sibling;
    f->first = q;
    f->count++;
    if (!delegates(q) || !rests(f))
        return;
    take_part(q);
    /* As if it had been there when the answer came: its turn is the family's. */
    loop_timer_set(q->timer, f->started + q->cache->options.freshness - now_of(f));
}
