/* An arena: memory that is taken piece by piece and given back at once. One for each decode and each
 * decision. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/cleanup.h"
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* the newest first */
    size_t block_size;          /* of an ordinary block */
    size_t used;                /* bytes handed out since the last reset */
};

/* An empty arena; block_size 0 means 4 KiB. Allocates nothing yet. */
void arena_init(struct arena *a, size_t block_size);
/* Frees everything. */
void arena_done(struct arena *a);
/* Takes everything back and keeps one block for the next round. */
void arena_reset(struct arena *a);
/* Zeroed memory, aligned for any type; lives until the arena is reset or done. Never NULL. */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len);
/* One text of several, without the cost of formatting; texts ends with NULL. ARENA_JOIN takes them one by
 * one, none of them NULL. */
char *arena_join(struct arena *a, const char *const *texts);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_JOIN(a, ...) arena_join((a), (const char *const[]){__VA_ARGS__, NULL})
#define ARENA_NEW(a, T) ((T *)arena_alloc((a), sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_alloc((a), sizeof(T) * (size_t)(n)))
#define cleanup_arena cleanup(arena_done)

#endif
