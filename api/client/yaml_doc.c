/* YAML trees by libyaml. */
#include "api/client/yaml_doc.h"

#include "api/client/file.h"
#include "base/cleanup.h"
#include "base/str.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 1024 * 1024 };

int yaml_doc_load(const char *path, struct yaml_doc *ret_doc, struct err *err) {
    cleanup_free char *text = NULL;
    yaml_parser_t parser;
    size_t len = 0;
    int ret = 0;

    int r = file_read(path, FILE_MAX, &text, &len, NULL, err);
    if (r < 0)
        return r;
    if (!yaml_parser_initialize(&parser))
        return err_set(err, -ENOMEM, "%s: no YAML parser", path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (yaml_parser_load(&parser, &ret_doc->document)) {
        ret_doc->path = path;
        ret_doc->loaded = true;
    } else {
        ret = err_set(err, -EINVAL, "%s:%zu: not YAML: %s", path, parser.problem_mark.line + 1,
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

static bool is_null(const yaml_node_t *node) {
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
        return value && !is_null(value) ? value : NULL;
    }
    return NULL;
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
