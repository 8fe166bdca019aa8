/* What keeps a metric from those who ask for it: requests go through an APIService, and need a right.
 *
 * Each place of a metric gets one of three verdicts: no member, all is well; "obstacle", requests fail, which
 * is the answer to the question and exit code 1; "unknown", who asks may not know. The right is looked for
 * only where the APIService is there and available: without it the right changes nothing. */
#include "base/mem.h"
#include "base/str.h"
#include "operator/rules_ask.h"

#include <errno.h>
#include <string.h>

static const char reviews_path[] = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
/* Who asks on behalf of HorizontalPodAutoscalers. */
static const char hpa_user[] = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";

static const char *text_of(const json_t *object, const char *key) {
    return str_or_empty(json_string_value(json_object_get(object, key)));
}

static const char *group_of(const json_t *place) {
    bool external = str_eq(text_of(place, "resource"), "external");

    return external ? "external.metrics.k8s.io" : "custom.metrics.k8s.io";
}

/* The parsed answer, a new reference, and done with it; NULL where there is none. */
static json_t *take(struct answer *answer) {
    json_t *value = answer->err.code ? NULL : json_loadb(answer->body.data, answer->body.len, 0, NULL);

    answer_done(answer);
    return value;
}

static void set_unknown(json_t *place, const char *what, const struct answer *answer) {
    json_object_set_new(place, "unknown", json_sprintf("%s: %s", what, err_text(&answer->err)));
}

/* ---- the APIService ---- */

/* Its condition Available, where it is not True. kube-apiserver sets it, and has a sentence for it (no
 * endpoints, a certificate that is not trusted). One without the condition is so new that nobody has looked
 * yet. */
static const json_t *outage_of(const json_t *service) {
    const json_t *conditions = json_object_get(json_object_get(service, "status"), "conditions"), *c;
    size_t i;

    json_array_foreach(conditions, i, c) {
        if (str_eq(text_of(c, "type"), "Available") && !str_eq(text_of(c, "status"), "True"))
            return c;
    }
    return NULL;
}

/* Whether requests get through, as far as is known. v1beta1 is registered wherever a group is at all. */
static bool check_service(struct asker *asker, json_t *place) {
    const char *group = group_of(place);
    cleanup_free char *path = xasprintf("/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.%s", group);
    struct answer answer;

    asker_cluster(asker, path, &answer);
    if (answer.err.code == -ENOENT)
        json_object_set_new(place, "obstacle",
                            json_sprintf("there is no APIService v1beta1.%s: no request gets here", group));
    else if (answer.err.code)
        set_unknown(place, "the APIService cannot be read", &answer);
    bool there = answer.err.code == 0;
    json_t *service = take(&answer);
    const json_t *outage = outage_of(service);
    if (outage)
        json_object_set_new(place, "obstacle",
                            json_sprintf("the APIService v1beta1.%s is not available: %s", group,
                                         text_of(outage, "message")));
    bool available = there && !outage;
    json_decref(service);
    return available;
}

/* ---- the right ---- */

/* A review knows of no groups but those that it names, while a token of the ServiceAccount carries these
 * three: without them a right that was given to one of them would be told to be missing.
 *
 * As the apiserver reads the paths: …/pods/NAME/METRIC is a subresource of pods, …/metrics/METRIC and an
 * external metric are objects of their own. */
static json_t *new_review(const json_t *place) {
    const char *resource = text_of(place, "resource"), *metric = text_of(place, "metric");
    bool external = str_eq(resource, "external"), about_namespace = str_eq(resource, "namespaces");
    bool object = !external && !about_namespace;

    return json_pack("{s:s, s:s, s:{s:s, s:[s, s, s], s:{s:s, s:s, s:s, s:s, s:s}}}", "apiVersion",
                     "authorization.k8s.io/v1", "kind", "SubjectAccessReview", "spec", "user", hpa_user,
                     "groups", "system:serviceaccounts", "system:serviceaccounts:kube-system",
                     "system:authenticated", "resourceAttributes", "group", group_of(place), "verb",
                     external ? "list" : "get", "resource",
                     external          ? metric
                     : about_namespace ? "metrics"
                                       : resource,
                     "subresource", object ? metric : "", "name", about_namespace ? metric : "");
}

/* In all namespaces, as the RBAC of prometheus-adapter's chart gives it; a controller that may read in
 * some only is told to be kept out, since nothing here says which are meant. */
static void check_right(struct asker *asker, json_t *place) {
    json_t *review = new_review(place);
    struct answer answer;

    asker_create(asker, reviews_path, review, &answer);
    if (answer.err.code)
        set_unknown(place, "the rights of the HPA controller cannot be asked for", &answer);
    json_t *value = take(&answer);
    const json_t *status = json_object_get(value, "status");
    if (status && !json_is_true(json_object_get(status, "allowed")))
        json_object_set_new(place, "obstacle",
                            json_sprintf("%s may not read it in all namespaces", hpa_user));
    json_decref(value);
    json_decref(review);
}

void rules_ask_access(struct asker *asker, json_t *metric) {
    json_t *place;
    size_t i;

    json_array_foreach(json_object_get(metric, "places"), i, place) {
        if (check_service(asker, place))
            check_right(asker, place);
    }
}
