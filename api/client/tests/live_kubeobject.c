/* One object followed at a real apiserver, found by KUBECONFIG (an administrator's): by the administrator,
 * and by service accounts whose roles name that object alone. Works in a namespace of its own,
 * live-kubeobject. */
#include "api/client/kubeobject.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include "net/http_curl.h"
#include <errno.h>
#include <stdio.h>

#define PAUSE (USEC_PER_MSEC * 50)
#define PATIENCE (15 * USEC_PER_SEC)
#define NS "/api/v1/namespaces/live-kubeobject"
#define RBAC "/apis/rbac.authorization.k8s.io/v1/namespaces/live-kubeobject"

struct live {
    struct loop *loop;
    struct http *http;
    struct kubeconfig *config;
    struct kube *kube;
};

struct answer {
    bool done;
    int status;
    char token[4096];
};

static void on_done(void *arg, const struct kube_reply *reply) {
    struct answer *a = arg;
    const json_t *token = json_object_get(json_object_get(reply->body, "status"), "token");

    a->done = true;
    a->status = reply->status;
    snprintf(a->token, sizeof(a->token), "%s", str_or_empty(json_string_value(token)));
    if (reply->err.code)
        print_message("        %d %s\n", reply->status, reply->err.text);
}

static struct answer ask(struct live *l, enum kube_verb verb, const char *path, const char *body) {
    struct answer a = {0};
    json_t *json = body ? json_loads(body, 0, NULL) : NULL;
    usec_t end = clock_mono() + PATIENCE;

    kube_start(l->kube, &(struct kube_request){
                            .verb = verb, .path = path, .body = json, .on_done = on_done, .arg = &a});
    json_decref(json);
    while (!a.done && clock_mono() < end)
        loop_turn(l->loop, PAUSE);
    assert_true(a.done);
    return a;
}

static void apply(struct live *l, const char *path, const char *body) {
    int status = ask(l, KUBE_APPLY, path, body).status;

    assert_true(status == 200 || status == 201);
}

/* What the owner has been told. */
struct told {
    int count;
    char value[32]; /* data.k, or "none" */
};

static void on_object(void *arg, const json_t *object) {
    struct told *t = arg;
    const json_t *value = json_object_get(json_object_get(object, "data"), "k");

    t->count++;
    snprintf(t->value, sizeof(t->value), "%s", object ? json_string_value(value) : "none");
}

static void wait_for(struct live *l, const struct told *t, const char *value) {
    usec_t end = clock_mono() + PATIENCE;

    while (!str_eq(t->value, value) && clock_mono() < end)
        loop_turn(l->loop, PAUSE);
    assert_string_equal(t->value, value);
}

static void put(struct live *l, const char *value) {
    char body[128];

    snprintf(body, sizeof(body),
             "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"one\"},\"data\":{\"k\":"
             "\"%s\"}}",
             value);
    apply(l, NS "/configmaps/one", body);
}

static struct kubeobject *follow(struct live *l, struct kube *kube, struct told *t) {
    return kubeobject_follow(l->loop, kube, NS "/configmaps", "one", on_object, t);
}

static void test_comes_changes_goes(void **state) {
    struct live *l = *state;
    struct told t = {0};
    struct kubeobject *object = follow(l, l->kube, &t);

    wait_for(l, &t, "none");
    put(l, "1");
    wait_for(l, &t, "1");
    put(l, "2");
    wait_for(l, &t, "2");
    assert_int_equal(t.count, 3);
    /* somebody else's change is none of ours */
    apply(l, NS "/configmaps/two",
          "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"two\"}}");
    assert_int_equal(ask(l, KUBE_DELETE, NS "/configmaps/one", NULL).status, 200);
    wait_for(l, &t, "none");
    put(l, "3");
    wait_for(l, &t, "3");
    assert_int_equal(t.count, 5);
    assert_int_equal(kubeobject_error(object)->code, 0);
    kubeobject_free(object);
}

