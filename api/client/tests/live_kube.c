/* Every kind of request against a real apiserver, found by KUBECONFIG: once with the client certificate given
 * there, which must be an administrator's, once with a service account's token from a file. Works in a
 * namespace of its own, live-kube. */
#include "api/client/discovery.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/http_curl.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the ones above first */
#include <cmocka.h>

#define PAUSE (USEC_PER_MSEC * 50)
#define PATIENCE (15 * USEC_PER_SEC)

struct live {
    struct loop *loop;
    struct http *http;
    struct kubeconfig *config;
    struct kube *kube;
    struct discovery *discovery;
};

/* What came back for one request. */
struct answer {
    bool done;
    int status, code;
    char reason[64];
    json_t *body;
};

static void on_done(void *arg, const struct kube_reply *reply) {
    struct answer *a = arg;

    a->done = true;
    a->status = reply->status;
    a->code = reply->err.code;
    snprintf(a->reason, sizeof(a->reason), "%s", reply->reason);
    if (reply->err.code)
        print_message("        %d %s\n", reply->status, reply->err.text);
    a->body = reply->body ? json_deep_copy(reply->body) : NULL;
}

static void wait_for(struct live *l, const bool *flag) {
    usec_t end = clock_mono() + PATIENCE;

    while (!*flag && clock_mono() < end)
        loop_turn(l->loop, PAUSE);
    assert_true(*flag);
}

static struct answer ask(struct live *l, enum kube_verb verb, const char *path, const char *body) {
    struct answer a = {0};
    json_t *json = body ? json_loads(body, 0, NULL) : NULL;
    const struct kube_request request = {
        .verb = verb, .path = path, .body = json, .on_done = on_done, .arg = &a};

    kube_start(l->kube, &request);
    json_decref(json);
    wait_for(l, &a.done);
    return a;
}

/* Status of a request whose body does not matter. */
static int status_of(struct live *l, enum kube_verb verb, const char *path, const char *body) {
    struct answer a = ask(l, verb, path, body);

    json_decref(a.body);
    return a.status;
}

static const struct resource *find(struct live *l, const char *api_version, const char *kind, int *ret_code) {
    const struct resource *resource = NULL;
    struct err err = {0};
    usec_t end = clock_mono() + PATIENCE;

    *ret_code = -EAGAIN;
    while (*ret_code == -EAGAIN && clock_mono() < end) {
        *ret_code = discovery_find(l->discovery, api_version, kind, &resource, &err);
        if (*ret_code == -EAGAIN)
            loop_turn(l->loop, PAUSE);
    }
    return resource;
}

#define NS "/api/v1/namespaces/live-kube"
#define DEPLOYMENTS "/apis/apps/v1/namespaces/live-kube/deployments"

static void test_discovery(void **state) {
    struct live *l = *state;
    int code;
    const struct resource *r = find(l, "apps/v1", "Deployment", &code);

    assert_true(code == 0 && r && str_eq(r->plural, "deployments") && r->namespaced && r->has_scale);
    r = find(l, "v1", "Pod", &code);
    assert_true(code == 0 && r && str_eq(r->plural, "pods") && !r->has_scale);
    r = find(l, "autoscaling/v1beta9", "HorizontalPodAutoscaler", &code);
    assert_true(code == 0 && r && str_eq(r->version, "v2"));
    r = find(l, "v1", "Node", &code);
    assert_true(code == 0 && r && !r->namespaced);
    find(l, "nowhere.example/v1", "Thing", &code);
    assert_true(code == -ENOENT);
    assert_int_equal(kube_stats(l->kube)->by_verb[KUBE_GET], 2);
}

static void test_writes(void **state) {
    struct live *l = *state;
    static const char deployment[] =
        "{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"replicas\":1,"
        "\"selector\":{\"matchLabels\":{\"app\":\"a\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":"
        "\"a\"}},"
        "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}";
    struct answer a = ask(l, KUBE_CREATE, DEPLOYMENTS, deployment);

    assert_true(a.status == 201);
    json_decref(a.body);
    a = ask(l, KUBE_CREATE, DEPLOYMENTS, deployment);
    assert_true(a.code == -EEXIST && str_eq(a.reason, "AlreadyExists"));
    json_decref(a.body);
    a = ask(l, KUBE_MERGE_PATCH, DEPLOYMENTS "/a/scale", "{\"spec\":{\"replicas\":3}}");
    assert_true(a.status == 200 &&
                json_integer_value(json_object_get(json_object_get(a.body, "spec"), "replicas")) == 3);
    json_decref(a.body);
    a = ask(l, KUBE_MERGE_PATCH, DEPLOYMENTS "/a/scale",
            "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":4}}");
    assert_true(a.code == -ESTALE && str_eq(a.reason, "Conflict"));
    json_decref(a.body);
    a = ask(l, KUBE_MERGE_PATCH, DEPLOYMENTS "/a", "{\"spec\":{\"replicas\":-1}}");
    assert_true(a.code == -EINVAL && str_eq(a.reason, "Invalid"));
    json_decref(a.body);
}

