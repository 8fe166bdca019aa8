/* Requests to one Prometheus-compatible server: a queue before it, its health beside it.
 *
 * A call is in one list at a time: waiting for its turn, under way, or failed before it could be sent (which
 * is told on a later turn, as everything is). From under way it may go to the server a second time, as GET
 * where POST was refused; there is no way back to waiting. The number under way never passes max_concurrent,
 * and whatever makes room there calls begin_next, or the rest of the queue would wait for ever.
 *
 * Users may cancel any call, ask again or free the client from within on_done: so a call is out of its list,
 * and freed, before its user hears of it. */
#include "adapter/promclient.h"

#include "adapter/promerror.h"
#include "adapter/promrequest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* Prometheus evaluates 20 queries at once (--query.max-concurrency); dashboards and rules shall have
 * theirs. */
enum { CONCURRENT_DEFAULT = 8 };

struct call_list {
    struct promclient_call *first, *last;
    uint32_t len;
};

struct promclient_call {
    struct promclient *client;
    struct promclient_call *next, *prev;
    struct call_list *list; /* that it is in */
    struct promclient_request request;
    char *path, *form;
    struct http_call *http; /* while under way */
    bool posted;
    struct err err; /* of a call that could not be sent */
};

struct promclient {
    struct loop *loop;
    struct http *http;
    struct loop_timer *timer; /* for those that failed at once */
    struct prom_endpoint endpoint;
    int max_concurrent;
    struct call_list waiting, under_way, failed;
    struct promclient_stats stats;
};

static void list_add(struct call_list *list, struct promclient_call *call) {
    call->list = list;
    call->next = NULL;
    call->prev = list->last;
    if (list->last)
        list->last->next = call;
    else
        list->first = call;
    list->last = call;
    list->len++;
}

static void list_remove(struct promclient_call *call) {
    struct call_list *list = call->list;

    if (call->prev)
        call->prev->next = call->next;
    else
        list->first = call->next;
    if (call->next)
        call->next->prev = call->prev;
    else
        list->last = call->prev;
    list->len--;
}

/* Of one that is in no list any more. */
static void call_free(struct promclient_call *call) {
    free(call->path);
    free(call->form);
    free(call);
}

static void fail(struct promclient_call *call, const struct err *err) {
    struct promclient *c = call->client;

    list_remove(call);
    list_add(&c->failed, call);
    err_set(&call->err, err->code, "%s: %s", c->endpoint.label, err_text(err));
    loop_timer_set(c->timer, 0);
}

/* Ends a call that is in no list any more. Its user may free the client inside, so nothing is touched after.
 */
static void tell(struct promclient_call *call, const struct promclient_answer *answer,
                 const struct err *err) {
    /* A copy: the user's functions are called when the call is gone. */
    struct promclient_request request = call->request;

    call_free(call);
    if (request.answer)
        *request.answer = *answer;
    request.on_done(request.arg, err);
}

static void note(struct promclient *c, const struct promclient_answer *answer, const struct err *err) {
    struct promclient_stats *s = &c->stats;

    if (err->code)
        s->failures++;
    /* A bad query, or one whose answer is too large, says nothing against the server. */
    if (!err->code || (answer->said_error && answer->status < 500)) {
        s->last_success = clock_wall();
        s->last_code = 0;
        s->last_error[0] = '\0';
    } else if (!answer->said_error && err->code != -E2BIG) {
        s->last_code = err->code;
        snprintf(s->last_error, sizeof(s->last_error), "%s", err_text(err));
        str_trim_utf8(s->last_error);
    }
}

static void on_failed(void *arg) {
    struct promclient *c = arg;
    struct promclient_call *call = c->failed.first;

    if (!call)
        return;
    /* One a turn, and the timer before the telling: the client may not live to set it. */
    if (call->next)
        loop_timer_set(c->timer, 0);
    struct promclient_answer answer = {0};
    struct err err = call->err;
    note(c, &answer, &err);
    list_remove(call);
    tell(call, &answer, &err);
}

static void begin(struct promclient_call *call);

static void begin_next(struct promclient *c) {
    while (c->waiting.first && c->under_way.len < (uint32_t)c->max_concurrent) {
        struct promclient_call *call = c->waiting.first;
        list_remove(call);
        list_add(&c->under_way, call);
        c->stats.requests++;
        begin(call);
    }
}

/* Some servers and proxies take GET only; once seen, all later requests use it. */
static bool falls_back_to_get(struct promclient_call *call, const struct http_reply *reply) {
    struct prom_endpoint *e = &call->client->endpoint;

    /* Of several that were posted before the first 405 came, each is sent again. */
    if (!call->posted || (reply->status != 405 && reply->status != 501))
        return false;
    if (!e->use_get)
        log_info(NULL, "%s answered %d to POST: using GET", e->label, reply->status);
    e->use_get = true;
    return true;
}

