/* The documents of the metrics APIs, written: value lists, pod and node metrics, Tables, Status. Byte-stable,
 * straight into the buffer. Facts: prometheus-adapter 0.12 and metrics-server 0.7 over the wire. Pure. */
#ifndef ADAPTER_METRICSWRITE_H
#define ADAPTER_METRICSWRITE_H

#include "adapter/metricsanswer.h"
#include "base/buf.h"

/* What an Accept header asks for. */
enum accepted {
    ACCEPT_JSON,
    ACCEPT_TABLE,        /* application/json;as=Table;g=meta.k8s.io;v=v1 */
    ACCEPT_DISCOVERY_V2, /* as=APIGroupDiscoveryList, g=apidiscovery.k8s.io, v2 */
    ACCEPT_DISCOVERY_V2BETA1,
    ACCEPT_NOTHING, /* none of ours: 406 */
};
/* What the header likes best (by q, then by order) among what the path offers, a set of bits 1 << ACCEPT_….
 * NULL or "": ACCEPT_JSON. */
enum accepted accept_read(const char *header, unsigned offered);

/* {"kind":"Status",…}; reason "" leaves it out; details of NotFound are not compared by anyone. */
void metrics_write_status(struct buf *out, int code, const char *reason, const char *message);

/* The answer to a request in the form of the route's group and version; an error becomes a Status. table:
 * only for RESOURCE (others are JSON). now: of RESOURCE, the time of creation. One object where route->name
 * is set (RESOURCE), else a list. What does not fit into out is cut off. */
void metrics_write_answer(struct buf *out, const struct metrics_route *route,
                          const struct metrics_answer *answer, bool table, usec_t now);

/* Quantities in their canonical form: decimal SI of milli ("250m", "12k"), nano ("123456789n", as
 * metrics-server writes cpu) and binary SI of bytes and thousandths of one ("128Mi"; 1000 is "1k", 1536.5 is
 * "1536500m"). */
void metrics_write_milli(struct buf *out, int64_t milli);
void metrics_write_nano(struct buf *out, int64_t nano);
void metrics_write_memory(struct buf *out, int64_t bytes, int milli);
/* A span of time as Go prints it: "3m0s", "15.052s". */
void metrics_write_duration(struct buf *out, usec_t span);

#endif
