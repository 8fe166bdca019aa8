/* Time zones: against the C library's own reading of the same files, at the changes of the clock by hand, and
 * with files that are none. */
#include "base/tz.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include "base/tz_data.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { HOUR = 60 * 60, DAY = 24 * HOUR };

static void free_zone(struct tz **tz) {
    tz_free(*tz);
}
#define cleanup_tz cleanup(free_zone)

static struct tz *zone(const char *name) {
    struct tz *tz = NULL;
    struct err err = {0};

    if (tz_load(name, &tz, &err) < 0)
        fail_msg("%s", err_text(&err));
    return tz;
}

/* "2026-03-29T02:30:00Z" in seconds. */
static int64_t seconds(const char *text) {
    usec_t t = 0;

    assert_int_equal(clock_parse(text, &t), 0);
    return t / USEC_PER_SEC;
}

/* ---- against the C library ---- */

static const char *const zone_names[] = {
    "Europe/Berlin",     "America/New_York",  "Australia/Lord_Howe", "Asia/Kolkata",         "Pacific/Apia",
    "America/Sao_Paulo", "Africa/Casablanca", "Europe/Dublin",       "America/Scoresbysund", "Asia/Gaza",
    "America/Santiago",  "Pacific/Chatham",   "Asia/Tehran",         "Antarctica/Troll",     "Etc/UTC",
    "Africa/Monrovia",   "America/Caracas",   "Asia/Pyongyang",      "Pacific/Kwajalein",    "America/Nuuk",
};
enum { ZONES = sizeof(zone_names) / sizeof(zone_names[0]) };

static void set_zone(const char *name) {
    assert_int_equal(setenv("TZ", name, 1), 0);
    tzset();
}

/* The C library's offset at s, in the zone of set_zone. */
static long offset_of_libc(int64_t s) {
    time_t t = s;
    struct tm tm;

    assert_non_null(localtime_r(&t, &tm));
    return tm.tm_gmtoff;
}

static void compare(const struct tz *tz, const char *name, int64_t s) {
    long want = offset_of_libc(s);
    int32_t got = tz_offset(tz, s * USEC_PER_SEC);

    if (got != want)
        fail_msg("%s at %lld: %d, and %ld is right", name, (long long)s, got, want);
}

static void test_offset_as_libc(void **state) {
    const int64_t first = seconds("1970-01-01T00:00:00Z"), last = seconds("2100-12-31T00:00:00Z");
    (void)state;

    for (size_t i = 0; i < ZONES; i++) {
        cleanup_tz struct tz *tz = zone(zone_names[i]);
        set_zone(zone_names[i]);
        int64_t step = 6 * DAY + 7 * HOUR + 11 * 60 + 13;
        for (int64_t s = first; s < last; s += step) {
            compare(tz, zone_names[i], s);
            if (offset_of_libc(s) == offset_of_libc(s + step))
                continue;
            /* A change lies between: it must be the same second. */
            int64_t before = s, behind = s + step;
            while (behind - before > 1) {
                int64_t middle = before + (behind - before) / 2;
                if (offset_of_libc(middle) == offset_of_libc(s))
                    before = middle;
                else
                    behind = middle;
            }
            compare(tz, zone_names[i], before);
            compare(tz, zone_names[i], behind);
        }
    }
    unsetenv("TZ");
}

/* tz_from_local by its definition: clocks come to `local` there for the first time. */
static void check_from_local(const struct tz *tz, const char *name, int64_t local) {
    usec_t at = tz_from_local(tz, local);
    int64_t s = at / USEC_PER_SEC;

    if (at % USEC_PER_SEC != 0 || s + tz_offset(tz, at) < local)
        fail_msg("%s: local %lld is not reached at %lld", name, (long long)local, (long long)s);
    for (int64_t before = 1; before < 2 * DAY; before = before < 3 * HOUR ? before + 97 : before + HOUR) {
        if (s - before + tz_offset(tz, (s - before) * USEC_PER_SEC) >= local)
            fail_msg("%s: local %lld was reached %lld seconds before %lld", name, (long long)local,
                     (long long)before, (long long)s);
    }
    /* The other direction agrees, at that moment and the one before it. */
    assert_true(tz_local_reached(tz, at) >= local);
    assert_true(tz_local_reached(tz, at - 1) < local);
}

