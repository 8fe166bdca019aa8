/* Builds a document of the parser's events, within limits. */
#include "informers/decode_json.h"

#include "base/str.h"
#include <string.h>

enum { METADATA_DEPTH = 2 }; /* the maps open at a key of metadata: the object and metadata itself */

void json_builder_reset(struct json_builder *b) {
    json_decref(b->root);
    b->root = NULL;
    b->depth = b->skip = b->nodes = b->bytes = 0;
    b->skip_next = b->failed = false;
}

json_t *json_builder_take(struct json_builder *b) {
    json_t *root = b->failed || b->depth ? NULL : json_incref(b->root);

    json_builder_reset(b);
    return root;
}

/* Between the begin of the object and its end; what a frame has around it is not the document's. */
bool json_builder_open(const struct json_builder *b) {
    return b->depth > 0;
}

/* Whether the next value is to be left out, as whole or as part of something larger. */
static bool left_out(struct json_builder *b) {
    bool out = b->failed || b->skip || b->skip_next;

    b->skip_next = false;
    return out;
}

/* Nothing more is built, but brackets are counted on, so that the end is found. */
static void fail(struct json_builder *b) {
    b->failed = true;
}

/* Puts value (its reference is taken) where the document stands. */
static void put(struct json_builder *b, json_t *value) {
    json_t *in = b->depth ? b->stack[b->depth - 1] : NULL;
    int ret = -1;

    if (!value || ++b->nodes > DECODE_JSON_NODES || b->bytes > DECODE_JSON_BYTES)
        json_decref(value);
    else if (!in && !b->root)
        ret = (b->root = value) ? 0 : -1;
    else if (json_is_array(in))
        ret = json_array_append_new(in, value);
    else
        ret = json_object_set_new(in, b->key, value);
    if (ret < 0)
        fail(b);
}

/* stack holds the open maps and lists, borrowed from root. Left out are the levels from skip on: depth counts
 * them too. */
void json_builder_begin(struct json_builder *b, bool map) {
    if (left_out(b)) {
        if (!b->skip)
            b->skip = b->depth + 1;
    } else if (b->depth >= DECODE_JSON_DEPTH) {
        fail(b);
        b->skip = b->depth + 1;
    } else {
        json_t *value = map ? json_object() : json_array();
        put(b, value);
        if (b->failed)
            b->skip = b->depth + 1;
        else
            b->stack[b->depth] = value;
    }
    b->depth++;
}

void json_builder_end(struct json_builder *b) {
    b->depth--;
    if (b->skip == b->depth + 1)
        b->skip = 0;
}

/* metadata.managedFields can be most of an object, and says nothing that a decision or a status needs. Deeper
 * down the same word may be a label's key in a selector, which would select more without it. */
void json_builder_key(struct json_builder *b, const char *key, size_t len) {
    if (b->failed || b->skip)
        return;
    if (len >= sizeof(b->key) || memchr(key, '\0', len)) {
        fail(b);
        return;
    }
    memcpy(b->key, key, len);
    b->key[len] = '\0';
    b->bytes += len;
    b->skip_next = b->depth == METADATA_DEPTH && strcmp(b->key, "managedFields") == 0;
}

void json_builder_string(struct json_builder *b, const char *text, size_t len) {
    if (left_out(b))
        return;
    b->bytes += len;
    if (memchr(text, '\0', len) || b->bytes > DECODE_JSON_BYTES)
        fail(b);
    else
        put(b, json_stringn(text, len));
}

/* Whole numbers stay whole: a generation is an int64, which a double does not hold. */
void json_builder_number(struct json_builder *b, const char *text, size_t len) {
    char copy[64];
    int64_t whole;
    double real;

    if (left_out(b))
        return;
    if (len >= sizeof(copy)) {
        fail(b);
        return;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (str_to_i64(copy, &whole) == 0)
        put(b, json_integer(whole));
    else if (str_to_double(copy, &real) == 0)
        put(b, json_real(real)); /* NULL where it is infinite: refused */
    else
        fail(b);
}

void json_builder_literal(struct json_builder *b, json_t *value) {
    if (!left_out(b))
        put(b, value);
}
