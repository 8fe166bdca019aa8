/* Watches over websockets: credentials and an address first, then net/wsclient does the rest. A host name is
 * resolved by an ordinary request (GET /version), since the websocket client must be given an address.
 *
 * begin -> (credentials) -> resolve -> (address) -> connect_now -> the websocket's callbacks. What fails
 * before there is a websocket goes to fail_later. The owner hears of its end by finish alone, which takes the
 * watch out of the client's list first, so that kube_watch_close and kube_free inside on_end leave it alone.
 */
#include "api/client/kube.h"

#include "api/client/kube_internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

struct kube_watch {
    struct kube *kube;
    struct kube_watch *next, **link;
    char *path;
    struct ws_request callbacks;
    struct identity *identity;
    struct kube_call *resolve; /* GET /version, for the address */
    struct ws *ws;
    bool opened;
    struct loop_timer *timer; /* delivers failure */
    struct auth_waiter waiter;
    struct err failure;
};

static void watch_unlink(struct kube_watch *watch) {
    if (!watch->link)
        return;
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    watch->link = NULL;
}

static void watch_free(struct kube_watch *watch) {
    identity_unref(watch->identity);
    loop_timer_free(watch->timer);
    free(watch->path);
    free(watch);
}

void kube_watch_close(struct kube_watch *watch) {
    /* one that is ending has been unlinked; it frees itself */
    if (!watch || !watch->link)
        return;
    watch_unlink(watch);
    auth_unwait(&watch->waiter);
    kube_cancel(watch->resolve);
    ws_close(watch->ws);
    watch_free(watch);
}

void kube_watches_free(struct kube *kube) {
    for (struct kube_watch *watch = kube->watches, *next; watch; watch = next) {
        next = watch->next;
        kube_watch_close(watch);
    }
}

/* Tells the owner and ends the watch. The client may be gone afterwards. */
static void finish(struct kube_watch *watch, const struct ws_end *end) {
    watch_unlink(watch);
    if (watch->callbacks.on_end)
        watch->callbacks.on_end(watch->callbacks.arg, end);
    watch_free(watch);
}

static void on_timer(void *arg) {
    struct kube_watch *watch = arg;
    const struct ws_end end = {.err = watch->failure};

    finish(watch, &end);
}

/* The failure is delivered on a later turn. */
static void fail_later(struct kube_watch *watch) {
    watch->timer = loop_timer_new(watch->kube->loop, on_timer, watch);
    loop_timer_set(watch->timer, 0);
}

static void on_open(void *arg) {
    struct kube_watch *watch = arg;

    watch->opened = true;
    if (watch->callbacks.on_open)
        watch->callbacks.on_open(watch->callbacks.arg);
}

static int on_data(void *arg, const char *data, size_t len, bool last, struct err *err) {
    struct kube_watch *watch = arg;

    return watch->callbacks.on_data(watch->callbacks.arg, data, len, last, err);
}

static void on_end(void *arg, const struct ws_end *end) {
    struct kube_watch *watch = arg;
    struct kube *kube = watch->kube;

    watch->ws = NULL;
    /* Not tried again here: the owner opens the next watch when it thinks fit, with what auth has then. */
    if (end->status == 401)
        auth_refused(kube->auth, watch->identity);
    /* nobody answered there: the name is resolved again before the next attempt */
    if (end->status == 0 && !watch->opened)
        kube->peer_ip[0] = '\0';
    finish(watch, end);
}

/* https://host:port/prefix -> wss://host:port/prefix/path; "http" is the beginning of both schemes. */
static char *watch_url(const struct kube *kube, const char *path) {
    const char *server = kube->config->server;

    return xasprintf("ws%s%s", server + strlen("http"), path);
}

/* The host of the server's URL is an address, which needs no resolving. Brackets hold nothing but an IPv6
 * address (RFC 3986, 3.2.2). */
