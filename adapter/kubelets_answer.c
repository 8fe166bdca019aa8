/* Requests of metrics.k8s.io, answered from memory: the objects of the informers with their usage. */
#include "adapter/kubelets_internal.h"
#include "adapter/resourceobjects.h"

#include "base/mem.h"
#include <stdlib.h>

/* An answer while it is made. */
struct making {
    const struct usage_store *usage;
    struct arena arena;
    struct metrics_object *objects;
    uint32_t count, cap;
    bool exists; /* an object, measured or not */
};

/* Room for one more, which counts only when it has been filled. It may move the others, whose usages are in
 * the arena and stay where they are. */
static struct metrics_object *next_object(struct making *making) {
    if (making->count == making->cap) {
        making->cap = making->cap ? making->cap * 2 : 64;
        making->objects = xrealloc(making->objects, making->cap * sizeof(*making->objects));
    }
    return &making->objects[making->count];
}

static bool measure(struct making *making, const struct object *object, struct metrics_object *ret_object) {
    if (object->type == OBJECT_NODE)
        return usage_store_node(making->usage, object->name, &making->arena, ret_object);
    /* The node is the one that the apiserver has bound the pod to, whatever a kubelet says. */
    const struct usage_pod pod = {((const struct pod *)object)->node, object->ns, object->name};
    return usage_store_pod(making->usage, &pod, &making->arena, ret_object);
}

static void add(void *arg, const struct object *object) {
    struct making *making = arg;
    struct metrics_object *next = next_object(making);

    making->exists = true;
    if (!measure(making, object, next))
        return;
    /* The objects' own texts outlive the store's. */
    next->ns = object->ns;
    next->name = object->name;
    next->labels = object->labels;
    making->count++;
}

void kubelets_answer(struct kubelets *all, const struct metrics_route *route, metrics_answer_fn *fn,
                     void *arg) {
    const struct resource_informers informers = {all->pod_informer, all->node_informer};
    struct making making = {.usage = all->usage};

    arena_init(&making.arena, (size_t)64 << 10);
    if (resource_objects_each(route, &informers, add, &making))
        resource_answer(route, making.exists, making.objects, making.count, fn, arg);
    else
        resource_answer_unknown(fn, arg);
    free(making.objects);
    arena_done(&making.arena);
}
