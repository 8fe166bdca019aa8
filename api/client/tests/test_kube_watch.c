/* Watches: what they ask the websocket client for, and when a name is resolved. ws_open and ws_close are this
 * file's own, the linker takes them in place of net's. */
#include "api/client/kube.h"
#include "api/client/kubeconfig_internal.h"
#include "api/client/tests/fake_http.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the ones above first */
#include <cmocka.h>

struct ws {
    struct ws_request request; /* the callbacks and plain values alone */
    char *url, *address, *authorization;
};

/* The connection that was opened last, NULL where it is closed or has ended. */
static struct ws *current;
static int opened;

struct ws *ws_open(struct loop *loop, const struct ws_request *request) {
    struct ws *ws = XNEW(struct ws);

    (void)loop;
    assert_null(current);
    ws->request = *request;
    ws->url = xstrdup(request->url);
    ws->address = xstrdup(str_or_empty(request->address));
    ws->authorization = xstrdup("");
    for (size_t i = 0; request->headers[i]; i++) {
        if (!str_starts(request->headers[i], "Authorization: "))
            continue;
        free(ws->authorization);
        ws->authorization = xstrdup(request->headers[i]);
    }
    opened++;
    current = ws;
    return ws;
}

void ws_close(struct ws *ws) {
    if (!ws)
        return;
    if (ws == current)
        current = NULL;
    free(ws->url);
    free(ws->address);
    free(ws->authorization);
    free(ws);
}

/* The peer ends the connection. */
static void end_current(int status, int code) {
    struct ws *ws = current;
    struct ws_end end = {.status = status};

    err_set(&end.err, code, "fake end");
    current = NULL;
    ws->request.on_end(ws->request.arg, &end);
    ws_close(ws);
}

struct fixture {
    struct loop *loop;
    struct fake_http *fake;
    struct kubeconfig *config;
    struct kube *kube;
};

/* What the watch's owner has been told. */
struct seen {
    int opens, ends;
    char data[64];
    bool ended;
    struct ws_end end;
};

static void on_open(void *arg) {
    ((struct seen *)arg)->opens++;
}

static int on_data(void *arg, const char *data, size_t len, bool last, struct err *err) {
    struct seen *s = arg;

    size_t at = strlen(s->data);
    assert_true(at + len < sizeof(s->data));
    memcpy(s->data + at, data, len);
    return last && strchr(s->data, '!') ? err_set(err, -EBADMSG, "not liked") : 0;
}

static void on_end(void *arg, const struct ws_end *end) {
    struct seen *s = arg;

    s->ends++;
    s->ended = true;
    s->end = *end;
}

static struct kube_watch *open_watch(struct fixture *f, struct seen *seen) {
    const struct ws_request callbacks = {.on_open = on_open,
                                         .on_data = on_data,
                                         .on_end = on_end,
                                         .arg = seen,
                                         .connect_timeout = 7 * USEC_PER_SEC,
                                         .idle_ping = 5 * USEC_PER_SEC};

    return kube_watch_open(f->kube, "/api/v1/pods?watch=1", &callbacks);
}

