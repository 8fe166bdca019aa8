/* The functions of libwebsockets that net uses, as in `libwebsockets->service(…)`; see net/library.h. */
#ifndef NET_LWS_LIBRARY_H
#define NET_LWS_LIBRARY_H

#include "base/err.h"
#include <libwebsockets.h>

#define LWS_FUNCTIONS(X)                                                                                     \
    X(add_http_common_headers)                                                                               \
    X(add_http_header_by_name)                                                                               \
    X(adopt_descriptor_vhost)                                                                                \
    X(adopt_socket_vhost)                                                                                    \
    X(callback_on_writable)                                                                                  \
    X(client_connect_via_info)                                                                               \
    X(context_destroy)                                                                                       \
    X(context_user)                                                                                          \
    X(create_context)                                                                                        \
    X(create_vhost)                                                                                          \
    X(finalize_write_http_header)                                                                            \
    X(get_context)                                                                                           \
    X(get_opaque_user_data)                                                                                  \
    X(get_ssl)                                                                                               \
    X(get_vhost)                                                                                             \
    X(get_vhost_user)                                                                                        \
    X(hdr_copy)                                                                                              \
    X(hdr_copy_fragment)                                                                                     \
    X(hdr_fragment_length)                                                                                   \
    X(http_client_http_response)                                                                             \
    X(http_get_uri_and_method)                                                                               \
    X(http_transaction_completed)                                                                            \
    X(init_vhost_client_ssl)                                                                                 \
    X(is_final_fragment)                                                                                     \
    X(remaining_packet_payload)                                                                              \
    X(service)                                                                                               \
    X(set_log_level)                                                                                         \
    X(set_opaque_user_data)                                                                                  \
    X(set_timeout)                                                                                           \
    X(vhost_destroy)                                                                                         \
    X(write)

struct lws_library {
#define LWS_FUNCTIONS_MEMBER(name) __typeof__(lws_##name) *(name);
    LWS_FUNCTIONS(LWS_FUNCTIONS_MEMBER)
#undef LWS_FUNCTIONS_MEMBER
};

/* NULL until lws_library_load has returned 0 (loop_new calls it). Errors are those of library_open. */
extern const struct lws_library *libwebsockets;
int lws_library_load(struct err *err);

#endif
