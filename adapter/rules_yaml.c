/* Strict reading of a YAML tree; see rules_yaml.h.
 *
 * libyaml gives an alias the node of its anchor: a tree is then a graph, small in memory however much it
 * means when it is walked, and it may lead back into itself. So it is the walk that is bounded: each entry
 * that is looked at counts for the whole file (RULES_ENTRIES_MAX), and merge keys go only so deep. */
#include "adapter/rules_yaml.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of a message: its place, and a text that it cites. Then: merge keys within what is merged. */
enum { PLACE_MAX = 300, BRIEF_MAX = 80, MERGE_DEPTH_MAX = 8 };

/* ---- what is wrong ---- */

const char *rules_brief(struct rules_reader *r, const char *text) {
    if (strlen(text) <= BRIEF_MAX)
        return text;
    char *cut = arena_strndup(r->arena, text, BRIEF_MAX);
    str_trim_utf8(cut);
    return ARENA_JOIN(r->arena, cut, "…");
}

/* Places deeper than a few cannot be: the schema has no more levels. */
static void write_place(struct rules_reader *r, const struct rules_place *at, struct buf *out) {
    if (!at)
        return;
    write_place(r, at->up, out);
    if (!at->name)
        buf_printf(out, "[%zu]", at->index);
    else
        buf_printf(out, "%s%s", out->len > 0 ? "." : "",
                   *at->name != '\0' ? rules_brief(r, at->name) : "\"\"");
}

void rules_wrong(struct rules_reader *r, const struct rules_place *at, const yaml_node_t *node,
                 const char *fmt, ...) {
    cleanup_buf struct buf place;
    char what[ERR_TEXT_MAX];
    struct rules_mistake *mistake;
    va_list ap;

    buf_init(&place, PLACE_MAX);
    /* The first hundred say enough of a file that is something else altogether. */
    if (r->mistake_count == RULES_MISTAKES_MAX)
        return;
    if (!r->mistakes)
        r->mistakes = xcalloc(RULES_MISTAKES_MAX, sizeof(*r->mistakes));
    mistake = &r->mistakes[r->mistake_count++];
    write_place(r, at, &place);
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    mistake->line = yaml_line(node);
    yaml_err_set(&mistake->err, &r->doc, node, "%s%s%s", place.data, place.len ? ": " : "", what);
}

static const char *kind_of(const yaml_node_t *node) {
    switch (node->type) {
    case YAML_SEQUENCE_NODE:
        return "a list";
    case YAML_MAPPING_NODE:
        return "a mapping";
    case YAML_SCALAR_NODE:
        return "a text";
    case YAML_NO_NODE:
    default:
        return "nothing";
    }
}

/* False where the mapping is none; a null is an empty one. */
static bool is_mapping(struct rules_reader *r, const struct rules_place *at, const yaml_node_t *node) {
    if (!node || yaml_is_null(node))
        return false;
    if (node->type != YAML_MAPPING_NODE)
        rules_wrong(r, at, node, "must be a mapping (key: value), and is %s", kind_of(node));
    return node->type == YAML_MAPPING_NODE;
}

/* ---- entries ---- */

/* The entries of one mapping in the making. Keys are the tree's own texts. */
struct collected {
    struct map seen; /* keys of items */
    struct rules_entry *items;
    size_t count, cap;
};

static void collected_done(struct collected *all) {
    map_done(&all->seen);
    free(all->items);
}

