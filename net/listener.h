/* A listening TCP socket on the loop: what the servers of net/ have in common. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/loop.h"

struct listener;

/* Takes fd, a new connection: non-blocking, closed on exec. May free the listener. */
typedef void listener_fn(void *arg, int fd);

struct listener_options {
    const char *address; /* an IP address; NULL: all, of both families */
    int port;            /* 0: any free one */
    listener_fn *fn;     /* called for each connection */
    void *arg;
};

/* Starts listening. -EINVAL (no IP address), -EADDRINUSE, -EACCES, … with address and port in err. Owned. */
int listener_new(struct loop *loop, const struct listener_options *options, struct listener **ret_listener,
                 struct err *err);
/* The port it listens on, or a negative code. */
int listener_port(const struct listener *listener);
/* Takes nobody for so long; who comes meanwhile waits in the system's queue. */
void listener_pause(struct listener *listener, usec_t delay);
/* Stops listening. NULL is allowed. */
void listener_free(struct listener *listener);

#endif
