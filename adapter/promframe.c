/* The reader of what stands around the data of Prometheus' answers. */
#include "adapter/promframe.h"

#include "base/str.h"
#include <errno.h>
#include <string.h>

void promframe_init(struct promframe *f, const struct jsonfeed_grammar *grammar, void *arg,
                    size_t max_bytes) {
    *f = (struct promframe){.has_data = false};
    jsonfeed_init(&f->feed, grammar, arg, "Prometheus'", max_bytes);
}

void promframe_done(struct promframe *f) {
    jsonfeed_done(&f->feed);
}

static int root_scalar(struct promframe *f, enum jsonfeed_token token, const char *text, size_t len) {
    /* null is a list of none, as Go writes one. */
    f->has_data |= f->feed.field == PROMFRAME_DATA;
    if (f->feed.field == PROMFRAME_OTHER || token == JSONFEED_NULL)
        return 1;
    /* Data and warnings are objects or lists, which do not come here: as a scalar they are wrong. */
    if (token != JSONFEED_STRING || f->feed.field == PROMFRAME_DATA || f->feed.field == PROMFRAME_WARNINGS)
        return jsonfeed_wrong(&f->feed, "a field of its top level has the wrong type");
    if (f->feed.field == PROMFRAME_STATUS)
        str_cut(f->status, sizeof(f->status), text, len);
    else if (f->feed.field == PROMFRAME_ERROR_TYPE)
        str_cut(f->error_type, sizeof(f->error_type), text, len);
    else
        str_cut(f->error, sizeof(f->error), text, len);
    return 1;
}

/* Appends to the warnings what fits. */
/* Full is full: the first warnings are worth as much as the last. */
static void append(struct promframe *f, const char *text, size_t len) {
    size_t used = strlen(f->warning);
    str_cut(f->warning + used, sizeof(f->warning) - used, text, len);
}

static int add_warning(struct promframe *f, enum jsonfeed_token token, const char *text, size_t len) {
    if (token != JSONFEED_STRING)
        return jsonfeed_wrong(&f->feed, "a warning is not a string");
    if (f->warning[0])
        append(f, "; ", 2);
    append(f, text, len);
    return 1;
}

int promframe_scalar(struct promframe *f, enum jsonfeed_token token, const char *text, size_t len) {
    switch (f->feed.place) {
    case PROMFRAME_AT_ROOT:
        return root_scalar(f, token, text, len);
    case PROMFRAME_AT_WARNINGS:
        return add_warning(f, token, text, len);
    case PROMFRAME_AT_SKIPPED:
        return 1;
    default:
        return jsonfeed_wrong(&f->feed, "it is not an object");
    }
}

int promframe_enter(struct promframe *f, const struct jsonfeed_opening *opening) {
    /* A name that is there twice is legal JSON. Of a second data a reader would mix the elements of both. */
    if (opening->inside != PROMFRAME_AT_DATA)
        return 1;
    if (f->has_data)
        return jsonfeed_wrong(&f->feed, "data is there twice");
    f->has_data = true;
    return 1;
}

int promframe_finish(struct promframe *f, struct err *err) {
    int ret = jsonfeed_finish(&f->feed, err);

    /* Only at the end: status may stand behind data, as far as JSON goes. */
    if (ret < 0 || str_eq(f->status, "success"))
        return ret;
    if (str_eq(f->status, "error"))
        return err_set(err, -EINVAL, "%s%s%s", f->error_type, f->error_type[0] && f->error[0] ? ": " : "",
                       f->error);
    jsonfeed_wrong(&f->feed, "it has no status that is known");
    return jsonfeed_failure(&f->feed, err);
}
