/* Making, reading and checking certificates. Keys are ECDSA P-256: small, fast, and taken by everybody who
 * speaks to a Kubernetes API.
 *
 * OpenSSL keeps its errors in a queue of the thread, where the next call would find those of this one: each
 * function here either tells them (openssl_error, which empties the queue) or throws them away. */
#include "net/certificate.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "net/openssl_library.h"
#include "net/tls_context.h"
#include <errno.h>
#include <string.h>

enum { SERIAL_BYTES = 16, MAX_NAMES = 64 };

static const usec_t backdated = USEC_PER_HOUR; /* for clocks that are behind ours */

static void free_bio(BIO **bio) {
    openssl->BIO_free(*bio);
}
static void free_key(EVP_PKEY **key) {
    openssl->EVP_PKEY_free(*key);
}
static void free_x509(X509 **cert) {
    openssl->X509_free(*cert);
}
#define cleanup_bio cleanup(free_bio)
#define cleanup_key cleanup(free_key)
#define cleanup_x509 cleanup(free_x509)

void certificate_done(struct certificate *certificate) {
    free(certificate->cert_pem);
    if (certificate->key_pem)
        explicit_bzero(certificate->key_pem, strlen(certificate->key_pem));
    free(certificate->key_pem);
    *certificate = (struct certificate){0};
}

/* --- reading --- */

/* Of a text of several it is the first. */
static X509 *read_cert(const char *pem) {
    cleanup_bio BIO *bio = openssl->BIO_new_mem_buf(pem, -1);
    X509 *cert = openssl->PEM_read_bio_X509(bio, NULL, NULL, NULL);
    openssl->ERR_clear_error();
    return cert;
}

static EVP_PKEY *read_key(const char *pem) {
    cleanup_bio BIO *bio = openssl->BIO_new_mem_buf(pem, -1);
    /* An empty password, so that an encrypted key fails instead of asking on the terminal. */
    EVP_PKEY *key = openssl->PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "");
    openssl->ERR_clear_error();
    return key;
}

int certificate_read(const char *cert_pem, const char *key_pem, struct certificate_facts *ret_facts,
                     struct err *err) {
    int r = openssl_library_load(err);
    if (r < 0)
        return r;
    cleanup_x509 X509 *cert = read_cert(cert_pem);
    if (!cert)
        return err_set(err, -EINVAL, "there is no certificate (PEM) in it");
    cleanup_key EVP_PKEY *key = key_pem ? read_key(key_pem) : NULL;
    *ret_facts = (struct certificate_facts){
        .not_before = tls_time(openssl->X509_get0_notBefore(cert)),
        .not_after = tls_time(openssl->X509_get0_notAfter(cert)),
        .fits_key = key && openssl->X509_check_private_key(cert, key) == 1,
    };
    openssl->ERR_clear_error();
    return 0;
}

bool certificate_is_for(const char *cert_pem, const char *name) {
    if (openssl_library_load(NULL) < 0)
        return false;
    cleanup_x509 X509 *cert = read_cert(cert_pem);
    return cert && tls_certificate_is_for(cert, name);
}

bool certificate_signed_by(const char *cert_pem, const char *ca_pem) {
    if (openssl_library_load(NULL) < 0)
        return false;
    cleanup_x509 X509 *cert = read_cert(cert_pem);
    cleanup_x509 X509 *ca = read_cert(ca_pem);
    /* The names and key identifiers are compared first; that the key fits them only the signature shows. */
    if (!cert || !ca || openssl->X509_check_issued(ca, cert) != X509_V_OK)
        return false;
    bool ok = openssl->X509_verify(cert, openssl->X509_get0_pubkey(ca)) == 1;
    openssl->ERR_clear_error();
    return ok;
}

/* --- making --- */

static char *bio_text(BIO *bio) {
    char *data = NULL;
    long len = openssl->BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data);
    return xstrndup(data ? data : "", len > 0 ? (size_t)len : 0);
}

