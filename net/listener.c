/* Listening and accepting. We do it ourselves: libwebsockets takes 127.0.0.1 for every address where there is
 * IPv6, does not tell why it cannot listen, and goes on listening when its vhost is gone. */
#include "net/listener.h"

#include "base/mem.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 256,
    ACCEPT_PAUSE = 200000, /* µs */
};

struct listener {
    struct loop *loop;
    int fd;
    struct loop_fd *watch;
    struct loop_timer *pause;
    listener_fn *fn;
    void *arg;
};

/* SO_REUSEADDR: an operator that starts again would else be refused for as long as connections of the one
 * before are in TIME_WAIT. IPV6_V6ONLY is set either way, its default being the
 * system's: without it one socket takes both families. */
static int listen_on(const struct sockaddr *address, socklen_t len, bool only_v6) {
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, v6 = only_v6;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6, sizeof(v6));
    if (bind(fd, address, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int code = -errno;
    close(fd);
    return code;
}

static int open_socket(const char *address, int port, struct err *err) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    bool is_v4 = address && inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    if (address && !is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
        return err_set(err, -EINVAL, "cannot listen on %s: not an IP address", address);
    int fd = is_v4 ? -EAFNOSUPPORT : listen_on((struct sockaddr *)&v6, sizeof(v6), address != NULL);
    if (is_v4 || (fd == -EAFNOSUPPORT && !address)) /* the latter where the machine has no IPv6 */
        fd = listen_on((struct sockaddr *)&v4, sizeof(v4), false);
    if (fd < 0)
        return err_set(err, fd, "cannot listen on %s port %d: %s", address ? address : "*", port,
                       strerror(-fd));
    return fd;
}

void listener_pause(struct listener *listener, usec_t delay) {
    loop_unwatch_fd(listener->watch);
    listener->watch = NULL;
    loop_timer_set(listener->pause, delay);
}

/* One connection a call: while there are more the socket is readable on the next turn too, and fn may have
 * freed us. */
static void on_readable(void *arg) {
    struct listener *listener = arg;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        listener->fn(listener->arg, fd);
    else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        listener_pause(listener, ACCEPT_PAUSE); /* out of descriptors, the socket stays readable */
}

/* At the beginning, and when a pause is over. It may fail for want of memory, or of watches, and
 * is tried again then. */
static void watch_socket(void *arg) {
    struct listener *listener = arg;
    if (loop_watch_fd(listener->loop, listener->fd, on_readable, listener, &listener->watch, NULL) < 0)
        loop_timer_set(listener->pause, ACCEPT_PAUSE);
}

int listener_new(struct loop *loop, const struct listener_options *options, struct listener **ret_listener,
                 struct err *err) {
    int fd = open_socket(options->address, options->port, err);
    if (fd < 0)
        return fd;
    struct listener *listener = XNEW(struct listener);
    *listener = (struct listener){.loop = loop, .fd = fd, .fn = options->fn, .arg = options->arg};
    listener->pause = loop_timer_new(loop, watch_socket, listener);
    watch_socket(listener);
    *ret_listener = listener;
    return 0;
}

int listener_port(const struct listener *listener) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } addr = {0};
    socklen_t len = sizeof(addr);
    if (getsockname(listener->fd, &addr.any, &len) < 0)
        return -errno;
    return ntohs(addr.any.sa_family == AF_INET6 ? addr.v6.sin6_port : addr.v4.sin_port);
}

void listener_free(struct listener *listener) {
    if (!listener)
        return;
    loop_unwatch_fd(listener->watch);
    loop_timer_free(listener->pause);
    close(listener->fd);
    free(listener);
}
