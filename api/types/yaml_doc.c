/* YAML trees by libyaml. Nodes live as long as the document and are never copied; an alias is the very node
 * that it stands for, so that a text of a few lines cannot grow while it is loaded. Of equal keys the first
 * counts: libyaml does not refuse them. */
#include "api/types/yaml_doc.h"

#include "base/str.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What the text is before characters are read tells no line, but a byte. libyaml counts lines from 0. */
static size_t problem_line(const yaml_parser_t *parser, const char *text) {
    size_t line = 1;

    if (parser->error != YAML_READER_ERROR)
        return parser->problem_mark.line + 1;
    for (size_t i = 0; i < parser->problem_offset; i++)
        line += text[i] == '\n';
    return line;
}

int yaml_doc_parse(const char *path, const char *text, size_t len, struct yaml_doc *ret_doc,
                   struct err *err) {
    yaml_parser_t parser;
    int ret = 0;

    if (len > YAML_DOC_TEXT_MAX)
        return err_set(err, -E2BIG, "%s: larger than %d bytes", path, YAML_DOC_TEXT_MAX);
    if (!yaml_parser_initialize(&parser))
        return err_set(err, -ENOMEM, "%s: no YAML parser", path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (yaml_parser_load(&parser, &ret_doc->document)) {
        ret_doc->path = path;
        ret_doc->loaded = true;
    } else { /* the half-read document has been freed by libyaml: loaded stays false */
        ret = err_set(err, -EINVAL, "%s:%zu: not YAML: %s", path, problem_line(&parser, text),
                      parser.problem ? parser.problem : "unreadable");
    }
    yaml_parser_delete(&parser);
    return ret;
}

void yaml_doc_done(struct yaml_doc *doc) {
    if (doc->loaded)
        yaml_document_delete(&doc->document);
    doc->loaded = false;
}

yaml_node_t *yaml_doc_root(struct yaml_doc *doc) {
    return yaml_document_get_root_node(&doc->document);
}

/* The words of YAML 1.2's core schema (10.3.2). In quotes they are texts. */
bool yaml_is_null(const yaml_node_t *node) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};

    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
        if (str_eq(yaml_text(node), nulls[i]))
            return true;
    return false;
}

yaml_node_t *yaml_get(struct yaml_doc *doc, yaml_node_t *map, const char *key) {
    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        if (!str_eq(yaml_text(yaml_document_get_node(&doc->document, p->key)), key))
            continue;
        yaml_node_t *value = yaml_document_get_node(&doc->document, p->value);
        return value && !yaml_is_null(value) ? value : NULL;
    }
    return NULL;
}

/* libyaml's vectors end at top, which is one past the last; end is what was allocated. */
bool yaml_pair(struct yaml_doc *doc, yaml_node_t *map, size_t i, yaml_node_t **ret_key,
               yaml_node_t **ret_value) {
    if (!map || map->type != YAML_MAPPING_NODE)
        return false;
    const yaml_node_pair_t *pair = map->data.mapping.pairs.start;
    if (i >= (size_t)(map->data.mapping.pairs.top - pair))
        return false;
    *ret_key = yaml_document_get_node(&doc->document, pair[i].key);
    *ret_value = yaml_document_get_node(&doc->document, pair[i].value);
    return true;
}

yaml_node_t *yaml_item(struct yaml_doc *doc, yaml_node_t *list, size_t i) {
    if (!list || list->type != YAML_SEQUENCE_NODE)
        return NULL;
    size_t n = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
    return i < n ? yaml_document_get_node(&doc->document, list->data.sequence.items.start[i]) : NULL;
}

const char *yaml_text(const yaml_node_t *node) {
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

size_t yaml_line(const yaml_node_t *node) {
    return node ? node->start_mark.line + 1 : 0;
}

void yaml_err_set(struct err *err, const struct yaml_doc *doc, const yaml_node_t *at, const char *fmt, ...) {
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (at)
        err_set(err, -EINVAL, "%s:%zu: %s", doc->path, yaml_line(at), text);
    else
        err_set(err, -EINVAL, "%s: %s", doc->path, text);
}
