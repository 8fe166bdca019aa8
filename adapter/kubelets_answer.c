/* Requests of metrics.k8s.io, answered from memory: the objects of the informers with their usage. The texts
 * of the errors are metrics-server's. */
#include "adapter/kubelets_internal.h"

#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

/* An answer while it is made. */
struct making {
    const struct kubelets *all;
    const struct metrics_route *route;
    struct arena arena;
    struct metrics_object *objects;
    uint32_t count, cap;
    bool exists; /* the named one does */
};

static bool is_pods(const struct metrics_route *route) {
    return strcmp(route->resource, "pods") == 0;
}

static struct metrics_object *next_object(struct making *making) {
    if (making->count == making->cap) {
        making->cap = making->cap ? making->cap * 2 : 64;
        making->objects = xrealloc(making->objects, making->cap * sizeof(*making->objects));
    }
    return &making->objects[making->count];
}

/* metrics-server follows only the pods that run: others do not exist for it. */
static bool counts(const struct making *making, const struct object *object) {
    if (object->type == OBJECT_POD && ((const struct pod *)object)->phase != POD_RUNNING)
        return false;
    return metrics_route_selects(making->route, object);
}

static bool measure(const struct usage_store *usage, const struct object *object, struct arena *arena,
                    struct metrics_object *ret_object) {
    if (object->type == OBJECT_NODE)
        return usage_store_node(usage, object->name, arena, ret_object);
    const struct usage_pod pod = {((const struct pod *)object)->node, object->ns, object->name};
    return usage_store_pod(usage, &pod, arena, ret_object);
}

static void add(void *arg, const struct object *object) {
    struct making *making = arg;
    struct metrics_object *next = next_object(making);

    if (!counts(making, object))
        return;
    making->exists = true;
    if (!measure(making->all->usage, object, &making->arena, next))
        return;
    next->ns = object->ns;
    next->name = object->name;
    next->labels = object->labels;
    making->count++;
}

static int by_name(const void *a, const void *b) {
    const struct metrics_object *x = a, *y = b;
    /* Namespaces are interned: most are the same text. */
    int order = x->ns == y->ns ? 0 : strcmp(x->ns, y->ns);

    return order ? order : strcmp(x->name, y->name);
}

static void find(struct making *making) {
    const struct metrics_route *route = making->route;
    const struct kubelets *all = making->all;
    bool pods = is_pods(route);
    const struct informer *informer = pods ? all->pod_informer : all->node_informer;
    const char *ns = str_or_empty(route->ns);

    if (route->name) {
        const struct object *object = informer_get(informer, ns, route->name);
        if (object)
            add(making, object);
    } else if (pods && route->ns) {
        informer_select(informer, ns, &route->labels, add, making);
    } else {
        informer_each(informer, add, making);
    }
    if (making->count)
        qsort(making->objects, making->count, sizeof(*making->objects), by_name);
}

static void fail(metrics_answer_fn *fn, void *arg, int status, const char *reason, const char *message) {
    fn(arg, &(struct metrics_answer){.status = status, .reason = reason, .message = message});
}

/* One that is not there, or of which nothing is known. */
static void fail_named(struct making *making, metrics_answer_fn *fn, void *arg) {
    const struct metrics_route *route = making->route;
    bool pods = is_pods(route);
    const char *message;

    if (!making->exists)
        message = arena_printf(&making->arena, "%s \"%s\" not found", route->resource, route->name);
    else if (pods)
        message = arena_printf(&making->arena, "podmetrics.metrics.k8s.io \"%s/%s\" not found", route->ns,
                               route->name);
    else
        message = arena_printf(&making->arena, "nodemetrics.metrics.k8s.io \"%s\" not found", route->name);
    fail(fn, arg, 404, "NotFound", message);
}

void kubelets_answer(struct kubelets *all, const struct metrics_route *route, metrics_answer_fn *fn,
                     void *arg) {
    struct making making = {.all = all, .route = route};
    const struct informer *informer = is_pods(route) ? all->pod_informer : all->node_informer;

    if (!informer || !informer_synced(informer)) {
        fail(fn, arg, 503, "ServiceUnavailable", "the cluster's pods and nodes are not known yet");
        return;
    }
    arena_init(&making.arena, (size_t)64 << 10);
    find(&making);
    if (route->name && !making.count)
        fail_named(&making, fn, arg);
    else
        fn(arg, &(struct metrics_answer){.status = 200, .count = making.count, .objects = making.objects});
    free(making.objects);
    arena_done(&making.arena);
}
