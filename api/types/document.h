/* The part of a whole document that every cached object has. Private to api/types. */
#ifndef API_TYPES_DOCUMENT_H
#define API_TYPES_DOCUMENT_H

#include "api/types/object.h"
#include "base/err.h"
#include <jansson.h>

/* An object of this type with the document's names, generation and deletion, and one reference: 0, or
 * -EINVAL where metadata has no name that the API server would allow, or a bad namespace. */
int document_object(const json_t *document, enum object_type type, struct str_pool *pool,
                    struct object **ret_object, struct err *err);

#endif
