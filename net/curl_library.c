/* Loading libcurl. */
#include "net/curl_library.h"

#include "net/library.h"

const struct curl_library *libcurl;

int curl_library_load(struct err *err) {
    static const char *const names[] = {CURL_FUNCTIONS(LIBRARY_NAME)};
    static const struct library library = {
        .file = CURL_SONAME,
        .package = "libcurl4",
        .prefix = "curl_",
        .names = names,
        .count = sizeof(names) / sizeof(names[0]),
    };
    static struct curl_library table;

    _Static_assert(sizeof(table) == sizeof(names), "a pointer for each name");
    if (libcurl)
        return 0;
    int ret = library_open(&library, &table, err);
    if (ret == 0)
        libcurl = &table;
    return ret;
}
