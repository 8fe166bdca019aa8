/* The inside of the usage store, shared by its reader (usage_read.c), its rules (usage_points.c) and its
 * memory (usage.c). Pure. */
#ifndef ADAPTER_USAGE_INTERNAL_H
#define ADAPTER_USAGE_INTERNAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"

/* What was measured at one moment. */
struct usage_point {
    usec_t at, start; /* of the measurement; of the container, 0: not told */
    uint64_t cpu;     /* nano-core-seconds since start */
};

/* A container's line of points, or a node's. */
struct usage_points {
    struct usage_point last, prev;
    uint64_t memory; /* bytes, of last */
    bool has_prev;
};

/* A container in an answer; the node itself has no names. Texts live in the batch. */
struct usage_row {
    const char *key; /* "namespace/pod/container" */
    const char *ns, *pod, *container;
    struct usage_point point;
    uint64_t memory;
};

/* An answer that has been read: its containers sorted by namespace, pod and name. Kept from one answer to the
 * next for its memory. */
struct usage_batch {
    struct arena arena;
    struct map by_key;
    struct buf key; /* of the line being read */
    struct usage_row node;
    struct usage_row **rows;
    uint32_t count;
};

void usage_batch_init(struct usage_batch *batch);
void usage_batch_done(struct usage_batch *batch);
/* Reads an answer in place of the last one. -EINVAL, -E2BIG as usage_store_take. */
int usage_batch_read(struct usage_batch *batch, const char *text, size_t len, usec_t asked, struct err *err);
/* A row lacks what makes it usable: metrics-server leaves a node out, or the whole pod. */
bool usage_row_complete(const struct usage_row *row);

/* The points after a new one: which of the earlier ones (NULL: none) it is measured against. resolution:
 * between two scrapes; 0 for a node, which is never fresh. */
struct usage_points usage_points_next(const struct usage_row *row, const struct usage_points *old,
                                      usec_t resolution);
/* The rate in nano-cores between the two points; false where the counter fell. Both are there. */
bool usage_points_rate(const struct usage_points *points, int64_t *ret_nano);

#endif
