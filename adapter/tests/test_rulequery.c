/* Queries as they are rendered: matchers, their order and quotes, and what the template is given. */
#include "adapter/rulequery.h"

#include "adapter/goquote.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct cluster_resource resources[] = {
    {"", "v1", "namespaces", "namespace", "Namespace", false},
    {"", "v1", "nodes", "node", "Node", false},
    {"", "v1", "pods", "pod", "Pod", true},
    {"apps", "v1", "deployments", "deployment", "Deployment", true},
};
static const struct cluster_resources cluster = {resources, sizeof(resources) / sizeof(resources[0])};

static const char config[] =
    "rules:\n"
    "- seriesQuery: hits\n"
    "  resources: {template: 'k_<<.Group>>_<<.Resource>>', overrides: {ns: {resource: namespace}, pod: "
    "{resource: pods}}}\n"
    "  metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'\n"
    "- seriesQuery: hits\n"
    "  resources: {overrides: {ns: {resource: namespace}, pod: {resource: pods}}}\n"
    "  metricsQuery: '<<range $k, $v := .LabelValuesByName>><<$k>>=<<$v>>;<<end>><<range "
    ".GroupBySlice>>[<<.>>]<<end>>'\n"
    "- seriesQuery: hits\n"
    "  resources: {overrides: {pod: {resource: pods}}}\n"
    "  metricsQuery: '<<if false>>x<<end>>'\n"
    "externalRules:\n"
    "- seriesQuery: backlog\n"
    "  resources: {overrides: {ns: {resource: namespace}}}\n"
    "  metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'\n"
    "- seriesQuery: backlog\n"
    "  resources: {namespaced: false}\n"
    "  metricsQuery: '<<.Series>>{<<.LabelMatchers>>}'\n"
    "resourceRules:\n"
    "  cpu:\n"
    "    containerQuery: 'sum(rate(c{<<.LabelMatchers>>}[3m])) by (<<.GroupBy>>)'\n"
    "    nodeQuery: 'sum(rate(n{<<.LabelMatchers>>}[3m])) by (<<.GroupBy>>)'\n"
    "    resources: {overrides: {ns: {resource: namespace}, pod: {resource: pods}, instance: {resource: "
    "nodes}}}\n"
    "    containerLabel: container\n"
    "  memory:\n"
    "    containerQuery: 'c'\n"
    "    nodeQuery: 'n'\n"
    "    resources: {overrides: {ns: {resource: namespace}, pod: {resource: pods}, instance: {resource: "
    "nodes}}}\n"
    "    containerLabel: container\n"
    "  window: 3m\n";

static struct rules *rules;

static int read_rules(void **state) {
    struct err err = {0};

    (void)state;
    if (rules_read("config.yaml", config, strlen(config), &rules, &err) < 0)
        fail_msg("%s", err_text(&err));
    return 0;
}

static int free_rules(void **state) {
    (void)state;
    rules_free(rules);
    return 0;
}

