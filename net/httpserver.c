/* The plain-HTTP server: libwebsockets parses, a handler answers from memory, and the answer goes out piece
 * by piece as the peer takes it. */
#include "net/httpserver.h"

#include "base/mem.h"
#include "net/listener.h"
#include "net/loop_internal.h"
#include "net/lws_library.h"
#include <errno.h>
#include <string.h>

enum {
    MAX_CONNECTIONS = 64,
    MAX_PATH = 1024,
    MAX_QUERY = 2048,
    MAX_BODY = 8 * 1024 * 1024,
    PIECE = 16 * 1024,
    SLOW_SECONDS = 5,       /* between two pieces of an answer; for a request, twice that, as measured */
    KEEPALIVE_SECONDS = 30, /* between two requests */
};

/* A connection. */
struct place {
    struct lws *wsi; /* NULL: free */
    usec_t since;    /* when it came, or was answered last */
    bool answered;   /* once at least */
    bool busy;       /* is being answered */
};

struct httpserver {
    struct loop *loop;
    struct lws_vhost *vhost;
    struct listener *listener;
    httpserver_handler *handler; /* NULL: closing */
    void *arg;
    struct place places[MAX_CONNECTIONS];
};

/* One connection's answer. */
struct exchange {
    struct buf body;
    size_t sent;
    bool close; /* after it: a body that nobody asked for may follow, and is no next request */
};

static const char *const unavailable = "closing\n", *const bad_method = "only GET and HEAD\n",
                         *const too_long = "the path or query is too long\n";

/* --- connections --- */

/* That of a connection, or a free one for NULL; NULL where there is none. */
static struct place *find_place(struct httpserver *server, const struct lws *wsi) {
    for (int i = 0; i < MAX_CONNECTIONS; i++)
        if (server->places[i].wsi == wsi)
            return &server->places[i];
    return NULL;
}

static void set_busy(struct httpserver *server, const struct lws *wsi, bool busy) {
    struct place *place = find_place(server, wsi);
    if (!place)
        return;
    place->busy = busy;
    place->answered |= !busy;
    place->since = loop_now(server->loop);
}

/* Health is asked here, so nobody may shut it out by being idle: who has asked nothing goes first, of several
 * the one that has been idle for longest. */
static bool make_room(struct httpserver *server) {
    const struct place *victim = NULL;
    for (const struct place *p = server->places; p < server->places + MAX_CONNECTIONS; p++) {
        if (p->busy)
            continue;
        if (!victim || (p->answered == victim->answered ? p->since < victim->since : victim->answered))
            victim = p;
    }
    if (victim) /* leaves its place at once, by on_lws */
        libwebsockets->set_timeout(victim->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
    return find_place(server, NULL) != NULL;
}

/* --- answering --- */

/* no-store: what is served here is the state of this moment. nosniff: some of it are names that others chose.
 */
static int send_head(struct lws *wsi, int status, const char *type, size_t len) {
    unsigned char buffer[LWS_PRE + 2048], *p = buffer + LWS_PRE, *start = p,
                                          *end = buffer + sizeof(buffer) - 1;
    static const unsigned char nosniff[] = "nosniff", no_store[] = "no-store", allow[] = "GET, HEAD";
    if (libwebsockets->add_http_common_headers(wsi, (unsigned)status, type, (lws_filepos_t)len, &p, end) ||
        libwebsockets->add_http_header_by_name(wsi, (const unsigned char *)"x-content-type-options:", nosniff,
                                               7, &p, end) ||
        libwebsockets->add_http_header_by_name(wsi, (const unsigned char *)"cache-control:", no_store, 8, &p,
                                               end) ||
        (status == 405 &&
         libwebsockets->add_http_header_by_name(wsi, (const unsigned char *)"allow:", allow, 9, &p, end)))
        return -1;
    return libwebsockets->finalize_write_http_header(wsi, start, &p, end) ? -1 : 0;
}

/* -1, here and in all that libwebsockets calls, closes the connection. */
static int completed(struct lws *wsi, struct exchange *x) {
    buf_done(&x->body);
    set_busy(libwebsockets->get_vhost_user(libwebsockets->get_vhost(wsi)), wsi, false);
    return x->close || libwebsockets->http_transaction_completed(wsi) ? -1 : 0;
}

static int send_answer(struct lws *wsi, struct exchange *x, int status, const char *type, bool head_only) {
    if (send_head(wsi, status, type, x->body.len) < 0)
        return -1;
    if (head_only || x->body.len == 0)
        return completed(wsi, x);
    libwebsockets->set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, SLOW_SECONDS);
    libwebsockets->callback_on_writable(wsi);
    return 0;
}

/* The parts of the query are kept apart by libwebsockets; here they are put together again. */
static int read_query(struct lws *wsi, struct buf *query) {
    char part[MAX_QUERY];
    for (int i = 0; libwebsockets->hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i) > 0; i++) {
        if (libwebsockets->hdr_copy_fragment(wsi, part, sizeof(part), WSI_TOKEN_HTTP_URI_ARGS, i) < 0)
            return -E2BIG;
        if (buf_printf(query, "%s%s", i ? "&" : "", part) < 0)
            return -E2BIG;
    }
    return 0;
}

static int ask_handler(struct httpserver *server, struct exchange *x, const char *path, const char *query,
                       const char **type) {
    struct httpserver_request request = {.path = path, .query = query};
    int status = server->handler(server->arg, &request, &x->body, type);
    return status >= 100 && status <= 599 ? status : 500;
}

