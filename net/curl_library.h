/* The functions of libcurl that net uses, as in `libcurl->easy_init()`; see net/library.h. */
#ifndef NET_CURL_LIBRARY_H
#define NET_CURL_LIBRARY_H

#include "base/err.h"
#include <curl/curl.h>

#define CURL_FUNCTIONS(X)                                                                                    \
    X(easy_cleanup)                                                                                          \
    X(easy_escape)                                                                                           \
    X(easy_getinfo)                                                                                          \
    X(easy_init)                                                                                             \
    X(easy_setopt)                                                                                           \
    X(easy_strerror)                                                                                         \
    X(free)                                                                                                  \
    X(getdate)                                                                                               \
    X(global_init)                                                                                           \
    X(multi_add_handle)                                                                                      \
    X(multi_assign)                                                                                          \
    X(multi_cleanup)                                                                                         \
    X(multi_info_read)                                                                                       \
    X(multi_init)                                                                                            \
    X(multi_remove_handle)                                                                                   \
    X(multi_setopt)                                                                                          \
    X(multi_socket_action)                                                                                   \
    X(multi_strerror)                                                                                        \
    X(slist_append)                                                                                          \
    X(slist_free_all)                                                                                        \
    X(url)                                                                                                   \
    X(url_cleanup)                                                                                           \
    X(url_get)                                                                                               \
    X(url_set)                                                                                               \
    X(url_strerror)

struct curl_library {
#define CURL_FUNCTIONS_MEMBER(name) __typeof__(curl_##name) *(name);
    CURL_FUNCTIONS(CURL_FUNCTIONS_MEMBER)
#undef CURL_FUNCTIONS_MEMBER
};

/* NULL until curl_library_load has returned 0: there it is loaded where it is not yet, for good. Errors are
 * those of library_open. */
extern const struct curl_library *libcurl;
int curl_library_load(struct err *err);

#endif
