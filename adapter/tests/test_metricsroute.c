/* Paths of the metrics APIs: what each asks for, and why one asks for nothing. */
#include "adapter/metricsroute.h"

#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CUSTOM "/apis/custom.metrics.k8s.io/v1beta2/"
#define EXTERNAL "/apis/external.metrics.k8s.io/v1beta1/"
#define RESOURCE "/apis/metrics.k8s.io/v1beta1/"

static const struct good {
    const char *path, *ns, *resource, *name, *metric;
    uint32_t labels, metric_labels; /* terms of the selectors */
} good[] = {
    {CUSTOM "namespaces/shop/pods/web-1/hits", "shop", "pods", "web-1", "hits", 0, 0},
    {CUSTOM "namespaces/shop/pods/*/hits", "shop", "pods", NULL, "hits", 0, 0},
    {CUSTOM "namespaces/shop/pods/%2A/hits/", "shop", "pods", NULL, "hits", 0, 0},
    {CUSTOM "namespaces/shop/deployments.apps/web/a%2Fb", "shop", "deployments.apps", "web", "a/b", 0, 0},
    {CUSTOM "nodes/node-a/load", NULL, "nodes", "node-a", "load", 0, 0},
    {CUSTOM "namespaces/shop/metrics/hits", NULL, "namespaces", "shop", "hits", 0, 0},
    {CUSTOM "namespaces/*/metrics/hits", NULL, "namespaces", NULL, "hits", 0, 0},
    {CUSTOM "namespaces/shop/pods/*/hits?labelSelector=app%3Dweb&metricLabelSelector=verb+in+(GET,POST),!x",
     "shop", "pods", NULL, "hits", 1, 2},
    {CUSTOM "namespaces/shop/pods/*/hits?pretty=true&watch", "shop", "pods", NULL, "hits", 0, 0},
    {EXTERNAL "namespaces/shop/backlog?labelSelector=queue%3Dmail,az", "shop", NULL, NULL, "backlog", 0, 2},
    {EXTERNAL "namespaces/shop/backlog?metricLabelSelector=queue%3Dmail", "shop", NULL, NULL, "backlog", 0,
     0},
    {RESOURCE "nodes", NULL, "nodes", NULL, NULL, 0, 0},
    {RESOURCE "nodes/node-a", NULL, "nodes", "node-a", NULL, 0, 0},
    {RESOURCE "pods?labelSelector=app", NULL, "pods", NULL, NULL, 1, 0},
    {RESOURCE "namespaces/shop/pods/web-1", "shop", "pods", "web-1", NULL, 0, 0},
};

static const struct bad {
    const char *path;
    int code;
    const char *part; /* of the message */
} bad[] = {
    {"", -ENOENT, "no path"},
    {"nodes", -ENOENT, "no path"},
    {"/api/v1/pods", -ENOENT, "no path"},
    {"/apis/apps/v1/deployments", -ENOENT, "no path"},
    {"/apis/custom.metrics.k8s.io", -ENOENT, "no path"},
    {"/apis/custom.metrics.k8s.io/v1/nodes/a/b", -ENOENT, "there is no v1"},
    {CUSTOM, -ENOENT, "no path of a metric"},
    {CUSTOM "namespaces/shop/hits", -EINVAL, "invalid request path"},
    {CUSTOM "namespaces/shop/pods/hits", -ENOENT, "no path of a metric"},
    {CUSTOM "namespaces/shop/pods/web-1/hits/more", -ENOENT, "no path"},
    {CUSTOM "namespaces//pods/web-1/hits", -ENOENT, "no path"},
    {CUSTOM "nodes/a%0/load", -EINVAL, "percent-encoding at \"%0\""},
    {CUSTOM "nodes/a%00/load", -EINVAL, "percent-encoding"},
    {CUSTOM "nodes/*/load?labelSelector=app%3D%3D%3D", -EINVAL, "labelSelector: "},
    {CUSTOM "nodes/*/load?metricLabelSelector=x%3E1", -EINVAL, "metricLabelSelector: "},
    {EXTERNAL "backlog", -ENOENT, "no path of an external metric"},
    {EXTERNAL "namespaces/shop/backlog/extra", -ENOENT, "no path of an external metric"},
    {RESOURCE "pods/web-1", -ENOENT, "no path of resource metrics"},
    {RESOURCE "namespaces/shop/nodes", -ENOENT, "no path of resource metrics"},
};

static void reads_what_is_asked_for(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct arena arena;
        struct metrics_route route;
        struct err err = {0};

        arena_init(&arena, 0);
        if (metrics_route_read(good[i].path, &arena, &route, &err) < 0)
            fail_msg("%s: %s", good[i].path, err_text(&err));
        if (!str_eq(route.ns, good[i].ns) || !str_eq(route.resource, good[i].resource) ||
            !str_eq(route.name, good[i].name) || !str_eq(route.metric, good[i].metric) ||
            route.labels.count != good[i].labels || route.metric_labels.count != good[i].metric_labels)
            fail_msg("%s: %s %s %s %s %u %u", good[i].path, str_or_empty(route.ns),
                     str_or_empty(route.resource), str_or_empty(route.name), str_or_empty(route.metric),
                     route.labels.count, route.metric_labels.count);
        arena_done(&arena);
    }
}

static void says_why_it_is_none(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct arena arena;
        struct metrics_route route;
        struct err err = {0};

        arena_init(&arena, 0);
        int ret = metrics_route_read(bad[i].path, &arena, &route, &err);
        if (ret != bad[i].code || !strstr(err_text(&err), bad[i].part))
            fail_msg("%s: %d %s", bad[i].path, ret, err_text(&err));
        arena_done(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_asked_for),
        cmocka_unit_test(says_why_it_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
