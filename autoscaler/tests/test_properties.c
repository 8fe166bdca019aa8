/* What must hold of every decision, tried on many made-up worlds. The generator is seeded: a failure prints
 * the seed of its world and comes back with it. */
#include "autoscaler/stages.h"
#include "autoscaler/status.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORLDS = 1500, METRICS = 3, POLICIES = 2 };
static const usec_t start = 1767225600 * USEC_PER_SEC;

struct world {
    uint64_t seed, random;
    struct arena arena;
    struct metric_spec metrics[METRICS];
    struct scaling_policy up[POLICIES], down[POLICIES];
    struct policy_spec spec;
    struct policy_status status;
    struct sample samples[METRICS];
    struct decide_flags flags;
    struct history history;
    struct decide_input in;
};

static uint32_t pick(struct world *w, uint32_t n) {
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 33) % n;
}

static void make_rules(struct world *w, struct scaling_policy *policies, struct scaling_rules *rules) {
    *rules = (struct scaling_rules){.window_seconds = pick(w, 3) ? (int32_t)pick(w, 120) : 0,
                                    .select = (enum select_policy)pick(w, 3),
                                    .policies = policies};
    rules->policy_count = 1 + pick(w, POLICIES);
    for (uint32_t i = 0; i < rules->policy_count; i++)
        policies[i] = (struct scaling_policy){.type = (enum scaling_policy_type)pick(w, 2),
                                              .value = 1 + (int32_t)pick(w, 100),
                                              .period_seconds = 1 + (int32_t)pick(w, 90)};
    rules->has_tolerance = pick(w, 3) == 0;
    rules->tolerance = pick(w, 50) / 100.0;
}

static void make_spec(struct world *w) {
    struct policy_spec *s = &w->spec;

    s->target = (struct object_reference){"apps/v1", "Deployment", "web"};
    s->min_replicas = (int32_t)pick(w, 5);
    s->max_replicas = s->min_replicas + 1 + (int32_t)pick(w, 40);
    s->metric_count = 1 + pick(w, METRICS);
    s->metrics = w->metrics;
    for (uint32_t i = 0; i < s->metric_count; i++) {
        w->metrics[i] = (struct metric_spec){.type = METRIC_PROMETHEUS, .query = "up", .name = NULL};
        w->metrics[i].target.type = pick(w, 3) ? TARGET_AVERAGE_VALUE : TARGET_VALUE;
        w->metrics[i].target.milli = 1000 * (1 + (int64_t)pick(w, 100));
    }
    s->has_behavior = pick(w, 2);
    make_rules(w, w->up, &s->up);
    make_rules(w, w->down, &s->down);
    s->pause.replicas = -1;
}

static void set_value(struct sample *s, int64_t milli) {
    *s = (struct sample){.quality = milli ? QUALITY_VALUE : QUALITY_ZERO,
                         .value = (double)milli / 1000,
                         .milli = milli,
                         .at = start,
                         .message = "",
                         .warning = ""};
}

static void make_history(struct world *w) {
    struct history_list *lists[] = {&w->history.recommendations, &w->history.up_events,
                                    &w->history.down_events};

    w->history.has_recommendations = pick(w, 2);
    for (int l = w->history.has_recommendations ? 0 : 1; l < 3; l++)
        for (uint32_t n = pick(w, 6); n > 0; n--)
            history_put(lists[l], -1,
                        (struct history_entry){.at = start - (usec_t)pick(w, 400) * USEC_PER_SEC,
                                               .value = (int32_t)pick(w, 20)});
}

static void world_init(struct world *w, uint64_t seed) {
    *w = (struct world){.seed = seed, .random = seed * 0x9e3779b97f4a7c15u + 1};
    for (int i = 0; i < 8; i++)
        pick(w, 2);
    arena_init(&w->arena, 0);
    make_spec(w);
    make_history(w);
    for (uint32_t i = 0; i < w->spec.metric_count; i++)
        set_value(&w->samples[i], 100 * (int64_t)pick(w, 40000));
    w->flags =
        (struct decide_flags){.tolerance = 0.1, .downscale_stabilization = pick(w, 301) * USEC_PER_SEC};
    w->in = (struct decide_input){
        .now = start, .spec = &w->spec, .status = &w->status, .samples = w->samples, .flags = &w->flags};
    w->in.scale =
        (struct scale_view){.known = true, .selector = "app=web", .spec_replicas = 1 + (int32_t)pick(w, 50)};
    w->in.scale.status_replicas = w->in.scale.spec_replicas;
    w->in.pods = w->in.ready_pods = (uint32_t)w->in.scale.spec_replicas;
}

