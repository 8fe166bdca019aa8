/* A YAML text as a tree, with lookups that know where they are: libyaml's document interface behind the few
 * questions that configuration needs. Pure. */
#ifndef API_TYPES_YAML_DOC_H
#define API_TYPES_YAML_DOC_H

#include "base/err.h"
#include <stdbool.h>
#include <yaml.h>

struct yaml_doc {
    const char *path; /* borrowed, for messages */
    yaml_document_t document;
    bool loaded;
};

enum { YAML_DOC_TEXT_MAX = 1024 * 1024 };

/* Parses the first document of a text of at most YAML_DOC_TEXT_MAX bytes. path is the name for messages and
 * lives as long as doc. 0, or a negative code and err with path and line. */
int yaml_doc_parse(const char *path, const char *text, size_t len, struct yaml_doc *ret_doc, struct err *err);
void yaml_doc_done(struct yaml_doc *doc);
/* The first node, NULL where the file is empty. Nodes are borrowed from doc. */
yaml_node_t *yaml_doc_root(struct yaml_doc *doc);

/* The value of key in a mapping; NULL where map is NULL or not a mapping, or has no such key or a null. */
yaml_node_t *yaml_get(struct yaml_doc *doc, yaml_node_t *map, const char *key);
/* The i-th pair of a mapping, whatever its key is; false past the end or where it is no mapping. */
bool yaml_pair(struct yaml_doc *doc, yaml_node_t *map, size_t i, yaml_node_t **ret_key,
               yaml_node_t **ret_value);
/* The i-th item of a sequence; NULL past the end or where it is no sequence. */
yaml_node_t *yaml_item(struct yaml_doc *doc, yaml_node_t *list, size_t i);
/* The text of a scalar, NULL for everything else; borrowed. */
const char *yaml_text(const yaml_node_t *node);
/* Whether it is a null: a plain ~, null or nothing. */
bool yaml_is_null(const yaml_node_t *node);
/* Line of a node, from 1; 0 where node is NULL. */
size_t yaml_line(const yaml_node_t *node);

/* Describes what is wrong with a node, "file:line: " before the text; code -EINVAL. The line is left out
 * where at is NULL. */
void yaml_err_set(struct err *err, const struct yaml_doc *doc, const yaml_node_t *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same as an expression, for `return yaml_err(...);`. */
#define yaml_err(...) (yaml_err_set(__VA_ARGS__), -EINVAL)

#endif
