/* A map and a list in the order of use. Each entry is in both, from put to drop, and bytes is the sum of
 * theirs. Nothing sweeps out what has expired: it goes when it is asked for, or as the oldest, and until then
 * it is within the bounds. */
#include "adapter/access_cache.h"

#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

struct access_cache_entry {
    struct access_cached answer;
    struct access_cache_entry *newer, *older;
    usec_t until;
    size_t bytes;
    char key[]; /* and behind it the reason */
};

void access_cache_init(struct access_cache *cache, size_t max_entries, size_t max_bytes) {
    *cache = (struct access_cache){.max_entries = max_entries, .max_bytes = max_bytes};
    map_init(&cache->entries);
}

static void list_remove(struct access_cache *cache, struct access_cache_entry *e) {
    *(e->newer ? &e->newer->older : &cache->newest) = e->older;
    *(e->older ? &e->older->newer : &cache->oldest) = e->newer;
}

static void list_put_first(struct access_cache *cache, struct access_cache_entry *e) {
    e->newer = NULL;
    e->older = cache->newest;
    *(e->older ? &e->older->newer : &cache->oldest) = e;
    cache->newest = e;
}

/* The map first: its key lies in the entry. */
static void drop(struct access_cache *cache, struct access_cache_entry *e) {
    map_remove(&cache->entries, e->key);
    list_remove(cache, e);
    cache->bytes -= e->bytes;
    access_identity_unref(e->answer.identity);
    free(e);
}

void access_cache_done(struct access_cache *cache) {
    while (cache->oldest)
        drop(cache, cache->oldest);
    map_done(&cache->entries);
}

const struct access_cached *access_cache_get(struct access_cache *cache, const char *key, usec_t now) {
    struct access_cache_entry *e = map_get(&cache->entries, key);

    if (!e)
        return NULL;
    if (e->until <= now) {
        drop(cache, e);
        return NULL;
    }
    /* Being asked for keeps it from being pushed out, but makes it no younger: rights that were taken away
     * would hold for ever. */
    list_remove(cache, e);
    list_put_first(cache, e);
    return &e->answer;
}

void access_cache_put(struct access_cache *cache, const char *key, const struct access_cached *answer,
                      usec_t until) {
    const char *reason = str_or_empty(answer->reason);
    size_t key_size = strlen(key) + 1, reason_size = strlen(reason) + 1;
    struct access_cache_entry *e = map_get(&cache->entries, key);
    size_t size = sizeof(*e) + key_size + reason_size;
    /* Each token's answer comes with an identity of its own, which may be far larger than the entry. */
    size_t bytes = size + (answer->identity ? answer->identity->arena.used : 0);

    if (e)
        drop(cache, e);
    if (bytes > cache->max_bytes / 100)
        return;
    while (cache->entries.len >= cache->max_entries || cache->bytes + bytes > cache->max_bytes)
        drop(cache, cache->oldest);
    e = xcalloc(1, size);
    memcpy(e->key, key, key_size);
    memcpy(e->key + key_size, reason, reason_size);
    e->answer = (struct access_cached){.yes = answer->yes, .reason = e->key + key_size};
    if (answer->identity)
        e->answer.identity = access_identity_ref(answer->identity);
    e->until = until;
    e->bytes = bytes;
    cache->bytes += bytes;
    map_put(&cache->entries, e->key, e);
    list_put_first(cache, e);
}
