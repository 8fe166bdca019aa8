/* Texts as JSON strings: what stands for itself, what is escaped, what is not UTF-8, and a full buffer. */
#include "base/jsontext.h"

#include "base/tests/cm.h"
#include <errno.h>

static void assert_written(const char *text, const char *want) {
    cleanup_buf struct buf out;

    buf_init(&out, 256);
    assert_int_equal(jsontext_write(&out, text), 0);
    assert_string_equal(out.data, want);
}

static void writes_what_stands_for_itself(void **state) {
    (void)state;
    assert_written("", "\"\"");
    assert_written(NULL, "\"\"");
    assert_written("web-0.v2/x", "\"web-0.v2/x\"");
    assert_written("\x7f", "\"\x7f\"");
    assert_written("\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8a.", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8a.\"");
}

static void escapes(void **state) {
    (void)state;
    assert_written("a\"b\\c", "\"a\\\"b\\\\c\"");
    assert_written("\x01\n\t\x1f", "\"\\u0001\\u000a\\u0009\\u001f\"");
}

/* Each byte for itself, so that what follows a broken character is read again. */
static void replaces_what_is_not_utf8(void **state) {
    (void)state;
    assert_written("a\xff"
                   "b",
                   "\"a\xef\xbf\xbd"
                   "b\"");
    assert_written("\xc3(", "\"\xef\xbf\xbd(\"");
    assert_written("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_written("\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void tells_that_the_buffer_is_full(void **state) {
    cleanup_buf struct buf out;

    (void)state;
    for (size_t max = 0; max < 10; max++) {
        buf_init(&out, max);
        assert_int_equal(jsontext_write(&out, "ab\"\xc3\xa4xy"), -E2BIG); /* takes 10 bytes */
        buf_done(&out);
    }
    buf_init(&out, 10);
    assert_int_equal(jsontext_write(&out, "ab\"\xc3\xa4xy"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_stands_for_itself),
        cmocka_unit_test(escapes),
        cmocka_unit_test(replaces_what_is_not_utf8),
        cmocka_unit_test(tells_that_the_buffer_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
