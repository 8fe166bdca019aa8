/* Hash map from borrowed strings to pointers. Entries stand in the order in which they came, and slots, which
 * are what is hashed, tell where: so nobody can see the hashes, which are others each time.
 *
 * A slot is never given back before the next rebuild: the entry of a removed key keeps it, without its key,
 * so that searches for what came to lie behind it do not stop there. There is always a free slot, as entries
 * have room for three quarters of them only; that is what ends a search. */
#include "base/map.h"

#include "base/hash.h"
#include "base/mem.h"
#include <string.h>

uint32_t map_hash(const char *key, size_t len) {
    return (uint32_t)hash_bytes(key, len);
}

void map_init(struct map *m) {
    *m = (struct map){0};
}

void map_done(struct map *m) {
    free(m->entries);
    free(m->slots);
    map_init(m);
}

/* More would make searches long. */
static size_t room(size_t cap) {
    return cap / 4 * 3;
}

size_t map_size(const struct map *m) {
    return m->cap * sizeof(*m->slots) + room(m->cap) * sizeof(*m->entries);
}

/* The hash first: it tells most others apart without a look at their texts, which lie somewhere else. */
static bool same(const struct map_entry *e, const char *key, size_t len, uint32_t hash) {
    return e->key && e->hash == hash && strlen(e->key) == len && memcmp(e->key, key, len) == 0;
}

/* The entry of key, or NULL. */
static struct map_entry *find(const struct map *m, const char *key, size_t len, uint32_t hash) {
    if (!m->cap)
        return NULL;
    for (size_t i = hash & (m->cap - 1); m->slots[i]; i = (i + 1) & (m->cap - 1)) {
        struct map_entry *e = &m->entries[m->slots[i] - 1];
        if (same(e, key, len, hash))
            return e;
    }
    return NULL;
}

/* Puts an entry that is known not to be there into a table that has room. */
static void insert(struct map *m, struct map_entry entry) {
    size_t i = entry.hash & (m->cap - 1);

    while (m->slots[i])
        i = (i + 1) & (m->cap - 1);
    m->entries[m->filled++] = entry;
    m->slots[i] = (uint32_t)m->filled;
    m->len++;
}

static void rebuild(struct map *m, size_t cap) {
    struct map old = *m;

    *m = (struct map){.entries = xcalloc(room(cap), sizeof(*m->entries)),
                      .slots = xcalloc(cap, sizeof(*m->slots)),
                      .cap = cap};
    for (size_t i = 0; i < old.filled; i++)
        if (old.entries[i].key)
            insert(m, old.entries[i]);
    map_done(&old);
}

/* What was removed keeps its room until then. Where that is much the size stays, so that a map in which
 * things come and go does not grow; after a rebuild at least a third of the room is free, so the next one
 * is far. */
static void make_room(struct map *m) {
    if (!m->cap)
        rebuild(m, 8);
    else if (m->filled == room(m->cap))
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

    if (e) { /* the key too: the old one may go with the old value */
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
    *e = (struct map_entry){0};
    m->len--;
    return old;
}

bool map_next(const struct map *m, struct map_iter *it, const char **ret_key, void **ret_value) {
    while (it->at < m->filled) {
        const struct map_entry *e = &m->entries[it->at++];
        if (!e->key)
            continue;
        if (ret_key)
            *ret_key = e->key;
        if (ret_value)
            *ret_value = e->value;
        return true;
    }
    return false;
}
