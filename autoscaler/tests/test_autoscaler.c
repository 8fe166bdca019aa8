/* The shell against a small world of its own. Every scenario is run again with each of its requests answered
 * wrongly once; the end must be the same. */
#include "autoscaler/tests/shell_world.h"

#include <string.h>

static const char *targets(void) {
    return str_or_empty(json_string_value(json_object_get(json_object_get(w.document, "status"), "targets")));
}

/* Two replicas at exactly their target. */
static void begin_steady(void) {
    world_begin(0, FAULT_NONE);
    world_sync_all();
    world_set_workload(2);
    world_set_policy(w.document);
    world_set_value(200);
    TURN_UNTIL(str_eq(decided("reason"), "WithinTolerance"));
}

/* Load comes, the workload grows in HPA's default steps; load goes, it shrinks. Returns how many requests
 * that took. */
static int grow_and_shrink(int fault_at, enum fault fault) {
    world_begin(fault_at, fault);
    world_sync_all();
    world_set_workload(1);
    world_set_policy(w.document);
    world_set_value(350);
    TURN_UNTIL(w.workload->spec_replicas == 4);
    TURN_UNTIL(shown("desiredReplicas") == 4 && str_eq(decided("reason"), "WithinTolerance"));
    world_set_value(0);
    TURN_UNTIL(w.workload->spec_replicas == 1);
    TURN_UNTIL(shown("desiredReplicas") == 1 && shown("currentReplicas") == 1);
    turn_for(100 * USEC_PER_MSEC);
    int requests = w.requests;
    assert_int_equal(w.workload->spec_replicas, 1);
    world_end();
    return requests;
}

static void test_grow_and_shrink(void **state) {
    (void)state;
    assert_true(grow_and_shrink(0, FAULT_NONE) >= 6);
}

/* The same with each request answered wrongly once, in every way. */
static void test_every_fault(void **state) {
    (void)state;
    for (enum fault f = FAULT_LOST; f < FAULTS; f++)
        for (int n = 1; n <= 7; n++)
            grow_and_shrink(n, f);
}

static void test_nothing_before_lists(void **state) {
    (void)state;
    world_begin(0, FAULT_NONE);
    world_set_workload(1);
    world_set_policy(w.document);
    world_set_value(1000);
    turn_for(100 * USEC_PER_MSEC);
    assert_int_equal(w.scale_patches + w.status_patches, 0);
    w.policies.synced = true;
    world_set_value(1000);
    turn_for(100 * USEC_PER_MSEC);
    assert_int_equal(w.scale_patches, 0); /* the deployments are not in yet */
    world_sync_all();
    TURN_UNTIL(w.workload->spec_replicas > 1);
    world_end();
}

/* Somebody scales by hand and the watch has not told us: our patch is refused, and decided again from what is
 * there. */
static void test_foreign_change_is_not_overwritten(void **state) {
    (void)state;
    begin_steady();
    w.mute = true;
    world_set_workload(3);
    world_set_value(300);
    TURN_UNTIL(w.scale_patches == 1);
    turn_for(100 * USEC_PER_MSEC);
    assert_int_equal(w.workload->spec_replicas, 3);
    assert_int_equal(w.scale_patches, 1); /* 3 is what we wanted, and it is there already */
    world_end();
}

static void test_missing_target_heals(void **state) {
    (void)state;
    world_begin(0, FAULT_NONE);
    world_sync_all();
    world_set_policy(w.document);
    world_set_value(300);
    TURN_UNTIL(str_eq(decided("reason"), "TargetMissing"));
    assert_non_null(strstr(decided("message"), "deployments.apps \"web\" not found"));
    assert_int_equal(w.scale_patches, 0);
    assert_true(w.events >= 1);
    world_set_workload(1);
    TURN_UNTIL(w.workload->spec_replicas == 3);
    world_end();
}

/* The scale of a custom kind is asked for; one answer that says no is not for good. */
static void test_unreadable_scale_heals(void **state) {
    (void)state;
    world_begin(0, FAULT_NONE);
    w.custom_kind = true;
    w.forbidden = "/scale";
    world_sync_all();
    world_set_workload(1);
    world_set_policy(w.document);
    world_set_value(300);
    TURN_UNTIL(str_eq(decided("reason"), "TargetMissing"));
    int before = w.requests;
    for (int i = 0; i < 10; i++) {
        world_set_value(300);
        turn_for(100 * USEC_PER_MSEC);
    }
    assert_in_range(w.requests - before, 2, 8); /* not with every sample */
    w.forbidden = NULL;
    TURN_UNTIL(w.workload->spec_replicas == 3 || (world_set_value(300), false));
    world_end();
}

