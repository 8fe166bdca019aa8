/* One server's client in simulated time, against a simulated server. */
#include "adapter/promclient.h"

#include "adapter/tests/fake_http.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tests/fake_loop.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC
#define LABEL "Prometheus http://prom:9090"
static const char good[] = "{\"status\":\"success\"}";

struct bench {
    struct loop *loop;
    struct fake_http http;
    struct promclient *client;
    struct fake_reply reply; /* to everything */
};

/* One request and what came of it. */
struct asked {
    struct bench *bench;
    struct promclient_call *call;
    struct promclient_answer answer;
    char body[64];
    int done, refuse_with;
    usec_t patience;
    struct err err;
    void (*when_done)(struct asked *asked);
};

static void serve(void *arg, const struct http_request *request, struct fake_reply *ret_reply) {
    struct bench *b = arg;

    *ret_reply = b->reply;
    if (b->reply.status == 405 && strcmp(request->method, "GET") == 0)
        ret_reply->status = 200;
}

static struct bench *bench_new(const struct prometheus_options *options) {
    struct bench *b = XNEW(struct bench);
    struct prometheus_options o = options ? *options : (struct prometheus_options){0};
    struct err err = {0};

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    o.url = o.url ? o.url : "http://prom:9090";
    b->reply = (struct fake_reply){.status = 200, .body = good, .delay = SEC};
    b->loop = fake_loop_new();
    fake_http_init(&b->http, b->loop, serve, b);
    if (promclient_new(b->loop, &b->http.head, &o, &b->client, &err) < 0)
        fail_msg("%s", err.text);
    return b;
}

static void bench_free(struct bench *b) {
    promclient_free(b->client);
    assert_int_equal(b->http.in_flight, 0);
    fake_loop_free(b->loop);
    free(b);
}

static int on_body(void *arg, const char *data, size_t len, struct err *err) {
    struct asked *a = arg;
    size_t at = strlen(a->body);

    if (a->refuse_with)
        return err_set(err, a->refuse_with, "not what was wanted");
    snprintf(a->body + at, sizeof(a->body) - at, "%.*s", (int)len, data);
    return 0;
}

static void on_done(void *arg, const struct err *err) {
    struct asked *a = arg;

    assert_int_equal(a->done++, 0);
    a->call = NULL;
    a->err = *err;
    if (a->when_done)
        a->when_done(a);
}

static void ask(struct bench *b, struct asked *a) {
    a->bench = b;
    a->call = promclient_start(b->client, &(struct promclient_request){.path = "/api/v1/query",
                                                                       .form = "query=up",
                                                                       .timeout = a->patience,
                                                                       .on_body = on_body,
                                                                       .on_done = on_done,
                                                                       .arg = a,
                                                                       .answer = &a->answer});
    assert_int_equal(a->done, 0);
}

static struct promclient_stats stats_of(const struct bench *b) {
    struct promclient_stats s;

    promclient_stats(b->client, &s);
    return s;
}

static void test_a_good_answer(void **state) {
    (void)state;
    struct bench *b = bench_new(NULL);
    struct asked a = {0};

    assert_int_equal(stats_of(b).last_success, 0);
    ask(b, &a);
    fake_loop_run(b->loop, 2 * SEC);
    assert_int_equal(a.done, 1);
    assert_int_equal(a.err.code, 0);
    assert_int_equal(a.answer.status, 200);
    assert_string_equal(a.body, good);
    assert_string_equal(b->http.method, "POST");
    assert_string_equal(b->http.url, "http://prom:9090/api/v1/query");
    assert_string_equal(b->http.body, "query=up&timeout=10000ms");
    assert_string_equal(promclient_label(b->client), LABEL);
    struct promclient_stats s = stats_of(b);
    assert_int_equal(s.requests, 1);
    assert_int_equal(s.failures, 0);
    assert_int_equal(s.last_latency, SEC);
    assert_true(s.latency_sum == 1);
    assert_true(s.last_success > 0);
    bench_free(b);
}

static void test_no_more_at_once_than_allowed(void **state) {
    (void)state;
    struct bench *b = bench_new(&(struct prometheus_options){.max_concurrent = 2});
    struct asked a[5] = {0};

    for (int i = 0; i < 5; i++)
        ask(b, &a[i]);
    assert_int_equal(stats_of(b).in_flight, 2);
    assert_int_equal(stats_of(b).waiting, 3);
    fake_loop_run(b->loop, 1500 * USEC_PER_MSEC);
    assert_int_equal(a[0].done + a[1].done, 2);
    assert_int_equal(a[2].done + a[3].done + a[4].done, 0);
    fake_loop_run(b->loop, SEC);
    assert_int_equal(a[2].done + a[3].done, 2);
    fake_loop_run(b->loop, SEC);
    assert_int_equal(a[4].done, 1);
    assert_int_equal(b->http.max_in_flight, 2);
    bench_free(b);
}

