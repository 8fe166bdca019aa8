/* One Prometheus-compatible server as it is asked: requests in a bounded number at once, others wait in
 * order; credentials, POST with a fall-back to GET, errors in words, and the server's health. */
#ifndef ADAPTER_PROMCLIENT_H
#define ADAPTER_PROMCLIENT_H

#include "adapter/prometheus.h"
#include "net/http.h"
#include "net/loop.h"

struct promclient;
struct promclient_call;

/* What a schedule wants to know of an answer beyond whether it was good. */
struct promclient_answer {
    bool sent;          /* false: a secret could not be read, nothing was asked */
    int status;         /* HTTP status; 0: no whole answer came */
    bool said_error;    /* the server refused in its API's own words, so it is alive */
    usec_t retry_after; /* it asked for a pause; 0: it did not */
};

struct promclient_request {
    const char *path; /* "/api/v1/query" */
    const char *form; /* "query=…", without a timeout: the client adds its own. Both are copied */
    size_t max_body;  /* 0: the server's max_response */
    usec_t timeout;   /* 0: the server's */
    /* The body of a 2xx, piece by piece; a negative return ends the request with that code. */
    int (*on_body)(void *arg, const char *data, size_t len, struct err *err);
    /* Once, on a later turn, unless cancelled. Code 0: the answer was 2xx and whole. Else the text is for
     * people and names the server: "Prometheus http://…: connection refused", or what the server said
     * (-EINVAL: it refused the query; -EAGAIN 5xx and 429; others: the transport's). */
    void (*on_done)(void *arg, const struct err *err);
    void *arg;
    struct promclient_answer *answer; /* filled before on_done; NULL: not wanted */
};

/* Owned by the caller; options are copied. -EINVAL names a bad option. */
int promclient_new(struct loop *loop, struct http *http, const struct prometheus_options *options,
                   struct promclient **ret_client, struct err *err);
/* Cancels everything. NULL is allowed. */
void promclient_free(struct promclient *client);
/* "Prometheus http://host:9090"; no credentials in it. */
const char *promclient_label(const struct promclient *client);
/* How many requests it has under way at most; for users that keep a queue of their own. */
int promclient_max_concurrent(const struct promclient *client);
/* The largest answer, in bytes. */
size_t promclient_max_response(const struct promclient *client);
/* Never calls back inside. The handle is valid until on_done. */
struct promclient_call *promclient_start(struct promclient *client, const struct promclient_request *request);
/* No callback follows. NULL is allowed. */
void promclient_cancel(struct promclient_call *call);

struct promclient_stats {
    uint64_t requests, failures;
    uint32_t in_flight, waiting;
    usec_t last_success;  /* wall; 0: never */
    usec_t last_latency;  /* of the last answer */
    double latency_sum;   /* seconds, of all answers */
    int last_code;        /* of last_error: as on_done's; 0 since the last success */
    char last_error[256]; /* "" since the last success */
};
void promclient_stats(const struct promclient *client, struct promclient_stats *ret_stats);

#endif
