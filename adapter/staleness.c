/* Values that are older than a subscriber allows. */
#include "adapter/staleness.h"

#include "base/mem.h"
#include <stdlib.h>

void staleness_done(struct staleness *staleness) {
    free(staleness->text);
    staleness->text = NULL;
}

/* A value of the future, by a server's clock that is ahead, is never too old. */
bool staleness_too_old(const struct staleness *staleness, usec_t at, usec_t now) {
    return staleness->max_age > 0 && at > 0 && now - at > staleness->max_age;
}

/* Names the time of the value: a text that does not change every second, as an age would. */
static const char *text_for(struct staleness *s, usec_t at) {
    char time[CLOCK_TEXT_MAX], age[CLOCK_TEXT_MAX];

    if (!s->text || s->text_at != at) {
        free(s->text);
        s->text_at = at;
        s->text = xasprintf("the last value is of %s, older than maxAge %s", clock_format(at, time),
                            clock_format_duration(s->max_age, age));
    }
    return s->text;
}

void staleness_apply(struct staleness *staleness, usec_t now, struct sample *sample) {
    bool value = sample->quality == QUALITY_VALUE || sample->quality == QUALITY_ZERO;

    if (!value || !staleness_too_old(staleness, sample->at, now))
        return;
    sample->quality = QUALITY_STALE;
    sample->message = text_for(staleness, sample->at);
}
