/* APIServices that are missing, ours with another caBundle, and somebody else's. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/base64.h"
#include "net/tests/fake_loop.h"
#include "operator/apiservices.h"
#include "operator/tests/fake_objects.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the ones above first */
#include <cmocka.h>

#define SEC USEC_PER_SEC
#define BASE "/apis/apiregistration.k8s.io/v1/apiservices/"
#define CUSTOM "v1beta1.custom.metrics.k8s.io"
#define CUSTOM2 "v1beta2.custom.metrics.k8s.io"
#define RESOURCE "v1beta1.metrics.k8s.io"

struct world {
    struct loop *loop;
    struct kube kube;
    struct apiservices *services;
};

static int setup(void **state) {
    static const char *const groups[] = {CUSTOM, CUSTOM2, NULL};
    struct world *w = XNEW(struct world);
    w->loop = fake_loop_new();
    fake_objects_init(&w->kube, w->loop);
    w->services =
        apiservices_new(w->loop, &w->kube,
                        &(struct apiservices_options){
                            .service_ns = "trimtab-system", .service = "trimtab", .managed = groups});
    *state = w;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;
    apiservices_free(w->services);
    fake_objects_done(&w->kube);
    fake_loop_free(w->loop);
    free(w);
    return 0;
}

/* Of those that are to be ours, what is wrong with the first. */
static void keep_error(void *arg, const struct apiservice_state *state) {
    const struct err **first = arg;
    if (state->expected && state->err->code && !*first)
        *first = state->err;
}

static const struct err *error_of(const struct world *w) {
    static const struct err none;
    const struct err *first = NULL;
    apiservices_each(w->services, keep_error, &first);
    return first ? first : &none;
}

static json_t *spec_of(struct world *w, const char *name) {
    cleanup_free char *path = xasprintf(BASE "%s", name);
    return json_object_get(fake_object(&w->kube, path), "spec");
}

static void assert_bundle(struct world *w, const char *name, const char *pem) {
    const char *encoded = json_string_value(json_object_get(spec_of(w, name), "caBundle"));
    cleanup_free char *text = NULL;
    assert_non_null(encoded);
    assert_int_equal(base64_decode(encoded, &text, NULL, NULL), 0);
    assert_string_equal(text, pem);
}

static void put_as(struct world *w, const char *path, const char *ns, const char *service,
                   const char *bundle) {
    fake_object_set(&w->kube, path,
                    json_pack("{s:{s:{s:s, s:s}, s:s}}", "spec", "service", "namespace", ns, "name", service,
                              "caBundle", bundle));
}

static void put(struct world *w, const char *ns, const char *service, const char *bundle) {
    put_as(w, BASE CUSTOM, ns, service, bundle);
}

static void missing_ones_are_created(void **state) {
    struct world *w = *state;
    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->kube.started, 0); /* not before there is a certificate to trust */
    apiservices_set_ca(w->services, "the CA");
    fake_loop_run(w->loop, SEC);
    assert_int_equal(w->kube.writes, 2);
    assert_int_equal(error_of(w)->code, 0);
    cleanup_free char *text = json_dumps(spec_of(w, CUSTOM), JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, "{\"caBundle\":\"dGhlIENB\",\"group\":\"custom.metrics.k8s.io\","
                              "\"groupPriorityMinimum\":100,\"insecureSkipTLSVerify\":false,\"service\":{"
                              "\"name\":\"trimtab\",\"namespace\":\"trimtab-system\",\"port\":443},"
                              "\"version\":\"v1beta1\",\"versionPriority\":100}");
    assert_int_equal(json_integer_value(json_object_get(spec_of(w, CUSTOM2), "versionPriority")), 200);
    fake_loop_run(w->loop, 300 * SEC);
    assert_int_equal(w->kube.started, 2); /* once they are right, nothing is written */
}

static void our_bundle_is_kept_right(void **state) {
    struct world *w = *state;
    put(w, "trimtab-system", "trimtab", "b2xk");
    apiservices_set_ca(w->services, "the CA");
    fake_loop_run(w->loop, SEC);
    assert_bundle(w, CUSTOM, "the CA");
    apiservices_set_ca(w->services, "another CA");
    fake_loop_run(w->loop, SEC);
    assert_bundle(w, CUSTOM, "another CA");
    assert_bundle(w, CUSTOM2, "another CA");
    put(w, "trimtab-system", "trimtab", "b2xk"); /* somebody meddles */
    fake_loop_run(w->loop, SEC);
    assert_bundle(w, CUSTOM, "another CA");
    fake_object_set(&w->kube, BASE CUSTOM, NULL); /* or deletes it */
    fake_loop_run(w->loop, SEC);
    assert_bundle(w, CUSTOM, "another CA");
}

