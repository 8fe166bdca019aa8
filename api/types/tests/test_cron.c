/* Cron lines: what they name, against a model that looks at every minute; what is refused; dates. */
#include "api/types/cron.h"

#include "base/tests/cm.h"
#include <errno.h>
#include <stdio.h>

static struct cron line(const char *text) {
    struct cron cron;
    struct err err = {0};

    if (cron_parse(text, &cron, &err) < 0)
        fail_msg("\"%s\" %s", text, err_text(&err));
    return cron;
}

static struct civil_time at(int32_t year, uint8_t month, uint8_t day, uint8_t hour, uint8_t minute) {
    return (struct civil_time){{year, month, day}, hour, minute};
}

static const char *show(bool found, const struct civil_time *t, char *out, size_t size) {
    if (!found)
        return "none";
    snprintf(out, size, "%d-%02d-%02d %02d:%02d", t->date.year, t->date.month, t->date.day, t->hour,
             t->minute);
    return out;
}

/* ---- dates ---- */

/* Every day of 800 years follows the one before it by the rules as people say them. */
static void test_days_follow_each_other(void **state) {
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct civil_date date = {1600, 1, 1};
    (void)state;

    assert_int_equal(civil_days(&(struct civil_date){1970, 1, 1}), 0);
    assert_int_equal(civil_days(&(struct civil_date){2000, 3, 1}), 11017);
    for (int64_t days = civil_days(&date); date.year < 2400; days++) {
        struct civil_date back = civil_from_days(days);
        assert_int_equal(civil_days(&date), days);
        assert_true(back.year == date.year && back.month == date.month && back.day == date.day);
        bool leap = date.year % 400 == 0 || (date.year % 4 == 0 && date.year % 100 != 0);
        if (date.day++ < lengths[date.month - 1] + (leap && date.month == 2))
            continue;
        date.day = 1;
        date.year += date.month == 12;
        date.month = (uint8_t)(date.month % 12 + 1);
    }
}

