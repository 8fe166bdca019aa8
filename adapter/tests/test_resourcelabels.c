/* Names of resources as apimachinery takes them, and labels both ways. */
#include "adapter/resourcelabels.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct cluster_resource items[] = {
    {"", "v1", "namespaces", "namespace", "Namespace", false},
    {"", "v1", "pods", "pod", "Pod", true},
    {"", "v1", "endpoints", "endpoints", "Endpoints", true},
    {"apps", "v1", "deployments", "deployment", "Deployment", true},
    {"batch", "v1", "jobs", "job", "Job", true},
    {"networking.k8s.io", "v1", "ingresses", "ingress", "Ingress", true},
    {"metrics.k8s.io", "v1beta1", "pods", "", "PodMetrics", true},
    {"acme.example", "v1", "widgets", "widget", "Widget", true},
    {"acme.example", "v1beta1", "widgets", "widget", "Widget", true},
    {"acme", "v1", "widgets", "widget", "Widget", true},
};
static const struct cluster_resources all = {items, sizeof(items) / sizeof(items[0])};

static void assert_finds(const char *group, const char *name, const struct cluster_resource *want) {
    const struct cluster_resource *got = cluster_resource_find(&all, group, name);

    if (got != want)
        fail_msg("%s.%s is %s.%s", name, str_or_empty(group), got ? got->plural : "nothing",
                 got ? got->group : "");
}

static void finds_resources_by_every_name(void **state) {
    (void)state;
    assert_finds(NULL, "pods", &items[1]);
    assert_finds("", "pod", &items[1]);
    assert_finds(NULL, "Pod", &items[1]);
    assert_finds(NULL, "endpoints", &items[2]);
    assert_finds(NULL, "deployments", &items[3]);
    assert_finds(NULL, "deployment.apps", &items[3]);
    assert_finds("apps", "deployment", &items[3]);
    assert_finds(NULL, "ingress.networking", &items[5]);
    assert_finds(NULL, "ingresses.networking.k8s.io", &items[5]);
    assert_finds("metrics", "pods", &items[6]);
    /* Without a singular, it is the kind. */
    assert_finds(NULL, "podmetrics", &items[6]);
    assert_finds("acme.example", "widget", &items[7]);
    assert_finds("acm", "widget", &items[7]);
    /* A whole group goes before the beginning of an earlier one. */
    assert_finds("acme", "widget", &items[9]);
}

static void finds_nothing_else(void **state) {
    (void)state;
    assert_finds(NULL, "po", NULL);
    assert_finds(NULL, "", NULL);
    assert_finds(NULL, "deployment.extensions", NULL);
    assert_finds("apps", "pods", NULL);
    assert_finds("apps.k8s.io", "deployments", NULL);
    assert_finds("apps", "deployments.apps", NULL);
}

/* A rule's resources with this template (NULL: none) and these overrides. */
static struct rule_resources resources(const char *template, const struct rule_override *overrides,
                                       uint32_t count) {
    struct rule_resources r = {
        .template_text = template, .overrides = overrides, .override_count = count, .namespaced = true};
    struct err err = {0};

    if (template && template_new(template, &r.template, &err) < 0)
        fail_msg("%s: %s", template, err.text);
    return r;
}

static const struct rule_override overrides[] = {
    {"ns", "", "namespace", 4}, {"app", "apps", "deployment", 5}, {"deploy", "apps", "deployments", 6}};

static void assert_label(const struct rule_resources *r, const struct cluster_resource *resource,
                         const char *want) {
    cleanup_buf struct buf label;

    buf_init(&label, 256);
    int ret = rule_label(r, &all, resource, &label);
    assert_int_equal(ret, want ? 0 : -ENOENT);
    assert_string_equal(label.data, str_or_empty(want));
}

static void writes_labels(void **state) {
    struct rule_resources r = resources("k_<<.Group>>_<<.Resource>>", overrides, 3);
    struct rule_resources bare = resources(NULL, overrides, 3);
    struct rule_resources empty = resources("<<if .Group>><<.Resource>><<end>>", NULL, 0);

    (void)state;
    assert_label(&r, &items[0], "ns");
    assert_label(&r, &items[1], "k__pod");
    assert_label(&r, &items[3], "app");
    assert_label(&r, &items[5], "k_networking_k8s_io_ingress");
    assert_label(&r, &items[6], "k_metrics_k8s_io_podmetrics");
    assert_label(&bare, &items[0], "ns");
    assert_label(&bare, &items[1], NULL);
    assert_label(&empty, &items[4], "job");
    assert_label(&empty, &items[1], NULL);
    template_free(r.template);
    template_free(empty.template);
}

