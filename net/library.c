/* Loading libraries. */
#include "net/library.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Into an array of its own: the table is whole, or untouched. */
static int look_up(void *handle, const struct library *library, void **symbols) {
    for (size_t i = 0; i < library->count; i++) {
        cleanup_free char *name = xasprintf("%s%s", library->prefix, library->names[i]);
        symbols[i] = dlsym(handle, name);
        if (!symbols[i])
            return -ELIBACC;
    }
    return 0;
}

int library_open(const struct library *library, void *ret_table, struct err *err) {
    cleanup_free void **symbols = xcalloc(library->count, sizeof(void *));
    /* RTLD_NOW: what is missing shows here and not in the middle of a request. */
    void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);

    if (!handle || look_up(handle, library, symbols) < 0) {
        err_set(err, -ELIBACC, "%s: install %s", dlerror(), library->package);
        if (handle)
            dlclose(handle);
        return -ELIBACC;
    }
    /* ISO C knows no way from a void pointer to a function's; POSIX says that the bytes are the same. */
    memcpy(ret_table, symbols, library->count * sizeof(void *));
    return 0;
}

void library_need(int (*load)(struct err *err)) {
    struct err err;

    if (load(&err) == 0)
        return;
    fprintf(stderr, "trimtab: %s\n", err_text(&err));
    exit(EXIT_FAILURE);
}
