/* What requests for metrics of our own rules ask Prometheus: the rule found, the query rendered and widened
 * once and kept for the next request of its kind. Pure. */
#ifndef ADAPTER_OWNQUERY_H
#define ADAPTER_OWNQUERY_H

#include "adapter/metricsanswer.h"
#include "adapter/registry.h"
#include "adapter/vector.h"

/* The values of a list of objects, kept as long as neither the list nor the answer is another one. */
struct own_joined {
    uint64_t serial; /* of the list; 0: there are none */
    const struct vector *vector;
    usec_t fetched; /* by this an answer is told from another one in its place */
    uint32_t count, cap;
    struct metrics_value *values; /* names are the list's */
};

/* How requests for a metric, in a namespace and with a selector of its labels, are asked for; by whatever
 * names of objects. Counted, and itself independent of the rules, but for rule and series. */
struct own_query {
    uint32_t refs;
    struct arena arena;
    const char *key;
    bool external;
    struct cluster_resource resource; /* of the objects; a copy */
    const char *label;                /* that the objects' names are in; "" where external */
    /* One query for whatever objects. NULL: it depends on their names, own_query_render. */
    const char *text;
    /* Where that can be asked for all namespaces at once: how, and the label that tells them apart. */
    const char *wide, *ns_label;
    struct err err;     /* code != 0: it cannot be asked for, and why (rulequery_write's codes) */
    const char *source; /* NULL: the default server */
    /* Borrowed: only until the rules change. */
    const struct rule *rule;
    const char *series;
    struct selector selector; /* of the metric's labels, as it is put into the query */
    const char *ns;           /* NULL: none */
    struct own_joined joined; /* of the list that was asked for last */
};

struct own_queries;

/* None are known yet; owned. */
struct own_queries *own_queries_new(void);
void own_queries_free(struct own_queries *queries);
/* The rules, the series or the resources have changed: everything is found anew. */
void own_queries_forget(struct own_queries *queries);

/* The query of a ROUTE_CUSTOM or ROUTE_EXTERNAL request, with one reference for the caller. NULL: no rule
 * defines the metric. The name and the labels of route's objects do not count. */
struct own_query *own_queries_find(struct own_queries *queries, const struct registry *registry,
                                   const struct cluster_resources *resources,
                                   const struct metrics_route *route);
void own_query_unref(struct own_query *query);

/* The query for these objects (none where external), where it depends on their names: widened as far as it
 * can be, appended to out. The rules must not have changed since it was found. Errors of rulequery_write. */
int own_query_render(const struct own_query *query, const struct cluster_resources *resources,
                     const char *const *names, uint32_t name_count, struct buf *out, struct err *err);

/* Takes out of a query the commas that a template leaves around matchers that came out empty ("{,a=\"b\"}"),
 * which Prometheus refuses. The reference sends them. */
void own_query_tidy(struct buf *query);

#endif