static void assert_resource(const struct resource_labels *l, const char *label,
                            const struct cluster_resource *want, const char *want_why) {
    const char *why = "";
    const struct cluster_resource *got = resource_labels_find(l, label, &why);

    if (got != want || strcmp(why, want_why) != 0)
        fail_msg("%s is %s: %s", label, got ? got->plural : "nothing", why);
}

static struct resource_labels *labels_of(const struct rule_resources *r) {
    struct resource_labels *l = NULL;
    struct err err = {0};

    if (resource_labels_new(r, &all, &l, &err) < 0)
        fail_msg("%s", err.text);
    return l;
}

static void reads_labels_back(void **state) {
    struct rule_resources r = resources("kube_<<.Resource>>", overrides, 3);
    struct rule_resources bare = resources(NULL, overrides, 3);
    struct resource_labels *l = labels_of(&r), *m = labels_of(&bare);

    (void)state;
    assert_resource(l, "ns", &items[0], "");
    assert_resource(l, "app", &items[3], "");
    assert_resource(l, "deploy", &items[3], "");
    assert_resource(l, "kube_pod", &items[1], "");
    assert_resource(l, "kube_jobs", &items[4], "");
    assert_resource(l, "pod", NULL, "the template does not fit");
    assert_resource(l, "my_kube_pod", NULL, "the template does not fit");
    assert_resource(l, "kube_frob", NULL, "no such resource in the cluster");
    assert_resource(m, "ns", &items[0], "");
    assert_resource(m, "pod", NULL, "neither an override nor a template");
    resource_labels_free(l);
    resource_labels_free(m);
    template_free(r.template);
}

/* The group comes back only where it has no dots and dashes: the swapped text is no group. */
static void reads_groups_back(void **state) {
    struct rule_resources r = resources("k_<<.Group>>_<<.Resource>>", NULL, 0);
    struct resource_labels *l = labels_of(&r);

    (void)state;
    assert_resource(l, "k_apps_deployment", &items[3], "");
    assert_resource(l, "k_batch_jobs", &items[4], "");
    assert_resource(l, "k_networking_k8s_io_ingress", NULL, "no such resource in the cluster");
    assert_resource(l, "k__pod", NULL, "the template does not fit");
    resource_labels_free(l);
    template_free(r.template);
}

static void assert_refused(const struct rule_resources *r, const char *want) {
    struct resource_labels *l = NULL;
    struct err err = {0};

    assert_int_equal(resource_labels_new(r, &all, &l, &err), -EINVAL);
    assert_null(l);
    assert_ptr_equal(strstr(err.text, want), err.text);
}

static void refuses_what_cannot_be_labels(void **state) {
    static const struct rule_override unknown[] = {{"x", "", "frob", 3}},
                                      elsewhere[] = {{"y", "extensions", "deployment", 9}},
                                      dotted[] = {{"z", "", "deployments.apps", 4}};
    struct rule_resources a = resources(NULL, unknown, 1), b = resources(NULL, elsewhere, 1);
    struct rule_resources e = resources(NULL, dotted, 1);
    struct rule_resources c = resources("kube_<<.Group>>", NULL, 0), d = resources("(<<.Resource>>", NULL, 0);

    (void)state;
    assert_refused(&a, "line 3: resources.overrides.x: the cluster has no resource frob");
    assert_refused(
        &b, "line 9: resources.overrides.y: the cluster has no resource deployment in the group extensions");
    assert_refused(&e,
                   "line 4: resources.overrides.z: the cluster has no resource deployments.apps: a group is");
    assert_refused(&c, "resources.template: it does not have <<.Resource>>");
    assert_refused(&d, "resources.template: ");
    template_free(c.template);
    template_free(d.template);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_resources_by_every_name),
        cmocka_unit_test(finds_nothing_else),
        cmocka_unit_test(writes_labels),
        cmocka_unit_test(reads_labels_back),
        cmocka_unit_test(reads_groups_back),
        cmocka_unit_test(refuses_what_cannot_be_labels),
    };
    return cmocka_run_group_tests_name("resourcelabels", tests, NULL, NULL);
}
