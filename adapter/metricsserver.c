/* Requests of the metrics APIs: each waits for its verdict, then for its values, and is answered once.
 *
 * A request goes from refuse (wrong whoever asks) to access_ask, from on_verdict to serve, and from there by
 * its kind to a document, or to whoever has the values: our rules, the kubelets, resourceRules, or another
 * adapter. Each of these may answer inside the call or later; every way ends in end, which frees the request.
 * So whoever has called anything that may answer must not touch it any more, but where the call says that it
 * waits. The peer may go at any time (on_gone): what it waits for is cancelled then. */
#include "adapter/metricsserver.h"

#include "adapter/apidocs.h"
#include "adapter/servedpath.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

/* The largest list: 100,000 pods with two containers each. A buffer leaves out what does not fit and takes
 * shorter pieces after it: BODY_SPARE is more than any piece, so that what is too large shows by its length.
 */
static const size_t BODY_MAX = (size_t)64 << 20, BODY_SPARE = (size_t)2 << 20;
static const char json_content[] = "application/json";

struct metricsserver {
    struct metricsserver_world world;
    struct metricsserver_stats stats;
};

/* One request on its way; freed when it has been answered, or its peer has gone. */
struct served_request {
    struct metricsserver *server;
    struct https_exchange *exchange;
    struct arena arena;
    struct served served;
    struct err wrong; /* of served.wrong */
    const char *accept, *target;
    enum metricsserver_kind kind;
    usec_t start;
    /* What it waits for; at most one of them. */
    struct access_check *check;
    struct ownmetrics_call *own;
    struct resourcerules_call *resource;
    struct remote_call *remote;
};

/* From what memory answers in to what a first question waits for its server. */
const double served_bounds[SERVED_BUCKETS - 1] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5};

const char *metricsserver_kind_name(enum metricsserver_kind kind) {
    static const char *const names[] = {[SERVED_CUSTOM] = "custom.metrics.k8s.io",
                                        [SERVED_EXTERNAL] = "external.metrics.k8s.io",
                                        [SERVED_RESOURCE] = "metrics.k8s.io",
                                        [SERVED_DISCOVERY] = "discovery",
                                        [SERVED_OTHER] = "other"};
    return names[kind];
}

/* ---- answering ---- */

/* The clock itself is asked, not the loop's, which stands still during a turn: most requests are answered in
 * the turn in which they came. */
static void count(const struct served_request *r, int status) {
    struct metricsserver_stats *s = &r->server->stats;
    double seconds = (double)(clock_mono() - r->start) / (double)USEC_PER_SEC;
    int bucket = 0;

    while (bucket < SERVED_BUCKETS - 1 && seconds > served_bounds[bucket])
        bucket++;
    s->latency_count[r->kind][bucket]++;
    s->latency_sum[r->kind] += seconds;
    if (status >= 100 && status < 600)
        s->by_class[r->kind][status / 100]++;
}

static void request_free(struct served_request *r) {
    access_cancel(r->check);
    ownmetrics_cancel(r->own);
    resourcerules_cancel(r->resource);
    remote_cancel(r->remote);
    r->server->stats.waiting--;
    arena_done(&r->arena);
    free(r);
}

static void on_gone(void *arg) {
    request_free(arg);
}

/* 405 must name what is allowed (RFC 9110, 15.5.6). */
static const char *const *headers_of(int status) {
    static const char *const allow[] = {"Allow: GET", NULL}, *const later[] = {"Retry-After: 1", NULL};

    return status == 405 ? allow : status == 429 ? later : NULL;
}

/* Ends the request. What came with another method than GET is not read, so no further request can be found
 * behind it: the connection closes. */
static void end(struct served_request *r, int status, const char *type, struct buf *body) {
    const struct https_answer a = {
        .status = status, .content_type = type, .headers = headers_of(status), .close = status == 405};

    count(r, status);
    https_answer(r->exchange, &a, body);
    request_free(r);
}

static void answer_status(struct served_request *r, int status, const char *reason, const char *message) {
    cleanup_buf struct buf body;

    buf_init(&body, BODY_MAX);
    metrics_write_status(&body, status, reason, message);
    end(r, status, json_content, &body);
}

/* Peers that take large answers slowly hold their memory: who comes then is told to come again, which
 * client-go does by itself, and what is on its way is not touched. */
static void answer(struct served_request *r, int status, const char *type, struct buf *body) {
    if (https_has_room(r->exchange, body))
        end(r, status, type, body);
    else
        answer_status(r, 429, "TooManyRequests", "too many large answers are on their way: try again later");
}

