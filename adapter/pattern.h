/* Regular expressions as rules files have them: RE2's syntax, unanchored, matched by PCRE2 with a bound on
 * its work. What RE2 does not have (back references, look-around) is refused. Pure. */
#ifndef ADAPTER_PATTERN_H
#define ADAPTER_PATTERN_H

#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>

struct pattern; /* immutable */

enum { PATTERN_TEXT_MAX = 4096, PATTERN_GROUPS_MAX = 64 };

/* -EINVAL tells the position in characters, counted from 1, and what is wrong. Owned by the caller. */
int pattern_new(const char *text, struct pattern **ret_pattern, struct err *err);
void pattern_free(struct pattern *pattern);
/* The number of capturing groups, and the index of a named one: the last of that name (-1: there is none). */
unsigned pattern_groups(const struct pattern *pattern);
int pattern_group(const struct pattern *pattern, const char *name);

/* Where the groups of a match begin and end; [0] is the whole. Unset ones have begin < 0. */
struct pattern_match {
    int begin[PATTERN_GROUPS_MAX + 1], end[PATTERN_GROUPS_MAX + 1];
};
/* The first match anywhere in subject. False too where the work went past its bound. ret_match may be NULL.
 */
bool pattern_find(const struct pattern *pattern, const char *subject, struct pattern_match *ret_match);
/* Go's Regexp.Expand over the first match: $1, ${1}, $name, ${name}, $$; "$1_x" is the group called "1_x".
 * pattern NULL: one that matches the whole subject. Appends to out what fits. False: no match. */
bool pattern_expand(const struct pattern *pattern, const char *subject, const char *expansion,
                    struct buf *out);

#endif
