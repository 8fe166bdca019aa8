/* Objects by key, with their indexes. An entry holds the one reference that cache_put took over, and is a
 * link in the lists of the index. A new version gets a new entry: what an entry points to never changes. */
#include "informers/cache.h"

#include "base/mem.h"
#include "informers/index.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cache {
    struct map entries; /* the object's own key → struct index_entry */
    struct index index;
    size_t bytes;
};

struct cache *cache_new(void) {
    struct cache *cache = XNEW(struct cache);

    map_init(&cache->entries);
    index_init(&cache->index);
    return cache;
}

/* An estimate for the metrics: labels count with their group, and texts of the pool not at all. */
static size_t entry_bytes(const struct index_entry *entry) {
    return sizeof(*entry) + object_bytes(entry->object);
}

/* Takes an entry out of everything but the map, and frees it; the object's reference is the caller's. */
static const struct object *drop(struct cache *cache, struct index_entry *entry) {
    const struct object *o = entry->object;

    cache->bytes -= entry_bytes(entry);
    index_remove(&cache->index, entry);
    free(entry);
    return o;
}

void cache_free(struct cache *cache) {
    struct map_iter it = {0};
    void *entry;

    if (!cache)
        return;
    while (map_next(&cache->entries, &it, NULL, &entry))
        object_unref(drop(cache, entry));
    map_done(&cache->entries);
    index_done(&cache->index);
    free(cache);
}

/* The map's key is the object's own text, so that an entry must leave the map before its object may go. */
static void insert(struct cache *cache, struct index_entry *entry, struct object *object) {
    index_add(&cache->index, entry, object);
    map_put(&cache->entries, object->key, entry);
    cache->bytes += entry_bytes(entry);
}

/* The new one is put in before the old one leaves, so that it finds the group to share with. The old object
 * is the caller's by then, who keeps it: drop has only taken it out. */
static void replace(struct cache *cache, struct index_entry *entry, struct object *object) {
    struct index_entry *fresh = XNEW(struct index_entry);

    fresh->epoch = entry->epoch;
    insert(cache, fresh, object);
    drop(cache, entry);
}

/* A list repeats what a watch has brought. The uid counts as well: an object that was deleted and made again
 * starts a life of its own, and versions are the server's to compare, not ours. */
static bool same_version(const struct object *a, const struct object *b) {
    return *a->resource_version && strcmp(a->resource_version, b->resource_version) == 0 &&
           strcmp(a->uid, b->uid) == 0;
}

enum cache_change cache_put(struct cache *cache, struct object *object, uint32_t epoch,
                            const struct object **ret_old, const struct object **ret_new) {
    struct index_entry *entry = map_get(&cache->entries, object->key);

    *ret_old = NULL;
    *ret_new = object;
    if (!entry) {
        entry = XNEW(struct index_entry);
        entry->epoch = epoch;
        insert(cache, entry, object);
        return CACHE_ADDED;
    }
    /* Also what has not changed bears the list's stamp: that is what keeps it from being swept. */
    entry->epoch = epoch;
    if (same_version(entry->object, object)) {
        object_unref(object);
        *ret_new = entry->object;
        return CACHE_SAME;
    }
    *ret_old = entry->object;
    replace(cache, entry, object);
    return CACHE_MODIFIED;
}

const struct object *cache_remove(struct cache *cache, const char *key) {
    struct index_entry *entry = map_remove(&cache->entries, key);

    return entry ? drop(cache, entry) : NULL;
}

void cache_sweep(struct cache *cache, const char *ns, uint32_t epoch, cache_fn *fn, void *arg) {
    struct map_iter it = {0};
    const char *key;
    void *value;

    while (map_next(&cache->entries, &it, &key, &value)) {
        struct index_entry *entry = value;
        if (entry->epoch == epoch || (ns && !str_eq(entry->object->ns, ns)))
            continue;
        map_remove(&cache->entries, key); /* first: the key is the object's */
        const struct object *old = drop(cache, entry);
        fn(arg, old); /* behind it all: whoever looks now finds the object gone */
        object_unref(old);
    }
}

/* The key is put together here as object_new does it: "namespace/name", or the name alone. It has room for
 * two texts of the decoder (DECODE_TEXT_MAX): what does not fit cannot be in the cache. */
const struct object *cache_get(const struct cache *cache, const char *ns, const char *name) {
    char key[2 * 1024 + 2];
    int len = snprintf(key, sizeof(key), "%s%s%s", ns, *ns ? "/" : "", name);

    if (len < 0 || (size_t)len >= sizeof(key))
        return NULL;
    const struct index_entry *entry = map_get_n(&cache->entries, key, (size_t)len);
    return entry ? entry->object : NULL;
}

void cache_select(const struct cache *cache, const char *ns, const struct selector *selector, cache_fn *fn,
                  void *arg) {
    index_select(&cache->index, ns, selector, fn, arg);
}

void cache_owned(const struct cache *cache, const char *owner_uid, cache_fn *fn, void *arg) {
    index_owned(&cache->index, owner_uid, fn, arg);
}

void cache_each(const struct cache *cache, cache_fn *fn, void *arg) {
    struct map_iter it = {0};
    void *entry;

    while (map_next(&cache->entries, &it, NULL, &entry))
        fn(arg, ((const struct index_entry *)entry)->object);
}

size_t cache_count(const struct cache *cache) {
    return cache->entries.len;
}

size_t cache_bytes(const struct cache *cache) {
    return cache->bytes + cache->index.bytes + map_size(&cache->entries);
}
