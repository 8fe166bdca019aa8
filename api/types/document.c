/* metadata of a document. */
#include "api/types/document.h"

#include <errno.h>
#include <string.h>

static const char *member_text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* The length that the API server allows; what a name may be made of it has checked, but a slash would make
 * two objects one, because the key of an object is "namespace/name". */
static bool is_name(const char *name) {
    enum { NAME_MAX_LENGTH = 253 };

    return name && name[0] && strlen(name) <= NAME_MAX_LENGTH && !strchr(name, '/');
}

int document_object(const json_t *document, enum object_type type, struct str_pool *pool,
                    struct object **ret_object, struct err *err) {
    const json_t *metadata = json_object_get(document, "metadata");
    const struct object_names names = {
        .ns = member_text(metadata, "namespace"),
        .name = member_text(metadata, "name"),
        .uid = member_text(metadata, "uid"),
        .resource_version = member_text(metadata, "resourceVersion"),
    };

    if (!is_name(names.name) || (names.ns && names.ns[0] && !is_name(names.ns)))
        return err_set(err, -EINVAL, "metadata.name or metadata.namespace is missing or no name");
    struct object *o = object_new(type, pool, &names);
    o->generation = json_integer_value(json_object_get(metadata, "generation"));
    o->deleting = json_is_string(json_object_get(metadata, "deletionTimestamp"));
    *ret_object = o;
    return 0;
}
