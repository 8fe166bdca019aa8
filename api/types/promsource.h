/* MetricSource and ClusterMetricSource (autoscaling.trimtab.dev/v1): a Prometheus-compatible server by name.
 * Reading checks again what the definition's schema promises, the names of Secrets above all: they become
 * parts of paths. Pure.
 *
 * Not to be taken for api/types/metric_source.h, the interface behind which every origin of metrics stands.
 */
#ifndef API_TYPES_PROMSOURCE_H
#define API_TYPES_PROMSOURCE_H

#include "api/types/object.h"
#include "base/arena.h"
#include "base/err.h"
#include <jansson.h>

enum { PROMSOURCE_MAP_MAX = 16 }; /* headers, query parameters */

struct promsource_pair {
    const char *name, *value;
};

struct promsource_secret {
    const char *name, *key; /* name NULL: not given */
};

enum promsource_auth { PROMSOURCE_OPEN, PROMSOURCE_BEARER, PROMSOURCE_BASIC, PROMSOURCE_HEADER };

struct promsource_spec {
    const char *url;
    struct promsource_secret ca;
    const char *cert_secret; /* with tls.crt and tls.key, or NULL */
    const char *server_name; /* or NULL */
    bool insecure;
    enum promsource_auth auth;
    struct promsource_secret credential; /* of auth: token, password or the header's value */
    const char *username;                /* BASIC; NULL: the key "username" of the same Secret */
    const char *header;                  /* HEADER: its name */
    uint32_t header_count, parameter_count;
    const struct promsource_pair *headers, *parameters;
    usec_t timeout, interval;
    bool use_get;
};

/* The cached object of both kinds; ns of a ClusterMetricSource is "". */
struct promsource_object {
    struct object meta;
    struct arena arena;
    struct promsource_spec spec;
    struct err invalid;  /* code != 0: the spec cannot be used, and why */
    json_t *status_json; /* status as stored; owned; NULL where absent */
};

/* Reads spec: -EINVAL with the field's path and what to change. Strings live in arena. */
int promsource_read_spec(const json_t *spec, struct arena *arena, struct promsource_spec *ret_spec,
                         struct err *err);
/* Makes a cached object (one reference) from the whole document; a bad spec is kept as invalid. -EINVAL: it
 * has no name. */
int promsource_from_json(const json_t *document, struct str_pool *pool, struct promsource_object **ret_source,
                         struct err *err);
/* What it holds beside its meta, for object_unref. */
void promsource_done(struct promsource_object *source);

/* The names of the Secrets that a spec needs, each once; the count. */
enum { PROMSOURCE_SECRETS_MAX = 3 };
uint32_t promsource_secrets(const struct promsource_spec *spec, const char **ret_names);

#endif
