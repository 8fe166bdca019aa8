/* What a metric source says about one metric: five different things, never confused. */
#ifndef API_TYPES_SAMPLE_H
#define API_TYPES_SAMPLE_H

#include "base/clock.h"
#include <stdbool.h>
#include <stdint.h>

enum quality {
    QUALITY_PENDING, /* nothing asked for has come back yet */
    QUALITY_VALUE,
    QUALITY_ZERO,   /* a value, and it is 0 */
    QUALITY_ABSENT, /* the source answered: there is none (empty vector, NaN) */
    QUALITY_STALE,  /* there was one, and it is older than may be */
    QUALITY_FAILED, /* the source did not answer, or not sensibly */
};
/* "Pending", "Value", "Zero", "Absent", "Stale", "Failed". */
const char *quality_name(enum quality quality);

/* What one pod measures of a metric. */
struct pod_value {
    bool known; /* false: the source has nothing of this pod (it is "missing"), or nothing fresh enough */
    int64_t milli;
    usec_t at;     /* wall time of the measurement */
    usec_t window; /* the span that it was measured over */
};

/* A metric of pods (Resource, ContainerResource, Pods), joined with the pods that a decision is about. */
struct pod_values {
    const struct pod_value *of_pods; /* one for each pod of the decision, in its order */
    const struct pod_value *others;  /* of pods that the decision's list does not hold; all known */
    uint32_t other_count;
};

struct sample {
    enum quality quality;
    double value;  /* of VALUE and ZERO; of STALE the last one */
    int64_t milli; /* the same in milli-units, truncated toward zero and saturated, as prometheus-adapter
                      gives it */
    usec_t at;     /* wall time the value is of; 0: none */
    const char *message; /* why ABSENT, STALE or FAILED, for people; "" else; borrowed from the source until
                            its next change */
    const char *warning; /* Prometheus' warnings, joined, or ""; borrowed likewise */
    const char
        *origin; /* where it comes from, for people: "Prometheus", "custom.metrics.k8s.io"; NULL: not told */
    const struct pod_values *pods; /* of a metric of pods; then value and milli do not count. NULL: a total */
};

#endif
