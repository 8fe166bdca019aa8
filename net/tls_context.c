/* OpenSSL's side of a TLS client: certificates from memory, chains included (for servers too), and the check
 * of the peer.
 *
 * Certificate and key are two files, and may be read on either side of a rotation. Then they do not fit,
 * which is told as -EINVAL; the next connection reads them anew. */
#include "net/tls_context.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/openssl_library.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

enum { MAX_FILE = 1024 * 1024 };

/* Read up to the limit, and not as much as its size was a moment ago. */
static int read_file(const char *path, char **ret_text, struct err *err) {
    cleanup_file FILE *file = fopen(path, "re");
    if (!file)
        return err_set(err, -errno, "%s: %s", path, strerror(errno));
    cleanup_free char *text = xmalloc(MAX_FILE + 1);
    size_t len = fread(text, 1, MAX_FILE, file);
    if (ferror(file))
        return err_set(err, -EIO, "%s: cannot be read", path);
    if (len == MAX_FILE)
        return err_set(err, -E2BIG, "%s: larger than %d bytes", path, MAX_FILE);
    *ret_text = xstrndup(text, len);
    return 0;
}

static int text_or_file(const char *text, const char *path, char **ret_text, struct err *err) {
    if (text)
        *ret_text = xstrdup(text);
    else if (path)
        return read_file(path, ret_text, err);
    return 0;
}

int tls_contents_read(const struct http_tls *tls, struct tls_contents *ret_contents, struct err *err) {
    struct tls_contents c = {0};
    int r = 0;
    if (tls) {
        c.insecure = tls->insecure;
        r = text_or_file(tls->ca_pem, tls->ca_file, &c.ca, err);
        if (r == 0)
            r = text_or_file(tls->cert_pem, tls->cert_file, &c.cert, err);
        if (r == 0)
            r = text_or_file(tls->key_pem, tls->key_file, &c.key, err);
    }
    if (r < 0) {
        tls_contents_done(&c);
        return r;
    }
    *ret_contents = c;
    return 0;
}

void tls_contents_done(struct tls_contents *contents) {
    free(contents->ca);
    free(contents->cert);
    /* A plain memset of what is freed next may be left out by the compiler. */
    if (contents->key)
        explicit_bzero(contents->key, strlen(contents->key));
    free(contents->key);
    *contents = (struct tls_contents){0};
}

bool tls_contents_equal(const struct tls_contents *a, const struct tls_contents *b) {
    return str_eq(a->ca, b->ca) && str_eq(a->cert, b->cert) && str_eq(a->key, b->key) &&
           a->insecure == b->insecure;
}

static void free_bio(BIO **bio) {
    openssl->BIO_free(*bio);
}

int tls_add_authorities(X509_STORE *store, const char *pem, struct err *err) {
    cleanup(free_bio) BIO *bio = openssl->BIO_new_mem_buf(pem, -1);
    X509 *cert;
    int n = 0;
    /* One that cannot be read ends the list; those before it count. */
    for (; (cert = openssl->PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)); n++) {
        openssl->X509_STORE_add_cert(store, cert); /* takes a reference of its own */
        openssl->X509_free(cert);
    }
    if (n == 0)
        return openssl_error(err, -EINVAL, "CA certificate");
    openssl->ERR_clear_error(); /* the end of the text is an error to it */
    return 0;
}