static void test_dates_from_text(void **state) {
    (void)state;
    static const struct {
        const char *text, *why; /* NULL: it is one */
    } cases[] = {
        {"2026-12-24", NULL},
        {"2028-02-29", NULL},
        {"2026-02-29", "2026-02-29 is no day of the calendar"},
        {"2100-02-29", "2100-02-29 is no day of the calendar"},
        {"2026-00-10", "2026-00-10 is no day of the calendar"},
        {"2026-13-01", "2026-13-01 is no day of the calendar"},
        {"2026-99-99", "2026-99-99 is no day of the calendar"},
        {"2026-04-31", "2026-04-31 is no day of the calendar"},
        {"2026-04-00", "2026-04-00 is no day of the calendar"},
        {"", "\"\" is no date: give year-month-day, as 2026-12-24"},
        {"2026-12-2", "\"2026-12-2\" is no date: give year-month-day, as 2026-12-24"},
        {"2026-12-241", "\"2026-12-241\" is no date: give year-month-day, as 2026-12-24"},
        {"24.12.2026", "\"24.12.2026\" is no date: give year-month-day, as 2026-12-24"},
        {"2026/12/24", "\"2026/12/24\" is no date: give year-month-day, as 2026-12-24"},
        {"-026-12-24", "\"-026-12-24\" is no date: give year-month-day, as 2026-12-24"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct civil_date date = {1, 1, 1};
        struct err err = {0};
        int ret = civil_date_parse(cases[i].text, &date, &err);
        assert_int_equal(ret, cases[i].why ? -EINVAL : 0);
        if (cases[i].why)
            assert_string_equal(err_text(&err), cases[i].why);
        assert_int_equal(date.year == 1, cases[i].why != NULL);
    }
    struct civil_date date;
    assert_int_equal(civil_date_parse("2026-12-24", &date, NULL), 0);
    assert_true(date.year == 2026 && date.month == 12 && date.day == 24);
}

/* ---- reading ---- */

static void test_fields(void **state) {
    (void)state;
    struct cron c = line("*/15 8-17/3 1,15,31 jan-MAR fri-sun");

    assert_int_equal(c.minutes, 1ULL << 0 | 1ULL << 15 | 1ULL << 30 | 1ULL << 45);
    assert_int_equal(c.hours, 1 << 8 | 1 << 11 | 1 << 14 | 1 << 17);
    assert_int_equal(c.days, 1U << 1 | 1U << 15 | 1U << 31);
    assert_int_equal(c.months, 1 << 1 | 1 << 2 | 1 << 3);
    assert_int_equal(c.weekdays, 1 << 0 | 1 << 5 | 1 << 6);
    assert_false(c.any_day || c.any_weekday);

    c = line(" 5/20\t0 *  *   *\t");
    assert_int_equal(c.minutes, 1ULL << 5 | 1ULL << 25 | 1ULL << 45);
    assert_int_equal(c.hours, 1);
    assert_int_equal(c.days, 0xfffffffe);
    assert_int_equal(c.months, 0x1ffe);
    assert_int_equal(c.weekdays, 0x7f);
    assert_true(c.any_day && c.any_weekday);

    assert_int_equal(line("0 0 * * 7").weekdays, 1);
    assert_int_equal(line("0 0 * * 0-7").weekdays, 0x7f);
    assert_int_equal(line("0 0 * * 5-7").weekdays, 1 | 1 << 5 | 1 << 6);
    assert_int_equal(line("0 0 * * 1/2").weekdays, 1 << 1 | 1 << 3 | 1 << 5);
    assert_int_equal(line("0 0 * * Sun-Tue").weekdays, 7);
    assert_int_equal(line("0-59 0 * * *").minutes, (1ULL << 60) - 1);
    assert_int_equal(line("59,0 0 * * *").minutes, 1ULL << 59 | 1);
    /* every second day is a restriction, a star in a list is none */
    assert_false(line("0 0 */2 * 1").any_day);
    assert_true(line("0 0 */1 * 1").any_day);
    assert_true(line("0 0 1,* * 1").any_day);
    assert_false(line("0 0 1-31 * 1").any_day);
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"0 8 * * 1-5 *", "has 6 fields: give 5, minute hour day month weekday"},
        {"0 0 8 * * 1-5 2026", "has 7 fields: give 5, minute hour day month weekday"},
        {"0 8 * *", "has 4 fields: give 5, minute hour day month weekday"},
        {"@daily", "has 1 field: give 5, minute hour day month weekday"},
        {"", "has 0 fields: give 5, minute hour day month weekday"},
        {"60 8 * * *", "minute \"60\": expected * or a number from 0 to 59"},
        {"-1 8 * * *", "minute \"-1\": expected * or a number from 0 to 59"},
        {"0 24 * * *", "hour \"24\": expected * or a number from 0 to 23"},
        {"0 8 0 * *", "day of month \"0\": expected * or a number from 1 to 31"},
        {"0 8 32 * *", "day of month \"32\": expected * or a number from 1 to 31"},
        {"0 8 L * *", "day of month \"L\": expected * or a number from 1 to 31"},
        {"0 8 * 13 *", "month \"13\": expected * or a number from 1 to 12, or jan to dec"},
        {"0 8 * mon *", "month \"mon\": expected * or a number from 1 to 12, or jan to dec"},
        {"0 8 * * 8", "day of week \"8\": expected * or a number from 0 to 7, or sun to sat"},
        {"0 8 * * ?", "day of week \"?\": expected * or a number from 0 to 7, or sun to sat"},
        {"0 8 * * mo", "day of week \"mo\": expected * or a number from 0 to 7, or sun to sat"},
        {"0 8 * * monday", "day of week \"monday\": expected a list of numbers and ranges, as 1,5-9 or */2"},
        {"0 8 * * 5#3", "day of week \"5#3\": expected a list of numbers and ranges, as 1,5-9 or */2"},
        {"99999999999999999999 8 * * *",
         "minute \"99999999999999999999\": expected * or a number from 0 to 59"},
        {"5-1 8 * * *", "minute \"5-1\": the range ends before it begins"},
        {"0 8 * * fri-mon", "day of week \"fri-mon\": the range ends before it begins"},
        {"1- 8 * * *", "minute \"1-\": expected * or a number from 0 to 59"},
        {"1,,2 8 * * *", "minute \"1,,2\": expected * or a number from 0 to 59"},
        {"1, 8 * * *", "minute \"1,\": expected * or a number from 0 to 59"},
        {"*-5 8 * * *", "minute \"*-5\": expected a list of numbers and ranges, as 1,5-9 or */2"},
        {"*/0 8 * * *",
         "minute \"*/0\": expected a step after /: a number from 1 on, not past the field's end"},
        {"*/60 8 * * *",
         "minute \"*/60\": expected a step after /: a number from 1 on, not past the field's end"},
        {"*/ 8 * * *",
         "minute \"*/\": expected a step after /: a number from 1 on, not past the field's end"},
        {"0 8 30 2 *", "names no day that ever comes, as the 30th of February"},
        {"0 8 31 4,6,9,11 *", "names no day that ever comes, as the 30th of February"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cron cron = {.hours = 42};
        struct err err = {0};
        assert_int_equal(cron_parse(cases[i].line, &cron, &err), -EINVAL);
        assert_string_equal(err_text(&err), cases[i].why);
        assert_int_equal(cron.hours, 42);
    }
}

