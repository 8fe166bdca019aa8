/* Loading libwebsockets. */
#include "net/lws_library.h"

#include "net/library.h"

const struct lws_library *libwebsockets;

int lws_library_load(struct err *err) {
    static const char *const names[] = {LWS_FUNCTIONS(LIBRARY_NAME)};
    static const struct library library = {
        .file = LWS_SONAME,
        .package = "libwebsockets",
        .prefix = "lws_",
        .names = names,
        .count = sizeof(names) / sizeof(names[0]),
    };
    static struct lws_library table;

    _Static_assert(sizeof(table) == sizeof(names), "a pointer for each name");
    if (libwebsockets)
        return 0;
    int ret = library_open(&library, &table, err);
    if (ret == 0)
        libwebsockets = &table;
    return ret;
}
