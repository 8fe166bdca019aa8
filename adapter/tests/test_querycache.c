/* The cache of answers on simulated time and a simulated server: who waits, who does not, when is asked. */
#include "adapter/querycache.h"

#include "adapter/tests/fake_http.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/tests/fake_loop.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MSEC USEC_PER_MSEC
#define SEC USEC_PER_SEC

enum { STARTS_MAX = 4096 };

struct world {
    struct loop *loop;
    struct fake_http http;
    struct promclient *client;
    struct querycache *cache;
    /* The server: a vector of this value, unless reply says something else. */
    double value;
    const struct fake_reply *reply;
    usec_t delay;
    char body[512];
    usec_t starts[STARTS_MAX]; /* of its queries */
};

/* One who asks or follows, and what it was told last. */
struct user {
    struct world *w;
    struct querycache_wait *wait;
    struct querycache_follow *follow;
    int told, code;
    bool has_vector;
    double value;
    char text[ERR_TEXT_MAX];
    void (*then)(struct user *u); /* inside the callback */
    struct user *other;
};

static void serve(void *arg, const struct http_request *request, struct fake_reply *ret_reply) {
    struct world *w = arg;

    (void)request;
    if (w->http.started < STARTS_MAX)
        w->starts[w->http.started] = loop_now(w->loop);
    snprintf(w->body, sizeof(w->body),
             "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"pod\":"
             "\"a\"},\"value\":[1700000000,\"%g\"]}]}}",
             w->value);
    *ret_reply = w->reply ? *w->reply : (struct fake_reply){.status = 200, .body = w->body};
    if (w->delay)
        ret_reply->delay = w->delay;
}

static struct world *world_new(const struct querycache_options *options) {
    struct world *w = XNEW(struct world);
    struct err err = {0};

    w->loop = fake_loop_new();
    fake_http_init(&w->http, w->loop, serve, w);
    const struct prometheus_options o = {
        .url = "http://prom:9090", .timeout = 20 * SEC, .max_concurrent = 1000};
    assert_int_equal(promclient_new(w->loop, &w->http.head, &o, &w->client, &err), 0);
    w->cache = querycache_new(w->loop, options ? options : &(struct querycache_options){0});
    w->value = 1;
    return w;
}

static void world_free(struct world *w) {
    querycache_free(w->cache);
    promclient_free(w->client);
    assert_int_equal(w->http.in_flight, 0);
    fake_loop_free(w->loop);
    free(w);
}

static void on_told(void *arg, const struct vector *vector, const struct err *err) {
    struct user *u = arg;

    u->told++;
    u->wait = NULL;
    u->code = err->code;
    snprintf(u->text, sizeof(u->text), "%s", err->code ? err->text : "");
    u->has_vector = vector != NULL;
    if (vector)
        u->value = vector_find(vector, "pod", "a")->value;
    if (u->then)
        u->then(u);
    if (vector) /* still whole, whatever was done */
        assert_true(vector_find(vector, "pod", "a")->value == u->value);
}

/* Whether it was told at once. */
static bool ask(struct user *u, const char *query) {
    int before = u->told;

    u->wait =
        querycache_ask(u->w->cache, u->w->client, &(struct querycache_query){.text = query}, on_told, u);
    assert_true((u->wait == NULL) == (u->told == before + 1));
    return u->told == before + 1;
}

static void follow(struct user *u, const char *query, usec_t interval) {
    int before = u->told;

    u->follow = querycache_follow(u->w->cache, u->w->client, &(struct querycache_query){.text = query},
                                  interval, on_told, u);
    assert_int_equal(u->told, before);
}

static struct querycache_stats stats(struct world *w) {
    struct querycache_stats s;

    querycache_stats(w->cache, &s);
    return s;
}

static void test_one_fetch_for_all(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user users[100];

    for (int i = 0; i < 100; i++) {
        users[i] = (struct user){.w = w};
        assert_false(ask(&users[i], "sum(x) by (pod)"));
    }
    fake_loop_run(w->loop, 10 * MSEC);
    assert_string_equal(w->http.body, "query=sum%28x%29%20by%20%28pod%29&timeout=20000ms");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(users[i].told, 1);
        assert_true(users[i].has_vector && users[i].code == 0 && users[i].value == 1);
    }
    assert_true(ask(&users[0], "sum(x) by (pod)"));
    assert_false(ask(&users[1], "another"));
    querycache_cancel(users[1].wait);
    assert_int_equal(w->http.started, 2);
    struct querycache_stats s = stats(w);
    assert_int_equal(s.misses, 2);
    assert_int_equal(s.shared, 99);
    assert_int_equal(s.hits, 1);
    assert_int_equal(s.fetches, 2);
    assert_int_equal(s.queries, 2);
    assert_true(s.bytes > 0);
    world_free(w);
}

