/* Requests to the kube-apiserver. All of them are asynchronous and answered on a later turn. */
#ifndef API_CLIENT_KUBE_H
#define API_CLIENT_KUBE_H

#include "api/client/kubeconfig.h"
#include "net/http.h"
#include "net/wsclient.h"
#include <jansson.h>

struct kube;
struct kube_call;

enum kube_verb { KUBE_GET, KUBE_CREATE, KUBE_MERGE_PATCH, KUBE_APPLY, KUBE_DELETE };

struct kube_reply {
    int status;         /* HTTP status; 0: no answer, err tells why */
    struct err err;     /* code 0 for 2xx. Else: -ENOENT 404, -EACCES 401/403, -EEXIST or -ESTALE 409
                           (AlreadyExists/Conflict),     -ESTALE 410, -EINVAL 400/422, -EAGAIN 429 and 5xx, or the
                           transport's; the text is the Status' message */
    const json_t *body; /* parsed, borrowed, NULL where there is none or on_body took it */
    const char *reason; /* the Status' reason ("NotFound", "Conflict", …) or "" */
    usec_t retry_after; /* 0: none */
};

typedef void kube_done_fn(void *arg, const struct kube_reply *reply);

struct kube_request {
    enum kube_verb verb;
    const char
        *path; /* "/apis/apps/v1/namespaces/x/deployments/y/scale", query included where there is one */
    const char *accept;        /* NULL: application/json */
    const json_t *body;        /* borrowed during the call of kube_start */
    const char *field_manager; /* NULL: "trimtab" */
    usec_t timeout;            /* 0: 30 s */
    size_t max_body;           /* 0: 4 MiB */
    int (*on_body)(void *arg, const char *data, size_t len, struct err *err); /* as http_request's */
    kube_done_fn *on_done; /* exactly once, on a later turn, unless cancelled */
    void *arg;
};

/* A client; borrows loop, http and config, owned by the caller. Credentials from files and exec plugins are
 * read again as they expire or change; a 401 makes them be read anew and the request is tried once more. 429
 * and 503 with Retry-After on a GET are retried by itself (at most 3 times, within timeout); writes are never
 * retried here. */
int kube_new(struct loop *loop, struct http *http, const struct kubeconfig *config, struct kube **ret_kube,
             struct err *err);
/* Cancels everything. NULL is allowed. */
void kube_free(struct kube *kube);
/* The cluster's URL, for messages. */
const char *kube_server(const struct kube *kube);

/* Who we are at the moment, a new reference (api/client/auth.h), for those who ask somebody else as us: the
 * kubelets. -EAGAIN where a plugin is still at work, other codes where there is no credential. */
struct identity;
int kube_credentials(struct kube *kube, struct identity **ret_identity, struct err *err);

/* Never fails by itself: on_done reports. The handle is valid until on_done has returned. */
struct kube_call *kube_start(struct kube *kube, const struct kube_request *request);
/* No callback follows. NULL is allowed. */
void kube_cancel(struct kube_call *call);

/* Opens a watch over a websocket on path (query included) with the client's identity. The callbacks are
 * ws_request's; url, address, headers and tls of request are filled in by this call. A host name is resolved
 * beforehand by an ordinary request, never on the loop. */
struct kube_watch;
struct kube_watch *kube_watch_open(struct kube *kube, const char *path, const struct ws_request *callbacks);
void kube_watch_close(struct kube_watch *watch);

/* Requests by verb and result since the start, for metrics. */
enum { KUBE_LATENCY_BUCKETS = 12 };
struct kube_stats {
    uint64_t by_verb[KUBE_DELETE + 2];            /* the last: watches opened */
    uint64_t failed;                              /* no answer */
    uint64_t by_class[6];                         /* [2] 2xx … [5] 5xx */
    uint64_t latency_count[KUBE_LATENCY_BUCKETS]; /* upper bounds: kube_latency_bounds, the last is +Inf */
    double latency_sum;                           /* seconds */
};
extern const double kube_latency_bounds[KUBE_LATENCY_BUCKETS - 1]; /* seconds */
const struct kube_stats *kube_stats(const struct kube *kube);

#endif
