/* TLS settings read into memory, and OpenSSL's client context made of them. */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include "net/http.h"
#include <openssl/ssl.h>

/* What http_tls names, files read; NULL where not given. */
struct tls_contents {
    char *ca, *cert, *key; /* PEM */
    bool insecure;
};

/* Reads files (at most 1 MiB each) and copies texts; tls may be NULL. -EINVAL, -ENOENT, -E2BIG, … with the
 * file's name. */
int tls_contents_read(const struct http_tls *tls, struct tls_contents *ret_contents, struct err *err);
void tls_contents_done(struct tls_contents *contents);
bool tls_contents_equal(const struct tls_contents *a, const struct tls_contents *b);

/* A context that verifies against the CA given (else the system's) and shows the certificate given: 0, or
 * -EINVAL with what is wrong. Owned by the caller (SSL_CTX_free). */
int tls_context_new(const struct tls_contents *contents, SSL_CTX **ret_ctx, struct err *err);
/* For a context of either side: the certificate that it shows (with the rest of its chain) and the key, PEM,
 * each NULL: none. -EINVAL where they cannot be read or do not fit. */
int tls_use_certificate(SSL_CTX *ctx, const char *cert_pem, const char *key_pem, struct err *err);
/* Adds all certificates of a PEM text to those that are trusted; -EINVAL where there is none. */
int tls_add_authorities(X509_STORE *store, const char *pem, struct err *err);
/* A time of a certificate as wall time; 0 where it is none. */
usec_t tls_time(const ASN1_TIME *time);
/* Whether name is an IP address. */
bool tls_is_address(const char *name);
/* Whether a certificate is for name, a host or an IP address. */
bool tls_certificate_is_for(X509 *cert, const char *name);
/* Checks, on an established connection, that the server's certificate was verified and is for name (a host
 * or an IP address): 0, or -EKEYREJECTED. */
int tls_check_peer(SSL *ssl, const char *name, struct err *err);

#endif
