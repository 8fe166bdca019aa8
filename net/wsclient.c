/* Websocket clients on libwebsockets. Its one callback is translated here into ours; a connection's end is
 * found out in many places, but reported in one, from a timer, so that no callback runs inside another.
 *
 *   CONNECTING -> OPEN -> ENDED -> GONE     the state only ever moves to the right, and may leave some out;
 *   any but GONE ----------------> GONE     by ws_close, and nothing is reported then.
 *
 * The first reason that is put into end.err stays: what libwebsockets says afterwards is a consequence. */
#include "net/wsclient.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/loop_internal.h"
#include "net/lws_library.h"
#include "net/openssl_library.h"
#include "net/retry_after.h"
#include "net/tls_context.h"
#include "net/ws_url.h"
#include "net/ws_vhost.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum { RX_PIECE = 16384 }; /* a TLS record: no larger piece comes out of one read */

enum ws_state {
    WS_CONNECTING, /* timer: connect timeout */
    WS_OPEN,       /* timer: silence */
    WS_ENDED,      /* timer: report, then free */
    WS_GONE,       /* closed by its owner or reported; freed at the end of the turn */
};

struct ws {
    struct loop *loop;
    struct lws *wsi; /* NULL once libwebsockets has nothing to do with us any more */
    struct ws_vhost *vhost;
    struct loop_timer *timer;
    enum ws_state state;
    struct ws_url url;
    const char *name; /* the host that is verified; in url or verify_name */
    char *verify_name;
    bool insecure;
    char **headers; /* NULL-terminated */
    usec_t idle_ping, idle_hangup, last_rx;
    bool want_ping;
    struct ws_end end;
    void (*on_open)(void *arg);
    int (*on_data)(void *arg, const char *data, size_t len, bool last, struct err *err);
    void (*on_end)(void *arg, const struct ws_end *end);
    void *arg;
};

static void free_ws(void *arg) {
    struct ws *ws = arg;
    ws_vhost_put(ws->vhost);
    loop_timer_free(ws->timer);
    ws_url_done(&ws->url);
    free(ws->verify_name);
    for (char **h = ws->headers; *h; h++)
        free(*h);
    free(ws->headers);
    free(ws);
}

/* Its memory stays to the end of the turn: libwebsockets, or a callback of ours, may be further up the stack
 * with it. */
static void go(struct ws *ws) {
    ws->state = WS_GONE;
    loop_timer_cancel(ws->timer);
    loop_defer(ws->loop, free_ws, ws);
}

