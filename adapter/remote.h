/* Another adapter in the same cluster (--remote-adapter): requests for metrics that are not ours are passed
 * on to it, over verified TLS, and what it lists is merged into discovery. While it is down, what is ours is
 * served all the same, and its list stays as it was last read. */
#ifndef ADAPTER_REMOTE_H
#define ADAPTER_REMOTE_H

#include "adapter/access_identity.h"
#include "adapter/apidocs.h"
#include "adapter/metricsroute.h"
#include "api/client/kube.h"
#include "net/httpsserver.h"

struct remote;
struct remote_call;

struct remote_options {
    const char *target; /* "NAMESPACE/SERVICE:PORT", or "https://host:port" */
    /* What its certificate is verified by. NULL: the caBundle of an APIService that points at the Service; of
     * a URL, the system's authorities. Never unverified. */
    const char *ca_file;
    /* A certificate that the remote trusts as front proxy: then the user's identity is forwarded
     * (X-Remote-User, -Uid, -Group, -Extra-…). NULL: requests are made as ourselves. */
    const char *cert_file, *key_file;
    const struct kubeconfig *ourselves; /* whose token (else client certificate) is shown then; borrowed */
};

/* The options are copied, all else is borrowed; owned by the caller. -EINVAL: target, or one of cert_file and
 * key_file alone, or a file that cannot be read. */
int remote_new(struct loop *loop, struct http *http, struct kube *kube, const struct remote_options *options,
               struct remote **ret_remote, struct err *err);
/* Cancels everything. NULL is allowed. */
void remote_free(struct remote *remote);

/* What was answered. err: code 0, or why there is no answer (status 0): -EAGAIN it is down and not asked
 * again yet, -EBUSY, -EINVAL the identity cannot be put into headers, -ENOKEY there is nothing to verify it
 * by, or the transport's. body's contents may be taken; all is borrowed. */
struct remote_answer {
    int status;
    const char *content_type;
    struct buf *body; /* at most 8 MiB; of an answer that is not 2xx the first 64 KiB */
};
typedef void remote_done_fn(void *arg, const struct remote_answer *answer, const struct err *err);

/* Passes a GET on: the target as it came, accept (or NULL), and who asks (NULL: ourselves). done is called
 * once, on a later turn, after at most 10 s; the handle is valid until then. */
struct remote_call *remote_get(struct remote *remote, const char *target, const char *accept,
                               const struct identity *identity, remote_done_fn *done, void *arg);
/* No callback follows. NULL is allowed. */
void remote_cancel(struct remote_call *call);

/* What every request that is passed on carries as Via, and whether one that has come does: it must be
 * refused, or it goes round for ever (the remote's Service leads back to us). */
#define REMOTE_VIA "trimtab"
bool remote_has_come_round(const struct https_request *request);

/* The metrics that it lists, sorted by name; read again every 30 s. Borrowed until the next turn. */
const struct apidocs_entry *remote_entries(const struct remote *remote, uint32_t *ret_count);
/* Whether a metric may be its: it is listed, or the list of that API has never been read, or does not tell
 * names (KEDA lists "externalmetrics" for all it has; remote_list.c). Of metrics.k8s.io: never. */
bool remote_has(const struct remote *remote, const struct metrics_route *route);

struct remote_stats {
    uint64_t requests, failures; /* failures: no answer; the reading of lists counted in */
    uint32_t in_flight, entries;
    bool up;              /* the last request got an answer */
    usec_t last_list;     /* wall time at which all lists were read last; 0: never */
    usec_t last_latency;  /* of the last answer */
    char last_error[256]; /* "" since the last success */
};
void remote_stats(const struct remote *remote, struct remote_stats *ret_stats);

#endif
