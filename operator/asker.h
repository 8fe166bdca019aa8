/* Asking an operator, a cluster or a Prometheus from a command: one request after the other, each waiting for
 * its answer. */
#ifndef OPERATOR_ASKER_H
#define OPERATOR_ASKER_H

#include "api/client/discovery.h"
#include "base/buf.h"
#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>

/* A loop with what it takes to ask an operator or a cluster; requests wait for their answer. */
struct asker;

/* Owned by the caller; nothing is connected yet. */
int asker_new(struct asker **ret_asker, struct err *err);
void asker_free(struct asker *asker);
/* Reads the kubeconfig, as `run` does; needed before asker_cluster. */
int asker_use_cluster(struct asker *asker, const char *kubeconfig, const char *context, struct err *err);
/* The namespace that the kubeconfig's context names, or "default". Borrowed. */
const char *asker_namespace(const struct asker *asker);

struct answer {
    struct buf body;    /* of a 2xx */
    struct err err;     /* why there is none; code 0: there is */
    bool from_operator; /* the operator itself says no, in err */
};
void answer_done(struct answer *answer);

/* GET url; ret_answer is to be done. */
void asker_url(struct asker *asker, const char *url, struct answer *ret_answer);
/* GET path of the apiserver. A refusal that is no Status object comes from what the apiserver passed the
 * request on to. */
void asker_cluster(struct asker *asker, const char *path, struct answer *ret_answer);

/* Calls fn for each resource that the cluster serves (discovery_each), and broken for what could not be asked
 * for. */
int asker_discover(struct asker *asker, discovery_fn *fn, discovery_broken_fn *broken, void *arg,
                   struct err *err);
/* POSTs body to path of the apiserver; the answer is what it made of it. */
void asker_create(struct asker *asker, const char *path, const json_t *body, struct answer *ret_answer);

struct prom_endpoint;
/* Asks Prometheus at path ("/api/v1/series") with this form, and its credentials. The answer
 * is bounded by the endpoint's max_response. -EINVAL: Prometheus does not understand the form. */
void asker_prometheus(struct asker *asker, struct prom_endpoint *endpoint, const char *path, const char *form,
                      struct answer *ret_answer);

#endif
