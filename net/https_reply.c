/* The head of an answer: status line and headers. */
#include "net/https_internal.h"

/* These have no body, and say no length (RFC 9110, 15.3.5 and 15.4.5). */
static bool has_no_body(int status) {
    return status == 204 || status == 304;
}

void https_write_head(struct https_conn *conn, const struct https_answer *answer) {
    int status = answer->status >= 200 && answer->status <= 599 ? answer->status : 500;
    buf_reset(&conn->head);
    buf_printf(&conn->head, "HTTP/1.1 %d %s\r\n", status, http_status_str((enum http_status)status));
    if (has_no_body(status)) {
        buf_done(&conn->body);
    } else {
        if (answer->content_type)
            buf_printf(&conn->head, "content-type: %s\r\n", answer->content_type);
        buf_printf(&conn->head, "content-length: %zu\r\n", conn->body.len);
    }
    for (const char *const *line = answer->headers; line && *line; line++)
        buf_printf(&conn->head, "%s\r\n", *line);
    buf_puts(&conn->head, conn->close ? "connection: close\r\n\r\n" : "\r\n");
}
