/* Which certificate serves: ours in memory, in a Secret, in a folder, or the administrator's. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/base64.h"
#include "net/tests/fake_loop.h"
#include "operator/owncert.h"
#include "operator/servingcert.h"
#include "operator/tests/fake_objects.h"
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
/* cmocka wants the ones above first */
#include <cmocka.h>

#define SEC USEC_PER_SEC
#define DAY (24 * USEC_PER_HOUR)
#define SECRET "/api/v1/namespaces/ns/secrets/cert"
#define APISERVICE "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"

/* In place of net/httpsserver.c. */
struct httpsserver {
    char *cert, *key;
    int sets;
};

int httpsserver_set_certificate(struct httpsserver *server, const char *cert_pem, const char *key_pem,
                                struct err *err) {
    struct certificate_facts facts;
    if (certificate_read(cert_pem, key_pem, &facts, err) < 0 || !facts.fits_key)
        return err_set(err, -EINVAL, "does not fit");
    free(server->cert);
    free(server->key);
    server->cert = xstrdup(cert_pem);
    server->key = xstrdup(key_pem);
    server->sets++;
    return 0;
}

static void server_done(struct httpsserver *server) {
    free(server->cert);
    free(server->key);
}

struct world {
    struct loop *loop;
    struct kube kube;
    struct httpsserver servers[2];
    struct apiservices *apiservices[2];
    struct servingcert *certs[2];
    char dir[64];
};

static const char *const groups[] = {"v1beta1.metrics.k8s.io", NULL};