/* ---- searching ---- */

static void test_last_and_next(void **state) {
    (void)state;
    static const struct {
        const char *line;
        struct civil_time t;
        const char *last, *next;
    } cases[] = {
        {"0 8 * * 1-5", {{2026, 11, 22}, 8, 30}, "2026-11-20 08:00", "2026-11-23 08:00"},
        {"30 8 * * *", {{2026, 11, 22}, 8, 30}, "2026-11-22 08:30", "2026-11-23 08:30"},
        {"31 8 * * *", {{2026, 11, 22}, 8, 30}, "2026-11-21 08:31", "2026-11-22 08:31"},
        {"* * * * *", {{2026, 12, 31}, 23, 59}, "2026-12-31 23:59", "2027-01-01 00:00"},
        {"59 23 31 12 *", {{2027, 1, 1}, 0, 0}, "2026-12-31 23:59", "2027-12-31 23:59"},
        {"0 0 29 2 *", {{2026, 11, 22}, 0, 0}, "2024-02-29 00:00", "2028-02-29 00:00"},
        {"0 0 29 2 *", {{2100, 6, 1}, 0, 0}, "2096-02-29 00:00", "2104-02-29 00:00"},
        {"0 0 29 2 *", {{2096, 2, 29}, 0, 0}, "2096-02-29 00:00", "2104-02-29 00:00"},
        {"0 0 29 2 *", {{2104, 2, 28}, 23, 59}, "2096-02-29 00:00", "2104-02-29 00:00"},
        {"0 0 31 * *", {{2026, 3, 1}, 0, 0}, "2026-01-31 00:00", "2026-03-31 00:00"},
        /* of two restricted fields one is enough: the 13th, and every Friday */
        {"0 0 13 * 5", {{2026, 11, 10}, 0, 0}, "2026-11-06 00:00", "2026-11-13 00:00"},
        {"0 0 13 * 5", {{2026, 12, 12}, 0, 0}, "2026-12-11 00:00", "2026-12-13 00:00"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cron cron = line(cases[i].line);
        struct civil_time t;
        char text[32];
        assert_string_equal(show(cron_last(&cron, &cases[i].t, &t), &t, text, sizeof(text)), cases[i].last);
        assert_string_equal(show(cron_next(&cron, &cases[i].t, &t), &t, text, sizeof(text)), cases[i].next);
    }
    /* A line that cron_parse would not have made: none. */
    struct cron none = {.minutes = 1, .hours = 1, .days = 1U << 30, .months = 1 << 2, .any_weekday = true};
    struct civil_time now = at(2026, 1, 1, 0, 0), t;
    none.weekdays = 0x7f;
    assert_false(cron_last(&none, &now, &t));
    assert_false(cron_next(&none, &now, &t));
}

/* Numbers that look random and are the same each time. */
static uint32_t random_below(uint64_t *seed, uint32_t n) {
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*seed >> 33) % n;
}