static void one_write_at_a_time(void **state) {
    struct world *w = *state;
    fake_loop_run(w->loop, SEC);
    apiservices_set_ca(w->services, "the CA");
    fake_loop_run(w->loop, USEC_PER_MSEC); /* while that is being written */
    apiservices_set_ca(w->services, "another CA");
    assert_int_equal(w->kube.calls, 2);
    fake_loop_run(w->loop, SEC);
    assert_bundle(w, CUSTOM, "another CA");
    assert_bundle(w, CUSTOM2, "another CA");
    assert_int_equal(w->kube.started, 4);
}

/* What was written is seen first; the answer that follows must not be taken for the new bundle's. */
static void what_is_wanted_meanwhile_is_written_too(void **state) {
    struct world *w = *state;
    w->kube.slow = true;
    fake_loop_run(w->loop, SEC);
    apiservices_set_ca(w->services, "the CA");
    fake_loop_run(w->loop, USEC_PER_MSEC);
    apiservices_set_ca(w->services, "another CA");
    fake_loop_run(w->loop, SEC);
    assert_bundle(w, CUSTOM, "another CA");
    assert_bundle(w, CUSTOM2, "another CA");
    apiservices_set_ca(w->services, "a third CA");
    fake_loop_run(w->loop, USEC_PER_MSEC * 4);
    fake_object_set(&w->kube, BASE CUSTOM, NULL); /* deleted before the answer is there */
    fake_loop_run(w->loop, SEC);
    assert_non_null(spec_of(w, CUSTOM));
    assert_bundle(w, CUSTOM, "a third CA");
}

static void those_of_others_are_left_alone(void **state) {
    struct world *w = *state;
    put(w, "monitoring", "prometheus-adapter", "b2xk");
    apiservices_set_ca(w->services, "the CA");
    fake_loop_run(w->loop, SEC);
    assert_bundle(w, CUSTOM, "old");
    assert_bundle(w, CUSTOM2, "the CA");
    assert_string_equal(error_of(w)->text,
                        "APIService v1beta1.custom.metrics.k8s.io points at monitoring/prometheus-adapter");
    fake_object_set(&w->kube, BASE CUSTOM, json_pack("{s:{s:n}}", "spec", "service"));
    fake_loop_run(w->loop, SEC);
    assert_non_null(strstr(error_of(w)->text, "served by the apiserver itself"));
    put(w, "trimtab-system", "trimtab", "b2xk"); /* handed over */
    fake_loop_run(w->loop, SEC);
    assert_bundle(w, CUSTOM, "the CA");
    assert_int_equal(error_of(w)->code, 0);
}

static void an_administrators_bundle_stays(void **state) {
    struct world *w = *state;
    put(w, "trimtab-system", "trimtab", "b2xk");
    apiservices_set_ca(w->services, NULL);
    fake_loop_run(w->loop, SEC);
    assert_bundle(w, CUSTOM, "old");
    assert_non_null(spec_of(w, CUSTOM2));
    assert_null(json_object_get(spec_of(w, CUSTOM2), "caBundle"));
    assert_non_null(strstr(error_of(w)->text, CUSTOM2 " has no caBundle"));
}

static void failures_are_told_and_tried_again(void **state) {
    struct world *w = *state;
    w->kube.refuse = 3;
    apiservices_set_ca(w->services, "the CA");
    fake_loop_run(w->loop, SEC);
    assert_true(str_starts(error_of(w)->text, "APIService v1beta1.custom.metrics.k8s.io: no"));
    fake_loop_run(w->loop, 60 * SEC);
    assert_int_equal(error_of(w)->code, 0);
    assert_bundle(w, CUSTOM, "the CA");
    assert_bundle(w, CUSTOM2, "the CA");
}

/* A write that fails when the APIService is no longer ours: whose it is counts, and nothing is tried again.
 */
static void a_failure_hides_no_owner(void **state) {
    struct world *w = *state;
    fake_loop_run(w->loop, SEC);
    w->kube.refuse = 2;
    put(w, "monitoring", "prometheus-adapter", "b2xk");
    fake_loop_run(w->loop, USEC_PER_MSEC);
    apiservices_set_ca(w->services, "the CA"); /* answered after that has been seen */
    fake_loop_run(w->loop, SEC);
    assert_string_equal(error_of(w)->text,
                        "APIService v1beta1.custom.metrics.k8s.io points at monitoring/prometheus-adapter");
}

/* What is wrong stays told while it is tried again, until that succeeds. */
static void a_failure_stays_told(void **state) {
    struct world *w = *state;
    w->kube.refuse = 10;
    apiservices_set_ca(w->services, "the CA");
    fake_loop_run(w->loop, SEC);
    while (w->kube.refuse > 0) {
        assert_int_not_equal(error_of(w)->code, 0);
        fake_loop_run(w->loop, USEC_PER_MSEC);
    }
    fake_loop_run(w->loop, 60 * SEC);
    assert_int_equal(error_of(w)->code, 0);
}

