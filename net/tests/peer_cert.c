/* Certificates for the tests, made by OpenSSL on the spot. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "net/tests/peer.h"
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* Seconds from now. */
struct term {
    int from, to;
};
static const struct term usual = {-60, 3600};

static char *bio_text(BIO *bio) {
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = xstrndup(data, (size_t)len);
    BIO_free(bio);
    return text;
}

static void to_pem(X509 *cert, EVP_PKEY *key, struct peer_cert *ret_cert) {
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert);
    ret_cert->cert_pem = bio_text(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    ret_cert->key_pem = bio_text(bio);
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (!ext)
        abort();
    X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
}

static X509 *new_cert(const char *name, EVP_PKEY *key, struct term term) {
    static long serial = 1;
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert), term.from);
    X509_gmtime_adj(X509_getm_notAfter(cert), term.to);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8, (const unsigned char *)name,
                               -1, -1, 0);
    X509_set_pubkey(cert, key);
    return cert;
}

void peer_make_ca(struct peer_cert *ret_ca) {
    static int count;
    cleanup_free char *name = xasprintf("test CA %d", ++count);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = new_cert(name, key, usual);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(cert, cert, NID_subject_key_identifier, "hash");
    X509_sign(cert, key, EVP_sha256());
    to_pem(cert, key, ret_ca);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void add_organization(X509 *cert, const char *organization) {
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "O", MBSTRING_UTF8,
                               (const unsigned char *)organization, -1, -1, 0);
}

static void sign_user(const struct peer_cert *ca, const char *name, const char *const *organizations,
                      const char *san, struct term term, struct peer_cert *ret_cert) {
    BIO *bio = BIO_new_mem_buf(ca->cert_pem, -1);
    X509 *issuer = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    bio = BIO_new_mem_buf(ca->key_pem, -1);
    EVP_PKEY *issuer_key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = new_cert(name, key, term);
    for (const char *const *o = organizations; o && *o; o++)
        add_organization(cert, *o);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer));
    add_extension(cert, issuer, NID_subject_alt_name, san);
    X509_sign(cert, issuer_key, EVP_sha256());
    to_pem(cert, key, ret_cert);
    X509_free(cert);
    X509_free(issuer);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
}

void peer_make_cert(const struct peer_cert *ca, const char *name, const char *san,
                    struct peer_cert *ret_cert) {
    sign_user(ca, name, NULL, san, usual, ret_cert);
}

void peer_make_user(const struct peer_cert *ca, const char *name, const char *const *organizations,
                    const char *san, struct peer_cert *ret_cert) {
    sign_user(ca, name, organizations, san, usual, ret_cert);
}

void peer_make_ending(const struct peer_cert *ca, const char *name, int seconds, struct peer_cert *ret_cert) {
    sign_user(ca, name, NULL, "DNS:x", (struct term){usual.from, seconds}, ret_cert);
}

void peer_make_beginning(const struct peer_cert *ca, const char *name, int seconds,
                         struct peer_cert *ret_cert) {
    sign_user(ca, name, NULL, "DNS:x", (struct term){seconds, usual.to}, ret_cert);
}

void peer_cert_done(struct peer_cert *cert) {
    free(cert->cert_pem);
    free(cert->key_pem);
}
