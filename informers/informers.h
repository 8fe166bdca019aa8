/* Informers: the cluster's objects of a kind, followed by a watch over a websocket and kept in memory,
 * trimmed to what deciding needs. Started by the first user of a kind and stopped after the last. */
#ifndef INFORMERS_INFORMERS_H
#define INFORMERS_INFORMERS_H

#include "api/client/discovery.h"
#include "api/types/object.h"
#include "api/types/selector.h"

struct informers;
struct informer;

enum informer_change { INFORMER_ADDED, INFORMER_MODIFIED, INFORMER_DELETED };

/* Called for every change, in order, also during the first list (ADDED). old is NULL for ADDED, new is NULL
 * for DELETED. Both are borrowed. Not called inside informers_open. A re-list that finds nothing new calls
 * nothing. Informers may be opened and closed inside. */
typedef void informer_fn(void *arg, enum informer_change change, const struct object *old,
                         const struct object *new_);

struct informer_transport;

struct informers_options {
    const char *const *namespaces;   /* NULL-terminated; NULL: all. Followed one by one where given. */
    usec_t backoff_min, backoff_max; /* 0: 500 ms, 30 s */
    usec_t list_stall;               /* a list that brings nothing for so long is given up; 0: 60 s */
    /* informers/transport.h: in place of kube, in tests; borrowed. NULL: kube. */
    const struct informer_transport *transport;
};

/* Borrows loop and kube (options are copied, but transport); owned by the caller. Objects that were
 * referenced are given back before informers_free. */
struct informers *informers_new(struct loop *loop, struct kube *kube,
                                const struct informers_options *options);
void informers_free(struct informers *all);

/* Follows a resource as objects of type. A second user of the same group, version and plural shares the first
 * one's cache (and gets ADDED for what is there, on a later turn). The handle is the user's own. resource
 * must stay valid until informers_free (discovery's does). */
struct informer *informers_open(struct informers *all, const struct resource *resource, enum object_type type,
                                informer_fn *fn, void *arg);
/* No callback follows. NULL is allowed. */
void informer_close(struct informer *informer);

/* Whether the first list is whole and has been handed over. Stays true from then on. */
bool informer_synced(const struct informer *informer);
/* Why it is not being followed at the moment (code 0: it is), e.g. "pods is forbidden: …" with -EACCES.
 * Borrowed. */
const struct err *informer_error(const struct informer *informer);
size_t informer_count(const struct informer *informer);

/* One object or NULL; borrowed until the next turn. */
const struct object *informer_get(const struct informer *informer, const char *ns, const char *name);
/* Calls fn for each object of a namespace that the selector matches / that the owner's uid controls. Nothing
 * may be opened or closed inside. */
typedef void informer_each_fn(void *arg, const struct object *object);
void informer_select(const struct informer *informer, const char *ns, const struct selector *selector,
                     informer_each_fn *fn, void *arg);
void informer_owned(const struct informer *informer, const char *owner_uid, informer_each_fn *fn, void *arg);
/* Every object. */
void informer_each(const struct informer *informer, informer_each_fn *fn, void *arg);

/* Calls fn once for each resource that is followed, with one of its users' handles; both borrowed. Nothing
 * may be opened or closed inside. */
typedef void informers_fn(void *arg, const struct resource *resource, const struct informer *informer);
void informers_each(const struct informers *all, informers_fn *fn, void *arg);

struct informer_stats {
    uint64_t lists, watches; /* pages asked for, watches opened (streaming lists too) */
    uint64_t events;         /* of watches */
    uint64_t errors;         /* failed lists and watches */
    uint64_t skipped;        /* objects that could not be used */
    size_t objects;
    size_t bytes; /* about, of the cached objects */
};
void informer_stats(const struct informer *informer, struct informer_stats *ret_stats);

#endif
