/* The Prometheus source in simulated time, against a simulated server. */
#include "adapter/prometheus.h"

#include "adapter/tests/prom_world.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC
static const char label[] = "Prometheus http://prom:9090";

static void test_first_pending_then_a_value(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct follower *f = world_follow(w, "value", COMBINE_NONE, SEC);

    world_expect(f, QUALITY_PENDING, 0, "");
    world_run(w, 100 * USEC_PER_MSEC);
    world_expect(f, QUALITY_VALUE, 5, "");
    struct sample s = world_read(f);
    assert_int_equal(s.milli, 5000);
    assert_string_equal(s.warning, "be careful");
    assert_in_range(WORLD_WALL + loop_now(w->loop) - s.at, 0, SEC);
    assert_int_equal(f->told, 1);
    w->value = 0;
    world_run(w, 3 * SEC);
    world_expect(f, QUALITY_ZERO, 0, "");
    assert_in_range(f->told, 3, 4);
    world_free(w);
}

static void test_what_answers_read_as(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct follower *none = world_follow(w, "none", COMBINE_NONE, SEC);
    struct follower *two = world_follow(w, "two", COMBINE_NONE, SEC);
    struct follower *sum = world_follow(w, "two", COMBINE_SUM, SEC);
    struct follower *max = world_follow(w, "two", COMBINE_MAX, SEC);
    struct follower *bad = world_follow(w, "bad", COMBINE_NONE, SEC);
    struct follower *garbage = world_follow(w, "garbage", COMBINE_NONE, SEC);

    world_run(w, 5 * SEC);
    world_expect(none, QUALITY_ABSENT, 0, "the query gives no element");
    world_expect(two, QUALITY_FAILED, 0,
                 "Prometheus http://prom:9090: the query gives 2 elements that differ in pod: {pod=\"a\"}, "
                 "{pod=\"b\"}: aggregate it, e.g. sum(…), or set combine");
    world_expect(sum, QUALITY_VALUE, 7, "");
    world_expect(max, QUALITY_VALUE, 5, "");
    world_expect(bad, QUALITY_FAILED, 0,
                 "Prometheus http://prom:9090 answered 422: bad_data: 1:5: parse error");
    world_expect(garbage, QUALITY_FAILED, 0, "Prometheus http://prom:9090: the answer is not JSON");
    world_free(w);
}

static void test_policies_share_a_fetch(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct promclient_stats stats;

    for (int i = 0; i < 10; i++)
        world_follow(w, "value", COMBINE_NONE, (i + 1) * SEC);
    world_run(w, 10 * SEC);
    assert_in_range(w->http.started, 8, 11);
    for (int i = 0; i < 10; i++)
        assert_in_range(w->followers[i].told, w->http.started - 1, w->http.started);
    promclient_stats(w->client, &stats);
    assert_int_equal(prometheus_distinct(w->source), 1);
    assert_int_equal(stats.requests, w->http.started);
    assert_true(stats.last_success > 0);

    world_leave(&w->followers[0]); /* the one who wanted every second */
    int before = w->http.started;
    world_run(w, 20 * SEC);
    assert_in_range(w->http.started - before, 9, 11);
    for (int i = 1; i < 10; i++)
        world_leave(&w->followers[i]);
    before = w->http.started;
    world_run(w, 20 * SEC);
    assert_int_equal(w->http.started, before);
    world_free(w);
}

static void test_who_joins_may_be_more_eager(void **state) {
    (void)state;
    struct world *w = world_new(NULL);

    world_follow(w, "value", COMBINE_NONE, USEC_PER_MIN);
    world_run(w, 30 * SEC);
    assert_int_equal(w->http.started, 1);
    world_follow(w, "value", COMBINE_NONE, SEC);
    world_run(w, 10 * SEC);
    assert_in_range(w->http.started, 9, 12);
    world_free(w);
}

