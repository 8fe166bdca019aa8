/* Reads a formula: by recursive descent, one function a rule of the grammar, straight into the code that runs
 * it: an operator's step goes behind those of its operands, which have been read by then, so that no tree is
 * needed. The first error ends it all; nothing is undone, and what the parser holds counts no more. */
#include "api/types/formula_code.h"

#include "base/mem.h"
#include "base/str.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A formula under way: p moves through text, and steps fill as it goes. */
struct parser {
    const char *text, *p;
    const char *const *names;
    uint32_t count;
    struct formula_step *steps;
    uint32_t used, depth;
    struct err *err;
};

/* ---- errors, with their position ---- */

__attribute__((format(printf, 3, 4))) static int fail(const struct parser *f, const char *at, const char *fmt,
                                                      ...) {
    char what[ERR_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    return err_set(f->err, -EINVAL, "at %zu: %s", (size_t)(at - f->text) + 1, what);
}

/* What should stand here, and what does. */
static int fail_expected(const struct parser *f, const char *expected) {
    size_t len = str_utf8(f->p);

    if (*f->p == '\0')
        return fail(f, f->p, "the formula ends here: expected %s", expected);
    if (len == 0 || iscntrl((unsigned char)*f->p))
        return fail(f, f->p, "a character that no formula has: expected %s", expected);
    return fail(f, f->p, "expected %s, found %.*s", expected, (int)len, f->p);
}

/* Shown as far as it is plausible for a name. */
enum { NAME_SHOWN = 63, LIST_SHOWN = 240 };

/* A name that nobody has: with the names that there are, since it is most often a slip of the pen. */
static int fail_name(const struct parser *f, const char *name, size_t len) {
    char list[LIST_SHOWN] = "";
    size_t n = 0;

    for (uint32_t i = 0; i < f->count && n < sizeof(list); i++) {
        if (f->names[i])
            n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", f->names[i]);
    }
    len = len > NAME_SHOWN ? NAME_SHOWN : len;
    if (n == 0)
        return fail(f, name, "no metric has the name %.*s: give the metrics names", (int)len, name);
    return fail(f, name, "no metric has the name %.*s: name one of %s", (int)len, name, list);
}

/* ---- characters ---- */

/* The next character that is no blank; a formula in YAML may run over several lines. */
static char peek(struct parser *f) {
    f->p += strspn(f->p, " \t\r\n");
    return *f->p;
}

static bool take(struct parser *f, const char *token) {
    peek(f);
    if (!str_starts(f->p, token))
        return false;
    f->p += strlen(token);
    return true;
}

static bool starts_name(char c) {
    return isalpha((unsigned char)c) || c == '_';
}

/* As the schema has the names of metrics: no dash, so that "a-b" is a difference. */
static size_t name_length(const char *p) {
    size_t len = 0;

    while (isalnum((unsigned char)p[len]) || p[len] == '_')
        len++;
    return len;
}

static bool name_is(const char *p, size_t len, const char *name) {
    return strlen(name) == len && memcmp(p, name, len) == 0;
}

/* ---- code ---- */

/* There is room: no step comes from less than a character of the text. */
static struct formula_step *emit(struct parser *f, enum formula_op op) {
    struct formula_step *step = &f->steps[f->used++];

    *step = (struct formula_step){.op = op};
    return step;
}

/* ---- the grammar: each function reads its rule at p, and leaves p behind it ---- */

static int parse_formula(struct parser *f);

/* Digits, a point, an exponent; nothing else that C takes for a number (hexadecimal, infinity). */
static int parse_number(struct parser *f) {
    char text[64];
    size_t len = strspn(f->p, "0123456789.");
    double number;

    if (f->p[len] == 'e' || f->p[len] == 'E') {
        len += 1 + (f->p[len + 1] == '+' || f->p[len + 1] == '-');
        len += strspn(f->p + len, "0123456789");
    }
    if (len >= sizeof(text))
        return fail(f, f->p, "a number may have %zu characters at most", sizeof(text) - 1);
    memcpy(text, f->p, len);
    text[len] = '\0';
    if (str_to_double(text, &number) < 0)
        return fail(f, f->p, "%s is no number", text);
    if (!isfinite(number))
        return fail(f, f->p, "%s is too large", text);
    emit(f, OP_NUMBER)->number = number;
    f->p += len;
    return 0;
}

/* The metric of the name that stands here. */
static int parse_metric(struct parser *f, enum formula_op op) {
    const char *name = f->p;
    size_t len = name_length(name);

    for (uint32_t i = 0; i < f->count; i++) {
        if (f->names[i] && name_is(name, len, f->names[i])) {
            emit(f, op)->arg = i;
            f->p += len;
            return 0;
        }
    }
    return fail_name(f, name, len);
}

/* replicas is no metric: where one is called so, it is not guessed which is meant. */
static int parse_replicas(struct parser *f, size_t len) {
    for (uint32_t i = 0; i < f->count; i++) {
        if (str_eq(f->names[i], "replicas"))
            return fail(f, f->p, "replicas is the present number: give the metric of that name another");
    }
    emit(f, OP_REPLICAS);
    f->p += len;
    return 0;
}

/* min(a, b, c) is min(min(a, b), c). */
static int parse_fold(struct parser *f, enum formula_op op, uint32_t *ret_count) {
    int ret = parse_formula(f);

    for (*ret_count = 1; ret == 0 && take(f, ","); (*ret_count)++) {
        ret = parse_formula(f);
        if (ret == 0)
            emit(f, op);
    }
    if (ret < 0)
        return ret;
    return take(f, ")") ? 0 : fail_expected(f, "an operator, \",\" or \")\"");
}

static int call_min(struct parser *f) {
    uint32_t count;
    return parse_fold(f, OP_MIN, &count);
}

static int call_max(struct parser *f) {
    uint32_t count;
    return parse_fold(f, OP_MAX, &count);
}

static int call_sum(struct parser *f) {
    uint32_t count;
    return parse_fold(f, OP_ADD, &count);
}

/* The sum, divided by how many there were. */
static int call_avg(struct parser *f) {
    uint32_t count;
    int ret = parse_fold(f, OP_ADD, &count);

    if (ret < 0)
        return ret;
    emit(f, OP_NUMBER)->number = count;
    emit(f, OP_DIVIDE);
    return 0;
}

/* One argument of if(), with what follows it. */
static int parse_branch(struct parser *f, const char *end) {
    int ret = parse_formula(f);

    if (ret < 0)
        return ret;
    if (take(f, end))
        return 0;
    return fail_expected(f, *end == ',' ? "an operator or \",\": if(condition, then, else)"
                                        : "an operator or \")\": if(condition, then, else)");
}

/* condition; UNLESS to A; then; JUMP to B; A: else; B: */
static int call_if(struct parser *f) {
    struct formula_step *unless, *jump;
    int ret = parse_branch(f, ",");

    if (ret < 0)
        return ret;
    unless = emit(f, OP_UNLESS);
    ret = parse_branch(f, ",");
    if (ret < 0)
        return ret;
    jump = emit(f, OP_JUMP);
    unless->arg = f->used;
    ret = parse_branch(f, ")");
    jump->arg = f->used;
    return ret;
}

/* What is said of one metric: missing(queue), value(queue). */
static int parse_of_metric(struct parser *f, enum formula_op op) {
    if (!starts_name(peek(f)))
        return fail_expected(f, "a metric's name");
    int ret = parse_metric(f, op);
    if (ret < 0)
        return ret;
    return take(f, ")") ? 0 : fail_expected(f, "\")\"");
}

static int call_missing(struct parser *f) {
    return parse_of_metric(f, OP_MISSING);
}

static int call_value(struct parser *f) {
    return parse_of_metric(f, OP_VALUE);
}

static const struct {
    const char *name;
    int (*parse)(struct parser *f); /* from behind "(" to behind ")" */
} functions[] = {
    {"min", call_min}, {"max", call_max},         {"avg", call_avg},     {"sum", call_sum},
    {"if", call_if},   {"missing", call_missing}, {"value", call_value},
};

/* One level of nesting more. It bounds this descent, and the stack when it runs. */
static int enter(struct parser *f, const char *at) {
    if (++f->depth > FORMULA_DEPTH_MAX)
        return fail(f, at, "nested deeper than %d", FORMULA_DEPTH_MAX);
    return 0;
}

static int parse_call(struct parser *f, const char *name, size_t len) {
    int ret = enter(f, name);

    for (size_t i = 0; ret == 0 && i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (name_is(name, len, functions[i].name)) {
            ret = functions[i].parse(f);
            f->depth--;
            return ret;
        }
    }
    if (ret < 0)
        return ret;
    return fail(f, name, "no function is called %.*s: there are min, max, avg, sum, if, missing and value",
                (int)(len > NAME_SHOWN ? NAME_SHOWN : len), name);
}

/* A function where "(" follows, else a metric: one may well be called "min". */
static int parse_name(struct parser *f) {
    const char *name = f->p;
    size_t len = name_length(name);

    f->p += len;
    if (take(f, "("))
        return parse_call(f, name, len);
    f->p = name; /* what follows reads the name itself, and its errors point there */
    return name_is(name, len, "replicas") ? parse_replicas(f, len) : parse_metric(f, OP_PROPOSAL);
}

/* "(" formula ")" */
static int parse_group(struct parser *f) {
    int ret = enter(f, f->p);

    f->p++;
    if (ret == 0)
        ret = parse_formula(f);
    if (ret < 0)
        return ret;
    f->depth--;
    return take(f, ")") ? 0 : fail_expected(f, "an operator or \")\"");
}

static int parse_primary(struct parser *f) {
    char c = peek(f);

    if (isdigit((unsigned char)c) || c == '.')
        return parse_number(f);
    if (starts_name(c))
        return parse_name(f);
    if (c == '(')
        return parse_group(f);
    return fail_expected(f, "a number, a metric's name, a function or \"(\"");
}

/* [ "-" ] primary */
static int parse_unary(struct parser *f) {
    bool negative = take(f, "-");
    int ret = parse_primary(f);

    if (ret == 0 && negative)
        emit(f, OP_NEGATE);
    return ret;
}

/* An operator as it is written. */
struct symbol {
    const char *text;
    enum formula_op op;
};

static const struct symbol *take_symbol(struct parser *f, const struct symbol *symbols, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (take(f, symbols[i].text))
            return &symbols[i];
    }
    return NULL;
}

