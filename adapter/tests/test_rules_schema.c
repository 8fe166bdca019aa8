/* Reading rules: each file of data/rules has the errors that are expected of it in its first comments ("#
 * error LINE: PLACE: WORDS"), in their order; files without are good. */
#include "adapter/rules.h"
#include "adapter/rules_internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* ---- files with mistakes ---- */

static char *read_file(const char *name) {
    cleanup_free char *path = xasprintf("%s/rules/%s", TEST_DATA_DIR, name);
    cleanup_file FILE *f = fopen(path, "re");
    static char text[64 * 1024];

    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    return text;
}

static void collect(void *arg, const struct err *err) {
    assert_int_equal(err->code, -EINVAL);
    assert_true(buf_printf(arg, "%s\n", err->text) == 0);
}

/* The comments as rules_check should tell them. */
static void expected(const char *text, struct buf *out) {
    while (str_starts(text, "# error ")) {
        size_t len = strcspn(text, "\n") + 1;
        buf_printf(out, "f:%.*s", (int)(len - 8), text + 8);
        text += len;
    }
}

static size_t check_file(const char *name) {
    cleanup_buf struct buf want, got;
    struct rules *rules = NULL;
    struct err err = {0};
    const char *text = read_file(name);

    buf_init(&want, 10000);
    buf_init(&got, 10000);
    expected(text, &want);
    int ret = rules_check("f", text, strlen(text), collect, &got, &rules);
    size_t wrong = strcmp(want.data, got.data) != 0 || (ret == 0) != (want.len == 0) || !rules;
    if (wrong)
        print_error("%s:\n%s  not\n%s", name, got.data, want.data);
    rules_free(rules);
    /* The short form tells the first. */
    rules = NULL;
    assert_int_equal(rules_read("f", text, strlen(text), &rules, &err), ret);
    if (ret < 0)
        wrong += strncmp(err.text, want.data, strlen(err.text)) != 0 || want.data[strlen(err.text)] != '\n';
    rules_free(rules);
    return wrong;
}

static int is_case(const struct dirent *entry) {
    return str_ends(entry->d_name, ".yaml");
}