static void test_a_thousand_policies(void **state) {
    (void)state;
    struct world *w = world_new(NULL);

    for (int i = 0; i < 1000; i++) {
        char query[16];
        snprintf(query, sizeof(query), "value%d", i % 100);
        world_follow(w, query, COMBINE_NONE, SEC);
    }
    world_run(w, 300 * USEC_PER_MSEC);
    for (int i = 0; i < 1000; i++)
        world_expect(&w->followers[i], QUALITY_VALUE, 5, "");
    assert_int_equal(w->http.started, 100);
    assert_in_range(w->http.max_in_flight, 2, 8);
    world_run(w, 10 * SEC);
    assert_in_range(w->http.started, 900, 1100);
    world_free(w);
}

static void test_the_request(void **state) {
    (void)state;
    static const char *const headers[] = {"X-Scope-OrgID: team a", NULL};
    struct prometheus_options o = {.url = "https://prom:9090/prefix/?dedup=true",
                                   .username = "me",
                                   .headers = headers,
                                   .insecure = true,
                                   .timeout = 2500 * USEC_PER_MSEC};
    struct world *w = world_new(&o);

    world_follow(w, "sum(rate(x{a=\"b\"}[1m])) + 1 & ü", COMBINE_NONE, SEC);
    world_run(w, 100 * USEC_PER_MSEC);
    assert_string_equal(w->http.method, "POST");
    assert_string_equal(w->http.url, "https://prom:9090/prefix/api/v1/query?dedup=true");
    assert_string_equal(w->http.body, "query=sum%28rate%28x%7Ba%3D%22b%22%7D%5B1m%5D%29%29%20%2B%201%20%26%20"
                                      "%C3%BC&timeout=2500ms");
    assert_string_equal(w->http.headers,
                        "Accept: application/json\nContent-Type: application/x-www-form-urlencoded\n"
                        "X-Scope-OrgID: team a\n");
    assert_string_equal(w->http.userpwd, "me:");
    assert_true(w->http.insecure);
    world_free(w);

    o = (struct prometheus_options){.url = "http://u%40x:p@prom:9090/?dedup=true", .use_get = true};
    w = world_new(&o);
    world_follow(w, "up", COMBINE_NONE, SEC);
    world_run(w, 100 * USEC_PER_MSEC);
    assert_string_equal(w->http.method, "GET");
    assert_string_equal(w->http.url, "http://prom:9090/api/v1/query?query=up&timeout=10000ms&dedup=true");
    assert_string_equal(w->http.userpwd, "u@x:p");
    assert_string_equal(w->http.body, "");
    world_free(w);
}

static void test_get_where_post_is_refused(void **state) {
    (void)state;
    struct world *w = world_new(NULL);

    w->get_only = true;
    for (int i = 0; i < 20; i++) {
        char query[16];
        snprintf(query, sizeof(query), "value%d", i);
        world_follow(w, query, COMBINE_NONE, SEC);
    }
    world_run(w, 500 * USEC_PER_MSEC);
    for (int i = 0; i < 20; i++)
        world_expect(&w->followers[i], QUALITY_VALUE, 5, "");
    assert_string_equal(w->http.method, "GET");
    assert_in_range(w->http.started, 21, 28); /* a few were posted before the first refusal came back */
    world_free(w);
}

static void test_a_dead_server(void **state) {
    (void)state;
    struct world *w = world_new(&(struct prometheus_options){.url = "http://me:secret@prom:9090"});
    struct fake_reply dead = {0};
    err_set(&dead.err, -ECONNREFUSED, "Failed to connect after 7 ms");

    for (int i = 0; i < 50; i++) {
        char query[16];
        snprintf(query, sizeof(query), "value%d", i);
        world_follow(w, query, COMBINE_NONE, i % 2 ? SEC : USEC_PER_MIN);
    }
    world_run(w, 10 * SEC);
    w->always = &dead;
    world_run(w, 2 * USEC_PER_MIN);
    for (int i = 0; i < 50; i++)
        world_expect(&w->followers[i], QUALITY_FAILED, 0, "Prometheus http://prom:9090: connection refused");
    int before = w->http.started;
    world_run(w, USEC_PER_MIN);
    assert_in_range(w->http.started - before, 11, 17);
    w->always = NULL;
    world_run(w, 6500 * USEC_PER_MSEC);
    for (int i = 0; i < 50; i++)
        world_expect(&w->followers[i], QUALITY_VALUE, 5, "");
    world_free(w);
}

