/* Several writers on one workload: who acts, what the others say, when they begin; and taking over from an
 * HPA. */
#include "autoscaler/tests/shell_world.h"

#include "base/str.h"
#include <errno.h>
#include <string.h>

/* Load for 4 replicas where there is 1, and a policy that does not act on it. */
static void begin_beside_hpa(int fault_at, enum fault fault) {
    world_begin(fault_at, fault);
    world_sync_all();
    world_set_workload(1);
    world_set_hpa("h-1", "web");
}

static bool in_conflict_with(const json_t *document, const char *text) {
    return strstr(condition_message(document, "Conflict"), text) != NULL;
}

static void test_hpa_comes_first(void **state) {
    (void)state;
    begin_beside_hpa(0, FAULT_NONE);
    world_set_policy(w.document);
    world_set_value(350);
    TURN_UNTIL(in_conflict_with(w.document, "HorizontalPodAutoscaler web"));
    assert_string_equal(decided("reason"), "Conflict");
    turn_for(150 * USEC_PER_MSEC);
    assert_int_equal(w.scale_patches, 0);
    world_delete_hpa();
    TURN_UNTIL(w.workload->spec_replicas == 4);
    TURN_UNTIL(!*condition_message(w.document, "Conflict"));
    world_end();
}

static void test_hpa_turns_elsewhere_and_back(void **state) {
    (void)state;
    begin_beside_hpa(0, FAULT_NONE);
    world_set_policy(w.document);
    world_set_value(350);
    TURN_UNTIL(in_conflict_with(w.document, "HorizontalPodAutoscaler web"));
    world_set_hpa("h-1", "other");
    TURN_UNTIL(w.workload->spec_replicas == 4);
    world_set_hpa("h-1", "web");
    int before = w.scale_patches;
    world_set_value(900);
    TURN_UNTIL(in_conflict_with(w.document, "HorizontalPodAutoscaler web"));
    turn_for(150 * USEC_PER_MSEC);
    assert_int_equal(w.scale_patches, before);
    world_end();
}

/* Nothing is written before the HPAs are known; where they may not be read there is nothing to wait for. */
static void test_hpas_out_of_reach(void **state) {
    (void)state;
    begin_beside_hpa(0, FAULT_NONE);
    w.hpas.synced = false;
    err_set(&w.hpas.err, -EAGAIN, "the server is busy");
    world_set_policy(w.document);
    world_set_value(350);
    turn_for(150 * USEC_PER_MSEC);
    assert_int_equal(w.scale_patches + w.status_patches, 0);
    world_delete_hpa();
    err_set(&w.hpas.err, -EACCES, "horizontalpodautoscalers is forbidden");
    world_set_value(350);
    TURN_UNTIL(w.workload->spec_replicas == 4);
    world_end();
}

/* "web" is of 8 o'clock, "second" one hour younger. */
static void make_second(void) {
    json_t *web = json_object_get(w.document, "metadata");

    json_object_set_new(web, "creationTimestamp", json_string("2026-11-22T08:00:00Z"));
    w.second = json_deep_copy(w.document);
    json_t *second = json_object_get(w.second, "metadata");
    json_object_set_new(second, "name", json_string("second"));
    json_object_set_new(second, "uid", json_string("p-2"));
    json_object_set_new(second, "creationTimestamp", json_string("2026-11-22T09:00:00Z"));
}

static void set_spec(json_t *document, const char *key, json_t *value) {
    json_t *generation = json_object_get(json_object_get(document, "metadata"), "generation");

    json_integer_set(generation, json_integer_value(generation) + 1);
    json_object_set_new(json_object_get(document, "spec"), key, value);
    world_set_policy(document);
}

