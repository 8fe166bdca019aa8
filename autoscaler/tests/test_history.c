/* The memory between decisions: which slots are used again, and what compacting keeps. */
#include "autoscaler/stages.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct scaling_policy policies[] = {{SCALING_PODS, 4, 15}, {SCALING_PERCENT, 100, 60}};
static const struct policy_spec spec = {
    .has_behavior = true,
    .up = {.policy_count = 2, .policies = policies},
    .down = {.policy_count = 1, .policies = policies},
};
static const usec_t now = 1000 * USEC_PER_SEC;

static void put(struct history_list *list, int32_t value, usec_t ago) {
    history_put(list, -1, (struct history_entry){.at = now - ago, .value = value});
}

static void test_begins_once(void **state) {
    struct history h = {0};

    (void)state;
    history_begin(&h, 5, now);
    history_begin(&h, 6, now);
    assert_int_equal(h.recommendations.count, 1);
    assert_int_equal(h.recommendations.items[0].value, 5);
    history_done(&h);
}

/* A list that exists and is empty is not the same as none. */
static void test_empty_is_not_none(void **state) {
    struct history h = {.has_recommendations = true};

    (void)state;
    history_begin(&h, 5, now);
    assert_int_equal(h.recommendations.count, 0);
    history_done(&h);
}

static void test_event_at_the_edge_is_kept(void **state) {
    struct history h = {0};

    (void)state;
    put(&h.up_events, 3, 60 * USEC_PER_SEC);
    history_store_scale(&h, &spec, 4, 6, now);
    assert_int_equal(h.up_events.count, 2);
    assert_false(h.up_events.items[0].outdated);
    history_done(&h);
}

static void test_last_outdated_slot_is_used_again(void **state) {
    struct history h = {0};

    (void)state;
    put(&h.up_events, 3, 60 * USEC_PER_SEC + 1);
    put(&h.up_events, 4, 61 * USEC_PER_SEC);
    put(&h.up_events, 5, 59 * USEC_PER_SEC);
    history_store_scale(&h, &spec, 4, 6, now);
    assert_int_equal(h.up_events.count, 3);
    assert_true(h.up_events.items[0].outdated);
    assert_int_equal(h.up_events.items[1].value, 2);
    assert_int_equal(h.up_events.items[1].at, now);
    assert_false(h.up_events.items[1].outdated);
    history_done(&h);
}

/* Down has the longest period of its own policies. */
static void test_directions_are_apart(void **state) {
    struct history h = {0};

    (void)state;
    put(&h.down_events, 3, 16 * USEC_PER_SEC);
    history_store_scale(&h, &spec, 9, 2, now);
    assert_int_equal(h.up_events.count, 0);
    assert_int_equal(h.down_events.count, 1);
    assert_int_equal(h.down_events.items[0].value, 7);
    history_done(&h);
}

static void test_nothing_without_behavior(void **state) {
    struct policy_spec plain = spec;
    struct history h = {0};

    (void)state;
    plain.has_behavior = false;
    history_store_scale(&h, &plain, 9, 2, now);
    assert_int_equal(h.down_events.count, 0);
    history_done(&h);
}

static void test_compact_keeps_what_can_count(void **state) {
    static const int32_t values[] = {5, 9, 2, 5, 7, 3, 4, 4};
    static const int32_t kept[] = {9, 2, 7, 3, 4}; /* peaks and valleys, looking back from now */
    struct history h = {0};

    (void)state;
    for (size_t i = 0; i < 8; i++)
        put(&h.recommendations, values[i], (usec_t)(80 - i) * USEC_PER_SEC);
    history_compact(&h);
    assert_int_equal(h.recommendations.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(h.recommendations.items[i].value, kept[i]);
    assert_int_equal(h.recommendations.items[4].at, now - 73 * USEC_PER_SEC);
    history_done(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begins_once),
        cmocka_unit_test(test_empty_is_not_none),
        cmocka_unit_test(test_event_at_the_edge_is_kept),
        cmocka_unit_test(test_last_outdated_slot_is_used_again),
        cmocka_unit_test(test_directions_are_apart),
        cmocka_unit_test(test_nothing_without_behavior),
        cmocka_unit_test(test_compact_keeps_what_can_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
