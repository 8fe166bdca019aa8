/* What counts as a difference between two statuses, as data. */
#include "api/types/tests/cases.h"
#include "autoscaler/status.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void check(const struct test_case *c) {
    static const char *const names[] = {[STATUS_SAME] = "same",
                                        [STATUS_NUMBERS] = "numbers",
                                        [STATUS_VALUES] = "values",
                                        [STATUS_STATE] = "state"};
    enum status_difference got =
        status_compare(json_object_get(c->in, "stored"), json_object_get(c->in, "wanted"));

    assert_string_equal(names[got], json_string_value(json_object_get(c->want, "difference")));
}

int main(void) {
    return cases_run_dir("status", TEST_DATA_DIR "/status", check);
}
