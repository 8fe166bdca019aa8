/* The doubles and the server behind them. */
#include "autoscaler/tests/shell_world.h"

#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct kube_call {
    struct kube_reply reply;
    json_t *body;
    kube_done_fn *done;
    void *arg;
    struct kube_call *next;
};

struct world w;

/* ---- clocks ---- */

/* The linker leads clock_wall and clock_mono here (--wrap): what else base/clock has stays. */
usec_t __wrap_clock_mono(void);
usec_t __wrap_clock_wall(void);

usec_t __wrap_clock_mono(void) {
    return loop_now(w.loop);
}

/* A day in 2026, and the time of the loops since. Each begins with 77 s: so long is the operator down at a
 * restart. */
usec_t __wrap_clock_wall(void) {
    return (usec_t)1795338000 * USEC_PER_SEC + w.past + (w.loop ? loop_now(w.loop) : 0);
}

/* ---- informers ---- */

static struct informer *informer_of(enum object_type type) {
    switch (type) {
    case OBJECT_POLICY:
        return &w.policies;
    case OBJECT_HPA:
        return &w.hpas;
    case OBJECT_POD:
        return &w.pods;
    case OBJECT_NODE:
    case OBJECT_WORKLOAD:
    case OBJECT_META:
    case OBJECT_METRIC_SOURCE:
    default:
        return &w.workloads;
    }
}

struct informer *informers_open(struct informers *all, const struct resource *resource, enum object_type type,
                                informer_fn *fn, void *arg) {
    static struct informer replicasets = {.synced = true};
    struct informer *i = str_eq(resource->plural, "replicasets") ? &replicasets : informer_of(type);
    (void)all;
    i->type = type;
    i->fn = fn;
    i->arg = arg;
    return i;
}

void informer_close(struct informer *informer) {
    if (informer)
        informer->fn = NULL;
}

bool informer_synced(const struct informer *informer) {
    return informer->synced;
}

const struct err *informer_error(const struct informer *informer) {
    return &informer->err;
}

const struct object *informer_get(const struct informer *informer, const char *ns, const char *name) {
    if (!str_eq(ns, "default") || !str_eq(name, "web"))
        return NULL;
    if (informer == &w.hpas)
        return w.hpa_seen;
    return informer == &w.workloads && w.seen ? &w.seen->meta : NULL;
}

void informer_select(const struct informer *informer, const char *ns, const struct selector *selector,
                     informer_each_fn *fn, void *arg) {
    (void)informer, (void)ns, (void)selector, (void)fn, (void)arg;
}

static void tell(const struct informer *i, const struct object *old, const struct object *new_) {
    enum informer_change change = !old ? INFORMER_ADDED : new_ ? INFORMER_MODIFIED : INFORMER_DELETED;

    if (i->fn && (old || new_))
        i->fn(i->arg, change, old, new_);
}

/* ---- discovery ---- */

int discovery_find(struct discovery *discovery, const char *api_version, const char *kind,
                   const struct resource **ret_resource, struct err *err) {
    static const struct resource deployments = {.group = "apps",
                                                .version = "v1",
                                                .kind = "Deployment",
                                                .plural = "deployments",
                                                .namespaced = true,
                                                .has_scale = true};
    static const struct resource rollouts = {.group = "example.org",
                                             .version = "v1",
                                             .kind = "Rollout",
                                             .plural = "rollouts",
                                             .namespaced = true,
                                             .has_scale = true};
    (void)discovery;
    if (!w.kind_known)
        return err_set(err, -ENOENT, "no matches for kind \"%s\" in version \"%s\"", kind, api_version);
    *ret_resource = w.custom_kind ? &rollouts : &deployments;
    return 0;
}

void discovery_on_change(struct discovery *discovery, loop_fn *fn, void *arg) {
    (void)discovery, (void)fn, (void)arg;
}

int resource_path(const struct resource *resource, const char *ns, const char *name, const char *subresource,
                  struct buf *buf) {
    return buf_printf(buf, "/apis/%s/%s/namespaces/%s/%s/%s/%s", resource->group, resource->version, ns,
                      resource->plural, name, subresource);
}

