/* The fleet: what the kubelets say follows from the simulated time and the pods that are on them. */
#include "adapter/tests/kubelets_world.h"

#include "api/client/auth.h"
#include "base/buf.h"
#include "base/mem.h"
#include "net/tests/fake_loop.h"
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The kubelets' clock runs along with the loop's. */
static const int64_t EPOCH_MS = 1790000000000;

/* In place of informers, discovery and the client. */
struct informer {
    bool open;
    informer_fn *fn;
    void *arg;
};
static struct informer pods_informer, nodes_informer;
static bool lists_whole;
static int identities; /* that are held */
static struct kubelets_world_fake *the_world;

struct informer *informers_open(struct informers *all, const struct resource *resource, enum object_type type,
                                informer_fn *fn, void *arg) {
    struct informer *i = type == OBJECT_POD ? &pods_informer : &nodes_informer;

    (void)all;
    assert_string_equal(resource->plural, type == OBJECT_POD ? "pods" : "nodes");
    assert_false(i->open);
    *i = (struct informer){.open = true, .fn = fn, .arg = arg};
    return i;
}

void informer_close(struct informer *informer) {
    if (informer)
        informer->open = false;
}

bool informer_synced(const struct informer *informer) {
    return informer->open && lists_whole;
}

void informer_each(const struct informer *informer, informer_each_fn *fn, void *arg) {
    for (int i = 0; informer == &pods_informer && i < WORLD_PODS; i++)
        if (the_world->pods[i].object)
            fn(arg, the_world->pods[i].object);
    for (int i = 0; informer == &nodes_informer && i < WORLD_NODES; i++)
        if (the_world->nodes[i].object)
            fn(arg, the_world->nodes[i].object);
}

/* An object that is looked for among all. */
struct search {
    const char *ns, *name;
    const struct selector *selector;
    informer_each_fn *fn;
    void *arg;
    const struct object *found;
};

static void look(void *arg, const struct object *object) {
    struct search *search = arg;

    if (!str_eq(object->ns, search->ns))
        return;
    if (search->name && str_eq(object->name, search->name))
        search->found = object;
    if (search->fn && selector_matches(search->selector, object->labels))
        search->fn(search->arg, object);
}

const struct object *informer_get(const struct informer *informer, const char *ns, const char *name) {
    struct search search = {.ns = ns, .name = name};

    informer_each(informer, look, &search);
    return search.found;
}

void informer_select(const struct informer *informer, const char *ns, const struct selector *selector,
                     informer_each_fn *fn, void *arg) {
    informer_each(informer, look, &(struct search){ns, NULL, selector, fn, arg, NULL});
}

int discovery_find(struct discovery *discovery, const char *api_version, const char *kind,
                   const struct resource **ret_resource, struct err *err) {
    static const struct resource pods = {.plural = "pods"}, nodes = {.plural = "nodes"};

    (void)discovery;
    (void)err;
    assert_string_equal(api_version, "v1");
    *ret_resource = str_eq(kind, "Pod") ? &pods : &nodes;
    return 0;
}

void discovery_on_change(struct discovery *discovery, loop_fn *fn, void *arg) {
    (void)discovery;
    (void)fn;
    (void)arg;
}

int kube_credentials(struct kube *kube, struct identity **ret_identity, struct err *err) {
    static const struct http_tls tls = {.ca_pem = "cluster", .server_name = "kubernetes"};
    static char token[] = "Authorization: Bearer ours";
    static struct identity identity = {.tls = &tls, .authorization = token};

    (void)kube;
    (void)err;
    *ret_identity = &identity;
    identities++;
    return 0;
}

void identity_unref(struct identity *identity) {
    identities -= identity != NULL;
}

/* The kubelets. */

static void write_pod(struct buf *out, const struct world_pod *pod, double seconds, int64_t at_ms) {
    const struct object *o = pod->object;

    buf_printf(
        out,
        "container_cpu_usage_seconds_total{container=\"app\",namespace=\"%s\",pod=\"%s\"} %.9f %" PRId64
        "\ncontainer_memory_working_set_bytes{container=\"app\",namespace=\"%s\",pod=\"%s\"} %" PRId64
        " %" PRId64 "\n",
        o->ns, o->name, pod->cores * seconds, at_ms, o->ns, o->name, pod->memory, at_ms);
}

static char *say(const struct kubelets_world_fake *w, int node, usec_t now) {
    struct buf out;
    bool stopped = w->nodes[node].fault == NODE_STOPPED_CLOCK;
    double seconds = 1000 + (stopped ? 0 : (double)now / USEC_PER_SEC);
    int64_t at_ms = EPOCH_MS + (stopped ? 0 : now / USEC_PER_MSEC);

    buf_init(&out, 65536);
    for (int i = 0; i < WORLD_PODS; i++)
        if (w->pods[i].object && w->pods[i].node == node)
            write_pod(&out, &w->pods[i], seconds, at_ms);
    buf_printf(&out,
               "node_cpu_usage_seconds_total %.9f %" PRId64 "\nnode_memory_working_set_bytes 4096 %" PRId64
               "\n",
               2 * seconds, at_ms, at_ms);
    if (w->nodes[node].fault == NODE_MALFORMED)
        buf_puts(&out, "what is this?\n");
    return buf_detach(&out);
}

