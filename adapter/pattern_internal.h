/* From Go's syntax of regular expressions to PCRE2's. What the two write alike and mean differently is
 * rewritten; what Go does not have is refused. The result needs PCRE2_UTF, PCRE2_DOLLAR_ENDONLY,
 * PCRE2_ALT_CIRCUMFLEX and newlines of \n alone. */
#ifndef ADAPTER_PATTERN_INTERNAL_H
#define ADAPTER_PATTERN_INTERNAL_H

#include "adapter/pattern.h"
#include <stdint.h>

struct pattern_group_name {
    char *text; /* NULL: the group has no name */
};

/* A translation. Names are kept here, not by PCRE2, which wants them shorter and not to begin with a digit.
 */
struct pattern_text {
    struct buf out;
    struct buf places; /* for each byte of out: where it comes from, a uint16_t */
    unsigned groups;
    struct pattern_group_name names[PATTERN_GROUPS_MAX + 1]; /* by group */
};

void pattern_text_init(struct pattern_text *t);
void pattern_text_done(struct pattern_text *t);
/* -EINVAL: "at 5: …" in characters of text, counted from 1. */
int pattern_translate(const char *text, struct pattern_text *t, struct err *err);
/* Where in the original the byte of the translation comes from, counted from 1. */
unsigned pattern_text_origin(const struct pattern_text *t, size_t offset);

#endif
