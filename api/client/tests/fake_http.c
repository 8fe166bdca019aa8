/* The fake transport. */
#include "api/client/tests/fake_http.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the ones above first */
#include <cmocka.h>

struct http_call {
    struct fake_http *fake;
    struct fake_reply reply;
    struct http_request request; /* the callbacks and their argument alone */
    struct loop_timer *timer;
};

static char *dup_or_null(const char *s) {
    return s ? xstrdup(s) : NULL;
}

static char *join_lines(const char *const *lines) {
    struct buf out;

    buf_init(&out, 65536);
    for (; lines && *lines; lines++)
        buf_printf(&out, "%s\n", *lines);
    buf_puts(&out, "");
    return buf_detach(&out);
}

static void record(struct fake_http *fake, const struct http_request *r) {
    assert_true(fake->asked_count < FAKE_MAX);
    fake->asked[fake->asked_count++] = (struct fake_asked){
        .method = xstrdup(r->method),
        .url = xstrdup(r->url),
        .body = r->body ? xstrndup(r->body, r->body_len) : NULL,
        .headers = join_lines(r->headers),
        .proxy = dup_or_null(r->proxy),
        .tls = r->tls,
        .timeout = r->timeout,
    };
}

static struct fake_reply choose(struct fake_http *fake, const char *url) {
    if (fake->taken < fake->queued)
        return fake->queue[fake->taken++];
    for (size_t i = 0; i < fake->route_count; i++)
        if (str_ends(url, fake->routes[i].path))
            return fake->routes[i].reply;
    return (struct fake_reply){.status = 404};
}

static void call_free(struct http_call *call) {
    call->fake->open--;
    loop_timer_free(call->timer);
    free(call);
}

/* As the real one: the body of a 2xx goes to on_body in pieces, bounded by max_body. */
static int give_body(const struct http_call *call, const char *body, struct err *err) {
    const struct http_request *r = &call->request;
    size_t len = strlen(body), max = r->max_body ? r->max_body : 1024 * 1024;

    if (len > max)
        return err_set(err, -E2BIG, "the reply is larger than %zu bytes", max);
    for (size_t at = 0; r->on_body && at < len; at += 7) {
        int code = r->on_body(r->arg, body + at, len - at < 7 ? len - at : 7, err);
        if (code < 0)
            return code;
    }
    return 0;
}

static void deliver(void *arg) {
    struct http_call *call = arg;
    const struct fake_reply *r = &call->reply;
    const char *body = r->body ? r->body : "";
    struct http_reply reply = {.status = r->status,
                               .body = "",
                               .content_type = r->content_type ? r->content_type : "application/json",
                               .retry_after = r->retry_after,
                               .elapsed = 3 * USEC_PER_MSEC,
                               .peer_ip = r->peer_ip ? r->peer_ip : "192.0.2.1"};
    bool streamed = call->request.on_body && r->status >= 200 && r->status < 300;

    if (r->status == 0) {
        err_set(&reply.err, r->code, "fake failure");
        reply.peer_ip = "";
    } else if (give_body(call, streamed || !call->request.on_body ? body : "", &reply.err) < 0) {
        reply.status = 0;
    } else if (!streamed) {
        reply.body = body;
        reply.body_len = strlen(body);
    }
    call->request.on_done(call->request.arg, &reply);
    call_free(call);
}

static struct http_call *start(struct http *http, const struct http_request *request) {
    struct fake_http *fake = (struct fake_http *)http;
    struct http_call *call = XNEW(struct http_call);

    record(fake, request);
    call->fake = fake;
    call->reply = choose(fake, request->url);
    call->request = *request;
    call->timer = loop_timer_new(fake->loop, deliver, call);
    if (!call->reply.never)
        loop_timer_set(call->timer, 0);
    fake->open++;
    return call;
}

static void cancel(struct http *http, struct http_call *call) {
    (void)http;
    call_free(call);
}

struct fake_http *fake_http_new(struct loop *loop) {
    static const struct http_ops ops = {start, cancel};
    struct fake_http *fake = XNEW(struct fake_http);

    fake->http.ops = &ops;
    fake->loop = loop;
    return fake;
}

void fake_http_free(struct fake_http *fake) {
    assert_int_equal(fake->open, 0);
    for (size_t i = 0; i < fake->asked_count; i++) {
        struct fake_asked *a = &fake->asked[i];
        free(a->method);
        free(a->url);
        free(a->body);
        free(a->headers);
        free(a->proxy);
    }
    free(fake);
}

void fake_http_push(struct fake_http *fake, struct fake_reply reply) {
    assert_true(fake->queued < FAKE_MAX);
    fake->queue[fake->queued++] = reply;
}

void fake_http_route(struct fake_http *fake, const char *path, struct fake_reply reply) {
    size_t i = 0;

    while (i < fake->route_count && !str_eq(fake->routes[i].path, path))
        i++;
    assert_true(i < FAKE_MAX);
    fake->routes[i].path = path;
    fake->routes[i].reply = reply;
    if (i == fake->route_count)
        fake->route_count++;
}

void turn_until(struct loop *loop, const bool *flag) {
    usec_t end = clock_mono() + 20 * USEC_PER_SEC;

    while (!*flag && clock_mono() < end)
        loop_turn(loop, 50 * USEC_PER_MSEC);
    assert_true(*flag);
}