/* One question: rule -1 and -2 are the external ones. */
static const struct question {
    int rule, code;
    const char *ns, *resource, *names, *selector; /* names: "a,b" */
    const char *want;                             /* or with code a part of the error's text */
} questions[] = {
    {0, 0, "shop", "pods", "web-1", NULL, "sum(hits{ns=\"shop\",pod=\"web-1\"}) by (pod)"},
    {0, 0, "shop", "pods", "b,a,c.d", NULL, "sum(hits{ns=\"shop\",pod=~\"b|a|c.d\"}) by (pod)"},
    {0, 0, NULL, "nodes", "n", NULL, "sum(hits{k__node=\"n\"}) by (k__node)"},
    {0, 0, "shop", "deployments", "web", NULL,
     "sum(hits{ns=\"shop\",k_apps_deployment=\"web\"}) by (k_apps_deployment)"},
    {0, 0, NULL, "namespaces", "shop", NULL, "sum(hits{ns=\"shop\"}) by (ns)"},
    {0, 0, "shop", "pods", "a", "z=1,y==2,x!=3",
     "sum(hits{x!=\"3\",y=\"2\",z=\"1\",ns=\"shop\",pod=\"a\"}) by (pod)"},
    {0, 0, "shop", "pods", "a", "k in (b,a),k notin (c)",
     "sum(hits{k=~\"a|b\",k!~\"c\",ns=\"shop\",pod=\"a\"}) by (pod)"},
    {0, 0, "shop", "pods", "a", "k in (b),l notin (d,c)",
     "sum(hits{k=~\"b\",l!~\"c|d\",ns=\"shop\",pod=\"a\"}) by (pod)"},
    {0, 0, "shop", "pods", "a",
     "k,!l,m in (),n=", "sum(hits{k!=\"\",l=\"\",m=~\"\",n=\"\",ns=\"shop\",pod=\"a\"}) by (pod)"},
    {0, 0, "shop", "pods", "a", "ns=other", "sum(hits{ns=\"other\",ns=\"shop\",pod=\"a\"}) by (pod)"},
    {0, 0, "shop", "pods", "a", "example.com/k=v",
     "sum(hits{example.com/k=\"v\",ns=\"shop\",pod=\"a\"}) by (pod)"},
    {0, 0, "a\"b\\c", "pods", "\xc3\xa4\n\x01\xff", NULL,
     "sum(hits{ns=\"a\\\"b\\\\c\",pod=\"\xc3\xa4\\n\\x01\\xff\"}) by (pod)"},
    /* a label has the value of its last matcher; what must only be there has an empty one */
    {1, 0, "shop", "pods", "a,b", "ns=other,verb in (y,x),z", "ns=shop;pod=a|b;verb=x|y;z=;[pod]"},
    {1, -ENOENT, NULL, "nodes", "n", NULL, "no label is known for nodes"},
    {2, -ENOENT, "shop", "pods", "a", NULL, "no label is known for namespaces"},
    {2, -EINVAL, NULL, "pods", "a", NULL, "gives an empty text"},
    {-1, 0, "shop", NULL, NULL, "queue=mail", "sum(backlog{queue=\"mail\",ns=\"shop\"}) by ()"},
    {-1, 0, NULL, NULL, NULL, NULL, "sum(backlog{}) by ()"},
    {-2, 0, "shop", NULL, NULL, NULL, "backlog{}"},
};

enum { NAMES_MAX = 4 };

static uint32_t split_names(struct arena *arena, const char *text, const char **names) {
    uint32_t count = 0;

    while (text && *text && count < NAMES_MAX) {
        size_t len = strcspn(text, ",");
        names[count++] = arena_strndup(arena, text, len);
        text += len + (text[len] == ',');
    }
    return count;
}

static void ask(const struct question *q) {
    const struct rule *rule = q->rule >= 0 ? &rules->rules[q->rule] : &rules->external[-1 - q->rule];
    const char *names[NAMES_MAX];
    cleanup_arena struct arena arena;
    cleanup_buf struct buf out;
    struct selector selector = {0};
    struct err err = {0};

    arena_init(&arena, 0);
    buf_init(&out, 4096);
    assert_int_equal(selector_parse(str_or_empty(q->selector), &arena, &selector, &err), 0);
    struct rulequery query = {
        .rule = rule,
        .series = q->rule >= 0 ? "hits" : "backlog",
        .resources = &cluster,
        .ns = q->ns,
        .resource = q->resource ? cluster_resource_find(&cluster, NULL, q->resource) : NULL,
        .name_count = split_names(&arena, q->names, names),
        .names = names,
        .metric_selector = q->selector ? &selector : NULL,
    };
    int ret = rulequery_write(&query, &out, &err);
    if (ret != q->code)
        fail_msg("%s: %d %s", q->want, ret, err_text(&err));
    if (ret < 0 && !strstr(err_text(&err), q->want))
        fail_msg("%s: %s", q->want, err_text(&err));
    if (ret == 0)
        assert_string_equal(out.data, q->want);
}

