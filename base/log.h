/* The log: one line an event on stderr, as text or as JSON, with the object it is about. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Sets level and format for the whole process; before it, info and text. */
void log_setup(enum log_level level, enum log_format format);
/* "error", "warn", "info", "debug" / "text", "json": 0 or -EINVAL. */
int log_parse_level(const char *text, enum log_level *ret_level);
int log_parse_format(const char *text, enum log_format *ret_format);
enum log_level log_level(void);

/* Logs one line. subject is what it is about ("default/web", "pods", a URL) or NULL. */
void log_at(enum log_level level, const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(subject, ...) log_at(LOG_LEVEL_ERROR, subject, __VA_ARGS__)
#define log_warn(subject, ...) log_at(LOG_LEVEL_WARN, subject, __VA_ARGS__)
#define log_info(subject, ...) log_at(LOG_LEVEL_INFO, subject, __VA_ARGS__)
#define log_debug(subject, ...)                                                                              \
    do {                                                                                                     \
        if (log_level() >= LOG_LEVEL_DEBUG)                                                                  \
            log_at(LOG_LEVEL_DEBUG, subject, __VA_ARGS__);                                                   \
    } while (0)

#endif