/* In quotes it is a key like any other (yaml.org/type/merge.html). */
static bool is_merge_key(const yaml_node_t *key) {
    return str_eq(yaml_text(key), "<<") && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* Counts one more entry. False: there is no room, and it has been told; of the file's entries once, when
 * their number is reached, since every loop that is under way then comes here again. */
static bool has_room(struct rules_reader *r, const struct rules_place *at, const yaml_node_t *node,
                     const struct collected *all) {
    if (all->count == RULES_KEYS_MAX)
        rules_wrong(r, at, node, "more than %d keys", RULES_KEYS_MAX);
    else if (++r->entries == RULES_ENTRIES_MAX)
        rules_wrong(r, at, node, "the file has more than %d entries", RULES_ENTRIES_MAX);
    return all->count < RULES_KEYS_MAX && r->entries < RULES_ENTRIES_MAX;
}

static void add(struct collected *all, const char *key, yaml_node_t *at, yaml_node_t *value) {
    if (all->count == all->cap) {
        all->cap = all->cap ? 2 * all->cap : 8;
        all->items = xrealloc(all->items, all->cap * sizeof(*all->items));
    }
    all->items[all->count++] = (struct rules_entry){key, at, value && !yaml_is_null(value) ? value : NULL};
    map_put(&all->seen, key, at);
}

/* What is written in the mapping itself. */
static void add_own(struct rules_reader *r, const struct rules_place *at, yaml_node_t *map,
                    struct collected *all) {
    yaml_node_t *key, *value;

    for (size_t i = 0; yaml_pair(&r->doc, map, i, &key, &value); i++) {
        const char *text = yaml_text(key);
        const struct rules_place here = {.up = at, .name = text};
        if (!has_room(r, at, map, all))
            return;
        if (is_merge_key(key))
            continue;
        if (!text || strlen(text) != key->data.scalar.length)
            rules_wrong(r, at, key, "a key that is no text");
        else if (map_get(&all->seen, text))
            rules_wrong(r, &here, key, "the key is there twice");
        else
            add(all, text, key, value);
    }
}

static void add_merged(struct rules_reader *r, const struct rules_place *at, yaml_node_t *map,
                       struct collected *all, unsigned depth);

/* What a merge key brings along: a mapping, or several, of which the first has the word. An own key is never
 * overwritten, and one that two of them have is no mistake: that is what merging is for. */
static void merge(struct rules_reader *r, const struct rules_place *at, yaml_node_t *from,
                  struct collected *all, unsigned depth) {
    yaml_node_t *key, *value, *item;

    if (depth == MERGE_DEPTH_MAX || (from->type != YAML_MAPPING_NODE && from->type != YAML_SEQUENCE_NODE)) {
        rules_wrong(r, at, from, "<< merges mappings, and these at most %d deep", MERGE_DEPTH_MAX);
        return;
    }
    for (size_t i = 0; (item = yaml_item(&r->doc, from, i)) && has_room(r, at, from, all); i++)
        merge(r, at, item, all, depth + 1);
    for (size_t i = 0; yaml_pair(&r->doc, from, i, &key, &value) && has_room(r, at, from, all); i++)
        if (yaml_text(key) && !is_merge_key(key) && !map_get(&all->seen, yaml_text(key)))
            add(all, yaml_text(key), key, value);
    add_merged(r, at, from, all, depth + 1);
}

static void add_merged(struct rules_reader *r, const struct rules_place *at, yaml_node_t *map,
                       struct collected *all, unsigned depth) {
    yaml_node_t *key, *value;

    for (size_t i = 0; yaml_pair(&r->doc, map, i, &key, &value); i++)
        if (is_merge_key(key) && has_room(r, at, map, all))
            merge(r, at, value, all, depth);
}

size_t rules_entries(struct rules_reader *r, const struct rules_place *at, yaml_node_t *map,
                     const struct rules_entry **ret_entries) {
    cleanup(collected_done) struct collected all = {0};
    struct rules_entry *entries;

    *ret_entries = NULL;
    if (!is_mapping(r, at, map))
        return 0;
    map_init(&all.seen);
    add_own(r, at, map, &all);
    /* What is written in the mapping goes before what is merged, wherever the merge key stands. */
    add_merged(r, at, map, &all, 0);
    if (!all.count)
        return 0;
    entries = ARENA_ARRAY(r->arena, struct rules_entry, all.count);
    memcpy(entries, all.items, all.count * sizeof(*entries));
    *ret_entries = entries;
    return all.count;
}

/* ---- known keys ---- */

/* The nearest key, where no more than about a quarter of the letters is wrong; else NULL. */
static const char *nearest(const char *key, const char *const *keys) {
    const char *best = NULL;
    unsigned least = UINT_MAX;

    for (; *keys; keys++) {
        unsigned distance = strlen(key) <= STR_DISTANCE_MAX ? str_distance(key, *keys) : UINT_MAX;
        if (distance <= 1 + strlen(*keys) / 4 && distance < least) {
            best = *keys;
            least = distance;
        }
    }
    return best;
}

static void unknown_key(struct rules_reader *r, const struct rules_place *at, const struct rules_entry *e,
                        const char *const *keys) {
    const struct rules_place here = {.up = at, .name = e->key};
    const char *meant = nearest(e->key, keys);
    char all[160] = "";

    if (meant) {
        rules_wrong(r, &here, e->at, "unknown key: did you mean %s?", meant);
        return;
    }
    for (size_t n = 0; *keys && n < sizeof(all); keys++)
        n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n > 0 ? ", " : "", *keys);
    rules_wrong(r, &here, e->at, "unknown key: the keys here are %s", all);
}

void rules_fields(struct rules_reader *r, const struct rules_place *at, yaml_node_t *map,
                  const char *const *keys, yaml_node_t **ret_values) {
    const struct rules_entry *entries;
    size_t count = rules_entries(r, at, map, &entries);

    for (size_t k = 0; keys[k]; k++)
        ret_values[k] = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (keys[k] && !str_eq(keys[k], entries[i].key))
            k++;
        if (keys[k])
            ret_values[k] = entries[i].value;
        else
            unknown_key(r, at, &entries[i], keys);
    }
}

/* ---- lists and scalars ---- */

size_t rules_list(struct rules_reader *r, const struct rules_place *at, yaml_node_t *node, size_t max) {
    if (!node)
        return 0;
    if (node->type != YAML_SEQUENCE_NODE) {
        rules_wrong(r, at, node, "must be a list (- …), and is %s", kind_of(node));
        return 0;
    }
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (count <= max)
        return count;
    rules_wrong(r, at, node, "%zu are too many: at most %zu", count, max);
    return 0;
}

/* An empty text is as good as none: in the original they are Go's strings, "" where nothing is given. */
const char *rules_text(struct rules_reader *r, const struct rules_place *at, const yaml_node_t *node) {
    const char *text = yaml_text(node);

    if (!node)
        return NULL;
    if (!text)
        rules_wrong(r, at, node, "must be a text, and is %s", kind_of(node));
    else if (strlen(text) != node->data.scalar.length)
        rules_wrong(r, at, node, "a text with a NUL in it");
    return text && *text != '\0' ? arena_strdup(r->arena, text) : NULL;
}

/* The words of yaml.org/type/bool.html, as YAML 1.1 has them. */
bool rules_bool(struct rules_reader *r, const struct rules_place *at, const yaml_node_t *node, bool preset) {
    static const char *const words[][2] = {
        {"false", "true"}, {"False", "True"}, {"FALSE", "TRUE"}, {"no", "yes"}, {"No", "Yes"}, {"NO", "YES"},
        {"off", "on"},     {"Off", "On"},     {"OFF", "ON"},     {"n", "y"},    {"N", "Y"}};
    const char *text = yaml_text(node);

    if (!node)
        return preset;
    if (text && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            for (int is_true = 0; is_true < 2; is_true++)
                if (str_eq(text, words[i][is_true]))
                    return is_true;
    rules_wrong(r, at, node, "must be true or false%s", text ? ", without quotes" : "");
    return preset;
}
