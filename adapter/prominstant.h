/* The answer of Prometheus' HTTP API to an instant query, read as it arrives: in its frame (promframe.h)
 * {"resultType":"vector","result":[{"metric":{…},"value":[time,"number"]}…]}, or a scalar, whose result is
 * such a pair itself. No memory is kept for an element. Bounded and pure. */
#ifndef ADAPTER_PROMINSTANT_H
#define ADAPTER_PROMINSTANT_H

#include "adapter/feedlabels.h"
#include "base/clock.h"

enum prominstant_kind {
    PROMINSTANT_VECTOR,
    PROMINSTANT_SCALAR,     /* one element without labels */
    PROMINSTANT_MATRIX,     /* ranges */
    PROMINSTANT_STRING,     /* no number */
    PROMINSTANT_HISTOGRAMS, /* a vector with native histograms among its elements */
};

struct prominstant_element {
    double value;                      /* any, NaN and the infinities among them */
    usec_t at;                         /* wall time of the evaluation */
    uint32_t label_count;              /* at most FEEDLABELS_MAX */
    const struct series_label *labels; /* sorted, each once; __name__ among them where the query keeps it */
};

/* Called for each element that has a number, in the order of the answer; its texts are valid during the call.
 * That the answer was a good one is known at the end only. A negative return, with its text in err, ends the
 * reading. */
typedef int prominstant_fn(void *arg, const struct prominstant_element *element, struct err *err);

struct prominstant;

/* A reader of one answer of at most max_bytes, owned by the caller. */
struct prominstant *prominstant_new(size_t max_bytes, prominstant_fn *fn, void *arg);
/* NULL is allowed. */
void prominstant_free(struct prominstant *reader);
/* Takes the next piece. -EBADMSG (malformed), -E2BIG (past a limit) or fn's code where no later piece can
 * make the answer good; prominstant_finish will say it again. */
int prominstant_feed(struct prominstant *reader, const char *data, size_t len, struct err *err);
/* Ends the answer: 0 and of which kind it was, -EINVAL where the server tells of an error, in its words, or
 * as prominstant_feed. */
int prominstant_finish(struct prominstant *reader, enum prominstant_kind *ret_kind, struct err *err);

/* The server's warnings so far, joined with "; ", or "". Borrowed. */
const char *prominstant_warning(const struct prominstant *reader);

#endif
