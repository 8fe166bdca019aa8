/* The process's log on stderr. Level and format are the only global state of the program. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char *const format_names[] = {"text", "json"};

static struct {
    enum log_level level;
    enum log_format format;
} settings = {.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_TEXT};

void log_setup(enum log_level level, enum log_format format) {
    settings.level = level;
    settings.format = format;
}

enum log_level log_level(void) {
    return settings.level;
}

/* The names stand in the order of their enum. */
static int lookup(const char *const *names, size_t n, const char *text) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], text) == 0)
            return (int)i;
    return -EINVAL;
}

int log_parse_level(const char *text, enum log_level *ret_level) {
    int i = lookup(level_names, 4, text);
    if (i < 0)
        return i;
    *ret_level = (enum log_level)i;
    return 0;
}

int log_parse_format(const char *text, enum log_format *ret_format) {
    int i = lookup(format_names, 2, text);
    if (i < 0)
        return i;
    *ret_format = (enum log_format)i;
    return 0;
}

/* A line must stay a line, and a JSON string a string: control characters, quotes and backslashes are
 * escaped, and bytes that are not UTF-8 (a peer's garbage) become U+FFFD. */
static void put_escaped(struct buf *b, const char *s) {
    for (size_t len; *s; s += len ? len : 1) {
        unsigned char c = (unsigned char)*s;
        len = str_utf8(s);
        if (!len)
            buf_puts(b, "\\ufffd");
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\u%04x", c);
        else if (settings.format == LOG_FORMAT_JSON && (c == '"' || c == '\\'))
            buf_printf(b, "\\%c", c);
        else
            buf_append(b, s, len);
    }
}

/* The members of the object are always the same ones in the same order, "object" alone may be missing. */
static void put_line(struct buf *b, enum log_level level, const char *subject, const char *message) {
    char when[CLOCK_TEXT_MAX];
    bool json = settings.format == LOG_FORMAT_JSON;

    clock_format_micro(clock_wall(), when);
    buf_printf(b, json ? "{\"time\":\"%s\",\"level\":\"%s\"" : "%s %-5s ", when, level_names[level]);
    if (subject) {
        buf_puts(b, json ? ",\"object\":\"" : "");
        put_escaped(b, subject);
        buf_puts(b, json ? "\"" : ": ");
    }
    buf_puts(b, json ? ",\"message\":\"" : "");
    put_escaped(b, message);
    buf_puts(b, json ? "\"}\n" : "\n");
}

/* A line goes out by one call, as others write to the same terminal or pipe. A longer message is cut: what
 * comes from a peer must not fill the log. */
void log_at(enum log_level level, const char *subject, const char *fmt, ...) {
    char message[2048];
    cleanup_buf struct buf line;
    va_list ap;

    buf_init(&line, (size_t)64 * 1024);
    if (level > settings.level)
        return;
    va_start(ap, fmt);
    if (vsnprintf(message, sizeof(message), fmt, ap) >= (int)sizeof(message))
        str_trim_utf8(message);
    va_end(ap);
    put_line(&line, level, subject, message);
    fwrite(line.data, 1, line.len, stderr);
}
