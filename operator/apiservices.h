/* The APIServices that make the apiserver pass the metrics APIs on to us: created where they are missing,
 * their caBundle kept right, left alone where they are somebody else's. */
#ifndef OPERATOR_APISERVICES_H
#define OPERATOR_APISERVICES_H

#include "api/client/kube.h"

struct apiservices;

/* Follows each of groups ("v1beta1.custom.metrics.k8s.io", …; NULL-terminated), which are to point at the
 * Service. Writes nothing before the first apiservices_set_ca. Borrows loop and kube, copies the rest; owned.
 */
struct apiservices *apiservices_new(struct loop *loop, struct kube *kube, const char *service_ns,
                                    const char *service, const char *const *groups);
void apiservices_free(struct apiservices *services);
/* The caBundle that they must have, PEM; NULL: the administrator's, whatever it is. */
void apiservices_set_ca(struct apiservices *services, const char *ca_pem);
/* What is wrong with the first that is not as it should be; code 0: nothing. Borrowed. */
const struct err *apiservices_error(const struct apiservices *services);

#endif
