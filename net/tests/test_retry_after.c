/* Retry-After in both forms, and what is neither. */
#include "net/retry_after.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void it_is_read_as_seconds_or_date(void **state) {
    (void)state;
    static const usec_t noon = 1767268800 * USEC_PER_SEC; /* 2026-01-01T12:00:00Z */
    static const struct {
        const char *text;
        usec_t seconds;
    } cases[] = {
        {"0", 0},
        {"7", 7},
        {"-5", 0},
        {"999999999999", 86400},
        {"Thu, 01 Jan 2026 12:00:30 GMT", 30},
        {"Thursday, 01-Jan-26 12:01:00 GMT", 60},
        {"Thu, 01 Jan 2026 11:59:59 GMT", 0},
        {"Fri, 01 Jan 2038 12:00:00 GMT", 86400},
        {"", 0},
        {"soon", 0},
        {"3.5", 0},
        {"99999999999999999999999", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (retry_after_parse(cases[i].text, noon) != cases[i].seconds * USEC_PER_SEC)
            fail_msg("\"%s\" is read as %ld µs", cases[i].text, (long)retry_after_parse(cases[i].text, noon));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_read_as_seconds_or_date)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