/* ---- what the server holds ---- */

static struct workload *make_workload(int replicas) {
    cleanup_free char *version = xasprintf("%d", ++w.version);
    struct object_names names = {.ns = "default", .name = "web", .uid = "d-1", .resource_version = version};
    struct workload *o = (struct workload *)object_new(OBJECT_WORKLOAD, &w.pool, &names);

    o->spec_replicas = o->status_replicas = replicas;
    o->selector = xstrdup("app=web");
    return o;
}

static void drop(const struct workload *o) {
    object_unref(o ? &o->meta : NULL);
}

static void show_workload(void) {
    const struct workload *old = w.seen;

    w.seen = (const struct workload *)object_ref(&w.workload->meta);
    tell(&w.workloads, old ? &old->meta : NULL, &w.seen->meta);
    drop(old);
}

void world_set_workload(int replicas) {
    drop(w.workload);
    w.workload = make_workload(replicas);
    if (!w.mute)
        show_workload();
}

static void renew_version(json_t *document) {
    json_object_set_new(json_object_get(document, "metadata"), "resourceVersion",
                        json_sprintf("%d", ++w.version));
}

static void show_policy(const json_t *document, struct policy_object **slot) {
    struct policy_object *old = *slot, *new_ = NULL;
    struct err err = {0};

    if (document)
        assert_int_equal(policy_from_json(document, &w.pool, &new_, &err), 0);
    *slot = new_;
    tell(&w.policies, old ? &old->meta : NULL, new_ ? &new_->meta : NULL);
    object_unref(old ? &old->meta : NULL);
}

void world_set_policy(json_t *document) {
    renew_version(document);
    show_policy(document, &w.policy[document == w.second]);
}

void world_delete_policy(json_t *document) {
    show_policy(NULL, &w.policy[document == w.second]);
}

static const struct object *hpa_object(void) {
    const json_t *m = json_object_get(w.hpa, "metadata");
    const json_t *ref = json_object_get(json_object_get(w.hpa, "spec"), "scaleTargetRef");
    const char *target = json_string_value(json_object_get(ref, "name"));
    struct object_names names = {
        .ns = "default",
        .name = "web",
        .uid = json_string_value(json_object_get(m, "uid")),
        .resource_version = json_string_value(json_object_get(m, "resourceVersion")),
    };
    struct hpa_object *o = (struct hpa_object *)object_new(OBJECT_HPA, &w.pool, &names);

    o->api_version = str_intern(&w.pool, "apps/v1", 7);
    o->target_kind = str_intern(&w.pool, "Deployment", 10);
    o->target_name = str_intern(&w.pool, target, strlen(target));
    return &o->meta;
}

void world_show_hpa(void) {
    const struct object *old = w.hpa_seen;

    w.hpa_seen = w.hpa ? hpa_object() : NULL;
    tell(&w.hpas, old, w.hpa_seen);
    object_unref(old);
}

void world_set_hpa(const char *uid, const char *target) {
    json_decref(w.hpa);
    w.hpa = json_pack("{s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:{s:{s:s, s:s, s:s}, s:i}, s:{s:i}}", "metadata",
                      "name", "web", "namespace", "default", "uid", uid, "annotations", "team", "shop",
                      "kubectl.kubernetes.io/last-applied-configuration", "{}", "spec", "scaleTargetRef",
                      "apiVersion", "apps/v1", "kind", "Deployment", "name", target, "maxReplicas", 7,
                      "status", "currentReplicas", 1);
    renew_version(w.hpa);
    if (!w.hpa_mute)
        world_show_hpa();
}

void world_delete_hpa(void) {
    json_decref(w.hpa);
    w.hpa = NULL;
    if (!w.hpa_mute)
        world_show_hpa();
}

/* ---- the API server ---- */

static void refuse(struct kube_call *c, int status, int code, const char *text) {
    c->reply.status = status;
    err_set(&c->reply.err, code, "%s", text);
}

static const char *at(const json_t *document, const char *key, const char *field) {
    return str_or_empty(json_string_value(json_object_get(json_object_get(document, key), field)));
}