/* Each version of a custom object costs one request. */
static void test_scale_is_read_once_a_version(void **state) {
    struct autoscaler_stats before, after;
    (void)state;
    world_begin(0, FAULT_NONE);
    w.custom_kind = true;
    world_sync_all();
    world_set_workload(2);
    world_set_policy(w.document);
    world_set_value(200);
    TURN_UNTIL(str_eq(decided("reason"), "WithinTolerance"));
    autoscaler_stats(w.autoscaler, &before);
    world_set_workload(2);
    turn_for(200 * USEC_PER_MSEC);
    autoscaler_stats(w.autoscaler, &after);
    assert_int_equal(after.scale_reads - before.scale_reads, 1);
    world_end();
}

static void test_failed_metric_holds(void **state) {
    (void)state;
    world_begin(0, FAULT_NONE);
    world_sync_all();
    world_set_workload(5);
    world_set_policy(w.document);
    w.sample = (struct sample){.quality = QUALITY_FAILED, .message = "connection refused", .warning = ""};
    TURN_UNTIL(str_eq(decided("reason"), "MetricFailed"));
    assert_int_equal(w.workload->spec_replicas, 5);
    world_set_value(0);
    TURN_UNTIL(w.workload->spec_replicas == 1);
    world_end();
}

/* A server may answer in any encoding; its words are lost then, and not what there is to say. */
static void test_event_of_a_text_that_is_not_utf8(void **state) {
    const json_t *event;
    bool told = false;
    size_t i;
    (void)state;
    world_begin(0, FAULT_NONE);
    world_sync_all();
    world_set_workload(5);
    world_set_policy(w.document);
    w.sample = (struct sample){.quality = QUALITY_FAILED, .message = "d\xe9lai", .warning = ""};
    TURN_UNTIL(str_eq(decided("reason"), "MetricFailed"));
    json_array_foreach(w.events_held, i, event) {
        told |= str_eq(json_string_value(json_object_get(event, "reason")), "FailedGetPrometheusMetric");
    }
    assert_true(told);
    world_end();
}

static void test_steady_state_writes_nothing(void **state) {
    (void)state;
    begin_steady();
    turn_for(100 * USEC_PER_MSEC);
    int before = w.requests;
    for (int i = 0; i < 5; i++) {
        world_set_value(200);
        turn_for(60 * USEC_PER_MSEC);
    }
    assert_int_equal(w.requests, before);
    world_end();
}

/* A value that wanders by less than a hundredth of its target is no news; one that moves further is. */
static void test_noise_is_not_written(void **state) {
    (void)state;
    begin_steady();
    turn_for(150 * USEC_PER_MSEC);
    int before = w.requests;
    for (int i = 1; i <= 4; i++) {
        world_set_value(200 + (i % 2 ? 0.5 : -0.5) * i);
        turn_for(120 * USEC_PER_MSEC);
    }
    assert_int_equal(w.requests, before);
    world_set_value(206);
    TURN_UNTIL(w.requests > before);
    world_end();
}

/* A value whose write was refused has not been shown: it is written later, though it does not move again. */
static void test_value_is_written_after_a_refusal(void **state) {
    (void)state;
    begin_steady();
    turn_for(150 * USEC_PER_MSEC);
    int before = w.requests;
    w.fault = FAULT_SERVER;
    w.fault_at = before + 1;
    world_set_value(206);
    TURN_UNTIL(w.requests > before);
    TURN_UNTIL(str_eq(targets(), "103/100"));
    world_end();
}

/* Another spec, as a person's edit makes it. */
static void edit(const char *field, int value) {
    json_t *metadata = json_object_get(w.document, "metadata");
    json_int_t generation = json_integer_value(json_object_get(metadata, "generation"));

    json_object_set_new(json_object_get(w.document, "spec"), field, json_integer(value));
    json_object_set_new(metadata, "generation", json_integer(generation + 1));
    world_set_policy(w.document);
}

static bool is_observed(void) {
    return json_equal(json_object_get(json_object_get(w.document, "metadata"), "generation"),
                      json_object_get(json_object_get(w.document, "status"), "observedGeneration"));
}

static void set_behavior(const char *json) {
    json_object_set_new(json_object_get(w.document, "spec"), "behavior", json_loads(json, 0, NULL));
}

static void wait_for_decisions(void) {
    struct autoscaler_stats stats;

    autoscaler_stats(w.autoscaler, &stats);
    for (uint64_t before = stats.decisions; stats.decisions < before + 2;
         autoscaler_stats(w.autoscaler, &stats)) {
        world_set_value(w.sample.value);
        turn_for(20 * USEC_PER_MSEC);
    }
}

/* A start in the middle of a stabilization window: nothing shrinks at once, and the window ends when it would
 * have ended. */
