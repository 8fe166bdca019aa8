/* A peer for the tests: a listener on 127.0.0.1 in a thread of its own, which runs a handler for each
 * connection, over TLS if wanted. And certificates to go with it, made when the test runs. */
#ifndef NET_TESTS_PEER_H
#define NET_TESTS_PEER_H

#include <stdbool.h>
#include <stddef.h>

struct peer;
struct peer_conn;

/* A certificate and its key in PEM; owned by whoever made it. */
struct peer_cert {
    char *cert_pem, *key_pem;
};

/* A certificate authority of its own. */
void peer_make_ca(struct peer_cert *ret_ca);
/* A certificate by ca. san is as in OpenSSL's configuration: "DNS:localhost,IP:127.0.0.1". */
void peer_make_cert(const struct peer_cert *ca, const char *name, const char *san,
                    struct peer_cert *ret_cert);
/* The same with organizations (NULL-terminated, or NULL) in its subject. */
void peer_make_user(const struct peer_cert *ca, const char *name, const char *const *organizations,
                    const char *san, struct peer_cert *ret_cert);
/* A user's that ends so many seconds from now. */
void peer_make_ending(const struct peer_cert *ca, const char *name, int seconds, struct peer_cert *ret_cert);
/* A user's that begins so many seconds from now. */
void peer_make_beginning(const struct peer_cert *ca, const char *name, int seconds,
                         struct peer_cert *ret_cert);
void peer_cert_done(struct peer_cert *cert);

struct peer_options {
    void (*handle)(struct peer_conn *conn, void *arg); /* runs in a thread; the connection closes after it */
    void *arg;
    const struct peer_cert *tls;       /* NULL: plain */
    const struct peer_cert *client_ca; /* a client certificate by this CA is demanded, or NULL */
};

struct peer *peer_start(const struct peer_options *options);
/* Waits for all handlers, which must therefore end by themselves when their client goes. */
void peer_stop(struct peer *peer);
int peer_port(const struct peer *peer);
/* Connections accepted so far. */
int peer_connections(struct peer *peer);

/* Reads one HTTP request head into out, terminated; false at the end of the connection. What came behind it
 * stays for peer_read. */
bool peer_read_head(struct peer_conn *conn, char *out, size_t size);
/* Reads exactly len bytes. */
bool peer_read(struct peer_conn *conn, void *out, size_t len);
bool peer_write(struct peer_conn *conn, const void *data, size_t len);
bool peer_puts(struct peer_conn *conn, const char *text);
/* Waits until the client has gone (or sends something more: then false). */
bool peer_wait_gone(struct peer_conn *conn);
/* The common name of the client's certificate, or "". */
void peer_client_name(struct peer_conn *conn, char *out, size_t size);
/* SNI as sent, or "". */
const char *peer_sni(struct peer_conn *conn);

#endif
