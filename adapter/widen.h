/* A query for some objects made into one for all objects of their namespace (or of all namespaces), where it
 * provably gives the same value for each. Pure. */
#ifndef ADAPTER_WIDEN_H
#define ADAPTER_WIDEN_H

#include "base/buf.h"

struct widen_labels {
    const char *object; /* the label that the objects' names are in */
    const char *ns;     /* the label of the namespace; NULL: the query has none */
};

/* What can be left out of a query, as prometheus-adapter would have sent it. */
enum widened {
    WIDEN_NONE,       /* nothing: send it as it is */
    WIDEN_OBJECTS,    /* all objects of the namespace */
    WIDEN_NAMESPACES, /* all objects of all namespaces; ns is added to each "by" */
};

/* Rewrites query as far as it is sound, at most up to most, appended to out (WIDEN_NONE: the query itself).
 *
 * Sound is: aggregations (sum, avg, min, max, count, stddev, stdvar, group) by exactly the object label
 * (under histogram_quantile also le), each over selectors that all carry the object's matcher, inside
 * functions that work series by series (rate, increase, …_over_time, abs, …); around them arithmetic with
 * numbers and with one another without on, ignoring or group modifiers, and functions that work element by
 * element. Then each element of the result comes from the series of its own object alone, so that what is
 * selected beside it does not change it. Everything else is sent as it was rendered. */
enum widened widen_query(const char *query, const struct widen_labels *labels, enum widened most,
                         struct buf *out);

#endif
