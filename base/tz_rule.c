/* The rule that a zone follows behind its last change: reading it, and what it says at an instant. */
#include "base/tz_data.h"

#include <ctype.h>
#include <errno.h>

enum { DAY = 24 * 60 * 60, HOUR = 60 * 60, MINUTE = 60 };

/* ---- reading: each function moves *p past what it read ---- */

static bool take(const char **p, char c) {
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

/* A number of at most three digits between low and high. */
static bool number(const char **p, int32_t low, int32_t high, int32_t *ret) {
    int32_t value = 0;
    int digits = 0;

    for (; isdigit((unsigned char)**p); (*p)++, digits++) {
        if (digits == 3)
            return false;
        value = value * 10 + (**p - '0');
    }
    *ret = value;
    return digits > 0 && value >= low && value <= high;
}

/* An abbreviation: three letters or more, or anything of letters, digits and signs in < >. Nobody asks for
 * it. */
static bool abbreviation(const char **p) {
    const char *start = *p;

    if (take(p, '<')) {
        while (isalnum((unsigned char)**p) || **p == '+' || **p == '-')
            (*p)++;
        return *p - start >= 4 && take(p, '>');
    }
    while (isalpha((unsigned char)**p))
        (*p)++;
    return *p - start >= 3;
}

/* "[+-]hh[:mm[:ss]]" in seconds. */
static bool time_span(const char **p, int32_t max_hours, int32_t *ret) {
    int32_t hours, minutes = 0, seconds = 0;
    bool negative = take(p, '-');

    if (!negative)
        take(p, '+');
    if (!number(p, 0, max_hours, &hours))
        return false;
    if (take(p, ':')) {
        if (!number(p, 0, 59, &minutes))
            return false;
        if (take(p, ':') && !number(p, 0, 59, &seconds))
            return false;
    }
    *ret = (hours * HOUR + minutes * MINUTE + seconds) * (negative ? -1 : 1);
    return true;
}

/* POSIX counts westward. */
static bool offset(const char **p, int32_t *ret) {
    int32_t west;

    if (!time_span(p, 24, &west))
        return false;
    *ret = -west;
    return true;
}

/* ",Jn", ",n" or ",Mm.w.d", each with an optional "/time". */
static bool rule_day(const char **p, struct tz_rule_day *ret) {
    bool ok;

    if (!take(p, ','))
        return false;
    *ret = (struct tz_rule_day){.kind = TZ_DAY, .seconds = 2 * HOUR};
    if (take(p, 'M')) {
        ret->kind = TZ_WEEKDAY;
        ok = number(p, 1, 12, &ret->month) && take(p, '.') && number(p, 1, 5, &ret->week) && take(p, '.') &&
             number(p, 0, 6, &ret->day);
    } else if (take(p, 'J')) {
        ret->kind = TZ_JULIAN;
        ok = number(p, 1, 365, &ret->day);
    } else {
        ok = number(p, 0, 365, &ret->day);
    }
    return ok && (!take(p, '/') || time_span(p, 167, &ret->seconds));
}

int tz_rule_parse(const char *text, struct tz_rule *ret_rule) {
    struct tz_rule rule = {0};
    const char *p = text;

    if (!abbreviation(&p) || !offset(&p, &rule.standard))
        return -EINVAL;
    if (*p != '\0') {
        rule.has_daylight = true;
        rule.daylight = rule.standard + HOUR;
        if (!abbreviation(&p) || (*p != ',' && !offset(&p, &rule.daylight)) || !rule_day(&p, &rule.start) ||
            !rule_day(&p, &rule.end) || *p != '\0')
            return -EINVAL;
    }
    *ret_rule = rule;
    return 0;
}

/* ---- what it says ---- */

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

static bool is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* The 1st of January in days since 1970-01-01. */
static int64_t new_year(int64_t year) {
    int64_t before = year - 1;

    return before * 365 + floor_div(before, 4) - floor_div(before, 100) + floor_div(before, 400) - 719162;
}

/* The year of a day: 400 years have 146097 days, so that the guess is off by one at most. */
static int64_t year_of(int64_t days) {
    int64_t year = 1970 + floor_div(days * 400, 146097);

    if (new_year(year) > days)
        return year - 1;
    return new_year(year + 1) <= days ? year + 1 : year;
}

/* The week-th such weekday of the month, or the last one where there are only four. */
static int64_t weekday_of_month(const struct tz_rule_day *d, int64_t year) {
    static const int16_t starts[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    bool leap = is_leap(year);
    int64_t first = new_year(year) + starts[d->month - 1] + (leap && d->month > 2);
    int64_t next = new_year(year) + starts[d->month] + (leap && d->month > 1);
    int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    int64_t day = first + (d->day - weekday + 7) % 7 + 7 * (d->week - 1);

    return day < next ? day : day - 7;
}

/* The instant of a change in a year; offset: what holds before it. */
static int64_t change_at(const struct tz_rule_day *d, int64_t year, int32_t before) {
    int64_t day = 0;

    switch (d->kind) {
    case TZ_JULIAN:
        day = new_year(year) + d->day - 1 + (is_leap(year) && d->day >= 60);
        break;
    case TZ_DAY:
        day = new_year(year) + d->day;
        break;
    case TZ_WEEKDAY:
        day = weekday_of_month(d, year);
        break;
    }
    return day * DAY + d->seconds - before;
}

/* Narrows the span around s by a change at `at`: one that is still to come may end it earlier, one that has
 * been may have begun it later, and then says what holds. In whatever order they come, what is left is what
 * lies between the last change before s and the first behind it. */
static void narrow(struct tz_span *span, int64_t s, int64_t at, int32_t after) {
    if (at > s) {
        span->until = at < span->until ? at : span->until;
    } else if (at >= span->from) {
        span->from = at;
        span->offset = after;
    }
}

struct tz_span tz_rule_span(const struct tz_rule *rule, int64_t s) {
    struct tz_span span = {rule->standard, INT64_MIN, INT64_MAX};
    int64_t year = year_of(floor_div(s + rule->standard, DAY));

    if (!rule->has_daylight)
        return span;
    /* A rule's hours may carry a change into the year before or behind. Of two changes at one instant
     * (daylight saving that never ends is written so) the start counts: it is looked at last. */
    for (int64_t y = year - 1; y <= year + 1; y++)
        narrow(&span, s, change_at(&rule->end, y, rule->daylight), rule->standard);
    for (int64_t y = year - 1; y <= year + 1; y++)
        narrow(&span, s, change_at(&rule->start, y, rule->standard), rule->daylight);
    return span;
}
