/* What the server serves, as its discovery documents tell it: groups, versions, kinds. Pure: documents in,
 * look-ups out. Entries are never moved or freed before the table, so that a resource can be borrowed for
 * long. */
#ifndef API_CLIENT_DISCOVERY_TABLE_H
#define API_CLIENT_DISCOVERY_TABLE_H

#include "api/client/discovery.h"
#include "base/arena.h"
#include "base/map.h"
#include <jansson.h>

/* Two documents tell of the groups: /api (the core group) and /apis (all others). */
enum discovery_half { HALF_CORE, HALF_GROUPS, HALF_COUNT };

struct kind_entry {
    struct resource resource;
    struct kind_entry *next;
    bool live; /* in the newest document of its version */
};

struct group_version {
    const char *api_version; /* "apps/v1", "v1" */
    const char *group, *version;
    struct group_version *next; /* in the order of their first appearance */
    unsigned order;             /* as the newest document ranks it: the preferred version of a group first */
    bool listed;                /* in the newest document */
    bool broken;                /* the server could not tell what is in it; older entries are kept */
    struct kind_entry *kinds;
};

struct discovery_table {
    struct arena arena;
    struct map by_api_version; /* of struct group_version */
    struct group_version *versions, **versions_end;
    unsigned order;
    size_t kinds; /* entries made so far; there is a limit */
};

void discovery_table_init(struct discovery_table *table);
void discovery_table_done(struct discovery_table *table);

/* The answer to /api or /apis. True where it was an APIGroupDiscoveryList (all is read), false where it was
 * the older list of groups and versions: then each one's own document is to be read. -EBADMSG where it is
 * neither. */
int discovery_table_read_root(struct discovery_table *table, enum discovery_half half, const json_t *body,
                              bool *ret_aggregated, struct err *err);
/* The answer to /api/v1 or /apis/GROUP/VERSION, an APIResourceList. */
int discovery_table_read_version(struct discovery_table *table, struct group_version *gv, const json_t *body,
                                 struct err *err);

/* The kind in exactly this version, else in the group's best other one; NULL where there is none. *ret_broken
 * is set where a version of the group could not be read, so that the kind may be there after all. */
const struct resource *discovery_table_find(const struct discovery_table *table, const char *api_version,
                                            const char *kind, bool *ret_broken);
/* As discovery_each. */
void discovery_table_each(const struct discovery_table *table, discovery_fn *fn, void *arg);
/* "apps/v1" -> "apps", "v1" -> "". Into out of size bytes, cut where it is too long. */
void discovery_group_of(const char *api_version, char *out, size_t size);

#endif