static void test_from_local_is_the_first(void **state) {
    (void)state;

    for (size_t i = 0; i < ZONES; i++) {
        cleanup_tz struct tz *tz = zone(zone_names[i]);
        for (int64_t local = seconds("1995-01-01T00:00:00Z"); local < seconds("2040-01-01T00:00:00Z");
             local += 5 * DAY + 3677)
            check_from_local(tz, zone_names[i], local);
        /* Closely around changes. */
        for (int64_t s = seconds("2011-12-29T00:00:00Z"); s < seconds("2012-11-30T00:00:00Z"); s += DAY) {
            if (tz_offset(tz, s * USEC_PER_SEC) == tz_offset(tz, (s + DAY) * USEC_PER_SEC))
                continue;
            for (int64_t local = s - 3 * HOUR; local < s + DAY + 3 * HOUR; local += 599)
                check_from_local(tz, zone_names[i], local + tz_offset(tz, s * USEC_PER_SEC));
        }
    }
}

/* ---- by hand ---- */

static void test_gaps_and_overlaps(void **state) {
    (void)state;
    static const struct {
        const char *zone, *local, *utc;
    } cases[] = {
        {"UTC", "2026-03-29T02:30:00Z", "2026-03-29T02:30:00Z"},
        {"Europe/Berlin", "2026-01-01T12:00:00Z", "2026-01-01T11:00:00Z"},
        {"Europe/Berlin", "2026-07-01T12:00:00Z", "2026-07-01T10:00:00Z"},
        /* 02:00 to 03:00 is skipped: the moment of the change */
        {"Europe/Berlin", "2026-03-29T01:59:59Z", "2026-03-29T00:59:59Z"},
        {"Europe/Berlin", "2026-03-29T02:00:00Z", "2026-03-29T01:00:00Z"},
        {"Europe/Berlin", "2026-03-29T02:30:00Z", "2026-03-29T01:00:00Z"},
        {"Europe/Berlin", "2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z"},
        {"Europe/Berlin", "2026-03-29T03:00:01Z", "2026-03-29T01:00:01Z"},
        /* 02:00 to 03:00 comes twice: the first */
        {"Europe/Berlin", "2026-10-25T02:00:00Z", "2026-10-25T00:00:00Z"},
        {"Europe/Berlin", "2026-10-25T02:59:59Z", "2026-10-25T00:59:59Z"},
        {"Europe/Berlin", "2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z"},
        /* half an hour */
        {"Australia/Lord_Howe", "2026-10-04T02:15:00Z", "2026-10-03T15:30:00Z"},
        {"Australia/Lord_Howe", "2026-10-04T02:30:00Z", "2026-10-03T15:30:00Z"},
        {"Australia/Lord_Howe", "2026-04-05T01:45:00Z", "2026-04-04T14:45:00Z"},
        {"Australia/Lord_Howe", "2026-04-05T02:00:00Z", "2026-04-04T15:30:00Z"},
        /* a day that did not exist */
        {"Pacific/Apia", "2011-12-29T23:59:59Z", "2011-12-30T09:59:59Z"},
        {"Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T10:00:00Z"},
        {"Pacific/Apia", "2011-12-31T00:00:00Z", "2011-12-30T10:00:00Z"},
        /* far behind the last change that a file lists */
        {"America/New_York", "2399-07-01T12:00:00Z", "2399-07-01T16:00:00Z"},
        {"America/New_York", "2399-12-31T23:59:59Z", "2400-01-01T04:59:59Z"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_tz struct tz *tz = zone(cases[i].zone);
        char text[CLOCK_TEXT_MAX];
        clock_format(tz_from_local(tz, seconds(cases[i].local)), text);
        if (!str_eq(text, cases[i].utc))
            fail_msg("%s %s: %s, not %s", cases[i].zone, cases[i].local, text, cases[i].utc);
    }
}

static void test_local_reached(void **state) {
    (void)state;
    cleanup_tz struct tz *tz = zone("Europe/Berlin");
    static const struct {
        const char *utc, *reached;
    } cases[] = {
        {"2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z"}, {"2026-10-25T00:59:59Z", "2026-10-25T02:59:59Z"},
        {"2026-10-25T01:00:00Z", "2026-10-25T02:59:59Z"}, /* 02:00 again */
        {"2026-10-25T01:59:59Z", "2026-10-25T02:59:59Z"}, {"2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z"},
        {"2026-03-29T00:59:59Z", "2026-03-29T01:59:59Z"}, {"2026-03-29T01:00:00Z", "2026-03-29T03:00:00Z"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(tz_local_reached(tz, seconds(cases[i].utc) * USEC_PER_SEC),
                         seconds(cases[i].reached));
}

/* Rules by themselves, where the database has none of the kind. */
static void test_rules(void **state) {
    (void)state;
    static const struct {
        const char *rule, *utc;
        int32_t offset; /* -1: the rule is none */
    } cases[] = {
        {"EST5", "2026-07-01T00:00:00Z", -5 * HOUR},
        {"<+0545>-5:45", "2026-07-01T00:00:00Z", 5 * HOUR + 45 * 60},
        {"<-01>+1:02:03", "2026-07-01T00:00:00Z", -(HOUR + 123)},
        /* J60 is the 1st of March, in leap years too; 59 is so in others alone */
        {"AAA0BBB,J60/0,J61/0", "2024-03-01T12:00:00Z", HOUR},
        {"AAA0BBB,J60/0,J61/0", "2024-02-29T12:00:00Z", 0},
        {"AAA0BBB,59/0,60/0", "2024-02-29T12:00:00Z", HOUR},
        {"AAA0BBB,59/0,60/0", "2026-03-01T12:00:00Z", HOUR},
        {"AAA0BBB,0/0,J365/23", "2026-01-01T00:00:00Z", HOUR},
        /* daylight saving all the year (RFC 8536, 3.3.1) */
        {"XXX3EDT4,0/0,J365/23", "2025-12-31T23:30:00Z", -4 * HOUR},
        {"XXX3EDT4,0/0,J365/23", "2026-01-01T03:00:00Z", -4 * HOUR},
        {"XXX3EDT4,0/0,J365/23", "2026-07-01T03:00:00Z", -4 * HOUR},
        /* hours before and behind the day: the Thursday before the last Saturday of March */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -2 * HOUR},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -1 * HOUR},
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-27T23:59:59Z", 2 * HOUR},
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-28T00:00:00Z", 3 * HOUR},
        {"AAA0BBB,J1/-167,J7/167", "2025-12-25T00:59:59Z", 0},
        {"AAA0BBB,J1/-167,J7/167", "2025-12-25T01:00:00Z", HOUR},
        {"AAA0BBB,J1/-167,J7/167", "2026-01-13T21:59:59Z", HOUR},
        {"AAA0BBB,J1/-167,J7/167", "2026-01-13T22:00:00Z", 0},
        /* daylight saving that lies before standard time */
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", HOUR},
        {"", "2026-07-01T00:00:00Z", -1},
        {"ES5", "2026-07-01T00:00:00Z", -1},
        {"EST", "2026-07-01T00:00:00Z", -1},
        {"EST25", "2026-07-01T00:00:00Z", -1},
        {"EST5 ", "2026-07-01T00:00:00Z", -1},
        {"EST5EDT", "2026-07-01T00:00:00Z", -1},
        {"EST5EDT,M3.2.0", "2026-07-01T00:00:00Z", -1},
        {"EST5EDT,M13.2.0,M11.1.0", "2026-07-01T00:00:00Z", -1},
        {"EST5EDT,M3.6.0,M11.1.0", "2026-07-01T00:00:00Z", -1},
        {"EST5EDT,M3.2.7,M11.1.0", "2026-07-01T00:00:00Z", -1},
        {"EST5EDT,J0,J365", "2026-07-01T00:00:00Z", -1},
        {"EST5EDT,1,366", "2026-07-01T00:00:00Z", -1},
        {"EST5EDT,1/168,365", "2026-07-01T00:00:00Z", -1},
        {"EST5EDT,1/1:60,365", "2026-07-01T00:00:00Z", -1},
        {"EST5EDT,1,365,", "2026-07-01T00:00:00Z", -1},
        {"<EST5", "2026-07-01T00:00:00Z", -1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tz_rule rule;
        int ret = tz_rule_parse(cases[i].rule, &rule);
        if (ret == 0 && cases[i].offset != -1) {
            struct tz_span span = tz_rule_span(&rule, seconds(cases[i].utc));
            if (span.offset != cases[i].offset)
                fail_msg("%s at %s: %d", cases[i].rule, cases[i].utc, span.offset);
        } else if (ret != -EINVAL || cases[i].offset != -1) {
            fail_msg("\"%s\": %d", cases[i].rule, ret);
        }
    }
}

/* ---- names and files ---- */

static void test_names(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int ret;
        const char *text;
    } cases[] = {
        {"Europe/Berlim", -ENOENT, "there is no time zone Europe/Berlim in /usr/share/zoneinfo"},
        {"Europe", -ENOENT, "there is no time zone Europe in /usr/share/zoneinfo"},
        {"Europe/Berlin/x", -ENOENT, "there is no time zone Europe/Berlin/x in /usr/share/zoneinfo"},
        {"", -EINVAL, "\"\" is no name of a time zone, as Europe/Berlin is"},
        {"../zoneinfo/Europe/Berlin", -EINVAL,
         "\"../zoneinfo/Europe/Berlin\" is no name of a time zone, as Europe/Berlin is"},
        {"/etc/localtime", -EINVAL, "\"/etc/localtime\" is no name of a time zone, as Europe/Berlin is"},
        {"Europe//Berlin", -EINVAL, "\"Europe//Berlin\" is no name of a time zone, as Europe/Berlin is"},
        {"Europe/", -EINVAL, "\"Europe/\" is no name of a time zone, as Europe/Berlin is"},
        {"CET-1", -ENOENT, "there is no time zone CET-1 in /usr/share/zoneinfo"},
        {"UTC+2", -ENOENT, "there is no time zone UTC+2 in /usr/share/zoneinfo"},
    };

    unsetenv("TZDIR");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tz *tz = NULL;
        struct err err = {0};
        assert_int_equal(tz_load(cases[i].name, &tz, &err), cases[i].ret);
        assert_string_equal(err_text(&err), cases[i].text);
        assert_null(tz);
    }
}

