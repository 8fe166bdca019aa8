/* YAML streams as JSON, and the lines of fields. Scalars are read as Kubernetes' tools read them: null, true
 * and false, whole and decimal numbers; everything else, and everything quoted, is text. So is what YAML 1.1
 * has beyond that (yes, 0x1f, 1_000, .inf): where a field wants a number it is refused, and not guessed.
 *
 * libyaml makes a tree of each document, in which an alias is one more reference to a node; here it is
 * written out wherever it is used, and a few lines of aliases of aliases could stand for gigabytes ("billion
 * laughs"). Two things are in the way: weigh refuses most of them before anything is made, and convert counts
 * what it makes. weigh alone would not do: what it knows of a node that it met too deep is too little. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "operator/documents_internal.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct converter {
    const struct document_file *file;
    yaml_document_t *document;
    size_t nodes; /* made so far, in all documents */
    struct err *err;
};

static const char *scalar_text(const yaml_node_t *node) {
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static json_t *refuse(struct converter *c, const yaml_node_t *at, const char *what) {
    err_set(c->err, -EINVAL, "%s:%zu: %s", c->file->name, at->start_mark.line + 1, what);
    return NULL;
}

/* Exactly as written: "nULL" is a text. */
static bool one_of(const char *text, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (str_eq(text, words[i]))
            return true;
    return false;
}

/* strtod would take more: inf, nan, 0x1p3. Of "-.5" the digit is the third character. */
static bool looks_like_number(const char *text) {
    const char *first = text + (*text == '-' || *text == '+');

    return isdigit((unsigned char)first[*first == '.']) && strspn(text, "0123456789+-.eE") == strlen(text);
}

static json_t *plain_scalar(const char *text) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const yes[] = {"true", "True", "TRUE"}, *const no[] = {"false", "False", "FALSE"};
    int64_t whole;
    double real;

    if (one_of(text, nulls, 5))
        return json_null();
    if (one_of(text, yes, 3) || one_of(text, no, 3))
        return json_boolean(tolower((unsigned char)*text) == 't');
    if (looks_like_number(text) && str_to_i64(text, &whole) == 0)
        return json_integer(whole);
    if (looks_like_number(text) && str_to_double(text, &real) == 0 && isfinite(real))
        return json_real(real);
    return json_string(text);
}

/* Only a plain scalar may be anything but text: "5" in quotes is a text. */
static json_t *convert_scalar(struct converter *c, const yaml_node_t *node) {
    const char *text = scalar_text(node);

    if (strlen(text) != node->data.scalar.length)
        return refuse(c, node, "a text with a NUL in it");
    json_t *value =
        node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_scalar(text) : json_string(text);
    return value ? value : refuse(c, node, "a text that is not UTF-8");
}

static json_t *convert(struct converter *c, yaml_node_t *node, unsigned depth);

static json_t *convert_sequence(struct converter *c, yaml_node_t *node, unsigned depth) {
    yaml_node_item_t *item = node->data.sequence.items.start;
    json_t *list = json_array();

    for (; item < node->data.sequence.items.top; item++) {
        json_t *value = convert(c, yaml_document_get_node(c->document, *item), depth + 1);
        if (!value) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, value);
    }
    return list;
}

/* Puts one pair; what is merged ("<<: *defaults") gives way to what is written, wherever it stands: it is
 * gathered apart, and added at the end of the mapping. Of two merges the first wins. */
static bool convert_pair(struct converter *c, const yaml_node_pair_t *pair, unsigned depth, json_t *map,
                         json_t *merged) {
    yaml_node_t *key_node = yaml_document_get_node(c->document, pair->key);
    const char *key = scalar_text(key_node);
    char twice[160];

    if (!key || json_object_get(map, key)) {
        snprintf(twice, sizeof(twice), "the key %.100s is there twice", str_or_empty(key));
        refuse(c, key_node, key ? twice : "a key that is not a text");
        return false;
    }
    json_t *value = convert(c, yaml_document_get_node(c->document, pair->value), depth + 1);
    if (!value)
        return false;
    if (str_eq(key, "<<") && json_is_object(value)) {
        json_object_update_missing(merged, value);
        json_decref(value);
        return true;
    }
    if (json_object_set_new(map, key, value) < 0) {
        refuse(c, key_node, "a key that is not UTF-8");
        return false;
    }
    return true;
}

