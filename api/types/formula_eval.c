/* Runs a formula. */
#include "api/types/formula_code.h"

#include <errno.h>
#include <math.h>

/* A division by zero gives what is not finite, and is refused with that. */
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
    const struct formula_value *metric = &in->metrics[step->arg];
    if (step->op == OP_MISSING) {
        *ret = metric->missing;
        return 0;
    }
    *ret = step->op == OP_VALUE ? metric->value : metric->replicas;
    return metric->missing ? -ENODATA : 0;
}

int formula_eval(const struct formula *formula, const struct formula_input *in, double *ret_result,
                 uint32_t *ret_metric) {
    double stack[FORMULA_STACK];
    uint32_t depth = 0;

    for (uint32_t i = 0; i < formula->count; i++) {
        const struct formula_step *step = &formula->steps[i];
        if (step->op == OP_JUMP) {
            i = step->arg - 1;
            continue;
        }
        if (step->op == OP_UNLESS) {
            depth--;
            if (stack[depth] == 0)
                i = step->arg - 1;
            continue;
        }
        if (step->op >= OP_ADD) {
            depth--;
            stack[depth - 1] = binary(step->op, stack[depth - 1], stack[depth]);
        } else if (step->op == OP_NEGATE) {
            stack[depth - 1] = -stack[depth - 1];
        } else if (operand(step, in, &stack[depth++]) < 0) {
            *ret_metric = step->arg;
            return -ENODATA;
        }
        /* At once: 1 / (1 / 0) would be a 0 that nobody asked for. */
        if (!isfinite(stack[depth - 1]))
            return -EDOM;
    }
    *ret_result = stack[0];
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
