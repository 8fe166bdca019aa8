/* Counts every allocation of the process, whoever makes it: this program's malloc stands in front of the C
 * library's. */
#ifndef AUTOSCALER_BENCH_ALLOCATIONS_H
#define AUTOSCALER_BENCH_ALLOCATIONS_H

#include <stdint.h>

/* malloc, calloc and realloc so far; always 0 under the sanitizers, which have an allocator of their own. */
uint64_t allocations(void);

#endif
