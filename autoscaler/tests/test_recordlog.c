/* The record of hand-made decisions, what it costs to keep, and which decisions are kept. */
#include "autoscaler/recordlog.h"
#include "autoscaler/stages.h"
#include "autoscaler/tests/record_checks.h"
#include "base/str.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { METRICS = 64, POLICIES = 10000, MOST = 100 << 20 };
#define NOON (1767268800 * USEC_PER_SEC)
static const usec_t noon = NOON; /* 2026-01-01T12:00:00Z */

struct world {
    struct arena arena;
    struct policy_spec spec;
    struct policy_status status;
    struct metric_spec metrics[METRICS];
    struct sample samples[METRICS];
    struct proposal proposals[METRICS];
    struct decide_flags flags;
    struct history history;
    struct decide_input in;
    struct decision decision;
};

static const struct scaling_policy up_rules[] = {{SCALING_PERCENT, 100, 15}, {SCALING_PODS, 4, 15}};
static const struct scaling_policy down_rules[] = {{SCALING_PERCENT, 10, 60}};

/* 139.2 requests of each pod against 100 ask for 14; 41 % of cpu against 80 % ask for 6. */
static const struct metric_spec metric_kinds[] = {
    {.type = METRIC_PODS, .target = {.type = TARGET_AVERAGE_VALUE, .milli = 100000, .text = "100"}},
    {.type = METRIC_RESOURCE, .target = {.type = TARGET_UTILIZATION, .utilization = 80, .text = "80%"}},
};
static const struct proposal proposal_kinds[] = {
    {.replicas = 14,
     .ratio = 1.392,
     .arithmetic = "ceil(1.392 x 10) = 14",
     .at = NOON - 400 * USEC_PER_MSEC,
     .current_milli = 139200,
     .utilization = -1,
     .value = 139.2},
    {.replicas = 6,
     .ratio = 0.5125,
     .arithmetic = "ceil(0.512 x 10) = 6",
     .at = NOON - 12 * USEC_PER_SEC,
     .current_milli = 205000,
     .utilization = 41,
     .value = 0.205},
};

/* The two by turns. */
static void set_metric(struct world *w, uint32_t i) {
    static const char *const origins[] = {"custom.metrics.k8s.io", "metrics.k8s.io"};
    static const char *const names[] = {"requests", "cpu"};
    struct proposal *p = &w->proposals[i];
    const char *name = i < 2 ? names[i] : arena_printf(&w->arena, "metric-%" PRIu32, i);

    w->metrics[i] = metric_kinds[i % 2];
    w->metrics[i].metric = name;
    w->samples[i] = (struct sample){.quality = QUALITY_VALUE, .origin = origins[i % 2]};
    *p = proposal_kinds[i % 2];
    p->label = p->name = name;
    p->quality = QUALITY_VALUE;
    p->valid = p->has_current = true;
    p->counted_pods = p->pods = 10;
}

static void world_init(struct world *w, uint32_t metrics) {
    memset(w, 0, sizeof(*w));
    arena_init(&w->arena, 0);
    w->spec = (struct policy_spec){.target = {"apps/v1", "Deployment", "web"},
                                   .min_replicas = 1,
                                   .max_replicas = 20,
                                   .metric_count = metrics,
                                   .metrics = w->metrics,
                                   .has_behavior = true,
                                   .up = {.policy_count = 2, .policies = up_rules},
                                   .down = {.policy_count = 1, .policies = down_rules, .window_seconds = -1},
                                   .pause = {.replicas = -1}};
    w->flags = (struct decide_flags){.tolerance = 0.1, .downscale_stabilization = 5 * USEC_PER_MIN};
    w->in = (struct decide_input){
        .now = noon,
        .spec = &w->spec,
        .status = &w->status,
        .scale = {.known = true, .spec_replicas = 10, .status_replicas = 10, .selector = "app=web"},
        .samples = w->samples,
        .flags = &w->flags};
    for (uint32_t i = 0; i < metrics; i++)
        set_metric(w, i);
}

static void world_done(struct world *w) {
    history_done(&w->history);
    arena_done(&w->arena);
}

static void run(struct world *w) {
    decide_from(&w->in, w->proposals, &w->history, &w->arena, &w->decision);
}

/* ---- what it says ---- */

static void assert_prints(struct world *w, usec_t now, const char *want) {
    struct buf out;

    buf_init(&out, 1 << 16);
    w->decision.message = "the sentence"; /* is tested where it is made */
    record_print(record_of(&w->in, &w->decision, &w->arena), "default/web", now, &out);
    assert_string_equal(out.data, want);
    buf_done(&out);
}

