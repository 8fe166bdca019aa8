/* Inside of the cache: finding objects by labels and by owner. Objects of one namespace with equal labels are
 * a group; an inverted index leads from "key=value" to groups, so that what is kept for an object is a link
 * in a list, however many labels it has. */
#ifndef INFORMERS_INDEX_H
#define INFORMERS_INDEX_H

#include "api/types/object.h"
#include "api/types/selector.h"

struct index_link {
    struct index_link *next, *prev;
};

/* An object in the cache. */
struct index_entry {
    const struct object *object;
    struct index_link by_group, by_owner; /* by_owner.next NULL: it has no owner */
    uint32_t epoch;
};

/* A member of a table with chaining. */
struct index_hashed {
    struct index_hashed *chain;
    uint32_t hash;
};

struct index_table {
    struct index_hashed **buckets;
    uint32_t cap, len;
};

struct index {
    struct index_table groups;   /* by namespace and labels */
    struct index_table postings; /* by namespace, key and value */
    struct map owners;           /* uid → struct owner */
    size_t bytes;
};

typedef void index_fn(void *arg, const struct object *object);

void index_init(struct index *index);
/* Frees the tables; entries must have been removed. */
void index_done(struct index *index);
/* Puts an entry in; its object, not yet seen by anyone, is made to share labels and containers with the
 * others of its group. */
void index_add(struct index *index, struct index_entry *entry, struct object *object);
void index_remove(struct index *index, struct index_entry *entry);
void index_select(const struct index *index, const char *ns, const struct selector *selector, index_fn *fn,
                  void *arg);
void index_owned(const struct index *index, const char *owner_uid, index_fn *fn, void *arg);

#endif
