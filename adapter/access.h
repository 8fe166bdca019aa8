/* Who asks, and whether they may: front-proxy and client certificates, TokenReview, SubjectAccessReview with
 * cached verdicts, as an aggregated apiserver does it (kube-system/extension-apiserver-authentication). */
#ifndef ADAPTER_ACCESS_H
#define ADAPTER_ACCESS_H

#include "adapter/access_identity.h"
#include "adapter/accessaction.h"
#include "api/client/kube.h"
#include "net/httpsserver.h"

struct access;

struct access_options {
    const char *client_ca_file;               /* NULL: client-ca-file of the ConfigMap */
    const char *requestheader_client_ca_file; /* NULL: the ConfigMap's, with its names and headers */
    const char *const *requestheader_allowed_names,
        *const *requestheader_username_headers, *const *requestheader_group_headers,
                                                    *const *requestheader_extra_headers_prefix; /* or NULL */
    bool skip_lookup;                        /* --authentication-skip-lookup: the ConfigMap is not read */
    bool tolerate_lookup_failure;            /* --authentication-tolerate-lookup-failure */
    usec_t token_ttl;                        /* --authentication-token-webhook-cache-ttl; 0: 10 s */
    usec_t authorized_ttl, unauthorized_ttl; /* --authorization-webhook-cache-…-ttl; 0: 10 s */
    const char *const *always_allow_paths;   /* NULL: /healthz /readyz /livez; "/x/" + "*" as a prefix */
};

enum access_verdict {
    ACCESS_ALLOWED,
    ACCESS_UNAUTHENTICATED, /* 401 */
    ACCESS_FORBIDDEN,       /* 403 */
    ACCESS_FAILED,          /* 500: the apiserver could not be asked; never an admission */
};
/* identity: of ALLOWED and FORBIDDEN, NULL where the path is open to all; err: why not. Borrowed. */
typedef void access_done_fn(void *arg, enum access_verdict verdict, const struct identity *identity,
                            const struct err *err);
struct access_check;

/* Follows the ConfigMap and gives the server its authorities. Borrows all but options; owned. -EINVAL names
 * the file that cannot be read. */
int access_new(struct loop *loop, struct kube *kube, struct httpsserver *server,
               const struct access_options *options, struct access **ret_access, struct err *err);
void access_free(struct access *access);
/* Whether the ConfigMap has been read (or is not needed). */
bool access_ready(const struct access *access);
/* Why the ConfigMap cannot be followed at the moment, such as a right that is missing; code 0: it is, or is
 * not needed. What it said before stays in force. Borrowed. */
const struct err *access_error(const struct access *access);

/* Asks. Where the answer is known, done is called inside and NULL returned; else it is called later, and the
 * handle is valid until then. Equal questions under way are asked once. Both caches are bounded. A member of
 * system:masters passes without a review, as there. */
struct access_check *access_ask(struct access *access, const struct https_request *request,
                                const struct access_action *action, access_done_fn *done, void *arg);
void access_cancel(struct access_check *check);

struct access_stats {
    uint64_t token_reviews, access_reviews, cache_hits, denied, unauthenticated, failures;
};
void access_stats(const struct access *access, struct access_stats *ret_stats);

#endif
