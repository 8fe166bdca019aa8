/* Time: RFC 3339 and durations, as tables. */
#include "base/clock.h"

#include "base/tests/cm.h"
#include <errno.h>

static void test_parse(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int ret;
        usec_t want;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"1970-01-01T00:00:00.000001Z", 0, 1},
        {"1970-01-01T00:00:00.1Z", 0, 100000},
        {"1970-01-01T00:00:00.1234567899Z", 0, 123456},
        {"1969-12-31T23:59:59.5Z", 0, -500000},
        {"2026-01-01T00:00:00Z", 0, 1767225600000000},
        {"2026-01-01T01:30:00+01:30", 0, 1767225600000000},
        {"2025-12-31T16:00:00-08:00", 0, 1767225600000000},
        {"2026-01-01t00:00:00z", 0, 1767225600000000},
        {"2024-02-29T00:00:00Z", 0, 1709164800000000},
        {"2000-02-29T00:00:00Z", 0, 951782400000000},
        {"1990-12-31T23:59:60Z", 0, 662688000000000}, /* a leap second is the next second */
        {"0001-01-01T00:00:00Z", 0, -62135596800000000},
        {"9999-12-31T23:59:59.999999Z", 0, 253402300799999999},
        {"2023-02-29T00:00:00Z", -EINVAL, 0},
        {"1900-02-29T00:00:00Z", -EINVAL, 0},
        {"2026-04-31T00:00:00Z", -EINVAL, 0},
        {"2026-00-01T00:00:00Z", -EINVAL, 0},
        {"2026-13-01T00:00:00Z", -EINVAL, 0},
        {"2026-01-00T00:00:00Z", -EINVAL, 0},
        {"2026-01-01T24:00:00Z", -EINVAL, 0},
        {"2026-01-01T00:60:00Z", -EINVAL, 0},
        {"2026-01-01T00:00:61Z", -EINVAL, 0},
        {"2026-01-01T00:00:00", -EINVAL, 0},
        {"2026-01-01T00:00:00.Z", -EINVAL, 0},
        {"2026-01-01T00:00:00+0100", -EINVAL, 0},
        {"2026-01-01T00:00:00+24:00", -EINVAL, 0},
        {"2026-01-01T00:00:00Zx", -EINVAL, 0},
        {"2026-01-01 00:00:00Z", -EINVAL, 0},
        {"2026-1-1T00:00:00Z", -EINVAL, 0},
        {"2026-01-01", -EINVAL, 0},
        {"2026", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"-026-01-01T00:00:00Z", -EINVAL, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        usec_t t = 42;
        int ret = clock_parse(cases[i].text, &t);
        if (ret != cases[i].ret || t != (ret ? 42 : cases[i].want))
            fail_msg("\"%s\": %d, %lld", cases[i].text, ret, (long long)t);
    }
}

static void test_format(void **state) {
    (void)state;
    static const struct {
        usec_t t;
        const char *seconds, *micro;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"},
        {1767225600000001, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001Z"},
        {999999, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.999999Z"},
        {-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999999Z"},
        {-USEC_PER_SEC, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000000Z"},
        {253402300799999999, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z"},
    };
    char out[CLOCK_TEXT_MAX];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(clock_format(cases[i].t, out), cases[i].seconds);
        assert_string_equal(clock_format_micro(cases[i].t, out), cases[i].micro);
        usec_t back;
        assert_int_equal(clock_parse(out, &back), 0);
        assert_int_equal(back, cases[i].t);
    }
    assert_true(strlen(clock_format_micro(INT64_MAX, out)) < CLOCK_TEXT_MAX);
    assert_true(strlen(clock_format_micro(INT64_MIN, out)) < CLOCK_TEXT_MAX);
}

static void test_parse_duration(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int ret;
        usec_t want;
    } cases[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"0s", 0, 0},
        {"1s", 0, USEC_PER_SEC},
        {"+1s", 0, USEC_PER_SEC},
        {"-1.5s", 0, -1500000},
        {"1h30m", 0, 90 * USEC_PER_MIN},
        {"1h30m5.25s", 0, 5405250000},
        {"250ms", 0, 250000},
        {"10us", 0, 10},
        {"10µs", 0, 10},
        {"10μs", 0, 10},
        {"1500ns", 0, 2},
        {".5s", 0, 500000},
        {"1.s", 0, USEC_PER_SEC},
        {"0.1s", 0, 100000},
        {"8760h", 0, 8760 * USEC_PER_HOUR},
        {"1m1m", 0, 2 * USEC_PER_MIN},
        {"9999999999999h", -ERANGE, 0},
        {"99999999999999999999999999999999999999h", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"-", -EINVAL, 0},
        {"+", -EINVAL, 0},
        {"5", -EINVAL, 0},
        {"s", -EINVAL, 0},
        {".s", -EINVAL, 0},
        {".", -EINVAL, 0},
        {"1 s", -EINVAL, 0},
        {" 1s", -EINVAL, 0},
        {"1s ", -EINVAL, 0},
        {"1d", -EINVAL, 0},
        {"1..5s", -EINVAL, 0},
        {"1s-1s", -EINVAL, 0},
        {"1e3s", -EINVAL, 0},
        {"NaNs", -EINVAL, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        usec_t d = 42;
        int ret = clock_parse_duration(cases[i].text, &d);
        if (ret != cases[i].ret || d != (ret ? 42 : cases[i].want))
            fail_msg("\"%s\": %d, %lld", cases[i].text, ret, (long long)d);
    }
}

/* More digits than a double has exponents for, before and after the point. */
static void test_endless_digits(void **state) {
    (void)state;
    char text[1000];
    usec_t d = 42;

    memset(text, '9', sizeof(text));
    memcpy(text + sizeof(text) - 2, "s", 2);
    assert_int_equal(clock_parse_duration(text, &d), -ERANGE);
    text[1] = '.';
    assert_int_equal(clock_parse_duration(text, &d), -ERANGE);
    assert_int_equal(d, 42);
}

static void test_format_duration(void **state) {
    (void)state;
    static const struct {
        usec_t d;
        const char *want;
    } cases[] = {
        {0, "0ms"},
        {350000, "350ms"},
        {999999, "999ms"},
        {USEC_PER_SEC, "1s"},
        {1250000, "1.2s"},
        {9990000, "9.9s"},
        {40 * USEC_PER_SEC, "40s"},
        {USEC_PER_MIN, "1m"},
        {150 * USEC_PER_SEC, "2m30s"},
        {USEC_PER_HOUR, "1h"},
        {USEC_PER_HOUR + 59 * USEC_PER_SEC, "1h"},
        {90 * USEC_PER_MIN, "1h30m"},
        {24 * USEC_PER_HOUR, "1d"},
        {51 * USEC_PER_HOUR, "2d3h"},
        {-150 * USEC_PER_SEC, "-2m30s"},
        {INT64_MAX, "106751991d4h"},
        {INT64_MIN, "-106751991d4h"},
    };
    char out[CLOCK_TEXT_MAX];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(clock_format_duration(cases[i].d, out), cases[i].want);
}

static void test_clocks(void **state) {
    (void)state;
    usec_t before = clock_mono();

    assert_true(clock_mono() >= before);
    assert_true(clock_wall() > 1700000000 * USEC_PER_SEC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),          cmocka_unit_test(test_format),
        cmocka_unit_test(test_parse_duration), cmocka_unit_test(test_format_duration),
        cmocka_unit_test(test_clocks),         cmocka_unit_test(test_endless_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
