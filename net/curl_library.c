/* Loading libcurl. */
#include "net/curl_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct curl_library *libcurl;

static int refuse(struct err *err) {
    return err_set(err, -ELIBACC, "%s: install libcurl4", dlerror());
}

int curl_library_open(const char *file, struct curl_library *ret_library, struct err *err) {
    struct curl_library library;
    void *symbol;

    /* RTLD_NOW: what is missing shows here and not in the middle of a request. */
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return refuse(err);
        /* ISO C knows no way from a void pointer to a function's; POSIX says that the bytes are the same. */
#define CURL_LOOK_UP(name)                                                                                   \
    if (!(symbol = dlsym(handle, "curl_" #name)))                                                            \
        goto missing;                                                                                        \
    memcpy(&library.name, &symbol, sizeof(symbol));
    CURL_FUNCTIONS(CURL_LOOK_UP)
#undef CURL_LOOK_UP
    *ret_library = library;
    return 0; /* the handle is kept for good */

missing:
    refuse(err);
    dlclose(handle);
    return -ELIBACC;
}

int curl_library_load(struct err *err) {
    static struct curl_library library;

    if (libcurl)
        return 0;
    int ret = curl_library_open("libcurl.so.4", &library, err);
    if (ret == 0)
        libcurl = &library;
    return ret;
}

void curl_library_need(void) {
    struct err err;

    if (curl_library_load(&err) == 0)
        return;
    fprintf(stderr, "trimtab: %s\n", err_text(&err));
    exit(EXIT_FAILURE);
}