static void renders_as_the_original(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
        ask(&questions[i]);
}

static void renders_resource_rules(void **state) {
    static const char *const names[] = {"a", "b"};
    cleanup_buf struct buf out;
    struct rulequery query = {.resources = &cluster, .ns = "shop", .names = names, .name_count = 2};

    (void)state;
    buf_init(&out, 4096);
    query.resource = &resources[2];
    assert_int_equal(rulequery_write_resource(&rules->cpu, &query, /* node= */ false, &out, NULL), 0);
    assert_string_equal(out.data, "sum(rate(c{ns=\"shop\",pod=~\"a|b\"}[3m])) by (pod,container)");
    buf_reset(&out);
    query.resource = &resources[1];
    query.ns = NULL;
    query.name_count = 1;
    assert_int_equal(rulequery_write_resource(&rules->cpu, &query, /* node= */ true, &out, NULL), 0);
    assert_string_equal(out.data, "sum(rate(n{instance=\"a\"}[3m])) by (instance)");
}

/* What is there already stays, and an empty rendering is told from it. */
static void appends(void **state) {
    static const char *const names[] = {"a"};
    cleanup_buf struct buf out;
    struct rulequery query = {.rule = &rules->rules[2],
                              .resources = &cluster,
                              .resource = &resources[2],
                              .names = names,
                              .name_count = 1};

    (void)state;
    buf_init(&out, 4096);
    buf_puts(&out, "before ");
    assert_int_equal(rulequery_write(&query, &out, NULL), -EINVAL);
    query.rule = &rules->rules[0];
    query.series = "hits";
    assert_int_equal(rulequery_write(&query, &out, NULL), 0);
    assert_string_equal(out.data, "before sum(hits{pod=\"a\"}) by (pod)");
}

static void quotes_as_go(void **state) {
    static const char *const pairs[][2] = {
        {"", "\"\""},
        {"a b", "\"a b\""},
        {"\a\b\t\n\v\f\r", "\"\\a\\b\\t\\n\\v\\f\\r\""},
        {"\x1b\x7f", "\"\\x1b\\x7f\""},
        {"\"\\'", "\"\\\"\\\\'\""},
        {"\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\xc2\xa0\xe2\x80\xa8", "\"\\u00a0\\u2028\""},
        {"\xf3\xa0\x80\x81", "\"\\U000e0001\""},
        {"\xf3\xa0\x84\x80", "\"\xf3\xa0\x84\x80\""}, /* a variation selector is a mark */
        {"\xc3", "\"\\xc3\""},
        {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        cleanup_buf struct buf out;
        buf_init(&out, 256);
        assert_int_equal(go_quote(pairs[i][0], &out), 0);
        assert_string_equal(out.data, pairs[i][1]);
    }
}

/* More names than any query could carry. */
static void bounds_the_matchers(void **state) {
    enum { LONG = 1024 * 1024, COUNT = 5 };
    cleanup_arena struct arena arena;
    cleanup_buf struct buf out;
    const char *names[COUNT];
    struct err err = {0};

    (void)state;
    arena_init(&arena, 0);
    buf_init(&out, (size_t)16 * LONG);
    char *name = arena_alloc(&arena, LONG + 1);
    memset(name, 'x', LONG);
    for (size_t i = 0; i < COUNT; i++)
        names[i] = name;
    struct rulequery query = {.rule = &rules->rules[0],
                              .series = "hits",
                              .resources = &cluster,
                              .resource = &resources[2],
                              .names = names,
                              .name_count = COUNT};
    assert_int_equal(rulequery_write(&query, &out, &err), -EOVERFLOW);
    assert_int_equal(out.len, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders_as_the_original),
        cmocka_unit_test(renders_resource_rules),
        cmocka_unit_test(appends),
        cmocka_unit_test(quotes_as_go),
        cmocka_unit_test(bounds_the_matchers),
    };

    return cmocka_run_group_tests(tests, read_rules, free_rules);
}
