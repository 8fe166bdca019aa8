/* HTTP requests. The one interface behind which a fake transport stands in tests: struct http carries the
 * functions. The real one is net/http_curl.h. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/clock.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

/* How the server is verified and who we say we are. All borrowed; a NULL field is "not given". The server's
 * certificate is always verified unless insecure is set. Files are read anew for each new connection. */
struct http_tls {
    const char *ca_pem, *ca_file;
    const char *cert_pem, *cert_file; /* client certificate */
    const char *key_pem, *key_file;
    const char *server_name; /* in place of the URL's host, for verification and SNI */
    bool insecure;
};

struct http_reply {
    int status;     /* HTTP status, or 0 where no complete reply came; then err tells why */
    struct err err; /* code 0 where status is set; -ETIMEDOUT, -ECONNREFUSED, -ECONNRESET, -EHOSTUNREACH
                    (no such name), -EKEYREJECTED (certificate), -EPROTO, -EINVAL (the request), -E2BIG (body
                    over max_body) */
    /* NUL-terminated, borrowed, valid in the callback only; empty where on_body took it. Of an answer that is
     * not 2xx the first 64 KiB. */
    const char *body;
    size_t body_len;
    const char *content_type; /* borrowed or "" */
    usec_t retry_after;       /* from Retry-After (seconds or a date); 0 where there is none */
    usec_t elapsed;           /* from start to end */
    const char *peer_ip;      /* the address the reply came from, borrowed, or "" */
};

struct http_request {
    const char *method;         /* "GET", … */
    const char *url;            /* absolute */
    const char *const *headers; /* "Name: value" lines, NULL-terminated, or NULL */
    const void *body;           /* or NULL */
    size_t body_len;
    const char *userpwd; /* "user:password" for basic authentication, or NULL */
    const char *proxy;   /* proxy URL, or NULL: none (the environment is not asked) */
    const struct http_tls *tls;
    usec_t timeout;         /* whole request; 0: 30 s */
    usec_t connect_timeout; /* 0: 10 s */
    size_t max_body;        /* 0: 1 MiB; also counts what on_body took, after decompression */
    /* HTTP/1.1 alone. HTTP/2 keeps some 60 KB for each connection, which is nothing for a server that is
     * asked many things at once, and much for a thousand that are asked one. */
    bool http1;
    /* Takes the body of a 2xx reply piece by piece instead of collecting it; a negative return ends the
     * request with that code and the text in err. NULL: collect. */
    int (*on_body)(void *arg, const char *data, size_t len, struct err *err);
    /* Called exactly once, on a later turn than http_start, unless http_cancel came first. */
    void (*on_done)(void *arg, const struct http_reply *reply);
    void *arg;
};

struct http;
struct http_call;

struct http_ops {
    struct http_call *(*start)(struct http *http, const struct http_request *request);
    void (*cancel)(struct http *http, struct http_call *call);
};

/* The head of every transport. */
struct http {
    const struct http_ops *ops;
};

/* Starts a request; everything that request points to is copied, but tls, which must live until it is done.
 * Never fails: a failure is reported through on_done. The handle is valid until on_done has returned. */
static inline struct http_call *http_start(struct http *http, const struct http_request *request) {
    return http->ops->start(http, request);
}

/* Ends a request without calling on_done; NULL is allowed. */
static inline void http_cancel(struct http *http, struct http_call *call) {
    if (call)
        http->ops->cancel(http, call);
}

#endif
