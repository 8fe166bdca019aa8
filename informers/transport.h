/* How informers reach the server: the seam where tests put their own. The real one is kube_start and
 * kube_watch_open; the rules for callbacks are theirs. */
#ifndef INFORMERS_TRANSPORT_H
#define INFORMERS_TRANSPORT_H

#include "api/client/kube.h"

struct informer_transport {
    /* GET; on_body and on_done as kube_start's. The handle is valid until on_done has returned. */
    void *(*list)(void *arg, const struct kube_request *request);
    void (*list_cancel)(void *arg, void *call);
    /* As kube_watch_open; the handle is valid until on_end has been called. */
    void *(*watch_open)(void *arg, const char *path, const struct ws_request *callbacks);
    void (*watch_close)(void *arg, void *watch);
    void *arg;
};

#endif
