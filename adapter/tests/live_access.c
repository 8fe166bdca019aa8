/* Who may ask, over real TLS and with a real apiserver's verdicts: KUBECONFIG is an administrator's,
 * CONTROL_PLANE the state of e2e/cluster/control-plane.sh, whose authorities and certificates are used. */
#include "adapter/access.h"
#include "adapter/remote.h"
#include "api/client/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include "net/http_curl.h"
#include <errno.h>
#include <stdio.h>

#define PAUSE (USEC_PER_MSEC * 20)
#define PATIENCE (15 * USEC_PER_SEC)
#define CONFIGMAP "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"

struct live {
    struct loop *loop;
    struct http *http;
    struct kubeconfig *config;
    struct kube *kube;
    struct httpsserver *server;
    struct access *access;
    struct access_action action;
    char *ca, *front, *front_key, *user, *user_key; /* files */
};

/* ---- the served side: the verdict as text ---- */

struct asked {
    struct https_exchange *exchange;
    struct access_check *check;
};

static void on_verdict(void *arg, enum access_verdict verdict, const struct identity *who,
                       const struct err *err) {
    static const int statuses[] = {[ACCESS_ALLOWED] = 200,
                                   [ACCESS_UNAUTHENTICATED] = 401,
                                   [ACCESS_FORBIDDEN] = 403,
                                   [ACCESS_FAILED] = 500};
    struct asked *asked = arg;
    struct buf body;

    buf_init(&body, 4096);
    buf_puts(&body, err->code ? err->text : who ? who->user : "open");
    https_answer(asked->exchange,
                 &(struct https_answer){.status = statuses[verdict], .content_type = "text/plain"}, &body);
    buf_done(&body);
    free(asked);
}

/* A remote that is freed may be in the middle of its lists. */
static void on_gone(void *arg) {
    struct asked *asked = arg;

    access_cancel(asked->check);
    free(asked);
}

static void on_request(void *arg, struct https_exchange *exchange, const struct https_request *request) {
    const struct live *l = arg;
    const struct access_action path = {.verb = "get", .path = request->target};
    bool is_metric = str_starts(request->target, "/apis/");

    struct asked *asked = XNEW(struct asked);
    *asked = (struct asked){.exchange = exchange};
    https_on_gone(exchange, on_gone, asked);
    struct access_check *check =
        access_ask(l->access, request, is_metric ? &l->action : &path, on_verdict, asked);
    if (check) /* else it has been told already */
        asked->check = check;
}

/* ---- the asking side ---- */

struct answer {
    bool done;
    int status;
    char text[512];
};

static void turn_until(struct live *l, const bool *flag) {
    usec_t end = clock_mono() + PATIENCE;

    while (!*flag && clock_mono() < end)
        loop_turn(l->loop, PAUSE);
    assert_true(*flag);
}

static void on_http_done(void *arg, const struct http_reply *reply) {
    struct answer *a = arg;

    a->done = true;
    a->status = reply->status;
    snprintf(a->text, sizeof(a->text), "%s", reply->status ? reply->body : reply->err.text);
}

static struct answer get(struct live *l, const char *target, const struct http_tls *tls,
                         const char *const *headers) {
    cleanup_free char *url = xasprintf("https://127.0.0.1:%d%s", httpsserver_port(l->server), target);
    struct answer a = {0};

    http_start(
        l->http,
        &(struct http_request){
            .method = "GET", .url = url, .headers = headers, .tls = tls, .on_done = on_http_done, .arg = &a});
    turn_until(l, &a.done);
    print_message("        %d %s\n", a.status, a.text);
    return a;
}

enum with { NOTHING, FRONT_PROXY, USER };

static struct answer ask(struct live *l, enum with with, const char *const *headers) {
    const struct http_tls tls = {.ca_file = l->ca,
                                 .cert_file = with == FRONT_PROXY ? l->front
                                              : with == USER      ? l->user
                                                                  : NULL,
                                 .key_file = with == FRONT_PROXY ? l->front_key
                                             : with == USER      ? l->user_key
                                                                 : NULL};

    return get(l, "/apis/custom.metrics.k8s.io/x", &tls, headers);
}

#define ASK(l, with, ...) ask(l, with, (const char *const[]){__VA_ARGS__, NULL})

struct written {
    bool done;
    int status;
    char token[4096];
};

static void on_written(void *arg, const struct kube_reply *reply) {
    struct written *w = arg;
    const json_t *token = json_object_get(json_object_get(reply->body, "status"), "token");

    w->done = true;
    w->status = reply->status;
    snprintf(w->token, sizeof(w->token), "%s", str_or_empty(json_string_value(token)));
    if (reply->err.code)
        print_message("        %d %s\n", reply->status, reply->err.text);
}

static struct written write_object(struct live *l, enum kube_verb verb, const char *path, const char *body) {
    struct written w = {0};
    json_t *json = json_loads(body, 0, NULL);

