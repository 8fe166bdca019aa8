/* What the files of the widener share: the text as it is read and copied, and what is known of an
 * expression. Everything returns false where it does not understand, or cannot prove. */
#ifndef ADAPTER_WIDEN_INTERNAL_H
#define ADAPTER_WIDEN_INTERNAL_H

#include "adapter/promql.h"
#include "adapter/widen.h"
#include <stdint.h>

enum { WIDEN_LABELS_MAX = 16, WIDEN_MATCHERS_MAX = 64, WIDEN_DEPTH_MAX = 64 };

struct widen_set {
    uint32_t count;
    const char *names[WIDEN_LABELS_MAX];
};

enum widen_shape {
    SHAPE_NUMBER, /* the same for all series */
    /* Each element comes from one series that its object's matcher selected, and has all its labels, perhaps
     * without the name and le. */
    SHAPE_SERIES,
    /* Each element comes from the series of one object and has the object's label, and no others than those
     * of a set. */
    SHAPE_OBJECTS,
};

struct widen_value {
    enum widen_shape shape;
    bool range;
    bool selector;  /* a selector, and nothing around it yet: may get a range */
    bool shiftable; /* a selector, range or subquery: may get offset and @ */
    /* No two elements have the same labels beside the name. Where that is not certain, a function that drops
     * the name fails for the whole query if it happens to one object. */
    bool distinct;
    struct widen_set labels; /* of OBJECTS */
};

struct widener {
    struct promql in;
    const struct widen_labels *labels;
    bool namespaces;    /* all of them, not just all objects */
    const char *copied; /* the text up to here is in out, or left out */
    struct buf *out;
    bool full; /* out had no room for something */
    unsigned depth;
};

/* Leaves out what stands between, which is behind all that was left out or inserted before. */
void widen_cut(struct widener *w, const char *from, const char *to);
void widen_insert(struct widener *w, const char *at, const char *before, const char *text);

/* Blanks, then the token, if it stands there; longer ones that begin like it are to be asked for first. */
bool widen_take(struct widener *w, const char *token);
/* Blanks, then the word, in letters of any size. */
bool widen_take_keyword(struct widener *w, const char *word);
/* A number without sign. */
bool widen_take_number(struct widener *w);

/* A selector whose name, if it has one, has been taken; with the matchers of the request left out. */
bool widen_selector(struct widener *w, const char *name, struct widen_value *ret_value);
/* Ranges, subqueries, offset and @ behind an expression. */
bool widen_modifiers(struct widener *w, struct widen_value *value);
/* by (…) behind its keyword; ns is put in where all namespaces are asked for. */
bool widen_by(struct widener *w, struct widen_set *ret_set);

bool widen_set_has(const struct widen_set *set, const char *name);
bool widen_set_equal(const struct widen_set *a, const struct widen_set *b);

#endif