static void world_done(struct world *w) {
    history_done(&w->history);
    arena_done(&w->arena);
}

static void copy_list(const struct history_list *from, struct history_list *to) {
    for (uint32_t i = 0; i < from->count; i++)
        history_put(to, -1, from->items[i]);
}

static struct history copy_history(const struct history *from) {
    struct history to = {.has_recommendations = from->has_recommendations};

    copy_list(&from->recommendations, &to.recommendations);
    copy_list(&from->up_events, &to.up_events);
    copy_list(&from->down_events, &to.down_events);
    return to;
}

/* Decides on a copy of the history, so that the world stays as it is. */
static struct decision try(struct world *w) {
    struct history h = copy_history(&w->history);
    struct decision d;

    decide(&w->in, &h, &w->arena, &d);
    history_done(&h);
    return d;
}

static void set_scale(struct world *w, int32_t replicas) {
    w->in.scale.spec_replicas = w->in.scale.status_replicas = replicas;
    w->in.pods = w->in.ready_pods = (uint32_t)replicas;
}

#define check(w, cond)                                                                                       \
    do {                                                                                                     \
        if (!(cond))                                                                                         \
            fail_msg("seed %llu: %s", (unsigned long long)(w)->seed, #cond);                                 \
    } while (0)

static void for_worlds(void (*fn)(struct world *)) {
    for (uint64_t seed = 1; seed <= WORLDS; seed++) {
        struct world w;
        world_init(&w, seed);
        fn(&w);
        world_done(&w);
    }
}

static void within_bounds(struct world *w) {
    struct decision d = try(w);

    check(w, !d.failed && d.ready);
    check(w, d.desired >= w->spec.min_replicas && d.desired <= w->spec.max_replicas);
    check(w, d.message[0] != '\0' && decision_reason_name(d.reason)[0] != '\0');
    check(w, d.desired == d.current || d.rescale_reason[0] != '\0');
    check(w, d.look_again == 0 || d.look_again > w->in.now);
}

static void never_down_without_data(struct world *w) {
    struct decision d;

    w->samples[pick(w, w->spec.metric_count)].quality =
        (enum quality[]){QUALITY_PENDING, QUALITY_ABSENT, QUALITY_STALE, QUALITY_FAILED}[pick(w, 4)];
    w->history.has_recommendations = true; /* what was remembered may hold it up, not push it down */
    d = try(w);
    check(w, d.desired >= d.current || d.current > w->spec.max_replicas);
}

static void grows_with_load(struct world *w) {
    uint32_t i = pick(w, w->spec.metric_count);
    struct decision less = try(w), more;

    set_value(&w->samples[i], w->samples[i].milli + 100 * (int64_t)pick(w, 20000));
    more = try(w);
    check(w, more.desired >= less.desired);
}

static void paused_stays(struct world *w) {
    struct decision d;

    w->spec.has_pause = true;
    w->spec.pause.direction = (enum pause_direction)pick(w, 3);
    d = try(w);
    check(w, w->spec.pause.direction == PAUSE_UP || d.desired >= d.current);
    check(w, w->spec.pause.direction == PAUSE_DOWN || d.desired <= d.current);
}

static void preview_writes_nothing(struct world *w) {
    struct decision active = try(w), preview;

    w->spec.mode = MODE_PREVIEW;
    preview = try(w);
    check(w, !preview.rescale && preview.preview == active.desired && preview.reason == active.reason);
}

static char *dump(struct world *w, const struct decision *d) {
    json_t *status = status_build(&w->in, d, 1, 0);
    char *text = json_dumps(status, JSON_COMPACT);

    json_decref(status);
    return text;
}

static void same_input_same_bytes(struct world *w) {
    struct decision a = try(w), b = try(w);
    char *first = dump(w, &a), *second = dump(w, &b);

    check(w, strcmp(first, second) == 0 && a.look_again == b.look_again);
    free(first);
    free(second);
}

/* Before look_again, time alone changes nothing: whoever decides may sleep. */
static void nothing_changes_before(struct world *w) {
    struct decision d, later;
    usec_t until;

    set_scale(w, w->spec.min_replicas +
                     (int32_t)pick(w, (uint32_t)(w->spec.max_replicas - w->spec.min_replicas) + 1));
    decide(&w->in, &w->history, &w->arena, &d);
    if (d.desired != d.current || d.current == 0)
        return;
    until = d.look_again ? d.look_again - 1 : start + 20 * USEC_PER_MIN;
    for (int i = 1; i <= 4; i++) {
        w->in.now = start + (until - start) * i / 4;
        later = try(w);
        check(w, later.desired == d.desired && later.reason == d.reason);
    }
}

static void apply(struct world *w, const struct decision *d) {
    if (!d->rescale)
        return;
    history_store_scale(&w->history, &w->spec, d->current, d->desired, w->in.now);
    set_scale(w, d->desired);
}

/* A constant total is met by going one way, and then staying. */
static void does_not_oscillate(struct world *w) {
    int32_t first, last;
    bool rose = false, fell = false;

    if (w->seed % 20)
        return; /* a long one: on some of the worlds */
    history_done(&w->history);
    for (uint32_t i = 0; i < w->spec.metric_count; i++)
        w->metrics[i].target.type = TARGET_AVERAGE_VALUE;
    if (w->spec.min_replicas == 0)
        w->spec.min_replicas = 1;
    set_scale(w, w->spec.min_replicas +
                     (int32_t)pick(w, (uint32_t)(w->spec.max_replicas - w->spec.min_replicas) + 1));
    first = last = w->in.scale.spec_replicas;
    for (int second = 0; second < 900; second++) {
        struct decision d;
        w->in.now = start + second * USEC_PER_SEC;
        arena_reset(&w->arena);
        decide(&w->in, &w->history, &w->arena, &d);
        apply(w, &d);
        rose |= w->in.scale.spec_replicas > last;
        fell |= w->in.scale.spec_replicas < last;
        last = w->in.scale.spec_replicas;
    }
    check(w, !(rose && fell));
    check(w, first == last || rose || fell);
}

/* Two that live through the same, one of them with a history that is kept short. */
static void compacting_changes_nothing(struct world *w) {
    struct history whole = copy_history(&w->history);
    uint32_t longest = 0;

    for (int step = 0; step < 60; step++) {
        struct decision a, b;
        w->in.now = start + step * 7 * USEC_PER_SEC;
        set_value(&w->samples[0], 100 * (int64_t)pick(w, 40000));
        decide(&w->in, &whole, &w->arena, &a);
        decide(&w->in, &w->history, &w->arena, &b);
        history_compact(&w->history);
        check(w, a.desired == b.desired && a.reason == b.reason && a.look_again == b.look_again);
        if (a.rescale)
            history_store_scale(&whole, &w->spec, a.current, a.desired, w->in.now);
        apply(w, &b);
        longest = w->history.recommendations.count > longest ? w->history.recommendations.count : longest;
    }
    check(w, longest < 40);
    history_done(&whole);
}

#define PROPERTY(fn)                                                                                         \
    static void test_##fn(void **state) {                                                                    \
        (void)state;                                                                                         \
        for_worlds(fn);                                                                                      \
    }

PROPERTY(within_bounds)
PROPERTY(never_down_without_data)
PROPERTY(grows_with_load)
PROPERTY(paused_stays)
PROPERTY(preview_writes_nothing)
PROPERTY(same_input_same_bytes)
PROPERTY(nothing_changes_before)
PROPERTY(does_not_oscillate)
PROPERTY(compacting_changes_nothing)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_within_bounds),
        cmocka_unit_test(test_never_down_without_data),
        cmocka_unit_test(test_grows_with_load),
        cmocka_unit_test(test_paused_stays),
        cmocka_unit_test(test_preview_writes_nothing),
        cmocka_unit_test(test_same_input_same_bytes),
        cmocka_unit_test(test_nothing_changes_before),
        cmocka_unit_test(test_does_not_oscillate),
        cmocka_unit_test(test_compacting_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