static bool host_is_address(const char *server) {
    const char *host = strstr(server, "://") + strlen("://");
    unsigned char addr[sizeof(struct in6_addr)];
    char name[PEER_MAX];
    size_t len = strcspn(host, ":/");

    if (host[0] == '[')
        return true;
    if (len >= sizeof(name))
        return false;
    memcpy(name, host, len);
    name[len] = '\0';
    return inet_pton(AF_INET, name, addr) == 1;
}

static void connect_now(struct kube_watch *watch) {
    struct kube *kube = watch->kube;
    const char *headers[HEADERS_MAX] = {KUBE_USER_AGENT};
    cleanup_free char *url = watch_url(kube, watch->path);
    struct ws_request request = watch->callbacks;

    if (watch->identity->authorization)
        headers[1] = watch->identity->authorization;
    request.url = url;
    request.address = host_is_address(kube->config->server) ? NULL : kube->peer_ip;
    request.headers = headers;
    request.tls = watch->identity->tls;
    request.on_open = on_open;
    request.on_data = on_data;
    request.on_end = on_end;
    request.arg = watch;
    kube->stats.by_verb[KUBE_DELETE + 1]++;
    watch->ws = ws_open(kube->loop, &request);
}

static void on_resolved(void *arg, const struct kube_reply *reply) {
    struct kube_watch *watch = arg;

    watch->resolve = NULL;
    /* any answer will do: what counts is where it came from */
    if (watch->kube->peer_ip[0]) {
        connect_now(watch);
        return;
    }
    watch->failure = reply->err;
    if (!watch->failure.code)
        err_set(&watch->failure, -EADDRNOTAVAIL, "the server's address is not known");
    fail_later(watch);
}

/* An address that is known serves every watch until nobody answers there. /version may be read by everybody
 * (system:public-info-viewer) and is small. */
static void resolve(struct kube_watch *watch) {
    struct kube *kube = watch->kube;

    if (host_is_address(kube->config->server) || kube->peer_ip[0]) {
        connect_now(watch);
        return;
    }
    const struct kube_request request = {.verb = KUBE_GET,
                                         .path = "/version",
                                         .timeout = watch->callbacks.connect_timeout,
                                         .on_done = on_resolved,
                                         .arg = watch};
    watch->resolve = kube_start(kube, &request);
}

static void begin(void *arg) {
    struct kube_watch *watch = arg;
    struct kube *kube = watch->kube;

    int r = auth_get(kube->auth, &watch->identity, &watch->failure);
    if (r == -EAGAIN) {
        err_clear(&watch->failure);
        watch->waiter = (struct auth_waiter){.fn = begin, .arg = watch};
        auth_wait(kube->auth, &watch->waiter);
    } else if (r < 0) {
        err_wrap(&watch->failure, "%s: credentials", str_or_empty(kube->config->source));
        fail_later(watch);
    } else {
        resolve(watch);
    }
}

/* What a websocket cannot do; the names are those of the kubeconfig's fields. */
static int check(const struct kubeconfig *c, const char *path, struct err *err) {
    if (c->proxy_url)
        return err_set(
            err, -EOPNOTSUPP,
            "%s: proxy-url is set, and watches cannot go through a proxy: take proxy-url out or run "
            "where the apiserver can be reached directly",
            str_or_empty(c->source));
    if (path[0] != '/' || strpbrk(path, " \t\r\n#"))
        return err_set(err, -EINVAL, "\"%.100s\" is not a path of the API", path);
    return 0;
}

struct kube_watch *kube_watch_open(struct kube *kube, const char *path, const struct ws_request *callbacks) {
    struct kube_watch *watch = XNEW(struct kube_watch);

    watch->kube = kube;
    watch->path = xstrdup(path);
    watch->callbacks = *callbacks;
    watch->next = kube->watches;
    watch->link = &kube->watches;
    if (watch->next)
        watch->next->link = &watch->next;
    kube->watches = watch;
    if (check(kube->config, path, &watch->failure) < 0)
        fail_later(watch);
    else
        begin(watch);
    return watch;
}
