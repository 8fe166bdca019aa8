/* Inside of the operator's own metrics: how a family is written down. */
#ifndef OPERATOR_SELFMETRICS_INTERNAL_H
#define OPERATOR_SELFMETRICS_INTERNAL_H

#include "operator/health.h"

/* "# HELP" and "# TYPE" of a family. */
void selfmetrics_head(struct buf *b, const char *name, const char *type, const char *help);
/* A family of one sample without labels. */
void selfmetrics_number(struct buf *b, const char *name, const char *type, const char *help, double value);

/* The samples of a histogram; labels as in `api="x"`, or "". counts are of each bucket, the last one of those
 * above every bound. */
struct selfmetrics_histogram {
    const char *name, *labels;
    const double *bounds;
    const uint64_t *counts;
    int buckets; /* the last one included */
    double sum;
};
void selfmetrics_histogram(struct buf *b, const struct selfmetrics_histogram *histogram);

/* Of the metrics APIs and of where metrics come from. */
void selfmetrics_write_serving(const struct serving *serving, struct buf *b);

#endif
