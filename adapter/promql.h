/* The tokens of PromQL that more than one reader takes, from a text with a position in it. Pure. */
#ifndef ADAPTER_PROMQL_H
#define ADAPTER_PROMQL_H

#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>

struct promql {
    const char *text, *at;
    struct arena *arena; /* where names and strings go */
    struct err *err;     /* may be NULL */
};

/* Sets err to "position 12: …", counted in bytes from 1, and returns -EINVAL; at p->at, or where. */
int promql_wrong(const struct promql *p, const char *what);
int promql_wrong_at(const struct promql *p, const char *where, const char *what);

/* Blanks, line ends and comments, which may stand between any two tokens. */
void promql_skip(struct promql *p);
/* Whether token stands here; then p goes behind it. */
bool promql_take(struct promql *p, const char *token);
/* A metric's name may hold colons, a label's may not. NULL: there is none. */
const char *promql_take_name(struct promql *p, bool colon);
/* A string in double quotes, single quotes or backquotes, which know no escapes: its value, or -EINVAL. */
int promql_take_string(struct promql *p, const char **ret_value);

#endif