static json_t *scale_document(void) {
    return json_pack("{s:{s:s}, s:{s:i}, s:{s:i, s:s}}", "metadata", "resourceVersion",
                     w.workload->meta.resource_version, "spec", "replicas", w.workload->spec_replicas,
                     "status", "replicas", w.workload->status_replicas, "selector", "app=web");
}

static void serve_scale(struct kube_call *c, const struct kube_request *r) {
    if (r->verb == KUBE_MERGE_PATCH) {
        w.scale_patches++;
        w.patches_beside_hpa += w.hpa != NULL;
        if (!str_eq(at(r->body, "metadata", "resourceVersion"), w.workload->meta.resource_version)) {
            refuse(c, 409, -ESTALE, "the object has been modified");
            return;
        }
        world_set_workload(
            (int)json_integer_value(json_object_get(json_object_get(r->body, "spec"), "replicas")));
    }
    c->body = scale_document();
}

/* RFC 7386, as far as the shell's patches go. */
static void merge(json_t *into, const json_t *patch) {
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)patch, key, value) {
        if (json_is_null(value))
            json_object_del(into, key);
        else if (json_is_object(value) && json_is_object(json_object_get(into, key)))
            merge(json_object_get(into, key), value);
        else
            json_object_set_new(into, key, json_deep_copy(value));
    }
}

/* The status subresource takes the status alone, and the object everything else. */
static void serve_policy(struct kube_call *c, const struct kube_request *r) {
    json_t *document = strstr(r->path, "/autoscalingpolicies/second") ? w.second : w.document;

    if (str_ends(r->path, "/status")) {
        json_t *status = json_pack("{s:O}", "status", json_object_get(r->body, "status"));
        w.status_patches++;
        merge(document, status);
        json_decref(status);
    } else {
        merge(document, r->body);
    }
    world_set_policy(document);
    c->body = json_deep_copy(document);
}

static void serve_hpa(struct kube_call *c, const struct kube_request *r) {
    if (!w.hpa) {
        refuse(c, 404, -ENOENT, "horizontalpodautoscalers.autoscaling \"web\" not found");
        return;
    }
    if (r->verb == KUBE_GET) {
        c->body = json_deep_copy(w.hpa);
        return;
    }
    w.hpa_deletes++;
    if (!str_eq(at(r->body, "preconditions", "uid"), at(w.hpa, "metadata", "uid")) ||
        !str_eq(at(r->body, "preconditions", "resourceVersion"), at(w.hpa, "metadata", "resourceVersion"))) {
        refuse(c, 409, -ESTALE, "the precondition is not met");
        return;
    }
    if (w.hpa_lingers) {
        json_object_set_new(json_object_get(w.hpa, "metadata"), "deletionTimestamp",
                            json_string("2026-11-22T08:00:00Z"));
        c->body = json_deep_copy(w.hpa);
        return;
    }
    world_delete_hpa();
    c->body = json_pack("{s:s, s:s}", "kind", "Status", "status", "Success");
}

/* Those that the shell asks for at its start. */
static json_t *rescales(void) {
    json_t *event, *list = json_array();
    size_t i;

    json_array_foreach(w.events_held, i, event) {
        if (str_eq(json_string_value(json_object_get(event, "reason")), "SuccessfulRescale"))
            json_array_append(list, event);
    }
    return list;
}

static void serve_events(struct kube_call *c, const struct kube_request *r) {
    json_t *event;
    size_t i;

    if (r->verb == KUBE_GET) {
        c->body = json_pack("{s:{}, s:o}", "metadata", "items", rescales());
        return;
    }
    w.events++;
    if (r->verb == KUBE_CREATE)
        json_array_append_new(w.events_held, json_deep_copy(r->body));
    else
        json_array_foreach(w.events_held, i, event) {
            if (str_ends(r->path, at(event, "metadata", "name")))
                merge(event, r->body);
        }
}

