/* One query for all namespaces in place of one for each: when it is sent, what each namespace gets of it, and
 * what happens where it fails. On simulated time and a simulated server. */
#include "adapter/querycache.h"

#include "adapter/tests/fake_http.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/tests/fake_loop.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

enum { NAMESPACES = 40, BODY_MAX = 8 << 20 };

static const char WIDE[] = "all";

/* The server has pod a in namespace 0 to "there", with the number of the namespace as its value. */
struct world {
    struct loop *loop;
    struct fake_http http;
    struct promclient *client;
    struct querycache *cache;
    unsigned there;
    double plus;                  /* to each value */
    const struct fake_reply *all; /* the answer to the query for all, in place of the good one */
    const struct fake_reply *one; /* to those for one */
    const struct fake_reply *bad; /* to that for namespace bad_ns */
    unsigned bad_ns;
    struct buf body, bodies[NAMESPACES];
    int wide, narrow; /* queries that were sent */
};

struct user {
    struct world *w;
    unsigned ns;
    struct querycache_wait *wait;
    struct querycache_follow *follow;
    int told, code;
    bool has_vector;
    uint32_t count;
    double value; /* of pod a */
    void (*then)(struct user *u);
};

static void put_answer(struct world *w, struct buf *out, unsigned first, unsigned end) {
    buf_reset(out);
    buf_puts(out, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[");
    for (unsigned ns = first; ns < end && ns < w->there; ns++)
        buf_printf(out, "%s{\"metric\":{\"namespace\":\"n%u\",\"pod\":\"a\"},\"value\":[1,\"%g\"]}",
                   ns == first ? "" : ",", ns, ns + w->plus);
    buf_puts(out, "]}}");
}

/* What it says lives on until the next one of its kind, as the cache never sends a query twice at a time. */
static void serve(void *arg, const struct http_request *request, struct fake_reply *ret_reply) {
    struct world *w = arg;
    const char *form = request->body;
    bool all = strncmp(form, "query=all", 9) == 0;

    assert_true(all || strncmp(form, "query=n", 7) == 0);
    unsigned ns = all ? 0 : (unsigned)strtoul(form + 7, NULL, 10);
    *(all ? &w->wide : &w->narrow) += 1;
    struct buf *body = all ? &w->body : &w->bodies[ns % NAMESPACES];
    put_answer(w, body, ns, all ? w->there : ns + 1);
    *ret_reply = (struct fake_reply){.status = 200, .body = body->data};
    if (all ? w->all : w->one)
        *ret_reply = *(all ? w->all : w->one);
    if (!all && ns == w->bad_ns && w->bad)
        *ret_reply = *w->bad;
}

static struct world *world_new(const struct querycache_options *options) {
    struct world *w = XNEW(struct world);

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    w->loop = fake_loop_new();
    fake_http_init(&w->http, w->loop, serve, w);
    const struct prometheus_options o = {
        .url = "http://prom:9090", .timeout = 60 * SEC, .max_concurrent = 1000};
    assert_int_equal(promclient_new(w->loop, &w->http.head, &o, &w->client, NULL), 0);
    w->cache = querycache_new(w->loop, options ? options : &(struct querycache_options){0});
    w->there = NAMESPACES;
    buf_init(&w->body, BODY_MAX);
    for (int i = 0; i < NAMESPACES; i++)
        buf_init(&w->bodies[i], BODY_MAX);
    return w;
}

static void world_free(struct world *w) {
    querycache_free(w->cache);
    promclient_free(w->client);
    assert_int_equal(w->http.in_flight, 0);
    fake_loop_free(w->loop);
    buf_done(&w->body);
    for (int i = 0; i < NAMESPACES; i++)
        buf_done(&w->bodies[i]);
    free(w);
}

static void on_told(void *arg, const struct vector *vector, const struct err *err) {
    struct user *u = arg;

    u->told++;
    u->wait = NULL;
    u->code = err->code;
    u->has_vector = vector != NULL;
    u->count = vector ? vector->count : 0;
    const struct vector_sample *sample = vector ? vector_find(vector, "pod", "a") : NULL;
    u->value = sample ? sample->value : -1;
    if (u->then)
        u->then(u);
}

struct texts {
    char text[16], ns[16];
    struct querycache_query query;
};

static const struct querycache_query *query_of(unsigned ns, struct texts *t) {
    snprintf(t->text, sizeof(t->text), "n%u", ns);
    snprintf(t->ns, sizeof(t->ns), "n%u", ns);
    t->query = (struct querycache_query){t->text, WIDE, "namespace", t->ns};
    return &t->query;
}

static void ask(struct user *u) {
    struct texts t;

    u->wait = querycache_ask(u->w->cache, u->w->client, query_of(u->ns, &t), on_told, u);
}

static void ask_all(struct world *w, struct user *users, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        users[i].w = w;
        users[i].ns = i;
        ask(&users[i]);
    }
}

static void follow_all(struct world *w, struct user *users, unsigned count, usec_t interval) {
    struct texts t;

    for (unsigned i = 0; i < count; i++) {
        users[i].w = w;
        users[i].ns = i;
        users[i].follow =
            querycache_follow(w->cache, w->client, query_of(i, &t), interval, on_told, &users[i]);
    }
}

static void unfollow_all(struct user *users, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        querycache_unfollow(users[i].follow);
}

static void assert_values(const struct user *users, unsigned count, double plus) {
    for (unsigned i = 0; i < count; i++) {
        assert_true(users[i].told > 0 && users[i].has_vector && users[i].code == 0);
        assert_int_equal(users[i].count, 1);
        assert_true(users[i].value == i + plus);
    }
}

static struct querycache_stats stats(const struct world *w) {
    struct querycache_stats s;

    querycache_stats(w->cache, &s);
    return s;
}

static void test_few_ask_for_themselves(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[3] = {0};

    for (int i = 0; i < 100; i++) {
        ask_all(w, users, 3);
        fake_loop_run(w->loop, SEC);
    }
    assert_values(users, 3, 0);
    assert_int_equal(w->wide, 0);
    assert_in_range(w->narrow, 27, 33);
    world_free(w);
}

/* From the fourth namespace on there is one query for all of them, and nobody waits for long. */
static void test_many_share_one(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[NAMESPACES] = {0};

    ask_all(w, users, NAMESPACES);
    fake_loop_run(w->loop, SEC);
    assert_values(users, NAMESPACES, 0);
    assert_int_equal(w->narrow, 3);
    assert_int_equal(w->wide, 1);
    for (int i = 0; i < 300; i++) {
        w->plus = i;
        ask_all(w, users, NAMESPACES);
        for (unsigned n = 0; n < NAMESPACES; n++)
            assert_true(!users[n].wait && users[n].value >= (double)n + i - 12 && users[n].code == 0);
        fake_loop_run(w->loop, SEC);
    }
    assert_int_equal(w->narrow, 3);
    assert_in_range(w->wide, 28, 31);
    assert_int_equal(stats(w).wide, (uint64_t)w->wide);
    world_free(w);
}

/* One that comes later is answered from what there is, also where it has no elements. */
static void test_one_more(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[NAMESPACES] = {0};
    struct user none = {.w = w, .ns = 1000};

    ask_all(w, users, 4);
    fake_loop_run(w->loop, SEC);
    ask_all(w, users, NAMESPACES);
    assert_values(users, NAMESPACES, 0);
    ask(&none);
    assert_true(none.told == 1 && none.has_vector && none.count == 0);
    assert_int_equal(w->wide, 1);
    assert_int_equal(w->narrow, 3);
    world_free(w);
}

static void test_followers(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[NAMESPACES] = {0};
    struct user late = {.w = w, .ns = 5};
    struct texts t;

    follow_all(w, users, NAMESPACES, 15 * SEC);
    fake_loop_run(w->loop, SEC);
    assert_values(users, NAMESPACES, 0);
    late.follow = querycache_follow(w->cache, w->client, query_of(5, &t), 15 * SEC, on_told, &late);
    fake_loop_run(w->loop, SEC);
    assert_true(late.told == 1 && late.value == 5);
    w->plus = 100;
    fake_loop_run(w->loop, 150 * SEC);
    assert_values(users, NAMESPACES, 100);
    assert_in_range(w->wide, 9, 12);
    assert_int_equal(w->narrow, 3);
    unfollow_all(users, NAMESPACES);
    querycache_unfollow(late.follow);
    fake_loop_run(w->loop, USEC_PER_MIN);
    assert_int_equal(stats(w).queries, 0);
    assert_int_equal(stats(w).bytes, 0);
    world_free(w);
}

/* Who wants a value more often than anything need be fresh asks for it alone. */
static void test_who_is_in_a_hurry(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[5] = {0}, hasty = {.w = w, .ns = 9};
    struct texts t;

    follow_all(w, users, 5, 15 * SEC);
    hasty.follow = querycache_follow(w->cache, w->client, query_of(9, &t), 2 * SEC, on_told, &hasty);
    fake_loop_run(w->loop, 150 * SEC);
    assert_in_range(hasty.told, 68, 90);
    assert_in_range(w->wide, 9, 13);
    unfollow_all(users, 5);
    querycache_unfollow(hasty.follow);
    world_free(w);
}

static void test_fewer_again(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[NAMESPACES] = {0};

    ask_all(w, users, NAMESPACES);
    for (int i = 0; i < 400; i++) {
        ask_all(w, users, 2);
        fake_loop_run(w->loop, SEC);
    }
    assert_int_equal(stats(w).queries, 2);
    assert_true(stats(w).bytes < 5000); /* without the answer for all */
    int wide = w->wide, narrow = w->narrow;
    w->plus = 7;
    for (int i = 0; i < 100; i++) {
        ask_all(w, users, 2);
        fake_loop_run(w->loop, SEC);
    }
    assert_values(users, 2, 7);
    assert_int_equal(w->wide, wide);
    assert_in_range(w->narrow - narrow, 18, 21);
    world_free(w);
}

static const struct fake_reply refused = {
    .status = 422,
    .body = "{\"status\":\"error\",\"error\":\"query processing would load too many samples\"}"};

/* The query for all fails and the one for one does not: each asks for itself, and is answered. */
static void test_back_where_it_fails(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[NAMESPACES] = {0};

    w->all = &refused;
    ask_all(w, users, NAMESPACES);
    fake_loop_run(w->loop, SEC);
    assert_values(users, NAMESPACES, 0);
    assert_int_equal(w->wide, 1);
    assert_int_equal(w->narrow, NAMESPACES);
    w->plus = 3;
    for (int i = 0; i < 300; i++) {
        ask_all(w, users, NAMESPACES);
        fake_loop_run(w->loop, SEC);
    }
    assert_values(users, NAMESPACES, 3);
    assert_int_equal(w->wide, 1);
    /* After some minutes it is tried again. */
    w->all = NULL;
    for (int i = 0; i < 400; i++) {
        ask_all(w, users, NAMESPACES);
        fake_loop_run(w->loop, SEC);
    }
    assert_true(w->wide > 5);
    world_free(w);
}

/* What one namespace has spoils the query for all, and its own: it is nobody else's failure, though it may be
 * the one that is asked to find out. */
static void test_one_is_refused(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[NAMESPACES] = {0};

    w->all = w->bad = &refused;
    w->bad_ns = NAMESPACES - 1;
    for (int i = 0; i < 60; i++) {
        ask_all(w, users, NAMESPACES);
        fake_loop_run(w->loop, SEC);
        assert_values(users, NAMESPACES - 1, 0);
        assert_true(users[NAMESPACES - 1].code != 0 && !users[NAMESPACES - 1].has_vector);
    }
    assert_int_equal(w->wide, 1);
    world_free(w);
}

/* One that says nothing of the server does not keep the others waiting for long either. */
static void test_one_is_too_slow(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[NAMESPACES] = {0};
    const struct fake_reply timeout = {.status = 503, .body = "", .delay = SEC};

    w->all = w->bad = &timeout;
    w->bad_ns = NAMESPACES - 1;
    for (int i = 0; i < 10; i++) {
        ask_all(w, users, NAMESPACES);
        fake_loop_run(w->loop, SEC);
    }
    ask_all(w, users, NAMESPACES);
    assert_values(users, NAMESPACES - 1, 0);
    assert_true(users[NAMESPACES - 1].code != 0);
    world_free(w);
}

/* The same when it has been good for a while: nobody sees anything of it. */
static void test_back_later(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[NAMESPACES] = {0};

    ask_all(w, users, NAMESPACES);
    fake_loop_run(w->loop, 5 * SEC);
    w->all = &refused;
    w->plus = 3;
    for (int i = 0; i < 60; i++) {
        ask_all(w, users, NAMESPACES);
        for (unsigned n = 0; n < NAMESPACES; n++)
            assert_true(!users[n].wait && users[n].code == 0 && users[n].has_vector);
        fake_loop_run(w->loop, SEC);
    }
    assert_values(users, NAMESPACES, 3);
    assert_int_equal(w->wide, 2);
    world_free(w);
}

/* A query for all that hangs is given up while there is time to ask for one. */
static void test_it_hangs(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[NAMESPACES] = {0};
    const struct fake_reply slow = {.status = 200, .body = "", .delay = 50 * SEC};

    w->all = &slow;
    ask_all(w, users, NAMESPACES);
    fake_loop_run(w->loop, 6 * SEC);
    assert_values(users, NAMESPACES, 0);
    world_free(w);
}

/* The server is down: the last good answer stands in for each, then nothing does; two queries are sent at a
 * time for all of them, and not one for each. */
static void test_server_down(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[NAMESPACES] = {0};
    const struct fake_reply down = {.status = 503, .body = "down"};

    ask_all(w, users, NAMESPACES);
    fake_loop_run(w->loop, SEC);
    w->all = w->one = &down;
    int sent = w->http.started;
    for (int i = 0; i < 60; i++) {
        ask_all(w, users, NAMESPACES);
        fake_loop_run(w->loop, SEC);
    }
    for (unsigned i = 0; i < NAMESPACES; i++)
        assert_true(users[i].has_vector && users[i].value == i && users[i].code != 0);
    assert_in_range(w->http.started - sent, 4, 40);
    for (int i = 0; i < 100; i++) {
        ask_all(w, users, NAMESPACES);
        fake_loop_run(w->loop, SEC);
    }
    for (unsigned i = 0; i < NAMESPACES; i++)
        assert_true(!users[i].has_vector && users[i].code != 0);
    w->all = w->one = NULL;
    int wide = w->wide;
    fake_loop_run(w->loop, 15 * SEC);
    ask_all(w, users, NAMESPACES);
    assert_values(users, NAMESPACES, 0);
    assert_true(w->wide > wide);
    world_free(w);
}

/* Thousands of namespaces, of which a few are asked for: what they need is given, but once only. */
static void test_not_worth_it(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[10] = {0};

    w->there = 3000;
    for (int i = 0; i < 60; i++) {
        ask_all(w, users, 10);
        fake_loop_run(w->loop, SEC);
    }
    assert_values(users, 10, 0);
    assert_int_equal(w->wide, 1);
    assert_in_range(w->narrow, 50, 65);
    assert_true(stats(w).bytes < 64 << 10);
    world_free(w);
}

/* A cache that is full of what nobody asks for any more has room for it. */
static void test_full_of_others(void **state) {
    (void)state;
    struct world *w = world_new(&(struct querycache_options){.max_bytes = 512 << 10});
    struct user users[NAMESPACES] = {0};
    struct user other = {.w = w};
    char text[16];

    w->there = 2000;
    for (int i = 1000; i < 2000; i++) {
        snprintf(text, sizeof(text), "n%d", i);
        other.wait =
            querycache_ask(w->cache, w->client, &(struct querycache_query){.text = text}, on_told, &other);
        fake_loop_run(w->loop, SEC / 10);
    }
    assert_true(stats(w).evicted > 0);
    w->there = NAMESPACES;
    for (int i = 0; i < 60; i++) {
        ask_all(w, users, NAMESPACES);
        fake_loop_run(w->loop, SEC);
    }
    assert_values(users, NAMESPACES, 0);
    assert_in_range(w->wide, 5, 7);
    world_free(w);
}

/* A text that is also asked for by itself is answered by itself. */
static void test_asked_in_two_ways(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[NAMESPACES] = {0};
    struct user plain = {.w = w};

    ask_all(w, users, NAMESPACES);
    fake_loop_run(w->loop, SEC);
    plain.wait =
        querycache_ask(w->cache, w->client, &(struct querycache_query){.text = "n7"}, on_told, &plain);
    assert_non_null(plain.wait);
    fake_loop_run(w->loop, SEC);
    assert_true(plain.value == 7);
    assert_int_equal(w->narrow, 4);
    ask_all(w, users, NAMESPACES);
    assert_values(users, NAMESPACES, 0);
    world_free(w);
}

/* The same while the family is asking for it, and the server has been down: it goes on by itself. */
static void test_asked_in_another_way_when_down(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[NAMESPACES] = {0};
    struct user plain = {.w = w};
    const struct fake_reply down = {.status = 503, .body = "down", .delay = SEC};

    w->all = w->one = &down;
    ask_all(w, users, NAMESPACES);
    for (int wide = 0; wide < 4; wide = w->wide)
        fake_loop_run(w->loop, SEC / 10);
    fake_loop_run(w->loop, SEC / 2);
    for (int i = 0; i < 60; i++) {
        if (!plain.wait)
            plain.wait = querycache_ask(w->cache, w->client, &(struct querycache_query){.text = "n7"},
                                        on_told, &plain);
        assert_true(i || (plain.told == 1 && plain.code != 0)); /* in the middle of it */
        w->all = w->one = NULL;
        fake_loop_run(w->loop, SEC);
    }
    assert_true(plain.code == 0 && plain.value == 7);
    fake_loop_run(w->loop, 10 * USEC_PER_MIN);
    assert_int_equal(stats(w).queries, 0);
    world_free(w);
}

/* Whoever is told may end everything that others wait for. */
static void forget(struct user *u) {
    u->then = NULL;
    querycache_forget(u->w->cache, u->w->client);
}

static void test_forget_inside(void **state) {
    (void)state;
    for (int failing = 0; failing < 2; failing++) {
        struct world *w = world_new(NULL);
        struct user users[NAMESPACES] = {0};
        const struct fake_reply down = {.status = 503, .body = "down"};

        w->all = w->one = failing ? &down : NULL;
        follow_all(w, users, NAMESPACES, 15 * SEC);
        users[20].then = forget;
        fake_loop_run(w->loop, USEC_PER_MIN);
        for (unsigned i = 0; i < NAMESPACES; i++)
            assert_true(users[i].told > 0);
        assert_int_equal(stats(w).queries, 0);
        assert_int_equal(stats(w).bytes, 0);
        unfollow_all(users, NAMESPACES);
        world_free(w);
    }
}

/* In the middle of the query for all, and of the one that decides after its failure. */
static void test_end_at_any_time(void **state) {
    (void)state;
    const struct fake_reply late = {.status = 503, .body = "down", .delay = SEC};

    for (int step = 0; step < 30; step++) {
        struct world *w = world_new(NULL);
        struct user users[NAMESPACES] = {0};
        w->all = w->one = &late;
        ask_all(w, users, NAMESPACES);
        fake_loop_run(w->loop, step * SEC / 10);
        for (unsigned i = 0; i < NAMESPACES; i += 2)
            querycache_cancel(users[i].wait);
        if (step % 2)
            querycache_forget(w->cache, w->client);
        else
            fake_loop_run(w->loop, 5 * SEC);
        for (unsigned i = 1; i < NAMESPACES; i += 2)
            assert_int_equal(users[i].told, 1);
        world_free(w);
    }
}

/* The limits hold for what families have too, and the least used go with what they have. */
static void test_evicted(void **state) {
    (void)state;
    struct world *w = world_new(&(struct querycache_options){.max_queries = 20});
    struct user users[NAMESPACES] = {0};

    ask_all(w, users, NAMESPACES);
    fake_loop_run(w->loop, SEC);
    assert_values(users, NAMESPACES, 0);
    fake_loop_run(w->loop, 30 * SEC);
    assert_true(stats(w).queries <= 20);
    fake_loop_run(w->loop, 10 * USEC_PER_MIN);
    assert_int_equal(stats(w).queries, 0);
    assert_int_equal(stats(w).bytes, 0);
    world_free(w);
}

/* What makes room for an answer may leave so few that there is no use for it. */
static void test_evicted_by_it(void **state) {
    (void)state;
    struct world *w = world_new(&(struct querycache_options){.max_queries = 3});
    struct user users[4] = {0};
    const struct fake_reply slow = {.status = 503, .body = "", .delay = 3 * SEC};

    w->one = &slow;
    ask_all(w, users, 4);
    for (int i = 0; i < 3; i++)
        querycache_cancel(users[i].wait);
    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->wide, 1);
    assert_true(users[3].told == 1 && users[3].code == 0 && users[3].value == 3);
    assert_int_equal(stats(w).evicted, 1);
    world_free(w);
}

