/* The metric selector of a request, given back in each item of the answer as apimachinery's
 * ParseToLabelSelector makes it: "=" as an entry of matchLabels, all others as expressions. */
#include "adapter/metricswrite_internal.h"

#include "base/jsontext.h"
#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

typedef const char *text;
typedef const struct selector_term *term_ref;

static int by_text(const void *a, const void *b) {
    return strcmp(*(const text *)a, *(const text *)b);
}

/* The terms sorted by key; those of one key stay in the order of the request, which qsort would not promise.
 * NULL ends them; free(3). */
static term_ref *sorted_terms(const struct selector *selector) {
    term_ref *terms = xcalloc(selector->count + 1, sizeof(term_ref));

    for (uint32_t i = 0; i < selector->count; i++) {
        uint32_t at = i;
        for (; at > 0 && strcmp(terms[at - 1]->key, selector->terms[i].key) > 0; at--)
            terms[at] = terms[at - 1];
        terms[at] = &selector->terms[i];
    }
    return terms;
}

/* "!=" has no place in matchLabels: the original answers 500 there, an expression says the same. */
static bool is_label(const struct selector_term *term) {
    return term->op == SELECTOR_IN && term->equality;
}

/* Where two demand different values of one label, the map has room for the last. */
static bool is_last_label(const term_ref *at) {
    for (const term_ref *next = at + 1; *next && str_eq((*next)->key, (*at)->key); next++)
        if (is_label(*next))
            return false;
    return is_label(*at);
}

/* Returns whether there were any. */
static bool write_labels(struct buf *out, const term_ref *terms) {
    const char *before = "\"matchLabels\":{";
    bool any = false;

    for (; *terms; terms++) {
        if (!is_last_label(terms))
            continue;
        buf_puts(out, any ? "," : before);
        jsontext_write(out, (*terms)->key);
        buf_puts(out, ":");
        jsontext_write(out, (*terms)->values[0]);
        any = true;
    }
    if (any)
        buf_puts(out, "}");
    return any;
}

/* As a set prints them: sorted, none twice. */
static void write_values(struct buf *out, const struct selector_term *term) {
    cleanup_free text *values = xcalloc(term->count, sizeof(*values));

    for (uint32_t i = 0; i < term->count; i++)
        values[i] = term->values[i];
    qsort(values, term->count, sizeof(*values), by_text);
    buf_puts(out, ",\"values\":[");
    for (uint32_t i = 0; i < term->count; i++) {
        if (i > 0 && str_eq(values[i], values[i - 1]))
            continue;
        buf_puts(out, i > 0 ? "," : "");
        jsontext_write(out, values[i]);
    }
    buf_puts(out, "]");
}

static void write_expression(struct buf *out, const struct selector_term *term) {
    static const char *const operators[] = {
        [SELECTOR_IN] = "In",         [SELECTOR_NOT_IN] = "NotIn",
        [SELECTOR_EXISTS] = "Exists", [SELECTOR_NOT_EXISTS] = "DoesNotExist",
        [SELECTOR_GREATER] = "Gt",    [SELECTOR_LESS] = "Lt"};

    buf_puts(out, "{\"key\":");
    jsontext_write(out, term->key);
    buf_printf(out, ",\"operator\":\"%s\"", operators[term->op]);
    if (term->count)
        write_values(out, term);
    buf_puts(out, "}");
}

/* before: the comma where there is something before them. */
static void write_expressions(struct buf *out, const term_ref *terms, const char *before) {
    bool any = false;

    for (; *terms; terms++) {
        if (is_label(*terms))
            continue;
        buf_printf(out, any ? "," : "%s\"matchExpressions\":[", before);
        write_expression(out, *terms);
        any = true;
    }
    if (any)
        buf_puts(out, "]");
}

/* An empty object would mean "all" to whoever reads it back; the original says null. */
void metrics_write_selector(struct buf *out, const struct selector *selector) {
    if (selector->count == 0) {
        buf_puts(out, "null");
        return;
    }
    cleanup_free term_ref *terms = sorted_terms(selector);

    buf_puts(out, "{");
    bool any = write_labels(out, terms);
    write_expressions(out, terms, any ? "," : "");
    buf_puts(out, "}");
}