/* A server that says 503 itself, as Prometheus does while it starts, is asked by one query at a time. */
static void test_a_server_that_starts(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct fake_reply starting = {.status = 503, .body = "Service Unavailable", .content_type = "text/plain"};

    w->always = &starting;
    for (int i = 0; i < 20; i++) {
        char query[16];
        snprintf(query, sizeof(query), "value%d", i);
        world_follow(w, query, COMBINE_NONE, SEC);
    }
    world_run(w, 20 * SEC);
    int before = w->http.started;
    world_run(w, 30 * SEC);
    assert_in_range(w->http.started - before, 5, 9);
    w->always = NULL;
    world_run(w, 6500 * USEC_PER_MSEC);
    for (int i = 0; i < 20; i++)
        world_expect(&w->followers[i], QUALITY_VALUE, 5, "");
    world_free(w);
}

static void expect_message(const struct fake_reply *reply, const char *message) {
    struct world *w = world_new(NULL);
    struct follower *f = world_follow(w, "value", COMBINE_NONE, SEC);
    cleanup_free char *whole = xasprintf("%s%s", label, message);

    world_run(w, 3 * SEC);
    world_expect(f, QUALITY_VALUE, 5, "");
    w->always = reply;
    world_run(w, 20 * SEC);
    world_expect(f, QUALITY_FAILED, 0, whole);
    assert_string_equal(world_read(f).warning, "");
    assert_int_equal(world_read(f).at, 0);
    w->always = NULL;
    world_run(w, 11 * SEC);
    world_expect(f, QUALITY_VALUE, 5, "");
    world_free(w);
}

static void test_refusals_in_words(void **state) {
    (void)state;
    struct err timeout = {0}, large = {0}, reset = {0}, tls = {0};
    err_set(&timeout, -ETIMEDOUT, "timed out after 10002 ms");
    err_set(&large, -E2BIG, "the body is too large");

    expect_message(&(struct fake_reply){.err = timeout}, ": no answer within 10s");
    err_set(&reset, -ECONNRESET, "transfer closed with 7 bytes left");
    expect_message(&(struct fake_reply){.err = reset}, ": the connection broke before the answer was whole");
    err_set(&tls, -EKEYREJECTED, "prom: no such certificate");
    expect_message(&(struct fake_reply){.err = tls}, ": prom: no such certificate");
    expect_message(&(struct fake_reply){.err = large}, ": the body is too large");
    expect_message(
        &(struct fake_reply){.status = 503, .body = "Service\nUnavailable\n", .content_type = "text/plain"},
        " answered 503: Service Unavailable");
    expect_message(&(struct fake_reply){.status = 502, .body = "<html>", .content_type = "text/html"},
                   " answered 502");
    expect_message(
        &(struct fake_reply){.status = 404, .body = "404 page not found", .content_type = "text/plain"},
        " answered 404: 404 page not found");
    expect_message(&(struct fake_reply){.status = 401}, " answered 401");
    expect_message(&(struct fake_reply){.status = 302}, " answered 302");
    expect_message(
        &(struct fake_reply){.status = 503,
                             .body = "{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"slow\"}"},
        " answered 503: timeout: slow");
    expect_message(&(struct fake_reply){.status = 200, .body = ""}, ": the answer is empty");
}

static void test_retry_after(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct follower *f = world_follow(w, "value", COMBINE_NONE, SEC);
    struct fake_reply busy = {.status = 429, .retry_after = 20 * SEC};

    w->always = &busy;
    world_run(w, 19 * SEC);
    assert_int_equal(w->http.started, 1);
    world_expect(f, QUALITY_FAILED, 0, "Prometheus http://prom:9090 answered 429");
    w->always = NULL;
    world_run(w, 2 * SEC);
    world_expect(f, QUALITY_VALUE, 5, "");
    world_free(w);
}

static void test_too_large_an_answer(void **state) {
    (void)state;
    struct world *w = world_new(&(struct prometheus_options){.max_response = 50});
    struct follower *f = world_follow(w, "value", COMBINE_NONE, SEC);

    world_run(w, 5 * SEC);
    world_expect(f, QUALITY_FAILED, 0, "Prometheus http://prom:9090: the answer is larger than 50 bytes");
    world_free(w);
}

