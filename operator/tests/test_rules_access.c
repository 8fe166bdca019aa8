/* What keeps a metric from those who ask: the questions to the cluster, and what its answers come to. */
#include "base/str.h"
#include "operator/rules_ask.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- a cluster ---- */

static struct {
    bool missing; /* the APIService */
    bool allowed;
    char path[256]; /* of the APIService that was asked for */
    json_t *review; /* the last one */
} cluster;

void answer_done(struct answer *answer) {
    buf_done(&answer->body);
}

static void begin(struct answer *answer) {
    *answer = (struct answer){0};
    buf_init(&answer->body, 4096);
}

void asker_cluster(struct asker *asker, const char *path, struct answer *ret_answer) {
    (void)asker;
    begin(ret_answer);
    snprintf(cluster.path, sizeof(cluster.path), "%s", path);
    if (cluster.missing)
        err_set(&ret_answer->err, -ENOENT, "not found");
    else
        buf_puts(&ret_answer->body, "{}");
}

void asker_create(struct asker *asker, const char *path, const json_t *body, struct answer *ret_answer) {
    (void)asker;
    assert_string_equal(path, "/apis/authorization.k8s.io/v1/subjectaccessreviews");
    begin(ret_answer);
    json_decref(cluster.review);
    cluster.review = json_deep_copy(body);
    buf_printf(&ret_answer->body, "{\"status\":{\"allowed\":%s}}", cluster.allowed ? "true" : "false");
}

/* ---- one place ---- */

/* The place of a metric after it was asked for; a new reference. */
static json_t *ask(const char *resource) {
    json_t *place = json_pack("{s:s, s:s}", "resource", resource, "metric", "m");
    json_t *metric = json_pack("{s:[O]}", "places", place);

    rules_ask_access(NULL, metric);
    json_decref(metric);
    return place;
}

static const char *attribute(const char *key) {
    const json_t *spec = json_object_get(cluster.review, "spec");

    return json_string_value(json_object_get(json_object_get(spec, "resourceAttributes"), key));
}

static void asks_as_the_apiserver_reads_the_path(void **state) {
    static const struct {
        const char *resource, *group, *verb, *asked, *subresource, *name;
    } cases[] = {
        {"pods", "custom.metrics.k8s.io", "get", "pods", "m", ""},
        {"deployments.apps", "custom.metrics.k8s.io", "get", "deployments.apps", "m", ""},
        {"namespaces", "custom.metrics.k8s.io", "get", "metrics", "", "m"},
        {"external", "external.metrics.k8s.io", "list", "m", "", ""},
    };

    (void)state;
    cluster.missing = false;
    cluster.allowed = true;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *place = ask(cases[i].resource);
        assert_null(json_object_get(place, "obstacle"));
        assert_string_equal(attribute("group"), cases[i].group);
        assert_string_equal(attribute("verb"), cases[i].verb);
        assert_string_equal(attribute("resource"), cases[i].asked);
        assert_string_equal(attribute("subresource"), cases[i].subresource);
        assert_string_equal(attribute("name"), cases[i].name);
        json_decref(place);
    }
}

/* A right may have been given to a group, and a review counts only those that it names. */
static void asks_for_the_groups_too(void **state) {
    static const char *const want[] = {"system:serviceaccounts", "system:serviceaccounts:kube-system",
                                       "system:authenticated"};
    const json_t *groups;

    (void)state;
    cluster.missing = false;
    json_decref(ask("pods"));
    groups = json_object_get(json_object_get(cluster.review, "spec"), "groups");
    assert_int_equal(json_array_size(groups), 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(json_string_value(json_array_get(groups, i)), want[i]);
}

static void tells_the_obstacle(void **state) {
    json_t *place;

    (void)state;
    cluster.missing = false;
    cluster.allowed = false;
    place = ask("pods");
    assert_string_equal(json_string_value(json_object_get(place, "obstacle")),
                        "system:serviceaccount:kube-system:horizontal-pod-autoscaler may not read it in all "
                        "namespaces");
    json_decref(place);
    cluster.missing = true;
    place = ask("external");
    assert_string_equal(json_string_value(json_object_get(place, "obstacle")),
                        "there is no APIService v1beta1.external.metrics.k8s.io: no request gets here");
    assert_true(
        str_eq(cluster.path, "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.external.metrics.k8s.io"));
    json_decref(place);
}

static int forget_review(void **state) {
    (void)state;
    json_decref(cluster.review);
    cluster.review = NULL;
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_as_the_apiserver_reads_the_path),
        cmocka_unit_test(asks_for_the_groups_too),
        cmocka_unit_test(tells_the_obstacle),
    };

    return cmocka_run_group_tests(tests, NULL, forget_review);
}
