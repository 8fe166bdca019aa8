/* The store: for each node one block of memory with what its last answer said, made anew with each answer out
 * of the batch that was read and the block before. Blocks of a node hardly change their size, which keeps the
 * heap in one piece.
 *
 * What came is a pod's or a node's only with a second point (usage_points.c); `ready` says of a block that
 * something in it has one, and the store counts such blocks, so that readiness is known without a walk. A
 * block is never changed once it is in the map: what was read out of it holds until the node's next answer,
 * or its end. */
#include "adapter/usage.h"

#include "adapter/usage_internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct stored_container {
    const char *name; /* in the block */
    struct usage_points points;
};

struct stored_pod {
    const char *ns, *name;
    struct stored_container *containers; /* sorted by name */
    uint32_t count;
};

/* A node: its pods sorted by namespace and name, then the containers of all of them, then the texts. */
struct stored_node {
    const char *name;
    size_t bytes;
    bool has_self, ready; /* ready: something in it has its second point */
    struct usage_points self;
    uint32_t pod_count, container_count;
    struct stored_pod pods[];
};

struct usage_store {
    usec_t resolution;
    struct map nodes; /* struct stored_node by name */
    struct usage_batch batch;
    struct usage_store_stats stats;
    uint32_t ready; /* nodes that are */
};

struct usage_store *usage_store_new(usec_t resolution) {
    struct usage_store *store = XNEW(struct usage_store);

    store->resolution = resolution;
    usage_batch_init(&store->batch);
    return store;
}

void usage_store_free(struct usage_store *store) {
    struct map_iter it = {0};
    void *node;

    if (!store)
        return;
    while (map_next(&store->nodes, &it, NULL, &node))
        free(node);
    map_done(&store->nodes);
    usage_batch_done(&store->batch);
    free(store);
}

/* Looking up. */

