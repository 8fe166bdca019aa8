/* Schedules: windows at their edges, over changes of the clock and excepted days, against a model that walks
 * through every minute, and the bounds that they give. */
#include "autoscaler/stages.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/tests/cm.h"
#include <stdio.h>

static void free_zone(struct tz **tz) {
    tz_free(*tz);
}

static struct tz *zone(const char *name) {
    struct tz *tz = NULL;
    struct err err = {0};

    if (tz_load(name, &tz, &err) < 0)
        fail_msg("%s", err_text(&err));
    return tz;
}

static usec_t wall(const char *text) {
    usec_t t = 0;

    if (clock_parse(text, &t) < 0)
        fail_msg("no time: %s", text);
    return t;
}

static struct cron line(const char *text) {
    struct cron cron;
    struct err err = {0};

    if (cron_parse(text, &cron, &err) < 0)
        fail_msg("\"%s\" %s", text, err_text(&err));
    return cron;
}

/* A window that lifts the floor to 7; end: a line, or a duration. */
static struct policy_schedule window(const char *start, const char *end) {
    struct policy_schedule s = {.name = "w", .start = line(start), .min_replicas = 7, .max_replicas = -1};

    if (clock_parse_duration(end, &s.duration) < 0)
        s.end = line(end);
    return s;
}

/* ---- one window ---- */

struct edge {
    const char *zone, *start, *end, *except; /* except: NULL, or one day */
    const char *now;
    bool open;
    const char *changes; /* NULL: not at all */
};

static void check_edge(const struct edge *e) {
    cleanup(free_zone) struct tz *tz = zone(e->zone);
    const struct tz *zones[] = {tz};
    struct policy_schedule s = window(e->start, e->end);
    struct civil_date day;
    struct policy_spec spec = {.min_replicas = 1, .max_replicas = 10, .schedule_count = 1, .schedules = &s};
    struct arena cleanup_arena arena;
    struct scheduled out;
    char text[CLOCK_TEXT_MAX] = "never";

    arena_init(&arena, 0);
    if (e->except) {
        assert_int_equal(civil_date_parse(e->except, &day, NULL), 0);
        s.except = &day;
        s.except_count = 1;
    }
    schedule_apply(&spec, zones, wall(e->now), &arena, &out);
    if (out.changes_at)
        clock_format(out.changes_at, text);
    if (out.active != e->open || !str_eq(text, e->changes ? e->changes : "never"))
        fail_msg("%s, %s to %s at %s: %s until %s", e->zone, e->start, e->end, e->now,
                 out.active ? "open" : "closed", text);
    assert_int_equal(out.min_replicas, e->open ? 7 : 1);
    assert_int_equal(out.max_replicas, 10);
    assert_string_equal(out.names, e->open ? "w" : "");
}

static void check_edges(const struct edge *edges, size_t count) {
    for (size_t i = 0; i < count; i++)
        check_edge(&edges[i]);
}
#define CHECK_EDGES(edges) check_edges(edges, sizeof(edges) / sizeof((edges)[0]))

