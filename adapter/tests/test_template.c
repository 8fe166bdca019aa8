/* Templates against what Go's text/template makes of the same texts (data/template), and the words of what is
 * refused. */
#include "adapter/template.h"
#include "api/types/tests/cases.h"
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
