/* Who we are to the apiserver: the credentials of a kubeconfig, kept fresh. Files are read again when they
 * change; an exec plugin is run when there is no credential yet, when it expires and after a 401, without
 * holding up the loop. */
#ifndef API_CLIENT_AUTH_H
#define API_CLIENT_AUTH_H

#include "api/client/kubeconfig.h"
#include "net/http.h"
#include "net/loop.h"

/* Credentials at one moment: immutable and reference-counted, so that a request keeps what it began with. tls
 * may be another object in the next identity, also where its contents are the same. */
struct identity {
    unsigned refs;
    struct tls_box *box; /* owner of tls */
    const struct http_tls *tls;
    char *authorization; /* a whole header line, or NULL */
};

void identity_unref(struct identity *identity); /* NULL is allowed */

struct auth;

/* Borrows loop and config; owned by the caller. Nothing is read and nothing is run yet. */
struct auth *auth_new(struct loop *loop, const struct kubeconfig *config);
/* Ends a running plugin; no waiter is called. NULL is allowed. */
void auth_free(struct auth *auth);

/* The current identity, a new reference: 0; -EAGAIN where an exec plugin is at work (then auth_wait), other
 * codes where there is no credential: a file that cannot be read, a plugin that failed. */
int auth_get(struct auth *auth, struct identity **ret_identity, struct err *err);

/* Somebody who wants to call auth_get again when the plugin has ended. Embedded in its owner. */
struct auth_waiter {
    void (*fn)(void *arg);
    void *arg;
    struct auth_waiter *next, **link; /* link NULL: not waiting */
};
/* After -EAGAIN. fn is called once, on a later turn, in the order of the calls. */
void auth_wait(struct auth *auth, struct auth_waiter *waiter);
/* No callback follows; nothing happens to one that does not wait. */
void auth_unwait(struct auth_waiter *waiter);

/* The server answered 401 to identity. Files are read anew on the next auth_get and a plugin is run again (at
 * most every 10 s). True where trying once more makes sense: there was something to read anew, or identity
 * was no longer the current one. */
bool auth_refused(struct auth *auth, const struct identity *identity);

#endif
