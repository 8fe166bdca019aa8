/* Requests to the apiserver: each is a small state machine (wait for credentials, send, perhaps once more,
 * deliver) that never calls back inside the call that started it.
 *
 * A call is in one place at a time, and that place alone calls it: in auth's list (waiter, and the timer for
 * its deadline), at the HTTP client (http), or at its timer, which either tries again or, where failure is
 * set, delivers that. Every way out goes through deliver or kube_cancel, and each of them takes it out of the
 * client's list first. */
#include "api/client/kube.h"

#include "api/client/kube_internal.h"
#include "api/client/kube_status.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/url.h"
#include <errno.h>
#include <string.h>

/* Of a request with its retries and its wait for credentials. */
#define DEFAULT_TIMEOUT (30 * USEC_PER_SEC)
/* One object is at most 1.5 MiB in etcd; long lists are read piece by piece through on_body. */
enum { DEFAULT_MAX_BODY = 4 * 1024 * 1024, RETRIES_MAX = 3, URL_MAX = 8192 };

struct kube_call {
    struct kube *kube;
    struct kube_call *next, **link; /* link NULL: out of the client's list, and about to be freed */
    enum kube_verb verb;
    char *url, *accept, *body; /* accept: a whole header line */
    int (*on_body)(void *arg, const char *data, size_t len, struct err *err);
    kube_done_fn *on_done;
    void *arg;
    size_t max_body;
    usec_t deadline;
    int retries;
    bool refused_once; /* a 401 was answered with new credentials already */
    struct identity *identity;
    struct http_call *http;
    struct loop_timer *timer; /* a pause before the next attempt, the deadline of a wait, or a failure to be
                                 delivered */
    struct auth_waiter waiter;
    struct err failure; /* code 0: none */
};

const double kube_latency_bounds[KUBE_LATENCY_BUCKETS - 1] = {0.002, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                              0.25,  0.5,   1,    5,     15};

/* How a verb looks on the wire. */
static const struct {
    const char *method, *content_type;
    bool field_manager, force;
} verbs[] = {
    [KUBE_GET] = {"GET", NULL, false, false},
    [KUBE_CREATE] = {"POST", "Content-Type: application/json", true, false},
    [KUBE_MERGE_PATCH] = {"PATCH", "Content-Type: application/merge-patch+json", true, false},
    /* JSON is YAML, and servers before 1.34 know server-side apply by this type alone */
    [KUBE_APPLY] = {"PATCH", "Content-Type: application/apply-patch+yaml", true, true},
    [KUBE_DELETE] = {"DELETE", "Content-Type: application/json", false, false},
};

int kube_new(struct loop *loop, struct http *http, const struct kubeconfig *config, struct kube **ret_kube,
             struct err *err) {
    if (!config->server)
        return err_set(err, -EINVAL, "%s: no server is given", str_or_empty(config->source));
    struct kube *kube = XNEW(struct kube);
    kube->loop = loop;
    kube->http = http;
    kube->config = config;
    kube->auth = auth_new(loop, config);
    *ret_kube = kube;
    return 0;
}

/* Watches go first, for one that waits for its address holds a call; auth goes last, for both may stand in
 * its list of waiters. */
void kube_free(struct kube *kube) {
    if (!kube)
        return;
    kube_watches_free(kube);
    for (struct kube_call *call = kube->calls, *next; call; call = next) {
        next = call->next;
        kube_cancel(call);
    }
    auth_free(kube->auth);
    free(kube);
}

const char *kube_server(const struct kube *kube) {
    return kube->config->server;
}

const struct kube_stats *kube_stats(const struct kube *kube) {
    return &kube->stats;
}

static void call_unlink(struct kube_call *call) {
    if (!call->link)
        return;
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    call->link = NULL;
}

static void call_free(struct kube_call *call) {
    identity_unref(call->identity);
    loop_timer_free(call->timer);
    free(call->url);
    free(call->accept);
    free(call->body);
    free(call);
}

void kube_cancel(struct kube_call *call) {
    /* a call that is being delivered has been unlinked; it frees itself */
    if (!call || !call->link)
        return;
    call_unlink(call);
    auth_unwait(&call->waiter);
    http_cancel(call->kube->http, call->http);
    call_free(call);
}

/* Tells the owner and ends the call. The client may be gone afterwards. Unlinked before, so that an owner who
 * cancels the call or frees the client inside on_done frees nothing twice; freed after, since the reply's
 * texts live in root. */
