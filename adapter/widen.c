/* Reads a query as Prometheus would, as far as it is made of what is known here, and proves on the way that
 * each element of its result comes from the series of one object.
 *
 * One pass does it all: a recursive descent over the text, which returns for each expression what is known of
 * it (struct widen_value) and, as it goes, copies the text to out without the matchers that may go. There is
 * no way back: whatever is not understood, or cannot be proven, ends the pass with false, the copy is thrown
 * away, and the query is tried again less wide, or sent as it is. So a rule that is missing here costs a
 * query and never a wrong value; why each rule is needed: docs/decisions/017-what-is-widened.md. */
#include "adapter/widen_internal.h"

#include "base/str.h"
#include <string.h>
#include <strings.h>

/* Binding power; ^ binds from the right. A sign binds as a product. */
enum { PREC_OR = 1, PREC_AND, PREC_COMPARE, PREC_SUM, PREC_PRODUCT, PREC_POWER };
enum binary_kind { BINARY_SET, BINARY_COMPARE, BINARY_ARITHMETIC };

struct binary {
    const char *text;
    int precedence;
    enum binary_kind kind;
    bool word;
};

/* Longer ones stand before their beginnings. */
static const struct binary binaries[] = {
    {"==", PREC_COMPARE, BINARY_COMPARE, false},      {"!=", PREC_COMPARE, BINARY_COMPARE, false},
    {"<=", PREC_COMPARE, BINARY_COMPARE, false},      {">=", PREC_COMPARE, BINARY_COMPARE, false},
    {"<", PREC_COMPARE, BINARY_COMPARE, false},       {">", PREC_COMPARE, BINARY_COMPARE, false},
    {"+", PREC_SUM, BINARY_ARITHMETIC, false},        {"-", PREC_SUM, BINARY_ARITHMETIC, false},
    {"*", PREC_PRODUCT, BINARY_ARITHMETIC, false},    {"/", PREC_PRODUCT, BINARY_ARITHMETIC, false},
    {"%", PREC_PRODUCT, BINARY_ARITHMETIC, false},    {"^", PREC_POWER, BINARY_ARITHMETIC, false},
    {"atan2", PREC_PRODUCT, BINARY_ARITHMETIC, true}, {"and", PREC_AND, BINARY_SET, true},
    {"unless", PREC_AND, BINARY_SET, true},           {"or", PREC_OR, BINARY_SET, true},
};

/* Functions whose every element comes from one of their argument's, by arguments: r a range, v a vector, n a
 * number. Only required ones must be there. Not among them: what makes an element of nothing (absent,
 * vector), of all elements (scalar), or gives one other labels (label_replace, label_join). */
static const struct function {
    const char *name, *arguments;
    size_t required;
} functions[] = {
    {"abs", "v", 1},
    {"acos", "v", 1},
    {"acosh", "v", 1},
    {"asin", "v", 1},
    {"asinh", "v", 1},
    {"atan", "v", 1},
    {"atanh", "v", 1},
    {"avg_over_time", "r", 1},
    {"ceil", "v", 1},
    {"changes", "r", 1},
    {"clamp", "vnn", 3},
    {"clamp_max", "vn", 2},
    {"clamp_min", "vn", 2},
    {"cos", "v", 1},
    {"cosh", "v", 1},
    {"count_over_time", "r", 1},
    {"day_of_month", "v", 1},
    {"day_of_week", "v", 1},
    {"day_of_year", "v", 1},
    {"days_in_month", "v", 1},
    {"deg", "v", 1},
    {"delta", "r", 1},
    {"deriv", "r", 1},
    {"double_exponential_smoothing", "rnn", 3},
    {"exp", "v", 1},
    {"floor", "v", 1},
    {"histogram_quantile", "nv", 2},
    {"holt_winters", "rnn", 3},
    {"hour", "v", 1},
    {"idelta", "r", 1},
    {"increase", "r", 1},
    {"irate", "r", 1},
    {"last_over_time", "r", 1},
    {"ln", "v", 1},
    {"log10", "v", 1},
    {"log2", "v", 1},
    {"max_over_time", "r", 1},
    {"min_over_time", "r", 1},
    {"minute", "v", 1},
    {"month", "v", 1},
    {"pi", "", 0},
    {"predict_linear", "rn", 2},
    {"present_over_time", "r", 1},
    {"quantile_over_time", "nr", 2},
    {"rad", "v", 1},
    {"rate", "r", 1},
    {"resets", "r", 1},
    {"round", "vn", 1},
    {"sgn", "v", 1},
    {"sin", "v", 1},
    {"sinh", "v", 1},
    {"sqrt", "v", 1},
    {"stddev_over_time", "r", 1},
    {"stdvar_over_time", "r", 1},
    {"sum_over_time", "r", 1},
    {"tan", "v", 1},
    {"tanh", "v", 1},
    {"time", "", 0},
    {"timestamp", "v", 1},
    {"year", "v", 1},
};

