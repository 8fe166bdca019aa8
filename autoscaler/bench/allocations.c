/* Counting allocations: the dynamic linker takes a program's own malloc before the C library's, also for
 * calls from within libraries (vasprintf, qsort). */
#include "autoscaler/bench/allocations.h"

#include <stddef.h>

static uint64_t counted;

uint64_t allocations(void) {
    return counted;
}

/* The sanitizers bring a malloc of their own, which must not be taken from them. */
#ifndef __SANITIZE_ADDRESS__
/* glibc's own names for what it would have called. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t size);

void *malloc(size_t size) {
    counted++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    counted++;
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size) {
    counted++;
    return __libc_realloc(p, size);
}
#endif
