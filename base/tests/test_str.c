/* Strings: comparison, numbers from text, UTF-8, the pool. */
#include "base/str.h"
#include <limits.h>

#include "base/tests/cm.h"
#include <errno.h>
#include <math.h>

static void test_comparison(void **state) {
    (void)state;

    assert_true(str_eq(NULL, NULL));
    assert_false(str_eq(NULL, ""));
    assert_false(str_eq("", NULL));
    assert_true(str_eq("a", "a"));
    assert_true(str_starts("abc", "ab"));
    assert_true(str_starts("abc", ""));
    assert_false(str_starts("ab", "abc"));
    assert_true(str_ends("abc", "bc"));
    assert_true(str_ends("", ""));
    assert_false(str_ends("bc", "abc"));
    assert_string_equal(str_or_empty(NULL), "");
    assert_string_equal(str_or_empty("x"), "x");
}

static void test_to_i64(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int ret;
        int64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"007", 0, 7},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", -ERANGE, 0},
        {"-9223372036854775809", -ERANGE, 0},
        {"99999999999999999999999", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"-", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"1.0", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"--1", -EINVAL, 0},
        {"1e3", -EINVAL, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value = 42;
        int ret = str_to_i64(cases[i].text, &value);
        if (ret != cases[i].ret || value != (ret ? 42 : cases[i].value))
            fail_msg("\"%s\": %d, %lld", cases[i].text, ret, (long long)value);
    }
}

static void test_to_double(void **state) {
    (void)state;
    static const char *const bad[] = {"", " 1", "1 ", "1.0x", "abc", "-", ".", "1,5", "\n1"};
    double v = 42;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (str_to_double(bad[i], &v) != -EINVAL || v != 42)
            fail_msg("\"%s\" was read as %g", bad[i], v);
    assert_int_equal(str_to_double("128.5e-1", &v), 0);
    assert_true(v == 12.85);
    assert_int_equal(str_to_double("NaN", &v), 0);
    assert_true(isnan(v));
    assert_int_equal(str_to_double("+Inf", &v), 0);
    assert_true(isinf(v) && v > 0);
    assert_int_equal(str_to_double("-Inf", &v), 0);
    assert_true(isinf(v) && v < 0);
    assert_int_equal(str_to_double("-0", &v), 0);
    assert_true(v == 0 && signbit(v));
}

static void test_utf8(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {
        {"a", 1},
        {"", 1},
        {"\x7f", 1},
        {"\xc2\x80", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xee\x80\x80", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0},             /* a continuation alone */
        {"\xc1\xbf", 0},         /* overlong */
        {"\xe0\x9f\xbf", 0},     /* overlong */
        {"\xf0\x8f\xbf\xbf", 0}, /* overlong */
        {"\xed\xa0\x80", 0},     /* a surrogate */
        {"\xed\xbf\xbf", 0},     /* a surrogate */
        {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
        {"\xe2\x82", 0}, /* cut short */
        {"\xe2(\xac", 0},
        {"\xf0\x90\x80", 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (str_utf8(cases[i].text) != cases[i].len)
            fail_msg("case %zu: %zu bytes, not %zu", i, str_utf8(cases[i].text), cases[i].len);
}

static void test_is_utf8(void **state) {
    (void)state;
    assert_true(str_is_utf8(""));
    assert_true(str_is_utf8("a\xc3\xa4\xf0\x9f\x98\x80z"));
    assert_false(str_is_utf8("a\xff"));
    assert_false(str_is_utf8("a\xc3"));
    assert_false(str_is_utf8("\xc3\xa4\xa4z"));
}

static void test_trim_utf8(void **state) {
    (void)state;
    char whole[] = "a\xe2\x82\xac", cut[] = "a\xe2\x82", lead[] = "a\xf0", none[] = "", plain[] = "ab";

    str_trim_utf8(whole);
    assert_string_equal(whole, "a\xe2\x82\xac");
    str_trim_utf8(cut);
    assert_string_equal(cut, "a");
    str_trim_utf8(lead);
    assert_string_equal(lead, "a");
    str_trim_utf8(none);
    assert_string_equal(none, "");
    str_trim_utf8(plain);
    assert_string_equal(plain, "ab");
}

static void test_cut(void **state) {
    (void)state;
    char out[4];

    str_cut(out, sizeof(out), "abcdef", 2);
    assert_string_equal(out, "ab");
    str_cut(out, sizeof(out), "abcdef", 6);
    assert_string_equal(out, "abc");
    str_cut(out, sizeof(out), "ab\xe2\x82\xac", 5);
    assert_string_equal(out, "ab");
    str_cut(out, sizeof(out), "\xe2\x82\xac", 3);
    assert_string_equal(out, "\xe2\x82\xac");
    assert_int_equal(str_fit("\xe2\x82\xac", 3, 3), 3);
    assert_int_equal(str_fit("\xe2\x82\xac", 3, 2), 0);
    str_cut(out, 1, "a", 1);
    assert_string_equal(out, "");
}

static void test_pool_shares(void **state) {
    (void)state;
    struct str_pool pool;

    str_pool_init(&pool);
    const char *a = str_intern(&pool, "app", 3), *b = str_intern(&pool, "apple", 3),
               *c = str_intern(&pool, "apple", 5);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_string_equal(c, "apple");
    assert_int_equal(pool.strings.len, 2);
    str_release(&pool, a);
    assert_string_equal(b, "app"); /* still used once */
    assert_ptr_equal(str_retain(b), b);
    str_release(&pool, b);
    str_release(&pool, b);
    assert_int_equal(pool.strings.len, 1);
    str_release(&pool, NULL);
    str_pool_done(&pool); /* frees what is left */
}

/* A text with a NUL inside ends there: it must not take the place of the text that it begins with. */
static void test_pool_and_nul(void **state) {
    (void)state;
    struct str_pool pool;

    str_pool_init(&pool);
    const char *a = str_intern(&pool, "a", 1), *b = str_intern(&pool, "a\0b", 3),
               *e = str_intern(&pool, "", 0);
    assert_ptr_equal(a, b);
    assert_string_equal(e, "");
    str_release(&pool, a);
    str_release(&pool, b);
    str_release(&pool, e);
    assert_int_equal(pool.strings.len, 0);
    str_pool_done(&pool);
}

static void test_distance(void **state) {
    char longer[STR_DISTANCE_MAX + 2];

    (void)state;
    assert_int_equal(str_distance("rules", "rules"), 0);
    assert_int_equal(str_distance("Rules", "rULES"), 0);
    assert_int_equal(str_distance("rule", "rules"), 1);
    assert_int_equal(str_distance("rulse", "rules"), 2);
    assert_int_equal(str_distance("", "abc"), 3);
    assert_int_equal(str_distance("kitten", "sitting"), 3);
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(str_distance("a", longer), UINT_MAX);
    assert_int_equal(str_distance(longer, "a"), STR_DISTANCE_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparison),   cmocka_unit_test(test_to_i64),
        cmocka_unit_test(test_to_double),    cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_is_utf8),      cmocka_unit_test(test_trim_utf8),
        cmocka_unit_test(test_cut),          cmocka_unit_test(test_pool_shares),
        cmocka_unit_test(test_pool_and_nul), cmocka_unit_test(test_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
