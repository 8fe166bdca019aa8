/* The shell against a small world of its own: an API server with one Deployment and one policy, informers
 * that show what it holds, and a metric whose value the test sets. Every scenario is run again with each of
 * its requests answered wrongly once; the end must be the same. The doubles stand in at link time for kube,
 * discovery and informers, whose own tests use real servers. */
#include "autoscaler/autoscaler.h"
#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum fault {
    FAULT_NONE,
    FAULT_LOST,
    FAULT_CONFLICT,
    FAULT_GONE,
    FAULT_TOO_MANY,
    FAULT_SERVER,
    FAULT_GARBAGE,
    FAULT_LOST_AFTER,
    FAULTS
};

struct informer {
    enum object_type type;
    informer_fn *fn;
    void *arg;
    bool synced;
    struct err err;
};

struct kube_call {
    struct kube_reply reply;
    json_t *body;
    kube_done_fn *done;
    void *arg;
    struct kube_call *next;
};

static struct world {
    struct loop *loop;
    struct str_pool pool;
    struct informer policies, workloads, pods;
    const struct workload *workload, *seen; /* on the server, in the cache */
    bool mute;
    struct policy_object *policy;
    json_t *document; /* of the policy */
    int version;
    struct kube_call *calls;
    struct loop_timer *timer;
    int requests, fault_at;
    enum fault fault;
    int scale_patches, status_patches, events;
    bool kind_known;
    metric_changed_fn *changed;
    void *changed_arg;
    struct sample sample;
    struct autoscaler *autoscaler;
} w;

/* ---- informers ---- */

struct informer *informers_open(struct informers *all, const struct resource *resource, enum object_type type,
                                informer_fn *fn, void *arg) {
    struct informer *i = type == OBJECT_POLICY ? &w.policies : type == OBJECT_POD ? &w.pods : &w.workloads;
    (void)all, (void)resource;
    i->type = type;
    i->fn = fn;
    i->arg = arg;
    return i;
}

void informer_close(struct informer *informer) {
    informer->fn = NULL;
}

bool informer_synced(const struct informer *informer) {
    return informer->synced;
}

const struct err *informer_error(const struct informer *informer) {
    return &informer->err;
}

const struct object *informer_get(const struct informer *informer, const char *ns, const char *name) {
    if (informer != &w.workloads || !w.seen || !str_eq(ns, "default") || !str_eq(name, "web"))
        return NULL;
    return &w.seen->meta;
}

