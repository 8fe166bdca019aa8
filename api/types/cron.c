/* Cron lines: five fields to sets of bits, and the search for the nearest minute that a line names. The
 * search goes by days and takes the minute out of the bits, so that a line for one day in four years costs no
 * more than a look at its months. */
#include "api/types/cron.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { FIELDS = 5, DAY_MINUTES = 24 * 60 };

/* A 29th of February may be eight years from the next, around a year such as 2100. */
enum { SEARCH_DAYS = 8 * 366 + 1 };

/* ---- civil dates ---- */

/* After Howard Hinnant's days_from_civil: years begin in March, so that the leap day is a year's last. */
int64_t civil_days(const struct civil_date *date) {
    int64_t year = (int64_t)date->year - (date->month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (date->month + (date->month > 2 ? -3 : 9)) + 2) / 5 + date->day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The way back: the era of 400 years, the year in it, and the day in that, each with its leap days taken out.
 */
struct civil_date civil_from_days(int64_t days) {
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* from March */

    return (struct civil_date){
        .year = (int32_t)(year + era * 400 + (month >= 10)),
        .month = (uint8_t)(month < 10 ? month + 3 : month - 9),
        .day = (uint8_t)(of_year - (153 * month + 2) / 5 + 1),
    };
}

/* Sunday is 0, and 1970-01-01 was a Thursday. */
static uint32_t weekday_of(int64_t days) {
    return (uint32_t)(((days + 4) % 7 + 7) % 7);
}

/* Written out digit by digit: strptime takes signs, blanks and short numbers, too. */
int civil_date_parse(const char *text, struct civil_date *ret_date, struct err *err) {
    int number[3] = {0};
    static const char form[] = "dddd-dd-dd";
    size_t part = 0;

    for (size_t i = 0; form[i] != '\0'; i++) {
        if (form[i] == '-' ? text[i] != '-' : !isdigit((unsigned char)text[i]))
            return err_set(err, -EINVAL, "\"%.20s\" is no date: give year-month-day, as 2026-12-24", text);
        if (form[i] == '-')
            part++;
        else
            number[part] = number[part] * 10 + (text[i] - '0');
    }
    if (text[sizeof(form) - 1] != '\0')
        return err_set(err, -EINVAL, "\"%.20s\" is no date: give year-month-day, as 2026-12-24", text);

    struct civil_date date = {number[0], (uint8_t)number[1], (uint8_t)number[2]};
    /* A day that does not exist comes back as another. */
    struct civil_date back = civil_from_days(civil_days(&date));
    if (date.month < 1 || date.month > 12 || date.day < 1 || back.day != date.day)
        return err_set(err, -EINVAL, "%s is no day of the calendar", text);
    *ret_date = date;
    return 0;
}

/* ---- reading a line ---- */

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/* The fields in their order. Two differ from the rest: months and weekdays have names, and Sunday has two
 * numbers. */
static const struct cron_field {
    const char *name;
    uint32_t low, high;
    const char *const *words; /* count names, of the numbers from low on; NULL: none */
    uint32_t count;
    const char *expected;
} fields[FIELDS] = {
    {"minute", 0, 59, NULL, 0, "0 to 59"},
    {"hour", 0, 23, NULL, 0, "0 to 23"},
    {"day of month", 1, 31, NULL, 0, "1 to 31"},
    {"month", 1, 12, month_names, 12, "1 to 12, or jan to dec"},
    {"day of week", 0, 7, weekday_names, 7, "0 to 7, or sun to sat"},
};

/* What one field names; any: all of it, said by a star. */
struct field_bits {
    uint64_t bits;
    bool any;
};

/* A field under way: p moves, text is what an error shows. */
struct field_reader {
    const struct cron_field *field;
    const char *p, *end, *text;
    struct err *err;
};

/* The whole field is shown, not only what is wrong in it: a list has several numbers alike. */
static int refuse(const struct field_reader *r, const char *what) {
    return err_set(r->err, -EINVAL, "%s \"%.*s\": %s", r->field->name, (int)(r->end - r->text), r->text,
                   what);
}

static int refuse_value(const struct field_reader *r) {
    char what[96];

    snprintf(what, sizeof(what), "expected * or a number from %s", r->field->expected);
    return refuse(r, what);
}

/* Digits; more than three are as wrong as 999 is. */
static int read_number(struct field_reader *r, uint32_t *ret_value) {
    uint32_t value = 0;
    const char *start = r->p;

    for (; r->p < r->end && isdigit((unsigned char)*r->p); r->p++)
        value = value > 99 ? 999 : value * 10 + (uint32_t)(*r->p - '0');
    if (r->p == start)
        return -EINVAL;
    *ret_value = value;
    return 0;
}

/* A number in the field's range, or one of its names. */
static int read_value(struct field_reader *r, uint32_t *ret_value) {
    const struct cron_field *f = r->field;

    if (read_number(r, ret_value) == 0)
        return *ret_value < f->low || *ret_value > f->high ? refuse_value(r) : 0;
    /* Exactly three letters: "monday" leaves a rest that no list has. */
    for (uint32_t i = 0; i < f->count && r->end - r->p >= 3; i++) {
        if (strncasecmp(r->p, f->words[i], 3) == 0) {
            r->p += 3;
            *ret_value = f->low + i;
            return 0;
        }
    }
    return refuse_value(r);
}

static bool take(struct field_reader *r, char c) {
    if (r->p >= r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

struct range {
    uint32_t low, high, step;
    bool star;
};

/* The end of a range that has none: 7 is only another name for Sunday. */
static uint32_t open_end(const struct cron_field *f, uint32_t low) {
    uint32_t end = f->words == weekday_names ? 6 : f->high;

    return low > end ? low : end;
}

/* "*", "a" or "a-b". Sunday ends a range as it begins one: "fri-sun". */
static int read_range(struct field_reader *r, struct range *range) {
    const struct cron_field *f = r->field;
    int ret;

    *range = (struct range){f->low, open_end(f, f->low), 1, take(r, '*')};
    if (range->star)
        return 0;
    ret = read_value(r, &range->low);
    if (ret < 0)
        return ret;
    range->high = range->low;
    if (!take(r, '-'))
        return 0;
    ret = read_value(r, &range->high);
    if (ret < 0)
        return ret;
    if (f->words == weekday_names && range->high == 0 && range->low > 0)
        range->high = 7;
    return range->high < range->low ? refuse(r, "the range ends before it begins") : 0;
}

/* A range with its step; "a/b" runs from a to the field's end. */
static int read_item(struct field_reader *r, struct field_bits *ret) {
    struct range range;
    const char *start = r->p;
    int failed = read_range(r, &range);

    if (failed < 0)
        return failed;
    /* With a step, a single number means from there on, as it does for CronJobs. */
    bool single = memchr(start, '-', (size_t)(r->p - start)) == NULL;
    if (take(r, '/')) {
        if (read_number(r, &range.step) < 0 || range.step < 1 || range.step > r->field->high)
            return refuse(r, "expected a step after /: a number from 1 on, not past the field's end");
        if (single)
            range.high = open_end(r->field, range.low);
    }
    for (uint32_t i = range.low; i <= range.high; i += range.step)
        ret->bits |= UINT64_C(1) << i;
    /* Every second day restricts; a star that leaves nothing out does not. */
    ret->any = ret->any || (range.star && range.step == 1);
    return 0;
}

static int read_field(const struct cron_field *field, const char *text, size_t len, struct field_bits *ret,
                      struct err *err) {
    struct field_reader r = {field, text, text + len, text, err};

    do {
        int failed = read_item(&r, ret);
        if (failed < 0)
            return failed;
    } while (take(&r, ','));
    return r.p == r.end ? 0 : refuse(&r, "expected a list of numbers and ranges, as 1,5-9 or */2");
}

static const char blanks[] = " \t";

static size_t count_fields(const char *text) {
    size_t count = 0;

    for (const char *p = text + strspn(text, blanks); *p != '\0'; p += strspn(p, blanks)) {
        p += strcspn(p, blanks);
        count++;
    }
    return count;
}

static struct cron cron_from(const struct field_bits *f) {
    return (struct cron){
        .minutes = f[0].bits,
        .hours = (uint32_t)f[1].bits,
        .days = (uint32_t)f[2].bits,
        .months = (uint16_t)f[3].bits,
        .weekdays = (uint8_t)((f[4].bits & 0x7f) | (f[4].bits >> 7)), /* 7 is Sunday as well */
        .any_day = f[2].any,
        .any_weekday = f[4].any,
    };
}

int cron_parse(const char *text, struct cron *ret_cron, struct err *err) {
    struct field_bits bits[FIELDS] = {0};
    const char *p = text + strspn(text, blanks);
    size_t count = count_fields(text);

    if (count != FIELDS)
        return err_set(err, -EINVAL, "has %zu field%s: give 5, minute hour day month weekday", count,
                       count == 1 ? "" : "s");
    for (size_t i = 0; i < FIELDS; i++) {
        size_t len = strcspn(p, blanks);
        int ret = read_field(&fields[i], p, len, &bits[i], err);
        if (ret < 0)
            return ret;
        p += len;
        p += strspn(p, blanks);
    }

    /* Found here rather than by a window that never opens. Eight years from 2000 hold a 29th of February. */
    struct cron cron = cron_from(bits);
    struct civil_time t, leap_year = {{2000, 1, 1}, 0, 0};
    if (!cron_next(&cron, &leap_year, &t))
        return err_set(err, -EINVAL, "names no day that ever comes, as the 30th of February");
    *ret_cron = cron;
    return 0;
}

/* ---- searching ---- */

static bool has(uint64_t bits, uint32_t i) {
    return (bits >> i) & 1;
}

/* POSIX crontab: of two restricted fields, day and weekday, one that holds is enough. */
static bool day_matches(const struct cron *cron, const struct civil_date *date, int64_t days) {
    bool day = has(cron->days, date->day), weekday = has(cron->weekdays, weekday_of(days));

    if (!has(cron->months, date->month))
        return false;
    return cron->any_day || cron->any_weekday ? day && weekday : day || weekday;
}

bool cron_matches(const struct cron *cron, const struct civil_time *t) {
    return has(cron->minutes, t->minute) && has(cron->hours, t->hour) &&
           day_matches(cron, &t->date, civil_days(&t->date));
}

/* The highest bit up to limit, the lowest from it on; -1: none. */
static int last_bit(uint64_t bits, int limit) {
    uint64_t below = limit < 0 ? 0 : bits & (UINT64_MAX >> (63 - limit));

    return below ? 63 - __builtin_clzll(below) : -1;
}

static int next_bit(uint64_t bits, int limit) {
    uint64_t above = limit > 63 ? 0 : bits & (UINT64_MAX << limit);

    return above ? __builtin_ctzll(above) : -1;
}

/* The last minute of a day that the line names, not after limit (-1: none); all in minutes of the day. */
static int last_minute(const struct cron *cron, int limit) {
    int hour = limit / 60, minute = -1;

    if (limit < 0)
        return -1;
    if (has(cron->hours, (uint32_t)hour))
        minute = last_bit(cron->minutes, limit % 60);
    if (minute < 0) {
        hour = last_bit(cron->hours, hour - 1);
        minute = last_bit(cron->minutes, 59);
    }
    return hour < 0 || minute < 0 ? -1 : hour * 60 + minute;
}

/* The first one, not before limit. */
static int next_minute(const struct cron *cron, int limit) {
    int hour = limit / 60, minute = -1;

    if (limit >= DAY_MINUTES)
        return -1;
    if (has(cron->hours, (uint32_t)hour))
        minute = next_bit(cron->minutes, limit % 60);
    if (minute < 0) {
        hour = next_bit(cron->hours, hour + 1);
        minute = next_bit(cron->minutes, 0);
    }
    return hour < 0 || minute < 0 ? -1 : hour * 60 + minute;
}

/* minute: of the day. */
static void put_time(struct civil_date date, int minute, struct civil_time *ret) {
    *ret = (struct civil_time){date, (uint8_t)(minute / 60), (uint8_t)(minute % 60)};
}

bool cron_last(const struct cron *cron, const struct civil_time *t, struct civil_time *ret) {
    /* Only the first day is cut at the minute of t; the days before it count from their end. */
    int64_t day = civil_days(&t->date), oldest = day - SEARCH_DAYS;
    int limit = t->hour * 60 + t->minute;

    while (day >= oldest) {
        struct civil_date date = civil_from_days(day);
        int minute = day_matches(cron, &date, day) ? last_minute(cron, limit) : -1;
        if (minute >= 0) {
            put_time(date, minute, ret);
            return true;
        }
        day -= has(cron->months, date.month) ? 1 : date.day; /* or to the end of the month before */
        limit = DAY_MINUTES - 1;
    }
    return false;
}

static int64_t first_of_next_month(const struct civil_date *date) {
    bool december = date->month == 12;
    struct civil_date next = {date->year + december, (uint8_t)(december ? 1 : date->month + 1), 1};

    return civil_days(&next);
}

bool cron_next(const struct cron *cron, const struct civil_time *t, struct civil_time *ret) {
    int64_t day = civil_days(&t->date), newest = day + SEARCH_DAYS;
    int limit = t->hour * 60 + t->minute + 1;

    while (day <= newest) {
        struct civil_date date = civil_from_days(day);
        int minute = day_matches(cron, &date, day) ? next_minute(cron, limit) : -1;
        if (minute >= 0) {
            put_time(date, minute, ret);
            return true;
        }
        day = has(cron->months, date.month) ? day + 1 : first_of_next_month(&date);
        limit = 0;
    }
    return false;
}
