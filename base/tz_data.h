/* A zone in memory, and how it comes there. Private to the time zones. */
#ifndef BASE_TZ_DATA_H
#define BASE_TZ_DATA_H

#include "base/err.h"
#include "base/tz.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Seconds east of UTC that a zone may have (RFC 8536, 3.2: more than -25 hours, less than 26). */
enum { TZ_OFFSET_MIN = -89999, TZ_OFFSET_MAX = 93599 };

/* The day of a year on which a rule changes the clock, and the second of that day, which may lie days off. */
struct tz_rule_day {
    enum { TZ_JULIAN, TZ_DAY, TZ_WEEKDAY } kind; /* "J60": without leap days; "59": with them; "M3.5.0" */
    int32_t month, week, day;
    int32_t seconds; /* of local time before the change */
};

/* A rule for all years, as POSIX has it in the variable TZ: "CET-1CEST,M3.5.0,M10.5.0/3". */
struct tz_rule {
    int32_t standard, daylight; /* seconds east of UTC */
    bool has_daylight;
    struct tz_rule_day start, end; /* of daylight saving */
};

/* What holds around an instant: from included, until not; INT64_MIN and INT64_MAX: without an end. */
struct tz_span {
    int32_t offset;
    int64_t from, until;
};

struct tz_change {
    int64_t at; /* seconds since 1970 */
    int32_t offset;
};

struct tz {
    int32_t first; /* the offset before the first change */
    bool has_rule;
    struct tz_rule rule; /* behind the last change */
    uint32_t count;
    struct tz_change changes[]; /* in order of time */
};

/* Reads a rule (the grammar of POSIX with RFC 8536's hours of -167 to 167): -EINVAL where it is none. */
int tz_rule_parse(const char *text, struct tz_rule *ret_rule);
/* What the rule says at s, in seconds since 1970. */
struct tz_span tz_rule_span(const struct tz_rule *rule, int64_t s);

/* Reads the bytes of a TZif file: -EINVAL says what is wrong. Owned by the caller (tz_free). */
int tz_read(const unsigned char *data, size_t size, struct tz **ret_tz, struct err *err);

#endif
