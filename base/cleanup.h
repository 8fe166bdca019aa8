/* Scope-bound cleanup: `cleanup(f) T v = …;` calls f(&v) when v goes out of scope. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(f) __attribute__((cleanup(f)))

static inline void cleanup_free_p(void *p) {
    free(*(void **)p);
}
static inline void cleanup_close_p(int *fd) {
    if (*fd >= 0)
        close(*fd);
}
static inline void cleanup_file_p(FILE **f) {
    if (*f)
        fclose(*f);
}

#define cleanup_free cleanup(cleanup_free_p)
#define cleanup_close cleanup(cleanup_close_p)
#define cleanup_file cleanup(cleanup_file_p)

/* Takes the value out of a variable with a cleanup and leaves NULL behind: `return steal_ptr(&p);`. */
#define steal_ptr(pp)                                                                                        \
    ({                                                                                                       \
        __typeof__(*(pp)) steal_ptr_ = *(pp);                                                                \
        *(pp) = NULL;                                                                                        \
        steal_ptr_;                                                                                          \
    })

#endif
