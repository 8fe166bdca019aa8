/* Vectors from answers: each element becomes a row, its labels words of the table. The table is the reader's
 * until promvector_finish gives it away; after a failure it goes with the reader. */
#include "adapter/promvector.h"

#include "adapter/prominstant.h"
#include "base/mem.h"
#include <errno.h>
#include <string.h>

struct promvector {
    struct prominstant *reader;
    struct vector *vector;
    struct series_label labels[FEEDLABELS_MAX]; /* of the last element: words of vector, or NULL */
};

/* An element shares its names and most of its values with the one before, whose words need no look-up. */
static void take_word(struct promvector *p, const char **word, const char *text) {
    if (!*word || strcmp(*word, text) != 0)
        *word = vector_word(p->vector, text, strlen(text));
}

static int on_element(void *arg, const struct prominstant_element *element, struct err *err) {
    struct promvector *p = arg;

    /* Beside the bound in bytes, for a table takes more than its text: rows, words, and an index of them. */
    if (p->vector->count == PROMVECTOR_SAMPLES_MAX)
        return err_set(err, -E2BIG, "the query gives more than 100000 elements");
    /* By place: labels come sorted, so that the same place has the same name in most elements. */
    for (uint32_t i = 0; i < element->label_count; i++) {
        take_word(p, &p->labels[i].name, element->labels[i].name);
        take_word(p, &p->labels[i].value, element->labels[i].value);
    }
    vector_add(p->vector, &(struct vector_sample){.value = element->value,
                                                  .at = element->at,
                                                  .label_count = element->label_count,
                                                  .labels = p->labels});
    return 0;
}

struct promvector *promvector_new(size_t max_bytes) {
    struct promvector *p = XNEW(struct promvector);

    p->vector = vector_new();
    p->reader = prominstant_new(max_bytes, on_element, p);
    return p;
}

void promvector_free(struct promvector *p) {
    if (!p)
        return;
    prominstant_free(p->reader);
    vector_free(p->vector);
    free(p);
}

int promvector_feed(struct promvector *p, const char *data, size_t len, struct err *err) {
    return prominstant_feed(p->reader, data, len, err);
}

int promvector_finish(struct promvector *p, usec_t fetched, struct vector **ret_vector, struct err *err) {
    enum prominstant_kind kind;
    int ret = prominstant_finish(p->reader, &kind, err);

    if (ret < 0)
        return ret;
    /* -EBADMSG, and not -EINVAL: the server has refused nothing. */
    if (kind == PROMINSTANT_MATRIX || kind == PROMINSTANT_STRING)
        return err_set(err, -EBADMSG, "the query gave a %s, not a vector",
                       kind == PROMINSTANT_MATRIX ? "matrix" : "string");
    if (kind == PROMINSTANT_HISTOGRAMS)
        return err_set(err, -EBADMSG, "the query gave native histograms, not numbers");
    p->vector->scalar = kind == PROMINSTANT_SCALAR;
    vector_seal(p->vector, fetched);
    *ret_vector = steal_ptr(&p->vector);
    return 0;
}
