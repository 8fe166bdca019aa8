/* A Prometheus server as it is to be asked: address, TLS, credentials, and the request for one query. */
#ifndef ADAPTER_PROMREQUEST_H
#define ADAPTER_PROMREQUEST_H

#include "adapter/prometheus.h"
#include "api/client/file.h"
#include "net/http.h"
#include "net/url.h"

struct prom_endpoint {
    struct url_base base;
    char *label; /* "Prometheus http://host:9090", for messages: no credentials in it */
    struct http_tls tls;
    char *ca_file, *cert_file, *key_file, *server_name; /* what tls points to */
    char *ca_pem, *cert_pem, *key_pem;
    char *username, *token_text, *password_text;
    char **headers;                   /* NULL-terminated */
    char *token_file, *password_file; /* what these follow */
    struct file_followed token, password;
    bool use_get;
    usec_t timeout;
    size_t max_response;
};

/* Copies and checks the options; -EINVAL names the bad one. */
int prom_endpoint_init(struct prom_endpoint *e, const struct prometheus_options *options, struct err *err);
void prom_endpoint_done(struct prom_endpoint *e);

/* One request and the memory it needs until it is started. */
struct prom_request {
    struct http_request http; /* without on_body, on_done, arg */
    char *url, *authorization, *userpwd;
    const char **headers;
};

/* Makes the request of path ("/api/v1/query") with a form: 0, or a negative code where a secret cannot be
 * read. The path and form are borrowed until the request is started. prom_request_done. */
int prom_request_init(struct prom_request *r, struct prom_endpoint *e, const char *path, const char *form,
                      struct err *err);
void prom_request_done(struct prom_request *r);
#define cleanup_prom_request cleanup(prom_request_done)

#endif