static void test_files(void **state) {
    struct dirent **entries = NULL;
    size_t wrong = 0;
    int n = scandir(TEST_DATA_DIR "/rules", &entries, is_case, alphasort);

    (void)state;
    assert_true(n > 10);
    for (int i = 0; i < n; i++) {
        wrong += check_file(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(wrong, 0);
}

/* ---- what is read ---- */

static struct rules *good(const char *text) {
    struct rules *rules = NULL;
    struct err err = {0};

    if (rules_read("f", text, strlen(text), &rules, &err) < 0)
        fail_msg("%s", err.text);
    return rules;
}

static void test_a_rule(void **state) {
    struct rules *rules = good("rules:\n"
                               "- seriesQuery: '{namespace!=\"\"}'\n"
                               "  seriesFilters: [{is: ^app_}, {isNot: _total$}]\n"
                               "  resources:\n"
                               "    template: kube_<<.Resource>>\n"
                               "    overrides:\n"
                               "      zone: {resource: node}\n"
                               "      sts: {group: apps, resource: statefulsets}\n"
                               "  name: {matches: ^app_(.*)$}\n"
                               "  metricsQuery: sum(<<.Series>>)\n");
    const struct rule *rule = rules->rules;

    (void)state;
    assert_true(rules->has_rules);
    assert_false(rules->has_external || rules->has_resource);
    assert_int_equal(rules->rule_count, 1);
    assert_int_equal(rule->line, 2);
    assert_string_equal(rule->series_query, "{namespace!=\"\"}");
    assert_int_equal(rule->filter_count, 2);
    assert_string_equal(rule->filters[0].text, "^app_");
    assert_false(rule->filters[0].negative);
    assert_true(rule->filters[1].negative);
    assert_string_equal(rule->resources.template_text, "kube_<<.Resource>>");
    assert_non_null(rule->resources.template);
    assert_true(rule->resources.namespaced);
    assert_int_equal(rule->resources.override_count, 2);
    assert_string_equal(rule->resources.overrides[0].label, "zone");
    assert_string_equal(rule->resources.overrides[0].group, "");
    assert_string_equal(rule->resources.overrides[1].group, "apps");
    assert_string_equal(rule->resources.overrides[1].resource, "statefulsets");
    assert_int_equal(rule->resources.overrides[1].line, 8);
    assert_string_equal(rule->matches_text, "^app_(.*)$");
    assert_string_equal(rule->as, "$1");
    assert_string_equal(rule->query_text, "sum(<<.Series>>)");
    assert_non_null(rule->query);
    assert_null(rule->source);
    rules_free(rules);
}

static void test_a_source(void **state) {
    struct rules *rules = good("rules:\n"
                               "- {seriesQuery: a, metricsQuery: b, source: mimir}\n"
                               "externalRules:\n"
                               "- {seriesQuery: a, metricsQuery: b, source: thanos}\n"
                               "- {seriesQuery: a, metricsQuery: b, source: ''}\n");

    (void)state;
    assert_string_equal(rules->rules[0].source, "mimir");
    assert_string_equal(rules->external[0].source, "thanos");
    assert_null(rules->external[1].source);
    rules_free(rules);
}

static void test_names_of_metrics(void **state) {
    static const struct {
        const char *name, *series, *want; /* want NULL: not taken */
    } all[] = {
        {"{}", "up", "up"},
        {"{matches: ^my_(.*)_total$}", "my_hits_total", "hits"},
        {"{matches: ^my_(.*)_total$}", "hits_total", NULL},
        {"{matches: hits}", "my_hits_total", "hits"},
        {"{matches: ^my_(.*)_total$, as: '${1}_per_second'}", "my_hits_total", "hits_per_second"},
        {"{matches: ^my_(.*)_total$, as: $1_count}", "my_hits_total", ""},
        {"{as: all_$0}", "up", "all_up"},
        {"{matches: ^(?P<a>x)(?P<b>y)$, as: $b$a}", "xy", "yx"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        cleanup_free char *text =
            xasprintf("rules:\n- {seriesQuery: a, metricsQuery: a, name: %s}\n", all[i].name);
        struct rules *rules = good(text);
        cleanup_buf struct buf out;
        buf_init(&out, 100);
        assert_int_equal(rule_takes_name(rules->rules, all[i].series, NULL), all[i].want != NULL);
        if (all[i].want) {
            rule_metric_name(rules->rules, all[i].series, &out);
            assert_string_equal(out.data, all[i].want);
        }
        rules_free(rules);
    }
}

static void test_why_a_name_is_not_taken(void **state) {
    struct rules *rules = good("externalRules:\n"
                               "- seriesQuery: up\n"
                               "  seriesFilters: [{is: ^app_}, {isNot: _total$}, {isNot: bytes}]\n"
                               "  name: {matches: ^app_x}\n"
                               "  metricsQuery: up\n");
    static const char *const all[][2] = {{"web_x", "seriesFilters[0].is: ^app_"},
                                         {"app_x_total", "seriesFilters[1].isNot: _total$"},
                                         {"app_bytes", "seriesFilters[2].isNot: bytes"},
                                         {"app_y", "name.matches: ^app_x"}};
    const char *why = "";

    (void)state;
    assert_true(rules->has_external && !rules->has_rules);
    assert_true(rule_takes_name(rules->external, "app_x", &why));
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_false(rule_takes_name(rules->external, all[i][0], &why));
        assert_string_equal(why, all[i][1]);
    }
    rules_free(rules);
}

static void test_resource_rules(void **state) {
    struct rules *rules = good("resourceRules:\n"
                               "  cpu:\n"
                               "    containerQuery: sum(c) by (<<.GroupBy>>)\n"
                               "    nodeQuery: sum(n) by (<<.GroupBy>>)\n"
                               "    resources: {overrides: {instance: {resource: node}}}\n"
                               "    containerLabel: container\n"
                               "    source: mimir\n"
                               "  memory: {containerQuery: a, nodeQuery: b}\n"
                               "  window: 1h30m\n");

    (void)state;
    assert_true(rules->has_resource && !rules->has_rules && !rules->has_external);
    assert_true(rules->cpu.given && rules->memory.given);
    assert_int_equal(rules->cpu.line, 3);
    assert_string_equal(rules->cpu.container_label, "container");
    assert_string_equal(rules->cpu.source, "mimir");
    assert_null(rules->memory.source);
    assert_string_equal(rules->memory.container_label, "");
    assert_int_equal(rules->cpu.resources.override_count, 1);
    assert_non_null(rules->memory.node_query);
    assert_int_equal(rules->window, 90 * USEC_PER_MIN);
    rules_free(rules);
}

/* Anchors, aliases and merge keys: what is written beats what is merged, and the first merged the second. */
static void test_aliases_and_merges(void **state) {
    struct rules *rules = good("rules:\n"
                               "- &first\n"
                               "  seriesQuery: one\n"
                               "  metricsQuery: &q sum(<<.Series>>)\n"
                               "  resources: &res\n"
                               "    overrides: &over {pod: {resource: pod}, ns: {resource: namespace}}\n"
                               "- <<: *first\n"
                               "  seriesQuery: two\n"
                               "- seriesQuery: three\n"
                               "  metricsQuery: *q\n"
                               "  <<: [{metricsQuery: late}, *first]\n"
                               "  resources:\n"
                               "    overrides:\n"
                               "      <<: *over\n"
                               "      ns: {resource: node}\n"
                               "- *first\n");
    const struct rule *r = rules->rules;

    (void)state;
    assert_int_equal(rules->rule_count, 4);
    assert_string_equal(r[1].series_query, "two");
    assert_string_equal(r[1].query_text, "sum(<<.Series>>)");
    assert_int_equal(r[1].resources.override_count, 2);
    assert_string_equal(r[2].query_text, "sum(<<.Series>>)");
    assert_int_equal(r[2].resources.override_count, 2);
    assert_string_equal(r[2].resources.overrides[0].resource, "node");
    assert_string_equal(r[2].resources.overrides[1].label, "pod");
    assert_string_equal(r[3].series_query, "one");
    rules_free(rules);
}

static void test_namespaced(void **state) {
    static const struct {
        const char *word;
        bool want;
    } all[] = {{"true", true}, {"false", false}, {"no", false}, {"On", true}, {"~", true}};

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        cleanup_free char *text = xasprintf(
            "externalRules: [{seriesQuery: a, metricsQuery: a, resources: {namespaced: %s}}]", all[i].word);
        struct rules *rules = good(text);
        assert_int_equal(rules->external[0].resources.namespaced, all[i].want);
        rules_free(rules);
    }
}

static void test_durations(void **state) {
    static const struct {
        const char *text;
        usec_t want; /* -1: refused */
    } all[] = {
        {"0", 0},
        {"0s", 0},
        {"5m", 5 * USEC_PER_MIN},
        {"1h30m", 90 * USEC_PER_MIN},
        {"1d", 24 * USEC_PER_HOUR},
        {"1w", 7 * 24 * USEC_PER_HOUR},
        {"1y", 365 * 24 * USEC_PER_HOUR},
        {"1m1ms", USEC_PER_MIN + USEC_PER_MSEC},
        {"604800000ms", 7 * 24 * USEC_PER_HOUR},
        {"", -1},
        {"5", -1},
        {"m", -1},
        {"5m5m", -1},
        {"30m1h", -1},
        {"1.5h", -1},
        {"-5m", -1},
        {"5 m", -1},
        {"5m ", -1},
        {"5us", -1},
        {"101y", -1},
        {"99999999999999999999s", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        usec_t got = -1;
        int ret = rules_parse_duration(all[i].text, &got);
        if (got != all[i].want || (ret < 0) != (all[i].want < 0))
            fail_msg("\"%s\": %d, %lld", all[i].text, ret, (long long)got);
    }
}

/* ---- bounds ---- */

/* A list of aliases of one rule that has as many overrides as may be: a file of 40 KiB for ten million. */
static void test_aliases_are_bounded(void **state) {
    cleanup_buf struct buf text;
    struct rules *rules = NULL;
    struct err err = {0};

    (void)state;
    buf_init(&text, 1024 * 1024);
    buf_puts(&text, "rules:\n- &a\n  seriesQuery: a\n  metricsQuery: a\n  resources:\n    overrides:\n");
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "      l%d: {resource: pod}\n", i);
    for (int i = 0; i < 9999; i++)
        buf_puts(&text, "- *a\n");
    assert_int_equal(rules_read("f", text.data, text.len, &rules, &err), -EINVAL);
    assert_non_null(strstr(err.text, "the file has more than"));
    buf_puts(&text, "- *a\n");
    assert_int_equal(rules_read("f", text.data, text.len, &rules, &err), -EINVAL);
    assert_string_equal(err.text, "f:2: rules: 10001 are too many: at most 10000");
    assert_null(rules);
}

static void test_errors_are_bounded(void **state) {
    cleanup_buf struct buf text, told;
    struct rules *rules = NULL;
    size_t lines = 0;

    (void)state;
    buf_init(&text, 100000);
    buf_init(&told, 100000);
    buf_puts(&text, "rules:\n");
    for (int i = 0; i < 500; i++)
        buf_puts(&text, "- {}\n");
    assert_int_equal(rules_check("f", text.data, text.len, collect, &told, &rules), -EINVAL);
    for (size_t i = 0; i < told.len; i++)
        lines += told.data[i] == '\n';
    assert_int_equal(lines, 100);
    rules_free(rules);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_a_rule),
        cmocka_unit_test(test_a_source),
        cmocka_unit_test(test_names_of_metrics),
        cmocka_unit_test(test_why_a_name_is_not_taken),
        cmocka_unit_test(test_resource_rules),
        cmocka_unit_test(test_aliases_and_merges),
        cmocka_unit_test(test_namespaced),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_aliases_are_bounded),
        cmocka_unit_test(test_errors_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
