/* Regular expressions against what Go's regexp makes of the same texts (data/pattern), and the words of what
 * is refused. */
#include "adapter/pattern.h"
#include "api/types/tests/cases.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static json_t *recorded(const char *member) {
    json_t *document = cases_read(TEST_DATA_DIR "/pattern/go.json");
    json_t *list = json_incref(json_object_get(document, member));

    json_decref(document);
    assert_true(json_array_size(list) > 10);
    return list;
}

static struct pattern *compiled(const char *text) {
    struct pattern *p = NULL;
    struct err err = {0};

    if (pattern_new(text, &p, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return p;
}

/* What Go takes and we refuse, or the other way round: too rare in names of series to be worth more. */
static bool known_to_differ(const char *pattern) {
    static const char *const all[] = {
        "(a*)+", "(a*)*", /* a last round without a character: Go keeps the group of the round before */
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(pattern, all[i]) == 0)
            return true;
    return false;
}

/* at: begin and end of each group; NULL: no match. */
static size_t check_found(const struct pattern *p, const char *pattern, const char *subject,
                          const json_t *at) {
    struct pattern_match match;
    size_t wrong = pattern_find(p, subject, &match) != (at != NULL);

    for (size_t i = 0; !wrong && i < json_array_size(at) / 2; i++)
        wrong += match.begin[i] != json_integer_value(json_array_get(at, 2 * i)) ||
                 match.end[i] != json_integer_value(json_array_get(at, 2 * i + 1));
    if (wrong)
        print_error("/%s/ on \"%s\": not as recorded\n", pattern, subject);
    return wrong;
}

static size_t check_pattern(const json_t *c, const json_t *subjects) {
    const char *pattern = json_string_value(json_object_get(c, "pattern"));
    const json_t *found = json_object_get(c, "found");
    struct pattern *p = NULL;
    struct err err = {0};
    char index[16];
    size_t wrong = 0;

    int ret = pattern_new(pattern, &p, &err);
    if (known_to_differ(pattern)) {
        pattern_free(p);
        return 0;
    }
    if ((ret == 0) != (found != NULL)) {
        print_error("/%s/: %s\n", pattern, ret == 0 ? "refused by Go" : err.text);
        pattern_free(p);
        return 1;
    }
    if (ret < 0)
        return 0;
    assert_int_equal(pattern_groups(p), json_integer_value(json_object_get(c, "groups")));
    for (size_t i = 0; i < json_array_size(subjects); i++) {
        snprintf(index, sizeof(index), "%zu", i);
        wrong += check_found(p, pattern, json_string_value(json_array_get(subjects, i)),
                             json_object_get(found, index));
    }
    pattern_free(p);
    return wrong;
}

static void test_as_go(void **state) {
    json_t *patterns = recorded("patterns"), *subjects = recorded("subjects");
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < json_array_size(patterns); i++)
        wrong += check_pattern(json_array_get(patterns, i), subjects);
    json_decref(patterns);
    json_decref(subjects);
    assert_int_equal(wrong, 0);
}

static void test_expands_as_go(void **state) {
    json_t *list = recorded("expansions");

    (void)state;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *pattern, *subject, *as, *want;
        struct buf out;
        buf_init(&out, 1000);
        assert_int_equal(json_unpack(json_array_get(list, i), "{s:s, s:s, s:s, s:s}", "pattern", &pattern,
                                     "subject", &subject, "as", &as, "want", &want),
                         0);
        struct pattern *p = compiled(pattern);
        assert_true(pattern_expand(p, subject, as, &out));
        if (strcmp(out.data, want) != 0)
            fail_msg("%s of /%s/ on %s: %s, not %s", as, pattern, subject, out.data, want);
        pattern_free(p);
        buf_done(&out);
    }
    json_decref(list);
}

static void test_no_pattern_matches_the_whole(void **state) {
    struct buf out;

    (void)state;
    buf_init(&out, 100);
    assert_true(pattern_expand(NULL, "up", "<$0|$1|${name}|$$>", &out));
    assert_string_equal(out.data, "<up|||$>");
    buf_done(&out);
}

static void test_expansion_keeps_to_the_first_match(void **state) {
    struct pattern *p = compiled("([a-z])([0-9])");
    struct buf out;

    (void)state;
    buf_init(&out, 100);
    assert_true(pattern_expand(p, "--a1b2--", "$2$1", &out));
    assert_string_equal(out.data, "1a");
    assert_false(pattern_expand(p, "--", "$2$1", &out));
    assert_string_equal(out.data, "1a");
    buf_done(&out);
    pattern_free(p);
}

