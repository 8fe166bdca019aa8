/* Our own certificate in a Secret that all replicas share: whoever is first makes it, whoever comes first
 * renews it, and the apiserver lets only one of them win. */
#ifndef OPERATOR_CERTSECRET_H
#define OPERATOR_CERTSECRET_H

#include "api/client/kube.h"
#include "operator/owncert.h"

struct certsecret;

struct certsecret_options {
    const char *ns, *name;            /* the Secret; keys tls.crt, tls.key, ca.crt */
    const char *service_ns, *service; /* that the certificate is for; NULL: localhost */
};

/* Called with the certificate in the Secret whenever it has been looked at, so it may be the same one again;
 * only with one that can be served. Borrowed. */
typedef void certsecret_fn(void *arg, const struct owncert *cert);

/* Follows the Secret, makes it where it is missing and renews what it holds, if it is ours (label
 * app.kubernetes.io/managed-by: trimtab) or empty. Borrows loop and kube, copies options; owned. */
struct certsecret *certsecret_new(struct loop *loop, struct kube *kube,
                                  const struct certsecret_options *options, certsecret_fn *fn, void *arg);
void certsecret_free(struct certsecret *secret);
/* Why the Secret is not there or not good; code 0: it is. Borrowed. */
const struct err *certsecret_error(const struct certsecret *secret);

#endif
