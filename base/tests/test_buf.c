/* Bounded buffers: growth, the maximum, and that nothing is appended in part. */
#include "base/buf.h"
#include "base/mem.h"

#include "base/tests/cm.h"
#include <errno.h>
#include <limits.h>

static void test_empty(void **state) {
    (void)state;
    cleanup_buf struct buf b;

    buf_init(&b, 10);
    assert_string_equal(b.data, "");
    buf_consume(&b, 5);
    buf_reset(&b);
    assert_int_equal(buf_append(&b, NULL, 0), 0);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
    char *s = buf_detach(&b);
    assert_string_equal(s, "");
    free(s);
}

/* Up to the maximum everything fits, one byte more is refused and leaves what was there. */
static void test_at_its_maximum(void **state) {
    (void)state;
    cleanup_buf struct buf b;

    buf_init(&b, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(buf_append(&b, "x", 1), 0);
    assert_int_equal(b.len, 100);
    assert_true(b.cap <= 101);
    assert_int_equal(buf_append(&b, "y", 1), -E2BIG);
    assert_int_equal(buf_puts(&b, "y"), -E2BIG);
    assert_int_equal(buf_printf(&b, "%d", 1), -E2BIG);
    assert_int_equal(buf_append(&b, "y", 0), 0);
    assert_int_equal(b.len, 100);
    assert_int_equal(strlen(b.data), 100);
    assert_null(strchr(b.data, 'y'));
    buf_consume(&b, 1);
    assert_int_equal(buf_append(&b, "y", 1), 0);
    assert_int_equal(b.data[99], 'y');
}

static void test_too_large_at_once(void **state) {
    (void)state;
    cleanup_buf struct buf b;

    buf_init(&b, 4);
    assert_int_equal(buf_puts(&b, "12345"), -E2BIG);
    assert_string_equal(b.data, "");
    assert_int_equal(buf_puts(&b, "1234"), 0);
    assert_int_equal(buf_append(&b, "5", SIZE_MAX), -E2BIG); /* the sum would wrap */
    assert_string_equal(b.data, "1234");
}

static void test_maximum_of_nothing(void **state) {
    (void)state;
    cleanup_buf struct buf b;

    buf_init(&b, 0);
    assert_int_equal(buf_puts(&b, ""), 0);
    assert_int_equal(buf_puts(&b, "1"), -E2BIG);
    assert_string_equal(b.data, "");
}

static void test_printf_appends(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    char wide[300];

    buf_init(&b, 1000);
    memset(wide, 'w', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    /* The first memory, for a text of nothing; malloc was given something to forget. */
    char *used = xmalloc(64);
    memset(used, 'x', 64);
    free(used);
    assert_int_equal(buf_printf(&b, "%s", ""), 0);
    assert_string_equal(b.data, "");
    assert_int_equal(buf_printf(&b, "%s=%d", "a", 1), 0);
    assert_int_equal(buf_printf(&b, "%s", ""), 0);
    assert_int_equal(buf_printf(&b, "%s", wide), 0);
    assert_int_equal(b.len, 3 + 299);
    assert_memory_equal(b.data, "a=1www", 6);
    assert_int_equal(b.data[b.len], '\0');
}

static void test_binary_data(void **state) {
    (void)state;
    cleanup_buf struct buf b;

    buf_init(&b, 8);
    assert_int_equal(buf_append(&b, "a\0b", 3), 0);
    assert_int_equal(buf_append(&b, "c", 1), 0);
    assert_memory_equal(b.data, "a\0bc", 5);
}

static void test_texts_behind_each_other(void **state) {
    (void)state;
    cleanup_buf struct buf b;

    buf_init(&b, 7);
    assert_int_equal(buf_append_text(&b, "abcd", 2), 0);
    assert_int_equal(buf_append_text(&b, "", 0), 0);
    assert_int_equal(b.len, 4);
    assert_int_equal(buf_append_text(&b, "xyz", 3), -E2BIG);
    assert_int_equal(buf_append_text(&b, "xyz", 2), 0);
    assert_memory_equal(b.data, "ab\0\0xy\0", 8);
}

static void test_trim(void **state) {
    (void)state;
    cleanup_buf struct buf b;

    buf_init(&b, 100);
    buf_trim(&b);
    assert_int_equal(b.cap, 0);
    buf_puts(&b, "abc");
    buf_trim(&b);
    assert_int_equal(b.cap, 4);
    buf_puts(&b, "def");
    assert_string_equal(b.data, "abcdef");
}

static void test_consume(void **state) {
    (void)state;
    cleanup_buf struct buf b;

    buf_init(&b, 8);
    buf_puts(&b, "12345");
    buf_consume(&b, 0);
    assert_string_equal(b.data, "12345");
    buf_consume(&b, 2);
    assert_string_equal(b.data, "345");
    assert_int_equal(b.len, 3);
    buf_consume(&b, 99);
    assert_string_equal(b.data, "");
    assert_int_equal(b.len, 0);
}

static void test_detach_starts_anew(void **state) {
    (void)state;
    cleanup_buf struct buf b;

    buf_init(&b, 5);
    buf_puts(&b, "first");
    char *s = buf_detach(&b);
    assert_int_equal(buf_puts(&b, "later"), 0); /* the maximum is the buffer's, not the string's */
    assert_string_equal(s, "first");
    assert_string_equal(b.data, "later");
    free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_at_its_maximum),
        cmocka_unit_test(test_too_large_at_once),
        cmocka_unit_test(test_maximum_of_nothing),
        cmocka_unit_test(test_printf_appends),
        cmocka_unit_test(test_binary_data),
        cmocka_unit_test(test_texts_behind_each_other),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_consume),
        cmocka_unit_test(test_detach_starts_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
