/* A parsed formula: code for a machine with a stack of numbers, in the order in which it runs. Nesting bounds
 * the stack, so that evaluating needs neither recursion nor memory. Private to the formula. */
#ifndef API_TYPES_FORMULA_CODE_H
#define API_TYPES_FORMULA_CODE_H

#include "api/types/formula.h"

enum formula_op {
    OP_NUMBER,   /* pushes number */
    OP_REPLICAS, /* pushes the present number */
    OP_PROPOSAL, /* pushes what metric `arg` asks for */
    OP_VALUE,    /* pushes the value of metric `arg` */
    OP_MISSING,  /* pushes 1 where metric `arg` is missing, else 0 */
    OP_NEGATE,
    OP_JUMP,   /* goes on at `arg` */
    OP_UNLESS, /* pops; goes on at `arg` where it was 0 */
    /* From here on: pops two, pushes what the operator makes of them. */
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_REMAINDER,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_EQUAL,
    OP_NOT_EQUAL,
    OP_MIN,
    OP_MAX,
};

struct formula_step {
    enum formula_op op;
    uint32_t arg;
    double number;
};

struct formula {
    uint32_t count;
    const struct formula_step *steps;
};

/* Each level of nesting holds at most the left sides of a comparison, a sum and a product, and what a
 * function has gathered so far; one more is being made. */
enum { FORMULA_STACK = 4 * (FORMULA_DEPTH_MAX + 1) + 1 };

#endif
