/* The objects of a request of metrics.k8s.io, out of the informers. */
#include "adapter/resourceobjects.h"

#include "base/str.h"
#include <stdlib.h>
#include <string.h>

bool resource_route_is_pods(const struct metrics_route *route) {
    return strcmp(route->resource, "pods") == 0;
}

struct each {
    const struct metrics_route *route;
    informer_each_fn *fn;
    void *arg;
};

/* metrics-server follows only the pods that run (field selector status.phase=Running of its informer). */
static void pass_on(void *arg, const struct object *object) {
    const struct each *each = arg;

    if (object->type == OBJECT_POD && ((const struct pod *)object)->phase != POD_RUNNING)
        return;
    if (metrics_route_selects(each->route, object))
        each->fn(each->arg, object);
}

/* A namespace's pods are found by its index; all pods, and nodes, are looked through. */
bool resource_objects_each(const struct metrics_route *route, const struct resource_informers *informers,
                           informer_each_fn *fn, void *arg) {
    bool pods = resource_route_is_pods(route);
    const struct informer *informer = pods ? informers->pods : informers->nodes;
    const char *ns = str_or_empty(route->ns);
    struct each each = {route, fn, arg};

    if (!informer || !informer_synced(informer))
        return false;
    if (route->name) {
        const struct object *object = informer_get(informer, ns, route->name);
        if (object)
            pass_on(&each, object);
    } else if (pods && route->ns) {
        informer_select(informer, ns, &route->labels, pass_on, &each);
    } else {
        informer_each(informer, pass_on, &each);
    }
    return true;
}

static void fail(metrics_answer_fn *fn, void *arg, int status, const char *reason, const char *message) {
    fn(arg, &(struct metrics_answer){.status = status, .reason = reason, .message = message});
}

void resource_answer_unknown(metrics_answer_fn *fn, void *arg) {
    fail(fn, arg, 503, "ServiceUnavailable", "the cluster's pods and nodes are not known yet");
}

/* Messages live in an arena of the call: whoever is answered copies what is to stay. */
void resource_answer_failed(const char *why, metrics_answer_fn *fn, void *arg) {
    cleanup_arena struct arena arena;

    arena_init(&arena, 0);
    fail(fn, arg, 500, "InternalError",
         ARENA_JOIN(&arena, "Internal error occurred: unable to fetch metrics: ", why));
}

/* One that is not there, or of which nothing is known. */
static void fail_named(const struct metrics_route *route, bool exists, metrics_answer_fn *fn, void *arg) {
    cleanup_arena struct arena arena;
    const char *message;

    arena_init(&arena, 0);
    if (!exists)
        message = arena_printf(&arena, "%s \"%s\" not found", route->resource, route->name);
    else if (resource_route_is_pods(route))
        message =
            arena_printf(&arena, "podmetrics.metrics.k8s.io \"%s/%s\" not found", route->ns, route->name);
    else
        message = arena_printf(&arena, "nodemetrics.metrics.k8s.io \"%s\" not found", route->name);
    fail(fn, arg, 404, "NotFound", message);
}

static int by_name(const void *a, const void *b) {
    const struct metrics_object *x = a, *y = b;
    /* Namespaces are interned: most are the same text. */
    int order = x->ns == y->ns ? 0 : strcmp(x->ns, y->ns);

    return order ? order : strcmp(x->name, y->name);
}

void resource_answer(const struct metrics_route *route, bool exists, struct metrics_object *objects,
                     uint32_t count, metrics_answer_fn *fn, void *arg) {
    if (route->name && !count) {
        fail_named(route, exists, fn, arg);
        return;
    }
    if (count)
        qsort(objects, count, sizeof(*objects), by_name);
    fn(arg, &(struct metrics_answer){.status = 200, .count = count, .objects = objects});
}
