/* The metrics that another adapter lists: read from its discovery documents. Pure. */
#ifndef ADAPTER_REMOTE_LIST_H
#define ADAPTER_REMOTE_LIST_H

#include "adapter/apidocs.h"
#include "adapter/metricsroute.h"
#include "base/arena.h"
#include <jansson.h>

/* What one API lists. {0}: never read. */
struct remote_list {
    bool known;
    bool nameless; /* it serves metrics whose names it does not list */
    struct arena arena;
    uint32_t count;
    struct apidocs_entry *entries; /* sorted by name */
};

/* Reads an APIResourceList: -EBADMSG where it is none, -E2BIG past 50,000 names. Entries that are no metric
 * are left out. */
int remote_list_read(const json_t *document, bool external, struct remote_list *ret_list, struct err *err);
void remote_list_done(struct remote_list *list);
/* Whether it has the metric of a route of its API. resource is matched as people write it: with or without
 * its group, in singular or plural. */
bool remote_list_has(const struct remote_list *list, const struct metrics_route *route);

#endif
