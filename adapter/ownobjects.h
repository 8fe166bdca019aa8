/* The objects of whatever resource metrics are asked for, by name and labels, from informers: opened when a
 * resource is first asked for, closed when nobody has asked for it for long. */
#ifndef ADAPTER_OWNOBJECTS_H
#define ADAPTER_OWNOBJECTS_H

#include "adapter/resourcelabels.h"
#include "api/types/selector.h"
#include "informers/informers.h"

struct own_objects;

/* Borrows all; owned. */
struct own_objects *own_objects_new(struct loop *loop, struct discovery *discovery,
                                    struct informers *informers);
void own_objects_free(struct own_objects *objects);

/* Which ones. */
struct own_wanted {
    const struct cluster_resource *resource;
    const char *ns; /* not looked at where the resource has none */
    const struct selector *labels;
    const char *labels_text; /* the same as text; NULL: it selects everything */
};
/* Their names; borrowed until the next turn. */
struct own_names {
    uint32_t count;
    const char *const *names; /* sorted, as a LIST has them */
    uint64_t serial;          /* equal only where nothing has changed; 0: not of a list */
};
/* The names of the objects. -EAGAIN: the first list is not in yet; -EACCES and others: it cannot be had, and
 * why. */
int own_objects_list(struct own_objects *objects, const struct own_wanted *wanted,
                     struct own_names *ret_names, struct err *err);

#endif
