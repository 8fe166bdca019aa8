/* Replies that no apiserver would give, and what a credential plugin may print: the first byte is the status.
 */
#include "api/client/exec_plugin.h"
#include "api/client/kube_status.h"
#include "base/mem.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct exec_credential credential;
    struct kube_reply reply;
    struct err err = {0};
    json_t *root = NULL;

    if (size < 1)
        return 0;
    cleanup_free char *body = xcalloc(1, size);
    memcpy(body, data + 1, size - 1);
    const struct http_reply http = {
        .status = data[0] * 3, .body = body, .body_len = size - 1, .content_type = "application/json"};
    kube_status_read(&http, true, false, &reply, &root);
    json_decref(root);
    if (exec_credential_parse(body, size - 1, "client.authentication.k8s.io/v1", &credential, &err) == 0)
        exec_credential_done(&credential);
    return 0;
}