static int on_request(struct httpserver *server, struct lws *wsi, struct exchange *x, const char *path,
                      size_t len) {
    const char *type = "text/plain; charset=utf-8";
    cleanup_buf struct buf query;
    char *uri;
    int uri_len, status, method = libwebsockets->http_get_uri_and_method(wsi, &uri, &uri_len);
    set_busy(server, wsi, true);
    buf_init(&query, MAX_QUERY);
    buf_done(&x->body);
    buf_init(&x->body, MAX_BODY);
    x->sent = 0;
    if (method != LWSHUMETH_GET && method != LWSHUMETH_HEAD) {
        status = 405;
        buf_puts(&x->body, bad_method);
    } else if (len > MAX_PATH || read_query(wsi, &query) < 0) {
        status = 414;
        buf_puts(&x->body, too_long);
    } else if (!server->handler) {
        status = 503;
        buf_puts(&x->body, unavailable);
    } else {
        status = ask_handler(server, x, path, query.data, &type);
    }
    x->close = status == 405;
    return send_answer(wsi, x, status, type, method == LWSHUMETH_HEAD);
}

/* One piece a callback: who takes it slowly makes us wait, and not our memory grow. */
static int on_writable(struct lws *wsi, struct exchange *x) {
    unsigned char piece[LWS_PRE + PIECE];
    size_t left = x->body.data ? x->body.len - x->sent : 0;
    if (left == 0)
        return 0;
    size_t n = left < PIECE ? left : PIECE;
    memcpy(piece + LWS_PRE, x->body.data + x->sent, n);
    if (libwebsockets->write(wsi, piece + LWS_PRE, n, n == left ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) <
        (int)n)
        return -1;
    x->sent += n;
    if (n == left)
        return completed(wsi, x);
    libwebsockets->set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, SLOW_SECONDS);
    libwebsockets->callback_on_writable(wsi);
    return 0;
}

/* --- libwebsockets' callback --- */

static void take_place(struct httpserver *server, struct lws *wsi) {
    struct place *place = find_place(server, NULL);
    if (place)
        *place = (struct place){.wsi = wsi, .since = loop_now(server->loop)};
}

static void leave_place(struct httpserver *server, const struct lws *wsi) {
    struct place *place = find_place(server, wsi);
    if (place)
        *place = (struct place){0};
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
    struct lws_vhost *vhost = wsi ? libwebsockets->get_vhost(wsi) : NULL;
    struct httpserver *server = vhost ? libwebsockets->get_vhost_user(vhost) : NULL;
    struct exchange *x = user;
    if (!server)
        return 0;
    loop_mark(server->loop);
    switch ((int)reason) {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        take_place(server, wsi);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        leave_place(server, wsi);
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return -1;
    case LWS_CALLBACK_HTTP:
        return on_request(server, wsi, x, in, len);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return on_writable(wsi, x);
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
        if (x)
            buf_done(&x->body);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "http", .callback = on_lws, .per_session_data_size = sizeof(struct exchange)}, {0}};

/* --- listening --- */

static void on_connection(void *arg, int fd) {
    struct httpserver *server = arg;
    if (find_place(server, NULL) || make_room(server))
        libwebsockets->adopt_socket_vhost(server->vhost, fd); /* closes fd where it fails */
    else
        close(fd);
}

/* LWS_CALLBACK_PROTOCOL_DESTROY does not come where the loop has never turned. A vhost that fails to be made
 * goes here too: then the server stays its maker's. */
static void on_vhost_gone(struct lws_vhost *vhost, void *arg) {
    struct httpserver *server = arg;

    if (server->vhost == vhost)
        free(server);
}

static int open_server(struct httpserver *server, const char *address, int port, struct err *err) {
    struct listener_options listening = {
        .address = address, .port = port, .fn = on_connection, .arg = server};
    int r = listener_new(server->loop, &listening, &server->listener, err);
    if (r < 0)
        return r;
    struct lws_context_creation_info info = {
        .vhost_name = "http", /* libwebsockets keeps the pointer */
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .user = server,
        .server_string = "trimtab",
        .timeout_secs = SLOW_SECONDS,
        .keepalive_timeout = KEEPALIVE_SECONDS,
        .finalize = on_vhost_gone,
        .finalize_arg = server,
    };
    server->vhost = libwebsockets->create_vhost(loop_lws(server->loop), &info);
    return server->vhost ? 0 : err_set(err, -EIO, "libwebsockets gives no vhost");
}

int httpserver_new(struct loop *loop, const struct httpserver_options *options,
                   struct httpserver **ret_server, struct err *err) {
    struct httpserver *server = XNEW(struct httpserver);
    *server = (struct httpserver){.loop = loop, .handler = options->handler, .arg = options->arg};
    int r = open_server(server, options->address, options->port, err);
    if (r < 0) {
        httpserver_free(server);
        return r;
    }
    *ret_server = server;
    return 0;
}

int httpserver_port(const struct httpserver *server) {
    return listener_port(server->listener);
}

/* What libwebsockets still has of it goes at the end of the turn, as we may be inside the handler. */
static void destroy(void *arg) {
    struct httpserver *server = arg;
    libwebsockets->vhost_destroy(server->vhost); /* frees server with its last connection */
}

void httpserver_free(struct httpserver *server) {
    if (!server)
        return;
    server->handler = NULL;
    listener_free(server->listener);
    if (server->vhost)
        loop_defer(server->loop, destroy, server);
    else
        free(server);
}