static void test_utc_needs_no_file(void **state) {
    (void)state;
    struct err err = {0};
    struct tz *none = NULL;

    setenv("TZDIR", "/nowhere", 1);
    cleanup_tz struct tz *tz = zone("UTC");
    assert_int_equal(tz_offset(tz, clock_wall()), 0);
    assert_int_equal(tz_load("Europe/Berlin", &none, &err), -ENOENT);
    assert_string_equal(err_text(&err), "time zone Europe/Berlin: there is no time zone database in /nowhere "
                                        "(package tzdata)");
    unsetenv("TZDIR");
}

/* A TZif file of version 2, byte by byte: one change, to an hour east, and a footer. */
static const unsigned char tiny[] = "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                    "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0\4"
                                    "\0\0\0\0\0\0\x0e\x10"
                                    "\1"
                                    "\0\0\0\0\0\0\0\0\x0e\x10\0\0"
                                    "AAA\0"
                                    "\nAAA-1\n";
enum { TINY_SIZE = sizeof(tiny) - 1, TINY_INDEX = 96, TINY_TYPES = 97 };

static void test_bytes(void **state) {
    (void)state;
    struct err err = {0};
    cleanup_tz struct tz *tz = NULL;

    assert_int_equal(tz_read(tiny, TINY_SIZE, &tz, &err), 0);
    assert_int_equal(tz_offset(tz, 3599 * USEC_PER_SEC), 0);
    assert_int_equal(tz_offset(tz, 3600 * USEC_PER_SEC), 3600);
    assert_int_equal(tz_offset(tz, INT64_MAX), 3600);
    assert_int_equal(tz_offset(tz, INT64_MIN), 0);
    assert_true(tz_from_local(tz, INT64_MAX) > 0);
    assert_true(tz_from_local(tz, INT64_MIN) < 0);
}

