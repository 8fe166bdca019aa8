/* Runs a formula: step by step over a stack of numbers. Jumps come from if() alone and lead forward, so that
 * a run takes no more steps than there are. It allocates nothing, and fails only by a metric that is missing
 * or a number that is not finite. */
#include "api/types/formula_code.h"

#include <errno.h>
#include <math.h>

/* What the operators make of two numbers. A division by zero gives what is not finite, and is refused with
 * that. */
static double binary(enum formula_op op, double a, double b) {
    switch (op) {
    case OP_ADD:
        return a + b;
    case OP_SUBTRACT:
        return a - b;
    case OP_MULTIPLY:
        return a * b;
    case OP_DIVIDE:
        return a / b;
    case OP_REMAINDER:
        return fmod(a, b);
    case OP_LESS:
        return a < b;
    case OP_LESS_EQUAL:
        return a <= b;
    case OP_GREATER:
        return a > b;
    case OP_GREATER_EQUAL:
        return a >= b;
    case OP_EQUAL:
        return a == b;
    case OP_NOT_EQUAL:
        return a != b;
    case OP_MIN:
        return a < b ? a : b;
    case OP_MAX:
        return a > b ? a : b;
    case OP_NUMBER:
    case OP_REPLICAS:
    case OP_PROPOSAL:
    case OP_VALUE:
    case OP_MISSING:
    case OP_NEGATE:
    case OP_JUMP:
    case OP_UNLESS:
        break;
    }
    return NAN;
}

/* The number that a step pushes; -ENODATA where its metric has none. */
static int operand(const struct formula_step *step, const struct formula_input *in, double *ret) {
    if (step->op == OP_NUMBER || step->op == OP_REPLICAS) {
        *ret = step->op == OP_NUMBER ? step->number : in->replicas;
        return 0;
    }
    /* Of the rest each names a metric. */
    const struct formula_value *metric = &in->metrics[step->arg];
    if (step->op == OP_MISSING) {
        *ret = metric->missing;
        return 0;
    }
    bool value = step->op == OP_VALUE;
    *ret = value ? metric->value : metric->replicas;
    return metric->missing || (value && metric->valueless) ? -ENODATA : 0;
}

/* The numbers under way. Slot 0 stays empty: what the parser made never takes more than there is. */
struct stack {
    uint32_t depth;
    double numbers[FORMULA_STACK + 1];
};

static double pop(struct stack *s) {
    double top = s->numbers[s->depth];

    s->depth -= s->depth > 0;
    return top;
}

static void push(struct stack *s, double number) {
    s->numbers[++s->depth] = number;
}

/* One step that leaves a number; -EDOM where it is not finite, at once: 1 / (1 / 0) would be a 0 that nobody
 * asked for. */
static int compute(const struct formula_step *step, const struct formula_input *in, struct stack *s) {
    double number = 0;
    int ret = 0;

    if (step->op >= OP_ADD) {
        double right = pop(s), left = pop(s);
        number = binary(step->op, left, right);
    } else if (step->op == OP_NEGATE) {
        number = -pop(s);
    } else {
        ret = operand(step, in, &number);
    }
    if (ret < 0)
        return ret;
    push(s, number);
    return isfinite(number) ? 0 : -EDOM;
}

int formula_eval(const struct formula *formula, const struct formula_input *in, double *ret_result,
                 uint32_t *ret_metric) {
    struct stack s = {0};

    for (uint32_t i = 0; i < formula->count;) {
        const struct formula_step *step = &formula->steps[i];
        if (step->op == OP_JUMP || step->op == OP_UNLESS) {
            bool jumps = step->op == OP_JUMP || pop(&s) == 0;
            i = jumps ? step->arg : i + 1;
            continue;
        }
        int ret = compute(step, in, &s);
        /* only a step that names a metric ends so */
        if (ret == -ENODATA)
            *ret_metric = step->arg;
        if (ret < 0)
            return ret;
        i++;
    }
    *ret_result = pop(&s);
    return 0;
}

bool formula_uses(const struct formula *formula, uint32_t metric) {
    for (uint32_t i = 0; i < formula->count; i++) {
        const struct formula_step *step = &formula->steps[i];
        if ((step->op == OP_PROPOSAL || step->op == OP_VALUE || step->op == OP_MISSING) &&
            step->arg == metric)
            return true;
    }
    return false;
}