static void test_cancelled_where_it_waits_and_under_way(void **state) {
    (void)state;
    struct bench *b = bench_new(&(struct prometheus_options){.max_concurrent = 1});
    struct asked a[4] = {0};

    for (int i = 0; i < 4; i++)
        ask(b, &a[i]);
    promclient_cancel(a[1].call);
    promclient_cancel(a[0].call); /* its place goes to the next one at once */
    assert_int_equal(b->http.in_flight, 1);
    fake_loop_run(b->loop, 5 * SEC);
    assert_int_equal(a[0].done + a[1].done, 0);
    assert_int_equal(a[2].done + a[3].done, 2);
    assert_int_equal(b->http.started, 3);
    bench_free(b);
}

static void test_the_end_cancels_everything(void **state) {
    (void)state;
    struct bench *b = bench_new(&(struct prometheus_options){.max_concurrent = 1});
    struct asked a[3] = {0};

    for (int i = 0; i < 3; i++)
        ask(b, &a[i]);
    promclient_free(b->client);
    b->client = NULL;
    fake_loop_run(b->loop, 5 * SEC);
    assert_int_equal(a[0].done + a[1].done + a[2].done, 0);
    bench_free(b);
}

static void end_client(struct asked *a) {
    promclient_free(a->bench->client);
    a->bench->client = NULL;
}

static void test_the_end_within_an_answer(void **state) {
    (void)state;
    static const char *const token_files[] = {NULL, "/nonexistent/token"};

    for (int i = 0; i < 2; i++) {
        struct bench *b =
            bench_new(&(struct prometheus_options){.token_file = token_files[i], .max_concurrent = 1});
        struct asked a[2] = {{.when_done = end_client}};
        ask(b, &a[0]);
        ask(b, &a[1]);
        fake_loop_run(b->loop, 5 * SEC);
        assert_int_equal(a[0].done, 1);
        assert_int_equal(a[1].done, 0);
        bench_free(b);
    }
}

static void ask_again(struct asked *a) {
    a->when_done = NULL;
    a->done = 0;
    ask(a->bench, a);
}

static void test_asked_again_within_an_answer(void **state) {
    (void)state;
    struct bench *b = bench_new(NULL);
    struct asked a = {.when_done = ask_again};

    ask(b, &a);
    fake_loop_run(b->loop, 5 * SEC);
    assert_int_equal(a.done, 1);
    assert_int_equal(b->http.started, 2);
    bench_free(b);
}

static void test_a_secret_that_cannot_be_read(void **state) {
    (void)state;
    struct bench *b = bench_new(&(struct prometheus_options){.token_file = "/nonexistent/token"});
    struct asked a[3] = {0};

    for (int i = 0; i < 3; i++)
        ask(b, &a[i]);
    promclient_cancel(a[1].call);
    fake_loop_run(b->loop, SEC);
    assert_int_equal(a[1].done, 0);
    for (int i = 0; i < 3; i += 2) {
        assert_int_equal(a[i].done, 1);
        assert_false(a[i].answer.sent);
        assert_true(a[i].err.code < 0);
        assert_non_null(strstr(a[i].err.text, LABEL ": bearer token: "));
    }
    assert_int_equal(b->http.started, 0);
    assert_non_null(strstr(stats_of(b).last_error, "bearer token"));
    bench_free(b);
}

