/* What rules need of a list of series: the different pairs of a name and a set of label names, called forms,
 * however many series have them. A registry made of forms is the one that the series would have made. Pure.
 */
#ifndef ADAPTER_SERIESFORMS_H
#define ADAPTER_SERIESFORMS_H

#include "adapter/exposition.h"
#include "base/buf.h"
#include <stdbool.h>

/* Forms of one list; names that never end are no metrics. */
enum { SERIESFORMS_MAX = 500 * 1000 };

struct seriesforms;

/* Empty; owned by the caller. */
struct seriesforms *seriesforms_new(void);
/* NULL is allowed. */
void seriesforms_free(struct seriesforms *forms);
/* Takes a series in; its values do not count. -E2BIG past SERIESFORMS_MAX. */
int seriesforms_add(struct seriesforms *forms, const struct series *series, struct err *err);
/* Puts the forms into the order in which each was seen last, for the later one wins in a registry. To be
 * called once, after all were added, and before the two below. */
void seriesforms_sort(struct seriesforms *forms);
/* Whether two lists have the same forms in the same order. NULL is a list of none. */
bool seriesforms_equal(const struct seriesforms *a, const struct seriesforms *b);
/* Calls fn for each form, as a series with its values empty. NULL is allowed. */
typedef void seriesforms_fn(void *arg, const struct series *form);
void seriesforms_each(const struct seriesforms *forms, seriesforms_fn *fn, void *arg);
/* How many series there were, and how many forms of them. NULL is allowed. */
uint64_t seriesforms_series(const struct seriesforms *forms);
uint32_t seriesforms_count(const struct seriesforms *forms);

/* Appends the names of the series' labels, each with an end that is no character of a name: since labels are
 * sorted, equal sets give equal texts. -E2BIG. */
int series_label_names(const struct series *series, struct buf *out);

#endif
