/* Every recorded case: what a configuration and some series become, held against what prometheus-adapter
 * lists in its discovery, and against which paths it had a query for. */
#include "adapter/tests/vectors.h"

#include "adapter/metricsroute.h"
#include "api/types/tests/cases.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct recorded_cluster cluster;

static const char *text_of(const json_t *object, const char *key) {
    return str_or_empty(json_string_value(json_object_get(object, key)));
}

/* An entry as discovery lists it: {"pods/queue_depth": true} for a namespaced one. */
static void list_entry(void *arg, const struct registry_entry *entry) {
    const struct cluster_resource *r = entry->resource;
    cleanup_free char *name =
        r ? xasprintf("%s%s%s/%s", r->plural, *r->group ? "." : "", r->group, entry->metric)
          : xstrdup(entry->metric);

    assert_null(json_object_get(arg, name));
    json_object_set_new(arg, name, json_boolean(entry->namespaced));
}

/* The same of a recorded document. Metrics without a name are left out, which the original lists. */
static json_t *recorded_list(const json_t *document) {
    json_t *names = json_object();
    json_t *resource;
    size_t i;

    json_array_foreach(json_object_get(document, "resources"), i, resource) {
        const char *name = text_of(resource, "name");
        if (*name && !str_ends(name, "/"))
            json_object_set(names, name, json_object_get(resource, "namespaced"));
    }
    return names;
}

static void check_list(const struct recorded *v, const char *path, const json_t *document) {
    json_t *want = recorded_list(document), *got = json_object();

    registry_each(v->registry, strstr(path, "external.metrics") != NULL, list_entry, got);
    if (!json_equal(want, got)) {
        cleanup_free char *text = json_dumps(got, JSON_SORT_KEYS);
        fail_msg("%s lists %s", path, text);
    }
    json_decref(want);
    json_decref(got);
}

static const struct registry_entry *find(const struct recorded *v, const struct metrics_route *route) {
    if (route->api == ROUTE_EXTERNAL)
        return registry_find_external(v->registry, route->metric);
    bool namespaced = route->ns && !str_eq(route->resource, "namespaces");
    return registry_find(v->registry, route->resource, namespaced, route->metric);
}

/* A path that the original had a query for is a registered metric; one that it did not know is not. */
static void check_path(const struct recorded *v, const json_t *answer) {
    const char *path = text_of(answer, "path");
    const char *message = text_of(json_object_get(answer, "body"), "message");
    size_t queries = json_array_size(json_object_get(answer, "promql"));
    cleanup_arena struct arena arena;
    struct metrics_route route;

    arena_init(&arena, 0);
    if (metrics_route_read(path, &arena, &route, NULL) < 0 || route.api == ROUTE_RESOURCE)
        return;
    const struct registry_entry *entry = find(v, &route);
    if (queries && !entry)
        fail_msg("%s is not registered", path);
    /* "*" for no object at all is answered in the same words. */
    if (!queries && strstr(message, "could not find the metric") && !strchr(path, '*') && entry)
        fail_msg("%s is registered, from %s", path, entry->series);
}

static void check_case(const struct test_case *c) {
    bool starts = json_is_true(json_object_get(c->in, "started"));
    struct err err = {0};
    struct recorded v;
    json_t *answer;
    size_t i;

    int ret = recorded_init(&v, c->in, &cluster, &err);
    if (starts == (ret < 0))
        fail_msg("%s", ret < 0 ? err.text : "the configuration was taken");
    if (ret < 0) {
        assert_true(strlen(err.text) > 10);
        return;
    }
    json_array_foreach(json_object_get(c->in, "answers"), i, answer) {
        const json_t *body = json_object_get(answer, "body");
        if (str_eq(text_of(body, "kind"), "APIResourceList"))
            check_list(&v, text_of(answer, "path"), body);
        else
            check_path(&v, answer);
    }
    recorded_done(&v);
}

int main(void) {
    struct test_cases cases = {0};

    recorded_cluster_init(&cluster);
    recorded_add_cases(&cases);
    int failed = cases_run("vectors", &cases, check_case);
    recorded_cluster_done(&cluster);
    return failed;
}
