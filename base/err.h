/* Errors: functions return 0 or a negative errno code and describe the failure in a struct err on the
 * caller's stack. Nothing is allocated. A message is wrapped on the way up and logged once, at the top. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum { ERR_TEXT_MAX = 480 };

struct err {
    int code; /* 0 or a negative errno value, as returned */
    char text[ERR_TEXT_MAX];
};

/* Describes a failure and returns code (negative), so that `return err_set(err, -EINVAL, …);` is one line.
 * err may be NULL; a text that does not fit is cut. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text and returns err's code (-EIO where err is NULL). */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Back to "no failure". */
void err_clear(struct err *err);

/* The text, or the name of the code where there is none; never NULL; borrowed from err. */
const char *err_text(const struct err *err);

#endif
