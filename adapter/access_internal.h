/* The inside of access: what access.c (who asks, whom to trust) and access_ask.c (the questions to the
 * apiserver) share. */
#ifndef ADAPTER_ACCESS_INTERNAL_H
#define ADAPTER_ACCESS_INTERNAL_H

#include "adapter/access.h"
#include "adapter/access_cache.h"
#include "adapter/access_config.h"
#include "api/client/file.h"
#include "api/client/kubeobject.h"
#include "net/digest.h"

enum access_review_kind { REVIEW_TOKEN, REVIEW_SUBJECT, REVIEW_KINDS };

struct access {
    struct loop *loop;
    struct kube *kube;
    struct httpsserver *server;
    struct arena arena;            /* of options */
    struct access_options options; /* a copy; times and paths are never 0 */

    /* Whom to trust. */
    struct kubeobject *configmap; /* NULL: not needed */
    bool looked;                  /* it has been read, or is known not to be there */
    struct access_config config;  /* what it says */
    struct file_followed files[HTTPS_CAS];
    struct loop_timer *files_due;
    char *trusted[HTTPS_CAS];          /* what the server was given, or NULL */
    const struct access_names *names;  /* in force */
    struct access_names names_of_flag; /* of --requestheader-… */
    struct access_identity *anonymous;

    /* What is known, and what is being asked. */
    struct digest_key token_key;
    struct access_cache known[REVIEW_KINDS];
    struct map under_way[REVIEW_KINDS]; /* struct review by its key */
    struct access_stats stats;
};

/* Of access_ask.c. */
void access_reviews_init(struct access *access);
/* Ends every review; nobody is told. */
void access_reviews_done(struct access *access);

/* What a request shows of who asks, by itself. */
enum access_who {
    WHO_KNOWN,  /* the identity */
    WHO_TOKEN,  /* a token, of which the apiserver knows whose it is */
    WHO_NOBODY, /* something that proves nothing */
};
/* Of access.c: *ret_identity with one reference where it is known; *ret_token (of *ret_len bytes) is borrowed
 * from request. */
enum access_who access_identify(const struct access *access, const struct https_request *request,
                                struct access_identity **ret_identity, const char **ret_token,
                                size_t *ret_len);

#endif