static void count(void *arg, const struct apiservice_state *state) {
    int *counts = arg;
    counts[0]++;
    counts[1] += str_eq(state->name, CUSTOM);
}

/* A name given twice is one APIService, which has one writer and one sample in the metrics. */
static void each_is_there_once(void **state) {
    static const char *const twice[] = {CUSTOM, RESOURCE, CUSTOM, NULL};
    struct world *w = *state;
    apiservices_free(w->services);
    w->services =
        apiservices_new(w->loop, &w->kube,
                        &(struct apiservices_options){
                            .service_ns = "trimtab-system", .service = "trimtab", .managed = twice});
    apiservices_set_ca(w->services, "the CA");
    fake_loop_run(w->loop, SEC);
    int counts[2] = {0};
    apiservices_each(w->services, count, counts);
    assert_int_equal(counts[0], 4);
    assert_int_equal(counts[1], 1);
    assert_int_equal(w->kube.started, 2);
}

static void what_cannot_be_read_is_told(void **state) {
    struct world *w = *state;
    w->kube.forbidden = true;
    apiservices_set_ca(w->services, "the CA");
    fake_loop_run(w->loop, SEC);
    assert_non_null(strstr(error_of(w)->text, "forbidden"));
    assert_int_equal(w->kube.started, 0);
    w->kube.forbidden = false;
    fake_loop_run(w->loop, 60 * SEC);
    assert_int_equal(error_of(w)->code, 0);
    assert_bundle(w, CUSTOM, "the CA");
}

/* ---- those that are not managed ---- */

static int setup_unmanaged(void **state) {
    static const char *const expected[] = {CUSTOM, CUSTOM2, NULL};
    setup(state);
    struct world *w = *state;
    apiservices_free(w->services);
    w->services =
        apiservices_new(w->loop, &w->kube,
                        &(struct apiservices_options){
                            .service_ns = "trimtab-system", .service = "trimtab", .expected = expected});
    return 0;
}

struct owner {
    const char *name;
    struct apiservice_state state;
};

static void find_owner(void *arg, const struct apiservice_state *state) {
    struct owner *found = arg;
    if (str_eq(state->name, found->name))
        found->state = *state;
}

static enum apiservice_owner owner_of(const struct world *w, const char *name) {
    struct owner found = {.name = name};
    apiservices_each(w->services, find_owner, &found);
    return found.state.owner;
}

static void another_operators_are_said(void **state) {
    struct world *w = *state;
    apiservices_set_ca(w->services, "the CA");
    assert_int_equal(owner_of(w, CUSTOM), APISERVICE_UNKNOWN);
    put(w, "other-system", "other", "b2xk");
    put_as(w, BASE RESOURCE, "kube-system", "metrics-server", "b2xk");
    fake_loop_run(w->loop, SEC);
    assert_int_equal(owner_of(w, CUSTOM), APISERVICE_OTHER);
    assert_int_equal(owner_of(w, CUSTOM2), APISERVICE_NOBODY);
    assert_string_equal(error_of(w)->text,
                        "APIService v1beta1.custom.metrics.k8s.io points at other-system/other");
    put(w, "third-system", "third", "b2xk");
    fake_loop_run(w->loop, SEC);
    assert_non_null(strstr(error_of(w)->text, "third-system/third"));
    put(w, "trimtab-system", "trimtab", "b2xk");
    fake_loop_run(w->loop, SEC);
    assert_int_equal(owner_of(w, CUSTOM), APISERVICE_US);
    assert_int_equal(owner_of(w, RESOURCE), APISERVICE_OTHER); /* known, and no fault */
    assert_int_equal(error_of(w)->code, 0);
    fake_object_set(&w->kube, BASE CUSTOM, NULL);
    fake_loop_run(w->loop, SEC);
    assert_int_equal(owner_of(w, CUSTOM), APISERVICE_NOBODY);
    assert_int_equal(w->kube.started, 0); /* nothing is ever written */
}

static void a_missing_right_is_said(void **state) {
    struct world *w = *state;
    w->kube.forbidden = true;
    fake_loop_run(w->loop, SEC);
    assert_non_null(strstr(error_of(w)->text, CUSTOM ": forbidden"));
    assert_int_equal(owner_of(w, CUSTOM), APISERVICE_UNKNOWN);
}

int main(void) {
#define U(f) cmocka_unit_test_setup_teardown(f, setup_unmanaged, teardown)
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(missing_ones_are_created),
        T(our_bundle_is_kept_right),
        T(one_write_at_a_time),
        T(what_is_wanted_meanwhile_is_written_too),
        T(those_of_others_are_left_alone),
        T(an_administrators_bundle_stays),
        T(failures_are_told_and_tried_again),
        T(a_failure_hides_no_owner),
        T(a_failure_stays_told),
        T(each_is_there_once),
        T(what_cannot_be_read_is_told),
        U(another_operators_are_said),
        U(a_missing_right_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
