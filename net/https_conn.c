/* One connection of the TLS server, as a machine of few states. Each step does one thing: go on with the
 * handshake, read a piece, call the handler, write a piece. It is stepped while it gets on, for a bounded
 * number of steps a turn, so that a busy peer does not keep the others waiting. */
#include "net/https_internal.h"

#include "base/mem.h"
#include "net/openssl_library.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum {
    STEPS = 32,                /* a turn: 16 requests, or 512 KiB */
    LINGER = 2 * 1000000,      /* µs */
    MAX_DISCARD = 1024 * 1024, /* bytes, while lingering */
    MIN_RATE = 64 * 1024,      /* bytes a second at which an answer must be taken */
};

enum progress { STUCK, ON };

/* What an OpenSSL call that could not go on waits for; false: it has failed. */
static bool waits(struct https_conn *conn, int result) {
    int why = openssl->SSL_get_error(conn->ssl, result);
    conn->want_in = why == SSL_ERROR_WANT_READ;
    conn->want_out = why == SSL_ERROR_WANT_WRITE;
    /* After a fatal error, nothing more may be asked of it; after a farewell (ZERO_RETURN), it may. */
    conn->broken |= why == SSL_ERROR_SSL || why == SSL_ERROR_SYSCALL;
    return conn->want_in || conn->want_out;
}

/* Only marks it: finish, further up the stack, frees it. */
static enum progress die(struct https_conn *conn) {
    conn->state = HTTPS_DEAD;
    return STUCK;
}

/* Each state has its own time; what it is for tells on_late. */
static void enter(struct https_conn *conn, enum https_state state, usec_t limit) {
    conn->state = state;
    conn->since = loop_now(conn->server->loop);
    loop_timer_set(conn->timer, limit);
}

/* The peer goes while the handler thinks, or there is no more time: the exchange ends. May free the server.
 */
static void lose_exchange(struct https_conn *conn, enum https_state next) {
    struct https_exchange exchange = conn->exchange;
    conn->exchange = (struct https_exchange){0};
    conn->state = next;
    conn->server->stats.exchanges--;
    if (exchange.on_gone)
        exchange.on_gone(exchange.arg);
}

/* The body's memory counts from its answer on, until it is given back here. */
static void drop_answer(struct https_conn *conn) {
    if (conn->server)
        conn->server->stats.answer_bytes -= conn->body.cap;
    buf_done(&conn->head);
    buf_done(&conn->body);
}

/* --- the end --- */

static void destroy(struct https_conn *conn) {
    drop_answer(conn);
    if (conn->server)
        https_server_forget(conn);
    if (conn->ssl && !conn->broken)
        openssl->SSL_shutdown(conn->ssl); /* a farewell, if there is room for it */
    openssl->ERR_clear_error();
    openssl->SSL_free(conn->ssl);
    loop_unwatch_fd(conn->watch);
    loop_timer_free(conn->timer);
    close(conn->fd);
    https_wire_done(&conn->wire);
    tls_peer_done(&conn->peer);
    buf_done(&conn->pending);
    free(conn);
}

/* Closing while something of the peer's is unread would make its system throw away the answer (RFC
 * 9112, 9.6).
 */
static enum progress begin_linger(struct https_conn *conn) {
    if (conn->ssl && !conn->broken)
        openssl->SSL_shutdown(conn->ssl);
    conn->broken = true; /* has been said */
    openssl->ERR_clear_error();
    shutdown(conn->fd, SHUT_WR);
    enter(conn, HTTPS_LINGER, LINGER);
    return ON;
}

static enum progress step_linger(struct https_conn *conn) {
    ssize_t n = recv(conn->fd, conn->server->scratch, HTTPS_PIECE, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        conn->want_in = true;
        return STUCK;
    }
    conn->discarded += n > 0 ? (size_t)n : 0;
    return n <= 0 || conn->discarded > MAX_DISCARD ? die(conn) : ON;
}

/* --- the handshake --- */

