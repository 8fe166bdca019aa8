/* A Prometheus series selector, as rules have in seriesQuery: name{label="v",other!~"re"}. Pure. */
#ifndef ADAPTER_SERIESSELECTOR_H
#define ADAPTER_SERIESSELECTOR_H

#include "adapter/exposition.h"
#include "base/err.h"
#include <stdbool.h>

enum { SERIESSELECTOR_TEXT_MAX = 16 * 1024, SERIESSELECTOR_MATCHERS_MAX = 128 };

struct seriesselector; /* immutable */

/* -EINVAL: "position 12: …" tells where, counted in bytes from 1, and what was expected; also for what PromQL
 * has beside selectors, and for a selector that every series would fulfil, which Prometheus refuses. Regular
 * expressions are anchored, as in PromQL. Owned by the caller. */
int seriesselector_new(const char *text, struct seriesselector **ret_selector, struct err *err);
void seriesselector_free(struct seriesselector *selector);
/* Whether the series is selected; ret_why (may be NULL) is set where it is not: the first matcher that does
 * not hold, as it stands in the text. Borrowed from the selector. */
bool seriesselector_matches(const struct seriesselector *selector, const struct series *series,
                            const char **ret_why);

#endif
