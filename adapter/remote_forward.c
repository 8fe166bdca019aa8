/* Header lines and targets.
 *
 * Both are about one danger: rights have been asked for by our reading of who asks and for what, and the
 * remote reads the same bytes once more. What two servers might read in two ways is refused, not repaired. */
#include "adapter/remote_forward.h"

#include "base/buf.h"
#include "base/str.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_BYTES = 4096 };

/* Blanks around a value are no part of it for who receives it (RFC 9110, 5.5). */
static bool arrives_as_it_is(const char *value) {
    size_t len = strlen(value);

    if (len > 0 && (value[0] == ' ' || value[len - 1] == ' '))
        return false;
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return true;
}

int forward_line(struct forward_lines *lines, const char *name, const char *value, struct err *err) {
    if (lines->count == FORWARD_LINES_MAX)
        return err_set(err, -EINVAL, "more than %d header lines", FORWARD_LINES_MAX);
    if (!arrives_as_it_is(value))
        return err_set(err, -EINVAL, "%s cannot be put into a header", name);
    lines->lines[lines->count++] = ARENA_JOIN(lines->arena, name, ": ", value);
    return 0;
}

/* What a header name may consist of (RFC 9110, 5.6.2), but "%", which begins an escape: as client-go's
 * headerKeyEscape, which apiservers undo. */
static bool is_legal(char c) {
    return isalnum((unsigned char)c) || (c && strchr("!#$&'*+-.^_`|~", c));
}

static int put_extra(struct forward_lines *lines, const struct identity_extra *extra, struct err *err) {
    cleanup_buf struct buf name;
    int ret = 0;

    buf_init(&name, NAME_MAX_BYTES);
    buf_puts(&name, "X-Remote-Extra-");
    for (const char *p = extra->key; *p && ret == 0; p++)
        ret = is_legal(*p) ? buf_append(&name, p, 1) : buf_printf(&name, "%%%02X", (unsigned char)*p);
    if (ret < 0)
        return err_set(err, -EINVAL, "the name of one of the user's values is too long");
    for (const char *const *value = extra->values; *value && ret == 0; value++)
        ret = forward_line(lines, name.data, *value, err);
    return ret;
}

int forward_identity(struct forward_lines *lines, const struct identity *identity, struct err *err) {
    int ret = forward_line(lines, "X-Remote-User", identity->user, err);

    if (ret == 0 && identity->uid[0])
        ret = forward_line(lines, "X-Remote-Uid", identity->uid, err);
    for (const char *const *group = identity->groups; *group && ret == 0; group++)
        ret = forward_line(lines, "X-Remote-Group", *group, err);
    for (const struct identity_extra *e = identity->extra; e->key && ret == 0; e++)
        ret = put_extra(lines, e, err);
    return ret;
}

/* The dots that a segment begins with, ".", or "%2e" for one; *ret_rest is what follows them. A dot means the
 * same encoded or not (RFC 3986, 2.3), so that some servers take "%2e%2e" for a way up. */
static int dots_of(const char *segment, const char **ret_rest) {
    int dots = 0;

    for (;; dots++) {
        if (*segment == '.')
            segment++;
        else if (strncasecmp(segment, "%2e", 3) == 0)
            segment += 3;
        else
            break;
    }
    *ret_rest = segment;
    return dots;
}

/* "." and ".." are taken out of a path by who normalizes it (RFC 3986, 5.2.4), and so are empty segments by
 * Go's servers; three dots are a name. */
static bool is_plain_segment(const char *segment) {
    const char *rest;
    int dots = dots_of(segment, &rest);

    if (*rest == '/' || *rest == '?' || *rest == '\0')
        return rest != segment && dots > 2;
    return true;
}

int forward_check_target(const char *target, struct err *err) {
    size_t path = strcspn(target, "?");

    if (target[0] != '/' || strpbrk(target, "# \t\r\n\\"))
        return err_set(err, -EINVAL, "the request's path cannot be passed on");
    for (size_t i = 0; i < path; i++) {
        bool bad = target[i] == '/'
                       ? !is_plain_segment(target + i + 1)
                       : strncasecmp(target + i, "%2f", 3) == 0 || strncasecmp(target + i, "%5c", 3) == 0;
        if (bad)
            return err_set(err, -EINVAL, "the request's path has a part that cannot be passed on");
    }
    return 0;
}
