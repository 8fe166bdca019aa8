/* Formulas: what they compute, against a model that computes while it writes them; what is refused, and
 * where. */
#include "api/types/formula.h"

#include "base/buf.h"
#include "base/tests/cm.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>

static const char *const names[] = {"queue", NULL, "cpu", "gone", "min"};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static const struct formula_value values[NAMES] = {
    {.replicas = 4, .value = 1000}, {.missing = true}, {.replicas = 6, .value = 0.5}, {.missing = true},
    {.replicas = 9, .value = 7},
};

static int parse(struct arena *arena, const char *text, const struct formula **ret, struct err *err) {
    return formula_parse(text, names, NAMES, arena, ret, err);
}

static int eval(const struct formula *f, double *ret_result, uint32_t *ret_metric) {
    struct formula_input in = {values, 5};

    return formula_eval(f, &in, ret_result, ret_metric);
}

/* ---- computing ---- */

static void test_values(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double result;
    } cases[] = {
        {"1", 1},
        {" \t\r\n1.5e1 ", 15},
        {".5", 0.5},
        {"2E-1", 0.2},
        {"queue", 4},
        {"cpu", 6},
        {"value(queue)", 1000},
        {"value( cpu )", 0.5},
        {"replicas", 5},
        {"replicas * value(cpu) / 0.25", 10},
        {"1 + 2 * 3", 7},
        {"(1 + 2) * 3", 9},
        {"10 - 3 - 2", 5},
        {"16 / 4 / 2", 2},
        {"7 % 4 * 2", 6},
        {"-7 % 4", -3}, /* fmod: the sign of the left */
        {"7.5 % 2", 1.5},
        {"-queue + 10", 6},
        {"-(queue)", -4},
        {"3 - -2", 5},
        {"3 --2", 5},
        {"2 * -3", -6},
        {"1 < 2", 1},
        {"2 < 1", 0},
        {"2 <= 2", 1},
        {"2 >= 2.5", 0},
        {"3 > 2", 1},
        {"0.1 + 0.2 == 0.3", 0}, /* doubles, as in C */
        {"2 == 2", 1},
        {"2 != 2", 0},
        {"1 + 1 < 1 * 3", 1},
        {"(1 < 2) + (3 < 4)", 2},
        {"(1 < 2) == (3 < 4)", 1},
        {"min(3, 1, 2)", 1},
        {"max(queue, cpu)", 6},
        {"max(3)", 3},
        {"min (3)", 3},
        {"sum(1, 2, 3, 4)", 10},
        {"avg(1, 2, 6)", 3},
        {"avg(5)", 5},
        {"max(-1, -2)", -1},
        {"min", 9}, /* a metric may be called as a function is */
        {"min(min, 20)", 9},
        {"if(1, 2, 3)", 2},
        {"if(0, 2, 3)", 3},
        {"if(-0.5, 2, 3)", 2},
        {"if(queue > 3, if(cpu > 9, 1, 2), 3) * 10", 20},
        {"missing(gone)", 1},
        {"missing(queue)", 0},
        {"if(missing(gone), cpu, gone)", 6},
        {"if(missing(queue), gone, queue)", 4},
        {"if(1, 2, 1 / 0)", 2},
        {"max(if(missing(gone), 0, gone), queue)", 4},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena cleanup_arena arena;
        const struct formula *f = NULL;
        struct err err = {0};
        double result = NAN;
        uint32_t metric = 42;
        arena_init(&arena, 0);
        if (parse(&arena, cases[i].text, &f, &err) < 0)
            fail_msg("%s: %s", cases[i].text, err_text(&err));
        int ret = eval(f, &result, &metric);
        if (ret != 0 || result != cases[i].result)
            fail_msg("%s: %d, %g", cases[i].text, ret, result);
        assert_int_equal(metric, 42);
    }
}