static void deliver(struct kube_call *call, const struct http_reply *reply) {
    struct kube_reply out;
    json_t *root = NULL;
    /* JSON that was asked for as the second best may come as what was better. */
    bool want_json = str_starts(call->accept, "Accept: application/json");

    call_unlink(call);
    kube_status_read(reply, want_json, call->on_body != NULL, &out, &root);
    if (call->on_done)
        call->on_done(call->arg, &out);
    json_decref(root);
    call_free(call);
}

/* A failure before anything was sent, as a reply, so that owners have one path for all failures. */
static void fail_now(struct kube_call *call) {
    struct http_reply reply = {.err = call->failure, .body = "", .content_type = "", .peer_ip = ""};

    deliver(call, &reply);
}

static void attempt(struct kube_call *call);

static void on_timer(void *arg) {
    struct kube_call *call = arg;

    if (call->failure.code)
        fail_now(call);
    else
        attempt(call);
}

static void later(struct kube_call *call, usec_t delay) {
    if (!call->timer)
        call->timer = loop_timer_new(call->kube->loop, on_timer, call);
    loop_timer_set(call->timer, delay);
}

/* What was never answered has no latency: its time would be our own timeout. */
static void count_reply(struct kube *kube, const struct http_reply *reply) {
    struct kube_stats *s = &kube->stats;
    double seconds = (double)reply->elapsed / (double)USEC_PER_SEC;
    size_t bucket = 0;

    if (reply->status == 0) {
        s->failed++;
        return;
    }
    if (reply->status / 100 < 6)
        s->by_class[reply->status / 100]++;
    while (bucket < KUBE_LATENCY_BUCKETS - 1 && seconds > kube_latency_bounds[bucket])
        bucket++;
    s->latency_count[bucket]++;
    s->latency_sum += seconds;
}

/* For the watches, which must be given an address: see kube_watch.c. */
static void note_peer(struct kube *kube, const char *peer_ip) {
    if (peer_ip && peer_ip[0] && strlen(peer_ip) < sizeof(kube->peer_ip))
        memcpy(kube->peer_ip, peer_ip, strlen(peer_ip) + 1);
}

/* Reads only, and only as the server asks (priority and fairness answers 429 with Retry-After). A write was
 * decided from a state that may be another one by then: its owner decides again. */
static bool wants_retry(const struct kube_call *call, const struct http_reply *reply) {
    usec_t left = call->deadline - loop_now(call->kube->loop);

    return call->verb == KUBE_GET && (reply->status == 429 || reply->status == 503) &&
           reply->retry_after > 0 && reply->retry_after < left && call->retries < RETRIES_MAX;
}

static void on_http_done(void *arg, const struct http_reply *reply) {
    struct kube_call *call = arg;
    struct kube *kube = call->kube;

    call->http = NULL;
    count_reply(kube, reply);
    note_peer(kube, reply->peer_ip);
    /* A token may expire between being read and being judged; a second 401 is the server's last word. */
    if (reply->status == 401 && !call->refused_once && auth_refused(kube->auth, call->identity)) {
        call->refused_once = true;
        attempt(call);
    } else if (wants_retry(call, reply)) {
        call->retries++;
        later(call, reply->retry_after);
    } else {
        deliver(call, reply);
    }
}

static int on_http_body(void *arg, const char *data, size_t len, struct err *err) {
    struct kube_call *call = arg;

    return call->on_body(call->arg, data, len, err);
}

/* headers ends with the NULLs that are left of it. The time that is left goes to the HTTP client, so that
 * retries and waits come out of the one timeout that the owner gave. */
static void send_request(struct kube_call *call) {
    struct kube *kube = call->kube;
    const char *headers[HEADERS_MAX] = {KUBE_USER_AGENT};
    size_t n = 1;

    headers[n++] = call->accept;
    if (call->body)
        headers[n++] = verbs[call->verb].content_type;
    if (call->identity->authorization)
        headers[n++] = call->identity->authorization;
    const struct http_request request = {.method = verbs[call->verb].method,
                                         .url = call->url,
                                         .headers = headers,
                                         .body = call->body,
                                         .body_len = call->body ? strlen(call->body) : 0,
                                         .proxy = kube->config->proxy_url,
                                         .tls = call->identity->tls,
                                         .timeout = call->deadline - loop_now(kube->loop),
                                         .max_body = call->max_body,
                                         .on_body = call->on_body ? on_http_body : NULL,
                                         .on_done = on_http_done,
                                         .arg = call};
    kube->stats.by_verb[call->verb]++;
    call->http = http_start(kube->http, &request);
}

