/* A websocket URL, taken apart by curl's parser. */
#ifndef NET_WS_URL_H
#define NET_WS_URL_H

#include "base/err.h"
#include <stdbool.h>

struct ws_url {
    bool secure;
    int port;
    char *name;      /* host without brackets: what is verified */
    char *authority; /* host:port, for the Host header */
    char *path;      /* with the query */
};

/* Reads ws:// and wss:// URLs: 0 or -EINVAL. */
int ws_url_parse(const char *text, struct ws_url *ret_url, struct err *err);
void ws_url_done(struct ws_url *url);

#endif