static void prints_a_change(void **state) {
    struct world w;

    (void)state;
    world_init(&w, 2);
    run(&w);
    assert_prints(
        &w, noon + 2 * USEC_PER_SEC,
        "default/web  Deployment/web  10 -> 14 replicas at 12:00:00Z (2 s ago): AboveTarget\n"
        "  requests    Pods      139.2/100 a pod   10 of 10 pods, sample 0.4 s old, custom.metrics.k8s.io   "
        "ceil(1.392 x 10) = 14\n"
        "  cpu         Resource  41%/80%           10 of 10 pods, sample 12 s old, metrics.k8s.io           "
        "ceil(0.512 x 10) = 6\n"
        "  combine     max(14, 6) = 14, from requests\n"
        "  schedule    none\n"
        "  stabilize   scaleUp window 0 s: 14\n"
        "  rate limit  +100% or +4 in 15 s, 0 used: at most 20: 14\n"
        "  bounds      1..20: 14\n"
        "  because     the sentence\n");
    world_done(&w);
}

static void prints_what_was_limited(void **state) {
    struct world w;

    (void)state;
    world_init(&w, 1);
    w.spec.max_replicas = 15;
    w.proposals[0].replicas = 90;
    w.proposals[0].arithmetic = "ceil(9 x 10) = 90";
    history_put(&w.history.up_events, -1, (struct history_entry){.at = noon - 5 * USEC_PER_SEC, .value = 2});
    run(&w);
    assert_prints(
        &w, 0,
        "default/web  Deployment/web  10 -> 15 replicas at 2026-01-01T12:00:00Z: AtMaximum, limited "
        "by maxReplicas\n"
        "  requests    Pods  139.2/100 a pod   10 of 10 pods, sample 0.4 s old, "
        "custom.metrics.k8s.io   ceil(9 x 10) = 90\n"
        "  combine     max(90) = 90, from requests\n"
        "  schedule    none\n"
        "  stabilize   scaleUp window 0 s: 90\n"
        "  rate limit  +100% or +4 in 15 s, 2 used: at most 16: 16  <- changed\n"
        "  bounds      1..15: 15  <- changed\n"
        "  because     the sentence\n");
    world_done(&w);
}

static void json_marks_what_changed(void **state) {
    struct world w;
    int changed = -1, in = 0, out = 0, allowed = 0, used = -1, proposal = 0;
    double age = 0, current = 0;

    (void)state;
    world_init(&w, 2);
    w.proposals[0].replicas = 90;
    run(&w);
    json_t *o = record_json(record_of(&w.in, &w.decision, &w.arena));
    assert_int_equal(json_unpack(o, "{s:{s:{s:b, s:i, s:i, s:i, s:i}}, s:[{s:F, s:i, s:{s:F}}, {}]}",
                                 "stages", "rateLimit", "changed", &changed, "in", &in, "out", &out,
                                 "allowed", &allowed, "used", &used, "metrics", "sampleAgeSeconds", &age,
                                 "proposal", &proposal, "current", "averageValue", &current),
                     0);
    assert_true(changed && in == 90 && out == 20 && allowed == 20 && used == 0 && proposal == 90);
    assert_true(age == 0.4 && current == 139.2);
    assert_false(
        json_is_true(json_object_get(json_object_get(json_object_get(o, "stages"), "stabilize"), "changed")));
    json_decref(o);
    world_done(&w);
}

/* ---- what it costs ---- */

static void fill(struct world *w, struct recordlog **log) {
    for (int i = 0; i < RECORDLOG_SLOTS; i++) {
        w->in.now = noon + i * USEC_PER_SEC;
        w->in.scale.spec_replicas = w->in.scale.status_replicas = 10 + i % 2;
        run(w);
        recordlog_add(log, &w->in, &w->decision, &w->arena);
    }
}

static void stays_small(void **state) {
    static const uint32_t counts[] = {1, 2, 5};

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct world w;
        struct recordlog *log = NULL;
        world_init(&w, counts[i]);
        run(&w);
        size_t packed = assert_record_kept(&w.in, &w.decision);
        fill(&w, &log);
        size_t kept = recordlog_bytes(log);
        print_message("%" PRIu32 " metrics: %zu bytes a record, %zu a policy, %zu MiB for %d policies\n",
                      counts[i], packed, kept, kept * POLICIES >> 20, POLICIES);
        assert_true(kept * POLICIES <= MOST);
        recordlog_free(log);
        world_done(&w);
    }
}

static void long_texts_are_cut(void **state) {
    struct world w;
    char text[2001];

    (void)state;
    memset(text, 'x', 2000);
    memcpy(text + 1022, "\xe2\x82\xac", 3); /* where the first cut goes through */
    text[2000] = '\0';
    world_init(&w, METRICS);
    for (uint32_t i = 0; i < METRICS; i++) {
        w.proposals[i].valid = false;
        w.proposals[i].failure = arena_printf(&w.arena, "%" PRIu32 "%s", i, text);
        w.proposals[i].failure_reason = "FailedGetPodsMetric";
    }
    run(&w);
    unsigned char packed[RECORD_PACKED_MAX];
    const struct record *record = record_of(&w.in, &w.decision, &w.arena), *kept;
    size_t len = record_pack(record, packed);
    assert_in_range(len, 1000, RECORD_PACKED_MAX);
    assert_int_equal(record_unpack(packed, len, &w.arena, &kept), 0);
    json_t *o = record_json(kept);
    assert_true(json_integer_value(json_object_get(o, "metricsNotKept")) > 0);
    assert_null(strstr(json_string_value(json_object_get(o, "message")), "not UTF-8"));
    json_decref(o);
    world_done(&w);
}

