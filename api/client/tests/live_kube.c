/* Every kind of request against a real apiserver: `live_kube [KUBECONFIG [CONTEXT]]`. Makes its own namespace
 * and removes it. Prints a line for each check; exit code 1 where one failed. Run by e2e/kube-client.sh. */
#include "api/client/discovery.h"
#include "base/str.h"
#include "net/http_curl.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHECK(cond) check((cond), #cond)
#define PAUSE (USEC_PER_MSEC * 50)
#define PATIENCE (15 * USEC_PER_SEC)

static int failures;

static void check(bool ok, const char *what) {
    printf("%s  %s\n", ok ? "ok    " : "FAILED", what);
    failures += !ok;
}

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
        printf("        %d %s\n", reply->status, reply->err.text);
    a->body = reply->body ? json_deep_copy(reply->body) : NULL;
}

static void wait_for(struct live *l, const bool *flag) {
    usec_t end = clock_mono() + PATIENCE;

    while (!*flag && clock_mono() < end)
        loop_turn(l->loop, PAUSE);
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

static void check_discovery(struct live *l) {
    int code;
    const struct resource *r = find(l, "apps/v1", "Deployment", &code);

    CHECK(code == 0 && r && str_eq(r->plural, "deployments") && r->namespaced && r->has_scale);
    r = find(l, "v1", "Pod", &code);
    CHECK(code == 0 && r && str_eq(r->plural, "pods") && !r->has_scale);
    r = find(l, "autoscaling/v1beta9", "HorizontalPodAutoscaler", &code);
    CHECK(code == 0 && r && str_eq(r->version, "v2"));
    r = find(l, "v1", "Node", &code);
    CHECK(code == 0 && r && !r->namespaced);
    find(l, "nowhere.example/v1", "Thing", &code);
    CHECK(code == -ENOENT);
    CHECK(kube_stats(l->kube)->by_verb[KUBE_GET] == 2);
}

static void check_writes(struct live *l) {
    static const char deployment[] =
        "{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"replicas\":1,"
        "\"selector\":{\"matchLabels\":{\"app\":\"a\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":"
        "\"a\"}},"
        "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}";
    struct answer a = ask(l, KUBE_CREATE, DEPLOYMENTS, deployment);

    CHECK(a.status == 201);
    json_decref(a.body);
    a = ask(l, KUBE_CREATE, DEPLOYMENTS, deployment);
    CHECK(a.code == -EEXIST && str_eq(a.reason, "AlreadyExists"));
    json_decref(a.body);
    a = ask(l, KUBE_MERGE_PATCH, DEPLOYMENTS "/a/scale", "{\"spec\":{\"replicas\":3}}");
    CHECK(a.status == 200 &&
          json_integer_value(json_object_get(json_object_get(a.body, "spec"), "replicas")) == 3);
    json_decref(a.body);
    a = ask(l, KUBE_MERGE_PATCH, DEPLOYMENTS "/a/scale",
            "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":4}}");
    CHECK(a.code == -ESTALE && str_eq(a.reason, "Conflict"));
    json_decref(a.body);
    a = ask(l, KUBE_MERGE_PATCH, DEPLOYMENTS "/a", "{\"spec\":{\"replicas\":-1}}");
    CHECK(a.code == -EINVAL && str_eq(a.reason, "Invalid"));
    json_decref(a.body);
}

static void check_apply(struct live *l) {
    struct answer a = ask(l, KUBE_APPLY, NS "/configmaps/m",
                          "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"m\"},"
                          "\"data\":{\"k\":\"1\"}}");

    CHECK(a.status == 201);
    const json_t *managed =
        json_array_get(json_object_get(json_object_get(a.body, "metadata"), "managedFields"), 0);
    CHECK(str_eq(json_string_value(json_object_get(managed, "manager")), "trimtab") &&
          str_eq(json_string_value(json_object_get(managed, "operation")), "Apply"));
    json_decref(a.body);
}

static void check_pages(struct live *l) {
    char path[512], name[64];
    int seen = 0, pages = 0;

    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof(name), "{\"metadata\":{\"name\":\"p%d\",\"labels\":{\"pages\":\"y\"}}}", i);
        CHECK(status_of(l, KUBE_CREATE, NS "/configmaps", name) == 201);
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
    CHECK(seen == 5 && pages == 3);
    struct answer a = ask(l, KUBE_GET, NS "/configmaps?limit=2&continue=garbage", NULL);
    CHECK(a.status == 400 && a.code == -EINVAL);
    json_decref(a.body);
    CHECK(status_of(l, KUBE_GET, NS "/configmaps/none", NULL) == 404);
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
    printf("        watch ended: %d %s\n", end->status, err_text(&end->err));
}

static void check_watch(struct live *l) {
    struct seen s = {0};
    const struct ws_request callbacks = {.on_open = on_open, .on_data = on_data, .on_end = on_end, .arg = &s};
    struct kube_watch *watch = kube_watch_open(
        l->kube, NS "/configmaps?watch=1&resourceVersion=0&fieldSelector=metadata.name%3Dm", &callbacks);

    wait_for(l, &s.event);
    CHECK(s.open && s.event && strstr(s.text, "\"ADDED\""));
    s.event = false;
    s.len = 0;
    CHECK(status_of(l, KUBE_MERGE_PATCH, NS "/configmaps/m", "{\"data\":{\"k\":\"2\"}}") == 200);
    wait_for(l, &s.event);
    CHECK(s.event && strstr(s.text, "\"MODIFIED\""));
    kube_watch_close(watch);
    s = (struct seen){0};
    kube_watch_open(l->kube, "/apis/nowhere.example/v1/things?watch=1", &callbacks);
    wait_for(l, &s.ended);
    CHECK(!s.open && s.status == 404);
}

static int set_up(struct live *l, const char *path, const char *context, struct err *err) {
    int r = kubeconfig_find(path, context, &l->config, err);

    if (r == 0)
        r = loop_new(&l->loop, err);
    if (r == 0)
        r = http_curl_new(l->loop, 0, &l->http, err);
    if (r == 0)
        r = kube_new(l->loop, l->http, l->config, &l->kube, err);
    if (r == 0)
        l->discovery = discovery_new(l->kube);
    return r;
}

static void tear_down(struct live *l) {
    if (l->kube)
        discovery_free(l->discovery);
    kube_free(l->kube);
    http_curl_free(l->http);
    loop_free(l->loop);
    kubeconfig_free(l->config);
}

int main(int argc, char **argv) {
    struct live l = {0};
    struct err err = {0};

    if (set_up(&l, argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL, &err) < 0) {
        fprintf(stderr, "live_kube: %s\n", err_text(&err));
        return 1;
    }
    check_discovery(&l);
    status_of(&l, KUBE_APPLY, "/api/v1/namespaces/live-kube",
              "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"live-kube\"}}");
    check_writes(&l);
    check_apply(&l);
    check_pages(&l);
    check_watch(&l);
    CHECK(status_of(&l, KUBE_DELETE, DEPLOYMENTS "/a", NULL) == 200);
    CHECK(status_of(&l, KUBE_DELETE, NS "/configmaps/m", NULL) == 200);
    CHECK(status_of(&l, KUBE_DELETE, NS "/configmaps?labelSelector=pages%3Dy", NULL) == 200);
    printf("%s\n", failures ? "some checks failed" : "all checks passed");
    tear_down(&l);
    return failures > 0;
}