static void test_older_policy_comes_first(void **state) {
    (void)state;
    world_begin(0, FAULT_NONE);
    make_second();
    set_spec(w.second, "maxReplicas", json_integer(2));
    world_set_policy(w.document);
    world_sync_all();
    world_set_workload(1);
    world_set_value(350);
    TURN_UNTIL(w.workload->spec_replicas == 4);
    TURN_UNTIL(in_conflict_with(w.second, "AutoscalingPolicy default/web"));
    assert_string_equal(condition_message(w.document, "Conflict"), "");
    world_delete_policy(w.document);
    TURN_UNTIL(w.workload->spec_replicas == 2);
    world_end();
}

/* A paused policy keeps its target; one in Preview leaves it to others. */
static void test_pause_and_preview(void **state) {
    (void)state;
    world_begin(0, FAULT_NONE);
    make_second();
    world_sync_all();
    world_set_workload(1);
    set_spec(w.document, "pause", json_object());
    world_set_policy(w.second);
    world_set_value(350);
    TURN_UNTIL(in_conflict_with(w.second, "AutoscalingPolicy default/web"));
    turn_for(150 * USEC_PER_MSEC);
    assert_int_equal(w.scale_patches, 0);
    set_spec(w.document, "mode", json_string("Preview"));
    TURN_UNTIL(w.workload->spec_replicas == 4);
    assert_string_equal(condition_message(w.document, "Conflict"), "");
    world_end();
}

/* A zone that the system does not know is found out late; then, too, the policy is in nobody's way. */
static void test_unknown_zone(void **state) {
    (void)state;
    world_begin(0, FAULT_NONE);
    make_second();
    world_sync_all();
    world_set_workload(1);
    set_spec(w.document, "schedules",
             json_pack("[{s:s, s:s, s:s, s:s, s:i}]", "name", "day", "timeZone", "Nowhere/Land", "start",
                       "0 8 * * *", "end", "0 18 * * *", "minReplicas", 3));
    world_set_policy(w.second);
    world_set_value(350);
    TURN_UNTIL(w.workload->spec_replicas == 4);
    assert_string_equal(condition_message(w.second, "Conflict"), "");
    json_object_del(json_object_get(w.document, "spec"), "schedules");
    set_spec(w.document, "maxReplicas", json_integer(9));
    TURN_UNTIL(in_conflict_with(w.second, "AutoscalingPolicy default/web"));
    world_end();
}

/* ---- taking over ---- */

static json_t *annotations(void) {
    json_t *metadata = json_object_get(w.document, "metadata");

    if (!json_object_get(metadata, "annotations"))
        json_object_set_new(metadata, "annotations", json_object());
    return json_object_get(metadata, "annotations");
}

static void ask_to_take_over(void) {
    json_object_set_new(annotations(), "autoscaling.trimtab.dev/take-over-from", json_string("web"));
    world_set_policy(w.document);
}

static const char *taken_over(const char *suffix) {
    char key[64];

    snprintf(key, sizeof(key), "autoscaling.trimtab.dev/taken-over%s", suffix);
    return str_or_empty(json_string_value(json_object_get(annotations(), key)));
}

static unsigned events_of(const char *reason) {
    unsigned count = 0;
    size_t i;
    json_t *event;

    json_array_foreach(w.events_held, i, event) {
        if (str_eq(json_string_value(json_object_get(event, "reason")), reason))
            count++;
    }
    return count;
}

/* It acts, and says once that it took over. */
static void took_over_once(void) {
    TURN_UNTIL(w.workload->spec_replicas == 4);
    TURN_UNTIL(events_of("TookOver") > 0);
    turn_for(50 * USEC_PER_MSEC);
    assert_int_equal(events_of("TookOver"), 1);
}

/* The watch tells of the deletion before its answer is in, or only after it: it is told once. */
static void test_tells_that_it_took_over(void **state) {
    (void)state;
    for (int mute = 0; mute <= 1; mute++) {
        begin_beside_hpa(0, FAULT_NONE);
        w.hpa_mute = mute;
        world_set_value(350);
        ask_to_take_over();
        took_over_once();
        world_end();
    }
}