static void test_edges(void **state) {
    (void)state;
    static const char day[] = "0 8 * * 1-5", end[] = "0 20 * * 1-5";
    static const struct edge edges[] = {
        /* from the start on, and not at the end; 2026-11-23 is a Monday */
        {"UTC", day, end, NULL, "2026-11-23T07:59:59.999999Z", false, "2026-11-23T08:00:00Z"},
        {"UTC", day, end, NULL, "2026-11-23T08:00:00Z", true, "2026-11-23T20:00:00Z"},
        {"UTC", day, end, NULL, "2026-11-23T19:59:59.999999Z", true, "2026-11-23T20:00:00Z"},
        {"UTC", day, end, NULL, "2026-11-23T20:00:00Z", false, "2026-11-24T08:00:00Z"},
        {"UTC", day, end, NULL, "2026-11-27T20:00:00Z", false, "2026-11-30T08:00:00Z"},
        {"UTC", day, "12h", NULL, "2026-11-23T07:59:59.999999Z", false, "2026-11-23T08:00:00Z"},
        {"UTC", day, "12h", NULL, "2026-11-23T08:00:00Z", true, "2026-11-23T20:00:00Z"},
        {"UTC", day, "12h", NULL, "2026-11-23T19:59:59.999999Z", true, "2026-11-23T20:00:00Z"},
        {"UTC", day, "12h", NULL, "2026-11-23T20:00:00Z", false, "2026-11-24T08:00:00Z"},
        /* the same, there */
        {"Asia/Kolkata", day, end, NULL, "2026-11-23T02:29:59Z", false, "2026-11-23T02:30:00Z"},
        {"Asia/Kolkata", day, end, NULL, "2026-11-23T02:30:00Z", true, "2026-11-23T14:30:00Z"},
        /* over midnight, over the year's end, over weeks */
        {"UTC", "0 22 * * *", "0 6 * * *", NULL, "2026-11-23T05:59:59Z", true, "2026-11-23T06:00:00Z"},
        {"UTC", "0 22 * * *", "0 6 * * *", NULL, "2026-11-23T06:00:00Z", false, "2026-11-23T22:00:00Z"},
        {"UTC", "0 0 24 12 *", "0 0 2 1 *", NULL, "2027-01-01T12:00:00Z", true, "2027-01-02T00:00:00Z"},
        {"UTC", "0 18 * * 5", "0 6 * * 1", NULL, "2026-11-22T12:00:00Z", true, "2026-11-23T06:00:00Z"},
        /* ends where it begins: always open */
        {"UTC", "0 8 * * *", "0 8 * * *", NULL, "2026-11-23T08:00:00Z", true, "2026-11-24T08:00:00Z"},
        {"UTC", "0 8 * * *", "24h", NULL, "2026-11-23T08:00:00Z", true, "2026-11-24T08:00:00Z"},
        /* windows that overlap are one */
        {"UTC", "0 * * * *", "1h30m", NULL, "2026-11-23T08:29:59Z", true, "2026-11-23T09:30:00Z"},
        {"UTC", "0 8,12 * * *", "0 20 * * *", NULL, "2026-11-23T13:00:00Z", true, "2026-11-23T20:00:00Z"},
        {"UTC", "0 8 * * *", "0 12,20 * * *", NULL, "2026-11-23T13:00:00Z", false, "2026-11-24T08:00:00Z"},
        /* a day in four years */
        {"UTC", "0 0 29 2 *", "24h", NULL, "2028-02-29T23:59:59Z", true, "2028-03-01T00:00:00Z"},
        {"UTC", "0 0 29 2 *", "24h", NULL, "2028-03-01T00:00:00Z", false, "2032-02-29T00:00:00Z"},
        {"UTC", "0 0 29 2 *", "0 0 1 3 *", NULL, "2027-03-01T00:00:00Z", false, "2028-02-29T00:00:00Z"},
        {"UTC", "0 0 28 2 *", "36h", NULL, "2028-02-29T11:59:59Z", true, "2028-02-29T12:00:00Z"},
        {"UTC", "0 0 28 2 *", "36h", NULL, "2027-03-01T11:59:59Z", true, "2027-03-01T12:00:00Z"},
    };

    CHECK_EDGES(edges);
}

