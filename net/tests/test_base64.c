/* Base64 as kubeconfig files have it: whole, with line ends, cut, wrong. */
#include "net/base64.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void good_text_is_decoded(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"YQ==", "a"},
        {"YWI=", "ab"},
        {"YWJj", "abc"},
        {" aGVs\nbG8g\r\nd29y bGQ=\n", "hello world"},
        {"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJkekNDQVIyZ0F3SUJBZ0lCQURBS0JnZ3Foa2pPUFFRREFqQWpNU0V3SHd"
         "Z"
         "RFZRUUREQmhyM3M=",
         "-----BEGIN CERTIFICATE-----\nMIIBdzCCAR2gAwIBAgIBADAKBggqhkjOPQQDAjAjMSEwHwYDVQQDDBhr3s"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *data = NULL;
        size_t len = 99;
        struct err err = {0};
        assert_int_equal(base64_decode(cases[i][0], &data, &len, &err), 0);
        assert_string_equal(data, cases[i][1]);
        assert_int_equal(len, strlen(cases[i][1]));
        free(data);
    }
}

static void what_is_encoded_decodes(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"", ""}, {"a", "YQ=="}, {"ab", "YWI="}, {"abc", "YWJj"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = base64_encode(cases[i][0], strlen(cases[i][0]));
        assert_string_equal(text, cases[i][1]);
        free(text);
    }
    char *text = base64_encode("\0\1\0", 3);
    assert_string_equal(text, "AAEA");
    free(text);
}

static void zeros_in_the_data_are_kept(void **state) {
    (void)state;
    char *data = NULL;
    size_t len = 0;
    assert_int_equal(base64_decode("AAEA", &data, &len, NULL), 0);
    assert_int_equal(len, 3);
    assert_memory_equal(data, "\0\1\0\0", 4);
    free(data);
    assert_int_equal(base64_decode("AAEA", &data, NULL, NULL), 0);
    free(data);
}

static void bad_text_is_refused(void **state) {
    (void)state;
    static const char *const cases[] = {"YQ",    "YQ=",  "Y",        "YWJj!",       "YWJj-YWJj",
                                        "YWJj_", "=YWJ", "YQ==YQ==", "YWJj\xc3\xa4"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *data = NULL;
        struct err err = {0};
        if (base64_decode(cases[i], &data, NULL, &err) != -EINVAL)
            fail_msg("%s was accepted as '%s'", cases[i], data);
        assert_null(data);
        assert_true(strlen(err.text) > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_text_is_decoded),
        cmocka_unit_test(what_is_encoded_decodes),
        cmocka_unit_test(zeros_in_the_data_are_kept),
        cmocka_unit_test(bad_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