static void expect_refused(const unsigned char *data, size_t size, const char *text) {
    struct tz *tz = NULL;
    struct err err = {0};

    assert_int_equal(tz_read(data, size, &tz, &err), -EINVAL);
    assert_null(tz);
    if (text)
        assert_string_equal(err_text(&err), text);
}

static void test_malformed_bytes(void **state) {
    (void)state;
    static const struct {
        size_t at;
        unsigned char byte;
        const char *text;
    } cases[] = {
        {0, 't', "is no TZif file"},
        {4, 0, "is a TZif file of version 1: version 2 or later is needed"},
        {44, 't', "is no TZif file"},
        {32, 255, "is cut short"},
        {76, 255, "is cut short"},
        {83, 0, NULL}, /* no types */
        {75, 1, NULL}, /* a leap second, and no room for it */
        {TINY_INDEX, 2, "names a type that it does not have"},
        {TINY_TYPES, 0x7f, "has an offset of 2130706432 seconds"},
        {TINY_SIZE - 7, 'x', "ends without a rule"},
        {TINY_SIZE - 1, 'x', "ends without a rule"},
        {TINY_SIZE - 2, 'x', "ends with a rule that is none"},
    };

    /* Every beginning of a file is refused as well. */
    for (size_t size = 0; size < TINY_SIZE; size++)
        expect_refused(tiny, size, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char data[TINY_SIZE];
        memcpy(data, tiny, TINY_SIZE);
        data[cases[i].at] = cases[i].byte;
        expect_refused(data, TINY_SIZE, cases[i].text);
    }
}