/* Who asks steadily never waits after the first time, and never sees a value that is more than a little older
 * than the freshness; within the freshness one query is sent at most. */
static void test_steady_reader(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user u = {.w = w};

    w->delay = 300 * MSEC;
    ask(&u, "x");
    fake_loop_run(w->loop, SEC);
    assert_int_equal(u.told, 1);
    for (int i = 0; i < 600; i++) {
        w->value = (double)loop_now(w->loop) / 1e6;
        assert_true(ask(&u, "x"));
        assert_int_equal(u.code, 0);
        if (i > 20)
            assert_true((double)loop_now(w->loop) / 1e6 - u.value < 11.6); /* set once a second */
        assert_true(stats(w).oldest < 10500 * MSEC);
        fake_loop_run(w->loop, SEC);
    }
    assert_in_range(w->http.started, 55, 61);
    for (int i = 1; i < w->http.started; i++)
        assert_true(w->starts[i] - w->starts[i - 1] >= 10 * SEC);
    world_free(w);
}

/* Between the freshness and the next answer there is a value too, also where it may not get any older. */
static void test_shown_until_refreshed(void **state) {
    (void)state;
    struct world *w = world_new(&(struct querycache_options){.max_age = SEC});
    struct user u = {.w = w};

    w->delay = 200 * MSEC;
    ask(&u, "x");
    fake_loop_run(w->loop, SEC);
    for (int i = 0; i < 1000; i++) {
        assert_true(ask(&u, "x"));
        assert_true(u.has_vector && u.code == 0);
        fake_loop_run(w->loop, 50 * MSEC);
    }
    world_free(w);
}

static void test_forgotten_when_nobody_asks(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user u = {.w = w};

    ask(&u, "x");
    fake_loop_run(w->loop, 4 * USEC_PER_MIN);
    assert_int_equal(stats(w).queries, 1);
    fake_loop_run(w->loop, 90 * SEC);
    assert_int_equal(stats(w).queries, 0);
    assert_int_equal(stats(w).bytes, 0);
    assert_int_equal(stats(w).oldest, 0);
    int started = w->http.started;
    assert_in_range(started, 30, 34);
    fake_loop_run(w->loop, USEC_PER_HOUR);
    assert_int_equal(w->http.started, started);
    world_free(w);
}

/* Queries that were first asked for at the same moment are not refreshed so for ever. */
static void test_refreshes_are_spread(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    static struct user users[200];

    for (int i = 0; i < 200; i++) {
        char query[16];
        snprintf(query, sizeof(query), "q%d", i);
        users[i] = (struct user){.w = w};
        ask(&users[i], query);
    }
    fake_loop_run(w->loop, 100 * SEC);
    int last = w->http.started - 1;
    for (int i = 0; i + 60 <= last; i++)
        assert_true(w->starts[i + 60] - w->starts[i] > 0 || i < 200);
    /* The last 200 took longer than a moment: about 1.25 s, as chance will have it. */
    assert_true(w->starts[last] - w->starts[last - 199] > SEC / 2);
    world_free(w);
}

static void test_waiting_is_bounded(void **state) {
    (void)state;
    struct world *w = world_new(&(struct querycache_options){.wait = 2 * SEC});
    struct user u = {.w = w}, late = {.w = w};

    w->delay = 5 * SEC;
    ask(&u, "x");
    fake_loop_run(w->loop, SEC);
    ask(&late, "x");
    fake_loop_run(w->loop, SEC - 1);
    assert_int_equal(u.told, 0);
    fake_loop_run(w->loop, 1);
    assert_int_equal(u.told, 1);
    assert_int_equal(u.code, -ETIMEDOUT);
    assert_false(u.has_vector);
    assert_string_equal(u.text, "Prometheus http://prom:9090: no answer within 2s");
    assert_int_equal(late.told, 0);
    fake_loop_run(w->loop, SEC);
    assert_int_equal(late.told, 1);
    /* The fetch goes on, and its answer is there for the next one. */
    fake_loop_run(w->loop, 3 * SEC);
    assert_true(ask(&u, "x"));
    assert_int_equal(u.code, 0);
    assert_int_equal(u.told, 2);
    assert_int_equal(w->http.started, 1);
    world_free(w);
}

