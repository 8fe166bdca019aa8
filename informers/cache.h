/* The objects of one resource by key, indexed by namespace, by labels and by controlling owner. Pure. Objects
 * are immutable; a new version takes the place of the old one, and equal labels and containers are kept once.
 *
 * A list is taken in without a second copy: every object it brings is stamped with the list's epoch, and what
 * still has an older stamp at its end is gone (cache_sweep). */
#ifndef INFORMERS_CACHE_H
#define INFORMERS_CACHE_H

#include "api/types/object.h"
#include "api/types/selector.h"

struct cache;

enum cache_change { CACHE_SAME, CACHE_ADDED, CACHE_MODIFIED };

typedef void cache_fn(void *arg, const struct object *object);

/* Owned by the caller; free gives every object's reference back. */
struct cache *cache_new(void);
void cache_free(struct cache *cache);

/* Takes object (one reference, not yet seen by anyone) in. CACHE_SAME where the version that is there is the
 * same one; then, and for CACHE_ADDED, *ret_old is NULL, else the version before, its reference now the
 * caller's. *ret_new is borrowed. */
enum cache_change cache_put(struct cache *cache, struct object *object, uint32_t epoch,
                            const struct object **ret_old, const struct object **ret_new);
/* Takes an object out and returns it with its reference, or NULL where there is none. */
const struct object *cache_remove(struct cache *cache, const char *key);
/* Removes what has another epoch, of a namespace (NULL: of all), and calls fn for each; nothing may be put
 * inside. */
void cache_sweep(struct cache *cache, const char *ns, uint32_t epoch, cache_fn *fn, void *arg);

/* Borrowed until the next put, remove or sweep. */
const struct object *cache_get(const struct cache *cache, const char *ns, const char *name);
/* The objects of a namespace ("": cluster-scoped ones) that a selector matches; only the label sets that the
 * selector's rarest equality names are looked at. Nothing may be changed inside. */
void cache_select(const struct cache *cache, const char *ns, const struct selector *selector, cache_fn *fn,
                  void *arg);
void cache_owned(const struct cache *cache, const char *owner_uid, cache_fn *fn, void *arg);
void cache_each(const struct cache *cache, cache_fn *fn, void *arg);
size_t cache_count(const struct cache *cache);
/* About what the objects and their indexes take; pooled strings are not counted. */
size_t cache_bytes(const struct cache *cache);

#endif