static int setup(void **state) {
    struct world *w = XNEW(struct world);
    w->loop = fake_loop_new();
    fake_objects_init(&w->kube, w->loop);
    snprintf(w->dir, sizeof(w->dir), "/tmp/servingcert-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    *state = w;
    return 0;
}

static int delete_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state) {
    struct world *w = *state;
    for (int i = 0; i < 2; i++) {
        servingcert_free(w->certs[i]);
        apiservices_free(w->apiservices[i]);
        server_done(&w->servers[i]);
    }
    fake_objects_done(&w->kube);
    fake_loop_free(w->loop);
    nftw(w->dir, delete_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(w);
    return 0;
}

static int start_with(struct world *w, int i, const struct servingcert_options *options, struct err *err) {
    struct servingcert_options with = *options;
    if (options->service && !w->apiservices[i])
        w->apiservices[i] = apiservices_new(w->loop, &w->kube,
                                            &(struct apiservices_options){.service_ns = options->service_ns,
                                                                          .service = options->service,
                                                                          .managed = groups});
    with.apiservices = w->apiservices[i];
    return servingcert_new(w->loop, &w->kube, &w->servers[i], &with, &w->certs[i], err);
}

static void start(struct world *w, int i, const struct servingcert_options *options) {
    struct err err = {0};
    if (start_with(w, i, options, &err) < 0)
        fail_msg("%s", err.text);
}

static const struct servingcert_options in_secret = {
    .secret_ns = "ns", .secret = "cert", .service_ns = "ns", .service = "trimtab"};

static char *secret_text(struct world *w, const char *key) {
    const json_t *data = json_object_get(fake_object(&w->kube, SECRET), "data");
    const char *encoded = json_string_value(json_object_get(data, key));
    char *text = NULL;
    if (!encoded || base64_decode(encoded, &text, NULL, NULL) < 0)
        fail_msg("no %s", key);
    return text;
}

static void assert_serves_secret(struct world *w, int i) {
    cleanup_free char *cert = secret_text(w, "tls.crt");
    assert_string_equal(w->servers[i].cert, cert);
}

static void assert_bundle_is_secrets(struct world *w) {
    cleanup_free char *ca = secret_text(w, "ca.crt");
    cleanup_free char *want = base64_encode(ca, strlen(ca));
    const json_t *spec = json_object_get(fake_object(&w->kube, APISERVICE), "spec");
    assert_string_equal(str_or_empty(json_string_value(json_object_get(spec, "caBundle"))), want);
}

/* A certificate made so long ago, put into the Secret by maker. */
static void put_secret(struct world *w, usec_t ago, const char *service, const char *maker) {
    cleanup_owncert struct owncert cert = {0};
    struct err err = {0};
    assert_int_equal(owncert_make("ns", service, NULL, clock_wall() - ago, &cert, &err), 0);
    cleanup_free char *crt = base64_encode(cert.serving.cert_pem, strlen(cert.serving.cert_pem));
    cleanup_free char *key = base64_encode(cert.serving.key_pem, strlen(cert.serving.key_pem));
    cleanup_free char *ca = base64_encode(cert.ca_pem, strlen(cert.ca_pem));
    fake_object_set(&w->kube, SECRET,
                    json_pack("{s:{s:{s:s}}, s:{s:s, s:s, s:s}}", "metadata", "labels",
                              "app.kubernetes.io/managed-by", maker, "data", "tls.crt", crt, "tls.key", key,
                              "ca.crt", ca));
}

static int count(const char *text, const char *what) {
    int n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

/* --- memory --- */

static void memory_serves_at_once(void **state) {
    struct world *w = *state;
    static const char *const names[] = {
        "trimtab",   "trimtab.ns", "trimtab.ns.svc", "trimtab.ns.svc.cluster.local", "localhost",
        "127.0.0.1", "::1"};
    start(w, 0, &(struct servingcert_options){.service_ns = "ns", .service = "trimtab"});
    assert_true(servingcert_ready(w->certs[0]));
    for (int i = 0; i < 7; i++)
        assert_true(certificate_is_for(w->servers[0].cert, names[i]));
    assert_false(certificate_is_for(w->servers[0].cert, "kubernetes.default.svc"));
    assert_in_range(servingcert_not_after(w->certs[0]), clock_wall() + 364 * DAY, clock_wall() + 366 * DAY);
    fake_loop_run(w->loop, SEC);
    assert_non_null(fake_object(&w->kube, APISERVICE));
    assert_int_equal(servingcert_error(w->certs[0])->code, 0);
}

/* --- the Secret --- */

static void a_missing_secret_is_made(void **state) {
    struct world *w = *state;
    start(w, 0, &in_secret);
    assert_int_equal(w->servers[0].sets, 1); /* from memory, for now */
    fake_loop_run(w->loop, SEC);
    assert_serves_secret(w, 0);
    assert_bundle_is_secrets(w);
    const json_t *secret = fake_object(&w->kube, SECRET);
    assert_string_equal(json_string_value(json_object_get(secret, "type")), "kubernetes.io/tls");
    cleanup_free char *cert = secret_text(w, "tls.crt"), *ca = secret_text(w, "ca.crt");
    assert_true(certificate_signed_by(cert, ca));
    assert_int_equal(servingcert_error(w->certs[0])->code, 0);
    fake_loop_run(w->loop, 3600 * SEC);
    assert_int_equal(w->kube.writes, 2); /* and nothing more */
    assert_int_equal(w->servers[0].sets, 2);
}

/* The Secret may be seen before the answer to its writing. */
static void a_secret_that_is_seen_early_is_used(void **state) {
    struct world *w = *state;
    w->kube.slow = true;
    start(w, 0, &in_secret);
    start(w, 1, &in_secret);
    fake_loop_run(w->loop, SEC);
    assert_serves_secret(w, 0);
    assert_serves_secret(w, 1);
    assert_bundle_is_secrets(w);
    assert_int_equal(w->kube.writes, 2);
}

static void two_replicas_end_with_one(void **state) {
    struct world *w = *state;
    start(w, 0, &in_secret);
    start(w, 1, &in_secret);
    fake_loop_run(w->loop, SEC);
    assert_serves_secret(w, 0);
    assert_serves_secret(w, 1);
    assert_bundle_is_secrets(w);
    assert_int_equal(w->kube.writes, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(servingcert_error(w->certs[i])->code, 0);
}

static void what_is_there_is_used(void **state) {
    struct world *w = *state;
    put_secret(w, 100 * DAY, "trimtab", "trimtab");
    start(w, 0, &in_secret);
    fake_loop_run(w->loop, SEC);
    assert_serves_secret(w, 0);
    assert_bundle_is_secrets(w);
    assert_int_equal(w->kube.writes, 1); /* the APIService */
}

static void it_is_renewed_after_two_thirds(void **state) {
    struct world *w = *state;
    put_secret(w, 250 * DAY, "trimtab", "trimtab");
    cleanup_free char *old = secret_text(w, "tls.crt"), *old_ca = secret_text(w, "ca.crt");
    start(w, 0, &in_secret);
    start(w, 1, &in_secret);
    fake_loop_run(w->loop, 5 * SEC);
    cleanup_free char *new = secret_text(w, "tls.crt"), *new_ca = secret_text(w, "ca.crt");
    assert_string_not_equal(new, old);
    assert_int_equal(count(new_ca, "BEGIN CERTIFICATE"), 2); /* the old authority is trusted for a while */
    assert_true(str_ends(new_ca, old_ca));
    assert_bundle_is_secrets(w);
    for (int i = 0; i < 2; i++)
        assert_string_equal(w->servers[i].cert, old); /* until the apiserver has heard of the new one */
    fake_loop_run(w->loop, 10 * SEC);
    for (int i = 0; i < 2; i++) {
        assert_serves_secret(w, i);
        assert_int_equal(servingcert_error(w->certs[i])->code, 0);
    }
}

static void one_that_has_ended_is_not_used(void **state) {
    struct world *w = *state;
    put_secret(w, 400 * DAY, "trimtab", "trimtab");
    cleanup_free char *old = secret_text(w, "tls.crt");
    start(w, 0, &in_secret);
    fake_loop_run(w->loop, SEC);
    cleanup_free char *new = secret_text(w, "tls.crt");
    assert_string_not_equal(new, old);
    assert_serves_secret(w, 0);
    assert_int_equal(w->servers[0].sets, 2);
}

static void one_for_another_service_is_made_anew(void **state) {
    struct world *w = *state;
    put_secret(w, 0, "metrics", "trimtab");
    start(w, 0, &in_secret);
    fake_loop_run(w->loop, SEC);
    assert_serves_secret(w, 0);
    assert_true(certificate_is_for(w->servers[0].cert, "trimtab.ns.svc"));
}

static void a_deleted_secret_comes_back(void **state) {
    struct world *w = *state;
    start(w, 0, &in_secret);
    fake_loop_run(w->loop, SEC);
    cleanup_free char *before = secret_text(w, "tls.crt");
    fake_object_set(&w->kube, SECRET, NULL);
    fake_loop_run(w->loop, SEC);
    cleanup_free char *after = secret_text(w, "tls.crt");
    assert_string_equal(after, before);
    assert_serves_secret(w, 0);
    assert_int_equal(w->servers[0].sets, 2);
}

/* Those who call us trust the new one only, so waiting would keep them out. */
static void an_exchanged_one_serves_at_once(void **state) {
    struct world *w = *state;
    start(w, 0, &in_secret);
    fake_loop_run(w->loop, SEC);
    put_secret(w, 0, "trimtab", "cert-manager");
    fake_loop_run(w->loop, SEC);
    assert_serves_secret(w, 0);
    assert_bundle_is_secrets(w);
}

static void somebody_elses_is_used_but_not_written(void **state) {
    struct world *w = *state;
    put_secret(w, 300 * DAY, "trimtab", "cert-manager");
    start(w, 0, &in_secret);
    fake_loop_run(w->loop, SEC);
    assert_serves_secret(w, 0);
    assert_int_equal(w->kube.writes, 1);
    put_secret(w, 400 * DAY, "trimtab", "cert-manager"); /* it ends, and nobody renews it */
    fake_loop_run(w->loop, 60 * SEC);
    assert_int_equal(w->kube.writes, 1);
    assert_true(str_starts(servingcert_error(w->certs[0])->text, "Secret ns/cert: tls.crt has ended on 20"));
    put_secret(w, 0, "trimtab", "cert-manager");
    fake_loop_run(w->loop, 60 * SEC);
    assert_serves_secret(w, 0);
    assert_int_equal(servingcert_error(w->certs[0])->code, 0);
}

static void an_empty_secret_is_filled(void **state) {
    struct world *w = *state;
    fake_object_set(&w->kube, SECRET, json_pack("{s:s}", "type", "Opaque"));
    start(w, 0, &in_secret);
    fake_loop_run(w->loop, SEC);
    assert_serves_secret(w, 0);
    assert_string_equal(json_string_value(json_object_get(fake_object(&w->kube, SECRET), "type")), "Opaque");
}

static void memory_serves_while_the_secret_cannot_be_read(void **state) {
    struct world *w = *state;
    w->kube.forbidden = true;
    start(w, 0, &in_secret);
    fake_loop_run(w->loop, SEC);
    assert_true(servingcert_ready(w->certs[0]));
    assert_non_null(strstr(servingcert_error(w->certs[0])->text, "secrets/cert: forbidden"));
    w->kube.forbidden = false;
    w->kube.refuse = 1;
    fake_loop_run(w->loop, 31 * SEC);
    assert_true(str_starts(servingcert_error(w->certs[0])->text, "Secret ns/cert: no"));
    fake_loop_run(w->loop, 60 * SEC);
    assert_serves_secret(w, 0);
    assert_bundle_is_secrets(w);
    assert_int_equal(servingcert_error(w->certs[0])->code, 0);
}

/* --- files and folders --- */

static char *file_in(const struct world *w, const char *name, const char *text) {
    char *path = xasprintf("%s/%s", w->dir, name);
    cleanup_free char *other = xasprintf("%s.new", path);
    if (text) {
        cleanup_file FILE *file = fopen(other, "we");
        assert_non_null(file);
        fputs(text, file);
    }
    assert_true(!text || rename(other, path) == 0);
    return path;
}

static void files_are_read_again(void **state) {
    struct world *w = *state;
    cleanup_owncert struct owncert first = {0}, second = {0};
    struct err err = {0};
    assert_int_equal(owncert_make(NULL, NULL, NULL, clock_wall(), &first, &err), 0);
    assert_int_equal(owncert_make(NULL, NULL, NULL, clock_wall() - 100 * DAY, &second, &err), 0);
    cleanup_free char *cert_file = file_in(w, "a.crt", first.serving.cert_pem);
    cleanup_free char *key_file = file_in(w, "a.key", first.serving.key_pem);
    start(w, 0, &(struct servingcert_options){.cert_file = cert_file, .key_file = key_file});
    assert_true(certificate_is_for(w->servers[0].cert, "localhost"));
    assert_int_equal(w->servers[0].sets, 1);
    fake_loop_run(w->loop, 60 * SEC);
    assert_int_equal(w->servers[0].sets, 1);
    free(file_in(w, "a.crt", second.serving.cert_pem)); /* the key comes later */
    fake_loop_run(w->loop, 11 * SEC);
    assert_int_equal(w->servers[0].sets, 1);
    assert_non_null(strstr(servingcert_error(w->certs[0])->text, "a.crt"));
    free(file_in(w, "a.key", second.serving.key_pem));
    fake_loop_run(w->loop, 11 * SEC);
    assert_int_equal(w->servers[0].sets, 2);
    assert_int_equal(servingcert_error(w->certs[0])->code, 0);
    assert_in_range(servingcert_not_after(w->certs[0]), clock_wall() + 264 * DAY, clock_wall() + 266 * DAY);
}

static void wrong_files_are_named(void **state) {
    struct world *w = *state;
    struct err err = {0};
    cleanup_free char *good = file_in(w, "a.crt", "no certificate");
    cleanup_free char *missing = file_in(w, "none.key", NULL);
    struct servingcert_options options = {.cert_file = good, .key_file = missing};
    assert_int_equal(start_with(w, 0, &options, &err), -EINVAL);
    assert_non_null(strstr(err.text, "none.key"));
    options.key_file = good;
    assert_int_equal(start_with(w, 0, &options, &err), -EINVAL);
    assert_non_null(strstr(err.text, "a.crt"));
    options.key_file = NULL;
    assert_int_equal(start_with(w, 0, &options, &err), -EINVAL);
}

static void a_folder_keeps_ours(void **state) {
    struct world *w = *state;
    cleanup_free char *dir = file_in(w, "certs", NULL);
    struct servingcert_options options = {.cert_dir = dir};
    struct stat st;
    start(w, 0, &options);
    cleanup_free char *key = file_in(w, "certs/tls.key", NULL);
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    start(w, 1, &options); /* another start */
    assert_string_equal(w->servers[0].cert, w->servers[1].cert);
    servingcert_free(steal_ptr(&w->certs[1]));
    free(file_in(w, "certs/tls.key", "broken"));
    assert_int_equal(chmod(key, 0644), 0);
    start(w, 1, &options);
    assert_string_not_equal(w->servers[0].cert, w->servers[1].cert);
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600); /* whoever made the file before */
    assert_int_equal(servingcert_error(w->certs[1])->code, 0);
}

/* All of its folders that are missing are made, and none of them is open to others. */
static void a_folder_in_folders_is_made(void **state) {
    struct world *w = *state;
    cleanup_free char *outer = file_in(w, "certs", NULL), *dir = file_in(w, "certs/of//ours/", NULL);
    cleanup_free char *key = file_in(w, "certs/of/ours/tls.key", NULL);
    struct stat st;
    start(w, 0, &(struct servingcert_options){.cert_dir = dir});
    assert_int_equal(servingcert_error(w->certs[0])->code, 0);
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(stat(outer, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_folder_that_cannot_be_made_is_told(void **state) {
    struct world *w = *state;
    free(file_in(w, "file", "x"));
    cleanup_free char *dir = file_in(w, "file/certs", NULL);
    start(w, 0, &(struct servingcert_options){.cert_dir = dir});
    assert_true(servingcert_ready(w->certs[0]));
    const char *text = servingcert_error(w->certs[0])->text;
    assert_non_null(strstr(text, "cannot make the folder"));
    assert_non_null(strstr(text, "file/certs"));
    assert_non_null(strstr(text, "Not a directory"));
}

static void a_folder_that_cannot_be_written_is_told(void **state) {
    struct world *w = *state;
    cleanup_free char *file = file_in(w, "file", "x");
    start(w, 0, &(struct servingcert_options){.cert_dir = file});
    assert_true(servingcert_ready(w->certs[0]));
    assert_non_null(strstr(servingcert_error(w->certs[0])->text, "file/tls.crt"));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(memory_serves_at_once),
        T(a_missing_secret_is_made),
        T(a_secret_that_is_seen_early_is_used),
        T(two_replicas_end_with_one),
        T(what_is_there_is_used),
        T(it_is_renewed_after_two_thirds),
        T(one_that_has_ended_is_not_used),
        T(one_for_another_service_is_made_anew),
        T(a_deleted_secret_comes_back),
        T(an_exchanged_one_serves_at_once),
        T(somebody_elses_is_used_but_not_written),
        T(an_empty_secret_is_filled),
        T(memory_serves_while_the_secret_cannot_be_read),
        T(files_are_read_again),
        T(wrong_files_are_named),
        T(a_folder_keeps_ours),
        T(a_folder_in_folders_is_made),
        T(a_folder_that_cannot_be_made_is_told),
        T(a_folder_that_cannot_be_written_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
