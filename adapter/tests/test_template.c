/* Templates against what Go's text/template makes of the same texts (data/template), and the words of what is
 * refused. */
#include "adapter/template.h"
#include "api/types/tests/cases.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The fields that the recorded ones were run with. */
static const char *const groups[] = {"pod", "container"};
static const struct template_pair labels[] = {
    {"namespace", "default"}, {"pod", "a|b"}, {"verb", ""}, {"ä\"", "q\t\"ü"}};
static const struct template_field fields[] = {
    {.name = "Series", .kind = TEMPLATE_STRING, .text = "http_requests_total"},
    {.name = "LabelMatchers", .kind = TEMPLATE_STRING, .text = "namespace=\"default\",pod=~\"a|b\""},
    {.name = "LabelValuesByName", .kind = TEMPLATE_MAP, .count = 4, .pairs = labels},
    {.name = "GroupBy", .kind = TEMPLATE_STRING, .text = "pod"},
    {.name = "GroupBySlice", .kind = TEMPLATE_LIST, .count = 2, .list = groups},
    {.name = "Empty", .kind = TEMPLATE_STRING, .text = ""},
    {.name = "None", .kind = TEMPLATE_LIST},
    {.name = "NoMap", .kind = TEMPLATE_MAP},
};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

/* "parse", "run" or "" as the stage that failed; out has the text where none did. */
static const char *outcome(const char *text, struct buf *out, struct err *err) {
    struct template *t = NULL;

    if (template_new(text, &t, err) < 0) {
        assert_null(t);
        return "parse";
    }
    int ret = template_run(t, fields, FIELDS, out, err);
    template_free(t);
    return ret < 0 ? "run" : "";
}

/* What is refused here and not in Go, or earlier than in Go: by what words. */
static const char *refused_here(const char *template) {
    static const char *const all[][2] = {
        {"<<'a'>>", "in double quotes"},
        {"<<.>>", "name one of them"},
        {"<<$>>", "name one of them"},
        {"<<$x = 2>>", "undefined variable \"$x\""},
        {"<<define \"x\">>a<<end>>", "define is not supported"},
        {"<<template \"x\">>", "template is not supported"},
        {"<<block \"x\" .>>a<<end>>", "block is not supported"},
        {"<<html \"<a>\">>", "function \"html\" is not supported"},
        {"<<urlquery \"a b\">>", "function \"urlquery\" is not supported"},
        {"<<js \"x\">>", "function \"js\" is not supported"},
        {"<<slice .Series 0 4>>", "function \"slice\" is not supported"},
        {"<<call .Series>>", "function \"call\" is not supported"},
        {"<<1.5>>", "only whole ones"},
        {"<<1_000>>", "only whole ones"},
        {"<<0b11>>", "only whole ones"},
        {"<<1i>>", "only whole ones"},
        {"<<printf \"%x\" \"a\">>", "%x is not supported"},
        {"<<printf \"%5s\" \"a\">>", "%5 is not supported"},
        {"<<printf \"%t\" true>>", "%t is not supported"},
        {"<<printf \"%[1]s\" \"a\">>", "%[ is not supported"},
        {"<<printf \"%q\" 5>>", "%q is not supported"},
        {"<<range 3>>x<<end>>", "range can't iterate over int"},
        {"<<range len .Series>>x<<end>>", "range can't iterate over int"},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(all[i][0], template) == 0)
            return all[i][1];
    return NULL;
}

static size_t check_case(const json_t *c) {
    const char *text = json_string_value(json_object_get(c, "template"));
    const char *want = json_string_value(json_object_get(c, "text"));
    const char *fails = str_or_empty(json_string_value(json_object_get(c, "fails")));
    struct err err = {0};
    struct buf out;
    size_t wrong = 0;

    buf_init(&out, 10000);
    const char *got = outcome(text, &out, &err);
    if (refused_here(text))
        wrong = *got == '\0' || !strstr(err.text, refused_here(text));
    else
        wrong = strcmp(got, fails) != 0 || (want && strcmp(out.data, want) != 0);
    if (wrong)
        print_error("%s\n  got %s %s%s\n  not %s %s%s\n", text, got, out.data, err.text, fails,
                    str_or_empty(want), str_or_empty(json_string_value(json_object_get(c, "go"))));
    buf_done(&out);
    return wrong;
}

static void test_as_go(void **state) {
    json_t *cases = cases_read(TEST_DATA_DIR "/template/go.json");
    size_t wrong = 0;

    (void)state;
    assert_true(json_array_size(cases) > 300);
    for (size_t i = 0; i < json_array_size(cases); i++)
        wrong += check_case(json_array_get(cases, i));
    json_decref(cases);
    assert_int_equal(wrong, 0);
}

