/* Selectors: what PromQL takes and what it refuses, each with the series it selects. */
#include "adapter/seriesselector.h"

#include "base/buf.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct series_label labels[] = {
    {"a", "1"}, {"dot", "a.c"}, {"line", "x\n"}, {"odd", "\"'`\\"}, {"pod", "web-1"}};
static const struct series series = {"http:hits_total", 5, labels};

struct selection {
    const char *text;
    const char *why; /* NULL: it is selected */
};

static void selects_as_promql(void **state) {
    static const struct selection cases[] = {
        {"http:hits_total", NULL},
        {" http:hits_total # comment\n { } ", NULL},
        {"http:hits", "http:hits"},
        {"{__name__=\"http:hits_total\"}", NULL},
        {"{__name__=~\"http.*\",pod!=\"\"}", NULL},
        {"{__name__=~\"hits\"}", "__name__=~\"hits\""},
        {"http:hits_total{pod=\"web-1\",}", NULL},
        {"http:hits_total{ pod = 'web-1' , a != `2` }", NULL},
        {"http:hits_total{pod=~\"web\"}", "pod=~\"web\""},
        {"http:hits_total{pod=~\"web|web-1\"}", NULL},
        {"http:hits_total{pod=~\"web|eb-1\"}", "pod=~\"web|eb-1\""},
        {"http:hits_total{pod!~\"web-.\"}", "pod!~\"web-.\""},
        {"http:hits_total{pod!~\"web\"}", NULL},
        {"http:hits_total{a=\"1\",pod!=\"web-1\",dot=\"\"}", "pod!=\"web-1\""},
        {"http:hits_total{none=\"\",other!=\"x\",third=~\".*\"}", NULL},
        {"http:hits_total{none!=\"\"}", "none!=\"\""},
        {"{dot=~\"a\\\\.c\"}", NULL},
        {"{dot=~`a\\.c`}", NULL},
        {"{line=\"x\\n\"}", NULL},
        {"{line=~\"x\"}", "line=~\"x\""},
        {"{odd=\"\\\"'`\\\\\"}", NULL},
        {"{odd='\"\\'`\\\\'}", NULL},
        {"{pod=\"\\x77\\145b\\u002d\\U00000031\"}", NULL},
        {"{by=\"\",sum=\"\",a=\"1\"}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seriesselector *selector = NULL;
        struct err err = {0};
        const char *why = NULL;
        if (seriesselector_new(cases[i].text, &selector, &err) < 0)
            fail_msg("%s: %s", cases[i].text, err.text);
        bool matches = seriesselector_matches(selector, &series, &why);
        if (matches == !!cases[i].why || !str_eq(why, cases[i].why))
            fail_msg("%s: %s", cases[i].text, why ? why : "is selected");
        seriesselector_free(selector);
    }
}

static void writes_escapes_as_utf8(void **state) {
    static const struct series_label accents[] = {{"a", "\303\251\342\202\254\360\237\230\200"}};
    static const struct series accented = {"m", 1, accents};
    struct seriesselector *selector = NULL;

    (void)state;
    assert_int_equal(seriesselector_new("{a=\"\\u00e9\\u20AC\\U0001f600\"}", &selector, NULL), 0);
    assert_true(seriesselector_matches(selector, &accented, NULL));
    seriesselector_free(selector);
}

struct refusal {
    const char *text, *want;
};

#define NOT_A_SELECTOR                                                                                       \
    "a seriesQuery is a selector of series, such as name{label=\"value\"}; functions, aggregations, "        \
    "operators and ranges belong into metricsQuery"

static void refuses_what_is_not_a_selector(void **state) {
    static const struct refusal cases[] = {
        {"", "position 1: the selector is empty"},
        {"  # nothing", "position 12: the selector is empty"},
        {"sum(up)", "position 4: " NOT_A_SELECTOR},
        {"sum by (pod) (up)", "position 5: " NOT_A_SELECTOR},
        {"up[5m]", "position 3: " NOT_A_SELECTOR},
        {"up offset 5m", "position 4: " NOT_A_SELECTOR},
        {"up{a=\"b\"} > 1", "position 11: " NOT_A_SELECTOR},
        {"1", "position 1: " NOT_A_SELECTOR},
        {"up{", "position 4: expected the name of a label, or }"},
        {"up{,}", "position 4: expected the name of a label, or }"},
        {"up{1a=\"b\"}", "position 4: expected the name of a label, or }"},
        {"up{a:b=\"c\"}", "position 5: expected =, !=, =~ or !~ after the name of a label"},
        {"up{a}", "position 5: expected =, !=, =~ or !~ after the name of a label"},
        {"up{a==\"b\"}", "position 6: expected a quoted value"},
        {"up{a=b}", "position 6: expected a quoted value"},
        {"up{a=\"b", "position 6: this quote is not closed"},
        {"up{a=\"b\n\"}", "position 6: this quote is not closed"},
        {"up{a=\"b\\", "position 9: this is not an escape that PromQL knows"},
        {"up{a=\"\\'\"}", "position 8: this is not an escape that PromQL knows"},
        {"up{a=\"\\400\"}", "position 11: this is not an escape that PromQL knows"},
        {"up{a=\"\\ud800\"}", "position 13: this is not an escape that PromQL knows"},
        {"up{a=\"\\x00\"}", "position 11: a NUL cannot be part of a label"},
        {"up{a=\"b\" c=\"d\"}", "position 10: expected , or } after a matcher"},
        {"up{a=\"b\"", "position 9: expected , or } after a matcher"},
        {"{}", "position 1: at least one matcher must not match the empty text"},
        {"{a=~\".*\",b!=\"c\"}", "position 1: at least one matcher must not match the empty text"},
        {"up{__name__=\"up\"}", "position 1: the name stands before the braces and again as __name__"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seriesselector *selector = NULL;
        struct err err = {0};
        assert_int_equal(seriesselector_new(cases[i].text, &selector, &err), -EINVAL);
        assert_null(selector);
        assert_string_equal(err.text, cases[i].want);
    }
}

static void tells_bad_expressions(void **state) {
    struct seriesselector *selector = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(seriesselector_new("up{a=~\"(\"}", &selector, &err), -EINVAL);
    assert_non_null(strstr(err.text, "position 7: the regular expression ^(?:()$: "));
}

static void bounds_texts_and_matchers(void **state) {
    struct seriesselector *selector = NULL;
    cleanup_buf struct buf text;
    struct err err = {0};

    (void)state;
    buf_init(&text, (size_t)1 << 20);
    buf_puts(&text, "up{");
    for (int i = 0; i < SERIESSELECTOR_MATCHERS_MAX; i++)
        buf_puts(&text, "a!=\"\",");
    buf_puts(&text, "}");
    assert_int_equal(seriesselector_new(text.data, &selector, &err), -EINVAL);
    assert_non_null(strstr(err.text, "there are too many matchers"));

    while (text.len <= SERIESSELECTOR_TEXT_MAX)
        buf_puts(&text, " ");
    assert_int_equal(seriesselector_new(text.data, &selector, &err), -EINVAL);
    assert_string_equal(err.text, "a selector is longer than 16384 bytes");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selects_as_promql),
        cmocka_unit_test(writes_escapes_as_utf8),
        cmocka_unit_test(refuses_what_is_not_a_selector),
        cmocka_unit_test(tells_bad_expressions),
        cmocka_unit_test(bounds_texts_and_matchers),
    };
    return cmocka_run_group_tests_name("seriesselector", tests, NULL, NULL);
}
