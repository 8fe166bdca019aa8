/* A small plain-HTTP server for health, metrics and the page: GET and HEAD only (else 405), answers from
 * memory (at most 8 MiB), 64 connections (a new one takes the place of one without a request under way), slow
 * peers dropped within 10 s. */
#ifndef NET_HTTPSERVER_H
#define NET_HTTPSERVER_H

#include "base/buf.h"
#include "net/loop.h"

struct httpserver;

struct httpserver_request {
    const char *path;  /* decoded, without the query */
    const char *query; /* decoded too, without the "?", or "" */
};

/* Fills body and *content_type (default "text/plain; charset=utf-8"; borrowed) and returns the status; what
 * is none becomes 500. May free the server. */
typedef int httpserver_handler(void *arg, const struct httpserver_request *request, struct buf *body,
                               const char **content_type);

struct httpserver_options {
    const char *address; /* an IP address; NULL: all */
    int port;            /* 0: any free one */
    httpserver_handler *handler;
    void *arg; /* of handler */
};

/* Starts listening; owned by the caller. The options are copied. -EADDRINUSE, -EACCES, -EINVAL, … with
 * address and port in err. */
int httpserver_new(struct loop *loop, const struct httpserver_options *options,
                   struct httpserver **ret_server, struct err *err);
/* The port it listens on. */
int httpserver_port(const struct httpserver *server);
/* Stops listening at once; open connections end with this turn. NULL is allowed. */
void httpserver_free(struct httpserver *server);

#endif
