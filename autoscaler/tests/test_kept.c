/* What the shell keeps of each policy's decisions: what was written, what was refused, and nothing of a
 * policy that is gone. */
#include "autoscaler/tests/shell_world.h"
#include "base/str.h"
#include <string.h>

/* The index-th kept decision of default/web as JSON; new reference, NULL: there is none. */
static json_t *kept(uint32_t index) {
    struct autoscaler_policy policy;
    struct recordlog_item item;
    cleanup_arena struct arena arena;

    arena_init(&arena, 0);
    if (!autoscaler_policy(w.autoscaler, "default", "web", &policy) ||
        !recordlog_get(policy.log, index, &arena, &item))
        return NULL;
    return record_json(item.record);
}

static bool kept_with(const char *field, json_int_t wanted) {
    bool found = false;
    json_t *o;

    for (uint32_t i = 0; !found && (o = kept(i)) != NULL; i++) {
        const json_t *value = json_object_get(o, field);
        found = json_is_boolean(value) ? json_is_true(value) == wanted : json_integer_value(value) == wanted;
        json_decref(o);
    }
    return found;
}

static size_t record_bytes(void) {
    struct autoscaler_stats stats;

    autoscaler_stats(w.autoscaler, &stats);
    return stats.record_bytes;
}

static void begin(void) {
    world_begin(0, FAULT_NONE);
    world_sync_all();
    world_set_workload(1);
    world_set_policy(w.document);
    world_set_value(200);
}

static void scale_up(void) {
    begin();
    TURN_UNTIL(w.workload->spec_replicas == 2 && str_eq(decided("reason"), "WithinTolerance"));
}

static void what_was_written_is_kept(void **state) {
    (void)state;
    scale_up();
    assert_true(kept_with("desiredReplicas", 2) && kept_with("currentReplicas", 1));
    assert_false(kept_with("writeFailed", true));
    assert_true(record_bytes() > 100);
    world_end();
}

static void a_write_that_failed_is_kept(void **state) {
    (void)state;
    begin();
    w.forbidden = "/scale";
    TURN_UNTIL(kept_with("writeFailed", true));
    assert_true(kept_with("desiredReplicas", 2));
    w.forbidden = NULL;
    TURN_UNTIL(kept_with("currentReplicas", 2));
    assert_true(kept_with("writeFailed", true)); /* it is still among them */
    world_end();
}

static void nothing_is_kept_of_what_is_gone(void **state) {
    struct autoscaler_policy policy;

    (void)state;
    scale_up();
    assert_false(autoscaler_policy(w.autoscaler, "default", "api", &policy));
    assert_false(autoscaler_policy(w.autoscaler, "other", "web", &policy));
    world_delete_policy(w.document);
    assert_false(autoscaler_policy(w.autoscaler, "default", "web", &policy));
    turn_for(50 * USEC_PER_MSEC);
    assert_int_equal(record_bytes(), 0);
    world_end();
}

static void a_policy_that_cannot_be_used_says_so(void **state) {
    struct autoscaler_policy policy;

    (void)state;
    scale_up();
    json_object_set_new(json_object_get(w.document, "spec"), "maxReplicas", json_integer(-1));
    world_set_policy(w.document);
    assert_true(autoscaler_policy(w.autoscaler, "default", "web", &policy));
    assert_non_null(strstr(policy.invalid, "spec.maxReplicas"));
    assert_non_null(policy.log); /* what was decided before is still told */
    world_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_kept),
        cmocka_unit_test(a_write_that_failed_is_kept),
        cmocka_unit_test(nothing_is_kept_of_what_is_gone),
        cmocka_unit_test(a_policy_that_cannot_be_used_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