/* Berlin springs at 01:00Z on 2026-03-29 (02:00 becomes 03:00) and falls at 01:00Z on 2026-10-25. */
static void test_clock_changes(void **state) {
    (void)state;
    static const char berlin[] = "Europe/Berlin", howe[] = "Australia/Lord_Howe";
    static const struct edge edges[] = {
        /* 22:00 to 06:00 has 7 hours then, and 9 */
        {berlin, "0 22 * * *", "0 6 * * *", NULL, "2026-03-28T21:00:00Z", true, "2026-03-29T04:00:00Z"},
        {berlin, "0 22 * * *", "0 6 * * *", NULL, "2026-03-29T03:59:59Z", true, "2026-03-29T04:00:00Z"},
        {berlin, "0 22 * * *", "0 6 * * *", NULL, "2026-10-24T20:00:00Z", true, "2026-10-25T05:00:00Z"},
        {berlin, "0 22 * * *", "0 6 * * *", NULL, "2026-10-25T04:59:59Z", true, "2026-10-25T05:00:00Z"},
        /* 8 hours are 8 hours */
        {berlin, "0 22 * * *", "8h", NULL, "2026-03-28T21:00:00Z", true, "2026-03-29T05:00:00Z"},
        {berlin, "0 22 * * *", "8h", NULL, "2026-10-24T20:00:00Z", true, "2026-10-25T04:00:00Z"},
        /* a start that is skipped happens at the change */
        {berlin, "30 2 * * *", "1h", NULL, "2026-03-29T00:59:59Z", false, "2026-03-29T01:00:00Z"},
        {berlin, "30 2 * * *", "1h", NULL, "2026-03-29T01:00:00Z", true, "2026-03-29T02:00:00Z"},
        {berlin, "30 2 * * *", "1h", NULL, "2026-03-29T02:00:00Z", false, "2026-03-30T00:30:00Z"},
        {berlin, "30 2 * * *", "0 4 * * *", NULL, "2026-03-29T01:00:00Z", true, "2026-03-29T02:00:00Z"},
        /* an end that is skipped as well; and both: that window has no length */
        {berlin, "0 1 * * *", "30 2 * * *", NULL, "2026-03-29T00:59:59Z", true, "2026-03-29T01:00:00Z"},
        {berlin, "0 1 * * *", "30 2 * * *", NULL, "2026-03-29T01:00:00Z", false, "2026-03-29T23:00:00Z"},
        {berlin, "15 2 * * *", "45 2 * * *", NULL, "2026-03-29T01:00:00Z", false, "2026-03-30T00:15:00Z"},
        {berlin, "15 2 * * *", "45 2 * * *", NULL, "2026-03-29T01:20:00Z", false, "2026-03-30T00:15:00Z"},
        /* what comes twice happens the first time */
        {berlin, "30 2 * * *", "15m", NULL, "2026-10-25T00:30:00Z", true, "2026-10-25T00:45:00Z"},
        {berlin, "30 2 * * *", "15m", NULL, "2026-10-25T01:30:00Z", false, "2026-10-26T01:30:00Z"},
        {berlin, "30 2 * * *", "45 2 * * *", NULL, "2026-10-25T00:30:00Z", true, "2026-10-25T00:45:00Z"},
        {berlin, "30 2 * * *", "45 2 * * *", NULL, "2026-10-25T01:00:00Z", false, "2026-10-26T01:30:00Z"},
        {berlin, "30 2 * * *", "45 2 * * *", NULL, "2026-10-25T01:30:00Z", false, "2026-10-26T01:30:00Z"},
        {berlin, "30 2 * * *", "15 3 * * *", NULL, "2026-10-25T01:10:00Z", true, "2026-10-25T02:15:00Z"},
        {berlin, "*/30 * * * *", "10m", NULL, "2026-10-25T01:00:00Z", false, "2026-10-25T02:00:00Z"},
        /* half an hour, at 15:30Z on 2026-10-03, and at 15:00Z on 2026-04-04 */
        {howe, "15 2 * * *", "1h", NULL, "2026-10-03T15:29:59Z", false, "2026-10-03T15:30:00Z"},
        {howe, "15 2 * * *", "1h", NULL, "2026-10-03T15:30:00Z", true, "2026-10-03T16:30:00Z"},
        {howe, "0 22 * * *", "0 6 * * *", NULL, "2026-10-03T12:00:00Z", true, "2026-10-03T19:00:00Z"},
        {howe, "0 22 * * *", "0 6 * * *", NULL, "2026-04-04T12:00:00Z", true, "2026-04-04T19:30:00Z"},
        {howe, "45 1 * * *", "10m", NULL, "2026-04-04T14:45:00Z", true, "2026-04-04T14:55:00Z"},
        {howe, "45 1 * * *", "10m", NULL, "2026-04-04T15:15:00Z", false, "2026-04-05T15:15:00Z"},
        /* a day that never was */
        {"Pacific/Apia", "0 8 30 12 *", "1h", NULL, "2011-12-30T10:00:00Z", true, "2011-12-30T11:00:00Z"},
    };

    CHECK_EDGES(edges);
}

