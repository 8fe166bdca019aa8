/* The rules of the usage store once more, slow and plain: a list of containers, searched from its beginning.
 * It holds one node. */
#ifndef ADAPTER_TESTS_USAGE_MODEL_H
#define ADAPTER_TESTS_USAGE_MODEL_H

#include "base/clock.h"
#include <stdbool.h>
#include <stdint.h>

enum { MODEL_PODS = 6, MODEL_CONTAINERS = 3 };

struct model_point {
    bool there;
    int64_t at_ms, start_s; /* start 0: not told */
    uint64_t cpu_nano, memory;
};

/* Containers by pod and place; there is no name in the model. */
struct model_answer {
    struct model_point node, containers[MODEL_PODS][MODEL_CONTAINERS];
};

struct model {
    int64_t resolution_s;
    struct model_answer last, prev;
};

void model_take(struct model *model, const struct model_answer *answer);
/* The rate in nano-cores between the points: false where there are not two or the counter fell. */
bool model_rate(const struct model_point *last, const struct model_point *prev, int64_t *ret_nano);
/* Whether the pod is shown at all: it has containers, and each has both points. */
bool model_shows(const struct model *model, int pod);

#endif
