/* Reading, parsing and writing time. */
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static usec_t read_clock(clockid_t id) {
    struct timespec ts;

    clock_gettime(id, &ts);
    return (usec_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

/* Microseconds in 64 bits last for 292,000 years, and compare and add without a struct. */
usec_t clock_wall(void) {
    return read_clock(CLOCK_REALTIME);
}

usec_t clock_mono(void) {
    return read_clock(CLOCK_MONOTONIC);
}

/* Exactly n digits as a number, or -1. */
static int digits(const char **p, int n) {
    int v = 0;

    for (int i = 0; i < n; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return -1;
        v = v * 10 + (**p - '0');
    }
    return v;
}

static bool skip(const char **p, char c) {
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

/* ".123456789" in microseconds; 0 where there is none, -1 where it is malformed. Kubernetes' MicroTime has
 * six digits, Prometheus and Go's RFC3339Nano up to nine: what is behind the sixth is cut off. */
static long fraction(const char **p) {
    long v = 0, scale = 100000;

    if (!skip(p, '.'))
        return 0;
    if (**p < '0' || **p > '9')
        return -1;
    for (; **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
        v += (**p - '0') * scale;
    return v;
}

/* "Z" or "+01:30" in seconds east of UTC; false where it is malformed. T and Z may be small letters (RFC
 * 3339, 5.6). */
static bool offset(const char **p, long *ret_seconds) {
    if (skip(p, 'Z') || skip(p, 'z')) {
        *ret_seconds = 0;
        return true;
    }
    int sign = **p == '-' ? -1 : 1;
    if (**p != '+' && **p != '-')
        return false;
    (*p)++;
    int h = digits(p, 2);
    if (h < 0 || h > 23 || !skip(p, ':'))
        return false;
    int m = digits(p, 2);
    if (m < 0 || m > 59)
        return false;
    *ret_seconds = sign * (h * 3600L + m * 60L);
    return true;
}

static int days_of(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* Checked against the calendar: timegm would make the 1st of March of a 30th of February, or the 2nd. */
static bool date(const char **p, struct tm *tm) {
    int y = digits(p, 4);
    if (y < 0 || !skip(p, '-'))
        return false;
    int mon = digits(p, 2);
    if (mon < 1 || mon > 12 || !skip(p, '-'))
        return false;
    int d = digits(p, 2);
    tm->tm_year = y - 1900;
    tm->tm_mon = mon - 1;
    tm->tm_mday = d;
    return d >= 1 && d <= days_of(y, mon);
}

/* A second 60 is a leap second (RFC 3339, 5.7); timegm makes it the first of the next minute. */
static bool time_of_day(const char **p, struct tm *tm) {
    tm->tm_hour = digits(p, 2);
    if (tm->tm_hour < 0 || tm->tm_hour > 23 || !skip(p, ':'))
        return false;
    tm->tm_min = digits(p, 2);
    if (tm->tm_min < 0 || tm->tm_min > 59 || !skip(p, ':'))
        return false;
    tm->tm_sec = digits(p, 2);
    return tm->tm_sec >= 0 && tm->tm_sec <= 60;
}

int clock_parse(const char *text, usec_t *ret_time) {
    struct tm tm = {0};
    const char *p = text;
    long east = 0;

    if (!date(&p, &tm) || !(skip(&p, 'T') || skip(&p, 't')) || !time_of_day(&p, &tm))
        return -EINVAL;
    long us = fraction(&p);
    if (us < 0 || !offset(&p, &east) || *p)
        return -EINVAL;
    *ret_time = ((usec_t)timegm(&tm) - east) * USEC_PER_SEC + us;
    return 0;
}

/* Before 1970 C's division rounds towards zero, that is to the later second: both parts are put right. */
static char *format_time(usec_t t, char *out, bool micro) {
    struct tm tm;
    usec_t us = ((t % USEC_PER_SEC) + USEC_PER_SEC) % USEC_PER_SEC;
    time_t s = (time_t)(t / USEC_PER_SEC - (t % USEC_PER_SEC < 0));

    gmtime_r(&s, &tm);
    size_t n = strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    if (micro)
        snprintf(out + n, CLOCK_TEXT_MAX - n, ".%06dZ", (int)us);
    else
        snprintf(out + n, CLOCK_TEXT_MAX - n, "Z");
    return out;
}

char *clock_format(usec_t t, char *out) {
    return format_time(t, out, false);
}

char *clock_format_micro(usec_t t, char *out) {
    return format_time(t, out, true);
}

/* The unit at p in microseconds, as a double, and past it; 0 where it is none. Go reads both signs for
 * micro, U+00B5 and U+03BC. "ms" stands before "m", which begins it. */
static double duration_unit(const char **p) {
    static const struct {
        const char *name;
        double usec;
    } units[] = {{"ns", 0.001}, {"us", 1},  {"µs", 1},   {"μs", 1},
                 {"ms", 1e3},   {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t n = strlen(units[i].name);
        if (strncmp(*p, units[i].name, n) == 0) {
            *p += n;
            return units[i].usec;
        }
    }
    return 0;
}

static double pow10_of(int n) {
    double v = 1;

    while (n-- > 0)
        v *= 10;
    return v;
}

/* The digits at p as a number and past them; how many there were. */
static int decimal(const char **p, double *ret_value) {
    int n = 0;

    *ret_value = 0;
    for (; **p >= '0' && **p <= '9'; (*p)++, n++)
        *ret_value = *ret_value * 10 + (**p - '0');
    return n;
}

/* One "1.5h" and past it; negative where it is malformed. */
static double duration_part(const char **p) {
    double whole, part = 0;
    int digits_before = decimal(p, &whole), digits_after = skip(p, '.') ? decimal(p, &part) : 0;

    if (digits_before + digits_after == 0)
        return -1;
    double unit = duration_unit(p);
    return unit > 0 ? (whole + part / pow10_of(digits_after)) * unit : -1;
}

/* By Go's time.ParseDuration: a sign, then numbers with units in any order, or a lone 0 without one. In a
 * double, which is exact to the microsecond for a hundred years; Go ends at 292, and we later. */
int clock_parse_duration(const char *text, usec_t *ret_duration) {
    const char *p = text;
    double sum = 0;

    bool negative = skip(&p, '-');
    if (!negative)
        skip(&p, '+');
    if (strcmp(p, "0") == 0) {
        *ret_duration = 0;
        return 0;
    }
    if (!*p)
        return -EINVAL;
    while (*p) {
        double part = duration_part(&p);
        if (part < 0)
            return -EINVAL;
        sum += part;
    }
    if (!(sum <= 9.2e18)) /* also what so many digits made infinite or no number */
        return -ERANGE;
    *ret_duration = (usec_t)(negative ? -(sum + 0.5) : sum + 0.5);
    return 0;
}

/* "2m30s" out of 150 and 60; without the smaller unit where it is 0. out is one shorter than CLOCK_TEXT_MAX
 * where a minus stands before it. */
static void two_units(char *out, uint64_t value, uint64_t per, const char *large, const char *small) {
    if (value % per)
        snprintf(out, CLOCK_TEXT_MAX - 1, "%" PRIu64 "%s%" PRIu64 "%s", value / per, large, value % per,
                 small);
    else
        snprintf(out, CLOCK_TEXT_MAX - 1, "%" PRIu64 "%s", value / per, large);
}

char *clock_format_duration(usec_t d, char *out) {
    /* Unsigned, as -INT64_MIN is no int64_t. */
    uint64_t u = d < 0 ? 0 - (uint64_t)d : (uint64_t)d, s = u / (uint64_t)USEC_PER_SEC;
    uint64_t tenths = u % (uint64_t)USEC_PER_SEC / 100000;
    char *p = out;

    if (d < 0)
        *p++ = '-';
    if (s == 0)
        snprintf(p, CLOCK_TEXT_MAX - 1, "%" PRIu64 "ms", u / 1000);
    else if (s < 10 && tenths)
        snprintf(p, CLOCK_TEXT_MAX - 1, "%" PRIu64 ".%" PRIu64 "s", s, tenths);
    else if (s < 60)
        snprintf(p, CLOCK_TEXT_MAX - 1, "%" PRIu64 "s", s);
    else if (s < 3600)
        two_units(p, s, 60, "m", "s");
    else if (s < 86400)
        two_units(p, s / 60, 60, "h", "m");
    else
        two_units(p, s / 3600, 24, "d", "h");
    return out;
}
