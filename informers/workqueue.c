/* A binary heap of keys by time and arrival, with a map from key to item, which knows its place in the heap.
 * An item is in both or in neither; its key is its own text, and so it leaves the map before it is freed. */
#include "informers/workqueue.h"

#include "base/map.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

struct item {
    usec_t when;
    uint64_t arrival;
    size_t at; /* in the heap */
    char key[];
};

struct workqueue {
    struct item **heap;
    size_t len, cap;
    struct map items; /* key → struct item */
    uint64_t arrivals;
};

struct workqueue *workqueue_new(void) {
    return XNEW(struct workqueue);
}

void workqueue_free(struct workqueue *queue) {
    if (!queue)
        return;
    for (size_t i = 0; i < queue->len; i++)
        free(queue->heap[i]);
    map_done(&queue->items);
    free(queue->heap);
    free(queue);
}

/* Of equal times the one that came first: no key can starve another. */
static bool before(const struct item *a, const struct item *b) {
    return a->when != b->when ? a->when < b->when : a->arrival < b->arrival;
}

/* Each item knows its place, so that one in the middle can be moved or taken out without a search. */
static void put_at(struct workqueue *queue, size_t at, struct item *item) {
    queue->heap[at] = item;
    item->at = at;
}

static void sift_up(struct workqueue *queue, struct item *item) {
    size_t at = item->at;

    while (at > 0 && before(item, queue->heap[(at - 1) / 2])) {
        put_at(queue, at, queue->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put_at(queue, at, item);
}

static void sift_down(struct workqueue *queue, struct item *item) {
    size_t at = item->at;

    for (size_t child; (child = 2 * at + 1) < queue->len; at = child) {
        if (child + 1 < queue->len && before(queue->heap[child + 1], queue->heap[child]))
            child++;
        if (!before(queue->heap[child], item))
            break;
        put_at(queue, at, queue->heap[child]);
    }
    put_at(queue, at, item);
}

static void push(struct workqueue *queue, struct item *item) {
    if (queue->len == queue->cap) {
        queue->cap = queue->cap ? queue->cap * 2 : 16;
        queue->heap = xrealloc(queue->heap, queue->cap * sizeof(struct item *));
    }
    put_at(queue, queue->len++, item);
    sift_up(queue, item);
}

/* Takes an item out of heap and map; it is the caller's. */
static void detach(struct workqueue *queue, struct item *item) {
    struct item *last = queue->heap[--queue->len];

    map_remove(&queue->items, item->key);
    if (last == item)
        return;
    /* The last comes from another branch, and may belong above or below: one of the two does nothing. */
    put_at(queue, item->at, last);
    sift_up(queue, last);
    sift_down(queue, last);
}

/* A key is in the queue once: asked for again it moves to the earlier of the two times, never to a later one,
 * so that no wish to look soon is lost. */
void workqueue_add(struct workqueue *queue, const char *key, usec_t when) {
    struct item *item = map_get(&queue->items, key);

    if (item) {
        if (when < item->when) {
            item->when = when;
            sift_up(queue, item);
        }
        return;
    }
    size_t len = strlen(key);
    item = xmalloc(sizeof(*item) + len + 1);
    *item = (struct item){.when = when, .arrival = queue->arrivals++};
    memcpy(item->key, key, len + 1);
    map_put(&queue->items, item->key, item);
    push(queue, item);
}

void workqueue_remove(struct workqueue *queue, const char *key) {
    struct item *item = map_get(&queue->items, key);

    if (!item)
        return;
    detach(queue, item);
    free(item);
}

char *workqueue_take(struct workqueue *queue, usec_t now) {
    if (!queue->len || queue->heap[0]->when > now)
        return NULL;
    struct item *item = queue->heap[0];
    char *key = xstrdup(item->key);
    detach(queue, item);
    free(item);
    return key;
}

bool workqueue_next(const struct workqueue *queue, usec_t *ret_when) {
    if (!queue->len)
        return false;
    *ret_when = queue->heap[0]->when;
    return true;
}

size_t workqueue_length(const struct workqueue *queue) {
    return queue->len;
}
