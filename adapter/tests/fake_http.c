/* The simulated transport: replies come by timers of the loop. */
#include "adapter/tests/fake_http.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct http_call {
    struct fake_http *http;
    struct loop_timer *timer;
    struct http_request request; /* its callbacks only; the rest is the caller's */
    struct fake_reply reply;
};

static void call_free(struct http_call *call) {
    call->http->in_flight--;
    loop_timer_free(call->timer);
    free(call);
}

/* Gives the body in pieces of 5 bytes; what on_body says. */
static int give_body(struct http_call *call, size_t len, struct err *err) {
    int ret = 0;

    for (size_t at = 0; at < len && ret >= 0; at += 5)
        ret =
            call->request.on_body(call->request.arg, call->reply.body + at, len - at < 5 ? len - at : 5, err);
    return ret;
}

static void on_reply(void *arg) {
    struct http_call *call = arg;
    const struct fake_reply *r = &call->reply;
    struct http_reply reply = {
        .status = r->status, .err = r->err, .body = "", .content_type = str_or_empty(r->content_type)};
    size_t len = r->body ? strlen(r->body) : 0;

    reply.retry_after = r->retry_after;
    reply.elapsed = r->delay;
    if (r->status >= 200 && r->status < 300 && call->request.on_body) {
        struct err err = {0};
        if (give_body(call, r->cut_at && r->cut_at < len ? r->cut_at : len, &err) < 0)
            reply.status = 0, reply.err = err;
    } else if (r->status && len) {
        reply.body = r->body;
        reply.body_len = len;
    }
    if (r->cut_at && reply.status) {
        reply.status = 0;
        err_set(&reply.err, -EPIPE, "the connection broke");
    }
    void (*on_done)(void *, const struct http_reply *) = call->request.on_done;
    void *done_arg = call->request.arg;
    call_free(call);
    on_done(done_arg, &reply);
}

static void spoil(struct fake_http *h, const struct http_request *request, struct fake_reply *r) {
    if (h->fault == FAULT_LOST) {
        *r = (struct fake_reply){.delay = request->timeout};
        err_set(&r->err, -ETIMEDOUT, "timed out");
    } else if (h->fault == FAULT_500) {
        *r = (struct fake_reply){.status = 500, .body = "oops", .content_type = "text/plain"};
    } else if (h->fault == FAULT_CUT) {
        r->cut_at = 20;
    } else if (h->fault == FAULT_SLOW) {
        r->delay = request->timeout - USEC_PER_SEC;
    }
}

static void remember(struct fake_http *h, const struct http_request *request) {
    size_t n = 0;

    snprintf(h->method, sizeof(h->method), "%s", request->method);
    snprintf(h->url, sizeof(h->url), "%s", request->url);
    snprintf(h->body, sizeof(h->body), "%.*s", (int)request->body_len,
             request->body ? (const char *)request->body : "");
    snprintf(h->userpwd, sizeof(h->userpwd), "%s", str_or_empty(request->userpwd));
    h->insecure = request->tls && request->tls->insecure;
    h->headers[0] = '\0';
    for (const char *const *line = request->headers; line && *line; line++)
        n += (size_t)snprintf(h->headers + n, sizeof(h->headers) - n, "%s\n", *line);
}

static struct http_call *start(struct http *http, const struct http_request *request) {
    struct fake_http *h = (struct fake_http *)http;
    struct http_call *call = XNEW(struct http_call);

    remember(h, request);
    *call = (struct http_call){.http = h, .request = *request};
    call->timer = loop_timer_new(h->loop, on_reply, call);
    h->serve(h->arg, request, &call->reply);
    if (h->started++ == h->fault_at)
        spoil(h, request, &call->reply);
    if (++h->in_flight > h->max_in_flight)
        h->max_in_flight = h->in_flight;
    loop_timer_set(call->timer, call->reply.delay ? call->reply.delay : 3 * USEC_PER_MSEC);
    return call;
}

static void cancel(struct http *http, struct http_call *call) {
    (void)http;
    call_free(call);
}

void fake_http_init(struct fake_http *h, struct loop *loop,
                    void (*serve)(void *arg, const struct http_request *request, struct fake_reply *ret),
                    void *arg) {
    static const struct http_ops ops = {.start = start, .cancel = cancel};

    *h = (struct fake_http){.head = {.ops = &ops}, .loop = loop, .serve = serve, .arg = arg, .fault_at = -1};
}