static void test_stale_by_max_age(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct metric_spec metric = {.type = METRIC_PROMETHEUS, .query = "value", .max_age = 5 * SEC};
    struct follower *f = world_follow_metric(w, &metric, USEC_PER_MIN);
    struct follower *other = world_follow(w, "value", COMBINE_NONE, USEC_PER_MIN);

    world_run(w, 4 * SEC);
    world_expect(f, QUALITY_VALUE, 5, "");
    world_run(w, 4 * SEC);
    world_expect(f, QUALITY_STALE, 5, "the last value is of 2026-01-01T00:01:17Z, older than maxAge 5s");
    world_expect(other, QUALITY_VALUE, 5, "");
    world_free(w);
}

static void write_file(const char *path, const char *text) {
    cleanup_free char *next = xasprintf("%s.next", path);
    cleanup_file FILE *f = fopen(next, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(steal_ptr(&f));
    assert_int_equal(rename(next, path), 0);
}

static void test_a_token_is_read_again(void **state) {
    (void)state;
    char path[] = "/tmp/test_prometheus_XXXXXX";
    cleanup_close int fd = mkstemp(path);
    struct world *w = world_new(&(struct prometheus_options){.token_file = path});
    struct follower *f = world_follow(w, "value", COMBINE_NONE, SEC);

    world_run(w, 3 * SEC); /* the file is empty */
    assert_int_equal(w->http.started, 0);
    cleanup_free char *message = xasprintf("%s: bearer token: %s: is empty", label, path);
    world_expect(f, QUALITY_FAILED, 0, message);
    write_file(path, "one\n");
    world_run(w, 10 * SEC);
    world_expect(f, QUALITY_VALUE, 5, "");
    assert_non_null(strstr(w->http.headers, "Authorization: Bearer one\n"));
    write_file(path, "two\n");
    world_run(w, 2 * SEC);
    assert_non_null(strstr(w->http.headers, "Authorization: Bearer two\n"));
    write_file(path, "two\nX-Evil: 1\n");
    world_run(w, 2 * SEC);
    assert_int_equal(world_read(f).quality, QUALITY_FAILED);
    assert_null(strstr(w->http.headers, "Evil"));
    unlink(path);
    world_free(w);
}

static void test_what_cannot_be_asked(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    char query[16 * 1024 + 2];

    memset(query, 'x', sizeof(query) - 1);
    query[sizeof(query) - 1] = '\0';
    struct metric_spec metric = {.type = METRIC_PROMETHEUS, .query = query};
    struct follower *too_long = world_follow_metric(w, &metric, SEC);
    metric.query++;
    struct follower *longest = world_follow_metric(w, &metric, SEC);
    metric = (struct metric_spec){.type = METRIC_RESOURCE, .metric = "cpu"};
    struct follower *cpu = world_follow_metric(w, &metric, SEC);

    world_run(w, SEC);
    world_expect(too_long, QUALITY_FAILED, 0, "the query is longer than 16384 bytes");
    world_expect(longest, QUALITY_VALUE, 5, "");
    world_expect(cpu, QUALITY_FAILED, 0, "this metric is not one of Prometheus");
    world_free(w);
}

static void leave_itself(struct follower *f) {
    world_leave(f);
}

static void leave_all(struct follower *f) {
    for (int i = 0; i < f->world->count; i++)
        world_leave(&f->world->followers[i]);
}

static void follow_again(struct follower *f) {
    world_leave(f);
    f->when_told = NULL;
    world_follow(f->world, f->query, COMBINE_NONE, SEC);
}

static void test_subscribers_go_while_told(void **state) {
    (void)state;
    static void (*const when[])(struct follower *) = {leave_itself, leave_all, follow_again};

    for (size_t i = 0; i < sizeof(when) / sizeof(when[0]); i++)
        for (int who = 0; who < 4; who++) {
            struct world *w = world_new(NULL);
            for (int j = 0; j < 4; j++)
                world_follow(w, "value", COMBINE_NONE, SEC);
            w->followers[who].when_told = when[i];
            world_run(w, 3 * SEC);
            assert_in_range(w->followers[who].told, 0, 1);
            world_free(w);
        }
}

static void test_leaving_while_a_query_is_under_way(void **state) {
    (void)state;
    struct world *w = world_new(NULL);
    struct fake_reply slow = {.status = 200, .body = "{}", .delay = 5 * SEC};

    w->always = &slow;
    struct follower *f = world_follow(w, "value", COMBINE_NONE, SEC);
    world_run(w, SEC);
    assert_int_equal(w->http.in_flight, 1);
    world_leave(f);
    assert_int_equal(w->http.in_flight, 0);
    world_run(w, 10 * SEC);
    assert_int_equal(f->told, 0);
    world_free(w);
}

static void test_bad_options(void **state) {
    (void)state;
    static const char *const bad_header[] = {"no colon", NULL};
    static const struct {
        struct prometheus_options options;
        const char *text;
    } cases[] = {
        {{.url = NULL}, "the URL of Prometheus: not a URL"},
        {{.url = "ftp://x"}, "scheme must be http or https"},
        {{.url = "http://u:hunter2@"}, "not a URL"},
        {{.url = "http://x/#y"}, "fragment"},
        {{.url = "http://x", .headers = bad_header}, "headers[0]: must be \"Name: value\""},
        {{.url = "http://x", .cert_file = "c"}, "together"},
        {{.url = "http://u:p@x", .token_file = "t"}, "bearer token and a user name"},
        {{.url = "http://u:p@x", .username = "t"}, "both in the URL"},
        {{.url = "http://x", .password_file = "t"}, "needs a user name"},
        {{.url = "http://x", .timeout = -1}, "timeout"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct promclient *client = NULL;
        struct err err = {0};
        assert_int_equal(promclient_new(NULL, NULL, &cases[i].options, &client, &err), -EINVAL);
        assert_null(client);
        if (!strstr(err.text, cases[i].text) || strstr(err.text, "hunter2"))
            fail_msg("%zu: %s", i, err.text);
    }
}

/* A morning of a source: what its queries read as at the end must not depend on one reply being lost. */
static void morning(struct world *w) {
    static const char *const queries[] = {"value", "value2", "none", "two", "bad", "garbage"};

    w->get_only = true;
    for (int i = 0; i < 12; i++)
        world_follow(w, queries[i / 2], i % 2 ? COMBINE_SUM : COMBINE_NONE, SEC);
    world_run(w, 2 * SEC);
    w->value = 6;
    world_run(w, 2 * SEC);
    world_leave(&w->followers[2]);
    world_follow(w, "value3", COMBINE_NONE, 2 * SEC);
    world_run(w, 30 * SEC);
}

static void test_any_one_reply_may_be_bad(void **state) {
    (void)state;
    struct world *good = world_new(NULL);
    morning(good);

    for (enum fault fault = FAULT_LOST; fault <= FAULT_SLOW; fault++)
        for (int at = 0; at < 40; at++) {
            struct world *w = world_new(NULL);
            w->http.fault = fault;
            w->http.fault_at = at;
            morning(w);
            for (int i = 0; i < w->count; i++) {
                if (i == 2)
                    continue;
                struct sample want = world_read(&good->followers[i]);
                world_expect(&w->followers[i], want.quality, want.value, want.message);
            }
            world_free(w);
        }
    world_free(good);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_pending_then_a_value),
        cmocka_unit_test(test_what_answers_read_as),
        cmocka_unit_test(test_policies_share_a_fetch),
        cmocka_unit_test(test_who_joins_may_be_more_eager),
        cmocka_unit_test(test_a_thousand_policies),
        cmocka_unit_test(test_the_request),
        cmocka_unit_test(test_get_where_post_is_refused),
        cmocka_unit_test(test_a_dead_server),
        cmocka_unit_test(test_a_server_that_starts),
        cmocka_unit_test(test_refusals_in_words),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_too_large_an_answer),
        cmocka_unit_test(test_stale_by_max_age),
        cmocka_unit_test(test_a_token_is_read_again),
        cmocka_unit_test(test_what_cannot_be_asked),
        cmocka_unit_test(test_subscribers_go_while_told),
        cmocka_unit_test(test_leaving_while_a_query_is_under_way),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_any_one_reply_may_be_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
