/* The answer of Prometheus' HTTP API to an instant query, read as it arrives (prominstant.h) into a table of
 * all its elements. Warnings are skipped. Bounded and pure. */
#ifndef ADAPTER_PROMVECTOR_H
#define ADAPTER_PROMVECTOR_H

#include "adapter/vector.h"

enum { PROMVECTOR_SAMPLES_MAX = 100 * 1000 };

struct promvector;

/* A reader of one answer of at most max_bytes; owned by the caller. */
struct promvector *promvector_new(size_t max_bytes);
/* NULL is allowed. */
void promvector_free(struct promvector *p);
/* Takes the next piece. -EBADMSG (malformed, or not a vector) or -E2BIG where no later piece can make the
 * answer good; promvector_finish will say it again. */
int promvector_feed(struct promvector *p, const char *data, size_t len, struct err *err);
/* Ends the answer: the table, which is the caller's from here on, sealed with fetched; or as promvector_feed,
 * -EBADMSG "the query gave a matrix, not a vector", or -EINVAL with what a {"status":"error"} says. */
int promvector_finish(struct promvector *p, usec_t fetched, struct vector **ret_vector, struct err *err);

#endif
