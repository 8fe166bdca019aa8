/* What a request of the metrics APIs came to, before it is written down: values of objects, values with
 * labels, usage of pods and nodes, or an error. Plain data, shared by those who find the values and those who
 * write the documents. Pure. */
#ifndef ADAPTER_METRICSANSWER_H
#define ADAPTER_METRICSANSWER_H

#include "adapter/metricsroute.h"
#include "adapter/resourcelabels.h"
#include "base/clock.h"

/* CUSTOM: name (and ns) of the object. EXTERNAL: labels. */
struct metrics_value {
    const char *ns, *name;
    uint32_t label_count;
    const struct series_label *labels; /* sorted by name; label_count 0 and labels NULL: null (a scalar) */
    int64_t milli;                     /* truncated toward zero, saturated */
    usec_t at;                         /* wall time of the evaluation */
};

/* Usage of a container, or of a node; a value below 0: not known, which is written as 0 beside one that is.
 */
struct metrics_usage {
    const char *name;
    int64_t cpu_nano;     /* nano-cores */
    int64_t memory_bytes; /* working set */
    int memory_milli;     /* 0 to 999 thousandths of a byte more, as only the answer to a query has them */
};

/* RESOURCE: a pod with its containers, or a node with one usage. */
struct metrics_object {
    const char *ns, *name;       /* ns "" for nodes */
    const struct labels *labels; /* the object's, as they are shown in its metadata; may be NULL */
    usec_t at, window;           /* wall time of the newest point; the span measured over */
    uint32_t usage_count;
    const struct metrics_usage *usages; /* of a pod: its containers, sorted by name */
};

struct metrics_answer {
    /* 200, or the status of an error, with reason ("NotFound") and message as in a Status. */
    int status;
    const char *reason, *message;
    const char *metric;                      /* CUSTOM, EXTERNAL */
    const struct cluster_resource *resource; /* CUSTOM: of the objects */
    uint32_t count;
    const struct metrics_value *values;   /* CUSTOM, EXTERNAL, in the order they shall have */
    const struct metrics_object *objects; /* RESOURCE, sorted by namespace and name */
};

/* Called once, inside the call that asked or on a later turn; everything is borrowed for the call. */
typedef void metrics_answer_fn(void *arg, const struct metrics_answer *answer);

#endif