static void test_restart_keeps_the_window(void **state) {
    char until[64];
    (void)state;
    world_begin(0, FAULT_NONE);
    set_behavior("{\"scaleDown\":{\"stabilizationWindowSeconds\":300}}");
    world_sync_all();
    world_set_workload(2);
    world_set_policy(w.document);
    world_set_value(200);
    TURN_UNTIL(str_eq(decided("reason"), "WithinTolerance"));
    world_set_value(100);
    TURN_UNTIL(str_eq(decided("reason"), "Stabilized"));
    snprintf(until, sizeof(until), "%s", decided("heldUntil"));
    turn_for(1100 * USEC_PER_MSEC); /* a new window would end a second later, and say so */
    world_restart();
    wait_for_decisions();
    turn_for(100 * USEC_PER_MSEC);
    assert_int_equal(w.scale_patches, 0);
    assert_string_equal(decided("reason"), "Stabilized");
    assert_string_equal(decided("heldUntil"), until);
    assert_string_not_equal(until, "");
    world_end();
}

/* What was added before the start counts against what may be added in a period. */
static void restart_and_keep_the_rate(enum fault fault) {
    world_begin(0, fault);
    set_behavior("{\"scaleUp\":{\"policies\":[{\"type\":\"Pods\",\"value\":2,\"periodSeconds\":600}]}}");
    world_sync_all();
    world_set_workload(1);
    world_set_policy(w.document);
    world_set_value(900);
    TURN_UNTIL(w.workload->spec_replicas == 3);
    TURN_UNTIL(str_eq(decided("reason"), "RateLimited"));
    w.fault_at = w.requests + 1; /* the list of events */
    world_restart();
    wait_for_decisions();
    turn_for(100 * USEC_PER_MSEC);
    assert_int_equal(w.workload->spec_replicas, 3);
    world_end();
}

static void test_restart_keeps_the_rate(void **state) {
    (void)state;
    restart_and_keep_the_rate(FAULT_LOST);
    restart_and_keep_the_rate(FAULT_SERVER);
    restart_and_keep_the_rate(FAULT_GARBAGE);
}

/* Events may be forbidden: then the window is still known from the status. */
static void test_start_without_events(void **state) {
    (void)state;
    world_begin(0, FAULT_NONE);
    w.forbidden = "/events";
    world_sync_all();
    world_set_workload(1);
    world_set_policy(w.document);
    world_set_value(300);
    world_restart();
    TURN_UNTIL(w.workload->spec_replicas == 3);
    world_end();
}

/* Who put the workload to 0 is remembered by a condition alone: a spec that cannot be used for a while must
 * not lose it, or the workload would never wake again. */
static void test_invalid_spec_keeps_zero(void **state) {
    (void)state;
    world_begin(0, FAULT_NONE);
    json_object_set_new(json_object_get(w.document, "spec"), "minReplicas", json_integer(0));
    world_sync_all();
    world_set_workload(1);
    world_set_policy(w.document);
    world_set_value(0);
    TURN_UNTIL(*condition_message(w.document, "ScaledToZero"));
    edit("maxReplicas", -1);
    TURN_UNTIL(!*decided("reason"));
    edit("minReplicas", 0); /* the mistake stays, in a spec of another generation */
    TURN_UNTIL(is_observed());
    edit("maxReplicas", 10);
    world_set_value(100);
    TURN_UNTIL(w.workload->spec_replicas == 1);
    world_end();
}

static void test_deleted_policy_stops(void **state) {
    (void)state;
    begin_steady();
    world_delete_policy(w.document);
    turn_for(50 * USEC_PER_MSEC);
    assert_null(w.subscribers[0].changed);
    assert_null(w.workloads.fn); /* the last user of the kind is gone */
    world_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow_and_shrink),
        cmocka_unit_test(test_every_fault),
        cmocka_unit_test(test_nothing_before_lists),
        cmocka_unit_test(test_foreign_change_is_not_overwritten),
        cmocka_unit_test(test_missing_target_heals),
        cmocka_unit_test(test_unreadable_scale_heals),
        cmocka_unit_test(test_scale_is_read_once_a_version),
        cmocka_unit_test(test_failed_metric_holds),
        cmocka_unit_test(test_event_of_a_text_that_is_not_utf8),
        cmocka_unit_test(test_steady_state_writes_nothing),
        cmocka_unit_test(test_noise_is_not_written),
        cmocka_unit_test(test_value_is_written_after_a_refusal),
        cmocka_unit_test(test_restart_keeps_the_window),
        cmocka_unit_test(test_restart_keeps_the_rate),
        cmocka_unit_test(test_start_without_events),
        cmocka_unit_test(test_invalid_spec_keeps_zero),
        cmocka_unit_test(test_deleted_policy_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
