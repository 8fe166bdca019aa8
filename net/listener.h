/* A listening TCP socket on the loop: what the servers of net/ have in common. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/loop.h"

struct listener;

/* Takes fd, a new connection: non-blocking, closed on exec. May free the listener. */
typedef void listener_fn(void *arg, int fd);

/* Listens on an IP address (NULL: all, of both families) and port (0: any free one), and calls fn for each
 * connection. -EINVAL (no IP address), -EADDRINUSE, -EACCES, … with address and port in err. Owned. */
int listener_new(struct loop *loop, const char *address, int port, listener_fn *fn, void *arg,
                 struct listener **ret_listener, struct err *err);
/* The port it listens on, or a negative code. */
int listener_port(const struct listener *listener);
/* Stops listening. NULL is allowed. */
void listener_free(struct listener *listener);

#endif
