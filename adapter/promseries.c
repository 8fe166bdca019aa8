/* The reader of lists of series. A hundred thousand series are some 23 MB of JSON and hardly anything of what
 * is made of them: so each is told as soon as it is whole, and its labels are overwritten by the next one. */
#include "adapter/promseries.h"

#include "adapter/feedlabels.h"
#include "adapter/promframe.h"
#include "base/mem.h"
#include <string.h>

enum { AT_SERIES = PROMFRAME_PLACES };

static const struct jsonfeed_field fields[] = {PROMFRAME_FIELD_LINES};

static const struct jsonfeed_opening openings[] = {
    {PROMFRAME_AT_DATA, PROMFRAME_OTHER, JSONFEED_MAP, AT_SERIES}, /* by far the most frequent one */
    PROMFRAME_OPENING_LINES(JSONFEED_LIST),
};

struct promseries {
    struct promframe frame;
    promseries_fn *fn;
    void *arg;
    struct feedlabels labels; /* of the series being read */
};

static int on_key(void *arg, const char *name, size_t len) {
    struct promseries *p = arg;

    return p->frame.feed.place != AT_SERIES || feedlabels_name(&p->labels, name, len);
}

static int on_scalar(void *arg, enum jsonfeed_token token, const char *text, size_t len) {
    struct promseries *p = arg;

    switch (p->frame.feed.place) {
    case AT_SERIES:
        return feedlabels_value(&p->labels, token, text, len);
    case PROMFRAME_AT_DATA:
        return jsonfeed_wrong(&p->frame.feed, "a series is not an object");
    default:
        return promframe_scalar(&p->frame, token, text, len);
    }
}

static int on_enter(void *arg, const struct jsonfeed_opening *opening) {
    struct promseries *p = arg;

    if (opening->inside == AT_SERIES)
        feedlabels_clear(&p->labels);
    return promframe_enter(&p->frame, opening);
}

/* Takes __name__ out, and the labels without a value, which are none to Prometheus. */
static struct series series_of(struct feedlabels *labels) {
    struct series series = {.name = "", .labels = labels->labels};

    /* Within the array itself: what is kept never overtakes what is read, hence the copy of each. */
    for (uint32_t i = 0; i < labels->count; i++) {
        struct series_label label = labels->labels[i];
        if (strcmp(label.name, "__name__") == 0)
            series.name = label.value;
        else if (*label.value)
            labels->labels[series.label_count++] = label;
    }
    return series;
}

static int series_done(struct promseries *p) {
    struct err err = {0};

    if (!feedlabels_finish(&p->labels))
        return 0;
    struct series series = series_of(&p->labels);
    /* The parser knows only "stop": the code and the text are kept in the feed until promseries_finish. */
    if (p->fn(p->arg, &series, &err) < 0)
        return jsonfeed_fail(&p->frame.feed, err.code, "%s", err.text);
    return 1;
}

static int on_leave(void *arg, int place) {
    return place == AT_SERIES ? series_done(arg) : 1;
}

struct promseries *promseries_new(size_t max_bytes, promseries_fn *fn, void *arg) {
    static const struct jsonfeed_grammar grammar = {JSONFEED_TABLES(fields, openings), on_scalar, on_enter,
                                                    on_leave, on_key};
    struct promseries *p = XNEW(struct promseries);

    p->fn = fn;
    p->arg = arg;
    promframe_init(&p->frame, &grammar, p, max_bytes);
    feedlabels_init(&p->labels, &p->frame.feed, "a series");
    return p;
}

void promseries_free(struct promseries *reader) {
    if (!reader)
        return;
    promframe_done(&reader->frame);
    feedlabels_done(&reader->labels);
    free(reader);
}

int promseries_feed(struct promseries *reader, const char *data, size_t len, struct err *err) {
    return jsonfeed_feed(&reader->frame.feed, data, len, err);
}

int promseries_finish(struct promseries *reader, struct err *err) {
    int ret = promframe_finish(&reader->frame, err);

    /* A success without data is no answer to this question, and must not pass for "there are no series". */
    if (ret < 0 || reader->frame.has_data)
        return ret;
    jsonfeed_wrong(&reader->frame.feed, "it is no list of series");
    return jsonfeed_failure(&reader->frame.feed, err);
}
