/* The one value that an answer of Prometheus' HTTP API to an instant query comes to, read as it arrives
 * (prominstant.h): its elements are combined as the policy says. Bounded and pure. */
#ifndef ADAPTER_PROMJSON_H
#define ADAPTER_PROMJSON_H

#include "api/types/policy.h"
#include "api/types/sample.h"
#include "base/err.h"

enum { PROMJSON_TEXT_MAX = 480 }; /* of message and warning, the NUL included; cut between characters */

/* What the answer says. */
struct promjson_answer {
    enum quality quality;            /* VALUE, ZERO, ABSENT or FAILED */
    double value;                    /* of VALUE and ZERO */
    usec_t at;                       /* wall time the value is of: the oldest of its elements; 0: none */
    uint32_t elements;               /* numbers in the result; 1 for a scalar */
    bool malformed;                  /* FAILED because this is no answer of Prometheus, or too large a one */
    bool said_error;                 /* a well-formed {"status":"error"}: the server itself speaks */
    char message[PROMJSON_TEXT_MAX]; /* why ABSENT or FAILED, or "" */
    char warning[PROMJSON_TEXT_MAX]; /* warnings, joined with "; ", or "" */
};

struct promjson;

/* A reader of one answer of at most max_bytes, owned by the caller. Elements are combined as PromQL's own
 * aggregations would: Max and Min leave NaN out, Sum and Avg of a NaN are NaN. */
struct promjson *promjson_new(enum combine combine, size_t max_bytes);
void promjson_free(struct promjson *p);
/* Takes the next piece. Negative (-EBADMSG malformed or of the wrong shape, -E2BIG past a limit) where no
 * later piece can make the answer good; the text is in err, and promjson_finish will give it again. */
int promjson_feed(struct promjson *p, const char *data, size_t len, struct err *err);
/* Ends the answer and tells what it said; always fills ret_answer. */
void promjson_finish(struct promjson *p, struct promjson_answer *ret_answer);

/* value in milli-units: truncated toward zero, saturated at the ends of int64_t; 0 for NaN. */
int64_t promjson_milli(double value);

#endif
