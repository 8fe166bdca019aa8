/* Prometheus as a source of metrics: instant queries, one fetch for a query however many policies share it.
 */
#ifndef ADAPTER_PROMETHEUS_H
#define ADAPTER_PROMETHEUS_H

#include "api/types/metric_source.h"
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

struct promclient;

/* A source on the loop, owned by the caller; the client is borrowed, others may use it too. interval as in
 * the options. */
struct metric_source *prometheus_new(struct loop *loop, struct promclient *client, usec_t interval);
/* All subscriptions must be gone. NULL is allowed. */
void prometheus_free(struct metric_source *source);
/* How many different queries are followed. */
uint32_t prometheus_distinct(const struct metric_source *source);

#endif
