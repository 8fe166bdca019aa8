/* An answer of Prometheus as a table: values with their labels, found by label. Pure. */
#ifndef ADAPTER_VECTOR_H
#define ADAPTER_VECTOR_H

#include "adapter/exposition.h"
#include "base/clock.h"
#include <stdbool.h>

/* One element of an answer; label names and values are interned within it. */
struct vector_sample {
    double value;
    usec_t at; /* wall time of the evaluation */
    uint32_t label_count;
    const struct series_label *labels; /* sorted; __name__ among them where the query keeps it */
};

struct vector_store;
/* An answer, immutable while it is borrowed. */
struct vector {
    bool scalar; /* one sample without labels */
    uint32_t count;
    const struct vector_sample *samples; /* in the order of the answer */
    usec_t fetched;                      /* wall time */
    struct vector_store *store;          /* the memory behind it */
};

/* The last sample whose label has this value, or NULL; by a hash index made at the first look-up by label. */
const struct vector_sample *vector_find(const struct vector *vector, const char *label, const char *value);
/* The same by two labels (namespace and object); a NULL label is not looked at. */
const struct vector_sample *vector_find2(const struct vector *vector, const char *ns_label, const char *ns,
                                         const char *label, const char *value);
/* The value of a label of a sample, or NULL where it has not got it. */
const char *vector_label(const struct vector_sample *sample, const char *name);

/* An empty one to be filled; owned by the caller. */
struct vector *vector_new(void);
/* NULL is allowed. */
void vector_free(struct vector *vector);
/* The vector's own copy of a text, the same one for equal texts. */
const char *vector_word(struct vector *vector, const char *text, size_t len);
/* Appends a sample; the texts of its labels are words of this vector, the array is copied. */
void vector_add(struct vector *vector, const struct vector_sample *sample);
/* Nothing is added any more: gives back what only adding needed. */
void vector_seal(struct vector *vector, usec_t fetched);
/* Puts the samples with the same value of label ("": without it) side by side, in the order that they had
 * among themselves. Once, and before anything is looked up. */
void vector_group(struct vector *vector, const char *label);
/* The samples of one such group as a vector of their own, perhaps an empty one; owned by the caller. It
 * shares them with the grouped one, which lives as long as any of its parts. */
struct vector *vector_part(struct vector *grouped, const char *value);
/* Bytes, an index included; of a part, what it has for itself. */
size_t vector_size(const struct vector *vector);

#endif