/* Lets go of the connection: libwebsockets calls us for it no more. */
static void release(struct ws *ws, bool kill) {
    if (!ws->wsi)
        return;
    libwebsockets->set_opaque_user_data(ws->wsi, NULL);
    if (kill)
        libwebsockets->set_timeout(ws->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    ws->wsi = NULL;
}

/* The connection is over, for the reason in ws->end: it will be reported on a later turn. */
static void ended(struct ws *ws) {
    if (ws->state == WS_OPEN)
        ws->end.status = 101;
    ws->state = WS_ENDED;
    loop_timer_set(ws->timer, 0);
}

static void set_reason(struct ws *ws, int code, const char *why) {
    err_set(&ws->end.err, code, "%s: %s", ws->url.authority ? ws->url.authority : "websocket", why);
}

/* --- the handshake --- */

/* libwebsockets wants a name with its colon, and the value for itself; copy_headers has seen to the colon. */
static int append_headers(struct ws *ws, struct lws *wsi, unsigned char **at, unsigned char *end) {
    for (char **h = ws->headers; *h; h++) {
        char name[128];
        const char *colon = strchr(*h, ':');
        snprintf(name, sizeof(name), "%.*s", (int)(colon - *h) + 1, *h);
        const char *value = colon + 1 + strspn(colon + 1, " ");
        if (libwebsockets->add_http_header_by_name(wsi, (const unsigned char *)name,
                                                   (const unsigned char *)value, (int)strlen(value), at, end))
            return err_set(&ws->end.err, -E2BIG, "%s: the request headers are too large", ws->url.authority);
    }
    return 0;
}

/* TLS is up and nothing has been sent: the last moment to find out that it is the wrong server. */
static int before_request(struct ws *ws, struct lws *wsi, void *in, size_t len) {
    unsigned char **at = in;
    SSL *ssl = libwebsockets->get_ssl(wsi);
    if (ws->url.secure && !ws->insecure && tls_check_peer(ssl, ws->name, &ws->end.err) < 0)
        return err_wrap(&ws->end.err, "%s", ws->url.authority);
    return append_headers(ws, wsi, at, *at + len);
}

static void read_refusal(struct ws *ws, struct lws *wsi) {
    char text[128];
    ws->end.status = (int)libwebsockets->http_client_http_response(wsi);
    if (ws->end.status <= 0 || ws->end.status == 101) {
        ws->end.status = 0;
        return;
    }
    if (libwebsockets->hdr_copy(wsi, text, sizeof(text), WSI_TOKEN_HTTP_RETRY_AFTER) > 0)
        ws->end.retry_after = retry_after_parse(text, clock_wall());
    snprintf(text, sizeof(text), "the server answers %d instead of opening a websocket", ws->end.status);
    set_reason(ws, -ECONNREFUSED, text);
}

/* The best reason that there is: our own, if we ended it; the status of a refusal; what OpenSSL has against
 * the certificate; and only then the words of libwebsockets. */
static void on_connection_error(struct ws *ws, struct lws *wsi, const char *why, size_t len) {
    char text[200];
    if (ws->end.err.code == 0)
        read_refusal(ws, wsi);
    if (ws->end.err.code == 0 && ws->url.secure && !ws->insecure && libwebsockets->get_ssl(wsi) &&
        openssl->SSL_get_verify_result(libwebsockets->get_ssl(wsi)) != X509_V_OK) {
        tls_check_peer(libwebsockets->get_ssl(wsi), ws->name, &ws->end.err);
        err_wrap(&ws->end.err, "%s", ws->url.authority);
    }
    if (ws->end.err.code == 0) {
        snprintf(text, sizeof(text), "no connection%s%.*s", why ? ": " : "", why ? (int)len : 0,
                 why ? why : "");
        set_reason(ws, -ECONNREFUSED, text);
    }
}

/* --- the open connection --- */

static void on_open(struct ws *ws) {
    ws->state = WS_OPEN;
    ws->last_rx = loop_now(ws->loop);
    loop_timer_set(ws->timer, ws->idle_ping);
    ws->on_open(ws->arg);
}

static int on_receive(struct ws *ws, struct lws *wsi, const char *data, size_t len) {
    bool last = libwebsockets->is_final_fragment(wsi) && libwebsockets->remaining_packet_payload(wsi) == 0;
    struct err err = {0};
    ws->last_rx = loop_now(ws->loop);
    int r = ws->on_data(ws->arg, data, len, last, &err);
    if (ws->state == WS_GONE)
        return -1; /* closed from inside */
    if (r < 0) {
        set_reason(ws, r, err.code ? err.text : "the message was not accepted");
        release(ws, /* kill= */ true);
        ended(ws);
        return -1;
    }
    return 0;
}

/* Pings are all that we write behind the handshake: these sockets are for watching. */
static int on_writable(struct ws *ws, struct lws *wsi) {
    unsigned char frame[LWS_PRE + 1];
    if (!ws->want_ping)
        return 0;
    ws->want_ping = false;
    return libwebsockets->write(wsi, frame + LWS_PRE, 0, LWS_WRITE_PING) < 0 ? -1 : 0;
}

/* RFC 6455, 5.5.1: a code in two bytes and a reason, or neither; 1005 stands for none (7.1.5). */
static void on_peer_close(struct ws *ws, const unsigned char *data, size_t len) {
    char text[200];
    int code = len >= 2 ? data[0] << 8 | data[1] : 1005;
    snprintf(text, sizeof(text), "closed by the server (%d%s%.*s)", code, len > 2 ? " " : "",
             len > 2 ? (int)len - 2 : 0, len > 2 ? (const char *)data + 2 : "");
    set_reason(ws, -ESHUTDOWN, text);
}

/* --- libwebsockets' callback --- */

static int on_event(struct ws *ws, struct lws *wsi, enum lws_callback_reasons reason, void *in, size_t len) {
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return before_request(ws, wsi, in, len);
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        on_open(ws);
        return ws->state == WS_GONE ? -1 : 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return on_receive(ws, wsi, in, len);
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
        ws->last_rx = loop_now(ws->loop);
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return on_writable(ws, wsi);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        on_peer_close(ws, in, len);
        break;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        on_connection_error(ws, wsi, in, len);
        break;
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY:
        if (ws->end.err.code == 0)
            set_reason(ws, -ECONNRESET, "the connection was lost");
        break;
    default:
        return 0;
    }
    ws->wsi = wsi; /* where it fails at once, ws_open does not know it yet */
    release(ws, /* kill= */ false);
    ended(ws);
    return 0;
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
    struct ws *ws = wsi ? libwebsockets->get_opaque_user_data(wsi) : NULL;
    (void)user;
    if (!ws) /* let go of: -1 has libwebsockets close it where it would else go on reading */
        return reason == LWS_CALLBACK_CLIENT_RECEIVE || reason == LWS_CALLBACK_CLIENT_ESTABLISHED ? -1 : 0;
    loop_mark(ws->loop);
    return on_event(ws, wsi, reason, in, len);
}

static const struct lws_protocols ws_protocols[] = {
    {.name = "ws", .callback = on_lws, .rx_buffer_size = RX_PIECE}, {0}};

/* --- time --- */

static void give_up(struct ws *ws, const char *why) {
    set_reason(ws, -ETIMEDOUT, why);
    release(ws, /* kill= */ true);
    ended(ws);
}