static void test_no_result(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int ret;
        uint32_t metric;
    } cases[] = {
        {"gone", -ENODATA, 3},
        {"gone * 0", -ENODATA, 3},
        {"max(queue, gone)", -ENODATA, 3},
        {"value(gone)", -ENODATA, 3},
        {"if(gone > 1, 1, 2)", -ENODATA, 3},
        {"if(1, gone, 2)", -ENODATA, 3},
        {"1 / 0", -EDOM, 42},
        {"0 / 0", -EDOM, 42},
        {"5 % 0", -EDOM, 42},
        {"1 / (queue - 4)", -EDOM, 42},
        {"1 / (1 / 0)", -EDOM, 42}, /* not 0 */
        {"1e308 * 10", -EDOM, 42},
        {"1 / (1e308 * 10)", -EDOM, 42},
        {"max(1, 0 / 0)", -EDOM, 42},
        {"if(0 / 0, 1, 2)", -EDOM, 42},
        {"1 / 0 + gone", -EDOM, 42}, /* from the left */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena cleanup_arena arena;
        const struct formula *f = NULL;
        double result = 42;
        uint32_t metric = 42;
        arena_init(&arena, 0);
        assert_int_equal(parse(&arena, cases[i].text, &f, NULL), 0);
        int ret = eval(f, &result, &metric);
        if (ret != cases[i].ret || metric != cases[i].metric || result != 42)
            fail_msg("%s: %d, metric %u, %g", cases[i].text, ret, metric, result);
    }
}

static void test_uses(void **state) {
    struct arena cleanup_arena arena;
    const struct formula *f = NULL;
    (void)state;

    arena_init(&arena, 0);
    assert_int_equal(parse(&arena, "if(missing(gone), value(cpu), 3) + replicas", &f, NULL), 0);
    assert_false(formula_uses(f, 0));
    assert_false(formula_uses(f, 1));
    assert_true(formula_uses(f, 2));
    assert_true(formula_uses(f, 3));
    assert_int_equal(parse(&arena, "queue", &f, NULL), 0);
    assert_true(formula_uses(f, 0));
}

/* ---- refusing ---- */

