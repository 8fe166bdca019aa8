/* Texts in quotes as Go's %q writes them, which is also how PromQL reads them. Pure. */
#ifndef ADAPTER_GOQUOTE_H
#define ADAPTER_GOQUOTE_H

#include "base/buf.h"

/* Appends "text" with its quotes: as strconv.Quote, but that of the characters beyond Latin-1 only those are
 * written as \uXXXX that are invisible for certain (separators, marks of direction, private use); PromQL
 * reads both the same. 0, or -E2BIG. */
int go_quote(const char *text, struct buf *out);

#endif
