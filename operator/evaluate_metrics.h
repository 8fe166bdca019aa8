/* What the metric lists of an input say, item by item; shared by the samples of a decision and by the single
 * steps. Private to evaluate. */
#ifndef OPERATOR_EVALUATE_METRICS_H
#define OPERATOR_EVALUATE_METRICS_H

#include "operator/evaluate.h"

enum metrics_api { API_RESOURCE, API_CUSTOM, API_EXTERNAL, METRICS_APIS };

/* An item of a metric list, or PodMetrics. */
struct metric_item {
    const json_t *json;
    const struct place *place; /* of the list, or of the PodMetrics */
    const char *prefix;        /* of fields within the place: "items[2]."; of PodMetrics "" */
};

/* One metric, and the items that answer it. */
struct gathering {
    struct evaluate_case *c;
    const struct metric_spec *metric;
    enum metrics_api api;
    struct metric_item *items; /* in the case's arena */
    uint32_t count;
    bool answered;     /* a list was there, if an empty one */
    const char *error; /* the recorded call failed; NULL: no */
};

/* What is read of a case's recorded calls: the next one of each API, and the next list that answers one. */
struct recorded_answers {
    size_t call[METRICS_APIS];
    uint32_t list[METRICS_APIS];
};

/* "metrics.k8s.io", … */
extern const char *const metrics_api_names[METRICS_APIS];

/* Finds the items of g's metric; its c, metric and api are set. */
void metric_items_find(struct gathering *g, struct recorded_answers *answers);

/* A quantity of the item (text or number) in milli-units; -EINVAL with its place. */
int item_quantity(const struct metric_item *item, const char *field, const json_t *value, int64_t *ret_milli,
                  struct err *err);
/* Its timestamp; 0 where it has none. */
int item_time(const struct metric_item *item, usec_t *ret_at, struct err *err);
/* Its value, time and (of a metric of pods) window; of an external one without. */
int item_value(const struct metric_item *item, bool external, struct pod_value *ret_value, struct err *err);

struct usage_wanted {
    const char *resource;
    const char *container; /* NULL: all of the pod */
    bool wraps;            /* sums overflow as HPA's do; else they stay at the largest number */
};
/* What PodMetrics say about one resource. */
int pod_metrics_usage(const struct metric_item *item, const struct usage_wanted *wanted, struct arena *arena,
                      struct pod_value *ret_value, struct err *err);

#endif
