/* Status objects, error codes, and replies that do not come from an apiserver at all. */
#include "api/client/kube_status.h"

#include "base/str.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

enum { SNIPPET_MAX = 120 };

/* By what the owner does about it: ask again (-EAGAIN), read and decide anew (-ESTALE), give rights
 * (-EACCES), mend the request (-EINVAL). 409 has two meanings, which reason tells apart. What is left below
 * 400 is a redirect: the answer of something that stands before the API. */
static int code_of(int status, const char *reason) {
    switch (status) {
    case 400:
    case 422:
        return -EINVAL;
    case 401:
    case 403:
        return -EACCES;
    case 404:
        return -ENOENT;
    case 408:
    case 429:
        return -EAGAIN;
    case 409:
        return str_eq(reason, "AlreadyExists") ? -EEXIST : -ESTALE;
    case 410:
        return -ESTALE;
    case 413:
        return -E2BIG;
    case 405:
    case 406:
    case 415:
        return -EOPNOTSUPP;
    default:
        if (status >= 500)
            return -EAGAIN;
        return status >= 400 ? -EINVAL : -EPROTO;
    }
}

/* The first line of a body that is no Status, without what would garble a log. */
static void snippet_of(const struct http_reply *reply, char out[SNIPPET_MAX + 1]) {
    size_t n = 0;

    for (size_t i = 0; i < reply->body_len && n < SNIPPET_MAX; i++) {
        unsigned char c = (unsigned char)reply->body[i];
        if (c == '\n' && n > 0)
            break;
        if (isprint(c) && (c != ' ' || n > 0))
            out[n++] = (char)c;
    }
    out[n] = '\0';
}

/* Without a Content-Type the text itself will show. */
static bool is_json(const char *content_type) {
    return !content_type[0] || strncasecmp(content_type, "application/json", strlen("application/json")) == 0;
}

/* The Status' own code is not looked at: the status line says the same, and a proxy's answer has only that.
 */
static void read_failure(const struct http_reply *reply, struct kube_reply *ret_reply, const json_t *root) {
    const char *message = json_string_value(json_object_get(root, "message"));
    char snippet[SNIPPET_MAX + 1];

    ret_reply->reason = str_or_empty(json_string_value(json_object_get(root, "reason")));
    int code = code_of(reply->status, ret_reply->reason);
    if (message && message[0]) {
        err_set(&ret_reply->err, code, "%s", message);
        return;
    }
    snippet_of(reply, snippet);
    err_set(&ret_reply->err, code, "HTTP %d%s%s", reply->status, snippet[0] ? ": " : "", snippet);
}

static void read_success(const struct http_reply *reply, struct kube_reply *ret_reply, json_t **ret_root) {
    json_error_t problem;

    if (reply->body_len == 0)
        return;
    /* JSON_ALLOW_NUL: Go's encoder writes \u0000 in values where somebody put one */
    *ret_root = json_loadb(reply->body, reply->body_len, JSON_ALLOW_NUL, &problem);
    ret_reply->body = *ret_root;
    if (!*ret_root)
        err_set(&ret_reply->err, -EBADMSG, "the reply is not JSON: %s (byte %d)", problem.text,
                problem.position);
}

void kube_status_read(const struct http_reply *reply, bool want_json, bool streamed,
                      struct kube_reply *ret_reply, json_t **ret_root) {
    *ret_root = NULL;
    *ret_reply =
        (struct kube_reply){.status = reply->status, .reason = "", .retry_after = reply->retry_after};
    if (reply->status == 0) {
        ret_reply->err = reply->err;
        if (!ret_reply->err.code)
            err_set(&ret_reply->err, -EIO, "no reply");
        return;
    }
    if (reply->status < 200 || reply->status > 299) {
        /* What is not JSON is no second failure: its first line is told in place of a message. */
        *ret_root = json_loadb(reply->body, reply->body_len, JSON_ALLOW_NUL, NULL);
        ret_reply->body = *ret_root;
        read_failure(reply, ret_reply, *ret_root);
        return;
    }
    if (!want_json)
        return;
    if (!is_json(reply->content_type))
        err_set(&ret_reply->err, -EPROTO, "the reply is %.60s, not JSON: is this the apiserver's address?",
                reply->content_type);
    else if (!streamed)
        read_success(reply, ret_reply, ret_root);
}