    kube_start(l->kube, &(struct kube_request){
                            .verb = verb, .path = path, .body = json, .on_done = on_written, .arg = &w});
    json_decref(json);
    turn_until(l, &w.done);
    assert_true(w.status == 200 || w.status == 201);
    return w;
}

static void test_front_proxy(void **state) {
    struct live *l = *state;
    struct answer a = ASK(l, FRONT_PROXY, "X-Remote-User: bob", "X-Remote-Group: dev");

    assert_int_equal(a.status, 403);
    assert_string_equal(a.text, "pods.custom.metrics.k8s.io \"x\" is forbidden: User \"bob\" cannot get "
                                "resource \"pods/queue\" in API group \"custom.metrics.k8s.io\" in the "
                                "namespace \"shop\"");
    a = ASK(l, FRONT_PROXY, "X-Remote-User: alice", "X-Remote-Group: live-access");
    assert_int_equal(a.status, 200);
    assert_string_equal(a.text, "alice");
    assert_int_equal(ASK(l, FRONT_PROXY, "X-Remote-User: root", "X-Remote-Group: system:masters").status,
                     200);
    assert_int_equal(ASK(l, FRONT_PROXY, "X-None: x").status, 401);
}

static void test_forged(void **state) {
    struct live *l = *state;
    struct answer a = ASK(l, NOTHING, "X-Remote-User: root", "X-Remote-Group: system:masters");

    assert_int_equal(a.status, 403);
    assert_non_null(strstr(a.text, "User \"system:anonymous\""));
    a = ASK(l, USER, "X-Remote-User: root", "X-Remote-Group: system:masters");
    assert_int_equal(a.status, 403);
    assert_non_null(strstr(a.text, "User \"system:kube-scheduler\""));
}

static void test_tokens(void **state) {
    struct live *l = *state;
    char line[4200];

    write_object(
        l, KUBE_APPLY, "/api/v1/namespaces/default/serviceaccounts/live-access",
        "{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"live-access\"}}");
    struct written w =
        write_object(l, KUBE_CREATE, "/api/v1/namespaces/default/serviceaccounts/live-access/token",
                     "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\",\"spec\":{}}");
    snprintf(line, sizeof(line), "Authorization: Bearer %s", w.token);
    struct answer a = ASK(l, NOTHING, line, "X-Remote-User: root");
    assert_int_equal(a.status, 403);
    assert_non_null(strstr(a.text, "User \"system:serviceaccount:default:live-access\""));
    assert_int_equal(ASK(l, NOTHING, "Authorization: Bearer rubbish").status, 401);
    assert_int_equal(ASK(l, NOTHING, "Authorization: Bearer rubbish").status, 401);
    struct access_stats stats;
    access_stats(l->access, &stats);
    assert_int_equal(stats.token_reviews, 2);
}

static void test_open(void **state) {
    struct live *l = *state;
    const struct http_tls tls = {.ca_file = l->ca};

    assert_string_equal(get(l, "/readyz", &tls, NULL).text, "open");
    assert_int_equal(get(l, "/secret", &tls, NULL).status, 403);
    /* the apiserver opens this one to everybody by a role */
    assert_int_equal(get(l, "/version", &tls, NULL).status, 200);
}

/* Another header counts as soon as the ConfigMap names it. The apiserver keeps what stands there: the name is
 * another one in each run. */
static void test_configmap_changes(void **state) {
    struct live *l = *state;
    cleanup_free char *line = xasprintf("X-Live-%d: carol", (int)getpid());
    cleanup_free char *patch = xasprintf("{\"data\":{\"requestheader-username-headers\":"
                                         "\"[\\\"X-Live-%d\\\",\\\"X-Remote-User\\\"]\"}}",
                                         (int)getpid());
    usec_t end = clock_mono() + PATIENCE;
    struct answer a;

    assert_int_equal(ASK(l, FRONT_PROXY, line).status, 401);
    write_object(l, KUBE_MERGE_PATCH, CONFIGMAP, patch);
    do {
        loop_turn(l->loop, PAUSE);
        a = ASK(l, FRONT_PROXY, line);
    } while (a.status == 401 && clock_mono() < end);
    assert_int_equal(a.status, 403);
    assert_non_null(strstr(a.text, "User \"carol\""));
}

static void on_remote(void *arg, const struct remote_answer *answer, const struct err *err) {
    struct answer *a = arg;

    a->done = true;
    a->status = answer->status;
    snprintf(a->text, sizeof(a->text), "%s", err->code ? err->text : answer->body->data);
    print_message("        %d %s\n", a->status, a->text);
}

static struct answer pass_on(struct live *l, struct remote *remote, const struct identity *who) {
    struct answer a = {0};

    remote_get(remote, "/apis/custom.metrics.k8s.io/x", NULL, who, on_remote, &a);
    turn_until(l, &a.done);
    return a;
}

