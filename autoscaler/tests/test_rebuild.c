/* A start in the middle of a past: what the history is made of, and what is decided by it. */
#include "autoscaler/rebuild.h"
#include "autoscaler/stages.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const usec_t now = (usec_t)1000000 * USEC_PER_SEC;
static const struct decide_flags flags = {.tolerance = 0.1, .downscale_stabilization = 300 * USEC_PER_SEC};
static const struct policy_spec plain = {.min_replicas = 1, .max_replicas = 20};
static const struct scaling_policy four = {SCALING_PODS, 4, 60};
static const struct policy_spec behaved = {
    .min_replicas = 1,
    .max_replicas = 20,
    .has_behavior = true,
    .up = {.window_seconds = 0, .policy_count = 1, .policies = &four},
    .down = {.window_seconds = 120, .policy_count = 1, .policies = &four},
};

static usec_t ago(int seconds) {
    return now - seconds * USEC_PER_SEC;
}

/* What is left of a raw recommendation after stabilization, at present 10 replicas. */
static int32_t stabilized(struct history *history, const struct policy_spec *spec, int32_t raw, usec_t at) {
    struct stabilized s;

    if (spec->has_behavior)
        stabilize_behavior(history, stabilize_windows(spec, &flags), 10, raw, at, &s);
    else
        stabilize_plain(history, raw, at, flags.downscale_stabilization, &s);
    return s.replicas;
}

static void rebuild(struct history *history, const struct policy_spec *spec,
                    const struct policy_status *status, const struct past_rescale *past, uint32_t count) {
    const struct rebuild_input in = {.now = now,
                                     .spec = spec,
                                     .status = status,
                                     .flags = &flags,
                                     .past = past,
                                     .count = count,
                                     .current = 10};
    *history = (struct history){0};
    history_rebuild(history, &in);
}

static void test_nothing_known(void **state) {
    const struct policy_status never = {.proposed = -1};
    struct history h;
    (void)state;
    rebuild(&h, &plain, &never, NULL, 0);
    assert_false(h.has_recommendations);
    assert_int_equal(h.recommendations.count, 0);
}

/* Held since 200 s of a window of 300 s: 100 s more, no less and no more. */
static void test_window_goes_on(void **state) {
    const struct policy_spec *specs[] = {&plain, &behaved};
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct policy_status status = {.observed_generation = 1,
                                             .desired_replicas = 10,
                                             .proposed = 4,
                                             .decided_at = ago(200),
                                             .held_until = now + 100 * USEC_PER_SEC};
        struct history h;
        rebuild(&h, specs[i], &status, NULL, 0);
        assert_int_equal(stabilized(&h, specs[i], 4, now), 10);
        assert_int_equal(stabilized(&h, specs[i], 4, now + 99 * USEC_PER_SEC), 10);
        assert_int_equal(stabilized(&h, specs[i], 4, now + 101 * USEC_PER_SEC), 4);
        history_done(&h);
    }
}

/* A formula asks for less than the largest proposal: the window is the one that the condition names. */
static void test_window_that_the_condition_names(void **state) {
    struct condition able = {.type = "AbleToScale", .reason = "ScaleDownStabilized"};
    const struct policy_status status = {.observed_generation = 1,
                                         .desired_replicas = 10,
                                         .proposed = 12,
                                         .held_until = now + 100 * USEC_PER_SEC,
                                         .condition_count = 1,
                                         .conditions = &able};
    struct history h;
    (void)state;
    rebuild(&h, &behaved, &status, NULL, 0);
    assert_int_equal(stabilized(&h, &behaved, 4, now + 99 * USEC_PER_SEC), 10);
    assert_int_equal(stabilized(&h, &behaved, 4, now + 101 * USEC_PER_SEC), 4);
    history_done(&h);
    able.reason = "ScaleUpStabilized"; /* that window is 0 s long here */
    rebuild(&h, &behaved, &status, NULL, 0);
    assert_int_equal(h.recommendations.items[0].at, now); /* not later, whatever the status says */
    history_done(&h);
}

/* The operator was away for longer than the window. */
static void test_window_ran_out_meanwhile(void **state) {
    const struct policy_status status = {
        .observed_generation = 1, .desired_replicas = 10, .proposed = 4, .held_until = ago(5)};
    struct history h;
    (void)state;
    rebuild(&h, &plain, &status, NULL, 0);
    assert_int_equal(stabilized(&h, &plain, 4, now), 4);
    history_done(&h);
}

