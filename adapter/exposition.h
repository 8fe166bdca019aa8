/* Prometheus' text exposition format 0.0.4: names, labels, values, timestamps. Pure. */
#ifndef ADAPTER_EXPOSITION_H
#define ADAPTER_EXPOSITION_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

/* A line longer than this, or with more labels, ends the reading. Comments may be of any length. */
enum { EXPOSITION_LINE_MAX = 64 * 1024, EXPOSITION_LABELS_MAX = 128 };

struct series_label {
    const char *name, *value;
};
/* Labels are sorted by name, each once; __name__ and labels with an empty value (which are none to
 * Prometheus) are not among them. */
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
/* Reads a whole text, strictly: what the format does not allow, and a last line without its end (a text cut
 * short), is -EINVAL "line 12: …", a line past the limits -E2BIG. What came before has been called. HELP,
 * TYPE and other comments are skipped. Takes time in proportion to len. */
int exposition_read(const char *text, size_t len, exposition_fn *fn, void *arg, struct err *err);
/* The value of a label, "" where there is none (as in PromQL). */
const char *series_label(const struct series *series, const char *name);

#endif
