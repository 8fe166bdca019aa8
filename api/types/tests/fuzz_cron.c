/* Cron lines from any text: what is read names the minutes that are found, and finds them in order. */
#include "api/types/cron.h"

#include <stdlib.h>
#include <string.h>

static int64_t minutes_of(const struct civil_time *t) {
    return (civil_days(&t->date) * 24 + t->hour) * 60 + t->minute;
}

/* The two minutes around now are named, in order, and nothing lies between them. */
static void check(const struct cron *cron, const struct civil_time *now) {
    struct civil_time last, next, again;

    if (!cron_last(cron, now, &last) || !cron_next(cron, now, &next) || !cron_next(cron, &last, &again))
        abort();
    if (!cron_matches(cron, &last) || !cron_matches(cron, &next))
        abort();
    if (minutes_of(&last) > minutes_of(now) || minutes_of(&next) <= minutes_of(now) ||
        minutes_of(&again) != minutes_of(&next))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct civil_time now = {{2027, 2, 28}, 12, 30};
    struct civil_date date;
    struct cron cron;
    struct err err;
    char text[256];

    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (civil_date_parse(text, &date, &err) == 0 && civil_from_days(civil_days(&date)).day != date.day)
        abort();
    if (cron_parse(text, &cron, &err) == 0)
        check(&cron, &now);
    return 0;
}
