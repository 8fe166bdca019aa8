/* The answer of Prometheus' /api/v1/series, read as it arrives: in its frame (promframe.h) the list
 * [{"__name__":"up","job":"x"},…]. No memory is kept for a series. Bounded and pure. */
#ifndef ADAPTER_PROMSERIES_H
#define ADAPTER_PROMSERIES_H

#include "adapter/exposition.h"

struct promseries;

/* Called for each series, in the order of the answer; its texts are valid during the call. What an escaped
 * NUL cuts off of a text is lost. A negative return, with its text in err, ends the reading. */
typedef int promseries_fn(void *arg, const struct series *series, struct err *err);

/* A reader of one answer of at most max_bytes, owned by the caller. */
struct promseries *promseries_new(size_t max_bytes, promseries_fn *fn, void *arg);
/* NULL is allowed. */
void promseries_free(struct promseries *reader);
/* Takes the next piece. -EBADMSG (malformed), -E2BIG (past a limit) or fn's code where no later piece can
 * make the answer good; promseries_finish will say it again. */
int promseries_feed(struct promseries *reader, const char *data, size_t len, struct err *err);
/* Ends the answer: 0 where it was whole and a success, -EINVAL where the server tells of an error, in its
 * words. "data":null is a list of none. */
int promseries_finish(struct promseries *reader, struct err *err);

#endif
