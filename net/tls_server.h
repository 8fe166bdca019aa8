/* OpenSSL's side of the TLS server: its context, and who the peer is. */
#ifndef NET_TLS_SERVER_H
#define NET_TLS_SERVER_H

#include "net/httpsserver.h"
#include <openssl/ssl.h>

/* A context that shows this certificate, speaks TLS from min_version on (12 or 13) and HTTP/1.1 only, and
 * asks for a client certificate without checking who signed it: that is tls_peer_read's. -EINVAL where
 * certificate or key cannot be read or do not fit. Owned by the caller (SSL_CTX_free). */
int tls_server_context_new(const char *cert_pem, const char *key_pem, int min_version, SSL_CTX **ret_ctx,
                           struct err *err);
/* The certificates of a PEM text as authorities; -EINVAL where there is none. Owned (X509_STORE_free). */
int tls_store_new(const char *ca_pem, X509_STORE **ret_store, struct err *err);

/* What a peer's certificate says; facts borrows from the rest. */
struct tls_peer {
    usec_t not_after; /* wall time: what was verified holds until then */
    struct https_peer facts;
    char *common_name;
    char **organizations;
};
/* Reads the certificate of an established connection: true where one was shown that verifies, for use by a
 * client, against at least one of the stores (NULL: none). */
bool tls_peer_read(SSL *ssl, X509_STORE *const stores[HTTPS_CAS], struct tls_peer *ret_peer);
void tls_peer_done(struct tls_peer *peer);
/* The wall time from which on a certificate that was shown, and does not hold yet, does; INT64_MAX where time
 * changes nothing. */
usec_t tls_peer_begin(SSL *ssl);

#endif
