/* Quantities as tables: text to milli-units, to doubles, and back. */
#include "api/types/quantity.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_parse(void **state) {
    static const struct {
        const char *text;
        int64_t milli;
    } cases[] = {
        {"0", 0},
        {"1", 1000},
        {"-1", -1000},
        {"+1", 1000},
        {"100m", 100},
        {"1.5", 1500},
        {".5", 500},
        {"5.", 5000},
        {"2k", 2000000},
        {"1M", 1000000000},
        {"1G", 1000000000000},
        {"1T", 1000000000000000},
        {"1P", 1000000000000000000},
        {"2Ki", 2048000},
        {"1.5Gi", 1610612736000},
        {"1Mi", 1048576000},
        {"1e3", 1000000},
        {"1E3", 1000000},
        {"12e-1", 1200},
        {"1E+2", 100000},
        {"0.0000", 0},
        {"007", 7000},
        /* rounded away from zero */
        {"1u", 1},
        {"1n", 1},
        {"-1n", -1},
        {"1.0001m", 2},
        {"1001u", 2},
        {"0.00001", 1},
        {"1e-30", 1},
        {"1.00000000000000000000000001", 1001},
        /* at the ends */
        {"9223372036854775807m", INT64_MAX},
        {"9223372036854775808m", INT64_MAX},
        {"9223372036854775.807", INT64_MAX},
        {"-9223372036854775807m", -INT64_MAX},
        {"1E", INT64_MAX},
        {"-1E", INT64_MIN},
        {"8Ei", INT64_MAX},
        {"1e400000000000", INT64_MAX},
        {"99999999999999999999999999999999999999999999", INT64_MAX},
        {"0e400000000000", 0},
        {"100000000000000000000000n", 100000000000000000},
        {"0.000000000000000000000000001E", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int64_t milli = 77;
        struct err err = {0};
        if (quantity_parse(cases[i].text, &milli, &err) < 0 || milli != cases[i].milli)
            fail_msg("%s: got %lld %s", cases[i].text, (long long)milli, err.text);
    }
}

static void test_refused(void **state) {
    static const char *const texts[] = {"",    " ",   "m",   ".",   "+",   "-",    "1 ",    " 1",  "1.5.5",
                                        "1x",  "1K",  "1mi", "1kI", "1e",  "1e+",  "1e1.5", "--1", "0x10",
                                        "1,5", "1ki", "Ki",  "nan", "inf", "1Mib", "1m1"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        int64_t milli = 77;
        double value = 77;
        struct err err = {0};
        if (quantity_parse(texts[i], &milli, &err) >= 0 || quantity_parse_double(texts[i], &value, &err) >= 0)
            fail_msg("\"%s\" was taken for %lld", texts[i], (long long)milli);
        assert_int_equal(milli, 77);
        assert_non_null(strstr(err.text, "is not a quantity"));
    }
}

static void test_double(void **state) {
    static const struct {
        const char *text;
        double value;
    } cases[] = {{"0", 0},
                 {"0.05", 50 * 0.001},
                 {"50m", 50 * 0.001},
                 {"0.1", 100 * 0.001},
                 {"1", 1},
                 {"10m", 10 * 0.001},
                 {"2", 2},
                 {"1500u", 1500 * 1e-6},
                 {"1k", 1000},
                 {"1Ki", 1024},
                 {"-0.5", -(500 * 0.001)},
                 {"1e21", 1e21}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        double value = 77;
        struct err err = {0};
        assert_int_equal(quantity_parse_double(cases[i].text, &value, &err), 0);
        if (value != cases[i].value)
            fail_msg("%s: got %.17g", cases[i].text, value);
    }
}

static void test_write_like(void **state) {
    static const struct {
        const char *written, *canonical;
    } cases[] = {
        {"50000m", "50"},
        {"500m", "500m"},
        {"1.5", "1500m"},
        {"8000000000", "8G"},
        {"0.5Gi", "512Mi"},
        {"100Mi", "100Mi"},
        {"500M", "500M"},
        {"1000Ki", "1000Ki"},
        {"1E", "1E"},
        {"1e3", "1e3"},
        {"2E3", "2E3"},
        {"1500u", "1500u"},
        {"2000u", "2m"},
        {"9000000P", "9000000P"},
        {"100", "100"},
        {"0.0005", "0.0005"},
        {"0.5m", "0.5m"},
        {"1.5000", "1500m"},
        {"0.1Ki", "102400m"},
        {"+5", "5"},
        {"0.0001Ki", "0.0001Ki"},
        {"1e-3", "1e-3"},
        {"12Ei", "12Ei"},
        {".5", "500m"},
        {"5.", "5"},
        {"2000Mi", "2000Mi"},
        {"2048Mi", "2Gi"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[QUANTITY_TEXT_MAX];
        int64_t milli;
        struct err err = {0};
        assert_int_equal(quantity_parse(cases[i].written, &milli, &err), 0);
        assert_string_equal(quantity_write_like(milli, cases[i].written, text), cases[i].canonical);
    }
}

static void test_write(void **state) {
    static const struct {
        int64_t milli;
        const char *decimal, *binary;
    } cases[] = {
        {0, "0", "0"},
        {1, "1m", "1m"},
        {1000, "1", "1"},
        {1500, "1500m", "1500m"},
        {94000, "94", "94"},
        {10000000, "10k", "10000"},
        {139235, "139235m", "139235m"},
        {-2000, "-2", "-2"},
        {1023000, "1023", "1023"},
        {1024000, "1024", "1Ki"},
        {134217728000, "134217728", "128Mi"},
        {1000000000, "1M", "1000000"},
        {1024001, "1024001m", "1024001m"},
        {INT64_MAX, "9223372036854775807m", "9223372036854775807m"},
        {INT64_MIN, "-9223372036854775808m", "-9223372036854775808m"},
        {-1024000, "-1024", "-1Ki"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char out[QUANTITY_TEXT_MAX];
        assert_string_equal(quantity_write(cases[i].milli, QUANTITY_DECIMAL_SI, out), cases[i].decimal);
        assert_string_equal(quantity_write(cases[i].milli, QUANTITY_BINARY_SI, out), cases[i].binary);
    }
}

static void test_write_number(void **state) {
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"0.1", "0.1"},
        {"-3", "-3"},
        {"9223372036854775807", "9223372036854775807"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"1.5e300", "1.5e+300"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char out[QUANTITY_TEXT_MAX];
        json_t *number = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
        assert_string_equal(quantity_write_number(number, out), cases[i].text);
        json_decref(number);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_double), cmocka_unit_test(test_write_like),
        cmocka_unit_test(test_write),  cmocka_unit_test(test_write_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
