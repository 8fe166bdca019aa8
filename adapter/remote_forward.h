/* What is sent when a request is passed on: header lines that tell who asks, and targets that mean the same
 * to the one who receives them. Pure. */
#ifndef ADAPTER_REMOTE_FORWARD_H
#define ADAPTER_REMOTE_FORWARD_H

#include "adapter/access_identity.h"
#include "base/err.h"

enum { FORWARD_LINES_MAX = 256 };

/* Header lines in the making; they live in arena. lines is always ended by NULL. */
struct forward_lines {
    struct arena *arena;
    const char *lines[FORWARD_LINES_MAX + 1];
    size_t count;
};
/* "Name: value"; -EINVAL where the value would not arrive as it is (control characters, blanks at an end), or
 * there are too many lines. */
int forward_line(struct forward_lines *lines, const char *name, const char *value, struct err *err);
/* X-Remote-User, -Uid, -Group and -Extra-KEY, the key percent-encoded as client-go does it. -EINVAL as above:
 * somebody whose name changes on the way would be somebody else. */
int forward_identity(struct forward_lines *lines, const struct identity *identity, struct err *err);

/* Whether a target may be passed on as it came: -EINVAL where it could be read as another path than the one
 * that rights were asked for (dot segments, empty ones, encoded slashes, a fragment). */
int forward_check_target(const char *target, struct err *err);

#endif