static const struct fake_reply down = {.err = {-ECONNREFUSED, "no"}};
static const struct fake_reply refused = {
    .status = 400,
    .body = "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"1:5: parse error\"}"};

static void test_last_good_answer_until_too_old(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user u = {.w = w};

    ask(&u, "x");
    fake_loop_run(w->loop, 5 * SEC);
    w->reply = &down;
    /* A refresh that failed takes nothing from an answer that is fresh. */
    fake_loop_run(w->loop, 4900 * MSEC);
    assert_true(ask(&u, "x"));
    assert_int_equal(u.code, 0);
    for (int i = 0; i < 100; i++) {
        fake_loop_run(w->loop, SEC);
        ask(&u, "x");
    }
    fake_loop_run(w->loop, SEC);
    assert_int_equal(u.code, -ECONNREFUSED);
    assert_string_equal(u.text, "Prometheus http://prom:9090: connection refused");
    assert_true(u.has_vector && u.value == 1);
    fake_loop_run(w->loop, 12 * SEC);
    ask(&u, "x");
    fake_loop_run(w->loop, SEC);
    assert_int_equal(u.code, -ECONNREFUSED);
    assert_false(u.has_vector);
    fake_loop_run(w->loop, 11 * SEC);
    assert_int_equal(stats(w).oldest, 0); /* and its memory is given back */
    ask(&u, "x");
    /* It is back. */
    w->reply = NULL;
    w->value = 8;
    fake_loop_run(w->loop, 11 * SEC);
    assert_true(ask(&u, "x"));
    assert_true(u.code == 0 && u.value == 8);
    world_free(w);
}

/* Whoever asks while it fails: at most one in a second waits, and none once it has failed twice. */
static void test_failures_are_remembered(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user u = {.w = w};

    w->reply = &refused;
    assert_false(ask(&u, "x"));
    fake_loop_run(w->loop, 500 * MSEC);
    assert_int_equal(u.code, -EINVAL);
    assert_string_equal(u.text, "Prometheus http://prom:9090 answered 400: bad_data: 1:5: parse error");
    assert_false(u.has_vector);
    assert_true(ask(&u, "x"));
    assert_int_equal(u.code, -EINVAL);
    fake_loop_run(w->loop, 2 * SEC);
    int before = w->http.started;
    for (int i = 0; i < 600; i++) {
        assert_true(ask(&u, "x"));
        fake_loop_run(w->loop, 100 * MSEC);
    }
    assert_in_range(w->http.started - before, 4, 10);
    assert_int_equal(stats(w).failures, (uint64_t)w->http.started);
    world_free(w);
}

static void expect_garbage(const char *body, int code, const char *text) {
    struct world *w = world_new(NULL);
    struct user u = {.w = w};
    const struct fake_reply reply = {.status = 200, .body = body};

    w->reply = &reply;
    ask(&u, "x");
    fake_loop_run(w->loop, SEC);
    assert_int_equal(u.told, 1);
    assert_int_equal(u.code, code);
    assert_false(u.has_vector);
    assert_string_equal(u.text, text);
    world_free(w);
}

static void test_garbage(void **state) {
    (void)state;
    expect_garbage("<html>", -EBADMSG, "Prometheus http://prom:9090: the answer is not JSON");
    expect_garbage("", -EBADMSG, "Prometheus http://prom:9090: the answer is empty");
    expect_garbage("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}", -EBADMSG,
                   "Prometheus http://prom:9090: the query gave a matrix, not a vector");
    expect_garbage("{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"no\"}", -EINVAL,
                   "Prometheus http://prom:9090: bad_data: no");
}

static void test_too_large(void **state) {
    (void)state;
    struct world *w = world_new(&(struct querycache_options){.max_bytes = 80});
    struct user u = {.w = w};

    ask(&u, "x");
    fake_loop_run(w->loop, SEC);
    assert_int_equal(u.code, -E2BIG);
    world_free(w);
}

static void test_each_fault(void **state) {
    (void)state;
    for (int fault = FAULT_LOST; fault <= FAULT_SLOW; fault++) {
        struct world *w = world_new(NULL);
        struct user u = {.w = w};
        w->http.fault = (enum fault)fault;
        w->http.fault_at = 0;
        ask(&u, "x");
        fake_loop_run(w->loop, 11 * SEC);
        assert_int_equal(u.told, 1);
        assert_true(u.code < 0);
        fake_loop_run(w->loop, 20 * SEC);
        assert_true(ask(&u, "x"));
        assert_true(u.code == 0 && u.value == 1);
        world_free(w);
    }
}

