/* The reader of the text format: what it takes, what it refuses and in which line, and its limits. */
#include "adapter/exposition.h"

#include "base/buf.h"
#include "base/str.h"
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Writes each sample as one line, so that a whole reading can be held against one text. */
static int write_sample(void *arg, const struct exposition_sample *sample) {
    struct buf *out = arg;

    buf_puts(out, sample->series.name);
    for (uint32_t i = 0; i < sample->series.label_count; i++)
        buf_printf(out, "|%s=%s", sample->series.labels[i].name, sample->series.labels[i].value);
    buf_printf(out, " %g", sample->value);
    if (sample->timestamp_ms != INT64_MIN)
        buf_printf(out, " @%lld", (long long)sample->timestamp_ms);
    return buf_puts(out, ";");
}

static void assert_reads(const char *text, const char *want) {
    cleanup_buf struct buf out;
    struct err err = {0};

    buf_init(&out, 4096);
    if (exposition_read(text, strlen(text), write_sample, &out, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    assert_string_equal(out.data, want);
}

static void takes_the_format(void **state) {
    (void)state;
    assert_reads("", "");
    assert_reads("up 1\n", "up 1;");
    assert_reads("# HELP up Whether \"it\" {is} up\n# TYPE up gauge\n#\n\n \t\nup 0\n", "up 0;");
    assert_reads("a:b_1{} 2.5e3 1395066363000\n", "a:b_1 2500 @1395066363000;");
    assert_reads("m{z=\"1\",a=\"2\",k=\"3\"} 7 -5\n", "m|a=2|k=3|z=1 7 @-5;");
    assert_reads(" \tm { a = \"1\" , } \t 4\t9 \n", "m|a=1 4 @9;");
    assert_reads("m{a=\"x\"}1\n", "m|a=x 1;");
    assert_reads("m +Inf\nm -Inf\nm NaN\nm 0x1p4\n", "m inf;m -inf;m nan;m 16;");
    assert_reads("m{a=\"\\\\ \\\" \\n }#,\",b=\"\303\251\"} 1\n", "m|a=\\ \" \n }#,|b=\303\251 1;");
}

static void leaves_empty_labels_out(void **state) {
    (void)state;
    assert_reads("m{b=\"\",a=\"1\",c=\"\"} 1\n", "m|a=1 1;");
}

struct refusal {
    const char *text, *want;
};

static void refuses_what_is_not_the_format(void **state) {
    static const struct refusal cases[] = {
        {"up 1\nup 2", "line 2: the text is cut short: its last line has no end"},
        {"ok 1\n\n1up 1\n", "line 3: expected the name of a metric"},
        {"{a=\"b\"} 1\n", "line 1: expected the name of a metric"},
        {"m\n", "line 1: expected a number as the value"},
        {"m x\n", "line 1: expected a number as the value"},
        {"m 1 x\n", "line 1: expected a timestamp in milliseconds after the value"},
        {"m 1 99999999999999999999\n", "line 1: expected a timestamp in milliseconds after the value"},
        {"m 1 2 3\n", "line 1: there is more after the sample"},
        {"m{a=\"b\" 1\n", "line 1: expected , or } after a label"},
        {"m{,} 1\n", "line 1: expected the name of a label"},
        {"m{a:b=\"c\"} 1\n", "line 1: expected = after the name of a label"},
        {"m{a=b} 1\n", "line 1: expected a quoted value after ="},
        {"m{a=\"b} 1\n", "line 1: a label's value has no closing quote"},
        {"m{a=\"b\\", "line 1: the text is cut short: its last line has no end"},
        {"m{a=\"\\t\"} 1\n", "line 1: an escape in a label's value is none of \\\\, \\\" and \\n"},
        {"m{a=\"\xff\"} 1\n", "line 1: a label's value is not UTF-8"},
        {"m{a=\"1\",b=\"\",a=\"2\"} 1\n", "line 1: the label a is there twice"},
        {"m{a=\"\",a=\"\"} 1\n", "line 1: the label a is there twice"},
        {"m{__name__=\"x\"} 1\n", "line 1: the label __name__ is reserved"},
        {"m 1\r\n", "line 1: expected a number as the value"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_buf struct buf out;
        struct err err = {0};
        buf_init(&out, 4096);
        assert_int_equal(exposition_read(cases[i].text, strlen(cases[i].text), write_sample, &out, &err),
                         -EINVAL);
        assert_string_equal(err.text, cases[i].want);
    }
}

static void refuses_a_nul(void **state) {
    static const char in_value[] = "m{a=\"b\0c\"} 1\n", in_number[] = "m 1\0002\n";
    cleanup_buf struct buf out;
    struct err err = {0};

    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(exposition_read(in_value, sizeof(in_value) - 1, write_sample, &out, &err), -EINVAL);
    assert_string_equal(err.text, "line 1: a label's value holds a NUL");
    assert_int_equal(exposition_read(in_number, sizeof(in_number) - 1, write_sample, &out, &err), -EINVAL);
    assert_string_equal(out.data, "");
}

/* A number that is cut where the buffer ends would be read as another number, or as a number and a time. */
static void refuses_endless_numbers(void **state) {
    cleanup_buf struct buf text, out;
    struct err err = {0};

    (void)state;
    buf_init(&text, 4096);
    buf_init(&out, 4096);
    buf_puts(&text, "m ");
    for (int i = 0; i < 135; i++)
        buf_puts(&text, "1");
    buf_puts(&text, "\n");
    assert_int_equal(exposition_read(text.data, text.len, write_sample, &out, &err), -EINVAL);
    assert_string_equal(out.data, "");
}

static void bounds_lines_and_labels(void **state) {
    cleanup_buf struct buf text, out;
    struct err err = {0};

    (void)state;
    buf_init(&text, (size_t)1 << 20);
    buf_init(&out, 4096);
    for (int i = 0; i < EXPOSITION_LINE_MAX; i++)
        buf_puts(&text, i ? "m" : "#");
    buf_puts(&text, "m\nm{a=\"");
    for (int i = 0; i < EXPOSITION_LINE_MAX; i++)
        buf_puts(&text, "m");
    buf_puts(&text, "\"} 1\n");
    assert_int_equal(exposition_read(text.data, text.len, write_sample, &out, &err), -E2BIG);
    assert_string_equal(err.text, "line 2: longer than 65536 bytes");

    buf_reset(&text);
    buf_puts(&text, "m{");
    for (int i = 0; i <= EXPOSITION_LABELS_MAX; i++)
        buf_printf(&text, "l%d=\"\",", i);
    buf_puts(&text, "} 1\n");
    assert_int_equal(exposition_read(text.data, text.len, write_sample, &out, &err), -E2BIG);
    assert_string_equal(err.text, "line 1: more than 128 labels");
}

static int stop_at_two(void *arg, const struct exposition_sample *sample) {
    (void)sample;
    return ++*(int *)arg == 2 ? -ECANCELED : 0;
}

static void ends_when_told(void **state) {
    struct err err = {0};
    int seen = 0;

    (void)state;
    assert_int_equal(exposition_read("m 1\nm 2\nm 3\nx", 13, stop_at_two, &seen, &err), -ECANCELED);
    assert_int_equal(seen, 2);
    assert_string_equal(err.text, "");
}

static void finds_labels(void **state) {
    static const struct series_label labels[] = {{"a", "1"}, {"b", "2"}};
    static const struct series series = {"m", 2, labels};

    (void)state;
    assert_string_equal(series_label(&series, "b"), "2");
    assert_string_equal(series_label(&series, "c"), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_format),
        cmocka_unit_test(leaves_empty_labels_out),
        cmocka_unit_test(refuses_what_is_not_the_format),
        cmocka_unit_test(refuses_a_nul),
        cmocka_unit_test(refuses_endless_numbers),
        cmocka_unit_test(bounds_lines_and_labels),
        cmocka_unit_test(ends_when_told),
        cmocka_unit_test(finds_labels),
    };
    return cmocka_run_group_tests_name("exposition", tests, NULL, NULL);
}