static void test_names(void **state) {
    struct pattern *p = compiled("(?P<one>a)(b)(?<3>c)");

    (void)state;
    assert_int_equal(pattern_groups(p), 3);
    assert_int_equal(pattern_group(p, "one"), 1);
    assert_int_equal(pattern_group(p, "3"), 3);
    assert_int_equal(pattern_group(p, "two"), -1);
    assert_int_equal(pattern_group(p, ""), -1);
    pattern_free(p);
    p = compiled("(?P<x>a)|(?P<x>b)");
    assert_int_equal(pattern_group(p, "x"), 2);
    pattern_free(p);
}

static void test_refusals_tell_where_and_what(void **state) {
    static const struct {
        const char *text, *want;
    } all[] = {
        {"(", "at 2: 1 ( not closed"},
        {"ab)", "at 3: a ) without its ("},
        {"é[a", "at 2: [ is not closed"},
        {"a|*", "at 3: * has nothing before it to repeat"},
        {"a*+", "at 3: + after a repetition: RE2 has neither possessive nor nested ones"},
        {"x(?=y)", "at 2: look-ahead does not exist in RE2"},
        {"x(?<!y)", "at 2: look-behind does not exist in RE2"},
        {"(?>a)", "at 1: atomic groups do not exist in RE2"},
        {"(?1)", "at 1: recursion does not exist in RE2"},
        {"(a)\\1", "at 4: back references do not exist in RE2"},
        {"a\\Z", "at 2: \\Z does not exist in RE2: write \\z"},
        {"(?x)a", "at 3: (? is followed by flags out of i, m, s and U, by : or by P<name>"},
        {"a{2,1}", "at 2: a count goes from 0 to 1000, the smaller one first"},
        {"[z-a]", "at 2: a range that ends before it begins"},
        {"[[:foo:]]", "at 2: no such class: [: :] has alpha, digit, space and others of POSIX"},
        {"\\pé", "at 1: no such class of Unicode: \"é\""},
        {"\\pX", "at 1: no such class of Unicode: \"X\""},
        {"ab\\p{Foo}", "at 3: unknown property after \\P or \\p"},
        {"\xff", "at 1: not UTF-8"},
        {"a\\", "at 2: the expression ends after a \\"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct pattern *p = NULL;
        struct err err = {0};
        assert_int_equal(pattern_new(all[i].text, &p, &err), -EINVAL);
        assert_string_equal(err.text, all[i].want);
        assert_null(p);
    }
}

/* 65 groups, a long text, and what grows past PCRE2's size when it is compiled. */
static void test_sizes_are_bounded(void **state) {
    char text[PATTERN_TEXT_MAX + 2];
    struct pattern *p = NULL;
    struct err err = {0};

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(pattern_new(text, &p, &err), -EINVAL);
    text[PATTERN_TEXT_MAX] = '\0';
    assert_int_equal(pattern_new(text, &p, &err), 0);
    pattern_free(p);
    for (size_t i = 0; i < 65; i++)
        memcpy(text + 2 * i, "()", 3);
    p = NULL;
    assert_int_equal(pattern_new(text, &p, &err), -EINVAL);
    assert_string_equal(err.text, "at 129: more than 64 groups");
    assert_int_equal(pattern_new("((x{1000}){1000}){1000}", &p, &err), -EINVAL);
    memset(text, '(', 300);
    assert_int_equal(pattern_new(text, &p, &err), -EINVAL);
    assert_null(p);
}

/* The work is bounded: an exponential one ends, and does not match. */
static void test_work_is_bounded(void **state) {
    struct pattern *p = compiled("^(a+)+$");

    (void)state;
    assert_true(pattern_find(p, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL));
    assert_false(pattern_find(p, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", NULL));
    pattern_free(p);
}

static void test_bytes_that_are_not_utf8_match_nothing(void **state) {
    struct pattern *p = compiled("^a.c$"), *inner = compiled("c");

    (void)state;
    assert_false(pattern_find(p,
                              "a\xff"
                              "c",
                              NULL));
    assert_true(pattern_find(inner,
                             "a\xff"
                             "c",
                             NULL));
    pattern_free(p);
    pattern_free(inner);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_go),
        cmocka_unit_test(test_expands_as_go),
        cmocka_unit_test(test_no_pattern_matches_the_whole),
        cmocka_unit_test(test_expansion_keeps_to_the_first_match),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refusals_tell_where_and_what),
        cmocka_unit_test(test_sizes_are_bounded),
        cmocka_unit_test(test_work_is_bounded),
        cmocka_unit_test(test_bytes_that_are_not_utf8_match_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