static void test_except(void **state) {
    (void)state;
    static const char night[] = "0 22 * * *", six[] = "0 6 * * *";
    static const struct edge edges[] = {
        {"UTC", "0 8 * * *", "12h", "2026-12-24", "2026-12-24T09:00:00Z", false, "2026-12-25T08:00:00Z"},
        {"UTC", "0 8 * * *", "12h", "2026-12-24", "2026-12-23T20:00:00Z", false, "2026-12-25T08:00:00Z"},
        {"UTC", "0 8 * * *", "12h", "2026-12-24", "2026-12-25T08:00:00Z", true, "2026-12-25T20:00:00Z"},
        /* the day on which it starts counts, there */
        {"UTC", night, six, "2026-12-24", "2026-12-24T05:00:00Z", true, "2026-12-24T06:00:00Z"},
        {"UTC", night, six, "2026-12-24", "2026-12-24T23:00:00Z", false, "2026-12-25T22:00:00Z"},
        {"UTC", night, six, "2026-12-24", "2026-12-25T05:00:00Z", false, "2026-12-25T22:00:00Z"},
        {"Asia/Tokyo", night, six, "2026-12-24", "2026-12-24T14:00:00Z", false, "2026-12-25T13:00:00Z"},
        {"Asia/Tokyo", night, six, "2026-12-25", "2026-12-24T14:00:00Z", true, "2026-12-24T21:00:00Z"},
        /* one that began before goes on */
        {"UTC", "0 8 * * *", "36h", "2026-12-24", "2026-12-24T19:59:59Z", true, "2026-12-24T20:00:00Z"},
        {"UTC", "0 8 * * *", "36h", "2026-12-24", "2026-12-24T20:00:00Z", false, "2026-12-25T08:00:00Z"},
        {"UTC", "0 8 * * *", "0 20 * * 5", "2026-12-24", "2026-12-24T09:00:00Z", true,
         "2026-12-25T20:00:00Z"},
        {"UTC", "59 23 * * *", "36h", "2026-12-24", "2026-12-25T08:00:00Z", true, "2026-12-25T11:59:00Z"},
        {"UTC", "*/5 * * * *", "10m", "2026-12-24", "2026-12-24T00:04:59Z", true, "2026-12-24T00:05:00Z"},
        {"UTC", "*/5 * * * *", "10m", "2026-12-24", "2026-12-24T00:05:00Z", false, "2026-12-25T00:00:00Z"},
        {"UTC", "*/5 * * * *", "10m", "2026-12-24", "2026-12-24T23:59:59Z", false, "2026-12-25T00:00:00Z"},
    };

    CHECK_EDGES(edges);
}

/* ---- against a model: every minute of three weeks ---- */

enum { WEEKS = 3 * 7 * 1440, REACH = 4 * 1440 }; /* REACH: further than any window or offset here */

/* The days on which the model looks, from UTC minute `first` on. */
struct model {
    const struct tz *tz;
    const struct policy_schedule *schedule;
    int64_t first;        /* minute of UTC */
    int64_t local[WEEKS]; /* the furthest local minute that clocks have shown by then */
    bool open[WEEKS];
};

static int64_t offset_minutes(const struct tz *tz, int64_t minute) {
    return tz_offset(tz, minute * USEC_PER_MIN) / 60;
}

static struct civil_time civil(int64_t minute) {
    int64_t days = minute / 1440, of_day = minute % 1440;

    return (struct civil_time){civil_from_days(days), (uint8_t)(of_day / 60), (uint8_t)(of_day % 60)};
}

static void show_clocks(struct model *m) {
    for (int64_t i = 0; i < WEEKS; i++) {
        int64_t local = m->first + i + offset_minutes(m->tz, m->first + i);
        m->local[i] = i > 0 && m->local[i - 1] > local ? m->local[i - 1] : local;
    }
}

