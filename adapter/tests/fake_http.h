/* A transport for tests: a function stands for the server, and a fault may hit one reply. */
#ifndef ADAPTER_TESTS_FAKE_HTTP_H
#define ADAPTER_TESTS_FAKE_HTTP_H

#include "net/http.h"
#include "net/loop.h"

struct fake_reply {
    int status;       /* 0: none comes, err says why */
    const char *body; /* lives until the call is done */
    const char *content_type;
    usec_t delay, retry_after;
    struct err err;
    size_t cut_at; /* the connection breaks after so many bytes; 0: never */
};

enum fault { FAULT_NONE, FAULT_LOST, FAULT_500, FAULT_CUT, FAULT_SLOW };

struct fake_http {
    struct http head;
    struct loop *loop;
    void (*serve)(void *arg, const struct http_request *request, struct fake_reply *ret_reply);
    void *arg;
    enum fault fault;
    int fault_at; /* the number of the reply that it hits, from 0 */
    int started, in_flight, max_in_flight;
    /* The last request. */
    char method[8], url[512], body[512], userpwd[128], headers[1024];
    bool insecure;
};

void fake_http_init(struct fake_http *h, struct loop *loop,
                    void (*serve)(void *arg, const struct http_request *request, struct fake_reply *ret),
                    void *arg);

#endif
