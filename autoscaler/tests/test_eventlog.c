/* Events: equal ones are counted, repeats are held back, and the rate is limited. */
#include "autoscaler/eventlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const usec_t start = 1000 * USEC_PER_SEC;

static enum eventlog_action say(struct eventlog *log, const char *message, usec_t now, usec_t repeat,
                                uint32_t *ret_count) {
    struct eventlog_slot *slot = NULL;
    enum eventlog_action action = eventlog_add(log, "Reason", message, now, repeat, &slot);

    if (action == EVENTLOG_CREATE)
        snprintf(slot->name, sizeof(slot->name), "event");
    if (ret_count)
        *ret_count = slot ? slot->count : 0;
    return action;
}

static void test_repeats_are_counted(void **state) {
    struct eventlog log = {0};
    uint32_t count;
    (void)state;

    assert_int_equal(say(&log, "a", start, USEC_PER_MIN, &count), EVENTLOG_CREATE);
    assert_int_equal(say(&log, "a", start + USEC_PER_SEC, USEC_PER_MIN, &count), EVENTLOG_DROP);
    assert_int_equal(say(&log, "a", start + USEC_PER_MIN, USEC_PER_MIN, &count), EVENTLOG_COUNT);
    assert_int_equal(count, 2);
    assert_int_equal(say(&log, "b", start + USEC_PER_MIN, USEC_PER_MIN, &count), EVENTLOG_CREATE);
    assert_int_equal(count, 1);
}

static void test_old_ones_start_anew(void **state) {
    struct eventlog log = {0};
    uint32_t count;
    (void)state;

    say(&log, "a", start, 0, NULL);
    assert_int_equal(say(&log, "a", start + 11 * USEC_PER_MIN, 0, &count), EVENTLOG_CREATE);
    assert_int_equal(count, 1);
}

/* A slot that was never sent under a name is created, not counted up. */
static void test_unsent_is_created(void **state) {
    struct eventlog log = {0};
    struct eventlog_slot *slot;
    (void)state;

    assert_int_equal(eventlog_add(&log, "R", "m", start, 0, &slot), EVENTLOG_CREATE);
    assert_int_equal(eventlog_add(&log, "R", "m", start + 1, 0, &slot), EVENTLOG_CREATE);
}

static void test_rate_is_limited(void **state) {
    struct eventlog log = {0};
    char message[16];
    int sent = 0;
    (void)state;

    for (int i = 0; i < 100; i++) {
        snprintf(message, sizeof(message), "m%d", i);
        sent += say(&log, message, start + i * USEC_PER_MSEC, 0, NULL) != EVENTLOG_DROP;
    }
    assert_int_equal(sent, 25);
    assert_int_equal(say(&log, "later", start + 4 * USEC_PER_MIN, 0, NULL), EVENTLOG_DROP);
    assert_int_equal(say(&log, "later", start + 6 * USEC_PER_MIN, 0, NULL), EVENTLOG_CREATE);
}

/* However much goes wrong, what was scaled can still be said. */
static void test_complaints_leave_some(void **state) {
    struct eventlog log = {0};
    char message[16];
    int sent = 0;
    (void)state;

    for (int i = 0; i < 100; i++) {
        snprintf(message, sizeof(message), "m%d", i);
        sent += say(&log, message, start + i * USEC_PER_MSEC, USEC_PER_MIN, NULL) != EVENTLOG_DROP;
    }
    assert_int_equal(sent, 15);
    assert_int_equal(say(&log, "New size: 3", start + USEC_PER_SEC, 0, NULL), EVENTLOG_CREATE);
}

/* A clock that was ahead and is set right must not silence a policy until it gets there again. */
static void test_clock_set_back(void **state) {
    struct eventlog log = {0};
    const usec_t back = start - USEC_PER_MIN * 10;
    (void)state;

    say(&log, "a", start, USEC_PER_MIN, NULL);
    assert_int_equal(say(&log, "a", back, USEC_PER_MIN, NULL), EVENTLOG_CREATE);
    log = (struct eventlog){0};
    say(&log, "a", start + 24 * USEC_PER_HOUR, 0, NULL);
    assert_int_equal(say(&log, "b", start, 0, NULL), EVENTLOG_CREATE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeats_are_counted),   cmocka_unit_test(test_old_ones_start_anew),
        cmocka_unit_test(test_unsent_is_created),     cmocka_unit_test(test_rate_is_limited),
        cmocka_unit_test(test_complaints_leave_some), cmocka_unit_test(test_clock_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