/* The index of the minute at which clocks first show a local one, or more. */
static int64_t index_of(const struct model *m, int64_t local) {
    int64_t i = local - m->local[0] - 2 * 1440;

    for (i = i < 0 ? 0 : i; i < WEEKS && m->local[i] < local; i++)
        ;
    return i;
}

static bool model_starts(const struct model *m, int64_t local) {
    struct civil_time t = civil(local);

    for (uint32_t i = 0; i < m->schedule->except_count; i++) {
        if (civil_days(&m->schedule->except[i]) == local / 1440)
            return false;
    }
    return cron_matches(&m->schedule->start, &t);
}

static int64_t model_end(const struct model *m, int64_t local, int64_t begin) {
    if (m->schedule->duration)
        return begin + m->schedule->duration / USEC_PER_MIN;
    for (int64_t end = local + 1; end < m->local[WEEKS - 1]; end++) {
        struct civil_time t = civil(end);
        if (cron_matches(&m->schedule->end, &t))
            return index_of(m, end);
    }
    return WEEKS;
}

static void walk(struct model *m) {
    memset(m->open, 0, sizeof(m->open));
    for (int64_t local = m->local[0]; local < m->local[WEEKS - 1]; local++) {
        if (!model_starts(m, local))
            continue;
        int64_t begin = index_of(m, local), end = model_end(m, local, begin);
        for (int64_t i = begin; i < end && i < WEEKS; i++)
            m->open[i] = true;
    }
}

static void compare(const struct model *m, const char *what) {
    const struct policy_spec spec = {.max_replicas = 10, .schedule_count = 1, .schedules = m->schedule};
    const struct tz *zones[] = {m->tz};
    struct arena cleanup_arena arena;

    arena_init(&arena, 0);
    for (int64_t i = REACH; i < WEEKS - REACH; i += 5) {
        struct scheduled out;
        arena_reset(&arena);
        schedule_apply(&spec, zones, (m->first + i) * USEC_PER_MIN + 1, &arena, &out);
        if (out.active != m->open[i])
            fail_msg("%s: minute %lld: %u", what, (long long)i, out.active);
        /* Until changes_at nothing changes. */
        int64_t until = out.changes_at / USEC_PER_MIN - m->first;
        assert_true(until > i);
        for (int64_t k = i; k < WEEKS - REACH && k < until; k++) {
            if (m->open[k] != m->open[i])
                fail_msg("%s: minute %lld: changes at %lld, not %lld", what, (long long)i, (long long)k,
                         (long long)until);
        }
    }
}

static uint32_t random_below(uint64_t *seed, uint32_t n) {
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*seed >> 33) % n;
}

/* Mostly in the small hours, where clocks change; each day or some days of the week. */
static void random_line(uint64_t *seed, char *out, size_t size) {
    static const char *const days[] = {"*", "*", "*", "0,2,4", "5-7", "*/2"};
    uint32_t hour = random_below(seed, 4) ? random_below(seed, 5) : random_below(seed, 24);

    snprintf(out, size, "%u %u * * %s", random_below(seed, 4) * 15, hour, days[random_below(seed, 6)]);
}

static void test_random_windows_as_the_model(void **state) {
    static const struct {
        const char *zone, *from;
    } places[] = {
        {"Europe/Berlin", "2026-03-17T00:00:00Z"},       {"Europe/Berlin", "2026-10-13T00:00:00Z"},
        {"Australia/Lord_Howe", "2026-03-26T00:00:00Z"}, {"Australia/Lord_Howe", "2026-09-24T00:00:00Z"},
        {"Africa/Casablanca", "2026-02-06T00:00:00Z"},   {"Pacific/Apia", "2011-12-20T00:00:00Z"},
    };
    static struct model m;
    uint64_t seed = 3;
    (void)state;

    for (int round = 0; round < 60; round++) {
        char start[64], end[64], what[256];
        size_t place = (size_t)round % (sizeof(places) / sizeof(places[0]));
        cleanup(free_zone) struct tz *tz = zone(places[place].zone);
        random_line(&seed, start, sizeof(start));
        if (random_below(&seed, 2))
            random_line(&seed, end, sizeof(end));
        else
            snprintf(end, sizeof(end), "%um", 15 * (1 + random_below(&seed, 200)));
        struct policy_schedule s = window(start, end);
        m = (struct model){.tz = tz, .schedule = &s, .first = wall(places[place].from) / USEC_PER_MIN};
        struct civil_date day = civil(m.first + (9 + random_below(&seed, 4)) * 1440).date;
        s.except = &day;
        s.except_count = random_below(&seed, 2);
        snprintf(what, sizeof(what), "%s from %s: %s to %s", places[place].zone, places[place].from, start,
                 end);
        show_clocks(&m);
        walk(&m);
        compare(&m, what);
    }
}