/* A client with the token of a service account who may do what verbs says to the ConfigMap "one". */
static struct kube *client_of(struct live *l, const char *name, const char *verbs, struct kubeconfig *config,
                              struct answer *token) {
    cleanup_free char *account = xasprintf(NS "/serviceaccounts/%s", name);
    cleanup_free char *role = xasprintf(RBAC "/roles/%s", name);
    cleanup_free char *binding = xasprintf(RBAC "/rolebindings/%s", name);
    cleanup_free char *tokens = xasprintf("%s/token", account);
    cleanup_free char *account_body =
        xasprintf("{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"%s\"}}", name);
    cleanup_free char *role_body = xasprintf(
        "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"Role\",\"metadata\":{\"name\":\"%s\"},"
        "\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"configmaps\"],\"resourceNames\":[\"one\"],"
        "\"verbs\":[%s]}]}",
        name, verbs);
    cleanup_free char *binding_body =
        xasprintf("{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"RoleBinding\",\"metadata\":{"
                  "\"name\":\"%s\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":"
                  "\"Role\",\"name\":\"%s\"},\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":\"%s\","
                  "\"namespace\":\"live-kubeobject\"}]}",
                  name, name, name);
    struct kube *kube;

    apply(l, account, account_body);
    apply(l, role, role_body);
    apply(l, binding, binding_body);
    *token = ask(l, KUBE_CREATE, tokens,
                 "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\",\"spec\":{}}");
    assert_int_equal(token->status, 201);
    *config = *l->config;
    config->cert_pem = config->key_pem = config->cert_file = config->key_file = NULL;
    config->token = token->token;
    assert_int_equal(kube_new(l->loop, l->http, config, &kube, NULL), 0);
    return kube;
}

static void test_rights_to_one_object(void **state) {
    struct live *l = *state;
    struct kubeconfig config;
    struct answer token;
    struct told t = {0};
    struct kube *kube = client_of(l, "both", "\"get\",\"watch\"", &config, &token);
    struct kubeobject *object = follow(l, kube, &t);

    put(l, "4");
    wait_for(l, &t, "4");
    put(l, "5");
    wait_for(l, &t, "5");
    assert_int_equal(kube_stats(kube)->by_verb[KUBE_GET], 1);
    kubeobject_free(object);
    kube_free(kube);
}

static void test_no_right_to_watch(void **state) {
    struct live *l = *state;
    struct kubeconfig config;
    struct answer token;
    struct told t = {0};
    struct kube *kube = client_of(l, "getter", "\"get\"", &config, &token);
    struct kubeobject *object = follow(l, kube, &t);

    wait_for(l, &t, "5");
    assert_int_equal(kubeobject_error(object)->code, 0);
    kubeobject_free(object);
    kube_free(kube);
}

static void test_no_rights(void **state) {
    struct live *l = *state;
    struct kubeconfig config;
    struct answer token;
    struct told t = {0};
    struct kube *kube = client_of(l, "nobody", "\"delete\"", &config, &token);
    struct kubeobject *object = follow(l, kube, &t);
    usec_t end = clock_mono() + PATIENCE;

    while (!kubeobject_error(object)->code && clock_mono() < end)
        loop_turn(l->loop, PAUSE);
    assert_int_equal(kubeobject_error(object)->code, -EACCES);
    assert_int_equal(t.count, 0);
    print_message("        %s\n", kubeobject_error(object)->text);
    kubeobject_free(object);
    kube_free(kube);
}

static int begin(void **state) {
    struct live *l = XNEW(struct live);
    struct err err = {0};

    if (kubeconfig_find(NULL, NULL, &l->config, &err) < 0)
        fail_msg("%s", err_text(&err));
    assert_int_equal(loop_new(&l->loop, NULL), 0);
    assert_int_equal(http_curl_new(l->loop, 0, &l->http, NULL), 0);
    assert_int_equal(kube_new(l->loop, l->http, l->config, &l->kube, NULL), 0);
    apply(l, NS,
          "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"live-kubeobject\"}}");
    ask(l, KUBE_DELETE, NS "/configmaps/one", NULL); /* of a run before */
    *state = l;
    return 0;
}

static int end(void **state) {
    struct live *l = *state;

    kube_free(l->kube);
    http_curl_free(l->http);
    loop_free(l->loop);
    kubeconfig_free(l->config);
    free(l);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_changes_goes),
        cmocka_unit_test(test_rights_to_one_object),
        cmocka_unit_test(test_no_right_to_watch),
        cmocka_unit_test(test_no_rights),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
