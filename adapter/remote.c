/* Passing requests on. Each carries the settings that it began with; a remote that cannot be reached is left
 * alone for a while, so that nobody waits for it again and again.
 *
 * A call is in the remote's list from remote_get until it is delivered or cancelled, and so counted in
 * in_flight; each has either an HTTP request or, where it was refused, a timer that delivers why. Rights have
 * been asked for before anything comes here: shown a token of ours, the remote sees the operator alone. */
#include "adapter/remote.h"

#include "adapter/remote_forward.h"
#include "adapter/remote_internal.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/url.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { IN_FLIGHT_MAX = 64, BODY_MAX = 8 * 1024 * 1024, FILE_MAX = 1024 * 1024 };

#define TIMEOUT (10 * USEC_PER_SEC)
/* Much shorter: who takes no connection is away, and not slow (note_down). */
#define CONNECT_TIMEOUT (3 * USEC_PER_SEC)
#define DOWN_MIN USEC_PER_SEC
#define DOWN_MAX (30 * USEC_PER_SEC)

struct remote_call {
    struct remote *remote;
    struct remote_call *next, **link; /* in the remote's list; link: what points to it there */
    struct http_call *http;
    struct remote_tls *tls; /* one reference: the transport reads it until the request is done */
    struct buf body;
    usec_t started;
    struct loop_timer *timer; /* delivers failure */
    struct err failure;
    remote_done_fn *done;
    void *arg;
};

/* ---- TLS settings ---- */

static void tls_unref(struct remote_tls *tls) {
    if (!tls || --tls->refs > 0)
        return;
    free(tls->ca_pem);
    free(tls);
}

/* Who we are to it: the front proxy's certificate, else our own. */
static void set_identity(const struct remote *r, struct http_tls *tls) {
    const struct kubeconfig *we = r->ourselves;

    if (r->cert_path) {
        tls->cert_file = r->cert_path;
        tls->key_file = r->key_path;
    } else if (we && !r->token_path && !we->token) {
        tls->cert_pem = we->cert_pem;
        tls->key_pem = we->key_pem;
        tls->cert_file = we->cert_file;
        tls->key_file = we->key_file;
    }
}

/* Settings are not changed but replaced: requests that are under way end with those that they began with. */
void remote_set_authority(struct remote *r, char *ca_pem) {
    if (r->tls && str_eq(r->tls->ca_pem, ca_pem)) {
        free(ca_pem);
        return;
    }
    struct remote_tls *tls = XNEW(struct remote_tls);
    *tls = (struct remote_tls){.refs = 1, .ca_pem = ca_pem, .tls = {.ca_pem = ca_pem}};
    set_identity(r, &tls->tls);
    tls_unref(r->tls);
    r->tls = tls;
}

/* ---- calls ---- */

static void call_unlink(struct remote_call *call) {
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    call->remote->stats.in_flight--;
}

static void call_free(struct remote_call *call) {
    tls_unref(call->tls);
    loop_timer_free(call->timer);
    buf_done(&call->body);
    free(call);
}

void remote_cancel(struct remote_call *call) {
    if (!call)
        return;
    http_cancel(call->remote->http, call->http);
    call_unlink(call);
    call_free(call);
}

/* The remote may be gone afterwards: so the call is out of its list before, and nothing of the remote is
 * touched behind done. */
static void deliver(struct remote_call *call, int status, const char *content_type, const struct err *err) {
    const struct remote_answer answer = {.status = status, .content_type = content_type, .body = &call->body};

    call_unlink(call);
    call->done(call->arg, &answer, err);
    call_free(call);
}

static void on_timer(void *arg) {
    struct remote_call *call = arg;

    deliver(call, 0, "", &call->failure);
}

/* Whoever asks has no handle yet, and could not tell this call's end from another's. */
static struct remote_call *fail_later(struct remote_call *call) {
    call->timer = loop_timer_new(call->remote->loop, on_timer, call);
    loop_timer_set(call->timer, 0);
    return call;
}

/* Without what differs from try to try (curl tells the milliseconds): an HPA shows it in its status. */
static const char *reason(const struct err *err) {
    if (err->code == -ECONNREFUSED)
        return "connection refused";
    return err->code == -ETIMEDOUT ? "no answer in time" : err_text(err);
}

/* Nobody there: not asked again for 1 s, 2 s and so on up to 30 s. One that answers too slowly or too much is
 * there, and others are answered: one request must not keep them from it. */
static void note_down(struct remote *r, const struct http_reply *reply, usec_t took) {
    r->stats.failures++;
    snprintf(r->stats.last_error, sizeof(r->stats.last_error), "%s", reason(&reply->err));
    if (reply->err.code == -E2BIG || (reply->err.code == -ETIMEDOUT && took >= TIMEOUT))
        return;
    r->stats.up = false;
    r->down_until = loop_now(r->loop) + backoff_next(&r->backoff, 0);
}

