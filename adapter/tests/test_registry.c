/* From series to metrics: names, scopes, what wins, what is found, and what many series cost. */
#include "adapter/registry.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct cluster_resource items[] = {
    {"", "v1", "namespaces", "namespace", "Namespace", false},
    {"", "v1", "nodes", "node", "Node", false},
    {"", "v1", "persistentvolumes", "persistentvolume", "PersistentVolume", false},
    {"", "v1", "pods", "pod", "Pod", true},
    {"apps", "v1", "deployments", "deployment", "Deployment", true},
    {"batch", "v1", "jobs", "job", "Job", true},
    {"acme.example", "v1", "gadgets", "gadget", "Gadget", false},
};
static const struct cluster_resources cluster = {items, sizeof(items) / sizeof(items[0])};

struct world {
    struct rules *rules;
    struct registry *registry;
};

static struct world world_of(const char *config) {
    struct world w = {0};
    struct err err = {0};

    if (rules_read("f", config, strlen(config), &w.rules, &err) < 0 ||
        registry_new(w.rules, &cluster, &w.registry, &err) < 0)
        fail_msg("%s", err.text);
    return w;
}

static void world_done(struct world *w) {
    registry_free(w->registry);
    rules_free(w->rules);
}
#define cleanup_world cleanup(world_done)

/* Adds a series with these labels, whose values do not matter; names separated by blanks, sorted. */
static void add(struct world *w, bool external, uint32_t rule, const char *name, const char *labels) {
    struct series_label list[16];
    struct series series = {.name = name, .labels = list};
    cleanup_free char *copy = xstrdup(labels);

    for (char *rest = copy, *label; (label = strsep(&rest, " "));)
        if (*label)
            list[series.label_count++] = (struct series_label){label, "x"};
    registry_add(w->registry, external, rule, &series);
}

static void write_entry(void *arg, const struct registry_entry *e) {
    if (e->resource)
        buf_printf(arg, "%s.%s/", e->resource->plural, e->resource->group);
    buf_printf(arg, "%s%s=%s ", e->metric, e->namespaced ? "" : "!", e->series);
}

static void assert_lists(const struct world *w, bool external, const char *want) {
    cleanup_buf struct buf out;

    buf_init(&out, 65536);
    registry_each(w->registry, external, write_entry, &out);
    assert_string_equal(out.data, want);
}

static const char by_template[] = "rules:\n"
                                  "- seriesQuery: 'a'\n"
                                  "  resources: {template: '<<.Resource>>'}\n"
                                  "  metricsQuery: 'q'\n";

static void maps_labels_to_resources(void **state) {
    cleanup_world struct world w = world_of(by_template);

    (void)state;
    assert_lists(&w, false, "");
    add(&w, false, 0, "m", "deployment gadget instance job namespace node persistentvolume pods");
    assert_lists(&w, false,
                 "deployments.apps/m=m gadgets.acme.example/m=m jobs.batch/m=m namespaces./m!=m nodes./m!=m "
                 "persistentvolumes./m!=m pods./m=m ");
    add(&w, false, 0, "b", "namespace");
    add(&w, false, 0, "nothing", "instance");
    add(&w, false, 0, "bare", "");
    assert_non_null(registry_find(w.registry, "namespaces", false, "b"));
    assert_null(registry_find(w.registry, "pods", true, "b"));
    assert_null(registry_find(w.registry, "namespaces", false, "nothing"));
    assert_null(registry_find(w.registry, "namespaces", false, "bare"));
}

static void finds_in_the_right_scope(void **state) {
    cleanup_world struct world w = world_of(by_template);

    (void)state;
    add(&w, false, 0, "m", "deployment gadget namespace node pod");
    assert_non_null(registry_find(w.registry, "pods", true, "m"));
    assert_non_null(registry_find(w.registry, "pod", true, "m"));
    assert_non_null(registry_find(w.registry, "deployment.apps", true, "m"));
    assert_null(registry_find(w.registry, "pods", false, "m"));
    assert_non_null(registry_find(w.registry, "nodes", false, "m"));
    assert_null(registry_find(w.registry, "nodes", true, "m"));
    assert_null(registry_find(w.registry, "namespaces", true, "m"));
    /* Listed as namespaced, and cluster-scoped in truth: both answer. */
    assert_non_null(registry_find(w.registry, "gadgets", true, "m"));
    assert_non_null(registry_find(w.registry, "gadgets.acme", false, "m"));
    assert_null(registry_find(w.registry, "frobs", true, "m"));
    assert_null(registry_find(w.registry, "pods", true, "n"));
    assert_null(registry_find_external(w.registry, "m"));
}

