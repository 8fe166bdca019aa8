/* Error texts on the caller's stack. What does not fit is cut at its end: the context that err_wrap puts in
 * front, which says what was tried, stays. */
#include "base/err.h"

#include "base/str.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...) {
    va_list ap;

    if (!err)
        return code;
    err->code = code;
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof(err->text))
        str_trim_utf8(err->text); /* texts end up in JSON, which takes no half characters */
    return code;
}

int err_wrap(struct err *err, const char *fmt, ...) {
    char old[ERR_TEXT_MAX];
    va_list ap;

    if (!err)
        return -EIO;
    /* A copy: the new text is written over it. */
    memcpy(old, err_text(err), strlen(err_text(err)) + 1);
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(err->text))
        n += snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", old);
    if (n >= (int)sizeof(err->text))
        str_trim_utf8(err->text);
    return err->code ? err->code : -EIO;
}

void err_clear(struct err *err) {
    err->code = 0;
    err->text[0] = '\0';
}

const char *err_text(const struct err *err) {
    if (err->text[0])
        return err->text;
    return err->code ? strerror(-err->code) : "no error";
}