/* Somebody speaks plain HTTP: it is told, as Go's servers tell it. */
static enum progress refuse_plain(struct https_conn *conn) {
    static const char text[] = "HTTP/1.0 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\r\n"
                               "this is an HTTPS server: use https://\n";
    send(conn->fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    return begin_linger(conn);
}

/* Who the peer is holds for the connection, until there are other authorities, or its certificate ends or
 * begins: an aggregator keeps its connections for ever, and one that came before its authority was known, or
 * whose clock is ahead of ours, must not be a stranger for ever. */
static void know_peer(struct https_conn *conn) {
    tls_peer_done(&conn->peer);
    conn->has_peer = tls_peer_read(conn->ssl, conn->server->authorities, &conn->peer);
    conn->peer_version = conn->server->authorities_version;
    conn->peer_until = conn->has_peer ? conn->peer.not_after : tls_peer_begin(conn->ssl);
}

static enum progress step_handshake(struct https_conn *conn) {
    openssl->ERR_clear_error();
    int result = openssl->SSL_accept(conn->ssl);
    if (result == 1) {
        know_peer(conn);
        /* Who comes has something to ask: the time between two requests must be earned by a first one. */
        enter(conn, HTTPS_REQUEST, conn->server->options.slow_timeout);
        return ON;
    }
    if (waits(conn, result))
        return STUCK;
    conn->server->stats.handshakes_failed++;
    if (ERR_GET_REASON(openssl->ERR_peek_last_error()) == SSL_R_HTTP_REQUEST)
        return refuse_plain(conn);
    return die(conn);
}

/* --- requests --- */

/* Reads a piece into the server's scratch: its length, 0: not yet, negative: the peer has gone. */
static int read_piece(struct https_conn *conn) {
    openssl->ERR_clear_error();
    int n = openssl->SSL_read(conn->ssl, conn->server->scratch, HTTPS_PIECE);
    if (n > 0)
        return n;
    return waits(conn, n) ? 0 : -ECONNRESET;
}

/* The handler may answer inside the call, or free the server: nothing is touched behind it. */
static enum progress call_handler(struct https_conn *conn) {
    struct httpsserver *server = conn->server;
    const char *method = https_wire_method(&conn->wire);
    if (conn->peer_version != server->authorities_version || conn->peer_until <= clock_wall())
        know_peer(conn);
    struct https_request request = {
        .method = method,
        .target = https_wire_target(&conn->wire),
        .refused = conn->wire.refused,
        .peer = conn->has_peer ? &conn->peer.facts : NULL,
        .peer_ip = conn->peer_ip,
        .wire = &conn->wire,
    };
    conn->head_only = strcmp(method, "HEAD") == 0;
    /* What comes behind such a request is no request. */
    conn->close = conn->wire.refused || conn->wire.has_body || !conn->wire.keep_alive ||
                  (strcmp(method, "GET") != 0 && !conn->head_only) || server->draining;
    enter(conn, HTTPS_HANDLER, server->options.answer_timeout);
    conn->requests++;
    server->stats.requests++;
    server->stats.exchanges++;
    server->options.handler(server->options.arg, &conn->exchange, &request);
    return ON;
}

/* What came in behind the last request goes before what is in the socket. */
static enum progress step_request(struct https_conn *conn) {
    bool from_pending = conn->pending.len > 0, begun = conn->wire.begun;
    int n = from_pending ? (int)conn->pending.len : read_piece(conn);
    if (n <= 0)
        return n < 0 ? die(conn) : STUCK;
    const char *data = from_pending ? conn->pending.data : conn->server->scratch;
    size_t used = https_wire_feed(&conn->wire, data, (size_t)n);
    if (from_pending)
        buf_consume(&conn->pending, used);
    else
        buf_append(&conn->pending, data + used, (size_t)n - used);
    if (conn->wire.whole || conn->wire.refused)
        return call_handler(conn);
    if (!begun && conn->requests) /* from here on it has the time of a request, not that between two */
        loop_timer_set(conn->timer, conn->server->options.slow_timeout);
    return ON;
}

/* While the handler thinks we read on, so as to see the peer go; the next request may come in meanwhile. */
static enum progress step_handler(struct https_conn *conn) {
    if (conn->pending.len > 0)
        return STUCK; /* wants nothing */
    int n = read_piece(conn);
    if (n > 0)
        buf_append(&conn->pending, conn->server->scratch, (size_t)n);
    if (n < 0)
        lose_exchange(conn, HTTPS_DEAD);
    return n > 0 ? ON : STUCK;
}

/* --- answers --- */

/* Memory of an answer is not kept for the next: most connections are idle. */
static enum progress answered(struct https_conn *conn) {
    drop_answer(conn);
    if (conn->close)
        return begin_linger(conn);
    https_wire_reset(&conn->wire);
    enter(conn, HTTPS_REQUEST, conn->server->options.idle_timeout);
    return ON;
}

/* The next record's worth: that with the head in it is put together, the others lie in the body. The same
 * bytes come out until they are sent, as OpenSSL asks of a write that is repeated. */
static const char *next_piece(struct https_conn *conn, size_t *ret_len) {
    size_t body_len = conn->head_only ? 0 : conn->body.len, head_len = conn->head.len;
    size_t left = head_len + body_len - conn->sent, len = left < HTTPS_PIECE ? left : HTTPS_PIECE;
    *ret_len = len;
    if (conn->sent >= head_len)
        return conn->body.data + (conn->sent - head_len);
    size_t of_head = head_len - conn->sent < len ? head_len - conn->sent : len;
    memcpy(conn->server->scratch, conn->head.data + conn->sent, of_head);
    memcpy(conn->server->scratch + of_head, conn->body.data, len - of_head);
    return conn->server->scratch;
}

/* The peer's time begins anew with each piece that it takes, but in the long run it must take MIN_RATE: at a
 * piece now and then a large answer would stay in memory for hours. */
static usec_t time_for_piece(const struct https_conn *conn) {
    usec_t slow = conn->server->options.slow_timeout, spent = loop_now(conn->server->loop) - conn->since;
    usec_t left = slow + (usec_t)conn->sent * USEC_PER_SEC / MIN_RATE - spent;
    return left < slow ? left : slow;
}

static enum progress step_answer(struct https_conn *conn) {
    size_t len;
    const char *piece = next_piece(conn, &len);
    if (len == 0)
        return answered(conn);
    openssl->ERR_clear_error();
    int n = openssl->SSL_write(conn->ssl, piece, (int)len);
    if (n <= 0)
        return waits(conn, n) ? STUCK : die(conn);
    conn->sent += (size_t)n;
    loop_timer_set(conn->timer, time_for_piece(conn));
    return ON;
}

/* --- stepping --- */

static enum progress step(struct https_conn *conn) {
    conn->want_in = conn->want_out = false;
    switch (conn->state) {
    case HTTPS_HANDSHAKE:
        return step_handshake(conn);
    case HTTPS_REQUEST:
        return step_request(conn);
    case HTTPS_HANDLER:
        return step_handler(conn);
    case HTTPS_ANSWER:
        return step_answer(conn);
    case HTTPS_LINGER:
        return step_linger(conn);
    case HTTPS_DEAD:
    default:
        return STUCK;
    }
}

/* Whoever runs a connection ends with this. */
static void finish(struct https_conn *conn) {
    conn->running = false;
    if (conn->state == HTTPS_DEAD)
        destroy(conn);
    else
        loop_watch_for(conn->watch, conn->want_in, conn->want_out);
}

/* With no steps left it waits to be writable, which it is at once: it goes on with the next turn. */
static void pause_stepping(struct https_conn *conn) {
    conn->want_in = false;
    conn->want_out = true;
}

static void on_ready(void *arg) {
    struct https_conn *conn = arg;
    conn->running = true;
    conn->steps = STEPS;
    if (!conn->want_in && !conn->want_out && conn->state == HTTPS_HANDLER)
        lose_exchange(conn, HTTPS_DEAD); /* nothing was asked for: it is broken */
    while (step(conn) == ON)
        if (--conn->steps == 0) {
            pause_stepping(conn);
            break;
        }
    finish(conn);
}

/* The state has lasted too long. Only the handler's delay is told to the peer: the others are the peer's own.
 */
static void on_late(void *arg) {
    static const struct https_answer late = {.status = 504, .content_type = "text/plain; charset=utf-8"};
    struct https_conn *conn = arg;
    struct buf body;
    if (conn->state != HTTPS_HANDLER) {
        conn->server->stats.handshakes_failed += conn->state == HTTPS_HANDSHAKE;
        https_conn_kill(conn);
        return;
    }
    conn->running = true;
    lose_exchange(conn, HTTPS_HANDLER);
    conn->running = false;
    if (conn->state == HTTPS_DEAD) { /* the server went with it */
        destroy(conn);
        return;
    }
    conn->server->stats.exchanges++; /* for that we answer it ourselves */
    buf_init(&body, 64);
    buf_puts(&body, "the answer took too long\n");
    https_answer(&conn->exchange, &late, &body);
}

bool https_has_room(const struct https_exchange *exchange, const struct buf *body) {
    const struct https_conn *conn = (const struct https_conn *)exchange;
    return body->len <= HTTPS_ANSWER_SMALL ||
           conn->server->stats.answer_bytes + body->len < HTTPS_ANSWERS_MAX; /* and its NUL */
}

/* Outside of a step only this answer is written: the next request would call the handler inside its caller.
 */
void https_answer(struct https_exchange *exchange, const struct https_answer *answer, struct buf *body) {
    struct https_conn *conn = (struct https_conn *)exchange; /* its first member */
    conn->exchange = (struct https_exchange){0};
    conn->close |= answer->close;
    conn->body = *body;
    buf_init(body, body->max);
    conn->sent = 0;
    https_write_head(conn, answer);
    if (conn->body.len > HTTPS_ANSWER_SMALL) /* may stay for a while, and half of it may be room */
        buf_trim(&conn->body);
    conn->server->stats.answer_bytes += conn->body.cap;
    conn->server->stats.exchanges--;
    enter(conn, HTTPS_ANSWER, conn->server->options.slow_timeout);
    if (conn->running)
        return;
    conn->running = true;
    conn->steps = STEPS;
    while (conn->state == HTTPS_ANSWER && step(conn) == ON && --conn->steps > 0)
        ;
    if (conn->state == HTTPS_REQUEST || conn->state == HTTPS_LINGER || conn->steps == 0)
        pause_stepping(conn);
    finish(conn);
}

void https_on_gone(struct https_exchange *exchange, loop_fn *fn, void *arg) {
    *exchange = (struct https_exchange){.on_gone = fn, .arg = arg};
}

/* --- from the server --- */

/* An IPv4 peer of a socket of both families is told as IPv4. */
static void read_address(struct https_conn *conn) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } addr = {0};
    socklen_t len = sizeof(addr);
    const void *ip = &addr.v4.sin_addr;
    int family = AF_INET;
    if (getpeername(conn->fd, &addr.any, &len) < 0)
        return;
    if (addr.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&addr.v6.sin6_addr)) {
        ip = addr.v6.sin6_addr.s6_addr + 12;
    } else if (addr.any.sa_family == AF_INET6) {
        ip = &addr.v6.sin6_addr;
        family = AF_INET6;
    }
    inet_ntop(family, ip, conn->peer_ip, sizeof(conn->peer_ip));
}

