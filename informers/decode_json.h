/* Inside of the decoder: builds a jansson document out of the parser's events, for the few objects that are
 * read whole (policies). managedFields are left out. */
#ifndef INFORMERS_DECODE_JSON_H
#define INFORMERS_DECODE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    DECODE_JSON_DEPTH = 64,
    DECODE_JSON_NODES = 100000,
    DECODE_JSON_BYTES = 3 * 1024 * 1024, /* of text */
    DECODE_JSON_KEY = 512,
};

struct json_builder {
    json_t *root;
    json_t *stack[DECODE_JSON_DEPTH]; /* borrowed from root */
    size_t depth;                     /* of the document, also where it is not built */
    size_t skip;                      /* the depth at which leaving out began, plus 1; 0: building */
    size_t nodes, bytes;
    bool skip_next; /* the value of the key just read is left out */
    bool failed;    /* a limit was passed, or a text holds a NUL: there will be no document */
    char key[DECODE_JSON_KEY];
};

/* Empties the builder; a struct of zeroes is an empty one. */
void json_builder_reset(struct json_builder *b);
/* The document, once it is closed: owned by the caller; NULL where there is none or it failed. */
json_t *json_builder_take(struct json_builder *b);
/* Whether a document has been begun and is not closed. */
bool json_builder_open(const struct json_builder *b);

void json_builder_begin(struct json_builder *b, bool map);
void json_builder_end(struct json_builder *b);
void json_builder_key(struct json_builder *b, const char *key, size_t len);
void json_builder_string(struct json_builder *b, const char *text, size_t len);
void json_builder_number(struct json_builder *b, const char *text, size_t len);
/* true, false, null: a literal of jansson's. */
void json_builder_literal(struct json_builder *b, json_t *value);

#endif