static uint64_t random_bits(uint64_t *seed, uint32_t low, uint32_t high) {
    uint64_t bits = 0;

    for (uint32_t n = 1 + random_below(seed, 3); n > 0; n--)
        bits |= UINT64_C(1) << (low + random_below(seed, high - low + 1));
    return bits;
}

static struct cron random_line(uint64_t *seed) {
    bool any_day = random_below(seed, 2), any_weekday = random_below(seed, 2);

    return (struct cron){
        .minutes = random_bits(seed, 0, 59),
        .hours = (uint32_t)random_bits(seed, 0, 23),
        .days = any_day ? 0xfffffffe : (uint32_t)random_bits(seed, 1, 31),
        .months = random_below(seed, 2) ? 0x1ffe : (uint16_t)random_bits(seed, 1, 12),
        .weekdays = any_weekday ? 0x7f : (uint8_t)random_bits(seed, 0, 6),
        .any_day = any_day,
        .any_weekday = any_weekday,
    };
}

/* The rule of POSIX, in other words than cron.c's. */
static bool model_matches(const struct cron *c, const struct civil_time *t) {
    int64_t weekday = (civil_days(&t->date) % 7 + 7 + 4) % 7;
    bool day = c->days >> t->date.day & 1, of_week = c->weekdays >> weekday & 1;

    if (!(c->minutes >> t->minute & 1) || !(c->hours >> t->hour & 1) || !(c->months >> t->date.month & 1))
        return false;
    if (c->any_day && c->any_weekday)
        return true;
    if (c->any_day)
        return of_week;
    if (c->any_weekday)
        return day;
    return day || of_week;
}

static struct civil_time minute_at(int64_t minutes) {
    int64_t days = minutes / 1440, of_day = minutes % 1440;

    return (struct civil_time){civil_from_days(days), (uint8_t)(of_day / 60), (uint8_t)(of_day % 60)};
}

static int64_t minutes_of(const struct civil_time *t) {
    return civil_days(&t->date) * 1440 + t->hour * 60 + t->minute;
}

/* Two years, minute by minute: what was named last, and from the other end what comes next. */
enum { FIRST_MINUTE = 21200 * 1440, MINUTES = 2 * 366 * 1440 }; /* from January 2028, a leap year */

static void compare_with_model(const struct cron *cron, uint64_t *seed, bool *named) {
    int64_t last = -1;

    for (int64_t m = 0; m < MINUTES; m++) {
        struct civil_time t = minute_at(FIRST_MINUTE + m), got;
        named[m] = model_matches(cron, &t);
        assert_int_equal(cron_matches(cron, &t), named[m]);
        last = named[m] ? m : last;
        if (random_below(seed, 600) != 0 || last < 0)
            continue;
        assert_true(cron_last(cron, &t, &got));
        assert_int_equal(minutes_of(&got) - FIRST_MINUTE, last);
    }
    int64_t next = -1;
    for (int64_t m = MINUTES - 1; m >= 0; m--) {
        struct civil_time t = minute_at(FIRST_MINUTE + m), got;
        if (random_below(seed, 600) == 0 && next >= 0) {
            assert_true(cron_next(cron, &t, &got));
            assert_int_equal(minutes_of(&got) - FIRST_MINUTE, next);
        }
        next = named[m] ? m : next;
    }
}

static void test_random_lines_as_the_model(void **state) {
    static bool named[MINUTES];
    uint64_t seed = 1;
    (void)state;

    for (int i = 0; i < 12; i++) {
        struct cron cron = random_line(&seed);
        compare_with_model(&cron, &seed, named);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days_follow_each_other),
        cmocka_unit_test(test_dates_from_text),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_last_and_next),
        cmocka_unit_test(test_random_lines_as_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