/* unary { ("*" | "/" | "%") unary } */
static int parse_product(struct parser *f) {
    static const struct symbol symbols[] = {{"*", OP_MULTIPLY}, {"/", OP_DIVIDE}, {"%", OP_REMAINDER}};
    const struct symbol *symbol;
    int ret = parse_unary(f);

    while (ret == 0 && (symbol = take_symbol(f, symbols, 3)) != NULL) {
        ret = parse_unary(f);
        if (ret == 0)
            emit(f, symbol->op);
    }
    return ret;
}

/* product { ("+" | "-") product } */
static int parse_sum(struct parser *f) {
    static const struct symbol symbols[] = {{"+", OP_ADD}, {"-", OP_SUBTRACT}};
    const struct symbol *symbol;
    int ret = parse_product(f);

    while (ret == 0 && (symbol = take_symbol(f, symbols, 2)) != NULL) {
        ret = parse_product(f);
        if (ret == 0)
            emit(f, symbol->op);
    }
    return ret;
}

/* The longer ones first: "<=" is not "<". */
static const struct symbol comparisons[] = {
    {"<=", OP_LESS_EQUAL}, {">=", OP_GREATER_EQUAL}, {"==", OP_EQUAL},
    {"!=", OP_NOT_EQUAL},  {"<", OP_LESS},           {">", OP_GREATER},
};
enum { COMPARISONS = sizeof(comparisons) / sizeof(comparisons[0]) };

