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

/* A quantity of the item (text or number) in milli-units; -EINVAL with its place. */
int item_quantity(const struct metric_item *item, const char *field, const json_t *value, int64_t *ret_milli,
                  struct err *err);
/* Its timestamp; 0 where it has none. */
int item_time(const struct metric_item *item, usec_t *ret_at, struct err *err);

struct usage_wanted {
    const char *resource;
    const char *container; /* NULL: all of the pod */
};
/* What PodMetrics say about one resource. */
int pod_metrics_usage(const struct metric_item *item, const struct usage_wanted *wanted, struct arena *arena,
                      struct pod_value *ret_value, struct err *err);

#endif
