/* What the documents about the APIs share: the versions that are served, and their kinds and paths. */
#ifndef ADAPTER_APIDOCS_INTERNAL_H
#define ADAPTER_APIDOCS_INTERNAL_H

#include "adapter/apidocs.h"
#include "base/arena.h"

enum apidocs_type {
    APIDOCS_STRING,
    APIDOCS_TIME,
    APIDOCS_MAP,    /* of strings */
    APIDOCS_LIST,   /* of ref, of objects with fields, or of strings */
    APIDOCS_OBJECT, /* ref, or with fields */
};

struct apidocs_field {
    const char *name;
    enum apidocs_type type;
    bool required;
    const char *about;
    const char *ref;                    /* a kind of the same version */
    const struct apidocs_field *fields; /* ended by one without a name */
};

/* A kind, or a part of one. */
struct apidocs_schema {
    const char *kind;
    bool part; /* it has no kind and apiVersion of its own */
    const char *about;
    const struct apidocs_field *fields;
};

struct apidocs_path {
    const char *path;   /* below /apis/GROUP/VERSION */
    const char *answer; /* a kind of the same version */
    const char *id;     /* operationId */
    const char *about;
    const char *action; /* "list", "get", for a resource of objectkind; or NULL */
    const char *object_kind;
};

struct apidocs_version {
    const char *group, *version;
    bool listed; /* in the group's own document, not only in aggregated discovery */
    const char *package;
    const struct apidocs_schema *schemas; /* each ended by one without a kind or path */
    const struct apidocs_path *paths;
};
/* All of them, of each group the preferred version first; ended by one without a group. */
extern const struct apidocs_version apidocs_versions[];
/* The next version that is served, from v on; NULL: none is left. */
const struct apidocs_version *apidocs_served(const struct apidocs *docs, const struct apidocs_version *v);
/* The one whose name begins the rest of a path, "custom.metrics.k8s.io/v1beta1"; NULL: it is not served. */
const struct apidocs_version *apidocs_find(const struct apidocs *docs, const char *group_version);

/* One entry of what a version lists. */
struct apidocs_resource {
    const char *name; /* with its subresource, where there is one */
    bool namespaced;
    const char *kind;
    const char *verbs; /* as JSON */
    bool other;        /* of the remote adapter */
};

struct apidocs_list {
    struct arena arena;
    struct apidocs_resource *items;
    size_t count, room;
};
/* Sorted by name; apidocs_list_done. */
void apidocs_list_init(struct apidocs_list *list, const struct apidocs *docs,
                       const struct apidocs_version *version);
void apidocs_list_done(struct apidocs_list *list);

void apidocs_write_groups(const struct apidocs *docs, struct buf *out);
void apidocs_write_group(const struct apidocs *docs, const struct apidocs_version *first, struct buf *out);
void apidocs_write_resources(const struct apidocs *docs, const struct apidocs_version *version,
                             struct buf *out);
/* form: "v2" or "v2beta1". */
void apidocs_write_aggregated(const struct apidocs *docs, const char *form, struct buf *out);

void apidocs_write_openapi_v2(const struct apidocs *docs, struct buf *out);
void apidocs_write_openapi_v3(const struct apidocs *docs, const struct apidocs_version *version,
                              struct buf *out);
/* Which documents of v3 there are, each with a hash of its text, by which clients keep them. */
void apidocs_write_openapi_index(const struct apidocs *docs, struct buf *out);

#endif