static void serve(void *arg, const struct http_request *request, struct fake_reply *ret_reply) {
    struct kubelets_world_fake *w = arg;
    usec_t now = loop_now(w->loop);
    const char *address = strstr(request->url, "10.0.0.");

    assert_non_null(address);
    assert_true(str_ends(request->url, ":10250/metrics/resource"));
    int node = (int)strtol(address + 7, NULL, 10);
    struct world_node *n = &w->nodes[node];
    if (n->asked++ && (!n->least || now - n->last < n->least))
        n->least = now - n->last;
    n->last = now;
    *ret_reply = (struct fake_reply){.status = 200, .delay = 5 * USEC_PER_MSEC};
    if (n->fault == NODE_FORBIDDEN) {
        ret_reply->status = 403;
    } else if (n->fault == NODE_DOWN) {
        ret_reply->status = 0;
        ret_reply->delay = request->timeout;
        err_set(&ret_reply->err, -ETIMEDOUT, "timed out");
    } else {
        free(n->body);
        n->body = say(w, node, now);
        ret_reply->body = n->body;
    }
}

/* The world. */

struct kubelets_world_fake *world_new(const struct kubelets_options *options) {
    static const struct kubelets_options defaults;
    struct kubelets_world_fake *w = XNEW(struct kubelets_world_fake);
    struct err err = {0};

    the_world = w;
    lists_whole = true;
    str_pool_init(&w->pool);
    w->loop = fake_loop_new();
    fake_http_init(&w->http, w->loop, serve, w);
    const struct kubelets_world world = {.loop = w->loop, .http = &w->http.head};
    if (kubelets_new(&world, options ? options : &defaults, &w->kubelets, &err) < 0)
        fail_msg("%s", err.text);
    return w;
}

void world_free(struct kubelets_world_fake *w) {
    kubelets_free(w->kubelets);
    assert_false(pods_informer.open || nodes_informer.open);
    assert_int_equal(w->http.in_flight, 0);
    assert_int_equal(identities, 0);
    for (int i = 0; i < WORLD_NODES; i++) {
        object_unref(w->nodes[i].object);
        free(w->nodes[i].body);
    }
    for (int i = 0; i < WORLD_PODS; i++)
        object_unref(w->pods[i].object);
    fake_loop_free(w->loop);
    str_pool_done(&w->pool);
    free(w->answer);
    free(w);
}

void world_run(struct kubelets_world_fake *w, usec_t duration) {
    fake_loop_run(w->loop, duration);
}

void world_sync(bool synced) {
    lists_whole = synced;
}

static struct labels *one_label(struct kubelets_world_fake *w, const char *key, const char *value) {
    struct labels *labels = labels_new(1);

    labels->items[0].key = str_intern(&w->pool, key, strlen(key));
    labels->items[0].value = str_intern(&w->pool, value, strlen(value));
    return labels;
}

void world_put_node(struct kubelets_world_fake *w, int node, const char *zone) {
    char name[32], ip[32];
    const struct object *old = w->nodes[node].object;

    snprintf(name, sizeof(name), "node-%d", node);
    snprintf(ip, sizeof(ip), "10.0.0.%d", node);
    struct object *o = object_new(OBJECT_NODE, &w->pool, &(struct object_names){.ns = "", .name = name});
    ((struct node *)o)->addresses[NODE_INTERNAL_IP] = str_intern(&w->pool, ip, strlen(ip));
    if (zone)
        o->labels = one_label(w, "zone", zone);
    w->nodes[node].object = o;
    nodes_informer.fn(nodes_informer.arg, old ? INFORMER_MODIFIED : INFORMER_ADDED, old, o);
    object_unref(old);
}

void world_drop_node(struct kubelets_world_fake *w, int node) {
    const struct object *old = w->nodes[node].object;

    w->nodes[node].object = NULL;
    nodes_informer.fn(nodes_informer.arg, INFORMER_DELETED, old, NULL);
    object_unref(old);
}

void world_put_pod(struct kubelets_world_fake *w, int at, const char *ns, const char *name,
                   struct world_pod pod) {
    struct object *o = object_new(OBJECT_POD, &w->pool, &(struct object_names){.ns = ns, .name = name});
    char node[32];

    snprintf(node, sizeof(node), "node-%d", pod.node);
    ((struct pod *)o)->node = str_intern(&w->pool, node, strlen(node));
    ((struct pod *)o)->phase = POD_RUNNING;
    o->labels = one_label(w, "app", name);
    object_unref(w->pods[at].object);
    w->pods[at] = pod;
    w->pods[at].object = o;
}

/* Asking. */

static void write_object(struct buf *out, const struct metrics_object *object) {
    buf_printf(out, "%s%s%s", object->ns, *object->ns ? "/" : "", object->name);
    for (uint32_t i = 0; i < object->usage_count; i++)
        buf_printf(out, " %s=%" PRId64 "m/%" PRId64, object->usages[i].name,
                   (object->usages[i].cpu_nano + 500000) / 1000000, object->usages[i].memory_bytes);
    buf_printf(out, " %s", object->window > 0 ? "w" : "no window");
    if (object->labels)
        buf_printf(out, " %s", object->labels->items[0].value);
}

static void note(void *arg, const struct metrics_answer *answer) {
    struct buf *out = arg;

    buf_printf(out, "%d", answer->status);
    if (answer->status != 200)
        buf_printf(out, " %s %s", answer->reason, answer->message);
    for (uint32_t i = 0; i < answer->count; i++) {
        buf_puts(out, i ? " | " : " ");
        write_object(out, &answer->objects[i]);
    }
}

const char *world_ask(struct kubelets_world_fake *w, const char *path) {
    cleanup_free char *whole = xasprintf("/apis/metrics.k8s.io/v1beta1/%s", path);
    cleanup_arena struct arena arena;
    struct metrics_route route;
    struct err err = {0};
    struct buf out;

    arena_init(&arena, 0);
    buf_init(&out, 65536);
    if (metrics_route_read(whole, &arena, &route, &err) < 0)
        fail_msg("%s", err.text);
    kubelets_answer(w->kubelets, &route, note, &out);
    free(w->answer);
    w->answer = buf_detach(&out);
    return w->answer;
}