static json_t *convert_mapping(struct converter *c, yaml_node_t *node, unsigned depth) {
    yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    json_t *map = json_object(), *merged = json_object();
    bool ok = true;

    for (; ok && pair < node->data.mapping.pairs.top; pair++)
        ok = convert_pair(c, pair, depth, map, merged);
    if (ok) {
        json_object_update_missing(map, merged);
    } else {
        json_decref(map);
        map = NULL;
    }
    json_decref(merged);
    return map;
}

/* The node as JSON, new reference; NULL with c->err set. */
static json_t *convert(struct converter *c, yaml_node_t *node, unsigned depth) {
    if (depth > DOCUMENTS_DEPTH_MAX)
        return refuse(c, node, "nested too deep");
    if (++c->nodes > DOCUMENTS_NODES_MAX)
        return refuse(c, node, "too large");
    switch (node->type) {
    case YAML_SEQUENCE_NODE:
        return convert_sequence(c, node, depth);
    case YAML_MAPPING_NODE:
        return convert_mapping(c, node, depth);
    case YAML_SCALAR_NODE:
        return convert_scalar(c, node);
    case YAML_NO_NODE:
    default:
        return refuse(c, node, "not understood");
    }
}

/* What libyaml's words leave to guess: it is nearly always a tab. */
static const char *hint(const char *problem) {
    return str_eq(problem, "found character that cannot start any token")
               ? ": indent with spaces, not tabs, and quote what begins with @, % or `"
               : "";
}

/* How many nodes the node of this number stands for, aliases written out. Each is counted once: known has
 * their counts, and ends a cycle, which convert refuses for its depth. */
static size_t weigh(const struct converter *c, int number, unsigned depth, size_t *known) {
    const yaml_node_t *node = yaml_document_get_node(c->document, number);
    size_t sum = 1;

    if (known[number] || depth > DOCUMENTS_DEPTH_MAX)
        return known[number];
    known[number] = sum;
    if (node->type == YAML_SEQUENCE_NODE)
        for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++)
            sum += weigh(c, *i, depth + 1, known);
    if (node->type == YAML_MAPPING_NODE)
        for (yaml_node_pair_t *i = node->data.mapping.pairs.start; i < node->data.mapping.pairs.top; i++)
            sum += weigh(c, i->value, depth + 1, known);
    known[number] = sum < DOCUMENTS_NODES_MAX ? sum : DOCUMENTS_NODES_MAX + 1;
    return known[number];
}

/* What is too large is refused before it is made: a few bytes may stand for gigabytes. */
static json_t *convert_document(struct converter *c) {
    yaml_node_t *root = yaml_document_get_root_node(c->document);
    size_t nodes = (size_t)(c->document->nodes.top - c->document->nodes.start);
    cleanup_free size_t *known = xcalloc(nodes + 1, sizeof(*known));

    if (c->nodes + weigh(c, 1, 0, known) > DOCUMENTS_NODES_MAX) /* the root is the first */
        return refuse(c, root, "too large");
    return convert(c, root, 0);
}

/* The next document of the stream: 1, 0 at its end, or -EINVAL. An empty one has a root (an empty scalar) all
 * the same; only the end of the stream has none. */
static int next_document(yaml_parser_t *parser, yaml_document_t *ret_document, const char *name,
                         struct err *err) {
    if (!yaml_parser_load(parser, ret_document))
        return err_set(err, -EINVAL, "%s:%zu: not YAML: %s%s", name, parser->problem_mark.line + 1,
                       str_or_empty(parser->problem), hint(parser->problem));
    if (yaml_document_get_root_node(ret_document))
        return 1;
    yaml_document_delete(ret_document);
    return 0;
}

static int convert_documents(struct document_file *file, yaml_parser_t *parser, struct err *err) {
    struct converter c = {.file = file, .err = err};
    yaml_document_t document;
    int more;

    while ((more = next_document(parser, &document, file->name, err)) > 0) {
        c.document = &document;
        json_t *value = convert_document(&c);
        yaml_document_delete(&document);
        if (!value)
            return -EINVAL;
        /* Empty documents stay, so that an index is the number of the document in the stream. */
        json_array_append_new(file->documents, value);
    }
    return more;
}

