/* A growing byte buffer that is born with its maximum, so that whoever fills it cannot fill the memory.
 * Invariant: data is always a NUL-terminated string (the NUL is not counted in len), never NULL after
 * buf_init. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/cleanup.h"
#include <stddef.h>

struct buf {
    char *data;
    size_t len, cap, max;
};

/* An empty buffer that takes at most max bytes. Allocates nothing yet. */
void buf_init(struct buf *b, size_t max);
/* Frees the contents; the buffer may be initialised again. */
void buf_done(struct buf *b);
/* Empties the buffer and keeps its memory. */
void buf_reset(struct buf *b);
/* Gives memory that the contents do not need back. */
void buf_trim(struct buf *b);
/* Appends; 0, or -E2BIG past the maximum (then nothing is appended). */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_puts(struct buf *b, const char *s);
/* Appends text and a NUL that counts in len: for texts that stand one behind the other. As buf_append. */
int buf_append_text(struct buf *b, const char *text, size_t len);
/* Appends formatted text; as buf_append. */
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Removes the first n bytes (all of them where n is larger). */
void buf_consume(struct buf *b, size_t n);
/* Hands the string over to the caller, who frees it with free(3); the buffer is empty again. */
char *buf_detach(struct buf *b);

#define cleanup_buf cleanup(buf_done)

#endif