/* ---- values ---- */

static void answer_values(struct served_request *r, const struct metrics_answer *values) {
    unsigned offered = 1U << ACCEPT_JSON;
    cleanup_buf struct buf body;

    buf_init(&body, BODY_MAX + BODY_SPARE);
    if (r->kind == SERVED_RESOURCE)
        offered |= 1U << ACCEPT_TABLE;
    enum accepted accepted = accept_read(r->accept, offered);
    if (accepted == ACCEPT_NOTHING) {
        answer_status(r, 406, "NotAcceptable", "only application/json is served");
        return;
    }
    metrics_write_answer(&body, &r->served.route, values, accepted == ACCEPT_TABLE, clock_wall());
    if (body.len > BODY_MAX)
        answer_status(r, 500, "InternalError", "the answer is larger than 64 MiB: ask for less of it");
    else
        answer(r, values->status, json_content, &body);
}

static void on_own(void *arg, const struct metrics_answer *values) {
    struct served_request *r = arg;

    r->own = NULL;
    answer_values(r, values);
}

/* The callee may have answered inside, and r be gone. */
static void ask_own(struct served_request *r) {
    struct ownmetrics_call *call = ownmetrics_ask(r->server->world.own, &r->served.route, on_own, r);

    if (call)
        r->own = call;
}

static void on_resource(void *arg, const struct metrics_answer *values) {
    struct served_request *r = arg;

    r->resource = NULL;
    answer_values(r, values);
}

/* resourceRules of the configuration in force win over the kubelets. */
static void ask_resource(struct served_request *r) {
    const struct metricsserver_world *w = &r->server->world;

    if (resourcerules_serve(w->resourcerules)) {
        struct resourcerules_call *call =
            resourcerules_answer(w->resourcerules, &r->served.route, on_resource, r);
        if (call)
            r->resource = call;
    } else if (w->kubelets) {
        kubelets_answer(w->kubelets, &r->served.route, on_resource, r);
    } else {
        answer_status(r, 404, "NotFound", "the server could not find the requested resource");
    }
}

/* ---- another adapter's ---- */

static void on_remote(void *arg, const struct remote_answer *remote, const struct err *err) {
    struct served_request *r = arg;

    r->remote = NULL;
    if (err->code)
        answer_status(r, 503, "ServiceUnavailable", err_text(err));
    else
        answer(r, remote->status, arena_strdup(&r->arena, str_or_empty(remote->content_type)), remote->body);
}

/* A metric that no rule of ours defines, and that the remote adapter may have. */
static bool is_remote(const struct served_request *r) {
    const struct metricsserver_world *w = &r->server->world;

    return w->remote && !ownmetrics_has(w->own, &r->served.route) && remote_has(w->remote, &r->served.route);
}

/* Rights have been asked for by now: where the other adapter has to take us for the one who asks, that
 * verdict is the only one. */
static void ask_remote(struct served_request *r, const struct identity *identity) {
    r->server->stats.remote++;
    r->remote = remote_get(r->server->world.remote, r->target, r->accept, identity, on_remote, r);
}

/* What is wrong with a request is told only now, to who has the right to ask. */
static void answer_metric(struct served_request *r, const struct identity *identity) {
    if (r->served.wrong == -EOPNOTSUPP)
        answer_status(r, 405, "MethodNotAllowed", err_text(&r->wrong));
    else if (r->served.wrong < 0)
        answer_status(r, 400, "BadRequest", err_text(&r->wrong));
    else if (r->kind != SERVED_RESOURCE && is_remote(r))
        ask_remote(r, identity);
    else if (r->kind != SERVED_RESOURCE)
        ask_own(r);
    else
        ask_resource(r);
}

/* ---- everything else ---- */

/* Written anew for each who asks: rules and the other adapter's lists change, and few ask. */
static void answer_document(struct served_request *r) {
    const struct metricsserver_world *w = &r->server->world;
    struct apidocs docs = {.registry = ruleset_registry(w->ruleset),
                           .resource = w->kubelets || resourcerules_serve(w->resourcerules),
                           .version = w->version};
    const char *type = json_content;
    cleanup_buf struct buf body;

    buf_init(&body, BODY_MAX);
    if (w->remote)
        docs.others = remote_entries(w->remote, &docs.other_count);
    int status = apidocs_write(&docs, r->served.path, r->accept, &body, &type);
    if (status == 200)
        answer(r, status, type, &body);
    else if (status == 406)
        answer_status(r, status, "NotAcceptable", "only application/json is served");
    else
        answer_status(r, 404, "NotFound", "the server could not find the requested resource");
}

