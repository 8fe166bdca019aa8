/* The doubles of informers, discovery, Secrets and the apiserver. */
#include "adapter/tests/sources_cluster.h"

#include "api/client/kubeobject.h"
#include "api/types/promsource.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/base64.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct cluster c;

/* ---- the clock ---- */

usec_t __wrap_clock_wall(void);

usec_t __wrap_clock_wall(void) {
    return CLUSTER_WALL + (c.loop ? loop_now(c.loop) : 0);
}

/* ---- informers and discovery ---- */

struct informer {
    informer_fn *fn;
    void *arg;
};

static struct informer of_kind[2]; /* namespaced, cluster-wide */
static const struct object *objects[CLUSTER_OBJECTS_MAX];
static int object_count;
static struct str_pool pool;

static int index_of(const char *ns, const char *name) {
    for (int i = 0; i < object_count; i++)
        if (objects[i] && str_eq(objects[i]->ns, ns) && str_eq(objects[i]->name, name))
            return i;
    return -1;
}

struct informer *informers_open(struct informers *all, const struct resource *resource, enum object_type type,
                                informer_fn *fn, void *arg) {
    struct informer *i = &of_kind[!resource->namespaced];

    (void)all;
    assert_int_equal(type, OBJECT_METRIC_SOURCE);
    assert_null(i->fn);
    *i = (struct informer){fn, arg};
    return i;
}

void informer_close(struct informer *informer) {
    if (informer)
        informer->fn = NULL;
}

bool informer_synced(const struct informer *informer) {
    (void)informer;
    return !c.unsynced;
}

const struct err *informer_error(const struct informer *informer) {
    (void)informer;
    return &c.informer_err;
}

int discovery_find(struct discovery *discovery, const char *api_version, const char *kind,
                   const struct resource **ret_resource, struct err *err) {
    static const struct resource namespaced = {.namespaced = true}, cluster_wide = {.namespaced = false};

    (void)discovery;
    assert_string_equal(api_version, "autoscaling.trimtab.dev/v1");
    if (c.no_kinds)
        return err_set(err, -ENOENT, "no matches for kind");
    *ret_resource = str_eq(kind, "MetricSource") ? &namespaced : &cluster_wide;
    return 0;
}

static void tell(const char *ns, const struct object *old, const struct object *new_) {
    const struct informer *i = &of_kind[!ns[0]];
    enum informer_change change = !old ? INFORMER_ADDED : new_ ? INFORMER_MODIFIED : INFORMER_DELETED;

    if (i->fn)
        i->fn(i->arg, change, old, new_);
}

void cluster_put(const char *ns, const char *name, const char *spec) {
    static int version;
    int at = index_of(ns, name);
    const struct object *old = at < 0 ? NULL : objects[at];
    json_t *document = json_pack("{s:{s:s, s:s, s:s, s:i}, s:o}", "metadata", "name", name, "namespace", ns,
                                 "uid", "u1", "generation", ++version, "spec", json_loads(spec, 0, NULL));
    struct promsource_object *source;
    struct err err = {0};

    assert_int_equal(promsource_from_json(document, &pool, &source, &err), 0);
    json_decref(document);
    if (at < 0)
        at = object_count++;
    assert_true(at < CLUSTER_OBJECTS_MAX);
    objects[at] = &source->meta;
    tell(ns, old, objects[at]);
    object_unref(old);
}

void cluster_delete(const char *ns, const char *name) {
    int at = index_of(ns, name);
    const struct object *old = objects[at];

    objects[at] = NULL;
    tell(ns, old, NULL);
    object_unref(old);
}

/* ---- Secrets ---- */

struct kubeobject {
    struct kubeobject *next;
    struct loop_timer *timer;
    char *path;
    kubeobject_fn *fn;
    void *arg;
};

static struct kubeobject *followed;
static json_t *secrets; /* by path */

static void on_secret(void *arg) {
    struct kubeobject *o = arg;

    if (!c.secret_err.code)
        o->fn(o->arg, json_object_get(secrets, o->path));
}

