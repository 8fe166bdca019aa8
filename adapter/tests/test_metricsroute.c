/* Paths of the metrics APIs: what each asks for, and why one asks for nothing. */
#include "adapter/metricsroute.h"

#include "base/mem.h"
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
    /* Of several the first counts, also where it is empty. */
    {CUSTOM "namespaces/shop/pods/*/"
            "hits?labelSelector=a,b&labelSelector=c&metricLabelSelector&metricLabelSelector=d",
     "shop", "pods", NULL, "hits", 2, 0},
    {CUSTOM "namespaces/shop/pods/*/hits?pretty=true&watch", "shop", "pods", NULL, "hits", 0, 0},
    {EXTERNAL "namespaces/shop/backlog?labelSelector=queue%3Dmail,az", "shop", NULL, NULL, "backlog", 0, 2},
    {EXTERNAL "namespaces/shop/backlog?metricLabelSelector=queue%3Dmail", "shop", NULL, NULL, "backlog", 0,
     0},
    {RESOURCE "nodes", NULL, "nodes", NULL, NULL, 0, 0},
    {RESOURCE "nodes/node-a", NULL, "nodes", "node-a", NULL, 0, 0},
    {RESOURCE "pods?labelSelector=app", NULL, "pods", NULL, NULL, 1, 0},
    {RESOURCE "namespaces/shop/pods/web-1", "shop", "pods", "web-1", NULL, 0, 0},
    {RESOURCE "namespaces/shop/pods/*", "shop", "pods", "*", NULL, 0, 0},
    {RESOURCE "nodes/node-a?labelSelector=(&fieldSelector=x&watch", NULL, "nodes", "node-a", NULL, 0, 0},
    {CUSTOM "nodes/a/m?fieldSelector=metadata.name%3Db,metadata.name%3Da", NULL, "nodes", "a", "m", 0, 0},
    {CUSTOM "nodes/*/hits?labelSelector=age%3E1", NULL, "nodes", NULL, "hits", 1, 0},
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
    {CUSTOM "nodes/a%ff/load", -EINVAL, "the path is not UTF-8"},
    {EXTERNAL "namespaces/shop/%ed%a0%80", -EINVAL, "the path is not UTF-8"},
    {CUSTOM "nodes/*/load?labelSelector=app%3D%3D%3D", -EINVAL, "labelSelector: "},
    {CUSTOM "nodes/*/load?metricLabelSelector=x%3E1", -EINVAL, "metricLabelSelector: "},
    {EXTERNAL "backlog", -ENOENT, "no path of an external metric"},
    {EXTERNAL "namespaces/shop/backlog/extra", -ENOENT, "no path of an external metric"},
    {RESOURCE "pods?fieldSelector=status.phase%3DRunning", -EINVAL,
     "\"status.phase\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""},
    {RESOURCE "pods?fieldSelector=metadata.name+in+(a,b)", -EINVAL,
     "fieldSelector: metadata.name in (a needs"},
    {RESOURCE "pods?fieldSelector=metadata.name", -EINVAL, "fieldSelector: metadata.name needs one"},
    {RESOURCE "pods?fieldSelector=%3D", -EINVAL, "\"\" is not a known field selector"},
    {RESOURCE "pods?fieldSelector=metadata.name%3Da%3Db", -EINVAL, "\"a=b\" is no value"},
    {RESOURCE "pods?fieldSelector=metadata.name%3Da%5Cb", -EINVAL, "is no value"},
    {RESOURCE "pods?fieldSelector=metadata.name%3Da%5C", -EINVAL, "is no value"},
    {CUSTOM "namespaces/shop/pods/web-1/m?fieldSelector=metadata.namespace%3Dshop", -EINVAL, "doesn't match"},
    {CUSTOM "namespaces/shop/pods/web-1/m?fieldSelector=metadata.name!%3Dweb-2", -EINVAL, "doesn't match"},
    {CUSTOM "namespaces/shop/pods/web-1/m?limit=", -EINVAL, "limit: \"\" is no number"},
    {EXTERNAL "namespaces/shop/m?timeoutSeconds=x", -EINVAL, "timeoutSeconds: \"x\" is no number"},
    {EXTERNAL "namespaces/shop/m?watch=true", -EOPNOTSUPP, "watch is not supported"},
    {RESOURCE "pods?limit=1&watch=", -EOPNOTSUPP, "of kind \"pods.metrics.k8s.io\""},
    {RESOURCE "pods?watch=1&limit=x", -EINVAL, "limit: "},
    {CUSTOM "namespaces/shop/pods/web-1/m?fieldSelector=metadata.name%3Dweb-2", -EINVAL, "doesn't match"},
    {CUSTOM "namespaces/shop/pods/*/m?fieldSelector=metadata.name%3Dweb-2", -EINVAL, "doesn't match"},
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

static const struct selection {
    const char *query;
    bool pod, other, node; /* shop/web-1 with app=web, tools/other without labels, the node node-a */
} selections[] = {
    {"", true, true, true},
    {"?fieldSelector=", true, true, true},
    {"?fieldSelector=metadata.name%3Dweb-1", true, false, false},
    {"?fieldSelector=,metadata.name%3Dweb-1,,&limit=1&watch=false", true, false, false},
    {"?watch=False", true, true, true},
    {"?watch=0", true, true, true},
    {"?fieldSelector=metadata.name%3Dweb%5C,1,metadata.name%3Dweb-1", false, false, false},
    {"?fieldSelector=metadata.name%3D", false, false, false},
    {"?fieldSelector=metadata.name%3D%3Dweb-1,metadata.namespace%3Dshop", true, false, false},
    {"?fieldSelector=metadata.name%3Dweb-1,metadata.namespace%3Dtools", false, false, false},
    {"?fieldSelector=metadata.namespace!%3Dshop", false, true, true},
    {"?fieldSelector=metadata.namespace%3Dshop&labelSelector=app%3Dweb", true, false, false},
    {"?labelSelector=!app", false, true, true},
};

static void selects_by_labels_and_fields(void **state) {
    struct str_pool pool;
    struct object *objects[3];
    static const struct object_names names[] = {{"shop", "web-1"}, {"tools", "other"}, {"", "node-a"}};

    (void)state;
    str_pool_init(&pool);
    for (int i = 0; i < 3; i++)
        objects[i] = object_new(OBJECT_META, &pool, &names[i]);
    objects[0]->labels = labels_new(1);
    objects[0]->labels->items[0] = (struct label){str_intern(&pool, "app", 3), str_intern(&pool, "web", 3)};
    for (size_t i = 0; i < sizeof(selections) / sizeof(selections[0]); i++) {
        cleanup_free char *path = xasprintf(RESOURCE "pods%s", selections[i].query);
        cleanup_arena struct arena arena;
        struct metrics_route route;
        arena_init(&arena, 0);
        assert_int_equal(metrics_route_read(path, &arena, &route, NULL), 0);
        print_message("%s\n", path);
        assert_int_equal(metrics_route_selects(&route, objects[0]), selections[i].pod);
        assert_int_equal(metrics_route_selects(&route, objects[1]), selections[i].other);
        assert_int_equal(metrics_route_selects(&route, objects[2]), selections[i].node);
    }
    for (int i = 0; i < 3; i++)
        object_unref(objects[i]);
    str_pool_done(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_asked_for),
        cmocka_unit_test(says_why_it_is_none),
        cmocka_unit_test(selects_by_labels_and_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