static void test_refused(void **state) {
    (void)state;
    static const char primary[] = "a number, a metric's name, a function or \"(\"";
    static const struct {
        const char *text, *why; /* "$": what a value may begin with */
    } cases[] = {
        {"", "at 1: the formula ends here: expected $"},
        {"   ", "at 4: the formula ends here: expected $"},
        {"1 +", "at 4: the formula ends here: expected $"},
        {"max(queue,", "at 11: the formula ends here: expected $"},
        {"(1", "at 3: the formula ends here: expected an operator or \")\""},
        {"max(1", "at 6: the formula ends here: expected an operator, \",\" or \")\""},
        {"if(1, 2", "at 8: the formula ends here: expected an operator or \",\": if(condition, then, else)"},
        {"max(queu, cpu)", "at 5: no metric has the name queu: name one of queue, cpu, gone, min"},
        {"Queue", "at 1: no metric has the name Queue: name one of queue, cpu, gone, min"},
        {"queue-depth", "at 7: no metric has the name depth: name one of queue, cpu, gone, min"},
        {"value(replicas)", "at 7: no metric has the name replicas: name one of queue, cpu, gone, min"},
        {"med(1, 2)", "at 1: no function is called med: there are min, max, avg, sum, if, missing and value"},
        {"queue(1)",
         "at 1: no function is called queue: there are min, max, avg, sum, if, missing and value"},
        {"--1", "at 2: expected $, found -"},
        {"min()", "at 5: expected $, found )"},
        {"if(1, 2)", "at 8: expected an operator or \",\": if(condition, then, else), found )"},
        {"if(1, 2, 3, 4)", "at 11: expected an operator or \")\": if(condition, then, else), found ,"},
        {"missing(1)", "at 9: expected a metric's name, found 1"},
        {"missing(queue + 1)", "at 15: expected \")\", found +"},
        {"value(queue, cpu)", "at 12: expected \")\", found ,"},
        {"1 < 2 < 3", "at 7: a second comparison: put one in ( )"},
        {"1 < 2 == 1", "at 7: a second comparison: put one in ( )"},
        {"1 = 2", "at 3: expected an operator or the end, found ="},
        {"10k", "at 3: expected an operator or the end, found k"},
        {"1 2", "at 3: expected an operator or the end, found 2"},
        {"1)", "at 2: expected an operator or the end, found )"},
        {"1 \xc3\xa4", "at 3: expected an operator or the end, found \xc3\xa4"},
        {"1 \xff", "at 3: a character that no formula has: expected an operator or the end"},
        {"1 \x01", "at 3: a character that no formula has: expected an operator or the end"},
        {"1.5.2", "at 1: 1.5.2 is no number"},
        {"1e", "at 1: 1e is no number"},
        {"2 * .", "at 5: . is no number"},
        {"1e999", "at 1: 1e999 is too large"},
        {"0x10", "at 2: expected an operator or the end, found x"},
        {"1111111111111111111111111111111111111111111111111111111111111111",
         "at 1: a number may have 63 characters at most"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena cleanup_arena arena;
        const struct formula *f = NULL;
        struct err err = {0};
        char want[ERR_TEXT_MAX];
        const char *dollar = strchr(cases[i].why, '$');
        arena_init(&arena, 0);
        assert_int_equal(parse(&arena, cases[i].text, &f, &err), -EINVAL);
        assert_null(f);
        snprintf(want, sizeof(want), "%.*s%s%s", dollar ? (int)(dollar - cases[i].why) : 0, cases[i].why,
                 dollar ? primary : "", dollar ? dollar + 1 : cases[i].why);
        assert_string_equal(err_text(&err), want);
    }
}

static void test_names(void **state) {
    struct arena cleanup_arena arena;
    const char *const replicas[] = {"replicas"}, *const none[] = {NULL};
    const struct formula *f = NULL;
    struct err err = {0};
    (void)state;

    arena_init(&arena, 0);
    assert_int_equal(formula_parse("replicas", replicas, 1, &arena, &f, &err), -EINVAL);
    assert_string_equal(err_text(&err),
                        "at 1: replicas is the present number: give the metric of that name another");
    assert_int_equal(formula_parse("queue", none, 1, &arena, &f, &err), -EINVAL);
    assert_string_equal(err_text(&err), "at 1: no metric has the name queue: give the metrics names");
    assert_int_equal(formula_parse("2 * 3", NULL, 0, &arena, &f, &err), 0);
}

static void repeat(struct buf *b, const char *text, int times) {
    for (int i = 0; i < times; i++)
        assert_int_equal(buf_puts(b, text), 0);
}

/* At the bounds: as deep and as long as may be, and one more. */
static void test_bounds(void **state) {
    static const char *const openers[] = {"(", "-(", "max(1,"};
    struct arena cleanup_arena arena;
    struct buf cleanup_buf b;
    (void)state;

    arena_init(&arena, 0);
    buf_init(&b, 4096);
    for (int depth = FORMULA_DEPTH_MAX; depth <= FORMULA_DEPTH_MAX + 1; depth++) {
        const struct formula *f = NULL;
        struct err err = {0};
        double result;
        uint32_t metric;
        buf_reset(&b);
        repeat(&b, "max(1, 1 < 1 + 2 * ", depth);
        repeat(&b, "7", 1);
        repeat(&b, ")", depth);
        int ret = parse(&arena, b.data, &f, &err);
        assert_int_equal(ret, depth > FORMULA_DEPTH_MAX ? -EINVAL : 0);
        if (ret == 0)
            assert_int_equal(eval(f, &result, &metric), 0);
        else
            assert_string_equal(err_text(&err), "at 609: nested deeper than 32");
    }
    for (size_t i = 0; i < 3; i++) {
        const struct formula *f = NULL;
        struct err err = {0};
        buf_reset(&b);
        repeat(&b, openers[i], 33);
        assert_int_equal(parse(&arena, b.data, &f, &err), -EINVAL);
        assert_non_null(strstr(err_text(&err), "nested deeper than 32"));
    }
    for (int more = 0; more < 2; more++) {
        const struct formula *f = NULL;
        struct err err = {0};
        double result = 0;
        uint32_t metric;
        buf_reset(&b);
        repeat(&b, "1+", FORMULA_TEXT_MAX / 2 - 1);
        repeat(&b, more ? "100" : "10", 1);
        assert_int_equal(parse(&arena, b.data, &f, &err), more ? -EINVAL : 0);
        if (more) {
            assert_string_equal(err_text(&err), "at 1025: a formula may have 1024 characters at most");
        } else {
            assert_int_equal(eval(f, &result, &metric), 0);
            assert_int_equal((int)result, FORMULA_TEXT_MAX / 2 - 1 + 10);
        }
    }
}

/* ---- a model: writes an expression and computes it at once ---- */

static uint32_t random_below(uint64_t *seed, uint32_t n) {
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*seed >> 33) % n;
}