static void on_done(void *arg, const struct http_reply *reply) {
    struct promclient_call *call = arg;
    struct promclient *c = call->client;
    struct promclient_answer answer = {.sent = true, .status = reply->status};
    struct err err = {0};

    call->http = NULL;
    if (falls_back_to_get(call, reply)) {
        begin(call);
        begin_next(c); /* where a secret has gone bad meanwhile, its place is free */
        return;
    }
    if (reply->status < 200 || reply->status > 299)
        promerror_read(&c->endpoint, call->request.timeout, reply, &answer, &err);
    /* Of what gave no answer the time is the timeout's, and no latency of the server. */
    if (reply->status) {
        c->stats.last_latency = reply->elapsed;
        c->stats.latency_sum += (double)reply->elapsed / (double)USEC_PER_SEC;
    }
    note(c, &answer, &err);
    /* The next one may go before this one is told, for telling may be the end of the client. */
    list_remove(call);
    begin_next(c);
    tell(call, &answer, &err);
}

static int on_body(void *arg, const char *data, size_t len, struct err *err) {
    struct promclient_call *call = arg;

    return call->request.on_body(call->request.arg, data, len, err);
}

static void begin(struct promclient_call *call) {
    struct promclient *c = call->client;
    cleanup_prom_request struct prom_request request;
    struct err err = {0};

    if (prom_request_init(&request, &c->endpoint, call->path, call->form, &err) < 0) {
        fail(call, &err);
        return;
    }
    if (call->request.max_body)
        request.http.max_body = call->request.max_body;
    request.http.timeout = call->request.timeout;
    request.http.on_body = on_body;
    request.http.on_done = on_done;
    request.http.arg = call;
    call->posted = !c->endpoint.use_get;
    call->http = http_start(c->http, &request.http);
}

struct promclient_call *promclient_start(struct promclient *client,
                                         const struct promclient_request *request) {
    struct promclient_call *call = XNEW(struct promclient_call);
    const char *form = str_or_empty(request->form);
    usec_t timeout = request->timeout ? request->timeout : client->endpoint.timeout;

    call->client = client;
    call->request = *request;
    /* In effect from here on, and named where it runs out. */
    call->request.timeout = timeout;
    call->path = xstrdup(request->path);
    /* The server gives up when we do, and does not go on with what nobody waits for. */
    call->form = xasprintf("%s%stimeout=%" PRId64 "ms", form, *form ? "&" : "", timeout / USEC_PER_MSEC);
    /* Through the queue even where there is room, so that nobody overtakes those that wait. */
    list_add(&client->waiting, call);
    begin_next(client);
    return call;
}

void promclient_cancel(struct promclient_call *call) {
    if (!call)
        return;
    struct promclient *c = call->client;
    /* No handle while it waits or has failed: there is nothing to cancel then. */
    http_cancel(c->http, call->http);
    list_remove(call);
    call_free(call);
    begin_next(c);
}

int promclient_new(struct loop *loop, struct http *http, const struct prometheus_options *options,
                   struct promclient **ret_client, struct err *err) {
    struct promclient *c = XNEW(struct promclient);
    /* Leaves nothing behind where it fails. */
    int ret = prom_endpoint_init(&c->endpoint, options, err);

    if (ret < 0) {
        free(c);
        return ret;
    }
    c->loop = loop;
    c->http = http;
    c->max_concurrent = options->max_concurrent > 0 ? options->max_concurrent : CONCURRENT_DEFAULT;
    c->timer = loop_timer_new(loop, on_failed, c);
    *ret_client = c;
    return 0;
}

/* Starts nothing in place of what ends: the client goes. */
static void drop_all(struct promclient *c, struct call_list *list) {
    struct promclient_call *next;

    for (struct promclient_call *call = list->first; call; call = next) {
        next = call->next;
        http_cancel(c->http, call->http);
        call_free(call);
    }
    *list = (struct call_list){0};
}

void promclient_free(struct promclient *client) {
    if (!client)
        return;
    drop_all(client, &client->waiting);
    drop_all(client, &client->under_way);
    drop_all(client, &client->failed);
    loop_timer_free(client->timer);
    prom_endpoint_done(&client->endpoint);
    free(client);
}

const char *promclient_label(const struct promclient *client) {
    return client->endpoint.label;
}

int promclient_max_concurrent(const struct promclient *client) {
    return client->max_concurrent;
}

size_t promclient_max_response(const struct promclient *client) {
    return client->endpoint.max_response;
}

void promclient_stats(const struct promclient *client, struct promclient_stats *ret_stats) {
    *ret_stats = client->stats;
    ret_stats->in_flight = client->under_way.len;
    ret_stats->waiting = client->waiting.len;
}
