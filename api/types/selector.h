/* Label selectors: the text form of Scale.status.selector ("app=web,tier in (a,b),!x") and matching. Pure. */
#ifndef API_TYPES_SELECTOR_H
#define API_TYPES_SELECTOR_H

#include "api/types/object.h"
#include "base/arena.h"
#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>

enum selector_op {
    SELECTOR_IN,
    SELECTOR_NOT_IN,
    SELECTOR_EXISTS,
    SELECTOR_NOT_EXISTS,
    SELECTOR_GREATER, /* > and < have one value, a whole number, and only match a label that is one */
    SELECTOR_LESS,
};

struct selector_term {
    const char *key;
    enum selector_op op;
    bool equality;  /* written = == or !=, which PromQL tells from in and notin with one value */
    uint32_t count; /* of values; "=" is IN with one, "!=" NOT_IN with one */
    const char **values;
};

struct selector {
    uint32_t count;
    struct selector_term *terms; /* all must hold; none: matches everything */
};

/* Parses the text form; strings live in arena. -EINVAL names the position. As apimachinery's labels.Parse for
 * the operators = == != in notin exists !exists > <. */
int selector_parse(const char *text, struct arena *arena, struct selector *ret_selector, struct err *err);
/* Whether an object with these labels (NULL: none) is selected; NotIn and != also match where the key is
 * absent. */
bool selector_matches(const struct selector *selector, const struct labels *labels);
/* A copy in arena, with its texts. */
struct selector selector_copy(const struct selector *selector, struct arena *arena);
/* The text form of a LabelSelector object (matchLabels, matchExpressions), terms sorted by key as
 * apimachinery prints them; "" where it is empty. The text lives in arena. -EINVAL says what is wrong with
 * it. */
int selector_write(const json_t *label_selector, struct arena *arena, const char **ret_text, struct err *err);

#endif
