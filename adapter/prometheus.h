/* Prometheus as a source of metrics: instant queries, one fetch for a query however many policies share it.
 */
#ifndef ADAPTER_PROMETHEUS_H
#define ADAPTER_PROMETHEUS_H

#include "api/types/metric_source.h"
#include "net/http.h"
#include "net/loop.h"

struct prometheus_options {
    const char *url; /* base URL: http(s)://host:port[/prefix]; may carry user:password@ for basic */
    const char *ca_file, *cert_file, *key_file, *server_name;
    bool insecure;
    const char *token_file; /* bearer token, re-read when it changes */
    const char *username, *password_file;
    /* The same as texts, where they come from a Secret; a file beside its text is an error. */
    const char *ca_pem, *cert_pem, *key_pem, *token, *password;
    const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
    bool use_get;               /* GET instead of POST */
    usec_t timeout;             /* of a query; 0: 10 s */
    usec_t interval;            /* where a policy gives none; 0: 1 s */
    int max_concurrent;         /* queries at once; 0: 8 */
    size_t max_response;        /* bytes; 0: 1 MiB */
};

struct prometheus_stats {
    uint64_t queries, failures; /* since the start */
    uint32_t distinct;          /* queries followed now */
    uint32_t in_flight;
    usec_t last_success; /* wall; 0: never */
};

/* A source on the loop, owned by the caller. The options are copied. -EINVAL names a bad option. */
int prometheus_new(struct loop *loop, struct http *http, const struct prometheus_options *options,
                   struct metric_source **ret_source, struct err *err);
/* The same on a client that others use too: borrowed, and freed later than the source. interval as in the
 * options. */
struct promclient;
struct metric_source *prometheus_on(struct loop *loop, struct promclient *client, usec_t interval);
/* All subscriptions must be gone. NULL is allowed. */
void prometheus_free(struct metric_source *source);
void prometheus_stats(const struct metric_source *source, struct prometheus_stats *ret_stats);

#endif