/* ---- several, and the bounds ---- */

static void test_bounds(void **state) {
    (void)state;
    static const struct {
        int32_t min, max; /* spec's */
        int32_t floors[2], ceilings[2];
        int32_t want_min, want_max;
    } cases[] = {
        {2, 10, {5, -1}, {-1, -1}, 5, 10},
        {2, 10, {5, 7}, {-1, -1}, 7, 10},
        {2, 10, {7, 5}, {-1, -1}, 7, 10},
        {2, 10, {-1, -1}, {20, -1}, 2, 20},
        {2, 10, {-1, -1}, {20, 30}, 2, 30},
        {2, 10, {-1, -1}, {5, -1}, 2, 5},
        {2, 10, {-1, -1}, {5, 3}, 2, 5},
        {2, 10, {1, -1}, {-1, -1}, 1, 10},   /* a window may lower the floor */
        {2, 10, {0, -1}, {0, -1}, 0, 0},     /* or send the workload to sleep */
        {2, 10, {15, -1}, {-1, -1}, 15, 15}, /* a floor above the ceiling lifts it */
        {2, 10, {15, -1}, {-1, 12}, 15, 15},
        {5, 10, {-1, -1}, {3, -1}, 3, 3}, /* a ceiling below spec's floor lowers that */
        {5, 10, {-1, -1}, {0, -1}, 0, 0},
    };
    cleanup(free_zone) struct tz *utc = zone("UTC");
    const struct tz *zones[] = {utc, utc, utc};
    struct policy_schedule s[] = {window("0 8 * * *", "1h"), window("30 8 * * *", "2h"),
                                  window("0 12 * * *", "1h")};
    struct arena cleanup_arena arena;

    arena_init(&arena, 0);
    s[0].name = "a";
    s[1].name = "b";
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct policy_spec spec = {.min_replicas = cases[i].min, .max_replicas = cases[i].max};
        struct scheduled out;
        spec.schedule_count = 3;
        spec.schedules = s;
        for (int k = 0; k < 2; k++) {
            s[k].min_replicas = cases[i].floors[k];
            s[k].max_replicas = cases[i].ceilings[k];
        }
        schedule_apply(&spec, zones, wall("2026-11-23T08:45:00Z"), &arena, &out);
        assert_int_equal(out.active, 2);
        assert_string_equal(out.names, "a, b");
        assert_int_equal(out.changes_at, wall("2026-11-23T09:00:00Z"));
        if (out.min_replicas != cases[i].want_min || out.max_replicas != cases[i].want_max)
            fail_msg("case %zu: %d to %d", i, out.min_replicas, out.max_replicas);
    }
}

static void test_none(void **state) {
    struct policy_spec spec = {.min_replicas = 2, .max_replicas = 10};
    struct arena cleanup_arena arena;
    struct scheduled out;
    (void)state;

    arena_init(&arena, 0);
    schedule_apply(&spec, NULL, 0, &arena, &out);
    assert_int_equal(out.active, 0);
    assert_int_equal(out.min_replicas, 2);
    assert_int_equal(out.max_replicas, 10);
    assert_int_equal(out.changes_at, 0);
    assert_string_equal(out.names, "");
    assert_int_equal(arena.used, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),  cmocka_unit_test(test_clock_changes),
        cmocka_unit_test(test_except), cmocka_unit_test(test_random_windows_as_the_model),
        cmocka_unit_test(test_bounds), cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
