/* The formula of a policy: one expression over its named metrics that takes the place of the maximum. Pure.
 *
 *   formula    = comparison
 *   comparison = sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum ]       1 or 0
 *   sum        = product { ("+" | "-") product }
 *   product    = unary { ("*" | "/" | "%") unary }
 *   unary      = [ "-" ] primary
 *   primary    = number | name | name "(" [ formula { "," formula } ] ")" | "(" formula ")"
 *
 * A metric's name stands for the replicas that it asks for; value(name) is the value itself (of a metric of
 * pods the average) in units; replicas is the present number. Functions: min max avg sum (one argument or
 * more), if(condition, then, else), missing(name). */
#ifndef API_TYPES_FORMULA_H
#define API_TYPES_FORMULA_H

#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct formula; /* parsed; immutable, lives in the arena it was parsed into */

enum { FORMULA_TEXT_MAX = 1024, FORMULA_DEPTH_MAX = 32 };

/* Parses text; names[i] (NULL: metric i has no name) become indexes. -EINVAL tells the position, counted from
 * 1, and what was expected: "at 9: no metric has the name queu: name one of queue, cpu". */
int formula_parse(const char *text, const char *const *names, uint32_t count, struct arena *arena,
                  const struct formula **ret_formula, struct err *err);

/* What a name stands for. */
struct formula_value {
    bool missing;    /* no usable value now */
    bool valueless;  /* replicas has a stand-in, and value is missing all the same */
    double replicas; /* its proposal */
    double value;    /* in units */
};

struct formula_input {
    const struct formula_value *metrics; /* one for each name */
    double replicas;                     /* at present */
};

/* Evaluates. -ENODATA: a metric that was needed is missing (ret_metric: its index); -EDOM: a division by zero
 * or a result that is not a finite number. if() evaluates only the branch that it takes. No allocation. */
int formula_eval(const struct formula *formula, const struct formula_input *in, double *ret_result,
                 uint32_t *ret_metric);
/* The index-th metric is named in the formula. */
bool formula_uses(const struct formula *formula, uint32_t metric);

#endif
