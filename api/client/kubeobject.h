/* One object of the cluster, followed by its name: a ConfigMap, a Secret, an APIService. It is read whole and
 * then watched over a websocket, so that no right to list others is needed (a role with resourceNames is
 * enough: get, and watch with fieldSelector metadata.name). */
#ifndef API_CLIENT_KUBEOBJECT_H
#define API_CLIENT_KUBEOBJECT_H

#include "api/client/kube.h"

struct kubeobject;

/* Called when the object is there for the first time, whenever it has changed, and with NULL when it does not
 * exist (also the first time). Borrowed. Not called inside kubeobject_follow. The callee may free it. */
typedef void kubeobject_fn(void *arg, const json_t *object);

/* collection: "/api/v1/namespaces/NS/configmaps". A failed read or watch is repeated with back-off; where the
 * watch is forbidden (or no websocket gets through) the object is read again every 30 s. Objects of at most
 * 3 MiB as JSON (etcd takes 1.5 MiB). Owned by the caller. */
struct kubeobject *kubeobject_follow(struct loop *loop, struct kube *kube, const char *collection,
                                     const char *name, kubeobject_fn *fn, void *arg);
/* No callback follows. NULL is allowed. */
void kubeobject_free(struct kubeobject *object);
/* Why it is not being followed at the moment; code 0: it is. Borrowed. */
const struct err *kubeobject_error(const struct kubeobject *object);

#endif
