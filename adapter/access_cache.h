/* What is known for some seconds: answers by the text of their question, bounded in number and in bytes; the
 * one that was not asked for the longest goes first. Pure: time is an argument. */
#ifndef ADAPTER_ACCESS_CACHE_H
#define ADAPTER_ACCESS_CACHE_H

#include "adapter/access_identity.h"
#include "base/clock.h"
#include "base/map.h"

struct access_cached {
    bool yes;                         /* authenticated; allowed */
    struct access_identity *identity; /* of a token; one reference; NULL: none */
    const char *reason;               /* why not, "" where it was not said */
};

struct access_cache_entry;
struct access_cache {
    struct map entries;
    struct access_cache_entry *newest, *oldest;
    size_t bytes, max_bytes, max_entries;
};

void access_cache_init(struct access_cache *cache, size_t max_entries, size_t max_bytes);
void access_cache_done(struct access_cache *cache);
/* The answer, or NULL where there is none that is still good at now. Borrowed until the next put. */
const struct access_cached *access_cache_get(struct access_cache *cache, const char *key, usec_t now);
/* Puts or replaces; everything is copied, identity gets one more reference. An answer that would take more
 * than a hundredth of max_bytes, its identity included, is not kept, so that nobody pushes out all others. */
void access_cache_put(struct access_cache *cache, const char *key, const struct access_cached *answer,
                      usec_t until);

#endif
