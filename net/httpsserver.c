/* The TLS server: options, certificate and authorities, and the set of its connections (https_conn.c). The
 * sockets are watched by the loop itself and TLS is OpenSSL's; why not libwebsockets' server:
 * docs/decisions/016-the-tls-server-is-not-libwebsockets.md. */
#include "net/httpsserver.h"

#include "base/mem.h"
#include "net/https_internal.h"
#include "net/openssl_library.h"
#include <errno.h>
#include <string.h>

enum {
    MAX_CONNECTIONS = 1024,
    GRACE = 1000000, /* µs that a new connection has at least, to shake hands and ask */
};

/* Who has to make room for a new connection, the first of these first; never one whose request is under way.
 * A stranger is who has shown no certificate that verifies: the aggregator does, and whatever strangers do,
 * its connections are the last to go. */
enum rank {
    NEW_STRANGER,     /* has never sent a whole request */
    SAID_ALL,         /* lingers: its answer is out */
    IDLE_STRANGER,    /* between two requests */
    READING_STRANGER, /* in the midst of another one */
    YOUNG_STRANGER,   /* a new one that has not had the time to ask */
    IDLE_KNOWN,
    BUSY,
};

static enum rank rank_of_new(const struct https_conn *conn) {
    return loop_now(conn->server->loop) - conn->since < GRACE ? YOUNG_STRANGER : NEW_STRANGER;
}

static enum rank rank_of(const struct https_conn *conn) {
    bool reading = conn->wire.begun || conn->pending.len > 0;
    if (conn->state == HTTPS_LINGER)
        return SAID_ALL;
    if (conn->state == HTTPS_HANDSHAKE)
        return rank_of_new(conn);
    if (conn->state != HTTPS_REQUEST)
        return BUSY;
    if (conn->has_peer)
        return reading ? BUSY : IDLE_KNOWN;
    if (conn->requests == 0)
        return rank_of_new(conn);
    return reading ? READING_STRANGER : IDLE_STRANGER;
}

/* The one that can best be spared, of several the one that has been so for longest (newer ones come first in
 * the list); NULL where there is none. It costs a walk over all of them, which is little beside the handshake
 * of who comes. */
static struct https_conn *find_victim(struct httpsserver *server) {
    struct https_conn *victim = NULL;
    enum rank lowest = BUSY;
    for (struct https_conn *conn = server->first; conn; conn = conn->next) {
        enum rank rank = rank_of(conn);
        if (rank < lowest || (rank == lowest && victim && conn->since <= victim->since)) {
            victim = conn;
            lowest = rank;
        }
    }
    return victim;
}

static bool is_full(const struct httpsserver *server) {
    return server->stats.connections >= server->options.max_connections;
}

static bool has_room(struct httpsserver *server) {
    struct https_conn *victim = is_full(server) ? find_victim(server) : NULL;
    if (!victim)
        return !is_full(server);
    server->stats.replaced++;
    https_conn_kill(victim);
    return true;
}

/* Strangers that come again at once, each in another's place, would leave nobody the time to shake hands, and
 * us none for anything else. So while all that can be spared are young, whoever comes next waits. */
static void slow_storm(struct httpsserver *server) {
    const struct https_conn *victim = is_full(server) ? find_victim(server) : NULL;
    if (victim && rank_of(victim) == YOUNG_STRANGER)
        listener_pause(server->listener, GRACE - (loop_now(server->loop) - victim->since));
}

/* Refused by closing: there is no way to say more before the handshake. */
static void on_connection(void *arg, int fd) {
    struct httpsserver *server = arg;
    if (!server->tls || !has_room(server)) {
        server->stats.refused++;
        close(fd);
        return;
    }
    server->stats.accepted++;
    https_conn_new(server, fd);
    slow_storm(server);
}

/* By a timer, and so never inside a connection's own step. Once: after the limit the last connection may end
 * too. */
static void call_drained(void *arg) {
    struct httpsserver *server = arg;
    loop_fn *done = server->on_drained;
    server->on_drained = NULL;
    if (done)
        done(server->on_drained_arg); /* may free the server */
}

