/* A transport for tests behind struct http: replies come from a queue or by path, on a later turn, and what
 * was asked is kept to be looked at. */
#ifndef API_CLIENT_TESTS_FAKE_HTTP_H
#define API_CLIENT_TESTS_FAKE_HTTP_H

#include "net/http.h"
#include "net/loop.h"

enum { FAKE_MAX = 64 };

struct fake_reply {
    int status;               /* 0: none came, code tells why */
    int code;                 /* of the transport's failure */
    const char *body;         /* NULL: "" */
    const char *content_type; /* NULL: application/json */
    usec_t retry_after;
    const char *peer_ip; /* NULL: 192.0.2.1 */
    bool never;          /* nothing happens; for cancelling */
};

/* What was asked; texts are owned. */
struct fake_asked {
    char *method, *url, *body;
    char *headers; /* one a line */
    char *proxy;
    const struct http_tls *tls;
    usec_t timeout;
};

struct fake_http {
    struct http http;
    struct loop *loop;
    struct fake_reply queue[FAKE_MAX];
    size_t queued, taken;
    struct {
        const char *path; /* what the URL must end with */
        struct fake_reply reply;
    } routes[FAKE_MAX];
    size_t route_count;
    struct fake_asked asked[FAKE_MAX];
    size_t asked_count;
    size_t open; /* neither answered nor cancelled */
};

struct fake_http *fake_http_new(struct loop *loop);
/* Fails the test where a request is still open. */
void fake_http_free(struct fake_http *fake);
/* The next reply; the queue goes before the routes. Texts are borrowed. */
void fake_http_push(struct fake_http *fake, struct fake_reply reply);
/* The reply for every URL that ends with path; put again, it is replaced. Nothing fits: 404. */
void fake_http_route(struct fake_http *fake, const char *path, struct fake_reply reply);

/* Turns of loop until *flag, at most a few seconds; fails the test where it does not come. */
void turn_until(struct loop *loop, const bool *flag);

#endif