int documents_parse_yaml(struct document_file *file, struct err *err) {
    yaml_parser_t parser;

    if (!yaml_parser_initialize(&parser))
        return err_set(err, -ENOMEM, "%s: no YAML parser", file->name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)file->text, file->len);
    int ret = convert_documents(file, &parser, err);
    yaml_parser_delete(&parser);
    return ret;
}

/* ---- lines ---- */

/* Where a search has come to: the innermost node found and the line it is written on. Of a field that is
 * missing this is the line of what it is missing in, which is where somebody would add it. */
struct search {
    yaml_document_t *document;
    yaml_node_t *node;
    size_t line;
    const char *rest; /* of the path: what is still to be found below node */
};

static bool ends_element(char c) {
    return c == '\0' || c == '.' || c == '[';
}

/* Keys may have dots in them (labels): the longest that fits is meant. */
static bool step_into_mapping(struct search *s) {
    yaml_node_pair_t *pair = s->node->data.mapping.pairs.start, *best = NULL;
    size_t best_len = 0;

    for (; pair < s->node->data.mapping.pairs.top; pair++) {
        const char *key = str_or_empty(scalar_text(yaml_document_get_node(s->document, pair->key)));
        size_t len = strlen(key);
        if (len > best_len && str_starts(s->rest, key) && ends_element(s->rest[len])) {
            best = pair;
            best_len = len;
        }
    }
    if (!best)
        return false;
    s->line = yaml_document_get_node(s->document, best->key)->start_mark.line + 1;
    s->node = yaml_document_get_node(s->document, best->value);
    s->rest += best_len;
    return true;
}

static bool step_into_sequence(struct search *s) {
    yaml_node_item_t *start = s->node->data.sequence.items.start;
    char *end;

    if (*s->rest != '[')
        return false;
    unsigned long index = strtoul(s->rest + 1, &end, 10);
    if (*end != ']' || index >= (unsigned long)(s->node->data.sequence.items.top - start))
        return false;
    s->node = yaml_document_get_node(s->document, start[index]);
    s->line = s->node->start_mark.line + 1;
    s->rest = end + 1;
    return true;
}

static size_t line_of(yaml_document_t *document, const char *path) {
    struct search s = {.document = document, .node = yaml_document_get_root_node(document), .rest = path};
    bool found = true;

    s.line = s.node->start_mark.line + 1;
    while (found && *s.rest != '\0') {
        s.rest += *s.rest == '.';
        found = s.node->type == YAML_MAPPING_NODE    ? step_into_mapping(&s)
                : s.node->type == YAML_SEQUENCE_NODE ? step_into_sequence(&s)
                                                     : false;
    }
    return s.line;
}

/* The trees of a file, with the places of their nodes, in the order of file->documents. They take a multiple
 * of the text's memory, and stay until the file is done: where there is one complaint there are often more.
 */
struct documents_lines {
    yaml_document_t *documents;
    size_t count;
};

void documents_lines_free(struct documents_lines *lines) {
    if (!lines)
        return;
    for (size_t i = 0; i < lines->count; i++)
        yaml_document_delete(&lines->documents[i]);
    free(lines->documents);
    free(lines);
}

/* JSON is YAML's flow style, but for a few escapes: what follows one of those has no line; nor has the second
 * of several JSON documents, where no "---" is between them. The file has been read before, so what is wrong
 * here is told to nobody. */
static struct documents_lines *read_lines(const struct document_file *file) {
    struct documents_lines *lines = XNEW(struct documents_lines);
    yaml_parser_t parser;

    lines->documents = xcalloc(json_array_size(file->documents) + 1, sizeof(*lines->documents));
    if (!yaml_parser_initialize(&parser))
        return lines;
    yaml_parser_set_input_string(&parser, (const unsigned char *)file->text, file->len);
    while (lines->count < json_array_size(file->documents) &&
           next_document(&parser, &lines->documents[lines->count], "", NULL) > 0)
        lines->count++;
    yaml_parser_delete(&parser);
    return lines;
}

size_t documents_line(struct document_file *file, size_t index, const char *path) {
    if (!file->lines)
        file->lines = read_lines(file);
    return index < file->lines->count ? line_of(&file->lines->documents[index], path) : 0;
}
