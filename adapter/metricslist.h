/* The lists that the three metrics APIs answer with, read as they arrive into a table: PodMetricsList
 * (metrics.k8s.io), MetricValueList (custom.metrics.k8s.io, v1beta1 and v1beta2) and ExternalMetricValueList
 * (external.metrics.k8s.io). Fields in any order, unknown ones skipped. Bounded and pure. */
#ifndef ADAPTER_METRICSLIST_H
#define ADAPTER_METRICSLIST_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"

enum metricslist_kind { LIST_POD_METRICS, LIST_METRIC_VALUES, LIST_EXTERNAL_VALUES };

/* What a container uses of one resource. */
struct metricslist_usage {
    struct metricslist_usage *next;
    const char *resource; /* "cpu", "memory" */
    int64_t milli;
};

struct metrics_container {
    struct metrics_container *next;
    const char *name;
    struct metricslist_usage *usages;
};

/* One element: a pod with its containers, or an object with its value. */
struct metrics_item {
    const char *name;                     /* of the pod or the described object; "" where none is given */
    usec_t at;                            /* wall time; 0: not given */
    usec_t window;                        /* 60 s where a MetricValue gives none, as HPA takes it; else 0 */
    int64_t milli;                        /* of a value */
    struct metrics_container *containers; /* of a pod */
};

/* A whole list; everything in it lives as long as the table. */
struct metrics_table {
    struct arena arena;
    struct map items; /* struct metrics_item by name; the last one of a name. Empty for external values */
    struct map words; /* names that occur again and again, kept once */
    uint32_t count;   /* elements of the list */
    usec_t newest;    /* the latest of their times; 0: none has one */
    int64_t sum;      /* of the values, saturating at the ends of int64_t */
};
/* NULL is allowed. */
void metrics_table_free(struct metrics_table *table);
/* How much a pod uses of resource: container alone, or NULL: all of them. false where a container that counts
 * has not got it, or there is none. As HPA sums: in milli-units (saturating). */
bool metrics_item_usage(const struct metrics_item *item, const char *resource, const char *container,
                        int64_t *ret_milli);

struct metricslist;

/* A reader of one answer of at most max_bytes; owned by the caller. */
struct metricslist *metricslist_new(enum metricslist_kind kind, size_t max_bytes);
/* NULL is allowed. */
void metricslist_free(struct metricslist *list);
/* Takes the next piece. -EBADMSG (malformed, or another kind of list) or -E2BIG where nothing that follows
 * can make it good; metricslist_finish will say it again. */
int metricslist_feed(struct metricslist *list, const char *data, size_t len, struct err *err);
/* Ends the answer: the table, which is the caller's from here on, or as metricslist_feed. */
int metricslist_finish(struct metricslist *list, struct metrics_table **ret_table, struct err *err);

#endif
