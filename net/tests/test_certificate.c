/* Certificates of our own, read back by us and verified by OpenSSL as a client would. */
#include "base/mem.h"
#include "base/str.h"
#include "net/certificate.h"
#include "net/tests/peer.h"
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const usec_t now = 1790000000 * USEC_PER_SEC;
static const usec_t day = 24 * USEC_PER_HOUR;

struct pair {
    struct certificate ca, cert;
};

static int setup(void **state) {
    struct pair *p = XNEW(struct pair);
    static const char *const names[] = {"metrics", "metrics.ns.svc", "127.0.0.1", "::1", NULL};
    struct certificate_request ca = {.common_name = "our CA", .now = now, .lifetime = 100 * day};
    struct certificate_request cert = {
        .common_name = "metrics", .names = names, .now = now, .lifetime = 90 * day};
    struct err err = {0};
    if (certificate_make_ca(&ca, &p->ca, &err) < 0 || certificate_issue(&p->ca, &cert, &p->cert, &err) < 0)
        fail_msg("%s", err.text);
    *state = p;
    return 0;
}

static int teardown(void **state) {
    struct pair *p = *state;
    certificate_done(&p->ca);
    certificate_done(&p->cert);
    free(p);
    return 0;
}

static X509 *x509(const char *pem) {
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(cert);
    return cert;
}

/* 0, or why a client would not take it, at that time, for that use. */
static int verify(const char *cert_pem, const char *ca_pem, usec_t at, int purpose) {
    X509 *cert = x509(cert_pem), *ca = x509(ca_pem);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(ctx, store, cert, NULL);
    X509_STORE_CTX_set_time(ctx, 0, (time_t)(at / USEC_PER_SEC));
    X509_STORE_CTX_set_purpose(ctx, purpose);
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
    int result = X509_verify_cert(ctx) == 1 ? 0 : X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(cert);
    X509_free(ca);
    return result;
}

static void a_client_takes_it(void **state) {
    struct pair *p = *state;
    const char *cert = p->cert.cert_pem, *ca = p->ca.cert_pem;
    assert_int_equal(verify(cert, ca, now, X509_PURPOSE_SSL_SERVER), 0);
    assert_int_equal(verify(cert, ca, now - 50 * USEC_PER_MIN, X509_PURPOSE_SSL_SERVER), 0);
    assert_int_equal(verify(cert, ca, now - 70 * USEC_PER_MIN, X509_PURPOSE_SSL_SERVER),
                     X509_V_ERR_CERT_NOT_YET_VALID);
    assert_int_equal(verify(cert, ca, now + 91 * day, X509_PURPOSE_SSL_SERVER), X509_V_ERR_CERT_HAS_EXPIRED);
    assert_int_equal(verify(cert, ca, now, X509_PURPOSE_SSL_CLIENT), X509_V_ERR_INVALID_PURPOSE);
}

static void the_names_are_in_it(void **state) {
    struct pair *p = *state;
    static const char *const good[] = {"metrics", "metrics.ns.svc", "127.0.0.1", "::1"},
                             *const bad[] = {"metric", "ns.svc", "127.0.0.2", "::2", "*", ""};
    for (int i = 0; i < 4; i++)
        assert_true(certificate_is_for(p->cert.cert_pem, good[i]));
    for (int i = 0; i < 5; i++)
        assert_false(certificate_is_for(p->cert.cert_pem, bad[i]));
    assert_false(certificate_is_for("nothing", "metrics"));
}

static void facts_are_read(void **state) {
    struct pair *p = *state;
    struct certificate_facts facts;
    struct err err = {0};
    assert_int_equal(certificate_read(p->cert.cert_pem, p->cert.key_pem, &facts, &err), 0);
    assert_int_equal(facts.not_before, now - USEC_PER_HOUR);
    assert_int_equal(facts.not_after, now + 90 * day);
    assert_true(facts.fits_key);
    assert_int_equal(certificate_read(p->cert.cert_pem, p->ca.key_pem, &facts, &err), 0);
    assert_false(facts.fits_key);
    assert_int_equal(certificate_read(p->cert.cert_pem, "no key", &facts, &err), 0);
    assert_false(facts.fits_key);
    assert_int_equal(certificate_read(p->cert.cert_pem, NULL, &facts, &err), 0);
    assert_int_equal(certificate_read(p->cert.key_pem, NULL, &facts, &err), -EINVAL);
    assert_int_equal(certificate_read("", NULL, &facts, &err), -EINVAL);
}

static void who_signed_is_told(void **state) {
    struct pair *p = *state;
    struct certificate other;
    struct err err = {0};
    struct certificate_request request = {.common_name = "our CA", .now = now, .lifetime = day};
    assert_true(certificate_signed_by(p->cert.cert_pem, p->ca.cert_pem));
    assert_true(certificate_signed_by(p->ca.cert_pem, p->ca.cert_pem));
    assert_int_equal(certificate_make_ca(&request, &other, &err), 0); /* of the same name */
    assert_false(certificate_signed_by(p->cert.cert_pem, other.cert_pem));
    assert_false(certificate_signed_by(p->cert.cert_pem, "nothing"));
    assert_string_not_equal(p->ca.cert_pem, other.cert_pem);
    certificate_done(&other);
}

static void what_cannot_be_made_is_an_error(void **state) {
    struct pair *p = *state;
    struct certificate none = {.cert_pem = p->ca.cert_pem, .key_pem = p->ca.cert_pem}, made = {0};
    struct err err = {0};
    static const char *const two_in_one[] = {"a,DNS:kubernetes.default.svc", NULL};
    struct certificate_request request = {.common_name = "x", .now = now, .lifetime = day};
    assert_int_equal(certificate_issue(&none, &request, &made, &err), -EIO);
    request.names = two_in_one;
    assert_int_equal(certificate_issue(&p->ca, &request, &made, &err), -EIO);
    assert_non_null(strstr(err.text, "a,DNS:kubernetes"));
    assert_null(made.cert_pem);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_client_takes_it),
        T(the_names_are_in_it),
        T(facts_are_read),
        T(who_signed_is_told),
        T(what_cannot_be_made_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
