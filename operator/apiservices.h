/* The APIServices of the metrics APIs, which tell the apiserver whom to pass requests on to. All are
 * followed, so that one which somebody else has is known; those that are ours to manage are created where
 * they are missing, and their caBundle is kept right. What is somebody else's is never written. */
#ifndef OPERATOR_APISERVICES_H
#define OPERATOR_APISERVICES_H

#include "api/client/kube.h"

struct apiservices;

/* Names are "v1beta1.custom.metrics.k8s.io", …; lists are NULL-terminated. */
struct apiservices_options {
    const char *service_ns, *service; /* our own */
    const char *const *managed;       /* NULL: none */
    const char *const *expected;      /* also to point at us, though nothing is written; NULL: none */
};

/* Writes nothing before the first apiservices_set_ca. Borrows loop and kube, copies the rest; owned. */
struct apiservices *apiservices_new(struct loop *loop, struct kube *kube,
                                    const struct apiservices_options *options);
/* NULL is allowed. */
void apiservices_free(struct apiservices *services);
/* The caBundle that those which are managed must have, PEM; NULL: the administrator's, whatever it is. */
void apiservices_set_ca(struct apiservices *services, const char *ca_pem);

/* Who is asked for the metrics of one, as last seen. */
enum apiservice_owner { APISERVICE_UNKNOWN, APISERVICE_NOBODY, APISERVICE_US, APISERVICE_OTHER };
struct apiservice_state {
    const char *name;
    enum apiservice_owner owner;
    bool expected; /* to point at us: managed ones are */
    const struct err
        *err; /* what is wrong: it points elsewhere, or cannot be read or written; code 0: nothing */
};
/* Calls fn for each that is followed; the state is borrowed. */
typedef void apiservices_fn(void *arg, const struct apiservice_state *state);
void apiservices_each(const struct apiservices *services, apiservices_fn *fn, void *arg);

#endif
