/* Combine by formula: the policy's expression over its metrics takes the place of the largest proposal. Where
 * it cannot be computed the decision fails, and holds: it never guesses a number from what is left. */
#include "autoscaler/stages.h"

#include <errno.h>

/* A metric that whenMissing takes out of the list is as missing to a formula that names it as one that
 * failed. */
static struct formula_input formula_input(const struct decide_input *in, const struct proposal *proposals,
                                          struct arena *arena) {
    uint32_t count = in->spec->metric_count;
    struct formula_value *values = ARENA_ARRAY(arena, struct formula_value, count);

    for (uint32_t i = 0; i < count; i++)
        values[i] = (struct formula_value){
            .missing = !proposals[i].valid || proposals[i].ignored,
            .valueless = proposals[i].valueless,
            .replicas = proposals[i].replicas,
            .value = proposals[i].value,
        };
    return (struct formula_input){values, in->scale.spec_replicas};
}

/* The metric that a person would name as the reason: the one that asks for just this, else the first that the
 * formula names. */
static uint32_t deciding_metric(const struct decide_input *in, const struct proposal *proposals,
                                int32_t replicas) {
    const struct formula *formula = in->spec->formula;
    uint32_t first = UINT32_MAX;

    for (uint32_t i = 0; i < in->spec->metric_count; i++) {
        if (!formula_uses(formula, i))
            continue;
        if (proposals[i].valid && !proposals[i].ignored && proposals[i].replicas == replicas)
            return i;
        if (first == UINT32_MAX)
            first = i;
    }
    return first == UINT32_MAX ? 0 : first;
}

/* What is ignored does not count as failed, as beside a maximum. */
static void count_invalid(const struct proposal *proposals, uint32_t count, struct combined *c) {
    for (uint32_t i = 0; i < count; i++) {
        if (!proposals[i].valid && !proposals[i].ignored)
            c->first_invalid = c->invalid++ == 0 ? i : c->first_invalid;
    }
}

/* "formula needs queue, and …": with the metric's own failure. */
static const char *missing_text(const struct decide_input *in, const struct proposal *p, uint32_t metric,
                                struct arena *arena) {
    const char *why = p->failure && p->failure[0] ? p->failure : "it has no value";

    return arena_printf(arena, "formula needs %s, and %s", in->spec->metrics[metric].name, why);
}

void combine_formula(const struct decide_input *in, const struct proposal *proposals, struct arena *arena,
                     struct combined *ret_combined) {
    struct formula_input input = formula_input(in, proposals, arena);
    struct combined c = {.by_formula = true};
    uint32_t needed = 0;
    int ret = formula_eval(in->spec->formula, &input, &c.result, &needed);

    /* Counted beside the formula's own success: metrics that it does not need may fail, and are told. */
    count_invalid(proposals, in->spec->metric_count, &c);
    c.failed = ret < 0;
    /* The metric that the formula could not do without, which is not always the first that failed. */
    if (ret == -ENODATA) {
        c.first_invalid = needed;
        c.failure = missing_text(in, &proposals[needed], needed, arena);
    } else if (ret < 0) {
        c.failure = "formula has no result: with these values it divides by zero, or exceeds every number";
    } else {
        c.replicas = propose_ceil(c.result);
        c.best = deciding_metric(in, proposals, c.replicas);
    }
    *ret_combined = c;
}