static void test_least_asked_goes_first(void **state) {
    (void)state;
    struct world *w = world_new(&(struct querycache_options){.max_queries = 3});
    struct user u = {.w = w};
    static const char *const queries[] = {"a", "b", "c", "a", "d"};

    for (size_t i = 0; i < 5; i++) {
        ask(&u, queries[i]);
        fake_loop_run(w->loop, 100 * MSEC);
    }
    assert_int_equal(stats(w).queries, 3);
    assert_int_equal(stats(w).evicted, 1);
    assert_true(ask(&u, "a") && ask(&u, "c") && ask(&u, "d"));
    assert_false(ask(&u, "b"));
    querycache_cancel(u.wait);
    world_free(w);
}

static void test_bytes_are_bounded(void **state) {
    (void)state;
    struct world *w = world_new(&(struct querycache_options){.max_bytes = 20 * 1000});
    static struct user users[40];

    for (int i = 0; i < 40; i++) {
        char query[8];
        snprintf(query, sizeof(query), "q%d", i);
        users[i] = (struct user){.w = w};
        ask(&users[i], query);
    }
    /* All wait: nobody's fetch is given up. */
    fake_loop_run(w->loop, 100 * MSEC);
    for (int i = 0; i < 40; i++)
        assert_true(users[i].told == 1 && users[i].code == 0);
    assert_true(stats(w).bytes <= 20 * 1000);
    assert_in_range(stats(w).queries, 5, 20);
    assert_true(ask(&users[39], "q39"));
    world_free(w);
}

static void test_followed_is_not_evicted(void **state) {
    (void)state;
    struct world *w = world_new(&(struct querycache_options){.max_queries = 1});
    struct user a = {.w = w}, b = {.w = w}, c = {.w = w};

    follow(&a, "a", SEC);
    follow(&b, "b", SEC);
    ask(&c, "c");
    fake_loop_run(w->loop, 10 * SEC);
    assert_true(a.told >= 9 && b.told >= 9);
    assert_int_equal(c.told, 1);
    querycache_unfollow(a.follow);
    querycache_unfollow(b.follow);
    world_free(w);
}

static void test_follow(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user fast = {.w = w}, slow = {.w = w}, asks = {.w = w};

    follow(&slow, "x", 5 * SEC);
    fake_loop_run(w->loop, 26 * SEC);
    assert_int_equal(slow.told, 6);
    follow(&fast, "x", SEC);
    fake_loop_run(w->loop, 10 * SEC);
    assert_in_range(fast.told, 9, 11);
    assert_int_equal(slow.told, 6 + fast.told); /* each fetch is told to all */
    assert_true(ask(&asks, "x"));
    w->reply = &down;
    fake_loop_run(w->loop, 2 * SEC);
    assert_int_equal(fast.code, -ECONNREFUSED);
    assert_true(fast.has_vector);
    int told = fast.told;
    fake_loop_run(w->loop, 30 * SEC); /* backed off */
    assert_in_range(fast.told - told, 3, 6);
    w->reply = NULL;
    fake_loop_run(w->loop, 15 * SEC);
    assert_int_equal(fast.code, 0);
    querycache_unfollow(fast.follow);
    querycache_unfollow(slow.follow);
    fake_loop_run(w->loop, 6 * USEC_PER_MIN);
    assert_int_equal(stats(w).queries, 0);
    world_free(w);
}

/* Who follows what is known already is told soon, not an interval later. */
static void test_follow_what_is_known(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user asks = {.w = w}, u = {.w = w};

    ask(&asks, "x");
    fake_loop_run(w->loop, 3 * SEC);
    follow(&u, "x", USEC_PER_MIN);
    fake_loop_run(w->loop, 100 * MSEC);
    assert_int_equal(u.told, 1);
    querycache_unfollow(u.follow);
    world_free(w);
}

static void test_forget(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user waits = {.w = w}, follows = {.w = w};

    ask(&waits, "x");
    follow(&follows, "x", SEC);
    querycache_forget(w->cache, w->client);
    assert_int_equal(waits.code, -ECANCELED);
    assert_int_equal(follows.code, -ECANCELED);
    assert_int_equal(waits.told + follows.told, 2);
    assert_int_equal(w->http.in_flight, 0);
    assert_int_equal(stats(w).queries, 0);
    assert_int_equal(stats(w).bytes, 0);
    querycache_forget(w->cache, w->client);
    fake_loop_run(w->loop, 30 * SEC);
    assert_int_equal(waits.told + follows.told, 2);
    querycache_unfollow(follows.follow);
    world_free(w);
}

