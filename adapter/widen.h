/* A query for some objects made into one for all objects of their namespace (or of all namespaces), where it
 * provably gives the same value for each. Pure. */
#ifndef ADAPTER_WIDEN_H
#define ADAPTER_WIDEN_H

#include "base/buf.h"

enum { WIDEN_QUERY_MAX = 64 * 1024 }; /* a longer one is sent as it is */

struct widen_labels {
    const char *object; /* the label that the objects' names are in */
    const char *ns;     /* the label of the namespace; NULL: the query has none */
    /* What stands in the matchers that may go: the name or "a|b|c", and the namespace. NULL: whatever does;
     * then a selector with a second = or =~ on that label is not touched. */
    const char *object_value, *ns_value;
};

/* What can be left out of a query, as prometheus-adapter would have sent it. */
enum widened {
    WIDEN_NONE,       /* nothing: send it as it is */
    WIDEN_OBJECTS,    /* all objects of the namespace */
    WIDEN_NAMESPACES, /* all objects of all namespaces; ns is added to each "by" */
};

/* Rewrites query as far as it is sound, at most up to most, appended to out (WIDEN_NONE: the query itself).
 * out must take twice the query.
 *
 * Sound is: aggregations (sum, avg, min, max, count, stddev, stdvar, group) by labels among which is the
 * object's, each over selectors that all carry the object's matcher, inside functions that work series by
 * series (rate, increase, …_over_time, abs, …) and histogram_quantile; around and inside of them operators
 * with numbers and with one another without on, ignoring or group modifiers. Then each element of the result
 * comes from the series of its own object alone, so that what is selected beside it does not change it, and
 * cannot make the query fail either. Everything else is sent as it was rendered, as is what would more than
 * double. */
enum widened widen_query(const char *query, const struct widen_labels *labels, enum widened most,
                         struct buf *out);

#endif
