/* Cron lines of five fields, and the civil dates and times that they are about. Pure. */
#ifndef API_TYPES_CRON_H
#define API_TYPES_CRON_H

#include "base/clock.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

/* A day, and a minute of it, of the proleptic Gregorian calendar, in some time zone. */
struct civil_date {
    int32_t year;
    uint8_t month, day; /* 1..12, 1..31 */
};
struct civil_time {
    struct civil_date date;
    uint8_t hour, minute;
};

/* The minutes that a line names, one bit each. */
struct cron {
    uint64_t minutes;          /* 0..59 */
    uint32_t hours;            /* 0..23 */
    uint32_t days;             /* 1..31 */
    uint16_t months;           /* 1..12 */
    uint8_t weekdays;          /* 0 (Sunday)..6 */
    bool any_day, any_weekday; /* "*": POSIX crontab: where both are restricted, either may hold */
};

/* Reads "0 8 * * 1-5": numbers, ranges, lists, steps (a-b/c; a/c runs to the field's end), *, month and
 * weekday names in three letters, 7 for Sunday. Only a star without a step leaves a field unrestricted
 * (any_day, any_weekday). -EINVAL says which field is wrong and what was expected ("has 6 fields: give 5,
 * minute hour day month weekday"), or that the line names no day that ever comes. */
int cron_parse(const char *text, struct cron *ret_cron, struct err *err);
/* Whether the line names this minute. */
bool cron_matches(const struct cron *cron, const struct civil_time *t);
/* The last minute at or before t (the first after t) that the line names, within a little over eight years (a
 * 29th of February may be that far); false: none. */
bool cron_last(const struct cron *cron, const struct civil_time *t, struct civil_time *ret);
bool cron_next(const struct cron *cron, const struct civil_time *t, struct civil_time *ret);

/* Reads "2026-12-24"; -EINVAL says what was expected. */
int civil_date_parse(const char *text, struct civil_date *ret_date, struct err *err);
/* Days since 1970-01-01, and back. */
int64_t civil_days(const struct civil_date *date);
struct civil_date civil_from_days(int64_t days);

#endif