static void cancel_other(struct user *u) {
    querycache_cancel(u->other->wait);
    u->other->wait = NULL;
}

static void unfollow_both(struct user *u) {
    querycache_unfollow(u->follow);
    querycache_unfollow(u->other->follow);
    u->follow = u->other->follow = NULL;
}

static void ask_again(struct user *u) {
    u->then = NULL;
    assert_true(ask(u, "x"));
}

static void follow_inside(struct user *u) {
    u->then = NULL;
    follow(u->other, "x", SEC);
}

static void forget_inside(struct user *u) {
    u->then = NULL;
    querycache_forget(u->w->cache, u->w->client);
}

/* Two wait and two follow; inside the first callback something happens. */
static void run_inside(void (*then)(struct user *u), bool by_follower, int want_told) {
    struct world *w = world_new(NULL);
    struct user a = {.w = w}, b = {.w = w, .other = &a}, c = {.w = w}, d = {.w = w, .other = &c};
    struct user *actor = by_follower ? &d : &b;

    a.other = &b;
    c.other = &d;
    actor->then = then;
    follow(&c, "x", 3 * SEC);
    follow(&d, "x", 3 * SEC);
    ask(&a, "x");
    ask(&b, "x"); /* told first: the last that came */
    fake_loop_run(w->loop, SEC);
    assert_int_equal(a.told + b.told + c.told + d.told, want_told);
    fake_loop_run(w->loop, 20 * SEC);
    querycache_unfollow(c.follow);
    querycache_unfollow(d.follow);
    world_free(w);
}

static void test_inside_callbacks(void **state) {
    (void)state;
    run_inside(cancel_other, false, 3);
    run_inside(ask_again, false, 5);
    run_inside(ask_again, true, 5);
    run_inside(unfollow_both, true, 3);
    run_inside(forget_inside, false, 4);
    run_inside(forget_inside, true, 5); /* who follows on is told both */
}

static void test_follow_inside(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user a = {.w = w, .then = follow_inside}, b = {.w = w};

    a.other = &b;
    ask(&a, "x");
    fake_loop_run(w->loop, 5 * SEC);
    assert_in_range(b.told, 5, 6);
    querycache_unfollow(b.follow);
    world_free(w);
}

/* An answer from memory stays whole although the callback drops its query. */
static void test_forget_while_borrowed(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user u = {.w = w};

    ask(&u, "x");
    fake_loop_run(w->loop, SEC);
    u.then = forget_inside;
    assert_true(ask(&u, "x"));
    assert_true(u.has_vector);
    world_free(w);
}

static void ask_more(struct user *u) {
    u->then = NULL;
    for (int i = 0; i < 5; i++) {
        char query[8];
        snprintf(query, sizeof(query), "m%d", i);
        ask(&u->other[i], query);
    }
}

static void test_evict_while_borrowed(void **state) {
    (void)state;
    struct world *w = world_new(&(struct querycache_options){.max_queries = 2});
    struct user u = {.w = w, .then = ask_more}, more[5];

    for (int i = 0; i < 5; i++)
        more[i] = (struct user){.w = w};
    u.other = more;
    ask(&u, "x");
    fake_loop_run(w->loop, SEC);
    for (int i = 0; i < 5; i++)
        assert_true(more[i].told == 1 && more[i].code == 0);
    assert_int_equal(stats(w).queries, 2);
    world_free(w);
}

/* The cache may go while somebody waits and follows. */
static void test_free_with_users(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct user a = {.w = w}, b = {.w = w};

    ask(&a, "x");
    follow(&b, "y", SEC);
    fake_loop_run(w->loop, 1);
    world_free(w);
    assert_int_equal(a.told + b.told, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_fetch_for_all),
        cmocka_unit_test(test_steady_reader),
        cmocka_unit_test(test_shown_until_refreshed),
        cmocka_unit_test(test_forgotten_when_nobody_asks),
        cmocka_unit_test(test_refreshes_are_spread),
        cmocka_unit_test(test_waiting_is_bounded),
        cmocka_unit_test(test_last_good_answer_until_too_old),
        cmocka_unit_test(test_failures_are_remembered),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_each_fault),
        cmocka_unit_test(test_least_asked_goes_first),
        cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_followed_is_not_evicted),
        cmocka_unit_test(test_follow),
        cmocka_unit_test(test_follow_what_is_known),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_inside_callbacks),
        cmocka_unit_test(test_follow_inside),
        cmocka_unit_test(test_forget_while_borrowed),
        cmocka_unit_test(test_evict_while_borrowed),
        cmocka_unit_test(test_free_with_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
