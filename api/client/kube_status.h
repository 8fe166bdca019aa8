/* From an HTTP reply of the apiserver to what a caller is told: the Status object and its error codes. Pure.
 */
#ifndef API_CLIENT_KUBE_STATUS_H
#define API_CLIENT_KUBE_STATUS_H

#include "api/client/kube.h"

/* Fills *ret_reply from reply. want_json: a 2xx must be JSON; streamed: the body of a 2xx was taken by
 * on_body. *ret_root, which owns the texts in *ret_reply, is the caller's to json_decref (NULL is possible).
 */
void kube_status_read(const struct http_reply *reply, bool want_json, bool streamed,
                      struct kube_reply *ret_reply, json_t **ret_root);

#endif