/* A ping goes out after idle_ping of silence; whatever comes in counts as a sign of life. */
/* The pong is not waited for by itself: if nothing at all comes until idle_hangup, the peer has gone. */
static void check_silence(struct ws *ws) {
    usec_t silent = loop_now(ws->loop) - ws->last_rx;
    if (silent >= ws->idle_hangup) {
        give_up(ws, "the server has gone silent");
    } else if (silent >= ws->idle_ping) {
        ws->want_ping = true;
        libwebsockets->callback_on_writable(ws->wsi);
        loop_timer_set(ws->timer, ws->idle_hangup - silent);
    } else {
        loop_timer_set(ws->timer, ws->idle_ping - silent);
    }
}

static void on_timer(void *arg) {
    struct ws *ws = arg;
    if (ws->state == WS_CONNECTING) {
        give_up(ws, "no connection in time");
    } else if (ws->state == WS_OPEN) {
        check_silence(ws);
    } else if (ws->state == WS_ENDED) { /* gone first: on_end may call ws_close, to which that is nothing */
        go(ws);
        ws->on_end(ws->arg, &ws->end);
    }
}

/* --- opening and closing --- */

static bool is_address(const char *text) {
    struct in6_addr a;
    return inet_pton(AF_INET, text, &a) == 1 || inet_pton(AF_INET6, text, &a) == 1;
}

static int copy_headers(struct ws *ws, const char *const *headers) {
    size_t n = 0;
    while (headers && headers[n])
        n++;
    ws->headers = xcalloc(n + 1, sizeof(*ws->headers));
    for (size_t i = 0; i < n; i++) {
        const char *colon = strchr(headers[i], ':');
        if (!colon || colon == headers[i] || colon - headers[i] > 100 || strpbrk(headers[i], "\r\n"))
            return err_set(&ws->end.err, -EINVAL, "header %zu is not of the form \"Name: value\"", i + 1);
        ws->headers[i] = xstrdup(headers[i]);
    }
    return 0;
}

/* libwebsockets may call back with a failure before it returns: then the end is known already, and what it
 * returns is not to be touched. So the state tells whether there is a connection, and not the pointer. */
static int connect_to(struct ws *ws, const char *address) {
    struct lws_client_connect_info info = {
        .context = loop_lws(ws->loop),
        .vhost = ws_vhost_lws(ws->vhost),
        .address = address,
        .port = ws->url.port,
        .path = ws->url.path,
        .host = ws->verify_name ? ws->verify_name : ws->url.authority,
        .origin = ws->url.authority, /* it becomes http://authority, over TLS too */
        .local_protocol_name = "ws",
        .ietf_version_or_minus_one = -1,
        .alpn = "http/1.1",
        .opaque_user_data = ws,
        .ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
    };
    if (ws->url.secure) /* the name is checked by before_request, which knows IPv6 too */
        info.ssl_connection |= LCCSCF_USE_SSL | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;
    if (ws->insecure)
        info.ssl_connection |= LCCSCF_ALLOW_SELFSIGNED | LCCSCF_ALLOW_INSECURE | LCCSCF_ALLOW_EXPIRED;
    struct lws *wsi = libwebsockets->client_connect_via_info(&info);
    if (ws->state == WS_CONNECTING)
        ws->wsi = wsi;
    return wsi || ws->state == WS_ENDED ? 0 : err_set(&ws->end.err, -EIO, "cannot connect");
}

static int begin(struct ws *ws, const struct ws_request *request) {
    struct err *err = &ws->end.err;
    int r = copy_headers(ws, request->headers);
    if (r == 0)
        r = ws_url_parse(request->url, &ws->url, err);
    if (r < 0)
        return err_wrap(err, "%s", request->url);
    const char *address = request->address ? request->address : ws->url.name;
    if (!is_address(address))
        return err_set(err, -EINVAL, "%s: %s is a name and not an IP address; it must be resolved first",
                       ws->url.authority, address);
    if (request->tls && request->tls->server_name)
        ws->verify_name = xstrdup(request->tls->server_name);
    ws->name = ws->verify_name ? ws->verify_name : ws->url.name;
    ws->insecure = request->tls && request->tls->insecure;
    r = ws_vhost_get(ws->loop, ws_protocols, ws->url.secure, request->tls, &ws->vhost, err);
    if (r == 0)
        r = connect_to(ws, address);
    return r < 0 ? err_wrap(err, "%s", ws->url.authority) : 0;
}

static usec_t or_seconds(usec_t t, int fallback) {
    return t > 0 ? t : fallback * USEC_PER_SEC;
}

struct ws *ws_open(struct loop *loop, const struct ws_request *request) {
    struct ws *ws = XNEW(struct ws);
    *ws = (struct ws){
        .loop = loop,
        .idle_ping = or_seconds(request->idle_ping, 20),
        .idle_hangup = or_seconds(request->idle_hangup, 30),
        .on_open = request->on_open,
        .on_data = request->on_data,
        .on_end = request->on_end,
        .arg = request->arg,
    };
    ws->timer = loop_timer_new(loop, on_timer, ws);
    loop_timer_set(ws->timer, or_seconds(request->connect_timeout, 10));
    if (begin(ws, request) < 0)
        ended(ws);
    return ws;
}

void ws_close(struct ws *ws) {
    if (!ws || ws->state == WS_GONE)
        return;
    release(ws, /* kill= */ true);
    go(ws);
}