static void note_up(struct remote *r, const struct http_reply *reply) {
    r->stats.up = true;
    r->stats.last_latency = reply->elapsed;
    r->stats.last_error[0] = '\0';
    r->backoff.failures = 0;
    r->down_until = 0;
}

static int on_body(void *arg, const char *data, size_t len, struct err *err) {
    struct remote_call *call = arg;

    if (buf_append(&call->body, data, len) < 0)
        return err_set(err, -E2BIG, "the answer is larger than %d bytes", BODY_MAX);
    return 0;
}

static void on_http_done(void *arg, const struct http_reply *reply) {
    struct remote_call *call = arg;
    struct remote *r = call->remote;
    struct err err = reply->err;

    call->http = NULL;
    if (reply->status == 0) {
        note_down(r, reply, loop_now(r->loop) - call->started);
        buf_reset(&call->body);
        err_set(&err, reply->err.code, "the remote adapter %s: %s", r->url, reason(&reply->err));
    } else {
        note_up(r, reply);
        err_clear(&err);
        /* on_body had none of it */
        if (reply->status < 200 || reply->status > 299)
            buf_append(&call->body, reply->body, reply->body_len);
    }
    deliver(call, reply->status, reply->content_type, &err);
}

/* ---- asking ---- */

/* Who asks, or else who we are. A front proxy that names nobody would be anonymous to the remote: for reading
 * its lists it names itself. The token's file is looked at for each request: the kubelet renews projected
 * tokens while they are in use. */
static int put_identity(struct remote *r, const struct identity *identity, struct forward_lines *lines,
                        struct err *err) {
    static const char *const groups[] = {"system:authenticated", NULL};
    static const struct identity_extra no_extra = {0};
    const struct identity us = {.user = "trimtab", .uid = "", .groups = groups, .extra = &no_extra};
    bool changed = false;

    if (r->cert_path)
        return forward_identity(lines, identity ? identity : &us, err);
    const char *token = r->ourselves ? r->ourselves->token : NULL;
    if (r->token_path) {
        file_follow(&r->token, /* force= */ false, &changed, NULL);
        token = r->token.text ? r->token.text : token;
    }
    if (!token)
        return 0;
    cleanup_free char *bearer = xasprintf("Bearer %s", token);
    return forward_line(lines, "Authorization", bearer, err);
}

/* Whether it can be asked at all. */
static int check(const struct remote *r, const char *target, struct err *err) {
    if (!r->tls)
        return err_set(err, -ENOKEY,
                       "%s: no APIService that points at %s/%s has a caBundle, and no CA file is given",
                       r->url, r->ns, r->service);
    if (r->down_until > loop_now(r->loop))
        return err_set(err, -EAGAIN, "the remote adapter %s: %s", r->url, r->stats.last_error);
    /* The new one is among them. */
    if (r->stats.in_flight > IN_FLIGHT_MAX)
        return err_set(err, -EBUSY, "%s: %d requests are under way", r->url, IN_FLIGHT_MAX);
    return forward_check_target(target, err);
}

static int start(struct remote_call *call, const char *target, const char *accept,
                 const struct identity *identity, struct err *err) {
    struct remote *r = call->remote;
    cleanup_arena struct arena arena;
    struct forward_lines lines = {.arena = &arena};

    arena_init(&arena, 0);
    int ret = check(r, target, err);
    if (ret == 0)
        ret = forward_line(&lines, "Via", "1.1 " REMOTE_VIA, err);
    if (ret == 0)
        ret = forward_line(&lines, "Accept", accept && accept[0] ? accept : "application/json", err);
    if (ret == 0)
        ret = put_identity(r, identity, &lines, err);
    if (ret < 0)
        return ret;
    const char *url = ARENA_JOIN(&arena, r->url, target);
    r->tls->refs++;
    call->tls = r->tls;
    call->started = loop_now(r->loop);
    r->stats.requests++;
    call->http = http_start(r->http, &(struct http_request){.method = "GET",
                                                            .url = url,
                                                            .headers = lines.lines,
                                                            .tls = &call->tls->tls,
                                                            .timeout = TIMEOUT,
                                                            .connect_timeout = CONNECT_TIMEOUT,
                                                            .max_body = BODY_MAX,
                                                            .on_body = on_body,
                                                            .on_done = on_http_done,
                                                            .arg = call});
    return 0;
}

struct remote_call *remote_get(struct remote *r, const char *target, const char *accept,
                               const struct identity *identity, remote_done_fn *done, void *arg) {
    struct remote_call *call = XNEW(struct remote_call);

    *call = (struct remote_call){.remote = r, .next = r->calls, .link = &r->calls, .done = done, .arg = arg};
    if (call->next)
        call->next->link = &call->next;
    r->calls = call;
    r->stats.in_flight++;
    buf_init(&call->body, BODY_MAX);
    return start(call, target, accept, identity, &call->failure) < 0 ? fail_later(call) : call;
}

