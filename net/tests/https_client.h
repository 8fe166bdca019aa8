/* A client for the tests of the TLS server: raw requests over TLS, in the same thread as the server, whose
 * loop it turns while it waits. */
#ifndef NET_TESTS_HTTPS_CLIENT_H
#define NET_TESTS_HTTPS_CLIENT_H

#include "base/buf.h"
#include "net/loop.h"
#include "net/tests/peer.h"
#include <openssl/ssl.h>

struct client {
    struct loop *loop;
    int fd;
    SSL *ssl; /* NULL: plain */
};

struct client_options {
    int port;
    const struct peer_cert *cert; /* shown; NULL: none */
    const struct peer_cert *ca;   /* the server's; NULL: not asked */
    const char *alpn;             /* as on the wire ("\x02h2"), or NULL */
    int max_version;              /* TLS1_1_VERSION, …; 0: any */
};

/* A TCP connection to 127.0.0.1, non-blocking. */
int client_dial(int port);
/* Connects; false where the handshake fails. The client is to be closed either way. */
bool client_open(struct loop *loop, const struct client_options *options, struct client *ret_client);
void client_close(struct client *client);
/* Sends all of it, as fast as the server takes it; false where it has gone. */
bool client_put(struct client *client, const char *text);
/* Reads until out ends with last (then true), or the connection ends (false). Fails the test after a minute.
 */
bool client_take(struct client *client, struct buf *out, const char *last);
/* Turns the loop for about that long: for what must not happen meanwhile. */
void client_wait(struct loop *loop, usec_t duration);
/* Turns the loop until condition holds, however long the machine takes over it. Fails the test after a
 * minute. */
#define client_until(loop, condition)                                                                        \
    do {                                                                                                     \
        usec_t until_ = clock_mono() + 60 * USEC_PER_SEC;                                                    \
        while (!(condition) && clock_mono() < until_)                                                        \
            loop_turn((loop), 2 * USEC_PER_MSEC);                                                            \
        assert_true(condition);                                                                              \
    } while (0)

#endif
