/* What an aggregated apiserver tells about itself: discovery in all its forms, OpenAPI v2 and v3, /version
 * and the index. Written from the list of metrics. Pure. */
#ifndef ADAPTER_APIDOCS_H
#define ADAPTER_APIDOCS_H

#include "adapter/metricswrite.h"
#include "adapter/registry.h"

/* A metric that another adapter serves, merged into discovery. */
struct apidocs_entry {
    bool external, namespaced;
    const char *name; /* "pods/queue_depth", or the external metric's */
};

struct apidocs {
    const struct registry *registry; /* NULL: no rules */
    bool resource;                   /* metrics.k8s.io is served */
    uint32_t other_count;
    const struct apidocs_entry *others; /* of the remote adapter, sorted by name; those that we have win */
    const char *version;                /* of the program */
};

/* Writes the document of path ("/apis", "/apis/custom.metrics.k8s.io/v1beta2", "/openapi/v3", …; no query) in
 * the form that the Accept header asks for: its status, 200, 404 (no such document; nothing written) or 406
 * (likewise). *ret_type: the content type, static. */
int apidocs_write(const struct apidocs *docs, const char *path, const char *accept, struct buf *out,
                  const char **ret_type);

#endif