static int set_up(void **state) {
    struct fixture *f = XNEW(struct fixture);

    current = NULL;
    opened = 0;
    assert_int_equal(loop_new(&f->loop, NULL), 0);
    f->fake = fake_http_new(f->loop);
    f->config = kubeconfig_alloc();
    f->config->server = "https://kube.example:6443/prefix";
    f->config->source = "test.config";
    f->config->token = "secret";
    f->config->ca_pem = "ca";
    assert_int_equal(kube_new(f->loop, &f->fake->http, f->config, &f->kube, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;

    kube_free(f->kube);
    assert_null(current);
    fake_http_free(f->fake);
    loop_free(f->loop);
    kubeconfig_free(f->config);
    free(f);
    return 0;
}

static void again(struct fixture *f) {
    kube_free(f->kube);
    assert_int_equal(kube_new(f->loop, &f->fake->http, f->config, &f->kube, NULL), 0);
}

static void turn_until_opened(struct fixture *f, int count) {
    usec_t limit = clock_mono() + 10 * USEC_PER_SEC;

    while (opened < count && clock_mono() < limit)
        loop_turn(f->loop, 20 * USEC_PER_MSEC);
    assert_int_equal(opened, count);
}

static void test_name_is_resolved_first(void **state) {
    struct fixture *f = *state;
    struct seen s = {0};

    fake_http_push(f->fake, (struct fake_reply){.status = 403, .peer_ip = "192.0.2.7"});
    struct kube_watch *watch = open_watch(f, &s);
    assert_int_equal(opened, 0);
    turn_until_opened(f, 1);
    assert_string_equal(f->fake->asked[0].url, "https://kube.example:6443/prefix/version");
    assert_int_equal(f->fake->asked[0].timeout, 7 * USEC_PER_SEC);
    assert_string_equal(current->url, "wss://kube.example:6443/prefix/api/v1/pods?watch=1");
    assert_string_equal(current->address, "192.0.2.7");
    assert_string_equal(current->authorization, "Authorization: Bearer secret");
    assert_string_equal(current->request.tls->ca_pem, "ca");
    assert_int_equal(current->request.idle_ping, 5 * USEC_PER_SEC);
    current->request.on_open(current->request.arg);
    assert_int_equal(current->request.on_data(current->request.arg, "ab", 1, false, NULL), 0);
    assert_int_equal(current->request.on_data(current->request.arg, "!", 1, true, NULL), -EBADMSG);
    assert_int_equal(s.opens, 1);
    assert_string_equal(s.data, "a!");
    assert_int_equal(kube_stats(f->kube)->by_verb[KUBE_DELETE + 1], 1);
    kube_watch_close(watch);
    kube_watch_close(NULL);
    assert_int_equal(s.ends, 0);
}

static void test_address_is_reused_until_it_fails(void **state) {
    struct fixture *f = *state;
    struct seen first = {0}, second = {0}, third = {0};

    fake_http_push(f->fake, (struct fake_reply){.status = 200, .body = "{}", .peer_ip = "192.0.2.7"});
    open_watch(f, &first);
    turn_until_opened(f, 1);
    current->request.on_open(current->request.arg);
    end_current(101, -ECONNRESET);
    assert_int_equal(first.ends, 1);
    assert_int_equal(first.end.err.code, -ECONNRESET);
    /* it had been open: the address is good */
    open_watch(f, &second);
    assert_int_equal(opened, 2);
    end_current(0, -ECONNREFUSED);
    assert_int_equal(second.end.err.code, -ECONNREFUSED);
    assert_int_equal(f->fake->asked_count, 1);
    /* nobody was there: the name may mean another address by now */
    fake_http_push(f->fake, (struct fake_reply){.status = 200, .body = "{}", .peer_ip = "192.0.2.8"});
    kube_watch_close(NULL);
    struct kube_watch *watch = open_watch(f, &third);
    turn_until_opened(f, 3);
    assert_string_equal(current->address, "192.0.2.8");
    kube_watch_close(watch);
}

static void test_resolving_fails(void **state) {
    struct fixture *f = *state;
    struct seen s = {0};

    fake_http_push(f->fake, (struct fake_reply){.status = 0, .code = -EHOSTUNREACH});
    open_watch(f, &s);
    turn_until(f->loop, &s.ended);
    assert_int_equal(s.end.status, 0);
    assert_int_equal(s.end.err.code, -EHOSTUNREACH);
    assert_int_equal(opened, 0);
}

static void test_addresses_need_no_resolving(void **state) {
    static const struct {
        const char *server, *url;
    } cases[] = {
        {"https://192.0.2.1:6443", "wss://192.0.2.1:6443/api/v1/pods?watch=1"},
        {"https://[2001:db8::1]:6443", "wss://[2001:db8::1]:6443/api/v1/pods?watch=1"},
        {"https://192.0.2.1", "wss://192.0.2.1/api/v1/pods?watch=1"},
        {"http://127.0.0.1:8001/x", "ws://127.0.0.1:8001/x/api/v1/pods?watch=1"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seen s = {0};
        f->config->server = cases[i].server;
        again(f);
        struct kube_watch *watch = open_watch(f, &s);
        assert_int_equal(opened, i + 1);
        assert_string_equal(current->url, cases[i].url);
        assert_string_equal(current->address, "");
        kube_watch_close(watch);
    }
    assert_int_equal(f->fake->asked_count, 0);
}

static void test_401_renews_credentials(void **state) {
    struct fixture *f = *state;
    struct seen s = {0}, next = {0};
    char path[] = "/tmp/test_kube_watch.XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "one", 3), 3);
    f->config->server = "https://192.0.2.1";
    f->config->token_file = path;
    again(f);
    open_watch(f, &s);
    assert_string_equal(current->authorization, "Authorization: Bearer one");
    const struct http_tls *tls = current->request.tls;
    /* written in place, with its size and perhaps its time as they were: only a 401 shows it */
    assert_int_equal(pwrite(fd, "two", 3, 0), 3);
    end_current(401, -EACCES);
    assert_int_equal(s.end.status, 401);
    struct kube_watch *watch = open_watch(f, &next);
    assert_string_equal(current->authorization, "Authorization: Bearer two");
    assert_ptr_equal(current->request.tls, tls);
    kube_watch_close(watch);
    close(fd);
    unlink(path);
}

static void expect_refusal(struct fixture *f, int code, const char *part) {
    struct seen s = {0};

    again(f);
    open_watch(f, &s);
    assert_int_equal(s.ends, 0); /* not inside the call */
    turn_until(f->loop, &s.ended);
    assert_int_equal(s.end.err.code, code);
    if (!strstr(s.end.err.text, part))
        fail_msg("\"%s\" lacks \"%s\"", s.end.err.text, part);
    assert_int_equal(opened, 0);
}

static void test_what_cannot_be(void **state) {
    struct fixture *f = *state;

    f->config->proxy_url = "http://proxy:3128";
    expect_refusal(f, -EOPNOTSUPP, "test.config: proxy-url is set");
    f->config->proxy_url = NULL;
    f->config->token = NULL;
    f->config->token_file = "/nonexistent/token";
    expect_refusal(f, -ENOENT, "test.config: credentials: tokenFile: /nonexistent/token");
}

static void test_closing_at_every_stage(void **state) {
    struct fixture *f = *state;
    struct seen s = {0};

    fake_http_push(f->fake, (struct fake_reply){.never = true});
    kube_watch_close(open_watch(f, &s)); /* resolving */
    f->config->proxy_url = "http://proxy";
    again(f);
    kube_watch_close(open_watch(f, &s)); /* a failure to be delivered */
    f->config->proxy_url = NULL;
    f->config->server = "https://192.0.2.1";
    again(f);
    kube_watch_close(open_watch(f, &s)); /* connecting */
    open_watch(f, &s);                   /* ended by kube_free */
    loop_turn(f->loop, USEC_PER_MSEC);
    assert_int_equal(s.ends, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_name_is_resolved_first), TEST(test_address_is_reused_until_it_fails),
        TEST(test_resolving_fails),        TEST(test_addresses_need_no_resolving),
        TEST(test_401_renews_credentials), TEST(test_what_cannot_be),
        TEST(test_closing_at_every_stage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
