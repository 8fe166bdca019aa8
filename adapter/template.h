/* Go's text/template with the delimiters << and >>, as far as rules files use it: fields, index, printf (%s
 * %d %v %q), len, eq, ne, lt, gt, and, or, not, if/else if/else, with, range (over lists and maps in order of
 * their keys), variables, pipelines, parentheses, comments and trim marks. What is outside of that is refused
 * with its position. Pure. */
#ifndef ADAPTER_TEMPLATE_H
#define ADAPTER_TEMPLATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct template;

enum { TEMPLATE_TEXT_MAX = 64 * 1024 };

/* -EINVAL: "line 1: unclosed action", … as near to Go's words as is sensible. Owned by the caller. */
int template_new(const char *text, struct template **ret_template, struct err *err);
void template_free(struct template *t);
/* Whether nothing is made of the field ("LabelMatchers") but that it is put out as it stands, so that texts
 * for two values of it differ nowhere else; free_fields (ended by NULL) are those whose values do not change
 * and that may be used in any way. False where that is not sure. */
bool template_only_shows(const struct template *t, const char *field, const char *const *free_fields);

enum template_kind { TEMPLATE_STRING, TEMPLATE_LIST, TEMPLATE_MAP };
struct template_pair {
    const char *key, *value;
};
struct template_field {
    const char *name; /* "LabelMatchers" */
    enum template_kind kind;
    uint32_t count;                    /* LIST, MAP */
    const char *text;                  /* STRING */
    const char *const *list;           /* LIST */
    const struct template_pair *pairs; /* MAP: sorted by key */
};

/* Runs it over these fields and appends to out. -EINVAL where Go's execution fails (unknown field, index out
 * of range, wrong type), -EOVERFLOW where the text or the steps go past their bounds; then nothing is
 * appended. */
int template_run(const struct template *t, const struct template_field *fields, uint32_t count,
                 struct buf *out, struct err *err);

#endif
