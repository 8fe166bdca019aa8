/* Error texts: set, wrapped, cut, absent. */
#include "base/err.h"

#include "base/tests/cm.h"
#include <errno.h>

static void test_set_returns_the_code(void **state) {
    (void)state;
    struct err err = {0};

    assert_int_equal(err_set(&err, -ENOENT, "no %s in %d files", "answer", 3), -ENOENT);
    assert_int_equal(err.code, -ENOENT);
    assert_string_equal(err_text(&err), "no answer in 3 files");
}

static void test_null_is_allowed(void **state) {
    (void)state;

    assert_int_equal(err_set(NULL, -EINVAL, "unseen"), -EINVAL);
    assert_int_equal(err_wrap(NULL, "unseen"), -EIO);
}

static void test_wrap_keeps_code_and_order(void **state) {
    (void)state;
    struct err err = {0};

    err_set(&err, -ECONNREFUSED, "connection refused");
    assert_int_equal(err_wrap(&err, "GET %s", "/api"), -ECONNREFUSED);
    assert_int_equal(err_wrap(&err, "pods"), -ECONNREFUSED);
    assert_string_equal(err_text(&err), "pods: GET /api: connection refused");
}

static void test_text_of_a_bare_code(void **state) {
    (void)state;
    struct err err = {.code = -ENOENT};

    assert_string_equal(err_text(&err), "No such file or directory");
    err_wrap(&err, "open");
    assert_string_equal(err_text(&err), "open: No such file or directory");
    err_clear(&err);
    assert_int_equal(err.code, 0);
    assert_string_equal(err_text(&err), "no error");
    assert_int_equal(err_wrap(&err, "nothing was wrong"), -EIO);
}

static void test_long_texts_are_cut(void **state) {
    (void)state;
    struct err err = {0};
    char big[2 * ERR_TEXT_MAX + 1];

    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    err_set(&err, -EIO, "%s", big);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    err_wrap(&err, "front");
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    assert_memory_equal(err.text, "front: xxx", 10);
    err_wrap(&err, "%s", big); /* the context alone fills it */
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
}

/* A cut must not leave half a character: the text goes into JSON. */
static void test_cut_between_characters(void **state) {
    (void)state;
    struct err err = {0};
    char big[ERR_TEXT_MAX + 8];

    for (size_t before = ERR_TEXT_MAX - 4; before < ERR_TEXT_MAX; before++) {
        memset(big, 'x', before);
        memcpy(big + before, "€", 4); /* three bytes and the NUL */
        err_set(&err, -EIO, "%s", big);
        bool fits = before + 3 < ERR_TEXT_MAX;
        assert_int_equal(strlen(err.text), fits                        ? before + 3
                                           : before < ERR_TEXT_MAX - 1 ? before
                                                                       : ERR_TEXT_MAX - 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_returns_the_code),      cmocka_unit_test(test_null_is_allowed),
        cmocka_unit_test(test_wrap_keeps_code_and_order), cmocka_unit_test(test_text_of_a_bare_code),
        cmocka_unit_test(test_long_texts_are_cut),        cmocka_unit_test(test_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
