/* Hash map from borrowed strings to pointers. */
#include "base/map.h"

#include "base/mem.h"
#include <string.h>

static const char tombstone[] = "";

uint32_t map_hash(const char *key, size_t len) {
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)key[i]) * 16777619u;
    return h ^ (h >> 15);
}

void map_init(struct map *m) {
    *m = (struct map){0};
}

void map_done(struct map *m) {
    free(m->entries);
    map_init(m);
}

static bool same(const struct map_entry *e, const char *key, size_t len, uint32_t hash) {
    return e->key != tombstone && e->hash == hash && strlen(e->key) == len && memcmp(e->key, key, len) == 0;
}

/* The entry of key, or NULL. */
static struct map_entry *find(const struct map *m, const char *key, size_t len, uint32_t hash) {
    if (!m->cap)
        return NULL;
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_entry *e = &m->entries[i];
        if (!e->key)
            return NULL;
        if (same(e, key, len, hash))
            return e;
    }
}

/* Puts an entry that is known not to be there into a table that has room. */
static void insert(struct map *m, struct map_entry entry) {
    size_t i = entry.hash & (m->cap - 1);

    while (m->entries[i].key)
        i = (i + 1) & (m->cap - 1);
    m->entries[i] = entry;
    m->len++;
    m->filled++;
}

static void rebuild(struct map *m, size_t cap) {
    struct map old = *m;

    *m = (struct map){.entries = xcalloc(cap, sizeof(*m->entries)), .cap = cap};
    for (size_t i = 0; i < old.cap; i++)
        if (old.entries[i].key && old.entries[i].key != tombstone)
            insert(m, old.entries[i]);
    free(old.entries);
}

static void make_room(struct map *m) {
    if (!m->cap)
        rebuild(m, 8);
    else if ((m->filled + 1) * 4 > m->cap * 3)
        rebuild(m, (m->len + 1) * 2 > m->cap ? m->cap * 2 : m->cap);
}

void *map_get_n(const struct map *m, const char *key, size_t len) {
    const struct map_entry *e = find(m, key, len, map_hash(key, len));
    return e ? e->value : NULL;
}

void *map_get(const struct map *m, const char *key) {
    return map_get_n(m, key, strlen(key));
}

void *map_put(struct map *m, const char *key, void *value) {
    size_t len = strlen(key);
    uint32_t hash = map_hash(key, len);
    struct map_entry *e = find(m, key, len, hash);

    if (e) {
        void *old = e->value;
        *e = (struct map_entry){.key = key, .value = value, .hash = hash};
        return old;
    }
    make_room(m);
    insert(m, (struct map_entry){.key = key, .value = value, .hash = hash});
    return NULL;
}

void *map_remove(struct map *m, const char *key) {
    size_t len = strlen(key);
    struct map_entry *e = find(m, key, len, map_hash(key, len));

    if (!e)
        return NULL;
    void *old = e->value;
    *e = (struct map_entry){.key = tombstone};
    m->len--;
    return old;
}

bool map_next(const struct map *m, struct map_iter *it, const char **ret_key, void **ret_value) {
    for (; it->at < m->cap; it->at++) {
        const struct map_entry *e = &m->entries[it->at];
        if (!e->key || e->key == tombstone)
            continue;
        it->at++;
        if (ret_key)
            *ret_key = e->key;
        if (ret_value)
            *ret_value = e->value;
        return true;
    }
    return false;
}