/* Those whose result for a group depends on that group's series alone, and has no labels but the group's. */
static const char *const aggregations[] = {"sum",    "avg",    "min",   "max", "count",
                                           "stddev", "stdvar", "group", NULL};
/* Words of the language that are no names here: other aggregations, and what cannot begin an expression. */
static const char *const reserved[] = {
    "topk",   "bottomk",  "quantile",   "count_values", "limitk", "limit_ratio", "by",  "without",
    "on",     "ignoring", "group_left", "group_right",  "bool",   "offset",      "and", "or",
    "unless", "atan2",    "start",      "end",          "step",   NULL};

static bool is_one_of(const char *const *words, const char *word) {
    while (*words && strcasecmp(*words, word) != 0)
        words++;
    return *words;
}

static bool take_expression(struct widener *w, int precedence, struct widen_value *ret_value);

/* The next operator, where it binds tightly enough; a looser one is left to whoever called the caller. */
static const struct binary *take_binary(struct widener *w, int precedence) {
    for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++) {
        const struct binary *o = &binaries[i];
        if (o->precedence >= precedence &&
            (o->word ? widen_take_keyword(w, o->text) : widen_take(w, o->text)))
            return o;
    }
    return NULL;
}

/* Elements of both sides meet where all their labels are the same, so only those of one object do. Two of one
 * side may not meet the same one: they are distinct. Sets of labels that differ would meet otherwise once the
 * namespace is among them. */
static bool meet(const struct widen_value *a, const struct widen_value *b) {
    if (a->shape != b->shape || !a->distinct || !b->distinct)
        return false;
    return a->shape != SHAPE_OBJECTS || widen_set_equal(&a->labels, &b->labels);
}

/* left becomes what the operator makes of both. */
static bool combine(const struct binary *o, struct widen_value *left, const struct widen_value *right) {
    /* With a number on one side the other side is what counts; of two vectors both have the same shape. */
    struct widen_value result = left->shape == SHAPE_NUMBER ? *right : *left;
    bool number = left->shape == SHAPE_NUMBER || right->shape == SHAPE_NUMBER;

    if (left->range || right->range)
        return false;
    if (number && o->kind == BINARY_SET)
        return false;
    if (!number && !meet(left, right))
        return false;
    result.selector = result.shiftable = false;
    *left = result;
    return result.shape == SHAPE_NUMBER || result.distinct;
}

/* Up to the closing bracket. Of all arguments one at most is not a number, and what is known of it is known
 * of the result. */
static bool take_arguments(struct widener *w, const struct function *f, struct widen_value *ret_value) {
    size_t n = 0;
    bool comma = false;

    for (; !widen_take(w, ")"); n++) {
        struct widen_value value;
        if ((n && !comma) || !f->arguments[n] || !take_expression(w, PREC_OR, &value))
            return false;
        if ((f->arguments[n] == 'n') != (value.shape == SHAPE_NUMBER) ||
            (f->arguments[n] == 'r') != value.range)
            return false;
        if (f->arguments[n] != 'n')
            *ret_value = value;
        comma = widen_take(w, ",");
    }
    return n >= f->required && (!comma || !n);
}

/* The buckets of one histogram become one element without le. */
static bool drop_le(const struct widener *w, struct widen_value *value) {
    struct widen_set *set = &value->labels;
    uint32_t kept = 0;

    /* An object's name in le would be lost with it. */
    if (strcmp(w->labels->object, "le") == 0 || (w->labels->ns && strcmp(w->labels->ns, "le") == 0))
        return false;
    if (value->shape == SHAPE_SERIES)
        return true;
    for (uint32_t i = 0; i < set->count; i++)
        if (strcmp(set->names[i], "le") != 0)
            set->names[kept++] = set->names[i];
    bool had = kept < set->count;
    set->count = kept;
    return had;
}

/* Behind a function's name and its first bracket. */
static bool take_function(struct widener *w, const char *name, struct widen_value *ret_value) {
    size_t i = 0;

    while (i < sizeof(functions) / sizeof(functions[0]) && strcmp(functions[i].name, name) != 0)
        i++;
    *ret_value = (struct widen_value){.shape = SHAPE_NUMBER};
    if (i == sizeof(functions) / sizeof(functions[0]) || !take_arguments(w, &functions[i], ret_value))
        return false;
    ret_value->range = ret_value->selector = ret_value->shiftable = false;
    if (ret_value->shape != SHAPE_NUMBER && !ret_value->distinct)
        return false;
    return strcmp(name, "histogram_quantile") != 0 || drop_le(w, ret_value);
}

/* The labels that elements have after an aggregation over what has those of inner. */
static void intersect(struct widen_set *set, const struct widen_set *inner) {
    uint32_t kept = 0;

    for (uint32_t i = 0; i < set->count; i++)
        if (widen_set_has(inner, set->names[i]))
            set->names[kept++] = set->names[i];
    set->count = kept;
}

