/* Combining by formula: what it makes of proposals, rounding, the metric that is named, and that missing data
 * fails instead of giving a number. */
#include "autoscaler/stages.h"

#include "base/tests/cm.h"

static const char *const names[] = {"queue", "cpu", "gone"};
enum { METRICS = sizeof(names) / sizeof(names[0]), CURRENT = 5 };

static const struct proposal ordinary[METRICS] = {
    {.valid = true, .replicas = 4, .value = 1000},
    {.valid = true, .replicas = 6, .value = 0.5},
    {.failure = "no sample yet"},
};

static struct combined combine(const char *text, const struct proposal *proposals, struct arena *arena) {
    struct metric_spec metrics[METRICS] = {{.name = names[0]}, {.name = names[1]}, {.name = names[2]}};
    struct policy_spec spec = {.metric_count = METRICS, .metrics = metrics};
    struct decide_input in = {.spec = &spec, .scale = {.known = true, .spec_replicas = CURRENT}};
    struct combined out;
    struct err err = {0};

    if (formula_parse(text, names, METRICS, arena, &spec.formula, &err) < 0)
        fail_msg("%s: %s", text, err_text(&err));
    combine_formula(&in, proposals, arena, &out);
    assert_true(out.by_formula);
    return out;
}

static void test_results(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double result;
        int32_t replicas;
        uint32_t best;
    } cases[] = {
        {"max(queue, cpu)", 6, 6, 1},
        {"min(queue, cpu)", 4, 4, 0},
        {"cpu + queue", 10, 10, 0}, /* nobody's number: the first metric that is named */
        {"cpu * 3", 18, 18, 1},
        {"if(missing(gone), cpu, gone)", 6, 6, 1},
        {"value(queue) / 300", 1000.0 / 300, 4, 0},
        {"replicas + 1", 6, 6, 0}, /* no metric */
        {"3", 3, 3, 0},
        {"3.0000000001", 3.0000000001, 4, 0}, /* up, as HPA: no rounding is forgiven */
        {"2.5 - 3", -0.5, 0, 0},
        {"-7", -7, 0, 0},
        {"0", 0, 0, 0},
        {"1e300", 1e300, INT32_MAX, 0},
        {"2147483646.5", 2147483646.5, INT32_MAX, 0},
        {"-1e300", -1e300, 0, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena cleanup_arena arena;
        arena_init(&arena, 0);
        struct combined c = combine(cases[i].text, ordinary, &arena);
        if (c.failed || c.failure || c.result != cases[i].result || c.replicas != cases[i].replicas ||
            c.best != cases[i].best)
            fail_msg("%s: %g, %d, from %u", cases[i].text, c.result, c.replicas, c.best);
        assert_int_equal(c.invalid, 1);
        assert_int_equal(c.first_invalid, 2);
    }
}

static void test_failures(void **state) {
    (void)state;
    static const char endless[] =
        "formula has no result: with these values it divides by zero, or exceeds every number";
    static const struct {
        const char *text, *failure;
    } cases[] = {
        {"gone", "formula needs gone, and no sample yet"},
        {"max(cpu, queue, gone)", "formula needs gone, and no sample yet"},
        {"gone * 0", "formula needs gone, and no sample yet"},
        {"value(gone)", "formula needs gone, and no sample yet"},
        {"cpu / (queue - 4)", endless},
        {"cpu % 0", endless},
        {"1e308 * 10", endless},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena cleanup_arena arena;
        arena_init(&arena, 0);
        struct combined c = combine(cases[i].text, ordinary, &arena);
        assert_true(c.failed);
        assert_string_equal(c.failure, cases[i].failure);
        assert_int_equal(c.invalid, 1);
        assert_int_equal(c.first_invalid, 2);
    }
}

/* A metric that whenMissing: Ignore takes out is missing all the same; one that it gives a number is not. */
static void test_when_missing(void **state) {
    struct proposal p[METRICS] = {
        {.ignored = true}, {.failure = "stale"}, {.valid = true, .substituted = true}};
    struct arena cleanup_arena arena;
    (void)state;

    arena_init(&arena, 0);
    struct combined c = combine("max(queue, gone)", p, &arena);
    assert_true(c.failed);
    assert_string_equal(c.failure, "formula needs queue, and it has no value");
    assert_int_equal(c.invalid, 1); /* of those that count */
    assert_int_equal(c.first_invalid, 0);

    c = combine("gone + if(missing(queue), 2, queue)", p, &arena);
    assert_false(c.failed);
    assert_int_equal(c.replicas, 2);

    c = combine("cpu + queue", p, &arena);
    assert_string_equal(c.failure, "formula needs cpu, and stale");
    assert_int_equal(c.first_invalid, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_when_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