/* The HPA was deleted, and only the answer was lost: told all the same. */
static void test_tells_though_the_answer_was_lost(void **state) {
    (void)state;
    for (int n = 2; n <= 6; n++) {
        begin_beside_hpa(n, FAULT_LOST_AFTER);
        w.hpa_mute = true; /* the watch is cut off together with it */
        world_set_value(350);
        ask_to_take_over();
        TURN_UNTIL(!w.hpa);
        turn_for(50 * USEC_PER_MSEC);
        w.hpa_mute = false;
        world_show_hpa();
        took_over_once();
        world_end();
    }
}

/* One that turns to another target while it waits to be gone is in nobody's way, and still there. */
static void test_does_not_tell_of_one_that_is_there(void **state) {
    (void)state;
    begin_beside_hpa(0, FAULT_NONE);
    w.hpa_lingers = true;
    world_set_value(350);
    ask_to_take_over();
    TURN_UNTIL(in_conflict_with(w.document, "waits for its finalizers"));
    world_set_hpa("h-1", "other");
    TURN_UNTIL(w.workload->spec_replicas == 4);
    turn_for(50 * USEC_PER_MSEC);
    assert_int_equal(events_of("TookOver"), 0);
    world_end();
}

/* With a watch that says nothing of the deletion: the policy begins by itself. */
static void test_takes_over(void **state) {
    (void)state;
    begin_beside_hpa(0, FAULT_NONE);
    w.sample = (struct sample){.quality = QUALITY_FAILED, .message = "refused", .warning = ""};
    ask_to_take_over();
    TURN_UNTIL(
        in_conflict_with(w.document, "taking over from HorizontalPodAutoscaler web: waiting for metrics"));
    turn_for(100 * USEC_PER_MSEC);
    assert_non_null(w.hpa);
    assert_int_equal(w.scale_patches, 0);
    w.hpa_mute = true;
    world_set_value(350);
    TURN_UNTIL(w.workload->spec_replicas == 4);
    assert_null(w.hpa);
    TURN_UNTIL(!*condition_message(w.document, "Conflict"));
    assert_string_equal(taken_over("-uid"), "h-1");
    assert_string_equal(
        taken_over(""),
        "{\"apiVersion\":\"autoscaling/v2\",\"kind\":\"HorizontalPodAutoscaler\",\"metadata\":{"
        "\"name\":\"web\",\"namespace\":\"default\",\"annotations\":{\"team\":\"shop\"}},"
        "\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\","
        "\"name\":\"web\"},\"maxReplicas\":7}}");
    world_end();
}

/* What the watch still has to say of the deleted HPA does not stop the policy. */
static void test_late_news_of_the_hpa(void **state) {
    (void)state;
    begin_beside_hpa(0, FAULT_NONE);
    world_set_value(350);
    w.hpa_mute = true;
    ask_to_take_over();
    TURN_UNTIL(w.workload->spec_replicas == 4);
    world_set_hpa("h-1", "web"); /* its last status, say */
    world_show_hpa();
    world_set_value(500);
    TURN_UNTIL(w.workload->spec_replicas == 5);
    world_end();
}

/* Each request of it answered wrongly once: at no time do both or none act, and in the end the policy does.
 */
static void test_takes_over_in_spite_of(void **state) {
    (void)state;
    for (enum fault f = FAULT_LOST; f < FAULTS; f++)
        for (int n = 2; n <= 6; n++) {
            begin_beside_hpa(n, f);
            world_set_value(350);
            ask_to_take_over();
            TURN_UNTIL(w.workload->spec_replicas == 4);
            assert_null(w.hpa);
            assert_int_equal(w.patches_beside_hpa, 0);
            assert_string_equal(taken_over("-uid"), "h-1");
            world_end();
        }
}

static void expect_refused(const char *path, const char *text) {
    begin_beside_hpa(0, FAULT_NONE);
    w.forbidden = path;
    world_set_value(350);
    ask_to_take_over();
    TURN_UNTIL(in_conflict_with(w.document, text));
    turn_for(100 * USEC_PER_MSEC);
    assert_non_null(w.hpa);
    assert_int_equal(w.scale_patches, 0);
    w.forbidden = NULL;
    TURN_UNTIL(w.workload->spec_replicas == 4); /* once the right is given */
    world_end();
}