static void serve(struct kube_call *c, const struct kube_request *r) {
    c->reply.status = 200;
    if (w.forbidden && strstr(r->path, w.forbidden))
        refuse(c, 403, -EACCES, "it is forbidden");
    else if (str_ends(r->path, "/scale"))
        serve_scale(c, r);
    else if (strstr(r->path, "/horizontalpodautoscalers/"))
        serve_hpa(c, r);
    else if (strstr(r->path, "/autoscalingpolicies/"))
        serve_policy(c, r);
    else
        serve_events(c, r);
}

/* The request that the run spoils: answered wrongly, carried out or not. */
static void serve_badly(struct kube_call *c, const struct kube_request *r) {
    switch (w.fault) {
    case FAULT_LOST_AFTER: /* carried out, and the answer never comes */
        serve(c, r);
        json_decref(c->body);
        c->body = NULL;
        refuse(c, 0, -ECONNRESET, "connection reset");
        break;
    case FAULT_CONFLICT:
        refuse(c, 409, -ESTALE, "conflict");
        break;
    case FAULT_GONE:
        refuse(c, 410, -ESTALE, "gone");
        break;
    case FAULT_TOO_MANY:
        refuse(c, 429, -EAGAIN, "too many requests");
        c->reply.retry_after = 50 * USEC_PER_MSEC;
        break;
    case FAULT_SERVER:
        refuse(c, 500, -EAGAIN, "internal error");
        break;
    case FAULT_GARBAGE:
        refuse(c, 200, -EPROTO, "not JSON");
        break;
    case FAULT_NONE:
    case FAULT_LOST:
    case FAULTS:
        refuse(c, 0, -ECONNRESET, "connection reset");
        break;
    }
}

struct kube_call *kube_start(struct kube *kube, const struct kube_request *r) {
    struct kube_call *c = XNEW(struct kube_call), **p = &w.calls;
    (void)kube;

    c->done = r->on_done;
    c->arg = r->arg;
    c->reply.reason = "";
    if (++w.requests == w.fault_at)
        serve_badly(c, r);
    else
        serve(c, r);
    c->reply.body = c->body;
    while (*p)
        p = &(*p)->next;
    *p = c;
    loop_timer_set(w.timer, 0);
    return c;
}

static void free_call(struct kube_call *c) {
    json_decref(c->body);
    free(c);
}

void kube_cancel(struct kube_call *call) {
    struct kube_call **p = &w.calls;

    while (*p && *p != call)
        p = &(*p)->next;
    if (!*p)
        return;
    *p = call->next;
    free_call(call);
}

static void answer(void *arg) {
    struct kube_call *c = w.calls;
    (void)arg;

    if (!c)
        return;
    w.calls = c->next;
    c->done(c->arg, &c->reply);
    free_call(c);
    loop_timer_set(w.timer, 0);
}

/* ---- the metric ---- */

static struct metric_subscription *subscribe(struct metric_source *source,
                                             const struct metric_request *request, metric_changed_fn *changed,
                                             void *arg) {
    struct world_subscriber *s = w.subscribers;
    (void)source, (void)request;

    while (s->changed)
        s++;
    assert_true(s < w.subscribers + sizeof(w.subscribers) / sizeof(w.subscribers[0]));
    *s = (struct world_subscriber){changed, arg};
    return (struct metric_subscription *)s;
}

static void unsubscribe(struct metric_source *source, struct metric_subscription *subscription) {
    (void)source;
    ((struct world_subscriber *)subscription)->changed = NULL;
}

static void read_sample(struct metric_source *source, struct metric_subscription *subscription, usec_t now,
                        struct sample *ret) {
    (void)source, (void)subscription, (void)now;
    *ret = w.sample;
}

static const struct metric_source_ops fake_ops = {"fake", subscribe, unsubscribe, read_sample, NULL};
static struct metric_source fake_source = {&fake_ops};

void world_set_value(double value) {
    w.sample = (struct sample){.quality = value > 0 ? QUALITY_VALUE : QUALITY_ZERO,
                               .value = value,
                               .milli = (int64_t)(value * 1000),
                               .at = clock_wall(),
                               .message = "",
                               .warning = ""};
    for (int i = 0; i < 2 * WORLD_POLICIES; i++)
        if (w.subscribers[i].changed)
            w.subscribers[i].changed(w.subscribers[i].arg);
}

/* ---- beginning and end ---- */

