/* A YAML file as a tree, with lookups that know where they are: libyaml's document interface behind the few
 * questions that a kubeconfig needs. */
#ifndef API_CLIENT_YAML_DOC_H
#define API_CLIENT_YAML_DOC_H

#include "base/err.h"
#include <stdbool.h>
#include <yaml.h>

struct yaml_doc {
    const char *path; /* borrowed, for messages */
    yaml_document_t document;
    bool loaded;
};

/* Parses the first document of a file of at most 1 MiB. path must live as long as doc. 0, or a negative code
 * and err with file and line. */
int yaml_doc_load(const char *path, struct yaml_doc *ret_doc, struct err *err);
void yaml_doc_done(struct yaml_doc *doc);
/* The first node, NULL where the file is empty. Nodes are borrowed from doc. */
yaml_node_t *yaml_doc_root(struct yaml_doc *doc);

/* The value of key in a mapping; NULL where map is NULL or not a mapping, or has no such key or a null. */
yaml_node_t *yaml_get(struct yaml_doc *doc, yaml_node_t *map, const char *key);
/* The i-th item of a sequence; NULL past the end or where it is no sequence. */
yaml_node_t *yaml_item(struct yaml_doc *doc, yaml_node_t *list, size_t i);
/* The text of a scalar, NULL for everything else; borrowed. */
const char *yaml_text(const yaml_node_t *node);
/* Line of a node, from 1; 0 where node is NULL. */
size_t yaml_line(const yaml_node_t *node);

/* Describes what is wrong with a node, "file:line: " before the text; code -EINVAL. The line is left out
 * where at is NULL. */
void yaml_err_set(struct err *err, const struct yaml_doc *doc, const yaml_node_t *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same as an expression, for `return yaml_err(...);`. */
#define yaml_err(...) (yaml_err_set(__VA_ARGS__), -EINVAL)

#endif