static void test_apply(void **state) {
    struct live *l = *state;
    struct answer a = ask(l, KUBE_APPLY, NS "/configmaps/m",
                          "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"m\"},"
                          "\"data\":{\"k\":\"1\"}}");

    assert_true(a.status == 201 || a.status == 200);
    const json_t *managed =
        json_array_get(json_object_get(json_object_get(a.body, "metadata"), "managedFields"), 0);
    assert_true(str_eq(json_string_value(json_object_get(managed, "manager")), "trimtab") &&
                str_eq(json_string_value(json_object_get(managed, "operation")), "Apply"));
    json_decref(a.body);
}

static void test_pages(void **state) {
    struct live *l = *state;
    char path[512], name[64];
    int seen = 0, pages = 0;

    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof(name), "{\"metadata\":{\"name\":\"p%d\",\"labels\":{\"pages\":\"y\"}}}", i);
        assert_true(status_of(l, KUBE_CREATE, NS "/configmaps", name) == 201);
    }
    snprintf(path, sizeof(path), NS "/configmaps?labelSelector=pages%%3Dy&limit=2");
    for (bool more = true; more && pages < 9; pages++) {
        struct answer a = ask(l, KUBE_GET, path, NULL);
        const char *next =
            json_string_value(json_object_get(json_object_get(a.body, "metadata"), "continue"));
        seen += (int)json_array_size(json_object_get(a.body, "items"));
        more = next && next[0];
        if (more)
            snprintf(path, sizeof(path), NS "/configmaps?labelSelector=pages%%3Dy&limit=2&continue=%s", next);
        json_decref(a.body);
    }
    assert_true(seen == 5 && pages == 3);
    struct answer a = ask(l, KUBE_GET, NS "/configmaps?limit=2&continue=garbage", NULL);
    assert_true(a.status == 400 && a.code == -EINVAL);
    json_decref(a.body);
    assert_true(status_of(l, KUBE_GET, NS "/configmaps/none", NULL) == 404);
}

/* What a watch has brought. */
struct seen {
    bool open, ended, event;
    int status;
    char text[4096];
    size_t len;
};

static void on_open(void *arg) {
    ((struct seen *)arg)->open = true;
}

static int on_data(void *arg, const char *data, size_t len, bool last, struct err *err) {
    struct seen *s = arg;

    (void)err;
    if (s->len + len < sizeof(s->text)) {
        memcpy(s->text + s->len, data, len);
        s->len += len;
    }
    s->event |= last;
    return 0;
}

static void on_end(void *arg, const struct ws_end *end) {
    struct seen *s = arg;

    s->ended = true;
    s->status = end->status;
    print_message("        watch ended: %d %s\n", end->status, err_text(&end->err));
}

static void test_watch(void **state) {
    struct live *l = *state;
    struct seen s = {0};
    const struct ws_request callbacks = {.on_open = on_open, .on_data = on_data, .on_end = on_end, .arg = &s};
    struct kube_watch *watch = kube_watch_open(
        l->kube, NS "/configmaps?watch=1&resourceVersion=0&fieldSelector=metadata.name%3Dm", &callbacks);

    wait_for(l, &s.event);
    assert_true(s.open && s.event && strstr(s.text, "\"ADDED\""));
    s.event = false;
    s.len = 0;
    assert_true(status_of(l, KUBE_MERGE_PATCH, NS "/configmaps/m", "{\"data\":{\"k\":\"2\"}}") == 200);
    wait_for(l, &s.event);
    assert_true(s.event && strstr(s.text, "\"MODIFIED\""));
    kube_watch_close(watch);
    s = (struct seen){0};
    kube_watch_open(l->kube, "/apis/nowhere.example/v1/things?watch=1", &callbacks);
    wait_for(l, &s.ended);
    assert_true(!s.open && s.status == 404);
}