/* Nothing was held back: the present number was wanted until the stop, and what falls now waits as always. */
static void test_steady_before(void **state) {
    const struct policy_status status = {
        .observed_generation = 1, .desired_replicas = 10, .proposed = 10, .decided_at = ago(7200)};
    struct history h;
    (void)state;
    rebuild(&h, &plain, &status, NULL, 0);
    assert_int_equal(stabilized(&h, &plain, 4, now), 10);
    assert_int_equal(stabilized(&h, &plain, 4, now + 301 * USEC_PER_SEC), 4);
    history_done(&h);
}

/* A rescale of a minute ago still counts against the rate; up and down by the sizes in a row. */
static void test_rate_is_kept(void **state) {
    const struct past_rescale past[] = {{ago(100), 8, -1}, {ago(50), 11, -1}, {ago(20), 10, -1}};
    const struct policy_status status = {
        .observed_generation = 1, .desired_replicas = 10, .proposed = 10, .last_scale_time = ago(20)};
    struct history h;
    (void)state;
    rebuild(&h, &behaved, &status, past, 3);
    assert_int_equal(h.up_events.count, 1);
    assert_int_equal(h.up_events.items[0].value, 3);
    assert_int_equal(h.down_events.count, 1);
    assert_int_equal(h.down_events.items[0].value, 1);
    assert_int_equal(behavior_limit_up(&behaved.up, &h, 10, now), 10 - 3 + 1 + 4);
    assert_int_equal(stabilized(&h, &behaved, 5, now), 10);
    history_done(&h);
    rebuild(&h, &plain, &status, past, 3);
    assert_int_equal(h.up_events.count, 0); /* without behavior HPA keeps none */
    assert_int_equal(h.recommendations.count, 4);
    history_done(&h);
}

/* An event that got lost: status.lastScaleTime stands for it. */
static void test_last_rescale_from_status(void **state) {
    const struct past_rescale past[] = {{ago(50), 6, 2}};
    const struct policy_status status = {
        .observed_generation = 1, .desired_replicas = 10, .proposed = 10, .last_scale_time = ago(10)};
    struct history h;
    (void)state;
    rebuild(&h, &behaved, &status, past, 1);
    assert_int_equal(h.up_events.count, 2);
    assert_int_equal(h.up_events.items[0].value, 4); /* from 2, as the event says */
    assert_int_equal(h.up_events.items[1].value, 4);
    assert_int_equal(h.up_events.items[1].at, ago(10));
    history_done(&h);
}

/* A clock that was wrong, or an event by somebody's hand: it counts as of now, and not until its time comes.
 */
static void test_past_of_the_future(void **state) {
    const struct policy_status status = {
        .observed_generation = 1, .desired_replicas = 14, .last_scale_time = ago(-90000)};
    const struct past_rescale later = {.at = ago(-86400), .size = 14, .from = 6};
    struct history h;
    (void)state;
    rebuild(&h, &behaved, &status, &later, 1);
    for (uint32_t i = 0; i < h.recommendations.count; i++)
        assert_true(h.recommendations.items[i].at <= now);
    assert_int_equal(h.up_events.count, 1);
    assert_int_equal(h.up_events.items[0].at, now);
    assert_int_equal(stabilized(&h, &behaved, 4, now + 119 * USEC_PER_SEC), 10);
    assert_int_equal(stabilized(&h, &behaved, 4, now + 121 * USEC_PER_SEC), 4);
    history_done(&h);
}

static void test_messages(void **state) {
    int32_t size = -7;
    (void)state;
    assert_int_equal(past_rescale_parse("New size: 12; reason: All metrics below target", &size), 0);
    assert_int_equal(size, 12);
    assert_int_equal(past_rescale_parse("New size: 0; reason: x", &size), 0);
    assert_int_equal(size, 0);
    const char *bad[] = {"",
                         "New size: ",
                         "New size: ; reason: x",
                         "New size: 12",
                         "New size: -1; reason: x",
                         "New size: 99999999999; reason: x",
                         "New size: 2147483648; reason: x",
                         "Old size: 3;"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(past_rescale_parse(bad[i], &size), -EINVAL);
    assert_int_equal(size, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_known),
        cmocka_unit_test(test_window_goes_on),
        cmocka_unit_test(test_window_that_the_condition_names),
        cmocka_unit_test(test_window_ran_out_meanwhile),
        cmocka_unit_test(test_steady_before),
        cmocka_unit_test(test_rate_is_kept),
        cmocka_unit_test(test_last_rescale_from_status),
        cmocka_unit_test(test_past_of_the_future),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
