/* Allocation that cannot fail: out of memory ends the process (sizes that come from outside are bounded by
 * their callers, so that a peer cannot cause it). */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* As malloc, calloc, realloc, strdup and strndup, but never NULL; the caller owns the result and frees it
 * with free(3). A size of 0 is allocated as 1. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);

/* printf into new memory; owned by the caller. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define XNEW(T) ((T *)xcalloc(1, sizeof(T)))

#endif
