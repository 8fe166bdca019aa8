/* libwebsockets keeps TLS settings in vhosts: one for each set of settings in use, shared by its connections.
 */
#ifndef NET_WS_VHOST_H
#define NET_WS_VHOST_H

#include "net/http.h"
#include "net/loop.h"
#include <libwebsockets.h>

struct ws_vhost;

/* The vhost for these settings (read now, so that changed files make another one), or for plain connections
 * where secure is false; with one more reference for the caller. protocols must be static. */
int ws_vhost_get(struct loop *loop, const struct lws_protocols *protocols, bool secure,
                 const struct http_tls *tls, struct ws_vhost **ret_vhost, struct err *err);
/* Gives the reference back; NULL is allowed. An unused vhost is kept for the next connection, within bounds.
 */
void ws_vhost_put(struct ws_vhost *vhost);
struct lws_vhost *ws_vhost_lws(const struct ws_vhost *vhost);

#endif