/* The key is written by a BIO whose memory OpenSSL wipes; our copy is wiped by certificate_done. */
static int write_pem(X509 *cert, EVP_PKEY *key, struct certificate *ret, struct err *err) {
    cleanup_bio BIO *cert_bio = openssl->BIO_new(openssl->BIO_s_mem());
    cleanup_bio BIO *key_bio = openssl->BIO_new(openssl->BIO_s_secmem());
    if (!cert_bio || !key_bio || openssl->PEM_write_bio_X509(cert_bio, cert) != 1 ||
        openssl->PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        return openssl_error(err, -EIO, "the certificate cannot be written");
    *ret = (struct certificate){.cert_pem = bio_text(cert_bio), .key_pem = bio_text(key_bio)};
    return 0;
}

/* 126 random bits, positive (RFC 5280, 4.1.2.2): two replicas must not make the same one. */
static bool set_serial(X509 *cert) {
    unsigned char bytes[SERIAL_BYTES];
    if (openssl->RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* never 0 in front: the same length always */
    BIGNUM *number = openssl->BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool ok = number && openssl->BN_to_ASN1_INTEGER(number, openssl->X509_get_serialNumber(cert));
    openssl->BN_free(number);
    return ok;
}

/* In whole seconds, as certificates have them; what OpenSSL writes is UTCTime up to 2049 (RFC 5280, 4.1.2.5).
 */
static bool set_times(X509 *cert, const struct certificate_request *request) {
    time_t from = (time_t)((request->now - backdated) / USEC_PER_SEC);
    time_t to = (time_t)((request->now + request->lifetime) / USEC_PER_SEC);
    return openssl->ASN1_TIME_set(openssl->X509_getm_notBefore(cert), from) &&
           openssl->ASN1_TIME_set(openssl->X509_getm_notAfter(cert), to);
}

/* value is written as in OpenSSL's configuration files. */
static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    openssl->X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = openssl->X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = extension && openssl->X509_add_ext(cert, extension, -1) == 1;
    openssl->X509_EXTENSION_free(extension);
    return ok;
}

/* All but the issuer, the extensions and the signature. NULL where OpenSSL fails. The key comes before the
 * extensions, one of which is made of it, and the signature last, over everything. */
static X509 *begin_cert(const struct certificate_request *request, EVP_PKEY *key) {
    cleanup_x509 X509 *cert = openssl->X509_new();
    if (!cert || openssl->X509_set_version(cert, X509_VERSION_3) != 1 || !set_serial(cert) ||
        !set_times(cert, request) || openssl->X509_set_pubkey(cert, key) != 1)
        return NULL;
    if (openssl->X509_NAME_add_entry_by_txt(openssl->X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                                            (const unsigned char *)request->common_name, -1, -1, 0) != 1)
        return NULL;
    return steal_ptr(&cert);
}

int certificate_make_ca(const struct certificate_request *request, struct certificate *ret_ca,
                        struct err *err) {
    int r = openssl_library_load(err);
    if (r < 0)
        return r;
    /* pathlen 0: it signs servers, and no further authority. */
    cleanup_key EVP_PKEY *key = openssl->EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    cleanup_x509 X509 *cert = key ? begin_cert(request, key) : NULL;
    if (!cert || openssl->X509_set_issuer_name(cert, openssl->X509_get_subject_name(cert)) != 1 ||
        !add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(cert, cert, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign") ||
        !add_extension(cert, cert, NID_subject_key_identifier, "hash") ||
        openssl->X509_sign(cert, key, openssl->EVP_sha256()) == 0)
        return openssl_error(err, -EIO, "the authority cannot be made");
    return write_pem(cert, key, ret_ca, err);
}

/* "DNS:a,IP:127.0.0.1". A comma in a name would begin another entry, so none is taken. */
static int list_names(const char *const *names, struct buf *out, struct err *err) {
    for (const char *const *n = names; *n; n++) {
        if (strpbrk(*n, ",: \t\r\n") && !tls_is_address(*n))
            return err_set(err, -EIO, "\"%s\" is no name for a certificate", *n);
        if (n - names == MAX_NAMES)
            return err_set(err, -EIO, "more than %d names for a certificate", MAX_NAMES);
        buf_printf(out, "%s%s:%s", n == names ? "" : ",", tls_is_address(*n) ? "IP" : "DNS", *n);
    }
    return 0;
}

/* For servers only: such a certificate is no way in to any other API. Clients look for the name among the
 * alternative ones alone (RFC 9525), so the common name is for people. */
static int add_server_extensions(X509 *cert, X509 *issuer, const char *const *names, struct err *err) {
    cleanup_buf struct buf list;
    buf_init(&list, 64 * 1024);
    int r = names ? list_names(names, &list, err) : 0;
    if (r < 0)
        return r;
    if (!add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(cert, issuer, NID_ext_key_usage, "serverAuth") ||
        !add_extension(cert, issuer, NID_authority_key_identifier, "keyid") ||
        (list.len > 0 && !add_extension(cert, issuer, NID_subject_alt_name, list.data)))
        return openssl_error(err, -EIO, "the certificate cannot be made");
    return 0;
}

int certificate_issue(const struct certificate *ca, const struct certificate_request *request,
                      struct certificate *ret_certificate, struct err *err) {
    int r = openssl_library_load(err);
    if (r < 0)
        return r;
    cleanup_x509 X509 *issuer = read_cert(ca->cert_pem);
    cleanup_key EVP_PKEY *issuer_key = read_key(ca->key_pem);
    if (!issuer || !issuer_key)
        return err_set(err, -EIO, "the authority cannot be read");
    cleanup_key EVP_PKEY *key = openssl->EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    cleanup_x509 X509 *cert = key ? begin_cert(request, key) : NULL;
    if (!cert || openssl->X509_set_issuer_name(cert, openssl->X509_get_subject_name(issuer)) != 1)
        return openssl_error(err, -EIO, "the certificate cannot be made");
    r = add_server_extensions(cert, issuer, request->names, err);
    if (r < 0)
        return r;
    if (openssl->X509_sign(cert, issuer_key, openssl->EVP_sha256()) == 0)
        return openssl_error(err, -EIO, "the certificate cannot be signed");
    return write_pem(cert, key, ret_certificate, err);
}