static double write_any(struct buf *b, uint64_t *seed, int depth);

static double write_leaf(struct buf *b, uint64_t *seed) {
    switch (random_below(seed, 5)) {
    case 0:
        buf_puts(b, "queue");
        return 4;
    case 1:
        buf_puts(b, "value(cpu)");
        return 0.5;
    case 2:
        buf_puts(b, " replicas ");
        return 5;
    default: {
        uint32_t n = random_below(seed, 40);
        buf_printf(b, "%u.25", n);
        return n + 0.25;
    }
    }
}

/* In parentheses always: precedence has cases of its own. */
static double write_binary(struct buf *b, uint64_t *seed, int depth) {
    static const char *const operators[] = {"+", "-", "*", "<", ">=", "!=", "%"};
    uint32_t op = random_below(seed, 7);

    buf_puts(b, "(");
    double left = write_any(b, seed, depth);
    buf_printf(b, " %s ", operators[op]);
    double right = write_any(b, seed, depth);
    buf_puts(b, ")");
    double results[] = {left + right,  left - right,  left * right,     left < right,
                        left >= right, left != right, fmod(left, right)};
    return results[op];
}

static double write_call(struct buf *b, uint64_t *seed, int depth) {
    static const char *const functions[] = {"min", "max", "sum", "avg"};
    uint32_t function = random_below(seed, 4), count = 1 + random_below(seed, 3);
    double least = INFINITY, most = -INFINITY, sum = 0;

    buf_printf(b, "%s(", functions[function]);
    for (uint32_t i = 0; i < count; i++) {
        buf_puts(b, i ? ", " : "");
        double x = write_any(b, seed, depth);
        least = x < least ? x : least;
        most = x > most ? x : most;
        sum += x;
    }
    buf_puts(b, ")");
    double results[] = {least, most, sum, sum / count};
    return results[function];
}

static double write_if(struct buf *b, uint64_t *seed, int depth) {
    buf_puts(b, "if(");
    double condition = write_any(b, seed, depth);
    buf_puts(b, ",");
    double then = write_any(b, seed, depth);
    buf_puts(b, ",");
    double otherwise = write_any(b, seed, depth);
    buf_puts(b, ")");
    return condition != 0 ? then : otherwise;
}

static double write_any(struct buf *b, uint64_t *seed, int depth) {
    switch (depth > 0 ? random_below(seed, 5) : 4) {
    case 0:
    case 1:
        return write_binary(b, seed, depth - 1);
    case 2:
        return write_call(b, seed, depth - 1);
    case 3:
        return write_if(b, seed, depth - 1);
    default:
        return write_leaf(b, seed);
    }
}

/* What has no result (a remainder by 0) is left out: the model goes on with what is not finite. */
static void test_random_formulas_as_the_model(void **state) {
    struct arena cleanup_arena arena;
    uint64_t seed = 7;
    int computed = 0;
    (void)state;

    arena_init(&arena, 0);
    for (int i = 0; i < 20000; i++) {
        struct buf cleanup_buf b;
        const struct formula *f = NULL;
        struct err err = {0};
        double result = 0;
        uint32_t metric;
        arena_reset(&arena);
        buf_init(&b, 1 << 20);
        double want = write_any(&b, &seed, 1 + i % 4);
        if (b.len > FORMULA_TEXT_MAX)
            continue;
        if (parse(&arena, b.data, &f, &err) < 0)
            fail_msg("%s: %s", b.data, err_text(&err));
        int ret = eval(f, &result, &metric);
        if (ret == -EDOM)
            continue;
        if (ret != 0 || (isfinite(want) && result != want))
            fail_msg("%s: %d, %.17g is not %.17g", b.data, ret, result, want);
        computed++;
    }
    assert_true(computed > 15000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_no_result),
        cmocka_unit_test(test_uses),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_random_formulas_as_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
