/* A hash map from strings to pointers (open addressing, linear probing). Keys are borrowed: whoever puts an
 * entry keeps the key alive and unchanged until it is removed, so that an object's own name can serve as its
 * key. Hashes are another in each process (base/hash.h); what is seen of a map does not depend on them. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
    const char *key; /* NULL: removed */
    void *value;
    uint32_t hash;
};

struct map {
    struct map_entry *entries; /* in the order in which they were put */
    uint32_t *slots;           /* by hash: the number of an entry, from 1; 0: free */
    size_t cap;    /* of slots: a power of two, or 0; entries have room for three quarters of it */
    size_t len;    /* entries in use */
    size_t filled; /* entries in use and removed ones */
};

/* Start one with {0}. Entries may be removed, but none put, while it runs. */
struct map_iter {
    size_t at;
};

void map_init(struct map *m);
/* Frees the table, not the keys and not the values. */
void map_done(struct map *m);
/* The value, or NULL where there is none. */
void *map_get(const struct map *m, const char *key);
void *map_get_n(const struct map *m, const char *key, size_t len);
/* Puts or replaces (key and value both) and returns the value that was there before, or NULL. value must not
 * be NULL. */
void *map_put(struct map *m, const char *key, void *value);
/* Removes and returns the value, or NULL where there was none. */
void *map_remove(struct map *m, const char *key);
/* Steps through the entries in the order in which they were put (replacing keeps the place); false at the
 * end. ret_key and ret_value may be NULL. */
bool map_next(const struct map *m, struct map_iter *it, const char **ret_key, void **ret_value);
/* Bytes of the table. */
size_t map_size(const struct map *m);

/* hash_bytes, as a map keeps it. */
uint32_t map_hash(const char *key, size_t len);

#define cleanup_map cleanup(map_done)

#endif
