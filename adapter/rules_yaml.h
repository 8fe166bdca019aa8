/* Strict reading of a YAML tree: mappings whose keys are known, with the place of everything for messages.
 * What is wrong is told, and reading goes on, so that all of it is told at once. */
#ifndef ADAPTER_RULES_YAML_H
#define ADAPTER_RULES_YAML_H

#include "adapter/rules.h"
#include "api/types/yaml_doc.h"
#include "base/arena.h"

enum {
    RULES_MISTAKES_MAX = 100,   /* told */
    RULES_ENTRIES_MAX = 500000, /* read: aliases let a short file be a long one */
    RULES_KEYS_MAX = 1000,      /* of one mapping */
};

struct rules_mistake {
    size_t line;
    struct err err;
};

struct rules_reader {
    struct yaml_doc doc;
    struct arena *arena;            /* of what is read */
    struct rules_mistake *mistakes; /* what is told, in the order in which it was found */
    unsigned mistake_count;
    size_t entries;
};

/* Where something is: "rules[2].name.as" is a chain of four. */
struct rules_place {
    const struct rules_place *up;
    const char *name; /* NULL: the index counts */
    size_t index;
};

/* Keeps what is wrong to be told; the line is that of node. */
void rules_wrong(struct rules_reader *r, const struct rules_place *at, const yaml_node_t *node,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A text for a message: what is longer than 80 bytes is cut, between characters. In the arena. */
const char *rules_brief(struct rules_reader *r, const char *text);

/* The entries of a mapping, those of merge keys ("<<: *defaults") among them. */
struct rules_entry {
    const char *key;
    yaml_node_t *at, *value; /* the key's node; value NULL: a null */
};
/* Doubled keys and keys that are no texts are told. The number of entries, in the reader's arena. */
size_t rules_entries(struct rules_reader *r, const struct rules_place *at, yaml_node_t *map,
                     const struct rules_entry **ret_entries);
/* The values of the keys (ended by NULL), NULL for what is not there; others are told. */
void rules_fields(struct rules_reader *r, const struct rules_place *at, yaml_node_t *map,
                  const char *const *keys, yaml_node_t **ret_values);
/* The items of a list, at most max; 0 where node is NULL. */
size_t rules_list(struct rules_reader *r, const struct rules_place *at, yaml_node_t *node, size_t max);
/* The text of a scalar, in the arena; NULL where node is NULL or has none, or is empty. */
const char *rules_text(struct rules_reader *r, const struct rules_place *at, const yaml_node_t *node);
/* YAML 1.1's words for true and false. */
bool rules_bool(struct rules_reader *r, const struct rules_place *at, const yaml_node_t *node, bool preset);

#endif
