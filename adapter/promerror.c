/* Refusals of Prometheus and failures of the way to it, in words. */
#include "adapter/promerror.h"

#include "adapter/promjson.h"
#include "base/str.h"
#include <errno.h>

enum { SNIPPET_MAX = 160, TOO_MANY_REQUESTS = 429 };

/* The beginning of an error page in plain text, on one line, or "". HTML of a proxy says nothing to people.
 */
static const char *snippet(const struct http_reply *reply, char *out) {
    size_t n = 0;

    if (reply->body && str_starts(str_or_empty(reply->content_type), "text/plain"))
        for (; n < reply->body_len && n < SNIPPET_MAX; n++) {
            char c = reply->body[n];
            out[n] = ' ';
            if (c >= 0x20 && c < 0x7f)
                out[n] = c;
        }
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
    return out;
}

/* What the server says in its body ({"status":"error",…}), else its number alone. */
static int refusal(const struct prom_endpoint *e, const struct http_reply *reply,
                   struct promclient_answer *answer, struct err *err) {
    struct promjson *reader = promjson_new(COMBINE_NONE, e->max_response);
    struct promjson_answer a;
    char text[SNIPPET_MAX + 1];

    /* The reader of answers, for the sake of its error alone: what it makes of a body that is none of
     * Prometheus', a proxy's page say, is not looked at. */
    promjson_feed(reader, reply->body ? reply->body : "", reply->body_len, NULL);
    promjson_finish(reader, &a);
    promjson_free(reader);
    answer->said_error = a.said_error;
    /* Prometheus says 503 of a query that timed out, 422 of one that cannot be evaluated. */
    bool later = reply->status >= 500 || reply->status == TOO_MANY_REQUESTS;
    const char *said = a.said_error ? a.message : snippet(reply, text);
    return err_set(err, later ? -EAGAIN : -EINVAL, "%s answered %d%s%s", e->label, reply->status,
                   *said ? ": " : "", said);
}

/* Why no reply came. What differs from try to try (curl tells the milliseconds) is left out: the status of a
 * policy shows this text, and must not change while nothing does. */
static int silence(const struct prom_endpoint *e, usec_t timeout, const struct err *why, struct err *err) {
    char limit[CLOCK_TEXT_MAX];

    switch (why->code) {
    case -ECONNREFUSED:
        return err_set(err, why->code, "%s: connection refused", e->label);
    case -ECONNRESET:
        return err_set(err, why->code, "%s: the connection broke before the answer was whole", e->label);
    case -ETIMEDOUT:
        return err_set(err, why->code, "%s: no answer within %s", e->label,
                       clock_format_duration(timeout, limit));
    default:
        return err_set(err, why->code < 0 ? why->code : -EIO, "%s: %s", e->label, err_text(why));
    }
}

int promerror_read(const struct prom_endpoint *endpoint, usec_t timeout, const struct http_reply *reply,
                   struct promclient_answer *ret_answer, struct err *err) {
    ret_answer->status = reply->status;
    ret_answer->said_error = false;
    ret_answer->retry_after = reply->retry_after;
    if (reply->status)
        return refusal(endpoint, reply, ret_answer, err);
    return silence(endpoint, timeout, &reply->err, err);
}