/* sum [ comparison sum ]: "1 < x < 3" would not mean what it says, and is refused. */
static int parse_formula(struct parser *f) {
    const struct symbol *symbol;
    const char *at;
    int ret = parse_sum(f);

    if (ret < 0 || (symbol = take_symbol(f, comparisons, COMPARISONS)) == NULL)
        return ret;
    ret = parse_sum(f);
    if (ret < 0)
        return ret;
    emit(f, symbol->op);
    peek(f);
    at = f->p;
    return take_symbol(f, comparisons, COMPARISONS) ? fail(f, at, "a second comparison: put one in ( )") : 0;
}

int formula_parse(const char *text, const char *const *names, uint32_t count, struct arena *arena,
                  const struct formula **ret_formula, struct err *err) {
    struct parser f = {.text = text, .p = text, .names = names, .count = count, .err = err};
    size_t len = strnlen(text, FORMULA_TEXT_MAX + 1);

    if (len > FORMULA_TEXT_MAX)
        return fail(&f, text + len - 1, "a formula may have %d characters at most", FORMULA_TEXT_MAX);
    cleanup_free struct formula_step *steps = xcalloc(len, sizeof(*steps));
    f.steps = steps;
    int ret = parse_formula(&f);
    if (ret < 0)
        return ret;
    if (peek(&f) != '\0')
        return fail_expected(&f, "an operator or the end");

    /* Only what was used is kept: the policy lives long. */
    struct formula *formula = ARENA_NEW(arena, struct formula);
    struct formula_step *kept = ARENA_ARRAY(arena, struct formula_step, f.used);
    memcpy(kept, steps, f.used * sizeof(*steps));
    *formula = (struct formula){f.used, kept};
    *ret_formula = formula;
    return 0;
}
