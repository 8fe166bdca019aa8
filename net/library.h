/* Libraries that are loaded when they are first needed: those of the network bring some thirty others
 * along, and loading all that takes longer than `trimtab evaluate` may take as a whole
 * (docs/decisions/008-network-libraries-are-loaded-on-use.md).
 *
 * Each has a file of its own with a list of the functions that net uses. A table of pointers is made of the
 * list, with the types of the library's own header, so that the compiler checks the calls; a function that is
 * not in the list cannot be called, as the binary is not linked with the library. */
#ifndef NET_LIBRARY_H
#define NET_LIBRARY_H

#include "base/err.h"
#include <stddef.h>

struct library {
    const char *file;         /* "libcurl.so.4" */
    const char *package;      /* what to install where it is not there */
    const char *prefix;       /* of every name */
    const char *const *names; /* in the order of the table */
    size_t count;
};

/* Opens the library, for good, and fills a table of count function pointers. -ELIBACC with the loader's own
 * message and the package where it, or a function, is not there; then the table is untouched. */
int library_open(const struct library *library, void *ret_table, struct err *err);
/* For those who can report no failure: calls load and ends the process with its message where it fails.
 * `trimtab run` loads everything, or refuses to start, long before. */
void library_need(int (*load)(struct err *err));

/* For the array of names: FUNCTIONS(LIBRARY_NAME). */
#define LIBRARY_NAME(name) #name,

#endif
