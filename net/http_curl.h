/* The real HTTP transport: libcurl's multi interface on the loop. HTTP/1.1 and 2, keep-alive, compression. */
#ifndef NET_HTTP_CURL_H
#define NET_HTTP_CURL_H

#include "net/http.h"
#include "net/loop.h"

/* A transport on loop, owned by the caller. max_connections per host bounds what is open at once (0: 8). */
int http_curl_new(struct loop *loop, int max_connections, struct http **ret_http, struct err *err);
/* Cancels what is under way and frees; NULL is allowed. */
void http_curl_free(struct http *http);

#endif
