/* Formulas from any text: what is read runs to an end, with a finite number or the reason why there is none.
 */
#include "api/types/formula.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"a", "b", "gone", NULL};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct formula_value values[NAMES] = {
        {.replicas = 3, .value = 0.25}, {.replicas = 0, .value = -7}, {.missing = true}, {.missing = true}};
    const struct formula_input in = {values, 5};
    const struct formula *formula;
    struct arena cleanup_arena arena;
    double result = NAN;
    uint32_t metric = NAMES;
    struct err err;
    char text[FORMULA_TEXT_MAX + 3];

    arena_init(&arena, 0);
    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (formula_parse(text, names, NAMES, &arena, &formula, &err) < 0) {
        if (strncmp(err.text, "at ", 3) != 0)
            abort();
        return 0;
    }
    int ret = formula_eval(formula, &in, &result, &metric);
    if (ret == 0 ? !isfinite(result) : !isnan(result))
        abort();
    if (ret == -ENODATA ? metric != 2 || !formula_uses(formula, 2) : metric != NAMES)
        abort();
    return 0;
}