static void test_deletes(void **state) {
    struct live *l = *state;

    assert_int_equal(status_of(l, KUBE_DELETE, DEPLOYMENTS "/a", NULL), 200);
    assert_int_equal(status_of(l, KUBE_DELETE, NS "/configmaps/m", NULL), 200);
    assert_int_equal(status_of(l, KUBE_DELETE, NS "/configmaps?labelSelector=pages%3Dy", NULL), 200);
}

static int begin(void **state, const char *token_file) {
    struct live *l = XNEW(struct live);
    struct err err = {0};

    if (kubeconfig_find(NULL, NULL, &l->config, &err) < 0)
        fail_msg("%s", err_text(&err));
    if (token_file) {
        l->config->cert_pem = l->config->key_pem = l->config->cert_file = l->config->key_file = NULL;
        l->config->token_file = token_file;
    }
    assert_int_equal(loop_new(&l->loop, NULL), 0);
    assert_int_equal(http_curl_new(l->loop, 0, &l->http, NULL), 0);
    assert_int_equal(kube_new(l->loop, l->http, l->config, &l->kube, NULL), 0);
    l->discovery = discovery_new(l->kube);
    *state = l;
    return 0;
}

static int end(void **state) {
    struct live *l = *state;

    discovery_free(l->discovery);
    kube_free(l->kube);
    http_curl_free(l->http);
    loop_free(l->loop);
    kubeconfig_free(l->config);
    free(l);
    return 0;
}

static int begin_with_certificate(void **state) {
    begin(state, NULL);
    int status =
        status_of(*state, KUBE_APPLY, "/api/v1/namespaces/live-kube",
                  "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"live-kube\"}}");
    return status == 200 || status == 201 ? 0 : -1;
}

static char token_path[] = "/tmp/live_kube.XXXXXX";

/* The token of a service account who may do everything, as the token controller would put it into a pod. */
static void test_make_token(void **state) {
    struct live *l = *state;

    status_of(l, KUBE_APPLY, NS "/serviceaccounts/live",
              "{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"live\"}}");
    status_of(
        l, KUBE_APPLY, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/live-kube",
        "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRoleBinding\",\"metadata\":{"
        "\"name\":\"live-kube\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":"
        "\"ClusterRole\",\"name\":\"cluster-admin\"},\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":"
        "\"live\",\"namespace\":\"live-kube\"}]}");
    struct answer a =
        ask(l, KUBE_CREATE, NS "/serviceaccounts/live/token",
            "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\",\"spec\":{}}");
    assert_int_equal(a.status, 201);
    const char *token = json_string_value(json_object_get(json_object_get(a.body, "status"), "token"));
    assert_non_null(token);
    int fd = mkstemp(token_path);
    assert_int_equal(write(fd, token, strlen(token)), (ssize_t)strlen(token));
    close(fd);
    json_decref(a.body);
}

static int begin_with_token(void **state) {
    return begin(state, token_path);
}

/* A token that the server does not know: refused, read anew, tried once more. */
static void test_bad_token(void **state) {
    struct live *l = *state;
    FILE *file = fopen(token_path, "w");

    assert_non_null(file);
    fputs("rubbish", file);
    fclose(file);
    struct answer a = ask(l, KUBE_GET, NS "/configmaps", NULL);
    assert_int_equal(a.status, 401);
    assert_int_equal(a.code, -EACCES);
    assert_int_equal(kube_stats(l->kube)->by_verb[KUBE_GET], 2);
    json_decref(a.body);
}

static int end_with_token(void **state) {
    unlink(token_path);
    return end(state);
}

int main(void) {
    const struct CMUnitTest certificate[] = {
        cmocka_unit_test(test_discovery),  cmocka_unit_test(test_writes), cmocka_unit_test(test_apply),
        cmocka_unit_test(test_pages),      cmocka_unit_test(test_watch),  cmocka_unit_test(test_deletes),
        cmocka_unit_test(test_make_token),
    };
    const struct CMUnitTest token[] = {
        cmocka_unit_test(test_discovery),
        cmocka_unit_test(test_apply),
        cmocka_unit_test(test_watch),
    };
    const struct CMUnitTest bad_token[] = {cmocka_unit_test(test_bad_token)};

    int failed = cmocka_run_group_tests(certificate, begin_with_certificate, end);
    failed += cmocka_run_group_tests(token, begin_with_token, end);
    failed += cmocka_run_group_tests(bad_token, begin_with_token, end_with_token);
    return failed;
}