struct kubeobject *kubeobject_follow(struct loop *loop, struct kube *kube, const char *collection,
                                     const char *name, kubeobject_fn *fn, void *arg) {
    struct kubeobject *o = XNEW(struct kubeobject);
    size_t len = strlen(c.followed);

    (void)kube;
    *o = (struct kubeobject){.next = followed, .fn = fn, .arg = arg};
    o->path = xasprintf("%s/%s", collection, name);
    o->timer = loop_timer_new(loop, on_secret, o);
    loop_timer_set(o->timer, USEC_PER_MSEC);
    snprintf(c.followed + len, sizeof(c.followed) - len, "%s\n", o->path);
    followed = o;
    return o;
}

void kubeobject_free(struct kubeobject *object) {
    if (!object)
        return;
    struct kubeobject **at = &followed;
    while (*at != object)
        at = &(*at)->next;
    *at = object->next;
    loop_timer_free(object->timer);
    free(object->path);
    free(object);
}

const struct err *kubeobject_error(const struct kubeobject *object) {
    (void)object;
    return &c.secret_err;
}

static void tell_secret(const char *path) {
    for (struct kubeobject *o = followed; o; o = o->next)
        if (str_eq(o->path, path))
            loop_timer_set(o->timer, USEC_PER_MSEC);
}

void cluster_secret(const char *ns, const char *name, ...) {
    cleanup_free char *path = xasprintf("/api/v1/namespaces/%s/secrets/%s", ns, name);
    json_t *data = json_object();
    va_list ap;

    va_start(ap, name);
    for (const char *key; (key = va_arg(ap, const char *));) {
        const char *value = va_arg(ap, const char *);
        cleanup_free char *coded = base64_encode(value, strlen(value));
        json_object_set_new(data, key, json_string(coded));
    }
    va_end(ap);
    json_object_set_new(secrets, path, json_pack("{s:o}", "data", data));
    tell_secret(path);
}

void cluster_delete_secret(const char *ns, const char *name) {
    cleanup_free char *path = xasprintf("/api/v1/namespaces/%s/secrets/%s", ns, name);

    json_object_del(secrets, path);
    tell_secret(path);
}

/* ---- statuses ---- */

struct kube_call {
    struct loop_timer *timer;
    kube_done_fn *done;
    void *arg;
};

static void call_free(struct kube_call *call) {
    loop_timer_free(call->timer);
    free(call);
}

static void on_answer(void *arg) {
    struct kube_call *call = arg;
    struct kube_reply reply = {.status = c.write_answer ? c.write_answer : 200, .reason = ""};

    if (reply.status != 200)
        err_set(&reply.err, -EAGAIN, "not now");
    call->done(call->arg, &reply);
    call_free(call);
}

struct kube_call *kube_start(struct kube *kube, const struct kube_request *request) {
    struct kube_call *call = XNEW(struct kube_call);

    (void)kube;
    assert_int_equal(request->verb, KUBE_MERGE_PATCH);
    assert_string_equal(json_string_value(json_object_get(json_object_get(request->body, "metadata"), "uid")),
                        "u1");
    c.writes++;
    snprintf(c.path, sizeof(c.path), "%s", request->path);
    json_decref(c.status);
    c.status = json_incref(json_object_get(request->body, "status"));
    *call = (struct kube_call){.done = request->on_done, .arg = request->arg};
    call->timer = loop_timer_new(c.loop, on_answer, call);
    loop_timer_set(call->timer, USEC_PER_MSEC);
    return call;
}

void kube_cancel(struct kube_call *call) {
    if (call)
        call_free(call);
}

const char *cluster_status(const char *member) {
    return str_or_empty(json_string_value(json_object_get(c.status, member)));
}

const char *cluster_ready(const char *member) {
    const json_t *ready = json_array_get(json_object_get(c.status, "conditions"), 0);

    return str_or_empty(json_string_value(json_object_get(ready, member)));
}

/* ---- the servers ---- */

static bool let_in(const struct http_request *request) {
    for (const char *const *line = request->headers; line && *line; line++)
        if (c.authorization && str_eq(*line, c.authorization))
            return true;
    return false;
}