static void answer_health(struct served_request *r) {
    const struct metricsserver_world *w = &r->server->world;
    int status = 404;
    cleanup_buf struct buf body;

    buf_init(&body, BODY_MAX);
    if (w->health && w->health(w->health_arg, r->served.path, &body, &status))
        answer(r, status, "text/plain; charset=utf-8", &body);
    else
        answer_status(r, 404, "NotFound", "the server could not find the requested resource");
}

static void serve(struct served_request *r, const struct identity *identity) {
    switch (r->served.kind) {
    case PATH_METRICS:
        answer_metric(r, identity);
        break;
    case PATH_WRONG:
        answer_status(r, 400, "BadRequest", err_text(&r->wrong));
        break;
    case PATH_DOCUMENT:
        answer_document(r);
        break;
    case PATH_HEALTH:
        answer_health(r);
        break;
    }
}

/* ---- the request ---- */

static void on_verdict(void *arg, enum access_verdict verdict, const struct identity *identity,
                       const struct err *err) {
    struct served_request *r = arg;

    r->check = NULL;
    switch (verdict) {
    case ACCESS_ALLOWED:
        serve(r, identity);
        break;
    case ACCESS_UNAUTHENTICATED:
        answer_status(r, 401, "Unauthorized", "Unauthorized");
        break;
    case ACCESS_FORBIDDEN:
        answer_status(r, 403, "Forbidden", err_text(err));
        break;
    case ACCESS_FAILED:
        answer_status(r, 500, "InternalError", err_text(err));
        break;
    }
}

static enum metricsserver_kind kind_of(const struct served *served) {
    static const enum metricsserver_kind of_api[] = {[ROUTE_CUSTOM] = SERVED_CUSTOM,
                                                     [ROUTE_EXTERNAL] = SERVED_EXTERNAL,
                                                     [ROUTE_RESOURCE] = SERVED_RESOURCE};

    if (served->kind == PATH_METRICS)
        return of_api[served->route.api];
    return served->kind == PATH_DOCUMENT ? SERVED_DISCOVERY : SERVED_OTHER;
}

/* What cannot be served whoever asks; true: it has been answered. It comes before access, so that it costs
 * the apiserver nothing. */
static bool refuse(struct served_request *r, const struct https_request *request) {
    if (request->refused == 414)
        answer_status(r, 414, "RequestURITooLong", "the URL is too long");
    else if (request->refused == 431)
        answer_status(r, 431, "RequestHeaderFieldsTooLarge", "the header is too large");
    else if (request->refused)
        answer_status(r, request->refused, "BadRequest", "the request cannot be understood");
    else if (remote_has_come_round(request))
        answer_status(r, 508, "LoopDetected", "--remote-adapter leads back to this operator");
    else if (!str_eq(request->method, "GET"))
        answer_status(r, 405, "MethodNotAllowed", "only GET is served: metrics are read");
    else
        return false;
    return true;
}

void metricsserver_handle(void *arg, struct https_exchange *exchange, const struct https_request *request) {
    struct metricsserver *server = arg;
    struct served_request *r = XNEW(struct served_request);

    *r = (struct served_request){
        .server = server, .exchange = exchange, .kind = SERVED_OTHER, .start = clock_mono()};
    arena_init(&r->arena, 0);
    server->stats.waiting++;
    /* From here on the peer may go; and what is borrowed of request is copied, for the verdict may take a
     * while. */
    https_on_gone(exchange, on_gone, r);
    if (refuse(r, request))
        return;
    r->target = arena_strdup(&r->arena, request->target);
    r->accept = arena_strdup(&r->arena, str_or_empty(https_header_first(request, "accept")));
    served_read(r->target, &r->arena, &r->served, &r->wrong);
    r->kind = kind_of(&r->served);
    /* NULL: it has been answered inside, and r may be gone. */
    struct access_check *check = access_ask(server->world.access, request, &r->served.action, on_verdict, r);
    if (check)
        r->check = check;
}

struct metricsserver *metricsserver_new(const struct metricsserver_world *world) {
    struct metricsserver *server = XNEW(struct metricsserver);

    server->world = *world;
    return server;
}

void metricsserver_set_access(struct metricsserver *server, struct access *access) {
    server->world.access = access;
}

void metricsserver_free(struct metricsserver *server) {
    free(server);
}

const struct metricsserver_stats *metricsserver_stats(const struct metricsserver *server) {
    return &server->stats;
}
