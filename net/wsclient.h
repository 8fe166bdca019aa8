/* A websocket client connection, message fragments delivered as they arrive (nothing is joined, nothing is
 * kept). */
#ifndef NET_WSCLIENT_H
#define NET_WSCLIENT_H

#include "net/http.h"
#include "net/loop.h"

struct ws;

/* Why a connection ended. */
struct ws_end {
    int status; /* HTTP status of a refused handshake, 0 where there was none, 101 after it was open */
    /* What happened, in words, with host and port. Codes: -ECONNREFUSED (no connection, or a refused
     * handshake: see status), -EKEYREJECTED (the certificate), -EINVAL (the request or the TLS settings),
     * -ETIMEDOUT (connecting, or a silent peer), -ESHUTDOWN (the server closed as it should), -ECONNRESET (it
     * just went), or what on_data returned. */
    struct err err;
    usec_t retry_after; /* of a refused handshake, 0 where not given */
};

struct ws_request {
    const char *url;     /* wss://host:port/path?query or ws://…; host is the name that is verified */
    const char *address; /* IP address to connect to; NULL: the URL's host, which then must be an address */
    const char *const *headers; /* "Name: value", NULL-terminated, or NULL; Origin is set by itself */
    const struct http_tls *tls; /* only read inside ws_open, files too: contexts are shared by contents. Its
                                   server_name also becomes Host. NULL: the system's CAs */
    usec_t connect_timeout;     /* 0: 10 s */
    usec_t idle_ping;           /* a silent peer is pinged after this long (0: 20 s) … */
    usec_t idle_hangup;         /* … and given up after this long (0: 30 s) */
    void (*on_open)(void *arg);
    /* A piece of a message. last marks the end of a message. A negative return closes the connection with err
     * as cause.*/
    int (*on_data)(void *arg, const char *data, size_t len, bool last, struct err *err);
    /* Exactly once, also where the connection never opened; never inside ws_open or ws_close. Not after
     * ws_close. */
    void (*on_end)(void *arg, const struct ws_end *end);
    void *arg;
};

/* Starts connecting; everything is copied. Never fails: on_end reports. Owned by the caller until on_end has
 * been called or ws_close. Verifies the certificate before anything of the request is sent. */
struct ws *ws_open(struct loop *loop, const struct ws_request *request);
/* Closes; no callback follows. NULL is allowed. */
void ws_close(struct ws *ws);

#endif
