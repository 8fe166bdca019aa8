/* One request of the curl transport: its easy handle, what it collects, and the reply made of it. */
#ifndef NET_HTTP_CALL_H
#define NET_HTTP_CALL_H

#include "base/buf.h"
#include "net/http.h"
#include <curl/curl.h>

enum http_call_state {
    HTTP_CALL_QUEUED,    /* not yet given to curl: it was in a callback, or the request cannot be made */
    HTTP_CALL_RUNNING,   /* in the multi handle */
    HTTP_CALL_CANCELLED, /* inside a curl callback; removed as soon as curl returns */
    HTTP_CALL_REPORTING, /* on_done runs */
};

struct http_call {
    struct http_call *prev, *next; /* in the transport's list */
    enum http_call_state state;
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    struct buf body;
    size_t header_bytes, taken, max_body;
    bool cut; /* an error body larger than its limit: the rest was not read */
    int (*on_body)(void *arg, const char *data, size_t len, struct err *err);
    void (*on_done)(void *arg, const struct http_reply *reply);
    void *arg;
    struct err err; /* why we ended it ourselves */
    char *host;     /* of the URL, for messages */
    usec_t started;
    char curl_text[CURL_ERROR_SIZE];
};

/* A call with its easy handle prepared. Where the request cannot be made, call->err says so. Never NULL. */
struct http_call *http_call_new(const struct http_request *request, usec_t now);
void http_call_free(struct http_call *call);
/* Reports the end to on_done. result is curl's; ignored where call->err is set. */
void http_call_report(struct http_call *call, CURLcode result, usec_t now);

#endif
