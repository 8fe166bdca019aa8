/* The configuration file: a YAML mapping from camel-cased option names to values.
 *
 * Each value is handed to the option table as text, as if it stood behind its flag, so that file and flags
 * are checked by the same code and refuse in the same words; only the place ("FILE:LINE: key") is ours. That
 * is why numbers and truth values are not read as YAML types here: prometheusInterval: 5s and httpPort: 8080
 * are both scalars. Flags are read after the file, and win. */
#include "base/cleanup.h"
#include "base/str.h"
#include "operator/options.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

struct reader {
    struct options *options;
    const char *path;
    yaml_document_t document;
};

/* NULL for what is no scalar, and for NULL. */
static const char *scalar(const yaml_node_t *node) {
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static int set_scalar(struct reader *r, const struct option *opt, const char *key, const yaml_node_t *value,
                      struct err *err) {
    const char *where =
        arena_printf(&r->options->arena, "%s:%zu: %s", r->path, value->start_mark.line + 1, key);

    if (!scalar(value))
        return err_set(err, -EINVAL, "%s: a single value is expected", where);
    return options_set(r->options, opt, scalar(value), where, err);
}

/* A list option takes a sequence, an item at a time as a flag that is repeated, or one text as its flag does.
 */
static int set_value(struct reader *r, const struct option *opt, const char *key, yaml_node_t *value,
                     struct err *err) {
    if (value->type != YAML_SEQUENCE_NODE || opt->type != OPTION_LIST)
        return set_scalar(r, opt, key, value, err);
    yaml_node_item_t *item = value->data.sequence.items.start;
    for (; item < value->data.sequence.items.top; item++) {
        int ret = set_scalar(r, opt, key, yaml_document_get_node(&r->document, *item), err);
        if (ret < 0)
            return ret;
    }
    return 0;
}

/* "config" is a flag of run, but not a key: a file that names another would have to say which of the two
 * wins.
 */
static int set_pair(struct reader *r, const yaml_node_pair_t *pair, struct err *err) {
    yaml_node_t *key_node = yaml_document_get_node(&r->document, pair->key);
    yaml_node_t *value = yaml_document_get_node(&r->document, pair->value);
    const char *key = str_or_empty(scalar(key_node));
    const struct option *opt = option_by_key(key);

    if (!opt || str_eq(opt->name, "config"))
        return err_set(err, -EINVAL,
                       "%s:%zu: unknown key \"%s\": the keys are the flags of trimtab run in camel case, "
                       "such as prometheusUrl",
                       r->path, key_node->start_mark.line + 1, key);
    return set_value(r, opt, key, value, err);
}

static int set_all(struct reader *r, struct err *err) {
    yaml_node_t *root = yaml_document_get_root_node(&r->document);

    if (!root)
        return 0; /* an empty file sets nothing */
    if (root->type != YAML_MAPPING_NODE)
        return err_set(err, -EINVAL,
                       "%s:%zu: a mapping of options is expected, such as \"prometheusUrl: http://…\"",
                       r->path, root->start_mark.line + 1);
    yaml_node_pair_t *pair = root->data.mapping.pairs.start;
    for (; pair < root->data.mapping.pairs.top; pair++) {
        int ret = set_pair(r, pair, err);
        if (ret < 0)
            return ret;
    }
    return 0;
}

/* What stands behind a "---" would be options that nobody sets. */
static int refuse_more(struct reader *r, struct err *err) {
    yaml_node_t *root = yaml_document_get_root_node(&r->document);

    return root ? err_set(err, -EINVAL, "%s:%zu: a second document: all options belong into the first",
                          r->path, root->start_mark.line + 1)
                : 0;
}

/* At the end of the file there is a document too, without a root. */
static int read_document(struct reader *r, yaml_parser_t *parser, int (*take)(struct reader *, struct err *),
                         struct err *err) {
    if (!yaml_parser_load(parser, &r->document))
        return err_set(err, -EINVAL, "%s:%zu: not YAML: %s", r->path, parser->problem_mark.line + 1,
                       str_or_empty(parser->problem));
    int ret = take(r, err);
    yaml_document_delete(&r->document);
    return ret;
}

int options_load_file(struct options *options, const char *path, struct err *err) {
    cleanup_file FILE *f = fopen(path, "re");
    struct reader r = {.options = options, .path = path};
    yaml_parser_t parser;
    int ret;

    if (!f)
        return err_set(err, -errno, "%s: %s", path, strerror(errno));
    options->origin = ORIGIN_FILE;
    if (!yaml_parser_initialize(&parser))
        return err_set(err, -ENOMEM, "%s: no YAML parser", path);
    yaml_parser_set_input_file(&parser, f);
    ret = read_document(&r, &parser, set_all, err);
    if (ret == 0)
        ret = read_document(&r, &parser, refuse_more, err);
    yaml_parser_delete(&parser);
    return ret;
}