static void lets_the_later_one_win(void **state) {
    cleanup_world struct world w =
        world_of("rules:\n"
                 "- seriesQuery: 'a'\n"
                 "  resources: {overrides: {pod: {resource: pod}, ns: {resource: namespace}}}\n"
                 "  name: {matches: '^(.*)_(one|two)$', as: '$1'}\n"
                 "  metricsQuery: 'q'\n"
                 "- seriesQuery: 'b'\n"
                 "  resources: {overrides: {pod: {resource: pod}}}\n"
                 "  name: {matches: '^x_', as: 'x'}\n"
                 "  metricsQuery: 'q'\n");

    (void)state;
    add(&w, false, 0, "x_one", "ns pod");
    add(&w, false, 0, "x_two", "ns pod");
    assert_lists(&w, false, "namespaces./x!=x_two pods./x=x_two ");
    add(&w, false, 0, "x_one", "pod");
    assert_lists(&w, false, "namespaces./x!=x_two pods./x=x_one ");
    add(&w, false, 1, "x_three", "ns pod");
    const struct registry_entry *pods = registry_find(w.registry, "pods", true, "x");
    assert_ptr_equal(pods->rule, &w.rules->rules[1]);
    assert_string_equal(pods->series, "x_three");
    assert_ptr_equal(registry_find(w.registry, "namespaces", false, "x")->rule, &w.rules->rules[0]);
}

static void leaves_out_what_a_rule_does_not_take(void **state) {
    cleanup_world struct world w = world_of("rules:\n"
                                            "- seriesQuery: 'a'\n"
                                            "  seriesFilters: [{isNot: '_total$'}]\n"
                                            "  resources: {template: '<<.Resource>>'}\n"
                                            "  name: {matches: '^my_(.*)$', as: '$1_x'}\n"
                                            "  metricsQuery: 'q'\n");

    (void)state;
    add(&w, false, 0, "my_hits_total", "pod");
    add(&w, false, 0, "hits", "pod");
    /* $1_x is a group of that name, which there is not: an empty name. */
    add(&w, false, 0, "my_hits", "pod");
    assert_lists(&w, false, "");
    assert_null(registry_find(w.registry, "pods", true, ""));
}

static void keeps_external_metrics_apart(void **state) {
    cleanup_world struct world w = world_of("externalRules:\n"
                                            "- seriesQuery: 'a'\n"
                                            "  name: {as: 'queue_$0'}\n"
                                            "  metricsQuery: 'q'\n");

    (void)state;
    add(&w, true, 0, "depth", "az queue");
    add(&w, true, 0, "age", "");
    assert_lists(&w, true, "queue_age=age queue_depth=depth ");
    assert_lists(&w, false, "");
    assert_string_equal(registry_find_external(w.registry, "queue_age")->series, "age");
    assert_null(registry_find_external(w.registry, "age"));
    assert_null(registry_find(w.registry, "namespaces", false, "queue_age"));
}

static void tells_what_labels_stand_for(void **state) {
    cleanup_world struct world w = world_of(by_template);
    const char *why = NULL;

    (void)state;
    assert_ptr_equal(registry_label_resource(w.registry, 0, "pod", NULL), &items[3]);
    assert_null(registry_label_resource(w.registry, 0, "instance", &why));
    assert_string_equal(why, "no such resource in the cluster");
}

static void assert_refused(const char *config, const char *want) {
    struct registry *registry = NULL;
    struct rules *rules = NULL;
    struct err err = {0};

    if (rules_read("f", config, strlen(config), &rules, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(registry_new(rules, &cluster, &registry, &err), -EINVAL);
    assert_null(registry);
    assert_string_equal(err.text, want);
    rules_free(rules);
}

static void refuses_unknown_resources(void **state) {
    (void)state;
    assert_refused("rules:\n"
                   "- {seriesQuery: a, metricsQuery: q}\n"
                   "- seriesQuery: b\n"
                   "  metricsQuery: q\n"
                   "  resources:\n"
                   "    overrides:\n"
                   "      x: {resource: frob}\n",
                   "rules[1]: line 7: resources.overrides.x: the cluster has no resource frob");
    assert_refused("resourceRules:\n"
                   "  cpu:\n"
                   "    containerQuery: q\n"
                   "    nodeQuery: q\n"
                   "    containerLabel: c\n"
                   "    resources: {template: '<<.Resource>>'}\n"
                   "  memory:\n"
                   "    containerQuery: q\n"
                   "    nodeQuery: q\n"
                   "    containerLabel: c\n"
                   "    resources:\n"
                   "      overrides:\n"
                   "        x: {group: extensions, resource: pod}\n",
                   "resourceRules.memory: line 13: resources.overrides.x: the cluster has no resource pod in "
                   "the group extensions");
}

/* Only names are kept: series of a form that is known leave nothing behind. */
static void forgets_series(void **state) {
    cleanup_world struct world w = world_of(by_template);

    (void)state;
    add(&w, false, 0, "m", "instance namespace pod");
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 1000; i++) {
        add(&w, false, 0, "m", "instance namespace pod");
        add(&w, false, 0, "n", "instance pod");
    }
    assert_true(mallinfo2().uordblks < before + 16 * 1024);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_labels_to_resources),
        cmocka_unit_test(finds_in_the_right_scope),
        cmocka_unit_test(lets_the_later_one_win),
        cmocka_unit_test(leaves_out_what_a_rule_does_not_take),
        cmocka_unit_test(keeps_external_metrics_apart),
        cmocka_unit_test(tells_what_labels_stand_for),
        cmocka_unit_test(refuses_unknown_resources),
        cmocka_unit_test(forgets_series),
    };
    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
