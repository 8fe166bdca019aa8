/* The rules by which a new point meets those before it, and what two of them come to. */
#include "adapter/usage_internal.h"

/* A container younger than this gives no sound rate against its start. */
static const usec_t FRESH_MIN = 10 * USEC_PER_SEC;

/* A container that has started since the last scrape needs no earlier point: at its start it had used
 * nothing. */
static bool is_fresh(const struct usage_point *point, usec_t resolution) {
    usec_t age = point->at - point->start;

    return point->start && age >= FRESH_MIN && age < resolution;
}

/* The earlier point that a new one is measured against, or NULL. A repeated scrape that finds the kubelet's
 * clock where it was keeps the one before. */
static const struct usage_point *earlier(const struct usage_point *point, const struct usage_points *old) {
    if (!old || point->start >= old->last.at)
        return NULL; /* unknown, or started anew since */
    if (point->at > old->last.at)
        return &old->last;
    return old->has_prev && old->prev.at < point->at ? &old->prev : NULL;
}

struct usage_points usage_points_next(const struct usage_row *row, const struct usage_points *old,
                                      usec_t resolution) {
    struct usage_points next = {.last = row->point, .memory = row->memory, .has_prev = true};
    const struct usage_point *prev = earlier(&row->point, old);

    if (is_fresh(&row->point, resolution))
        next.prev = (struct usage_point){.at = row->point.start, .start = row->point.start};
    else if (prev)
        next.prev = *prev;
    else
        next.has_prev = false;
    return next;
}

bool usage_points_rate(const struct usage_points *points, int64_t *ret_nano) {
    const struct usage_point *last = &points->last, *prev = &points->prev;

    if (last->start < prev->start || last->cpu < prev->cpu)
        return false;
    double seconds = (double)(last->at - prev->at) / USEC_PER_SEC;
    double rate = (double)(last->cpu - prev->cpu) / seconds;
    *ret_nano = rate < (double)INT64_MAX ? (int64_t)rate : INT64_MAX;
    return true;
}