/* Behind the name of an aggregation: by before or after what is aggregated. */
static bool take_by_and_over(struct widener *w, struct widen_set *ret_by, struct widen_value *ret_over) {
    bool before = widen_take_keyword(w, "by");

    if (before && !widen_by(w, ret_by))
        return false;
    if (!widen_take(w, "(") || !take_expression(w, PREC_OR, ret_over) || !widen_take(w, ")"))
        return false;
    return before || (widen_take_keyword(w, "by") && widen_by(w, ret_by));
}

/* The name as one of the labels could make elements meet that are not the same. */
static bool take_aggregation(struct widener *w, struct widen_value *ret_value) {
    struct widen_set by;
    struct widen_value over;

    /* Groups are distinct by their nature, also over what is not: this is what makes a selector without a
     * name usable at all. */
    if (!take_by_and_over(w, &by, &over) || over.range || over.shape == SHAPE_NUMBER)
        return false;
    if (!widen_set_has(&by, w->labels->object) || widen_set_has(&by, "__name__"))
        return false;
    if (over.shape == SHAPE_OBJECTS)
        intersect(&by, &over.labels);
    *ret_value = (struct widen_value){.shape = SHAPE_OBJECTS, .distinct = true, .labels = by};
    return true;
}

static bool take_named(struct widener *w, struct widen_value *ret_value) {
    const char *name = promql_take_name(&w->in, /* colon= */ true);

    *ret_value = (struct widen_value){.shape = SHAPE_NUMBER};
    if (!name || is_one_of(reserved, name))
        return false;
    if (strcasecmp(name, "inf") == 0 || strcasecmp(name, "nan") == 0)
        return true;
    if (is_one_of(aggregations, name))
        return take_aggregation(w, ret_value);
    return widen_take(w, "(") ? take_function(w, name, ret_value) : widen_selector(w, name, ret_value);
}

static bool take_primary(struct widener *w, struct widen_value *ret_value) {
    promql_skip(&w->in);
    char c = *w->in.at;
    if (c == '{')
        return widen_selector(w, NULL, ret_value);
    if (c == '.' || (c >= '0' && c <= '9')) {
        *ret_value = (struct widen_value){.shape = SHAPE_NUMBER};
        return widen_take_number(w);
    }
    if (c != '(')
        return take_named(w, ret_value);
    w->in.at++;
    if (!take_expression(w, PREC_OR, ret_value))
        return false;
    ret_value->selector = ret_value->shiftable = false;
    return widen_take(w, ")");
}

/* -1 with an expression is a product, and drops the name as one. */
static bool take_signed(struct widener *w, struct widen_value *ret_value) {
    if (!widen_take(w, "-") && !widen_take(w, "+"))
        return take_primary(w, ret_value) && widen_modifiers(w, ret_value);
    if (!take_expression(w, PREC_POWER, ret_value))
        return false;
    ret_value->selector = ret_value->shiftable = false;
    return !ret_value->range && (ret_value->shape == SHAPE_NUMBER || ret_value->distinct);
}

/* What binds at least as tightly as precedence. */
static bool take_expression(struct widener *w, int precedence, struct widen_value *ret_value) {
    const struct binary *o;

    if (w->depth == WIDEN_DEPTH_MAX)
        return false;
    w->depth++;
    bool ok = take_signed(w, ret_value);
    while (ok && (o = take_binary(w, precedence))) {
        struct widen_value right;
        if (o->kind == BINARY_COMPARE)
            widen_take_keyword(w, "bool");
        /* on and ignoring begin no expression, so they end here. */
        ok = take_expression(w, o->precedence + (o->precedence != PREC_POWER), &right) &&
             combine(o, ret_value, &right);
    }
    w->depth--;
    return ok;
}

static bool widen(const char *query, const struct widen_labels *labels, bool namespaces, struct buf *out) {
    cleanup_arena struct arena arena;
    struct widener w = {.in = {.text = query, .at = query, .arena = &arena},
                        .labels = labels,
                        .namespaces = namespaces,
                        .copied = query,
                        .out = out};
    struct widen_value value;

    /* Series by themselves are not enough: two of one object would be two elements, of which the narrow
     * query's answer and the wide one's need not name the same. */
    arena_init(&arena, 4096);
    buf_reset(out);
    if (!take_expression(&w, PREC_OR, &value) || value.shape != SHAPE_OBJECTS || value.range)
        return false;
    promql_skip(&w.in);
    return !*w.in.at && !w.full && buf_puts(out, w.copied) == 0;
}

enum widened widen_query(const char *query, const struct widen_labels *labels, enum widened most,
                         struct buf *out) {
    cleanup_buf struct buf wide;
    enum widened level = most;

    buf_init(&wide, 2 * strlen(query)); /* what does not fit is widened less */
    if (strlen(query) > WIDEN_QUERY_MAX)
        level = WIDEN_NONE;
    if (level == WIDEN_NAMESPACES && (!labels->ns || str_eq(labels->ns, labels->object)))
        level = WIDEN_OBJECTS;
    while (level > WIDEN_NONE && !widen(query, labels, level == WIDEN_NAMESPACES, &wide))
        level--;
    buf_puts(out, level > WIDEN_NONE ? wide.data : query);
    return level;
}