static const char policy_text[] =
    "{\"apiVersion\":\"autoscaling.trimtab.dev/"
    "v1\",\"kind\":\"AutoscalingPolicy\",\"metadata\":{\"name\":\"web\",\"namespace\":\"default\","
    "\"uid\":\"p-1\",\"generation\":1},\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/"
    "v1\",\"kind\":\"Deployment\",\"name\":\"web\"},"
    "\"minReplicas\":1,\"maxReplicas\":10,\"interval\":\"100ms\",\"metrics\":[{\"type\":\"Prometheus\","
    "\"prometheus\":{\"query\":\"q\","
    "\"target\":{\"type\":\"AverageValue\",\"averageValue\":\"100\"}}}],\"behavior\":{\"scaleDown\":{"
    "\"stabilizationWindowSeconds\":0}}}}";

/* The process of the operator: its loop and the autoscaler on it. */
static void start_autoscaler(void) {
    struct autoscaler_options options = {.flags = {.tolerance = 0.1},
                                         .status_interval = 50 * USEC_PER_MSEC,
                                         .retry_interval = 20 * USEC_PER_MSEC};

    w.loop = fake_loop_new();
    w.timer = loop_timer_new(w.loop, answer, NULL);
    struct autoscaler_world world = {.loop = w.loop, .sources = {[METRIC_PROMETHEUS] = &fake_source}};
    w.autoscaler = autoscaler_new(&world, &options);
}

static void stop_autoscaler(void) {
    autoscaler_free(w.autoscaler);
    while (w.calls)
        kube_cancel(w.calls);
    loop_timer_free(w.timer);
    w.past += loop_now(w.loop);
    fake_loop_free(w.loop);
    w.loop = NULL;
}

void world_begin(int fault_at, enum fault fault) {
    memset(&w, 0, sizeof(w));
    w.fault_at = fault_at;
    w.fault = fault;
    w.kind_known = true;
    w.hpas.synced = true;
    w.sample = (struct sample){.quality = QUALITY_PENDING, .message = "", .warning = ""};
    w.events_held = json_array();
    str_pool_init(&w.pool);
    start_autoscaler();
    w.document = json_loads(policy_text, 0, NULL);
    assert_non_null(w.document);
}

void world_restart(void) {
    stop_autoscaler();
    start_autoscaler();
    tell(&w.workloads, NULL, w.seen ? &w.seen->meta : NULL);
    tell(&w.hpas, NULL, w.hpa_seen);
    for (int i = 0; i < WORLD_POLICIES; i++)
        tell(&w.policies, NULL, w.policy[i] ? &w.policy[i]->meta : NULL);
}

void world_end(void) {
    stop_autoscaler();
    drop(w.workload);
    drop(w.seen);
    object_unref(w.hpa_seen);
    for (int i = 0; i < WORLD_POLICIES; i++)
        object_unref(w.policy[i] ? &w.policy[i]->meta : NULL);
    json_decref(w.document);
    json_decref(w.second);
    json_decref(w.hpa);
    json_decref(w.events_held);
    str_pool_done(&w.pool);
}

void world_sync_all(void) {
    w.policies.synced = w.workloads.synced = w.pods.synced = w.hpas.synced = true;
}

/* ---- looking ---- */

const char *decided(const char *field) {
    return at(json_object_get(w.document, "status"), "decision", field);
}

json_int_t shown(const char *field) {
    return json_integer_value(json_object_get(json_object_get(w.document, "status"), field));
}

const char *condition_message(const json_t *document, const char *type) {
    const json_t *c, *list = json_object_get(json_object_get(document, "status"), "conditions");
    size_t i;

    json_array_foreach(list, i, c) {
        if (str_eq(json_string_value(json_object_get(c, "type")), type) &&
            str_eq(json_string_value(json_object_get(c, "status")), "True"))
            return str_or_empty(json_string_value(json_object_get(c, "message")));
    }
    return "";
}

void turn_for(usec_t time) {
    for (usec_t end = clock_mono() + time; clock_mono() < end;)
        fake_loop_turn(w.loop, 10 * USEC_PER_MSEC);
}
