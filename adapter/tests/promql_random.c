/* The grammar, from the outside to the selectors. */
#include "adapter/tests/promql_random.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned below(struct promql_random *r, unsigned n) {
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(r->state >> 33) % n;
}

static bool one_in(struct promql_random *r, unsigned n) {
    return below(r, n) == 0;
}

static const char *pick(struct promql_random *r, const char *const *words) {
    unsigned n = 0;

    while (words[n])
        n++;
    return words[below(r, n)];
}
#define PICK(r, ...) pick((r), (const char *const[]){__VA_ARGS__, NULL})

static void put(struct promql_random *r, const char *text) {
    buf_puts(&r->out, text);
}

static void put_matchers(struct promql_random *r, unsigned first) {
    const char *sep = "";

    for (unsigned i = 0; i < 4; i++) {
        unsigned which = (first + i) % 4;
        char matcher[64] = "";
        if (which == 0 && !one_in(r, 12))
            snprintf(matcher, sizeof(matcher), "namespace=\"%s\"", r->ns);
        else if (which == 1 && !one_in(r, 60))
            snprintf(matcher, sizeof(matcher), "pod%s", r->object);
        else if (which == 2 && one_in(r, 3))
            snprintf(matcher, sizeof(matcher), "container%s",
                     PICK(r, "=\"c1\"", "!=\"\"", "=~\"c.\"", "=''"));
        else if (which == 3 && one_in(r, 60))
            snprintf(matcher, sizeof(matcher), "pod%s",
                     PICK(r, "!=\"b\"", "!~\"b.*\"", "=~\"a.*\"", "=\"\""));
        if (!matcher[0])
            continue;
        put(r, sep);
        put(r, matcher);
        sep = PICK(r, ",", ", ", " # comment }\n,");
    }
}

static void put_selector(struct promql_random *r, const char *name) {
    put(r, name);
    put(r, "{");
    if (!*name)
        put(r, PICK(r, "__name__=\"x\",", "__name__=~\"z.\",job=\"j\",", "job=\"k\","));
    put_matchers(r, below(r, 4));
    put(r, "}");
}

static void put_shift(struct promql_random *r) {
    if (one_in(r, 6))
        put(r, PICK(r, " offset 1m", " offset -30s", " @ end()", " @ start() offset 2m"));
}

static void put_range(struct promql_random *r, const char *name) {
    put_selector(r, name);
    put(r, PICK(r, "[1m]", "[5m]", "[90s]", " [ 2m30s ]"));
    put_shift(r);
}

static void put_number(struct promql_random *r) {
    put(r,
        PICK(r, "2", "0.5", "1e3", "-1", "time() % 7", "(3 + 4)", "0x1F", "0", "2 ^ 3 ^ 0.5", "Inf", "pi()"));
}

static void put_series(struct promql_random *r, unsigned depth);

static void put_function_of_series(struct promql_random *r, unsigned depth) {
    const char *name = PICK(r, "abs", "ceil", "sqrt", "ln", "sgn", "timestamp", "round", "clamp_min");

    put(r, name);
    put(r, "(");
    put_series(r, depth);
    put(r, strcmp(name, "clamp_min") == 0 ? ", 3)" : ")");
}

/* Element by element of the series. */
static void put_series(struct promql_random *r, unsigned depth) {
    switch (below(r, depth ? 10 : 5)) {
    case 0:
    case 1:
        put_selector(r, one_in(r, 4) ? "" : PICK(r, "x", "y", "c_total"));
        put_shift(r);
        return;
    case 2:
    case 3:
        put(r, PICK(r, "rate(", "increase(", "irate(", "delta(", "changes(", "sum_over_time(",
                    "avg_over_time(", "last_over_time(", "quantile_over_time(0.7, ", "deriv(", "resets("));
        put_range(r, one_in(r, 10) ? "" : PICK(r, "c_total", "d_total", "x"));
        put(r, ")");
        return;
    case 4:
        put(r, "histogram_quantile(0.9, rate(");
        put_range(r, "h_bucket");
        put(r, "))");
        return;
    case 5:
        put_function_of_series(r, depth - 1);
        return;
    case 6:
        put(r, "(");
        put_series(r, depth - 1);
        put(r, PICK(r, " * ", " > ", " - ", " >= bool ", " ^ "));
        put_number(r);
        put(r, ")");
        return;
    case 7:
        put(r, "(");
        put_series(r, depth - 1);
        put(r, PICK(r, " / ", " + ", " and ", " or ", " unless ", " < ", " - on(pod) ",
                    " * ignoring(container) "));
        put_series(r, depth - 1);
        put(r, ")");
        return;
    case 8:
        put(r, "max_over_time(");
        put_series(r, depth - 1);
        put(r, PICK(r, "[5m:1m])", "[2m:])", "[4m:30s] offset 1m)"));
        return;
    default:
        put(r, "-");
        put_series(r, 0);
    }
}

