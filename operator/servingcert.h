/* The certificate of the metrics APIs: from files, or made by ourselves, kept in a Secret that all replicas
 * share, and renewed before it ends. The APIServices are told whom to trust. */
#ifndef OPERATOR_SERVINGCERT_H
#define OPERATOR_SERVINGCERT_H

#include "api/client/kube.h"
#include "net/httpsserver.h"
#include "operator/apiservices.h"

struct servingcert;

struct servingcert_options {
    const char *cert_file,
        *key_file;        /* --tls-cert-file, --tls-private-key-file; read again when they change */
    const char *cert_dir; /* --cert-dir: where our own are kept when there is no Secret; NULL: memory */
    const char *secret_ns, *secret;   /* the Secret that ours are kept in; NULL: none */
    const char *service_ns, *service; /* that APIServices point at: our certificate is for its names; NULL:
                                         for localhost only */
    struct apiservices *apiservices;  /* that must trust it; NULL: none; outlives the certificate */
};

/* Gives the server its first certificate at once (or as soon as the Secret could be read) and keeps it good.
 * Borrows all; options are copied. -EINVAL names a file. */
int servingcert_new(struct loop *loop, struct kube *kube, struct httpsserver *server,
                    const struct servingcert_options *options, struct servingcert **ret_cert,
                    struct err *err);
void servingcert_free(struct servingcert *cert);
/* Whether there is a certificate. */
bool servingcert_ready(const struct servingcert *cert);
/* What is wrong with the files or the Secret; code 0: nothing. Borrowed. */
const struct err *servingcert_error(const struct servingcert *cert);
/* When the certificate ends, wall time; 0: there is none. For metrics. */
usec_t servingcert_not_after(const struct servingcert *cert);

#endif
