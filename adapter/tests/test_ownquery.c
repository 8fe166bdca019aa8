/* The queries of our own metrics: which requests share one, and what keeps a query as it was rendered. */
#include "adapter/ownquery.h"

#include "adapter/tests/vectors.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct recorded_cluster cluster;

static int setup(void **state) {
    recorded_cluster_init(&cluster);
    *state = NULL;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    recorded_cluster_done(&cluster);
    return 0;
}

/* One rule with this metricsQuery, and the series x of pods, nodes and services. */
static void rule_init(struct recorded *recorded, const char *query) {
    cleanup_free char *config =
        xasprintf("rules:\n- seriesQuery: 'x{}'\n  resources: {template: '<<.Resource>>'}\n"
                  "  metricsQuery: >-\n    %s\n",
                  query);
    json_t *c = json_pack("{s:s, s:s}", "config", config, "exposition",
                          "x{namespace=\"shop\",pod=\"web-1\",node=\"node-a\",service=\"s\"} 1\n");
    struct err err = {0};

    if (recorded_init(recorded, c, &cluster, &err) < 0)
        fail_msg("%s", err.text);
    json_decref(c);
}

/* The query for the pods of the namespace shop with these names; selector may be NULL. Owned. */
static char *query_for(const char *query, const char *selector, const char *const *names, uint32_t count) {
    struct own_queries *queries = own_queries_new();
    struct metrics_route route = {.api = ROUTE_CUSTOM, .ns = "shop", .resource = "pods", .metric = "x"};
    cleanup_arena struct arena arena;
    struct recorded recorded;
    struct buf out;

    arena_init(&arena, 0);
    buf_init(&out, 65536);
    rule_init(&recorded, query);
    if (selector)
        assert_int_equal(selector_parse(selector, &arena, &route.metric_labels, NULL), 0);
    struct own_query *q = own_queries_find(queries, recorded.registry, &cluster.resources, &route);
    if (q->err.code)
        buf_printf(&out, "error: %s", q->err.text);
    else if (q->text)
        buf_printf(&out, "one: %s", q->text);
    else
        assert_int_equal(own_query_render(q, &cluster.resources, names, count, &out, NULL), 0);
    own_queries_free(queries);
    own_query_unref(q); /* outlives those that it is of */
    recorded_done(&recorded);
    return buf_detach(&out);
}

static void expect(const char *template, const char *selector, const char *want) {
    const char *const names[] = {"a", "b"};
    cleanup_free char *got = query_for(template, selector, names, 2);

    assert_string_equal(got, want);
}

#define SELECTOR "<<.Series>>{<<.LabelMatchers>>}"
#define BY " by (<<.GroupBy>>)"
#define NAMES "pod=~\"<<index .LabelValuesByName \"pod\">>\""

static void test_what_is_asked_once_for_all(void **state) {
    (void)state;
    expect("sum(" SELECTOR ")" BY, NULL, "one: sum(x{namespace=\"shop\"}) by (pod)");
    expect("sum(" SELECTOR ")" BY, "verb=GET", "one: sum(x{verb=\"GET\",namespace=\"shop\"}) by (pod)");
    expect("max(rate(" SELECTOR "[1m])) by (<<index .GroupBySlice 0>>) * 2", NULL,
           "one: max(rate(x{namespace=\"shop\"}[1m])) by (pod) * 2");
    /* What a template or a selector asks of the pods beside their names stays. */
    expect("sum(<<.Series>>{<<.LabelMatchers>>,pod!=\"bad\"})" BY, NULL,
           "one: sum(x{namespace=\"shop\",pod!=\"bad\"}) by (pod)");
    expect("sum(<<.Series>>{pod!=\"\",<<.LabelMatchers>>})" BY, NULL,
           "one: sum(x{pod!=\"\",namespace=\"shop\"}) by (pod)");
    expect("sum(<<.Series>>{<<.LabelMatchers>>, pod =~ \"a.*\"})" BY, NULL,
           "one: sum(x{namespace=\"shop\",pod =~ \"a.*\"}) by (pod)");
    expect("sum(" SELECTOR ")" BY, "pod=a", "one: sum(x{pod=\"a\",namespace=\"shop\"}) by (pod)");
    expect("sum(" SELECTOR ")" BY, "!pod", "one: sum(x{pod=\"\",namespace=\"shop\"}) by (pod)");
    /* Also where the names are written by the template; but then each request is rendered. */
    expect("sum(x{" NAMES "})" BY, NULL, "sum(x{}) by (pod)");
    expect("<<if .LabelMatchers>>sum(" SELECTOR ")" BY "<<end>>", NULL,
           "sum(x{namespace=\"shop\"}) by (pod)");
}

static void test_what_is_asked_as_it_is(void **state) {
    (void)state;
    expect("topk(1, " SELECTOR ")", NULL, "topk(1, x{namespace=\"shop\",pod=~\"a|b\"})");
    expect("sum(<<.Series>>{pod=\"static\"})" BY, NULL, "sum(x{pod=\"static\"}) by (pod)");
    expect("sum(" SELECTOR ") + sum(x{pod=\"a\"})" BY, NULL,
           "sum(x{namespace=\"shop\",pod=~\"a|b\"}) + sum(x{pod=\"a\"}) by (pod)");
}

