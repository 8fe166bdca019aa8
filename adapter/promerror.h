/* Why a Prometheus server gave no good answer, in words for people. */
#ifndef ADAPTER_PROMERROR_H
#define ADAPTER_PROMERROR_H

#include "adapter/promclient.h"
#include "adapter/promrequest.h"

/* Of a reply that is not 2xx or did not come whole within the request's timeout: fills the answer (but sent)
 * and err, whose text begins with the server's label and holds nothing that differs from try to try. Returns
 * err's code: -EINVAL the server refuses this question, -EAGAIN it may answer later (429, 5xx), else the
 * transport's. */
int promerror_read(const struct prom_endpoint *endpoint, usec_t timeout, const struct http_reply *reply,
                   struct promclient_answer *ret_answer, struct err *err);

#endif
