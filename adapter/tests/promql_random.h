/* Random queries over the series of live_widen, as templates might give them: most can be widened, some must
 * not be. */
#ifndef ADAPTER_TESTS_PROMQL_RANDOM_H
#define ADAPTER_TESTS_PROMQL_RANDOM_H

#include "base/buf.h"
#include <stdint.h>

struct promql_random {
    uint64_t state;
    struct buf out;
    const char *ns;     /* what the request brings */
    const char *object; /* ="a" or =~"a|b", with the operator */
    int by;             /* which labels this query aggregates by */
};

/* Puts one query for objects of ns into out, which is emptied before. */
void promql_random_query(struct promql_random *r, const char *ns, const char *object);

#endif