/* ---- loops ---- */

/* One that has passed us: "1.0 fred, 1.1 trimtab", each a protocol and who it was (RFC 9110, 7.6.3). */
static void look_for_via(void *arg, const char *name, const char *value) {
    static const char ours[] = " " REMOTE_VIA;
    bool *found = arg;

    (void)name;
    for (const char *p = strstr(value, ours); p && !*found; p = strstr(p + 1, ours)) {
        char behind = p[strlen(ours)];
        *found = behind == '\0' || behind == ',' || behind == ' ';
    }
}

bool remote_has_come_round(const struct https_request *request) {
    bool found = false;

    https_header(request, "Via", look_for_via, &found);
    return found;
}

/* ---- life ---- */

/* "NAMESPACE/SERVICE:PORT" or a URL. */
static int read_target(struct remote *r, const char *target, struct err *err) {
    const char *slash = strchr(target, '/'), *colon = strchr(target, ':');
    struct url_base base;
    int64_t port = 0;

    if (str_starts(target, "https://")) {
        int ret = url_base_read(target, &base, err);
        if (ret < 0)
            return ret;
        r->url = xstrdup(base.url);
        url_base_done(&base);
        return 0;
    }
    bool good = slash && colon && slash > target && slash + 1 < colon && !strchr(slash + 1, '/') &&
                str_to_i64(colon + 1, &port) == 0 && port > 0 && port < 65536;
    if (!good)
        return err_set(err, -EINVAL, "\"%.100s\" is neither NAMESPACE/SERVICE:PORT nor https://host:port",
                       target);
    r->ns = xstrndup(target, (size_t)(slash - target));
    r->service = xstrndup(slash + 1, (size_t)(colon - slash - 1));
    r->url = xasprintf("https://%s.%s.svc:%d", r->service, r->ns, (int)port);
    return 0;
}

static char *copy(const char *text) {
    return text ? xstrdup(text) : NULL;
}

/* Files that cannot be read are an error at the start; later what was read stays. */
static int read_files(struct remote *r, struct err *err) {
    const char *const client[] = {r->cert_path, r->key_path};
    bool changed = false;

    if (!r->cert_path != !r->key_path)
        return err_set(err, -EINVAL, "a client certificate needs its key, and a key its certificate");
    for (size_t i = 0; i < sizeof(client) / sizeof(client[0]); i++) {
        cleanup_free char *text = NULL;
        if (client[i] && file_read(client[i], FILE_MAX, &text, NULL, NULL, err) < 0)
            return -EINVAL;
    }
    r->ca.path = r->ca_path;
    r->token.path = r->token_path;
    return file_follow(&r->ca, /* force= */ true, &changed, err) < 0 ? -EINVAL : 0;
}

int remote_new(struct loop *loop, struct http *http, struct kube *kube, const struct remote_options *o,
               struct remote **ret_remote, struct err *err) {
    struct remote *r = XNEW(struct remote);

    *r = (struct remote){.loop = loop, .http = http, .kube = kube, .ourselves = o->ourselves};
    backoff_init(&r->backoff, DOWN_MIN, DOWN_MAX, ((uint64_t)clock_wall() << 16) ^ (uintptr_t)r);
    r->ca_path = copy(o->ca_file);
    r->cert_path = copy(o->cert_file);
    r->key_path = copy(o->key_file);
    r->token_path = copy(o->ourselves ? o->ourselves->token_file : NULL);
    int ret = read_target(r, o->target, err);
    if (ret == 0)
        ret = read_files(r, err);
    if (ret < 0) {
        remote_free(r);
        /* Whatever it was: to the caller it is an option that is wrong. */
        return err ? (err->code = -EINVAL) : -EINVAL;
    }
    /* Of a Service without a CA file there is no authority before the first round has looked for one. */
    if (r->ca.text || !r->ns)
        remote_set_authority(r, copy(r->ca.text));
    remote_lists_start(r);
    *ret_remote = r;
    return 0;
}

void remote_free(struct remote *r) {
    if (!r)
        return;
    remote_lists_stop(r);
    for (struct remote_call *call = r->calls, *next; call; call = next) {
        next = call->next;
        remote_cancel(call);
    }
    tls_unref(r->tls);
    file_followed_done(&r->ca);
    file_followed_done(&r->token);
    char *const texts[] = {r->url, r->ns, r->service, r->ca_path, r->cert_path, r->key_path, r->token_path};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free(texts[i]);
    free(r);
}

void remote_stats(const struct remote *r, struct remote_stats *ret_stats) {
    *ret_stats = r->stats;
}
