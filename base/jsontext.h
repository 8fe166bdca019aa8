/* A text as a JSON string, straight into a buffer: for documents that are written too often to build a tree
 * of them first. Pure. */
#ifndef BASE_JSONTEXT_H
#define BASE_JSONTEXT_H

#include "base/buf.h"

/* Appends text with its quotes (RFC 8259, section 7). A byte that is not UTF-8 becomes U+FFFD, as Go writes
 * it. 0, or -E2BIG where not all of it fits. NULL is written as "". */
int jsontext_write(struct buf *out, const char *text);

#endif
