/* The TLS server's context, and the check of client certificates. There are two authorities, and a
 * certificate must be told which of them it is by; OpenSSL's own check knows one set. So in the handshake
 * only possession of the key is proven, and the chain is verified afterwards, once against each. */
#include "net/tls_server.h"

#include "base/mem.h"
#include "net/openssl_library.h"
#include "net/tls_context.h"
#include <errno.h>
#include <string.h>

enum { MAX_ORGANIZATIONS = 64 };

/* The only protocols: an aggregator of Kubernetes is content with them, and one request a connection at a
 * time bounds what a peer can ask for. The older one is what curl --http1.0 insists on. */
static const unsigned char alpn[] = "\x08http/1.1\x08http/1.0";

/* Who offers protocols, but none of ours, is refused (RFC 7301, 3.2); who offers none speaks HTTP/1.1. */
static int select_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                           const unsigned char *in, unsigned in_len, void *arg) {
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (openssl->SSL_select_next_proto(&chosen, ret_len, alpn, sizeof(alpn) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* That the peer holds the key of what it shows is proven by the handshake's signature, whatever this says. */
static int accept_any_chain(X509_STORE_CTX *ctx, void *arg) {
    (void)arg;
    openssl->X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

static void set_up(SSL_CTX *ctx, int min_version) {
    openssl->SSL_CTX_ctrl(ctx, SSL_CTRL_SET_MIN_PROTO_VERSION,
                          min_version == 13 ? TLS1_3_VERSION : TLS1_2_VERSION, NULL);
    /* RELEASE_BUFFERS: an idle connection keeps no 34 KiB. MOVING: what is written again may lie elsewhere.
     */
    openssl->SSL_CTX_ctrl(ctx, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER,
                          NULL);
    openssl->SSL_CTX_ctrl(ctx, SSL_CTRL_SET_READ_AHEAD, 1, NULL); /* one recv(2) a request in place of two */
    /* A resumed session would bring the peer's certificate without its chain, which could not be verified
     * again when authorities change. */
    openssl->SSL_CTX_ctrl(ctx, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
    openssl->SSL_CTX_set_num_tickets(ctx, 0);
    openssl->SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                          SSL_OP_CIPHER_SERVER_PREFERENCE);
    openssl->SSL_CTX_set_alpn_select_cb(ctx, select_protocol, NULL);
    /* No names of authorities are sent: clients then show what they have. */
    openssl->SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    openssl->SSL_CTX_set_cert_verify_callback(ctx, accept_any_chain, NULL);
}

int tls_server_context_new(const char *cert_pem, const char *key_pem, int min_version, SSL_CTX **ret_ctx,
                           struct err *err) {
    int r = openssl_library_load(err);
    if (r < 0)
        return r;
    SSL_CTX *ctx = openssl->SSL_CTX_new(openssl->TLS_server_method());
    if (!ctx)
        return err_set(err, -ENOMEM, "OpenSSL gives no context");
    set_up(ctx, min_version);
    r = tls_use_certificate(ctx, cert_pem, key_pem, err);
    if (r < 0) {
        openssl->SSL_CTX_free(ctx);
        return r;
    }
    *ret_ctx = ctx;
    return 0;
}

int tls_store_new(const char *ca_pem, X509_STORE **ret_store, struct err *err) {
    int r = openssl_library_load(err);
    if (r < 0)
        return r;
    X509_STORE *store = openssl->X509_STORE_new();
    if (!store)
        return err_set(err, -ENOMEM, "OpenSSL gives no store");
    /* An authority need not be self-signed: it is trusted as given, as by Go's servers. */
    openssl->X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    r = tls_add_authorities(store, ca_pem, err);
    if (r < 0) {
        openssl->X509_STORE_free(store);
        return r;
    }
    *ret_store = store;
    return 0;
}

/* The verified chain holds until the first of its certificates ends. */
static usec_t chain_end(X509_STORE_CTX *ctx, usec_t end) {
    const OPENSSL_STACK *chain = (const OPENSSL_STACK *)openssl->X509_STORE_CTX_get0_chain(ctx);
    for (int i = 0; i < openssl->OPENSSL_sk_num(chain); i++) {
        usec_t not_after = tls_time(openssl->X509_get0_notAfter(openssl->OPENSSL_sk_value(chain, i)));
        end = not_after < end ? not_after : end;
    }
    return end;
}

/* As a certificate of a client: one that is for servers only is none. */
static bool verifies(X509_STORE *store, X509 *cert, STACK_OF(X509) * chain, usec_t *end) {
    X509_STORE_CTX *ctx = openssl->X509_STORE_CTX_new();
    bool ok = ctx && openssl->X509_STORE_CTX_init(ctx, store, cert, chain) == 1 &&
              openssl->X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) == 1 &&
              openssl->X509_verify_cert(ctx) == 1;
    if (ok)
        *end = chain_end(ctx, *end);
    openssl->X509_STORE_CTX_free(ctx);
    openssl->ERR_clear_error();
    return ok;
}

/* The text of one entry of the subject, or NULL where it is none (a NUL in it could hide the rest). */
static char *entry_text(const X509_NAME *subject, int at) {
    unsigned char *utf8 = NULL;
    int len = openssl->ASN1_STRING_to_UTF8(
        &utf8, openssl->X509_NAME_ENTRY_get_data(openssl->X509_NAME_get_entry(subject, at)));
    char *text = len >= 0 && strlen((char *)utf8) == (size_t)len ? xstrndup((char *)utf8, (size_t)len) : NULL;
    if (len >= 0)
        openssl->CRYPTO_free(utf8, OPENSSL_FILE, OPENSSL_LINE);
    return text;
}

/* The last common name counts, as for Go. */
static char *common_name(X509_NAME *subject) {
    int at = -1, last = -1;
    while ((at = openssl->X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0)
        last = at;
    char *text = last >= 0 ? entry_text(subject, last) : xstrdup("");
    return text;
}

/* A user's groups, to Kubernetes. Those past the bound, or with a NUL in them, are left out: groups
 * only ever add rights. */
static char **organizations(X509_NAME *subject) {
    char **all = xcalloc(MAX_ORGANIZATIONS + 1, sizeof(*all));
    int at = -1;
    for (size_t n = 0; n < MAX_ORGANIZATIONS;) {
        at = openssl->X509_NAME_get_index_by_NID(subject, NID_organizationName, at);
        if (at < 0)
            break;
        all[n] = entry_text(subject, at);
        n += all[n] != NULL;
    }
    return all;
}

bool tls_peer_read(SSL *ssl, X509_STORE *const stores[HTTPS_CAS], struct tls_peer *ret_peer) {
    X509 *cert = openssl->SSL_get0_peer_certificate(ssl);
    struct tls_peer peer = {.not_after = INT64_MAX};
    bool any = false;
    if (!cert)
        return false;
    for (int i = 0; i < HTTPS_CAS; i++)
        any |= peer.facts.verified[i] =
            stores[i] && verifies(stores[i], cert, openssl->SSL_get_peer_cert_chain(ssl), &peer.not_after);
    X509_NAME *subject = openssl->X509_get_subject_name(cert);
    peer.common_name = any ? common_name(subject) : NULL;
    if (!peer.common_name)
        return false;
    peer.organizations = organizations(subject);
    peer.facts.common_name = peer.common_name;
    peer.facts.organizations = (const char *const *)peer.organizations;
    *ret_peer = peer;
    return true;
}

/* A second is left to OpenSSL, whose clock is coarser than ours. */
usec_t tls_peer_begin(SSL *ssl) {
    X509 *cert = openssl->SSL_get0_peer_certificate(ssl);
    usec_t begin = cert ? tls_time(openssl->X509_get0_notBefore(cert)) + USEC_PER_SEC : 0;
    return begin > clock_wall() ? begin : INT64_MAX;
}

void tls_peer_done(struct tls_peer *peer) {
    free(peer->common_name);
    for (char **o = peer->organizations; o && *o; o++)
        free(*o);
    free(peer->organizations);
    *peer = (struct tls_peer){0};
}
