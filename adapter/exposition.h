/* Prometheus' text exposition format 0.0.4: names, labels, values, timestamps. Pure. */
#ifndef ADAPTER_EXPOSITION_H
#define ADAPTER_EXPOSITION_H

#include "base/arena.h"
#include "base/err.h"
#include <stdint.h>

struct series_label {
    const char *name, *value;
};
/* Labels are sorted by name; __name__ is not among them. */
struct series {
    const char *name;
    uint32_t label_count;
    const struct series_label *labels;
};
struct exposition_sample {
    struct series series;
    double value;
    int64_t timestamp_ms; /* INT64_MIN: none */
};

/* Called for each sample; the texts are valid during the call. Non-zero ends the reading and is returned. */
typedef int exposition_fn(void *arg, const struct exposition_sample *sample);
/* Reads a whole text. -EINVAL: "line 12: …"; what came before has been called. */
int exposition_read(const char *text, size_t len, exposition_fn *fn, void *arg, struct err *err);
/* The value of a label, "" where there is none (as in PromQL). */
const char *series_label(const struct series *series, const char *name);

#endif