void informer_select(const struct informer *informer, const char *ns, const struct selector *selector,
                     informer_each_fn *fn, void *arg) {
    (void)informer, (void)ns, (void)selector, (void)fn, (void)arg;
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
    (void)discovery;
    if (!w.kind_known)
        return err_set(err, -ENOENT, "no matches for kind \"%s\" in version \"%s\"", kind, api_version);
    *ret_resource = &deployments;
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

/* ---- the API server ---- */

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

/* The watch tells what the server holds. */
static void show_workload(void) {
    const struct workload *old = w.seen;

    w.seen = (const struct workload *)object_ref(&w.workload->meta);
    if (w.workloads.fn)
        w.workloads.fn(w.workloads.arg, old ? INFORMER_MODIFIED : INFORMER_ADDED, old ? &old->meta : NULL,
                       &w.seen->meta);
    drop(old);
}

/* The Deployment changes; while the watch is mute nobody is told. */
static void set_workload(int replicas) {
    drop(w.workload);
    w.workload = make_workload(replicas);
    if (!w.mute)
        show_workload();
}

static void set_policy(json_t *document) {
    struct policy_object *old = w.policy;
    struct err err = {0};

    json_object_set_new(json_object_get(document, "metadata"), "resourceVersion",
                        json_sprintf("%d", ++w.version));
    assert_int_equal(policy_from_json(document, &w.pool, &w.policy, &err), 0);
    if (w.policies.fn)
        w.policies.fn(w.policies.arg, old ? INFORMER_MODIFIED : INFORMER_ADDED, old ? &old->meta : NULL,
                      &w.policy->meta);
    object_unref(old ? &old->meta : NULL);
}

static void refuse(struct kube_call *c, int status, int code, const char *text) {
    c->reply.status = status;
    err_set(&c->reply.err, code, "%s", text);
}

static json_t *scale_document(void) {
    return json_pack("{s:{s:s}, s:{s:i}, s:{s:i, s:s}}", "metadata", "resourceVersion",
                     w.workload->meta.resource_version, "spec", "replicas", w.workload->spec_replicas,
                     "status", "replicas", w.workload->status_replicas, "selector", "app=web");
}

static void serve_scale(struct kube_call *c, const struct kube_request *r) {
    if (r->verb == KUBE_MERGE_PATCH) {
        const char *version =
            json_string_value(json_object_get(json_object_get(r->body, "metadata"), "resourceVersion"));
        w.scale_patches++;
        if (!str_eq(version, w.workload->meta.resource_version)) {
            refuse(c, 409, -ESTALE, "the object has been modified");
            return;
        }
        set_workload((int)json_integer_value(json_object_get(json_object_get(r->body, "spec"), "replicas")));
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

static void serve_status(struct kube_call *c, const struct kube_request *r) {
    json_t *status = json_object_get(w.document, "status");

    w.status_patches++;
    if (!status) {
        status = json_object();
        json_object_set_new(w.document, "status", status);
    }
    merge(status, json_object_get(r->body, "status"));
    set_policy(w.document);
    c->body = json_deep_copy(w.document);
}

static void serve(struct kube_call *c, const struct kube_request *r) {
    c->reply.status = 200;
    if (str_ends(r->path, "/scale"))
        serve_scale(c, r);
    else if (str_ends(r->path, "/status"))
        serve_status(c, r);
    else
        w.events++;
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
                                             const struct metric_request *request,
                                             metric_changed_fn *changed, void *arg) {
    (void)source, (void)request;
    w.changed = changed;
    w.changed_arg = arg;
    return (struct metric_subscription *)&w;
}

static void unsubscribe(struct metric_source *source, struct metric_subscription *subscription) {
    (void)source, (void)subscription;
    w.changed = NULL;
}

static void read_sample(struct metric_source *source, const struct metric_subscription *subscription,
                        usec_t now, struct sample *ret) {
    (void)source, (void)subscription, (void)now;
    *ret = w.sample;
}

static const struct metric_source_ops fake_ops = {"fake", subscribe, unsubscribe, read_sample, NULL};
static struct metric_source fake_source = {&fake_ops};

static void set_value(double value) {
    w.sample = (struct sample){.quality = value > 0 ? QUALITY_VALUE : QUALITY_ZERO,
                               .value = value,
                               .milli = (int64_t)(value * 1000),
                               .at = clock_wall(),
                               .message = "",
                               .warning = ""};
    if (w.changed)
        w.changed(w.changed_arg);
}

/* ---- scenarios ---- */

static const char policy_text[] =
    "{\"apiVersion\":\"autoscaling.trimtab.dev/"
    "v1\",\"kind\":\"AutoscalingPolicy\",\"metadata\":{\"name\":\"web\",\"namespace\":\"default\","
    "\"uid\":\"p-1\",\"generation\":1},\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/"
    "v1\",\"kind\":\"Deployment\",\"name\":\"web\"},"
    "\"minReplicas\":1,\"maxReplicas\":10,\"interval\":\"100ms\",\"metrics\":[{\"type\":\"Prometheus\","
    "\"prometheus\":{\"query\":\"q\","
    "\"target\":{\"type\":\"AverageValue\",\"averageValue\":\"100\"}}}],\"behavior\":{\"scaleDown\":{"
    "\"stabilizationWindowSeconds\":0}}}}";

static void begin(int fault_at, enum fault fault) {
    struct err err = {0};

    memset(&w, 0, sizeof(w));
    w.fault_at = fault_at;
    w.fault = fault;
    w.kind_known = true;
    w.sample = (struct sample){.quality = QUALITY_PENDING, .message = "", .warning = ""};
    str_pool_init(&w.pool);
    assert_int_equal(loop_new(&w.loop, &err), 0);
    w.timer = loop_timer_new(w.loop, answer, NULL);
    struct autoscaler_world world = {.loop = w.loop, .sources = {[METRIC_PROMETHEUS] = &fake_source}};
    struct autoscaler_options options = {.flags = {.tolerance = 0.1},
                                         .status_interval = 50 * USEC_PER_MSEC,
                                         .retry_interval = 20 * USEC_PER_MSEC};
    w.autoscaler = autoscaler_new(&world, &options);
    w.document = json_loads(policy_text, 0, NULL);
    assert_non_null(w.document);
}

static void end(void) {
    autoscaler_free(w.autoscaler);
    while (w.calls)
        kube_cancel(w.calls);
    loop_timer_free(w.timer);
    loop_free(w.loop);
    drop(w.workload);
    drop(w.seen);
    object_unref(w.policy ? &w.policy->meta : NULL);
    json_decref(w.document);
    str_pool_done(&w.pool);
}

static void sync_all(void) {
    w.policies.synced = w.workloads.synced = w.pods.synced = true;
}

/* Lets the loop turn until the condition holds; what does not come about within 10 s never does. */
#define TURN_UNTIL(condition)                                                                                \
    do {                                                                                                     \
        usec_t give_up_ = clock_mono() + 10 * USEC_PER_SEC;                                                  \
        while (!(condition) && clock_mono() < give_up_)                                                      \
            loop_turn(w.loop, 20 * USEC_PER_MSEC);                                                           \
        if (!(condition))                                                                                    \
            fail_msg("never came about: %s (fault %d at request %d)", #condition, (int)w.fault, w.fault_at); \
    } while (0)

static const char *decided(const char *field) {
    return str_or_empty(json_string_value(
        json_object_get(json_object_get(json_object_get(w.document, "status"), "decision"), field)));
}

static json_int_t shown(const char *field) {
    return json_integer_value(json_object_get(json_object_get(w.document, "status"), field));
}

static void turn_for(usec_t time) {
    for (usec_t end_ = clock_mono() + time; clock_mono() < end_;)
        loop_turn(w.loop, 10 * USEC_PER_MSEC);
}

/* Two replicas at exactly their target. */
static void begin_steady(void) {
    begin(0, FAULT_NONE);
    sync_all();
    set_workload(2);
    set_policy(w.document);
    set_value(200);
    TURN_UNTIL(str_eq(decided("reason"), "WithinTolerance"));
}

/* Load comes, the workload grows in HPA's default steps; load goes, it shrinks. Returns how many requests
 * that took. */
static int grow_and_shrink(int fault_at, enum fault fault) {
    begin(fault_at, fault);
    sync_all();
    set_workload(1);
    set_policy(w.document);
    set_value(350);
    TURN_UNTIL(w.workload->spec_replicas == 4);
    TURN_UNTIL(shown("desiredReplicas") == 4 && str_eq(decided("reason"), "WithinTolerance"));
    set_value(0);
    TURN_UNTIL(w.workload->spec_replicas == 1);
    TURN_UNTIL(shown("desiredReplicas") == 1 && shown("currentReplicas") == 1);
    turn_for(100 * USEC_PER_MSEC);
    int requests = w.requests;
    assert_int_equal(w.workload->spec_replicas, 1);
    end();
    return requests;
}

static void test_grow_and_shrink(void **state) {
    (void)state;
    assert_true(grow_and_shrink(0, FAULT_NONE) >= 6);
}

/* The same with each request answered wrongly once, in every way. */
static void test_every_fault(void **state) {
    (void)state;
    for (enum fault f = FAULT_LOST; f < FAULTS; f++)
        for (int n = 1; n <= 6; n++)
            grow_and_shrink(n, f);
}

static void test_nothing_before_lists(void **state) {
    (void)state;
    begin(0, FAULT_NONE);
    set_workload(1);
    set_policy(w.document);
    set_value(1000);
    turn_for(100 * USEC_PER_MSEC);
    assert_int_equal(w.requests, 0);
    w.policies.synced = true;
    set_value(1000);
    turn_for(100 * USEC_PER_MSEC);
    assert_int_equal(w.scale_patches, 0); /* the deployments are not in yet */
    sync_all();
    TURN_UNTIL(w.workload->spec_replicas > 1);
    end();
}

/* Somebody scales by hand and the watch has not told us: our patch is refused, and decided again from what is
 * there. */
static void test_foreign_change_is_not_overwritten(void **state) {
    (void)state;
    begin_steady();
    w.mute = true;
    set_workload(3);
    set_value(300);
    TURN_UNTIL(w.scale_patches == 1);
    turn_for(100 * USEC_PER_MSEC);
    assert_int_equal(w.workload->spec_replicas, 3);
    assert_int_equal(w.scale_patches, 1); /* 3 is what we wanted, and it is there already */
    end();
}

static void test_missing_target_heals(void **state) {
    (void)state;
    begin(0, FAULT_NONE);
    sync_all();
    set_policy(w.document);
    set_value(300);
    TURN_UNTIL(str_eq(decided("reason"), "TargetMissing"));
    assert_non_null(strstr(decided("message"), "deployments.apps \"web\" not found"));
    assert_int_equal(w.scale_patches, 0);
    assert_true(w.events >= 1);
    set_workload(1);
    TURN_UNTIL(w.workload->spec_replicas == 3);
    end();
}

static void test_failed_metric_holds(void **state) {
    (void)state;
    begin(0, FAULT_NONE);
    sync_all();
    set_workload(5);
    set_policy(w.document);
    w.sample = (struct sample){.quality = QUALITY_FAILED, .message = "connection refused", .warning = ""};
    TURN_UNTIL(str_eq(decided("reason"), "MetricFailed"));
    assert_int_equal(w.workload->spec_replicas, 5);
    set_value(0);
    TURN_UNTIL(w.workload->spec_replicas == 1);
    end();
}

static void test_steady_state_writes_nothing(void **state) {
    (void)state;
    begin_steady();
    turn_for(100 * USEC_PER_MSEC);
    int before = w.requests;
    for (int i = 0; i < 5; i++) {
        set_value(200);
        turn_for(60 * USEC_PER_MSEC);
    }
    assert_int_equal(w.requests, before);
    end();
}

/* A value that wanders by less than a hundredth of its target is no news; one that moves further is. */
static void test_noise_is_not_written(void **state) {
    (void)state;
    begin_steady();
    turn_for(150 * USEC_PER_MSEC);
    int before = w.requests;
    for (int i = 1; i <= 4; i++) {
        set_value(200 + (i % 2 ? 0.5 : -0.5) * i);
        turn_for(120 * USEC_PER_MSEC);
    }
    assert_int_equal(w.requests, before);
    set_value(206);
    TURN_UNTIL(w.requests > before);
    end();
}

static void test_deleted_policy_stops(void **state) {
    (void)state;
    begin_steady();
    w.policies.fn(w.policies.arg, INFORMER_DELETED, &w.policy->meta, NULL);
    turn_for(50 * USEC_PER_MSEC);
    assert_null(w.changed);
    assert_null(w.workloads.fn); /* the last user of the kind is gone */
    end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow_and_shrink),
        cmocka_unit_test(test_every_fault),
        cmocka_unit_test(test_nothing_before_lists),
        cmocka_unit_test(test_foreign_change_is_not_overwritten),
        cmocka_unit_test(test_missing_target_heals),
        cmocka_unit_test(test_failed_metric_holds),
        cmocka_unit_test(test_steady_state_writes_nothing),
        cmocka_unit_test(test_noise_is_not_written),
        cmocka_unit_test(test_deleted_policy_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