/* Mostly the same labels everywhere in one query. */
static const char *by(struct promql_random *r) {
    static const char *const lists[] = {"(pod)",           "(pod)",       "(pod,)", "(namespace, pod)",
                                        "(pod,container)", "(container)", "()"};
    unsigned which = one_in(r, 10) ? below(r, 7) : (unsigned)r->by;

    return lists[which];
}

static void put_objects(struct promql_random *r, unsigned depth);

static void put_aggregation(struct promql_random *r, unsigned depth) {
    bool before = one_in(r, 2);

    put(r, PICK(r, "sum", "avg", "min", "MAX", "count", "stddev", "group", "stdvar"));
    if (before) {
        put(r, one_in(r, 40) ? " without " : " by ");
        put(r, by(r));
    }
    put(r, "(");
    if (depth && one_in(r, 6))
        put_objects(r, depth - 1);
    else
        put_series(r, depth);
    put(r, ")");
    if (!before) {
        put(r, " by ");
        put(r, by(r));
    }
}

/* What must not be widened, or only with care. */
static void put_odd(struct promql_random *r, unsigned depth) {
    unsigned which = below(r, 11);
    static const char *const starts[] = {"topk(1, ",
                                         "sort(",
                                         "quantile by (pod) (0.5, ",
                                         "scalar(",
                                         "absent(",
                                         "topk by (pod) (1, ",
                                         "label_replace(",
                                         "vector(0) or (",
                                         "sum(",
                                         "count_values by (pod) (\"v\", ",
                                         "bottomk(2, "};
    put(r, starts[which]);
    put_objects(r, depth);
    put(r, which == 6 ? ", \"pod\", \"a\", \"container\", \".*\")" : ")");
}

static void put_quantile(struct promql_random *r) {
    put(r, "histogram_quantile(0.5, sum by (le, pod) (rate(");
    put_range(r, "h_bucket");
    put(r, ")))");
}

static void put_objects(struct promql_random *r, unsigned depth) {
    switch (below(r, depth ? 12 : 5)) {
    case 0:
    case 1:
    case 2:
    case 3:
        put_aggregation(r, depth);
        return;
    case 4:
        put_quantile(r);
        return;
    case 5:
        put(r, PICK(r, "abs(", "round(", "ceil(", "-("));
        put_objects(r, depth - 1);
        put(r, ")");
        return;
    case 6:
        put_number(r);
        put(r, PICK(r, " * ", " - ", " < ", " / "));
        put_objects(r, depth - 1);
        return;
    case 7:
    case 8:
        put(r, "(");
        put_objects(r, depth - 1);
        put(r, PICK(r, " / ", " + ", " or ", " and ", " unless ", " >= ", " == bool ", " / on(pod) ",
                    " * on(pod) group_left "));
        if (one_in(r, 8))
            put_series(r, 0);
        else
            put_objects(r, depth - 1);
        put(r, ")");
        return;
    case 9:
        put(r, "avg_over_time(");
        put_objects(r, depth - 1);
        put(r, "[3m:1m])");
        return;
    case 10:
        put_objects(r, depth - 1);
        put(r, PICK(r, " % ", " ^ ", " >= bool "));
        put_number(r);
        return;
    default:
        if (one_in(r, 2))
            put_odd(r, depth - 1);
        else
            put_objects(r, depth - 1);
    }
}

void promql_random_query(struct promql_random *r, const char *ns, const char *object) {
    buf_reset(&r->out);
    r->ns = ns;
    r->object = object;
    r->by = (int)below(r, 5);
    put_objects(r, 3);
}