/* What is asked for all namespaces, or "none". */
static void expect_wide(const char *resources, const char *template, const char *selector, const char *ns,
                        const char *want) {
    cleanup_free char *config =
        xasprintf("rules:\n- seriesQuery: 'x{}'\n  resources: {%s}\n  metricsQuery: >-\n"
                  "    %s\n",
                  resources, template);
    json_t *c =
        json_pack("{s:s, s:s}", "config", config, "exposition",
                  "x{namespace=\"shop\",pod=\"web-1\",kubernetes_namespace=\"shop\",p=\"web-1\"} 1\n");
    struct metrics_route route = {.api = ROUTE_CUSTOM, .ns = ns, .resource = "pods", .metric = "x"};
    struct own_queries *queries = own_queries_new();
    cleanup_arena struct arena arena;
    struct recorded recorded;

    arena_init(&arena, 0);
    assert_int_equal(recorded_init(&recorded, c, &cluster, NULL), 0);
    if (selector)
        assert_int_equal(selector_parse(selector, &arena, &route.metric_labels, NULL), 0);
    struct own_query *q = own_queries_find(queries, recorded.registry, &cluster.resources, &route);
    assert_non_null(q);
    cleanup_free char *got = q->wide ? xasprintf("%s: %s", q->ns_label, q->wide) : xstrdup("none");
    assert_string_equal(got, want);
    own_query_unref(q);
    own_queries_free(queries);
    recorded_done(&recorded);
    json_decref(c);
}

#define BY_NAME "template: '<<.Resource>>'"
#define OVERRIDES "overrides: {kubernetes_namespace: {resource: namespace}, p: {resource: pod}}"

static void test_what_is_asked_for_all_namespaces(void **state) {
    (void)state;
    expect_wide(BY_NAME, "sum(" SELECTOR ")" BY, NULL, "shop", "namespace: sum(x{}) by (pod,namespace)");
    expect_wide(BY_NAME, "sum(" SELECTOR ")" BY, "verb=GET", "shop",
                "namespace: sum(x{verb=\"GET\"}) by (pod,namespace)");
    expect_wide(OVERRIDES, "sum(" SELECTOR ")" BY, NULL, "shop",
                "kubernetes_namespace: sum(x{}) by (p,kubernetes_namespace)");
    /* What the template asks of the namespace beside that stays. */
    expect_wide(BY_NAME, "sum(x{<<.LabelMatchers>>,namespace!=\"kube-system\"})" BY, NULL, "shop",
                "namespace: sum(x{namespace!=\"kube-system\"}) by (pod,namespace)");
    expect_wide(BY_NAME, "sum(x{<<.LabelMatchers>>,namespace=\"bank\"})" BY, NULL, "shop",
                "namespace: sum(x{namespace=\"bank\"}) by (pod,namespace)");
    expect_wide(BY_NAME, "sum(x{<<.LabelMatchers>>} / x{pod=\"a\"})" BY, NULL, "shop", "none");
    expect_wide(BY_NAME, "sum(x{<<.LabelMatchers>>} / on (pod) x{<<.LabelMatchers>>})" BY, NULL, "shop",
                "none");
    expect_wide(BY_NAME, "topk(1, " SELECTOR ")", NULL, "shop", "none");
}

static void test_errors(void **state) {
    (void)state;
    expect("<<if false>>x<<end>>", NULL, "error: metricsQuery gives an empty text");
}

static void test_one_for_equal_requests(void **state) {
    struct own_queries *queries = own_queries_new();
    struct metrics_route route = {
        .api = ROUTE_CUSTOM, .ns = "shop", .resource = "pods", .name = "a", .metric = "x"};
    struct recorded recorded;

    (void)state;
    rule_init(&recorded, "sum(" SELECTOR ")" BY);
    const struct registry *registry = recorded.registry;
    struct own_query *q = own_queries_find(queries, registry, &cluster.resources, &route);
    route.name = NULL;
    struct own_query *same = own_queries_find(queries, registry, &cluster.resources, &route);
    assert_ptr_equal(q, same);
    assert_string_equal(q->label, "pod");
    assert_string_equal(q->resource.kind, "Pod");
    route.ns = "default";
    struct own_query *other = own_queries_find(queries, registry, &cluster.resources, &route);
    assert_ptr_not_equal(q, other);
    own_queries_forget(queries);
    struct own_query *anew = own_queries_find(queries, registry, &cluster.resources, &route);
    assert_ptr_not_equal(other, anew);
    route.metric = "y";
    assert_null(own_queries_find(queries, registry, &cluster.resources, &route));
    assert_null(own_queries_find(queries, NULL, &cluster.resources, &route));
    own_query_unref(q);
    own_query_unref(same);
    own_query_unref(other);
    own_query_unref(anew);
    own_query_unref(NULL);
    own_queries_free(queries);
    own_queries_free(NULL);
    recorded_done(&recorded);
}

static void test_commas_in_vain(void **state) {
    static const char *const texts[][2] = {
        {"x{,a=\"b\"}", "x{a=\"b\"}"},
        {"x{ , a=\"{,\",,b=\"c\"}", "x{  a=\"{,\",b=\"c\"}"},
        {"x{,}", "x{}"},
        {"f(a, b)", "f(a, b)"},
        {"x{a='\\',{,'}", "x{a='\\',{,'}"},
        {"x{a=`\\`,,b=\"\\\\\"}", "x{a=`\\`,b=\"\\\\\"}"},
        {"x{a=\"{,", "x{a=\"{,"},
        {"# don't\nx{,a=\"b\"}", "# don't\nx{a=\"b\"}"},
        {"x{ # {,,\n,a=\"b\"} # {,", "x{ # {,,\na=\"b\"} # {,"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        cleanup_buf struct buf query;
        buf_init(&query, 1024);
        buf_puts(&query, texts[i][0]);
        own_query_tidy(&query);
        assert_string_equal(query.data, texts[i][1]);
        assert_int_equal(query.len, strlen(texts[i][1]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_asked_once_for_all),
        cmocka_unit_test(test_what_is_asked_as_it_is),
        cmocka_unit_test(test_what_is_asked_for_all_namespaces),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_one_for_equal_requests),
        cmocka_unit_test(test_commas_in_vain),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
