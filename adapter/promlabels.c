/* Labels of the first elements, and in what they differ. */
#include "adapter/promlabels.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include <string.h>

void promlabels_init(struct promlabels *l) {
    memset(l->count, 0, sizeof(l->count));
    arena_init(&l->arena, 1024);
}

void promlabels_done(struct promlabels *l) {
    arena_done(&l->arena);
}

static const char *keep(struct arena *arena, const char *text) {
    char cut[PROMLABELS_TEXT];

    str_cut(cut, sizeof(cut), text, strlen(text));
    return arena_strdup(arena, cut);
}

void promlabels_add(struct promlabels *l, uint32_t element, const char *name, const char *value) {
    /* Two elements may agree in the first labels and differ past the limit: then the message is without
     * the hint, which is all that it costs. */
    if (element >= PROMLABELS_ELEMENTS || l->count[element] >= PROMLABELS_MAX)
        return;
    l->items[element][l->count[element]++] = (struct promlabel){
        .name = keep(&l->arena, name),
        .value = keep(&l->arena, value),
    };
}

static const char *value_of(const struct promlabels *l, uint32_t element, const char *name) {
    for (uint32_t i = 0; i < l->count[element]; i++)
        if (str_eq(l->items[element][i].name, name))
            return l->items[element][i].value;
    return "";
}

/* A label that not all of the first n elements share. */
static bool differs(const struct promlabels *l, uint32_t n, const char *name) {
    for (uint32_t e = 1; e < n; e++)
        if (!str_eq(value_of(l, 0, name), value_of(l, e, name)))
            return true;
    return false;
}

/* Whether name stands in an element before this one. */
static bool seen_before(const struct promlabels *l, uint32_t element, const char *name) {
    for (uint32_t e = 0; e < element; e++)
        for (uint32_t i = 0; i < l->count[e]; i++)
            if (str_eq(l->items[e][i].name, name))
                return true;
    return false;
}

static uint32_t put_names(const struct promlabels *l, uint32_t n, struct buf *out) {
    uint32_t names = 0;

    /* All elements' labels, for one may have a label that the first has not: a label that is missing reads
     * as "", as in PromQL. */
    for (uint32_t e = 0; e < n; e++)
        for (uint32_t i = 0; i < l->count[e]; i++) {
            const char *name = l->items[e][i].name;
            if (seen_before(l, e, name) || !differs(l, n, name))
                continue;
            buf_printf(out, "%s%s", names++ ? ", " : " that differ in ", name);
        }
    return names;
}

static void put_element(const struct promlabels *l, uint32_t n, uint32_t element, struct buf *out) {
    uint32_t shown = 0;

    buf_puts(out, element ? ", {" : ": {");
    for (uint32_t i = 0; i < l->count[element]; i++) {
        const struct promlabel *label = &l->items[element][i];
        /* What all of them share would only hide what to aggregate by. */
        if (differs(l, n, label->name))
            buf_printf(out, "%s%s=\"%s\"", shown++ ? "," : "", label->name, label->value);
    }
    buf_puts(out, "}");
}

char *promlabels_difference(const struct promlabels *l, uint32_t total) {
    uint32_t n = total < PROMLABELS_ELEMENTS ? total : PROMLABELS_ELEMENTS;
    cleanup_buf struct buf out;

    /* The whole message is cut to its own limit; the question what to change must still fit behind. */
    buf_init(&out, 320);
    if (put_names(l, n, &out)) {
        for (uint32_t e = 0; e < n; e++)
            put_element(l, n, e, &out);
        if (total > n)
            buf_puts(&out, ", …");
    }
    return out.len ? buf_detach(&out) : xstrdup("");
}