/* A file with `extra` bytes put in at a place of tiny, and one count made two or one. */
static void expect_refused_with(size_t count_at, unsigned char count, size_t at, const char *extra,
                                size_t size, const char *text) {
    unsigned char data[TINY_SIZE + 32];

    memcpy(data, tiny, at);
    memcpy(data + at, extra, size);
    memcpy(data + at + size, tiny + at, TINY_SIZE - at);
    data[count_at] = count;
    expect_refused(data, TINY_SIZE + size, text);
}

static void test_disorder(void **state) {
    (void)state;
    /* a second change, at the same second, and its type */
    expect_refused_with(79, 2, TINY_INDEX, "\0\0\0\0\0\0\x0e\x10\1", 9, "has changes that are not in order");
    expect_refused_with(79, 2, TINY_INDEX, "\0\0\0\0\0\0\x0e\x0f\1", 9, "has changes that are not in order");
    /* a leap second behind the names */
    expect_refused_with(75, 1, TINY_SIZE - 7, "\0\0\0\0\0\0\0\1\0\0\0\1", 12,
                        "counts leap seconds, which no other clock here does");
}

/* What a directory of one's own holds. */
static void test_files(void **state) {
    (void)state;
    char directory[] = "/tmp/test_tz.XXXXXX", path[64];
    struct err err = {0};
    struct tz *none = NULL;

    assert_non_null(mkdtemp(directory));
    setenv("TZDIR", directory, 1);
    snprintf(path, sizeof(path), "%s/Mine", directory);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, tiny, TINY_SIZE), TINY_SIZE);
    cleanup_tz struct tz *tz = zone("Mine");
    assert_int_equal(tz_offset(tz, USEC_PER_HOUR), 3600);
    assert_int_equal(ftruncate(fd, TINY_SIZE - 1), 0);
    assert_int_equal(tz_load("Mine", &none, &err), -EINVAL);
    assert_non_null(strstr(err_text(&err), "ends without a rule"));
    assert_int_equal(ftruncate(fd, 256 * 1024 + 1), 0);
    assert_int_equal(tz_load("Mine", &none, &err), -EINVAL);
    assert_non_null(strstr(err_text(&err), "File too large"));
    close(fd);
    unlink(path);
    rmdir(directory);
    unsetenv("TZDIR");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offset_as_libc),
        cmocka_unit_test(test_from_local_is_the_first),
        cmocka_unit_test(test_gaps_and_overlaps),
        cmocka_unit_test(test_local_reached),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_utc_needs_no_file),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_malformed_bytes),
        cmocka_unit_test(test_disorder),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