static void set_defaults(struct httpsserver_options *options) {
    options->tls_min_version = options->tls_min_version ? options->tls_min_version : 12;
    options->max_connections = options->max_connections ? options->max_connections : MAX_CONNECTIONS;
    options->idle_timeout = options->idle_timeout ? options->idle_timeout : 90 * USEC_PER_SEC;
    options->slow_timeout = options->slow_timeout ? options->slow_timeout : 10 * USEC_PER_SEC;
    options->answer_timeout = options->answer_timeout ? options->answer_timeout : 60 * USEC_PER_SEC;
    options->address = options->cert_pem = options->key_pem = NULL; /* borrowed: not ours to keep */
}

int httpsserver_new(struct loop *loop, const struct httpsserver_options *options,
                    struct httpsserver **ret_server, struct err *err) {
    int r = openssl_library_load(err);
    if (r < 0)
        return r;
    struct httpsserver *server = XNEW(struct httpsserver);
    server->loop = loop;
    server->options = *options;
    set_defaults(&server->options);
    server->drained = loop_timer_new(loop, call_drained, server);
    if (options->cert_pem)
        r = httpsserver_set_certificate(server, options->cert_pem, options->key_pem, err);
    struct listener_options listening = {
        .address = options->address, .port = options->port, .fn = on_connection, .arg = server};
    if (r == 0)
        r = listener_new(loop, &listening, &server->listener, err);
    if (r < 0) {
        httpsserver_free(server);
        return r;
    }
    *ret_server = server;
    return 0;
}

int httpsserver_port(const struct httpsserver *server) {
    return server->listener ? listener_port(server->listener) : -ENOTCONN;
}

int httpsserver_set_certificate(struct httpsserver *server, const char *cert_pem, const char *key_pem,
                                struct err *err) {
    SSL_CTX *tls;
    if (!cert_pem || !key_pem)
        return err_set(err, -EINVAL, "a certificate and its key are needed");
    int r = tls_server_context_new(cert_pem, key_pem, server->options.tls_min_version, &tls, err);
    if (r < 0)
        return r;
    openssl->SSL_CTX_free(server->tls); /* connections that use it hold it */
    server->tls = tls;
    return 0;
}

int httpsserver_set_authority(struct httpsserver *server, enum https_ca which, const char *ca_pem,
                              struct err *err) {
    X509_STORE *store = NULL;
    int r = ca_pem ? tls_store_new(ca_pem, &store, err) : 0;
    if (r < 0)
        return r;
    openssl->X509_STORE_free(server->authorities[which]);
    server->authorities[which] = store;
    server->authorities_version++;
    return 0;
}

void https_server_forget(struct https_conn *conn) {
    struct httpsserver *server = conn->server;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        server->first = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    conn->server = NULL;
    if (--server->stats.connections == 0 && server->draining)
        loop_timer_set(server->drained, 0);
}

void httpsserver_drain(struct httpsserver *server, usec_t limit, loop_fn *done, void *arg) {
    server->draining = true;
    server->on_drained = done;
    server->on_drained_arg = arg;
    listener_free(server->listener);
    server->listener = NULL;
    for (struct https_conn *conn = server->first, *next; conn; conn = next) {
        next = conn->next; /* only conn itself can go: an idle one has no handler to call */
        https_conn_drain(conn);
    }
    loop_timer_set(server->drained, server->first ? limit : 0);
}

void httpsserver_free(struct httpsserver *server) {
    if (!server)
        return;
    listener_free(server->listener);
    server->listener = NULL;
    while (server->first) {
        struct https_conn *conn = server->first;
        https_conn_kill(conn);
        if (server->first == conn) /* it is being stepped further up: it frees itself, but without us */
            https_server_forget(conn);
    }
    for (int i = 0; i < HTTPS_CAS; i++)
        openssl->X509_STORE_free(server->authorities[i]);
    openssl->SSL_CTX_free(server->tls);
    loop_timer_free(server->drained);
    free(server);
}

void httpsserver_stats(const struct httpsserver *server, struct httpsserver_stats *ret_stats) {
    *ret_stats = server->stats;
}