/* What a reply comes to: the code, the text, and whether it speaks against the server's health. */
static void test_failures_in_codes_and_words(void **state) {
    (void)state;
    static const char bad_data[] = "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"1:5\"}";
    static const char slow[] = "{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"slow\"}";
    static const struct {
        const char *text, *last_error;
        struct fake_reply reply;
        int code;
        bool said_error;
    } cases[] = {
        {LABEL " answered 422: bad_data: 1:5", "", {.status = 422, .body = bad_data}, -EINVAL, true},
        {LABEL " answered 503: timeout: slow", "", {.status = 503, .body = slow}, -EAGAIN, true},
        {LABEL " answered 503", LABEL " answered 503", {.status = 503}, -EAGAIN, false},
        {LABEL " answered 429", LABEL " answered 429", {.status = 429}, -EAGAIN, false},
        {LABEL " answered 401", LABEL " answered 401", {.status = 401}, -EINVAL, false},
        {LABEL ": connection refused",
         LABEL ": connection refused",
         {.err = {.code = -ECONNREFUSED, .text = "after 7 ms"}},
         -ECONNREFUSED,
         false},
        {LABEL ": too large", "", {.err = {.code = -E2BIG, .text = "too large"}}, -E2BIG, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench *b = bench_new(NULL);
        struct asked a = {0};
        b->reply = cases[i].reply;
        b->reply.retry_after = 7 * SEC;
        ask(b, &a);
        fake_loop_run(b->loop, 2 * SEC);
        assert_int_equal(a.err.code, cases[i].code);
        assert_string_equal(a.err.text, cases[i].text);
        assert_int_equal(a.answer.status, cases[i].reply.status);
        assert_int_equal(a.answer.said_error, cases[i].said_error);
        assert_int_equal(a.answer.retry_after, 7 * SEC);
        assert_string_equal(stats_of(b).last_error, cases[i].last_error);
        assert_int_equal(stats_of(b).failures, 1);
        bench_free(b);
    }
}

/* Of the request's own patience, where it has one. */
static void test_how_long_there_was_no_answer(void **state) {
    (void)state;
    static const struct {
        usec_t own, server;
        const char *text;
    } cases[] = {
        {0, 0, LABEL ": no answer within 10s"},
        {0, 3 * SEC, LABEL ": no answer within 3s"},
        {60 * SEC, 3 * SEC, LABEL ": no answer within 1m"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench *b = bench_new(&(struct prometheus_options){.timeout = cases[i].server});
        struct asked a = {.patience = cases[i].own};
        b->reply = (struct fake_reply){.err = {.code = -ETIMEDOUT, .text = "after 3001 milliseconds"}};
        ask(b, &a);
        fake_loop_run(b->loop, SEC);
        assert_int_equal(a.err.code, -ETIMEDOUT);
        assert_string_equal(a.err.text, cases[i].text);
        bench_free(b);
    }
}

static void test_the_reader_refuses(void **state) {
    (void)state;
    struct bench *b = bench_new(NULL);
    struct asked a = {.refuse_with = -EBADMSG};

    ask(b, &a);
    fake_loop_run(b->loop, 2 * SEC);
    assert_int_equal(a.err.code, -EBADMSG);
    assert_string_equal(a.err.text, LABEL ": not what was wanted");
    assert_string_equal(stats_of(b).last_error, LABEL ": not what was wanted");
    a = (struct asked){0};
    ask(b, &a);
    fake_loop_run(b->loop, 2 * SEC);
    assert_string_equal(stats_of(b).last_error, "");
    bench_free(b);
}

static void test_get_where_post_is_refused(void **state) {
    (void)state;
    struct bench *b = bench_new(NULL);
    struct asked a = {0}, next = {0};

    b->reply.status = 405;
    ask(b, &a);
    fake_loop_run(b->loop, 3 * SEC);
    assert_int_equal(a.done, 1);
    assert_int_equal(a.err.code, 0);
    assert_string_equal(b->http.url, "http://prom:9090/api/v1/query?query=up&timeout=10000ms");
    assert_int_equal(b->http.started, 2);
    ask(b, &next);
    fake_loop_run(b->loop, 3 * SEC);
    assert_int_equal(b->http.started, 3);
    bench_free(b);
}

static void write_token(const char *path, const char *text) {
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* The token goes bad between the POST and the GET: the place of the one is the next one's. */
static void test_the_secret_goes_bad_before_the_get(void **state) {
    (void)state;
    char path[] = "/tmp/test_promclient.XXXXXX";
    struct asked a[2] = {0};

    assert_int_equal(close(mkstemp(path)), 0);
    write_token(path, "secret");
    struct bench *b = bench_new(&(struct prometheus_options){.token_file = path, .max_concurrent = 1});
    b->reply.status = 405;
    ask(b, &a[0]);
    ask(b, &a[1]);
    write_token(path, "two\nlines");
    fake_loop_run(b->loop, 3 * SEC);
    assert_int_equal(a[0].done, 1);
    assert_int_equal(a[1].done, 1);
    assert_non_null(strstr(a[1].err.text, "bearer token"));
    bench_free(b);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_answer),
        cmocka_unit_test(test_no_more_at_once_than_allowed),
        cmocka_unit_test(test_cancelled_where_it_waits_and_under_way),
        cmocka_unit_test(test_the_end_cancels_everything),
        cmocka_unit_test(test_the_end_within_an_answer),
        cmocka_unit_test(test_asked_again_within_an_answer),
        cmocka_unit_test(test_a_secret_that_cannot_be_read),
        cmocka_unit_test(test_failures_in_codes_and_words),
        cmocka_unit_test(test_how_long_there_was_no_answer),
        cmocka_unit_test(test_the_reader_refuses),
        cmocka_unit_test(test_get_where_post_is_refused),
        cmocka_unit_test(test_the_secret_goes_bad_before_the_get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
