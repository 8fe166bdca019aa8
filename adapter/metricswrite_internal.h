/* What the writers of the metrics APIs' documents share. */
#ifndef ADAPTER_METRICSWRITE_INTERNAL_H
#define ADAPTER_METRICSWRITE_INTERNAL_H

#include "adapter/metricswrite.h"

/* A time as it was written last: the items of a list nearly always have the same second. */
struct metrics_stamp {
    usec_t second;
    char text[CLOCK_TEXT_MAX]; /* "": none yet */
};
/* Appends "2026-01-01T00:00:00Z", with its quotes. */
void metrics_write_stamp(struct buf *out, struct metrics_stamp *stamp, usec_t at);

/* A selector as a LabelSelector object, null where it is empty. */
void metrics_write_selector(struct buf *out, const struct selector *selector);

/* PodMetrics, NodeMetrics, their lists, and the Table of either. */
void metrics_write_objects(struct buf *out, const struct metrics_route *route,
                           const struct metrics_answer *answer, usec_t now);
void metrics_write_table(struct buf *out, const struct metrics_answer *answer, usec_t now);

#endif
