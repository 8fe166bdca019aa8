/* GET /decisions/NAMESPACE/NAME: the last decisions of a policy, as `trimtab explain` shows them.
 *
 *   (nothing)           the last change, and what holds now
 *   since=10m           all that are kept of the last 10 minutes, or since an RFC 3339 time
 *   limit=N             the last N that are kept
 *   output=json|text    json is the default */
#ifndef OPERATOR_DECISIONS_H
#define OPERATOR_DECISIONS_H

#include "autoscaler/autoscaler.h"
#include "net/httpserver.h"

/* Whether the path is one of these. */
bool decisions_path(const char *path);
/* Answers a request for such a path: 200; 404 with a sentence where there is no such policy; 400 where the
 * query says nothing that is known. now: wall time. */
int decisions_serve(const struct autoscaler *autoscaler, const struct httpserver_request *request, usec_t now,
                    struct buf *body, const char **content_type);

#endif
