/* A small plain-HTTP server for health, metrics and the page: GET only, short answers from memory. */
#ifndef NET_HTTPSERVER_H
#define NET_HTTPSERVER_H

#include "base/buf.h"
#include "net/loop.h"

struct httpserver;

struct httpserver_request {
    const char *path;  /* decoded, without the query */
    const char *query; /* as sent, or "" */
};

/* Fills body and *content_type (default "text/plain; charset=utf-8") and returns the status. */
typedef int httpserver_handler(void *arg, const struct httpserver_request *request, struct buf *body,
                               const char **content_type);

/* Listens on address (NULL: all) and port (0: any free one); owned by the caller. -EADDRINUSE, … */
int httpserver_new(struct loop *loop, const char *address, int port, httpserver_handler *handler, void *arg,
                   struct httpserver **ret_server, struct err *err);
/* The port it listens on. */
int httpserver_port(const struct httpserver *server);
void httpserver_free(struct httpserver *server);

#endif
