/* The inside of the remote adapter, shared by requests (remote.c) and the reading of its lists
 * (remote_lists.c). */
#ifndef ADAPTER_REMOTE_INTERNAL_H
#define ADAPTER_REMOTE_INTERNAL_H

#include "adapter/remote.h"
#include "adapter/remote_list.h"
#include "api/client/file.h"
#include "base/backoff.h"

enum remote_api { REMOTE_CUSTOM, REMOTE_EXTERNAL, REMOTE_APIS };

/* TLS settings, kept by the requests that use them. */
struct remote_tls {
    unsigned refs;
    struct http_tls tls;
    char *ca_pem;
};

/* What a round reads, in this order. */
enum remote_step { STEP_AUTHORITY, STEP_CUSTOM, STEP_CUSTOM_V1, STEP_EXTERNAL, STEPS };

struct remote {
    struct loop *loop;
    struct http *http;
    struct kube *kube;
    const struct kubeconfig *ourselves;
    char *url;          /* https://host:port */
    char *ns, *service; /* NULL: it was given as a URL */
    char *ca_path, *cert_path, *key_path, *token_path;
    struct file_followed ca, token;
    struct remote_tls *tls; /* NULL: nothing to verify it by, yet */
    struct remote_call *calls;
    usec_t down_until; /* not asked before */
    struct backoff backoff;

    struct loop_timer *round;
    enum remote_step step;
    struct kube_call *find; /* the APIServices */
    struct remote_call *list;
    struct remote_list lists[REMOTE_APIS];
    struct apidocs_entry *entries; /* of all lists, sorted */
    char said[256];                /* why the last round failed; "" where it did not */
    struct remote_stats stats;
};

/* New TLS settings with that authority; ca_pem is taken, NULL: the system's. */
void remote_set_authority(struct remote *remote, char *ca_pem);

/* Of remote_lists.c: begins the rounds; ends them. */
void remote_lists_start(struct remote *remote);
void remote_lists_stop(struct remote *remote);

#endif
