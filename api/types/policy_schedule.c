/* spec.schedules: windows in which other bounds hold. Whether a time zone exists only the system's database
 * tells: that is asked where there is one. */
#include "api/types/policy_read.h"

/* What is wrong with the line cron.c says; here only where it stands is added. */
static int read_cron(struct reader *r, const json_t *item, const struct path *path, const char *key,
                     struct cron *ret_cron) {
    const char *text = NULL;
    struct err why = {0};
    int e = read_required_string(r, item, path, key, &text);

    if (e < 0)
        return e;
    if (cron_parse(text, ret_cron, &why) < 0)
        return read_error(r, path, key, "%s", err_text(&why));
    return 0;
}

/* How a window closes: by another line, or after a time. */
static int read_end(struct reader *r, const json_t *item, const struct path *path,
                    struct policy_schedule *ret) {
    if (read_has(item, "end") == read_has(item, "duration"))
        return read_error(r, path, NULL, "set exactly one of end and duration");
    if (read_has(item, "end"))
        return read_cron(r, item, path, "end", &ret->end);
    /* From the grain of cron up to a month of 31 days. */
    return read_duration(r, item, path, "duration", (struct read_range){USEC_PER_MIN, 744 * USEC_PER_HOUR},
                         &ret->duration);
}

/* Held against each other alone. The spec's own limits do not bound them: a window is there to move those. */
static int read_bounds(struct reader *r, const json_t *item, const struct path *path,
                       struct policy_schedule *ret) {
    const struct read_range range = {0, INT32_MAX};
    int e;

    /* A bound that is not given is not moved: that is not the same as 0. */
    ret->min_replicas = ret->max_replicas = -1;
    e = read_int(r, item, path, "minReplicas", range, &ret->min_replicas);
    if (e == 0)
        e = read_int(r, item, path, "maxReplicas", range, &ret->max_replicas);
    if (e < 0)
        return e;
    if (ret->min_replicas < 0 && ret->max_replicas < 0)
        return read_error(r, path, NULL, "set minReplicas, maxReplicas or both");
    if (ret->max_replicas >= 0 && ret->min_replicas > ret->max_replicas)
        return read_error(r, path, "minReplicas",
                          "must not be above maxReplicas: lower minReplicas or raise maxReplicas");
    return 0;
}

/* Dates have no zone of their own: they are meant in the schedule's. */
static int read_except(struct reader *r, const json_t *item, const struct path *up,
                       struct policy_schedule *ret) {
    struct path path = {up, "except", 0};
    const json_t *list = json_object_get(item, "except");
    size_t count = json_array_size(list);
    struct civil_date *dates;

    if (!read_has(item, "except"))
        return 0;
    if (!json_is_array(list) || count > POLICY_EXCEPT_MAX)
        return read_error(r, &path, NULL, "must be a list of at most %d dates such as 2026-12-24",
                          POLICY_EXCEPT_MAX);
    ret->except_count = (uint32_t)count;
    ret->except = dates = ARENA_ARRAY(r->arena, struct civil_date, count);
    for (size_t i = 0; i < count; i++) {
        struct path at = {&path, NULL, i};
        const char *text = json_string_value(json_array_get(list, i));
        struct err why = {0};
        if (!text)
            return read_error(r, &at, NULL, "must be a date such as 2026-12-24, in quotes");
        if (civil_date_parse(text, &dates[i], &why) < 0)
            return read_error(r, &at, NULL, "%s", err_text(&why));
    }
    return 0;
}

static int read_schedule(struct reader *r, const json_t *item, const struct path *path,
                         struct policy_schedule *ret) {
    int e;

    if (!json_is_object(item))
        return read_error(r, path, NULL, "must be an object");
    /* Never the zone of the machine: a policy means the same wherever the operator runs. */
    ret->time_zone = "UTC";
    e = read_required_string(r, item, path, "name", &ret->name);
    if (e == 0)
        e = read_string(r, item, path, "timeZone", &ret->time_zone);
    if (e == 0 && ret->time_zone[0] == '\0')
        return read_error(r, path, "timeZone", "is missing: add it, or leave it out for UTC");
    if (e == 0)
        e = read_cron(r, item, path, "start", &ret->start);
    if (e == 0)
        e = read_end(r, item, path, ret);
    if (e == 0)
        e = read_bounds(r, item, path, ret);
    return e < 0 ? e : read_except(r, item, path, ret);
}

/* The status names the windows that are open, which needs one name each. */
static int check_names(struct reader *r, const struct path *path, const struct policy_schedule *schedules,
                       size_t count) {
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (str_eq(schedules[i].name, schedules[j].name))
                return read_error(r, path, NULL,
                                  "two schedules have the name %.63s: give each a name of its own",
                                  schedules[i].name);
    return 0;
}

int policy_read_schedules(struct reader *r, const json_t *spec, const struct path *up,
                          struct policy_spec *ret) {
    struct path path = {up, "schedules", 0};
    const json_t *list = json_object_get(spec, "schedules");
    size_t count = json_array_size(list);
    struct policy_schedule *schedules;

    if (!read_has(spec, "schedules"))
        return 0;
    if (!json_is_array(list) || count > POLICY_SCHEDULES_MAX)
        return read_error(r, &path, NULL, "must be a list of at most %d windows", POLICY_SCHEDULES_MAX);
    schedules = ARENA_ARRAY(r->arena, struct policy_schedule, count);
    for (size_t i = 0; i < count; i++) {
        struct path at = {&path, NULL, i};
        int e = read_schedule(r, json_array_get(list, i), &at, &schedules[i]);
        if (e < 0)
            return e;
    }
    /* Set last, so that nobody sees a list that is read in part. */
    ret->schedule_count = (uint32_t)count;
    ret->schedules = schedules;
    return check_names(r, &path, schedules, count);
}