static int use_chain(SSL_CTX *ctx, const char *pem, struct err *err) {
    cleanup(free_bio) BIO *bio = openssl->BIO_new_mem_buf(pem, -1);
    X509 *cert = openssl->PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    int ok = cert && openssl->SSL_CTX_use_certificate(ctx, cert) == 1;
    openssl->X509_free(cert);
    if (!ok)
        return openssl_error(err, -EINVAL, "certificate");
    /* SSL_CTX_add0_chain_cert, as a call: it keeps the reference where it succeeds. */
    while ((cert = openssl->PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        if (openssl->SSL_CTX_ctrl(ctx, SSL_CTRL_CHAIN_CERT, 0, cert) != 1)
            openssl->X509_free(cert);
    openssl->ERR_clear_error();
    return 0;
}

static int use_key(SSL_CTX *ctx, const char *pem, struct err *err) {
    cleanup(free_bio) BIO *bio = openssl->BIO_new_mem_buf(pem, -1);
    /* An empty password, so that an encrypted key fails instead of asking on the terminal. */
    EVP_PKEY *key = openssl->PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "");
    int ok =
        key && openssl->SSL_CTX_use_PrivateKey(ctx, key) == 1 && openssl->SSL_CTX_check_private_key(ctx) == 1;
    openssl->EVP_PKEY_free(key);
    return ok ? 0 : openssl_error(err, -EINVAL, "key");
}

/* The certificate first: a key is checked against the one that is there. */
int tls_use_certificate(SSL_CTX *ctx, const char *cert_pem, const char *key_pem, struct err *err) {
    int r = cert_pem ? use_chain(ctx, cert_pem, err) : 0;
    return r == 0 && key_pem ? use_key(ctx, key_pem, err) : r;
}

static int fill_context(SSL_CTX *ctx, const struct tls_contents *contents, struct err *err) {
    X509_STORE *store = openssl->SSL_CTX_get_cert_store(ctx);
    int r = 0;
    openssl->SSL_CTX_ctrl(ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
    openssl->SSL_CTX_ctrl(ctx, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, NULL);
    openssl->SSL_CTX_set_verify(ctx, contents->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    /* An authority need not be self-signed: it is trusted as given, as by Go and by curl. Else a CA file with
     * an intermediate alone would do for lists, which are curl's, and not for watches. */
    openssl->X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    if (contents->ca)
        r = tls_add_authorities(store, contents->ca, err);
    else if (!contents->insecure)
        openssl->SSL_CTX_set_default_verify_paths(ctx);
    if (r == 0)
        r = tls_use_certificate(ctx, contents->cert, contents->key, err);
    return r < 0 ? err_wrap(err, "client") : 0;
}

int tls_context_new(const struct tls_contents *contents, SSL_CTX **ret_ctx, struct err *err) {
    int r = openssl_library_load(err);
    if (r < 0)
        return r;
    SSL_CTX *ctx = openssl->SSL_CTX_new(openssl->TLS_client_method());
    if (!ctx)
        return openssl_error(err, -EINVAL, "TLS");
    r = fill_context(ctx, contents, err);
    if (r < 0) {
        openssl->SSL_CTX_free(ctx);
        return r;
    }
    *ret_ctx = ctx;
    return 0;
}

/* ASN.1 times are UTC. */
usec_t tls_time(const ASN1_TIME *time) {
    struct tm tm = {0};
    return openssl->ASN1_TIME_to_tm(time, &tm) == 1 ? (usec_t)timegm(&tm) * USEC_PER_SEC : 0;
}

bool tls_is_address(const char *name) {
    struct in6_addr a;
    return inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1;
}

/* As Go has it: "*" stands for a whole label, and "f*.example" for nothing. */
bool tls_certificate_is_for(X509 *cert, const char *name) {
    int match = tls_is_address(name)
                    ? openssl->X509_check_ip_asc(cert, name, 0)
                    : openssl->X509_check_host(cert, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL);
    return match == 1;
}

/* OpenSSL has verified the chain in the handshake; whom the certificate is for is asked here, in our words.
 */
int tls_check_peer(SSL *ssl, const char *name, struct err *err) {
    long result = openssl->SSL_get_verify_result(ssl);
    if (result != X509_V_OK)
        return err_set(err, -EKEYREJECTED, "the server's certificate cannot be trusted: %s",
                       openssl->X509_verify_cert_error_string(result));
    X509 *cert = openssl->SSL_get0_peer_certificate(ssl);
    if (!cert)
        return err_set(err, -EKEYREJECTED, "the server has shown no certificate");
    return tls_certificate_is_for(cert, name)
               ? 0
               : err_set(err, -EKEYREJECTED, "the server's certificate is not for %s", name);
}