/* The metric that keeps the workload awake may be among those that are left out. */
static void active_metric_is_cut(void **state) {
    struct world w;

    (void)state;
    world_init(&w, METRICS);
    w.spec.min_replicas = 0;
    w.spec.activation.given = true;
    w.metrics[METRICS - 1].has_activation = true;
    for (uint32_t i = 0; i < METRICS; i++)
        w.proposals[i].note = arena_printf(&w.arena, "%" PRIu32 " of those with a note", i);
    run(&w);
    unsigned char packed[RECORD_PACKED_MAX];
    const struct record *kept;
    size_t len = record_pack(record_of(&w.in, &w.decision, &w.arena), packed);
    assert_int_equal(record_unpack(packed, len, &w.arena, &kept), 0);
    json_t *o = record_json(kept), *activation = json_object_get(json_object_get(o, "stages"), "activation");
    assert_true(json_integer_value(json_object_get(o, "metricsNotKept")) > 0);
    assert_string_equal(json_string_value(json_object_get(activation, "text")),
                        "a metric that is not kept is above its activation: awake");
    json_decref(o);
    world_done(&w);
}

/* ---- what is kept ---- */

static void decide_at(struct world *w, struct recordlog **log, int second, int32_t replicas,
                      int32_t proposal) {
    w->in.now = noon + second * USEC_PER_SEC;
    w->in.scale.spec_replicas = w->in.scale.status_replicas = replicas;
    w->proposals[0].replicas = proposal;
    run(w);
    recordlog_add(log, &w->in, &w->decision, &w->arena);
}

static void the_same_is_counted(void **state) {
    struct world w;
    struct recordlog *log = NULL;
    struct recordlog_item item;

    (void)state;
    world_init(&w, 1);
    assert_false(recordlog_get(NULL, 0, &w.arena, &item));
    assert_int_equal(recordlog_bytes(NULL), 0);
    decide_at(&w, &log, 0, 10, 14);
    for (int i = 1; i <= 5; i++)
        decide_at(&w, &log, i, 14, 14);
    assert_true(recordlog_get(log, 0, &w.arena, &item));
    assert_true(item.count == 5 && !item.change);
    assert_true(item.first == noon + USEC_PER_SEC && item.last == noon + 5 * USEC_PER_SEC);
    assert_true(recordlog_get(log, 1, &w.arena, &item));
    assert_true(item.count == 1 && item.change && item.first == noon);
    assert_false(recordlog_get(log, 2, &w.arena, &item));
    recordlog_free(log);
    world_done(&w);
}

/* A number that goes to and fro without a change must not drive the last change out. */
static void changes_stay(void **state) {
    struct world w;
    struct recordlog *log = NULL;
    struct recordlog_item item;
    uint32_t changes = 0, n = 0;

    (void)state;
    world_init(&w, 1);
    decide_at(&w, &log, 0, 10, 14);
    for (int i = 1; i <= 100; i++) {
        w.proposals[0].quality = i % 2 ? QUALITY_VALUE : QUALITY_ZERO;
        decide_at(&w, &log, i, 14, 14);
    }
    for (; recordlog_get(log, n, &w.arena, &item); n++)
        changes += item.change;
    assert_int_equal(n, RECORDLOG_SLOTS);
    assert_int_equal(changes, 1);
    assert_int_equal(item.first, noon); /* the last one read is the oldest: the change */
    recordlog_free(log);
    world_done(&w);
}

static void the_oldest_changes_go(void **state) {
    struct world w;
    struct recordlog *log = NULL;
    struct recordlog_item item;

    (void)state;
    world_init(&w, 1);
    for (int i = 0; i < 40; i++)
        decide_at(&w, &log, i, 10 + i % 2, 14);
    for (uint32_t n = 0; n < RECORDLOG_SLOTS; n++) {
        assert_true(recordlog_get(log, n, &w.arena, &item));
        assert_int_equal(item.last, noon + (39 - (int)n) * USEC_PER_SEC);
    }
    assert_false(recordlog_get(log, RECORDLOG_SLOTS, &w.arena, &item));
    recordlog_free(log);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_a_change),         cmocka_unit_test(prints_what_was_limited),
        cmocka_unit_test(json_marks_what_changed), cmocka_unit_test(stays_small),
        cmocka_unit_test(long_texts_are_cut),      cmocka_unit_test(active_metric_is_cut),
        cmocka_unit_test(the_same_is_counted),     cmocka_unit_test(changes_stay),
        cmocka_unit_test(the_oldest_changes_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
