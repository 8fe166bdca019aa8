/* Paths of an aggregated apiserver: to be authorized as the apiserver in front would read them. Its reading
 * is RequestInfo (k8s.io/apiserver/pkg/endpoints/request/requestinfo.go), by which roles for
 * prometheus-adapter were written: namespace, resource, name and subresource are the parts of the path,
 * whatever they mean to the metrics APIs. */
#include "adapter/servedpath.h"

#include "base/str.h"
#include <errno.h>
#include <string.h>

static const char *const groups[] = {[ROUTE_CUSTOM] = "custom.metrics.k8s.io",
                                     [ROUTE_EXTERNAL] = "external.metrics.k8s.io",
                                     [ROUTE_RESOURCE] = "metrics.k8s.io"};

static bool is_below(const char *path, const char *parent) {
    size_t n = strlen(parent);

    return strncmp(path, parent, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static bool is_health(const char *path) {
    return is_below(path, "/healthz") || is_below(path, "/livez") || is_below(path, "/readyz") ||
           str_eq(path, "/metrics");
}

/* Whether a path is within one of the three groups, and deep enough to mean a metric: those of the group and
 * of its versions are documents of discovery. */
static bool is_within(const char *path) {
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        size_t n = strlen(groups[i]);
        if (str_starts(path, "/apis/") && strncmp(path + 6, groups[i], n) == 0 && path[6 + n] == '/') {
            const char *version = path + 6 + n + 1, *rest = strchr(version, '/');
            return rest && rest[1];
        }
    }
    return false;
}

/* The subresource of an object is its metric: …/pods/NAME/METRIC. A metric of a namespace has the path of an
 * object of a resource "metrics", as …/namespaces/NS/metrics/METRIC reads. */
static struct access_action custom_action(const struct metrics_route *route) {
    struct access_action action = {.verb = "get", .ns = route->ns};

    if (route->resource && str_eq(route->resource, "namespaces") && !route->ns) {
        action.ns = route->name ? route->name : "*";
        action.resource = "metrics";
        action.name = route->metric;
        return action;
    }
    action.resource = route->resource;
    action.subresource = route->metric;
    action.name = route->name ? route->name : "*";
    return action;
}

/* A read of more than one object is a "list" by its path alone; in the custom API "*" stands where a name
 * would, so that it is a "get" there. */
static struct access_action action_of(const struct metrics_route *route) {
    struct access_action action;

    if (route->api == ROUTE_CUSTOM) {
        action = custom_action(route);
    } else if (route->api == ROUTE_EXTERNAL) {
        action = (struct access_action){.verb = "list", .ns = route->ns, .resource = route->metric};
    } else {
        action = (struct access_action){.verb = route->name ? "get" : "list",
                                        .ns = route->ns,
                                        .resource = route->resource,
                                        .name = route->name};
    }
    action.group = groups[route->api];
    action.version = route->version;
    return action;
}

/* Rights depend on the path alone; what is wrong with the query is told to those who have them. */
static void read_metric(const char *target, struct arena *arena, struct served *served, struct err *err) {
    struct metrics_route route;

    served->wrong = metrics_route_read(target, arena, &route, err);
    /* Without the query once more: where that is good, the path is not what is wrong. */
    int ret = served->wrong < 0 ? metrics_route_read(served->path, arena, &route, NULL) : 0;
    if (ret < 0) {
        served->kind = ret == -ENOENT ? PATH_DOCUMENT : PATH_WRONG;
        return;
    }
    served->kind = PATH_METRICS;
    served->action = action_of(&route);
    served->route = route;
}

void served_read(const char *target, struct arena *arena, struct served *ret_served, struct err *err) {
    struct served served = {.path = arena_strndup(arena, target, strcspn(target, "?"))};

    /* What has no metric is authorized as a path that is no resource. */
    served.action = (struct access_action){.verb = "get", .path = served.path};
    if (is_health(served.path))
        served.kind = PATH_HEALTH;
    else if (is_within(served.path))
        read_metric(target, arena, &served, err);
    else
        served.kind = PATH_DOCUMENT;
    *ret_served = served;
}