/* Whoever is told does something to somebody. */
static void do_anything(struct user *u);

static struct user everybody[NAMESPACES];
static uint64_t chance = 1;

static unsigned below(unsigned n) {
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(chance >> 33) % n;
}

static void one_step(struct world *w) {
    struct user *u = &everybody[below(NAMESPACES)];
    struct texts t;

    switch (below(20)) {
    case 0:
        querycache_cancel(steal_ptr(&u->wait));
        return;
    case 1:
        querycache_unfollow(steal_ptr(&u->follow));
        return;
    case 2:
        if (!u->follow)
            u->follow = querycache_follow(w->cache, w->client, query_of(u->ns, &t), (usec_t)below(20) * SEC,
                                          on_told, u);
        return;
    case 3:
        u->then = u->then ? NULL : do_anything;
        return;
    case 4:
        if (!below(20))
            querycache_forget(w->cache, w->client);
        return;
    case 5: /* in another way */
        query_of(u->ns, &t);
        t.query.wide = NULL;
        if (!u->wait)
            u->wait = querycache_ask(w->cache, w->client, &t.query, on_told, u);
        return;
    default:
        if (!u->wait)
            ask(u);
    }
}

static void do_anything(struct user *u) {
    static int depth;

    if (depth == 3)
        return;
    depth++;
    one_step(u->w);
    depth--;
}

