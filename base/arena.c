/* Arena allocation: a chain of blocks, the newest in front. Only the newest is ever taken from: what the
 * older ones have left at their end is lost until the reset, which costs less than looking for it. A piece
 * that is larger than a block gets one of its own size, which then is the newest. */
#include "base/arena.h"

#include "base/mem.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { ALIGN = 16, DEFAULT_BLOCK = 4096 };

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    _Alignas(ALIGN) char data[];
};

void arena_init(struct arena *a, size_t block_size) {
    *a = (struct arena){.block_size = block_size ? block_size : DEFAULT_BLOCK};
}

static void free_chain(struct arena_block *b) {
    while (b) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
}

void arena_done(struct arena *a) {
    free_chain(a->blocks);
    arena_init(a, a->block_size);
}

void arena_reset(struct arena *a) {
    struct arena_block *keep = a->blocks;

    a->used = 0;
    if (!keep)
        return;
    free_chain(keep->next);
    keep->next = NULL;
    keep->used = 0;
    if (keep->size > 16 * a->block_size)
        arena_done(a); /* one large round must not be paid for ever */
}

static struct arena_block *grow(struct arena *a, size_t size) {
    size_t want = size > a->block_size ? size : a->block_size;
    struct arena_block *b = xmalloc(sizeof(*b) + want);

    *b = (struct arena_block){.next = a->blocks, .size = want};
    a->blocks = b;
    return b;
}

/* As arena_alloc, with whatever lay there before. */
static void *take(struct arena *a, size_t size) {
    struct arena_block *b = a->blocks;

    if (size > SIZE_MAX / 2)
        abort();                                      /* a count that was not bounded */
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1); /* so that used stays a multiple, and p aligned */
    if (!b || b->size - b->used < size)
        b = grow(a, size);
    void *p = b->data + b->used;
    b->used += size;
    a->used += size;
    return p;
}

void *arena_alloc(struct arena *a, size_t size) {
    return memset(take(a, size), 0, size);
}

char *arena_strdup(struct arena *a, const char *s) {
    return arena_strndup(a, s, strlen(s));
}

char *arena_strndup(struct arena *a, const char *s, size_t len) {
    char *p = take(a, len + 1);
    memcpy(p, s, len);
    p[len] = '\0';
    return p;
}

char *arena_join(struct arena *a, const char *const *texts) {
    size_t size = 1;

    for (const char *const *t = texts; *t; t++)
        size += strlen(*t);
    char *p = take(a, size), *end = p;
    for (const char *const *t = texts; *t; t++) {
        size_t len = strlen(*t);
        memcpy(end, *t, len);
        end += len;
    }
    *end = '\0';
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...) {
    struct arena_block *b = a->blocks;
    char *ahead = b ? b->data + b->used : NULL;
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    /* Most texts fit into what is left of the block: they are written there before their room is taken. */
    int n = vsnprintf(ahead, b ? b->size - b->used : 0, fmt, ap);
    va_end(ap);
    size_t size = (n < 0 ? 0 : (size_t)n) + 1;
    /* Where the block had no room take has begun another one, and the text is written a second time. */
    char *p = take(a, size);
    if (p != ahead)
        vsnprintf(p, size, fmt, again);
    if (n < 0)
        *p = '\0';
    va_end(again);
    return p;
}
