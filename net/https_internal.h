/* What the files of the TLS server share: the server, its connections and their answers. */
#ifndef NET_HTTPS_INTERNAL_H
#define NET_HTTPS_INTERNAL_H

#include "net/https_wire.h"
#include "net/listener.h"
#include "net/tls_server.h"
#include <netinet/in.h>

enum {
    HTTPS_PIECE = 16 * 1024, /* what one TLS record holds */
};

struct https_conn;

struct httpsserver {
    struct loop *loop;
    struct listener *listener; /* NULL: draining */
    struct https_conn *first;
    struct httpsserver_options options; /* without the texts */
    SSL_CTX *tls; /* NULL: no certificate yet. Each connection keeps the one it began with */
    X509_STORE *authorities[HTTPS_CAS];
    unsigned authorities_version; /* another number for other authorities */
    struct httpsserver_stats stats;
    struct loop_timer *drained; /* calls on_drained */
    loop_fn *on_drained;
    void *on_drained_arg;
    bool draining;
    char scratch[HTTPS_PIECE]; /* for what is just read, or about to be written, within one step */
};

enum https_state {
    HTTPS_HANDSHAKE,
    HTTPS_REQUEST, /* waiting for one, or reading it */
    HTTPS_HANDLER, /* waiting for the answer */
    HTTPS_ANSWER,  /* writing it */
    HTTPS_LINGER,  /* all is said: what the peer still sends is thrown away until it closes */
    HTTPS_DEAD,
};

struct https_exchange {
    loop_fn *on_gone;
    void *arg;
};

struct https_conn {
    struct https_exchange exchange; /* first: an exchange is its connection */
    struct httpsserver *server;     /* NULL: it has gone */
    struct https_conn *prev, *next;
    int fd;
    struct loop_fd *watch;
    struct loop_timer *timer; /* of the state */
    SSL *ssl;
    enum https_state state;
    usec_t since;           /* of the state, monotonic */
    uint64_t requests;      /* whose head came whole */
    bool running;           /* somebody further up the stack steps it and frees it when it is dead */
    bool broken;            /* TLS has failed: no farewell */
    bool want_in, want_out; /* what the next step waits for */
    int steps;              /* left in this turn */
    struct https_wire wire;
    struct buf pending; /* came in behind the request */
    bool has_peer;
    unsigned peer_version; /* of the authorities that peer was verified by */
    usec_t peer_until;     /* wall time: then it is to be verified again */
    struct tls_peer peer;
    char peer_ip[INET6_ADDRSTRLEN];
    struct buf head, body; /* the answer */
    size_t sent;
    bool head_only;   /* the answer to HEAD */
    bool close;       /* after this answer */
    size_t discarded; /* while lingering */
};

/* Takes fd. */
void https_conn_new(struct httpsserver *server, int fd);
/* Ends it now; its exchange gets on_gone. */
void https_conn_kill(struct https_conn *conn);
/* The server drains: ends it where it is idle, else after its answer. */
void https_conn_drain(struct https_conn *conn);
/* The last thing it does: takes it off the server. */
void https_server_forget(struct https_conn *conn);
/* Writes the answer's head into conn->head. */
void https_write_head(struct https_conn *conn, const struct https_answer *answer);

#endif
