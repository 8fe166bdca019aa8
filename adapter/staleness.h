/* A subscriber's maxAge: whether a value is older than it allows, and the sentence that says so. Pure. */
#ifndef ADAPTER_STALENESS_H
#define ADAPTER_STALENESS_H

#include "api/types/sample.h"
#include <stdbool.h>

/* Starts as {.max_age = …}; 0: no value is too old. */
struct staleness {
    usec_t max_age;
    char *text; /* made when it is first needed; owned */
    usec_t text_at;
};
void staleness_done(struct staleness *staleness);

/* Whether a value of the wall time at (0: not told) is too old now. */
bool staleness_too_old(const struct staleness *staleness, usec_t at, usec_t now);
/* Turns a sample with a value that is too old into a stale one. Its message lives until the next call. */
void staleness_apply(struct staleness *staleness, usec_t now, struct sample *sample);

#endif