/* ---- the words ---- */

static void test_refusals_tell_where_and_what(void **state) {
    static const struct {
        const char *text, *want;
    } all[] = {
        {"sum(<<.Series}", "line 1, column 5: unclosed action: << without its >>"},
        {"a\n  é<<.Ser!ies>>", "line 2, column 10: bad character '!'"},
        {"<<if .Series>>x", "line 1, column 3: if without its <<end>>"},
        {"<<if 1>>a<<else>>b<<else>>c<<end>>", "line 1, column 3: if without its <<end>> (a second else)"},
        {"x<<end>>", "line 1, column 4: <<end>> without an if, with or range before it"},
        {"x<<else>>", "line 1, column 4: <<else>> without an if, with or range before it"},
        {"<<>>", "line 1, column 3: missing value for command"},
        {"<<if>>a<<end>>", "line 1, column 5: missing value for if"},
        {"<<frobnicate .Series>>", "line 1, column 3: function \"frobnicate\" not defined"},
        {"<<slice .Series 1>>", "line 1, column 3: function \"slice\" is not supported"},
        {"<<$x>>", "line 1, column 3: undefined variable \"$x\""},
        {"<<.Series | \"x\">>", "line 1, column 13: non executable command in pipeline stage 2"},
        {"<<printf \"%05d\" 1>>", "line 1, column 3: printf: %0 is not supported: %s, %d, %v and %q are"},
        {"<<.Series , 1>>", "line 1, column 11: unexpected \",\" in operand"},
        {"<<.A := 1>>", "line 1, column 6: unexpected \":=\" in operand"},
        {"<<$a, $b := 1>>", "line 1, column 5: only range sets two variables"},
        {"<<break>>", "line 1, column 3: break outside of range"},
        {"<<(.A>>", "line 1, column 6: a ( is not closed"},
        {"<<\"a>>", "line 1, column 3: unterminated quoted string"},
        {"<<\"\\y\">>", "line 1, column 4: no such escape within quotes"},
        {"<<.Foo>>", "line 1, column 3: there is no field .Foo"},
        {"<<.Series.Foo>>", "line 1, column 3: can't evaluate field Foo in type string"},
        {"<<index .GroupBySlice 2>>", "line 1, column 3: index: index out of range: 2"},
        {"<<index .LabelValuesByName 1>>", "line 1, column 3: index: a map is asked by a text, not by int"},
        {"<<eq .Series 1>>", "line 1, column 3: eq: incompatible types for comparison"},
        {"<<len>>", "line 1, column 3: wrong number of args for len: want 1 got 0"},
        {"<<index>>", "line 1, column 3: wrong number of args for index: want at least 1 got 0"},
        {"<<range .Series>><<end>>", "line 1, column 3: range can't iterate over string"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct err err = {0};
        struct buf out;
        buf_init(&out, 1000);
        assert_string_not_equal(outcome(all[i].text, &out, &err), "");
        assert_string_equal(err.text, all[i].want);
        buf_done(&out);
    }
}

/* ---- bounds ---- */

static int run(const char *text, struct buf *out) {
    struct template *t = NULL;
    struct err err = {0};

    if (template_new(text, &t, &err) < 0)
        fail_msg("%s", err.text);
    int ret = template_run(t, fields, FIELDS, out, &err);
    assert_true(ret == 0 || err.text[0] != '\0');
    template_free(t);
    return ret;
}

/* What was there before stays, and nothing of the failed one is added. */
static bool only_shows(const char *text) {
    static const char *const free_fields[] = {"Series", "GroupBy", "GroupBySlice", NULL};
    struct template *t = NULL;

    assert_int_equal(template_new(text, &t, NULL), 0);
    bool shows = template_only_shows(t, "LabelMatchers", free_fields);
    template_free(t);
    return shows;
}

static void test_a_field_that_is_only_shown(void **state) {
    (void)state;
    assert_true(only_shows("sum(rate(<<.Series>>{<<.LabelMatchers>>}[1m])) by (<<.GroupBy>>)"));
    assert_true(only_shows("<<if .Series>>a{<<- .LabelMatchers>>}<<else>><<.LabelMatchers>><<end>>"));
    assert_true(only_shows("<<index .GroupBySlice 0>><<range .GroupBySlice>>x<<end>><</* a */>>"));
    assert_true(only_shows("<<printf \"%s\" (len .GroupBySlice | eq 1)>>"));
    /* Something is made of it, or of everything. */
    assert_false(only_shows("<<len .LabelMatchers>>"));
    assert_false(only_shows("<<.LabelMatchers | printf \"%q\">>"));
    assert_false(only_shows("<<if .LabelMatchers>>a<<end>>"));
    assert_false(only_shows("<<with .LabelMatchers>><<.>><<end>>"));
    assert_false(only_shows("<<if .Series>><<else if .LabelMatchers>><<end>>"));
    assert_false(only_shows("<<index .LabelValuesByName \"pod\">>"));
    assert_false(only_shows("<<range .GroupBySlice>><<.>><<end>>"));
    assert_false(only_shows("<<$.LabelMatchers>>"));
    assert_false(only_shows("<<$x := .LabelMatchers>><<$x>>"));
    assert_false(only_shows("<<(index .LabelValuesByName \"a\").B>>"));
    assert_false(only_shows("<<if (eq .LabelMatchers \"\")>>a<<end>>"));
    assert_false(only_shows("<<.>>"));
}

static void test_a_failed_run_adds_nothing(void **state) {
    struct buf out;

    (void)state;
    buf_init(&out, 12);
    assert_int_equal(run("12345678<<.Foo>>", &out), -EINVAL);
    assert_string_equal(out.data, "");
    assert_int_equal(run("1234", &out), 0);
    assert_int_equal(run("12345678<<.Foo>>", &out), -EINVAL);
    assert_int_equal(run("12345678<<.GroupBy>>", &out), -EOVERFLOW);
    assert_string_equal(out.data, "1234");
    assert_int_equal(run("12345<<.GroupBy>>", &out), 0);
    assert_string_equal(out.data, "123412345pod");
    buf_done(&out);
}

/* text, repeated n times, with the middle between and as often end. */
static void nest(struct buf *out, const char *text, const char *middle, const char *end, int n) {
    buf_reset(out);
    for (int i = 0; i < n; i++)
        buf_puts(out, text);
    buf_puts(out, middle);
    for (int i = 0; i < n; i++)
        buf_puts(out, end);
}

static void test_loops_are_bounded(void **state) {
    cleanup_buf struct buf text, out;

    (void)state;
    buf_init(&text, 10000);
    buf_init(&out, 1000000);
    nest(&text, "<<range $.GroupBySlice>>", "x", "<<end>>", 10);
    assert_int_equal(run(text.data, &out), 0);
    assert_int_equal(out.len, 1024);
    nest(&text, "<<range $.GroupBySlice>>", "x", "<<end>>", 30);
    assert_int_equal(run(text.data, &out), -EOVERFLOW);
    assert_int_equal(out.len, 1024);
    /* A text that doubles with each round. */
    nest(&text, "<<range $.GroupBySlice>>", "<<$x = printf \"%s%s\" $x $x>>", "<<end>>", 5);
    char *doubling = xasprintf("<<$x := \"0123456789\">>%s", text.data);
    assert_int_equal(run(doubling, &out), -EOVERFLOW);
    free(doubling);
}

static void test_sizes_are_bounded(void **state) {
    cleanup_buf struct buf text;
    struct template *t = NULL;
    struct err err = {0};

    (void)state;
    buf_init(&text, 200000);
    nest(&text, "<<if 1>>", "x", "<<end>>", 60);
    assert_int_equal(template_new(text.data, &t, &err), 0);
    template_free(t);
    t = NULL;
    nest(&text, "<<if 1>>", "x", "<<end>>", 65);
    assert_int_equal(template_new(text.data, &t, &err), -EINVAL);
    nest(&text, "(", ".Series", ")", 65);
    char *parens = xasprintf("<<%s>>", text.data);
    assert_int_equal(template_new(parens, &t, &err), -EINVAL);
    free(parens);
    nest(&text, "<<$x := 1>>", "", "", 32);
    assert_int_equal(template_new(text.data, &t, &err), -EINVAL);
    nest(&text, "<<.A>>", "", "", 7000);
    assert_int_equal(template_new(text.data, &t, &err), -EINVAL);
    assert_non_null(strstr(err.text, "too large"));
    nest(&text, "a", "", "", TEMPLATE_TEXT_MAX + 1);
    assert_int_equal(template_new(text.data, &t, &err), -EINVAL);
    assert_int_equal(template_new("<<print 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16>>", &t, &err), -EINVAL);
    assert_null(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_go),
        cmocka_unit_test(test_refusals_tell_where_and_what),
        cmocka_unit_test(test_a_field_that_is_only_shown),
        cmocka_unit_test(test_a_failed_run_adds_nothing),
        cmocka_unit_test(test_loops_are_bounded),
        cmocka_unit_test(test_sizes_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
