/* Allocation that aborts instead of failing. Sizes that come from outside are bounded where they come in, so
 * that nobody can provoke it; for the rest there is no sensible way on without memory. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p, size_t size) {
    if (p)
        return p;
    fprintf(stderr, "out of memory (%zu bytes)\n", size);
    abort();
}

/* Of nothing, malloc may return NULL: one byte is asked for instead. */
void *xmalloc(size_t size) {
    return must(malloc(size ? size : 1), size);
}

void *xcalloc(size_t n, size_t size) {
    return must(calloc(n ? n : 1, size ? size : 1), size);
}

void *xrealloc(void *p, size_t size) {
    return must(realloc(p, size ? size : 1), size);
}

char *xstrdup(const char *s) {
    return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t len) {
    size_t n = strnlen(s, len); /* s need not have a NUL within len */
    char *p = xmalloc(n + 1);
    memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

char *xasprintf(const char *fmt, ...) {
    va_list ap;
    char *p = NULL;

    va_start(ap, fmt);
    int n = vasprintf(&p, fmt, ap);
    va_end(ap);
    return must(n < 0 ? NULL : p, 0);
}