static void test_without_the_right(void **state) {
    (void)state;
    expect_refused("/horizontalpodautoscalers/", "reading it: it is forbidden");
}

/* One that was made again is how a person goes back: it is not deleted a second time. */
static void test_created_again(void **state) {
    (void)state;
    begin_beside_hpa(0, FAULT_NONE);
    world_set_value(350);
    ask_to_take_over();
    TURN_UNTIL(w.workload->spec_replicas == 4);
    world_set_hpa("h-2", "web");
    TURN_UNTIL(in_conflict_with(w.document, "was taken over and has been created again"));
    int before = w.scale_patches;
    world_set_value(900);
    turn_for(200 * USEC_PER_MSEC);
    assert_int_equal(w.hpa_deletes, 1);
    assert_int_equal(w.scale_patches, before);
    world_end();
}

/* It goes on scaling until it is really gone. */
static void test_finalizers(void **state) {
    (void)state;
    begin_beside_hpa(0, FAULT_NONE);
    w.hpa_lingers = true;
    world_set_value(350);
    ask_to_take_over();
    TURN_UNTIL(in_conflict_with(w.document, "waits for its finalizers"));
    turn_for(100 * USEC_PER_MSEC);
    assert_int_equal(w.scale_patches, 0);
    world_delete_hpa();
    TURN_UNTIL(w.workload->spec_replicas == 4);
    TURN_UNTIL(events_of("TookOver") == 1);
    world_end();
}

/* Another HPA than the one named is nothing to take over from. */
static void test_another_hpa(void **state) {
    (void)state;
    begin_beside_hpa(0, FAULT_NONE);
    world_set_value(350);
    json_object_set_new(annotations(), "autoscaling.trimtab.dev/take-over-from", json_string("api"));
    world_set_policy(w.document);
    TURN_UNTIL(in_conflict_with(w.document, "HorizontalPodAutoscaler web scales"));
    turn_for(100 * USEC_PER_MSEC);
    assert_int_equal(w.hpa_deletes, 0);
    world_end();
}

/* Whoever takes the wish back while the HPA is being asked for keeps it, though nothing is decided before new
 * samples are in. */
static void test_taken_back(void **state) {
    (void)state;
    begin_beside_hpa(0, FAULT_NONE);
    world_set_value(350);
    ask_to_take_over();
    TURN_UNTIL(*taken_over("")); /* served, and its answer, which leads to the deletion, is on its way */
    w.sample = (struct sample){.quality = QUALITY_PENDING, .message = "", .warning = ""};
    json_object_del(annotations(), "autoscaling.trimtab.dev/take-over-from");
    json_object_set_new(json_object_get(w.document, "metadata"), "generation", json_integer(2));
    world_set_policy(w.document);
    turn_for(100 * USEC_PER_MSEC);
    assert_int_equal(w.hpa_deletes, 0);
    assert_non_null(w.hpa);
    world_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hpa_comes_first),
        cmocka_unit_test(test_hpa_turns_elsewhere_and_back),
        cmocka_unit_test(test_hpas_out_of_reach),
        cmocka_unit_test(test_older_policy_comes_first),
        cmocka_unit_test(test_pause_and_preview),
        cmocka_unit_test(test_takes_over),
        cmocka_unit_test(test_late_news_of_the_hpa),
        cmocka_unit_test(test_takes_over_in_spite_of),
        cmocka_unit_test(test_without_the_right),
        cmocka_unit_test(test_created_again),
        cmocka_unit_test(test_finalizers),
        cmocka_unit_test(test_another_hpa),
        cmocka_unit_test(test_taken_back),
        cmocka_unit_test(test_tells_that_it_took_over),
        cmocka_unit_test(test_tells_though_the_answer_was_lost),
        cmocka_unit_test(test_does_not_tell_of_one_that_is_there),
        cmocka_unit_test(test_unknown_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