static const struct stored_pod *find_pod(const struct stored_node *node, const char *ns, const char *name) {
    uint32_t low = 0, high = node ? node->pod_count : 0;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct stored_pod *pod = &node->pods[middle];
        int order = strcmp(pod->ns, ns);
        if (order == 0)
            order = strcmp(pod->name, name);
        if (order == 0)
            return pod;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Pods have few containers. */
static const struct stored_container *find_container(const struct stored_pod *pod, const char *name) {
    for (uint32_t i = 0; pod && i < pod->count; i++)
        if (strcmp(pod->containers[i].name, name) == 0)
            return &pod->containers[i];
    return NULL;
}

static const struct stored_pod *stored_pod(const struct usage_store *store, const struct usage_pod *pod) {
    return pod->node ? find_pod(map_get(&store->nodes, pod->node), pod->ns, pod->name) : NULL;
}

/* Filling a block. */

/* Whether a row begins another pod than the one before it. */
static bool begins_pod(const struct usage_batch *batch, uint32_t i) {
    return i == 0 || strcmp(batch->rows[i]->pod, batch->rows[i - 1]->pod) != 0 ||
           strcmp(batch->rows[i]->ns, batch->rows[i - 1]->ns) != 0;
}

/* A text that is already there as the one before it is not written again: of a namespace with many pods, and
 * of pods with one container called alike, there is one. make_block counts by the same rule, or the texts
 * would run over their end. */
static const char *put_text(char **end, const char *before, const char *text) {
    if (before && strcmp(before, text) == 0)
        return before;
    size_t size = strlen(text) + 1;
    char *at = memcpy(*end, text, size);
    *end += size;
    return at;
}

/* A block with room for a batch; its texts come behind the containers. */
static struct stored_node *make_block(const struct usage_batch *batch, const char *name, char **ret_texts) {
    uint32_t pods = 0;
    size_t texts = strlen(name) + 1;

    for (uint32_t i = 0; i < batch->count; i++) {
        bool begins = begins_pod(batch, i);
        const char *ns = begins && i ? batch->rows[i - 1]->ns : NULL;
        const char *container = i ? batch->rows[i - 1]->container : NULL;
        pods += begins;
        texts += begins ? strlen(batch->rows[i]->pod) + 1 : 0;
        texts += begins && !str_eq(ns, batch->rows[i]->ns) ? strlen(batch->rows[i]->ns) + 1 : 0;
        texts += !str_eq(container, batch->rows[i]->container) ? strlen(batch->rows[i]->container) + 1 : 0;
    }
    size_t fixed = sizeof(struct stored_node) + pods * sizeof(struct stored_pod) +
                   batch->count * sizeof(struct stored_container);
    struct stored_node *node = xcalloc(1, fixed + texts);
    node->bytes = fixed + texts;
    node->pod_count = pods;
    node->container_count = batch->count;
    *ret_texts = (char *)node + fixed;
    return node;
}

/* Rows are sorted by namespace, pod and container, so pods and containers come out in the order that find_pod
 * and the callers ask for. old: the block before, for the points that the new ones are measured against. */
static void fill_pods(struct stored_node *node, const struct usage_batch *batch,
                      const struct stored_node *old, char *texts, usec_t resolution) {
    struct stored_container *containers = (struct stored_container *)&node->pods[node->pod_count];
    struct stored_pod *pod = node->pods;
    const struct stored_pod *old_pod = NULL;

    for (uint32_t i = 0; i < batch->count; i++) {
        const struct usage_row *row = batch->rows[i];
        struct stored_container *container = &containers[i];
        if (begins_pod(batch, i)) {
            const char *ns = i ? pod->ns : NULL;
            pod = i ? pod + 1 : pod;
            pod->ns = put_text(&texts, ns, row->ns);
            pod->name = put_text(&texts, NULL, row->pod);
            pod->containers = container;
            old_pod = find_pod(old, row->ns, row->pod);
        }
        container->name = put_text(&texts, i ? containers[i - 1].name : NULL, row->container);
        const struct stored_container *before = find_container(old_pod, row->container);
        container->points = usage_points_next(row, before ? &before->points : NULL, resolution);
        node->ready = node->ready || container->points.has_prev;
        pod->count++;
    }
}

/* Adds a block to the sums, or takes it out (sign -1, which as an unsigned number wraps to the same). */
static void count_node(struct usage_store *store, const struct stored_node *node, int sign) {
    uint32_t by = (uint32_t)sign;

    store->stats.nodes += by;
    store->stats.pods += by * node->pod_count;
    store->stats.containers += by * node->container_count;
    store->stats.bytes += (size_t)sign * node->bytes;
    store->ready += by * node->ready;
}

int usage_store_take(struct usage_store *store, const char *node, const char *text, size_t len, usec_t asked,
                     struct err *err) {
    struct usage_batch *batch = &store->batch;
    char *texts;
    int ret = usage_batch_read(batch, text, len, asked, err);

    if (ret < 0)
        return ret;
    struct stored_node *old = map_get(&store->nodes, node), *new_ = make_block(batch, node, &texts);
    new_->name = put_text(&texts, NULL, node);
    if (usage_row_complete(&batch->node)) {
        new_->has_self = true;
        new_->self = usage_points_next(&batch->node, old && old->has_self ? &old->self : NULL, 0);
        new_->ready = new_->self.has_prev;
    }
    fill_pods(new_, batch, old, texts, store->resolution);
    count_node(store, new_, 1);
    if (old)
        count_node(store, old, -1);
    map_put(&store->nodes, new_->name, new_); /* its key with it: the old name goes with the old block */
    free(old);
    return 0;
}

void usage_store_forget(struct usage_store *store, const char *node) {
    struct stored_node *old = map_remove(&store->nodes, node);

    if (!old)
        return;
    count_node(store, old, -1);
    free(old);
}

/* What is asked for. */

/* The usage between two points: false where there are not two, or the counter fell. */
static bool usage_of(const struct usage_points *points, const char *name, struct metrics_usage *ret_usage) {
    uint64_t memory = points->memory < INT64_MAX ? points->memory : INT64_MAX;

    *ret_usage = (struct metrics_usage){.name = name, .memory_bytes = (int64_t)memory};
    return points->has_prev && usage_points_rate(points, &ret_usage->cpu_nano);
}

/* Of a pod, the container that was measured first tells the time and the window, as with metrics-server. */
static void set_time(struct metrics_object *object, const struct usage_points *points) {
    if (object->usage_count && object->at <= points->last.at)
        return;
    object->at = points->last.at;
    object->window = points->last.at - points->prev.at;
}

/* Else the pod is left out as a whole: a sum without one of its containers would look like less load. */
static bool has_two_points(const struct stored_pod *pod) {
    for (uint32_t i = 0; i < pod->count; i++)
        if (!pod->containers[i].points.has_prev)
            return false;
    return true;
}

bool usage_store_pod(const struct usage_store *store, const struct usage_pod *pod, struct arena *arena,
                     struct metrics_object *ret_object) {
    const struct stored_pod *stored = stored_pod(store, pod);

    if (!stored || !has_two_points(stored))
        return false;
    struct metrics_usage *usages = ARENA_ARRAY(arena, struct metrics_usage, stored->count);
    struct metrics_object object = {.ns = stored->ns, .name = stored->name, .usages = usages};
    for (uint32_t i = 0; i < stored->count; i++) {
        const struct stored_container *container = &stored->containers[i];
        if (!usage_of(&container->points, container->name, &usages[object.usage_count]))
            continue; /* as there: a counter that fell hides its container alone */
        set_time(&object, &container->points);
        object.usage_count++;
    }
    if (object.usage_count)
        *ret_object = object;
    return object.usage_count > 0;
}

bool usage_store_node(const struct usage_store *store, const char *node, struct arena *arena,
                      struct metrics_object *ret_object) {
    const struct stored_node *stored = map_get(&store->nodes, node);
    struct metrics_usage usage;

    if (!stored || !stored->has_self || !usage_of(&stored->self, "", &usage))
        return false;
    struct metrics_object object = {.ns = "", .name = stored->name};
    set_time(&object, &stored->self);
    object.usages = memcpy(ARENA_NEW(arena, struct metrics_usage), &usage, sizeof(usage));
    object.usage_count = 1;
    *ret_object = object;
    return true;
}

/* Rounded up, as a Quantity's MilliValue. */
static int64_t milli_of(const struct metrics_usage *usage, enum usage_resource resource) {
    if (resource == USAGE_CPU)
        return usage->cpu_nano / 1000000 + (usage->cpu_nano % 1000000 > 0);
    return usage->memory_bytes < INT64_MAX / 1000 ? usage->memory_bytes * 1000 + usage->memory_milli
                                                  : INT64_MAX;
}

void usage_add(int64_t *sum, const struct metrics_usage *usage, enum usage_resource resource) {
    if (__builtin_add_overflow(*sum, milli_of(usage, resource), sum))
        *sum = INT64_MAX; /* none is below 0 */
}

void usage_store_value(const struct usage_store *store, const struct usage_pod *pod, const char *container,
                       enum usage_resource resource, struct pod_value *ret_value) {
    /* The same steps as usage_store_pod with no object made of them. The time is the pod's also where one
     * container is asked for: it is that of the PodMetrics in which HPA would find it. */
    const struct stored_pod *stored = stored_pod(store, pod);
    struct metrics_object object = {0};
    struct metrics_usage usage;
    int64_t sum = 0;
    bool found = false;

    *ret_value = (struct pod_value){0};
    if (!stored || !has_two_points(stored))
        return;
    for (uint32_t i = 0; i < stored->count; i++) {
        const struct stored_container *c = &stored->containers[i];
        if (!usage_of(&c->points, c->name, &usage))
            continue;
        set_time(&object, &c->points);
        object.usage_count++;
        if (container && strcmp(container, c->name) != 0)
            continue;
        found = true;
        usage_add(&sum, &usage, resource);
    }
    if (found)
        *ret_value =
            (struct pod_value){.known = true, .milli = sum, .at = object.at, .window = object.window};
}

static usec_t latest(const struct stored_pod *pod, usec_t newest) {
    for (uint32_t i = 0; i < pod->count; i++)
        if (pod->containers[i].points.last.at > newest)
            newest = pod->containers[i].points.last.at;
    return newest;
}

void usage_store_namespaces(const struct usage_store *store, const char *node, usage_namespace_fn *fn,
                            void *arg) {
    const struct stored_node *stored = map_get(&store->nodes, node);
    uint32_t count = stored ? stored->pod_count : 0, end;

    /* Pods of one namespace stand side by side. */
    for (uint32_t i = 0; i < count; i = end) {
        const struct stored_pod *pods = stored->pods;
        usec_t newest = INT64_MIN;
        for (end = i; end < count && strcmp(pods[i].ns, pods[end].ns) == 0; end++)
            newest = latest(&pods[end], newest);
        fn(arg, pods[i].ns, newest);
    }
}

bool usage_store_ready(const struct usage_store *store) {
    return store->ready > 0;
}

void usage_store_stats(const struct usage_store *store, struct usage_store_stats *ret_stats) {
    *ret_stats = store->stats;
}
