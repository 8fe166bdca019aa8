/* libcurl, loaded when it is first needed: it brings some thirty libraries along, and loading them costs more
 * time than `trimtab evaluate` may take as a whole (docs/decisions/008-libcurl-is-loaded-on-use.md). */
#ifndef NET_CURL_LIBRARY_H
#define NET_CURL_LIBRARY_H

#include "base/err.h"
#include <curl/curl.h>

/* The functions of libcurl that net uses, without their "curl_". A function that is not here cannot be
 * called: the binary is not linked with libcurl. */
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

/* Each has the type of its prototype in <curl/curl.h>, so that the compiler checks the calls. */
struct curl_library {
#define CURL_MEMBER(name) __typeof__(curl_##name) *(name);
    CURL_FUNCTIONS(CURL_MEMBER)
#undef CURL_MEMBER
};

/* The loaded library, as in `libcurl->easy_init()`; NULL until curl_library_load or curl_library_need has
 * returned. */
extern const struct curl_library *libcurl;

/* Loads libcurl where it is not loaded yet; it stays until the process ends. -ELIBACC with the loader's own
 * message and the package's name where it, or a function of it, is not there. */
int curl_library_load(struct err *err);
/* The same for those who can report no failure: ends the process with the message. `trimtab run` has loaded
 * it, or refused to start, long before. */
void curl_library_need(void);
/* Opens a file as libcurl without making it the one in use. */
int curl_library_open(const char *file, struct curl_library *ret_library, struct err *err);

#endif