static void serve(void *arg, const struct http_request *request, struct fake_reply *ret_reply) {
    static char bodies[10][160];
    static int turn;
    const char *number = strstr(request->url, "//s");

    (void)arg;
    snprintf(c.ca, sizeof(c.ca), "%s", str_or_empty(request->tls->ca_pem));
    snprintf(c.cert, sizeof(c.cert), "%s", str_or_empty(request->tls->cert_pem));
    snprintf(c.key, sizeof(c.key), "%s", str_or_empty(request->tls->key_pem));
    *ret_reply = (struct fake_reply){.status = 200, .content_type = "application/json"};
    if (strstr(request->url, "dead")) {
        ret_reply->status = 0;
        err_set(&ret_reply->err, -ECONNREFUSED, "refused");
    } else if (strstr(request->url, "page")) {
        ret_reply->body = "<html>Sign in";
    } else if (strstr(request->url, "closed") && !let_in(request)) {
        ret_reply->status = 401;
    } else {
        turn = (turn + 1) % 10;
        snprintf(bodies[turn], sizeof(bodies[turn]),
                 "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[%lld,\"%.1s\"]}}",
                 (long long)(__wrap_clock_wall() / USEC_PER_SEC), number ? number + 3 : "0");
        ret_reply->body = bodies[turn];
    }
}

/* ---- life ---- */

void cluster_begin_with(const struct sources_world *world) {
    struct sources_world mine = *world;
    struct err err = {0};

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    c = (struct cluster){.no_kinds = c.no_kinds, .unsynced = c.unsynced};
    c.loop = fake_loop_new();
    str_pool_init(&pool);
    object_count = 0;
    secrets = json_object();
    fake_http_init(&c.http, c.loop, serve, NULL);
    mine.loop = c.loop;
    mine.http = &c.http.head;
    if (sources_new(&mine, &c.sources, &err) < 0)
        fail_msg("%s", err.text);
    cluster_run(USEC_PER_MSEC);
}

void cluster_begin(const char *fallback) {
    const struct prometheus_options options = {.url = fallback};

    cluster_begin_with(&(struct sources_world){
        .fallback = fallback ? &options : NULL, .own_ns = "operator", .write_status = true});
}

void cluster_end(void) {
    for (int i = 0; i < c.follower_count; i++)
        cluster_leave(&c.followers[i]);
    sources_free(c.sources);
    assert_int_equal(c.http.in_flight, 0);
    assert_null(followed);
    for (int i = 0; i < object_count; i++)
        object_unref(objects[i]);
    assert_int_equal(pool.strings.len, 0);
    str_pool_done(&pool);
    json_decref(secrets);
    json_decref(c.status);
    fake_loop_free(c.loop);
    c = (struct cluster){0};
}

void cluster_run(usec_t duration) {
    fake_loop_run(c.loop, duration);
}

/* ---- policies ---- */

static void told(void *arg) {
    struct follower *f = arg;

    f->told++;
    if (f->when_told)
        f->when_told(f);
}

struct follower *cluster_follow(const char *ns, const char *source) {
    assert_true(c.follower_count < CLUSTER_FOLLOWERS_MAX);
    struct follower *f = &c.followers[c.follower_count++];
    struct metric_source *all = sources_metric_source(c.sources);

    *f = (struct follower){.metric = {.type = METRIC_PROMETHEUS, .query = "up", .source = source}};
    const struct metric_request request = {.metric = &f->metric, .ns = ns};
    f->sub = all->ops->subscribe(all, &request, told, f);
    assert_int_equal(f->told, 0);
    return f;
}

void cluster_leave(struct follower *follower) {
    struct metric_source *all = sources_metric_source(c.sources);

    if (follower->sub)
        all->ops->unsubscribe(all, follower->sub);
    follower->sub = NULL;
}

struct sample cluster_read(const struct follower *follower) {
    struct metric_source *all = sources_metric_source(c.sources);
    struct sample sample;

    all->ops->read(all, follower->sub, __wrap_clock_wall(), &sample);
    return sample;
}

void cluster_expect(const struct follower *follower, double value) {
    struct sample s = cluster_read(follower);

    if (s.quality != QUALITY_VALUE || s.value != value)
        fail_msg("%s %g \"%s\", expected %g", quality_name(s.quality), s.value, s.message, value);
}

void cluster_expect_failed(const struct follower *follower, const char *message) {
    struct sample s = cluster_read(follower);

    if (s.quality != QUALITY_FAILED || !str_eq(s.message, message))
        fail_msg("%s %g \"%s\", expected the failure \"%s\"", quality_name(s.quality), s.value, s.message,
                 message);
}
