/* The paths of the metrics APIs, as those who ask write them: what a request asks for. Pure. */
#ifndef ADAPTER_METRICSROUTE_H
#define ADAPTER_METRICSROUTE_H

#include "api/types/selector.h"
#include "base/arena.h"
#include "base/err.h"

enum metrics_route_api {
    ROUTE_CUSTOM,   /* custom.metrics.k8s.io v1beta1, v1beta2 */
    ROUTE_EXTERNAL, /* external.metrics.k8s.io v1beta1 */
    ROUTE_RESOURCE, /* metrics.k8s.io v1beta1 */
};

struct metrics_route {
    enum metrics_route_api api;
    const char *version;
    const char *ns;       /* NULL: not namespaced, or in all of them (RESOURCE) */
    const char *resource; /* CUSTOM: as in the URL, "namespaces" for …/namespaces/NS/metrics/METRIC, whose
                             name is the namespace; RESOURCE: "pods" or "nodes"; EXTERNAL: NULL */
    const char *name;     /* of the object; NULL: all that labels selects ("*", or a list) */
    const char *metric;   /* NULL: RESOURCE */
    const char *labels_text;       /* as it was asked for, decoded; NULL: none */
    struct selector labels;        /* labelSelector, of the objects */
    struct selector metric_labels; /* metricLabelSelector; EXTERNAL: labelSelector */
    struct selector fields;        /* fieldSelector: metadata.name and metadata.namespace alone */
    bool watch;                    /* asked for; CUSTOM takes it for a list */
};

/* Reads a path with its query
 * ("/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/web-0/queue_depth?…"). Texts live in arena.
 * -ENOENT: it is no path of these APIs, or one of their lists of metrics; -EINVAL: it is one, but a part or a
 * parameter is wrong; -EOPNOTSUPP: it wants to watch what cannot be watched; -E2BIG. One object of RESOURCE
 * is what its name says, whatever the query says. */
int metrics_route_read(const char *path, struct arena *arena, struct metrics_route *ret_route,
                       struct err *err);

/* Whether labels and fields select an object; the path is not looked at. */
bool metrics_route_selects(const struct metrics_route *route, const struct object *object);

#endif