static void on_credentials(void *arg) {
    attempt(arg);
}

/* Failures of its own come by the timer: the owner may not have kept what kube_start returns yet. Whoever
 * waits for credentials is woken by auth or by the deadline; here it stands in neither of the two any more.
 */
static void attempt(struct kube_call *call) {
    struct kube *kube = call->kube;

    identity_unref(steal_ptr(&call->identity));
    auth_unwait(&call->waiter);
    if (call->timer)
        loop_timer_cancel(call->timer);
    if (loop_now(kube->loop) >= call->deadline) {
        err_set(&call->failure, -ETIMEDOUT, "no credentials within the request's time");
        later(call, 0);
        return;
    }
    int r = auth_get(kube->auth, &call->identity, &call->failure);
    if (r == -EAGAIN) {
        err_clear(&call->failure);
        call->waiter.fn = on_credentials;
        call->waiter.arg = call;
        auth_wait(kube->auth, &call->waiter);
        later(call, call->deadline - loop_now(kube->loop));
    } else if (r < 0) {
        err_wrap(&call->failure, "%s: credentials", str_or_empty(kube->config->source));
        later(call, 0);
    } else {
        send_request(call);
    }
}

int kube_credentials(struct kube *kube, struct identity **ret_identity, struct err *err) {
    int ret = auth_get(kube->auth, ret_identity, err);

    return ret < 0 && ret != -EAGAIN ? err_wrap(err, "%s: credentials", str_or_empty(kube->config->source))
                                     : ret;
}

/* Names in the path are escaped by who made it (resource_path); what would end the request line or cut the
 * URL off is refused here all the same. */
static int build_url(const struct kube *kube, const struct kube_request *request, char **ret_url,
                     struct err *err) {
    cleanup_buf struct buf url;
    bool has_query = strchr(request->path, '?') != NULL;

    buf_init(&url, URL_MAX);
    if (request->path[0] != '/' || strpbrk(request->path, " \t\r\n#"))
        return err_set(err, -EINVAL, "\"%.100s\" is not a path of the API", request->path);
    int r = buf_printf(&url, "%s%s", kube->config->server, request->path);
    if (r == 0 && verbs[request->verb].field_manager) {
        cleanup_free char *manager = url_escape(request->field_manager ? request->field_manager : "trimtab");
        r = buf_printf(&url, "%cfieldManager=%s", has_query ? '&' : '?', manager);
    }
    /* A controller owns the fields it applies: without force, somebody's kubectl edit would be a conflict
     * for ever. */
    if (r == 0 && verbs[request->verb].force)
        r = buf_puts(&url, "&force=true");
    if (r < 0)
        return err_set(err, r, "the request's path is longer than %d bytes", URL_MAX);
    *ret_url = buf_detach(&url);
    return 0;
}

static int build_body(const struct kube_request *request, char **ret_body, struct err *err) {
    if (!request->body)
        return 0;
    *ret_body = json_dumps(request->body, JSON_COMPACT);
    return *ret_body ? 0 : err_set(err, -EINVAL, "the request's body cannot be written as JSON");
}

struct kube_call *kube_start(struct kube *kube, const struct kube_request *request) {
    struct kube_call *call = XNEW(struct kube_call);

    call->kube = kube;
    call->verb = request->verb;
    call->accept = xasprintf("Accept: %s", request->accept ? request->accept : "application/json");
    call->on_body = request->on_body;
    call->on_done = request->on_done;
    call->arg = request->arg;
    call->max_body = request->max_body ? request->max_body : DEFAULT_MAX_BODY;
    call->deadline = loop_now(kube->loop) + (request->timeout ? request->timeout : DEFAULT_TIMEOUT);
    call->next = kube->calls;
    call->link = &kube->calls;
    if (call->next)
        call->next->link = &call->next;
    kube->calls = call;
    int r = build_url(kube, request, &call->url, &call->failure);
    if (r == 0)
        r = build_body(request, &call->body, &call->failure);
    if (r < 0)
        later(call, 0);
    else
        attempt(call);
    return call;
}
