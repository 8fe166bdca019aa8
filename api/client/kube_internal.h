/* The inside of a client, shared by its requests (kube.c) and its watches (kube_watch.c). */
#ifndef API_CLIENT_KUBE_INTERNAL_H
#define API_CLIENT_KUBE_INTERNAL_H

#include "api/client/auth.h"
#include "api/client/kube.h"

#ifndef TRIMTAB_VERSION
#define TRIMTAB_VERSION "dev"
#endif
#define KUBE_USER_AGENT "User-Agent: trimtab/" TRIMTAB_VERSION

enum { PEER_MAX = 64, HEADERS_MAX = 6 };

struct kube {
    struct loop *loop;
    struct http *http;
    const struct kubeconfig *config;
    struct auth *auth;
    struct kube_call *calls;
    struct kube_watch *watches;
    char peer_ip[PEER_MAX]; /* where the last reply came from, "" where none did or it is in doubt */
    struct kube_stats stats;
};

/* Ends every watch without a callback; of kube_watch.c, for kube_free. */
void kube_watches_free(struct kube *kube);

#endif
