/* Schedules: windows of local time that move the bounds. A window begins where its start line names a minute
 * that clocks have shown; what clocks have shown decides, so that an hour that is skipped happens at once,
 * and one that comes twice happens the first time. Lines are compared in local time; only durations run in
 * real time. */
#include "autoscaler/stages.h"

#include "base/str.h"

enum { DAY_SECONDS = 24 * 60 * 60 };

/* One schedule, looked at now. */
struct look {
    const struct policy_schedule *schedule;
    const struct tz *zone;
    usec_t now;
    struct civil_time reached; /* the minute that clocks there have come to */
};

static int64_t to_seconds(const struct civil_time *t) {
    return civil_days(&t->date) * DAY_SECONDS + t->hour * 3600 + t->minute * 60;
}

static struct civil_time from_seconds(int64_t local) {
    /* Rounded down: C's division would give the days before 1970 the wrong date. */
    int64_t days = (local >= 0 ? local : local - (DAY_SECONDS - 1)) / DAY_SECONDS;
    int64_t minute = (local - days * DAY_SECONDS) / 60;

    return (struct civil_time){civil_from_days(days), (uint8_t)(minute / 60), (uint8_t)(minute % 60)};
}

static usec_t wall_time(const struct look *l, const struct civil_time *t) {
    return tz_from_local(l->zone, to_seconds(t));
}

static bool excepted(const struct policy_schedule *s, const struct civil_date *date) {
    for (uint32_t i = 0; i < s->except_count; i++) {
        const struct civil_date *e = &s->except[i];
        if (e->year == date->year && e->month == date->month && e->day == date->day)
            return true;
    }
    return false;
}

/* The last start so far that opened a window: days that are excepted are passed over as a whole. */
static bool last_start(const struct look *l, struct civil_time *ret) {
    struct civil_time from = l->reached;

    while (cron_last(&l->schedule->start, &from, ret)) {
        if (!excepted(l->schedule, &ret->date))
            return true;
        from = (struct civil_time){civil_from_days(civil_days(&ret->date) - 1), 23, 59};
    }
    return false;
}

static bool next_start(const struct look *l, struct civil_time *ret) {
    struct civil_time from = l->reached;

    while (cron_next(&l->schedule->start, &from, ret)) {
        if (!excepted(l->schedule, &ret->date))
            return true;
        from = (struct civil_time){ret->date, 23, 59};
    }
    return false;
}

/* Whether a window is open that closes after its duration; ret_closes: when. */
static bool open_for_duration(const struct look *l, usec_t *ret_closes) {
    struct civil_time start;

    if (!last_start(l, &start))
        return false;
    /* Real time: an hour lasts an hour, though clocks are put forward in it. */
    *ret_closes = wall_time(l, &start) + l->schedule->duration;
    return l->now < *ret_closes;
}

/* Whether one is open that closes at the first end behind its start; ret_closes: when, 0: never. */
static bool open_until_end(const struct look *l, usec_t *ret_closes) {
    struct civil_time start, end;

    if (!last_start(l, &start))
        return false;
    /* An end in the same minute as the start belongs to the window before. */
    if (cron_last(&l->schedule->end, &l->reached, &end) && to_seconds(&start) < to_seconds(&end))
        return false;
    *ret_closes = cron_next(&l->schedule->end, &l->reached, &end) ? wall_time(l, &end) : 0;
    return true;
}

/* Whether the schedule is in force; ret_changes_at: until when that holds at least, 0: for ever. */
static bool is_open(const struct policy_schedule *s, const struct tz *zone, usec_t now,
                    usec_t *ret_changes_at) {
    struct look l = {s, zone, now, from_seconds(tz_local_reached(zone, now))};
    struct civil_time start;

    if (s->duration > 0 ? open_for_duration(&l, ret_changes_at) : open_until_end(&l, ret_changes_at))
        return true;
    *ret_changes_at = next_start(&l, &start) ? wall_time(&l, &start) : 0;
    return false;
}

static int32_t larger(int32_t a, int32_t b) {
    return a > b ? a : b;
}

static const char *add_name(const char *names, const char *name, struct arena *arena) {
    if (names[0] == '\0')
        return arena_strdup(arena, str_or_empty(name));
    return arena_printf(arena, "%s, %s", names, str_or_empty(name));
}

void schedule_apply(const struct policy_spec *spec, const struct tz *const *zones, usec_t now,
                    struct arena *arena, struct scheduled *ret_scheduled) {
    struct scheduled out = {.names = ""};
    int32_t floor = -1, ceiling = -1; /* -1: no open window gives one */

    for (uint32_t i = 0; i < spec->schedule_count; i++) {
        const struct policy_schedule *s = &spec->schedules[i];
        usec_t changes_at = 0;
        if (is_open(s, zones[i], now, &changes_at)) {
            out.active++;
            out.names = add_name(out.names, s->name, arena);
            floor = larger(floor, s->min_replicas);
            ceiling = larger(ceiling, s->max_replicas);
        }
        if (changes_at > 0 && (out.changes_at == 0 || changes_at < out.changes_at))
            out.changes_at = changes_at;
    }

    /* A window that is open replaces spec's bound, lower or higher; several leave the most. */
    out.min_replicas = floor >= 0 ? floor : spec->min_replicas;
    out.max_replicas = ceiling >= 0 ? ceiling : spec->max_replicas;
    /* Where the two contradict, what a schedule says about the floor counts most, then about the ceiling. */
    if (out.min_replicas > out.max_replicas) {
        if (floor >= 0)
            out.max_replicas = out.min_replicas;
        else
            out.min_replicas = out.max_replicas;
    }
    *ret_scheduled = out;
}
