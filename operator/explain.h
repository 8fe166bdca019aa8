/* What a policy's own status tells where the operator cannot be asked. */
#ifndef OPERATOR_EXPLAIN_H
#define OPERATOR_EXPLAIN_H

#include "base/buf.h"
#include "base/clock.h"
#include <jansson.h>

/* Writes what the policy's status says of its last decision: a sentence, the metrics, the conditions. now:
 * wall time, for ages. */
void explain_status(const json_t *policy, const char *title, usec_t now, struct buf *out);

#endif