/* Our own server in the part of another adapter: whoever is forwarded to it is who asks there. */
static void test_passed_on(void **state) {
    static const char *const groups[] = {"live-access", "a b", NULL}, *const values[] = {"1", NULL};
    static const struct identity_extra extra[] = {{"example.com/key", values}, {0}};
    const struct identity alice = {"alice", "7", groups, extra};
    struct live *l = *state;
    cleanup_free char *target = xasprintf("https://127.0.0.1:%d", httpsserver_port(l->server));
    struct remote_options options = {
        .target = target, .ca_file = l->ca, .cert_file = l->front, .key_file = l->front_key};
    struct remote *remote;

    assert_int_equal(remote_new(l->loop, l->http, l->kube, &options, &remote, NULL), 0);
    struct answer a = pass_on(l, remote, &alice);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.text, "alice");
    remote_free(remote);
    /* as ourselves: the administrator's certificate */
    options.cert_file = options.key_file = NULL;
    options.ourselves = l->config;
    assert_int_equal(remote_new(l->loop, l->http, l->kube, &options, &remote, NULL), 0);
    a = pass_on(l, remote, &alice);
    assert_int_equal(a.status, 200);
    assert_string_not_equal(a.text, "alice");
    remote_free(remote);
    /* by another authority it is not to be verified */
    options.ca_file = l->front;
    assert_int_equal(remote_new(l->loop, l->http, l->kube, &options, &remote, NULL), 0);
    a = pass_on(l, remote, &alice);
    assert_int_equal(a.status, 0);
    remote_free(remote);
}

static char *pki(const char *name) {
    return xasprintf("%s/pki/%s", getenv("CONTROL_PLANE"), name);
}

static void start_server(struct live *l) {
    cleanup_free char *cert_file = pki("apiserver.crt"), *key_file = pki("apiserver.key");
    cleanup_free char *cert = NULL, *key = NULL;

    assert_int_equal(file_read(cert_file, 65536, &cert, NULL, NULL, NULL), 0);
    assert_int_equal(file_read(key_file, 65536, &key, NULL, NULL, NULL), 0);
    const struct httpsserver_options options = {
        .address = "127.0.0.1", .cert_pem = cert, .key_pem = key, .handler = on_request, .arg = l};
    assert_int_equal(httpsserver_new(l->loop, &options, &l->server, NULL), 0);
}

static int begin(void **state) {
    struct live *l = XNEW(struct live);
    usec_t end = clock_mono() + PATIENCE;

    *l = (struct live){.ca = pki("ca.crt"),
                       .front = pki("front-client.crt"),
                       .front_key = pki("front-client.key"),
                       .user = pki("scheduler.crt"),
                       .user_key = pki("scheduler.key"),
                       .action = {.verb = "get",
                                  .group = "custom.metrics.k8s.io",
                                  .version = "v1beta2",
                                  .resource = "pods",
                                  .subresource = "queue",
                                  .name = "x",
                                  .ns = "shop"}};
    assert_int_equal(kubeconfig_find(NULL, NULL, &l->config, NULL), 0);
    assert_int_equal(loop_new(&l->loop, NULL), 0);
    assert_int_equal(http_curl_new(l->loop, 0, &l->http, NULL), 0);
    assert_int_equal(kube_new(l->loop, l->http, l->config, &l->kube, NULL), 0);
    start_server(l);
    assert_int_equal(access_new(l->loop, l->kube, l->server, &(struct access_options){0}, &l->access, NULL),
                     0);
    while (!access_ready(l->access) && clock_mono() < end)
        loop_turn(l->loop, PAUSE);
    assert_true(access_ready(l->access));
    write_object(l, KUBE_APPLY, "/apis/rbac.authorization.k8s.io/v1/clusterroles/live-access",
                 "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRole\",\"metadata\":{"
                 "\"name\":\"live-access\"},\"rules\":[{\"apiGroups\":[\"custom.metrics.k8s.io\"],"
                 "\"resources\":[\"pods/queue\"],\"verbs\":[\"get\"]}]}");
    write_object(l, KUBE_APPLY, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/live-access",
                 "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRoleBinding\","
                 "\"metadata\":{\"name\":\"live-access\"},\"roleRef\":{\"apiGroup\":"
                 "\"rbac.authorization.k8s.io\",\"kind\":\"ClusterRole\",\"name\":\"live-access\"},"
                 "\"subjects\":[{\"kind\":\"Group\",\"name\":\"live-access\"}]}");
    loop_turn(l->loop, USEC_PER_SEC);
    *state = l;
    return 0;
}

static int end(void **state) {
    struct live *l = *state;
    char *const files[] = {l->ca, l->front, l->front_key, l->user, l->user_key};

    httpsserver_free(l->server);
    access_free(l->access);
    kube_free(l->kube);
    http_curl_free(l->http);
    loop_free(l->loop);
    kubeconfig_free(l->config);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        free(files[i]);
    free(l);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_front_proxy), cmocka_unit_test(test_forged),
        cmocka_unit_test(test_tokens),      cmocka_unit_test(test_open),
        cmocka_unit_test(test_passed_on),   cmocka_unit_test(test_configmap_changes),
    };

    if (!getenv("CONTROL_PLANE")) {
        print_message("CONTROL_PLANE is not set\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
