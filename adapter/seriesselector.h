/* A Prometheus series selector, as rules have in seriesQuery: name{label="v",other!~"re"}. Pure. */
#ifndef ADAPTER_SERIESSELECTOR_H
#define ADAPTER_SERIESSELECTOR_H

#include "adapter/exposition.h"
#include "base/err.h"
#include <stdbool.h>

struct seriesselector;

/* -EINVAL tells the position, counted from 1, and what was expected. Regular expressions are anchored, as in
 * PromQL. Owned by the caller. */
int seriesselector_new(const char *text, struct seriesselector **ret_selector, struct err *err);
void seriesselector_free(struct seriesselector *selector);
/* Whether the series is selected; ret_why (may be NULL): the first matcher that does not hold, as text of the
 * selector. */
bool seriesselector_matches(const struct seriesselector *selector, const struct series *series,
                            const char **ret_why);

#endif
