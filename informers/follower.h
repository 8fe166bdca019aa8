/* Inside of informers: follows one resource in one namespace (or in all). It carries out what the reflector
 * says: lists, watches and timers; what they bring goes to the handler. */
#ifndef INFORMERS_FOLLOWER_H
#define INFORMERS_FOLLOWER_H

#include "api/client/discovery.h"
#include "api/types/object.h"
#include "informers/transport.h"

struct follower;

struct follower_stats {
    uint64_t lists, watches, events, errors, skipped;
};

/* Called from the loop; nothing may free the follower inside. */
struct follower_handler {
    /* object: one reference, the callee's. epoch: of the list it came with, or of the last one. */
    void (*on_object)(void *arg, struct object *object, uint32_t epoch);
    void (*on_deleted)(void *arg, const char *key);
    /* A list is whole: what has another epoch is gone, of namespace ns (NULL: of all). */
    void (*on_listed)(void *arg, const char *ns, uint32_t epoch);
    void *arg;
};

struct follower_options {
    struct loop *loop;
    const struct informer_transport *transport;
    const struct resource *resource;
    const char *ns; /* NULL: all */
    enum object_type type;
    struct str_pool *pool;
    const char *subject; /* "deployments.apps", for the log */
    usec_t backoff_min, backoff_max, list_stall;
    struct follower_handler handler;
};

/* Everything in options is borrowed, but the struct itself. Starts on a later turn. */
struct follower *follower_new(const struct follower_options *options);
/* Ends lists and watches; no callback follows. NULL is allowed. */
void follower_free(struct follower *follower);
/* Whether a list has been whole once. */
bool follower_synced(const struct follower *follower);
/* Code 0: it is being followed. Borrowed. */
const struct err *follower_error(const struct follower *follower);
/* Adds to *stats. */
void follower_add_stats(const struct follower *follower, struct follower_stats *stats);

#endif
