/* The log's lines, read back from a file in place of stderr. */
#include "base/log.h"

#include "base/tests/cm.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { TIME_LENGTH = 27 /* 2026-01-01T00:00:00.000000Z */ };

static int capture_to(int fd) {
    int saved = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(fd, STDERR_FILENO);
    return saved;
}

/* What one log_at writes, into out; "" where it writes nothing. */
static const char *logged(enum log_level level, const char *subject, const char *message, char *out,
                          size_t size) {
    FILE *f = tmpfile();

    assert_non_null(f);
    int saved = capture_to(fileno(f));
    log_at(level, subject, "%s", message);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(f);
    size_t n = fread(out, 1, size - 1, f);
    out[n] = '\0';
    fclose(f);
    return out;
}

static void test_text(void **state) {
    (void)state;
    char out[4096];

    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    logged(LOG_LEVEL_INFO, "default/web", "10 -> 14 \"now\"", out, sizeof(out));
    assert_string_equal(out + TIME_LENGTH, " info  default/web: 10 -> 14 \"now\"\n");
    logged(LOG_LEVEL_ERROR, NULL, "no subject", out, sizeof(out));
    assert_string_equal(out + TIME_LENGTH, " error no subject\n");
}

static void test_a_line_stays_a_line(void **state) {
    (void)state;
    char out[4096];

    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    logged(LOG_LEVEL_WARN, "a\nb", "one\r\ntwo\x1b[31m\x7f", out, sizeof(out));
    assert_string_equal(out + TIME_LENGTH, " warn  a\\u000ab: one\\u000d\\u000atwo\\u001b[31m\\u007f\n");
}

static void test_json(void **state) {
    (void)state;
    char out[4096];

    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    logged(LOG_LEVEL_DEBUG, "a\"b", "back\\slash\ttab \"quoted\" €", out, sizeof(out));
    assert_memory_equal(out, "{\"time\":\"2", 10);
    assert_string_equal(out + 9 + TIME_LENGTH, "\",\"level\":\"debug\",\"object\":\"a\\\"b\",\"message\":"
                                               "\"back\\\\slash\\u0009tab \\\"quoted\\\" €\"}\n");
    logged(LOG_LEVEL_INFO, NULL, "", out, sizeof(out));
    assert_string_equal(out + 9 + TIME_LENGTH, "\",\"level\":\"info\",\"message\":\"\"}\n");
}

/* Bytes of a peer that are not UTF-8 would make the line unreadable for a JSON parser. */
static void test_garbage(void **state) {
    (void)state;
    char out[4096];

    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    logged(LOG_LEVEL_INFO, NULL, "a\xff\xe2\x82z", out, sizeof(out));
    assert_string_equal(out + 9 + TIME_LENGTH,
                        "\",\"level\":\"info\",\"message\":\"a\\ufffd\\ufffd\\ufffdz\"}\n");
}

static void test_levels(void **state) {
    (void)state;
    char out[4096];

    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    assert_int_equal(log_level(), LOG_LEVEL_WARN);
    assert_string_equal(logged(LOG_LEVEL_INFO, NULL, "quiet", out, sizeof(out)), "");
    assert_string_not_equal(logged(LOG_LEVEL_WARN, NULL, "loud", out, sizeof(out)), "");
}

static void test_long_message_is_cut(void **state) {
    (void)state;
    static char big[5000], out[8192];

    memset(big, 'x', sizeof(big) - 1);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    logged(LOG_LEVEL_INFO, NULL, big, out, sizeof(out));
    size_t n = strlen(out);
    assert_true(n > 2000 && n < 2200);
    assert_string_equal(out + n - 4, "x\"}\n");
}

static void test_names(void **state) {
    (void)state;
    enum log_level level = LOG_LEVEL_ERROR;
    enum log_format format = LOG_FORMAT_TEXT;

    assert_int_equal(log_parse_level("debug", &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_parse_level("Debug", &level), -EINVAL);
    assert_int_equal(log_parse_level("", &level), -EINVAL);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_parse_format("json", &format), 0);
    assert_int_equal(format, LOG_FORMAT_JSON);
    assert_int_equal(log_parse_format("yaml", &format), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),   cmocka_unit_test(test_a_line_stays_a_line),
        cmocka_unit_test(test_json),   cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_levels), cmocka_unit_test(test_long_message_is_cut),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