void https_conn_new(struct httpsserver *server, int fd) {
    struct https_conn *conn = XNEW(struct https_conn);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    *conn = (struct https_conn){.server = server, .fd = fd, .next = server->first};
    if (server->first)
        server->first->prev = conn;
    server->first = conn;
    server->stats.connections++;
    https_wire_init(&conn->wire);
    buf_init(&conn->pending, HTTPS_PIECE);
    buf_init(&conn->head, HTTPS_PIECE);
    buf_init(&conn->body, 0);
    read_address(conn);
    conn->timer = loop_timer_new(server->loop, on_late, conn);
    enter(conn, HTTPS_HANDSHAKE, server->options.slow_timeout);
    conn->want_in = true;
    conn->ssl = openssl->SSL_new(server->tls);
    if (!conn->ssl || openssl->SSL_set_fd(conn->ssl, fd) != 1 ||
        loop_watch_fd(server->loop, fd, on_ready, conn, &conn->watch, NULL) < 0) {
        conn->broken = true;
        https_conn_kill(conn);
    }
}

void https_conn_kill(struct https_conn *conn) {
    bool running = conn->running;
    conn->running = true;
    if (conn->state == HTTPS_HANDLER)
        lose_exchange(conn, HTTPS_DEAD);
    conn->state = HTTPS_DEAD;
    conn->running = running;
    if (!running)
        destroy(conn);
}

void https_conn_drain(struct https_conn *conn) {
    conn->close = true;
    if (conn->state == HTTPS_REQUEST && !conn->wire.begun && conn->pending.len == 0)
        https_conn_kill(conn);
}
