/* Bounded growing buffers. */
#include "base/buf.h"

#include "base/mem.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What data points to while nothing is allocated (cap is 0): a text without a check for NULL. All empty
 * buffers share it; nothing but a NUL is ever written there. */
static char empty[1] = "";

void buf_init(struct buf *b, size_t max) {
    *b = (struct buf){.data = empty, .max = max};
}

void buf_done(struct buf *b) {
    if (b->cap)
        free(b->data);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b) {
    b->len = 0;
    b->data[0] = '\0';
}

void buf_trim(struct buf *b) {
    if (b->cap <= b->len + 1)
        return;
    b->cap = b->len + 1;
    b->data = xrealloc(b->data, b->cap);
}

static int grow(struct buf *b, size_t len) {
    if (len > b->max || b->len > b->max - len) /* no sum that could overflow */
        return -E2BIG;
    size_t need = b->len + len + 1;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap *= 2;
    if (cap > b->max) /* never more than the maximum and its NUL; need is at most that */
        cap = b->max + 1;
    b->data = xrealloc(b->cap ? b->data : NULL, cap);
    b->cap = cap;
    return 0;
}

/* Makes room for len more bytes and the NUL. There is room most often, and then within the maximum: documents
 * are put together of short pieces. cap is more than len wherever there is memory, and both are 0 where there
 * is none: the difference never wraps. */
static inline int reserve(struct buf *b, size_t len) {
    return b->cap - b->len > len ? 0 : grow(b, len);
}

int buf_append(struct buf *b, const void *data, size_t len) {
    if (!len) /* data may be NULL then, which memcpy must not be given */
        return 0;
    int ret = reserve(b, len);
    if (ret < 0)
        return ret;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return 0;
}

int buf_append_text(struct buf *b, const char *text, size_t len) {
    int ret = reserve(b, len + 1);

    if (ret < 0)
        return ret;
    memcpy(b->data + b->len, text, len);
    b->data[b->len + len] = '\0';
    b->len += len + 1;
    b->data[b->len] = '\0';
    return 0;
}

int buf_puts(struct buf *b, const char *s) {
    return buf_append(b, s, strlen(s));
}

int buf_printf(struct buf *b, const char *fmt, ...) {
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    int ret = n < 0 ? -EINVAL : reserve(b, (size_t)n);
    if (ret == 0) { /* of nothing, too: new memory has no NUL yet */
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return ret;
}

void buf_consume(struct buf *b, size_t n) {
    if (n >= b->len) {
        buf_reset(b);
        return;
    }
    memmove(b->data, b->data + n, b->len - n + 1);
    b->len -= n;
}

char *buf_detach(struct buf *b) {
    char *s = b->cap ? b->data : xstrdup("");
    buf_init(b, b->max);
    return s;
}
