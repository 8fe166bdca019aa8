/* The labels of the first few elements of an answer, kept so that a message can say in what they differ.
 * Bounded and pure. */
#ifndef ADAPTER_PROMLABELS_H
#define ADAPTER_PROMLABELS_H

#include "base/arena.h"
#include <stdint.h>

enum { PROMLABELS_ELEMENTS = 3, PROMLABELS_MAX = 32, PROMLABELS_TEXT = 96 };

struct promlabel {
    const char *name, *value;
};

struct promlabels {
    struct arena arena;
    uint32_t count[PROMLABELS_ELEMENTS];
    struct promlabel items[PROMLABELS_ELEMENTS][PROMLABELS_MAX];
};

void promlabels_init(struct promlabels *l);
void promlabels_done(struct promlabels *l);
/* Keeps one label of the element with this number, unless it is past the limits. Long texts are cut. */
void promlabels_add(struct promlabels *l, uint32_t element, const char *name, const char *value);
/* " that differ in pod: {pod=\"a\"}, {pod=\"b\"}, …", or "" where what was kept does not differ; total is the
 * number of elements. Owned by the caller. */
char *promlabels_difference(const struct promlabels *l, uint32_t total);

#endif