/* Whatever is done, and whatever the server says: what anyone is given is whole and of its namespace, the
 * books are right in the end, and the sanitizers have nothing to say. */
static void test_anything(void **state) {
    (void)state;
    struct world *w = world_new(&(struct querycache_options){.keep = 40 * SEC});
    const struct fake_reply down = {.status = 503, .body = "down", .delay = SEC / 3};
    const struct fake_reply slow = {.status = 200, .body = "", .delay = 30 * SEC};
    const struct fake_reply *const replies[] = {NULL, NULL, NULL, NULL, &down, &refused, &slow};

    for (unsigned i = 0; i < NAMESPACES; i++)
        everybody[i] = (struct user){.w = w, .ns = i};
    for (int i = 0; i < 6000; i++) {
        one_step(w);
        if (!below(4))
            fake_loop_run(w->loop, (usec_t)below(3000) * USEC_PER_MSEC);
        if (!below(100))
            w->all = replies[below(7)];
        if (!below(200))
            w->one = replies[below(7)];
        if (!below(200)) {
            w->bad = replies[below(7)];
            w->bad_ns = below(NAMESPACES);
        }
        if (!below(500))
            fake_loop_run(w->loop, 11 * USEC_PER_MIN);
        for (unsigned n = 0; n < NAMESPACES; n++)
            assert_true(!everybody[n].has_vector || everybody[n].value == n);
    }
    assert_true(w->wide > 30 && w->narrow > 30);
    for (unsigned i = 0; i < NAMESPACES; i++) {
        everybody[i].then = NULL;
        querycache_unfollow(everybody[i].follow);
    }
    w->all = w->one = w->bad = NULL;
    fake_loop_run(w->loop, 10 * USEC_PER_MIN);
    assert_int_equal(stats(w).queries, 0);
    assert_int_equal(stats(w).bytes, 0);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_ask_for_themselves),
        cmocka_unit_test(test_many_share_one),
        cmocka_unit_test(test_one_more),
        cmocka_unit_test(test_followers),
        cmocka_unit_test(test_who_is_in_a_hurry),
        cmocka_unit_test(test_fewer_again),
        cmocka_unit_test(test_back_where_it_fails),
        cmocka_unit_test(test_one_is_refused),
        cmocka_unit_test(test_one_is_too_slow),
        cmocka_unit_test(test_back_later),
        cmocka_unit_test(test_it_hangs),
        cmocka_unit_test(test_server_down),
        cmocka_unit_test(test_not_worth_it),
        cmocka_unit_test(test_full_of_others),
        cmocka_unit_test(test_asked_in_two_ways),
        cmocka_unit_test(test_asked_in_another_way_when_down),
        cmocka_unit_test(test_forget_inside),
        cmocka_unit_test(test_end_at_any_time),
        cmocka_unit_test(test_evicted),
        cmocka_unit_test(test_evicted_by_it),
        cmocka_unit_test(test_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
