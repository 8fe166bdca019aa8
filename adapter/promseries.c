/* The reader of lists of series. The texts of one series stand one behind the other in a buffer that the next
 * series uses again; Prometheus writes labels in order, so that sorting them is the exception. */
#include "adapter/promseries.h"

#include "adapter/jsonfeed.h"
#include "adapter/promjson.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

enum place { AT_TOP, AT_ROOT, AT_DATA, AT_SERIES, AT_SKIPPED };
enum field { FIELD_OTHER, FIELD_STATUS, FIELD_DATA, FIELD_ERROR_TYPE, FIELD_ERROR };

static const struct jsonfeed_field fields[] = {
    {"status", AT_ROOT, FIELD_STATUS},
    {"data", AT_ROOT, FIELD_DATA},
    {"errorType", AT_ROOT, FIELD_ERROR_TYPE},
    {"error", AT_ROOT, FIELD_ERROR},
};

static const struct jsonfeed_opening openings[] = {
    {AT_DATA, FIELD_OTHER, JSONFEED_MAP, AT_SERIES}, /* by far the most frequent one */
    {AT_TOP, FIELD_OTHER, JSONFEED_MAP, AT_ROOT},     {AT_ROOT, FIELD_DATA, JSONFEED_LIST, AT_DATA},
    {AT_ROOT, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED}, {AT_SKIPPED, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
};

struct promseries {
    struct jsonfeed feed;
    promseries_fn *fn;
    void *arg;
    char status[16], error_type[64], error[PROMJSON_TEXT_MAX];
    bool has_data;

    /* Of the series being read: texts as offsets, for the buffer may move. */
    struct buf texts;
    uint32_t count;
    size_t names[PROMSERIES_LABELS_MAX], values[PROMSERIES_LABELS_MAX];
    struct series_label labels[PROMSERIES_LABELS_MAX];
};

static int put_text(struct promseries *p, const char *text, size_t len, size_t *ret_at) {
    *ret_at = p->texts.len;
    if (buf_append(&p->texts, text, len) < 0 || buf_append(&p->texts, "", 1) < 0)
        return jsonfeed_fail(&p->feed, -E2BIG, "a series of the answer is longer than 1 MiB");
    return 1;
}

static int on_key(void *arg, const char *name, size_t len) {
    struct promseries *p = arg;

    if (p->feed.place != AT_SERIES)
        return 1;
    if (p->count == PROMSERIES_LABELS_MAX)
        return jsonfeed_fail(&p->feed, -E2BIG, "a series of the answer has more than 256 labels");
    return put_text(p, name, len, &p->names[p->count]);
}

static int root_scalar(struct promseries *p, enum jsonfeed_token token, const char *text, size_t len) {
    p->has_data |= p->feed.field == FIELD_DATA && token == JSONFEED_NULL;
    if (p->feed.field == FIELD_OTHER || token == JSONFEED_NULL)
        return 1;
    if (token != JSONFEED_STRING || p->feed.field == FIELD_DATA)
        return jsonfeed_wrong(&p->feed, "a field of its top level has the wrong type");
    if (p->feed.field == FIELD_STATUS)
        promjson_cut(p->status, sizeof(p->status), text, len);
    else if (p->feed.field == FIELD_ERROR_TYPE)
        promjson_cut(p->error_type, sizeof(p->error_type), text, len);
    else
        promjson_cut(p->error, sizeof(p->error), text, len);
    return 1;
}

static int on_scalar(void *arg, enum jsonfeed_token token, const char *text, size_t len) {
    struct promseries *p = arg;

    switch ((enum place)p->feed.place) {
    case AT_SERIES:
        if (token != JSONFEED_STRING)
            return jsonfeed_wrong(&p->feed, "a label's value is not a string");
        return put_text(p, text, len, &p->values[p->count++]);
    case AT_ROOT:
        return root_scalar(p, token, text, len);
    case AT_SKIPPED:
        return 1;
    case AT_DATA:
        return jsonfeed_wrong(&p->feed, "a series is not an object");
    case AT_TOP:
    default:
        return jsonfeed_wrong(&p->feed, "it is not an object");
    }
}

static int on_enter(void *arg, const struct jsonfeed_opening *opening) {
    struct promseries *p = arg;

    if (opening->inside == AT_DATA) {
        if (p->has_data)
            return jsonfeed_wrong(&p->feed, "data is there twice");
        p->has_data = true;
    }
    p->count = 0;
    buf_reset(&p->texts);
    return 1;
}

static int compare_labels(const void *a, const void *b) {
    return strcmp(((const struct series_label *)a)->name, ((const struct series_label *)b)->name);
}

/* Takes __name__ out, leaves labels without a value out, and tells whether the others are in order. */
static struct series collect(struct promseries *p, bool *ret_sorted) {
    struct series series = {.name = "", .labels = p->labels};

    *ret_sorted = true;
    for (uint32_t i = 0; i < p->count; i++) {
        struct series_label label = {p->texts.data + p->names[i], p->texts.data + p->values[i]};
        if (strcmp(label.name, "__name__") == 0) {
            series.name = label.value;
            continue;
        }
        if (!*label.value)
            continue;
        *ret_sorted &= !series.label_count || compare_labels(&p->labels[series.label_count - 1], &label) < 0;
        p->labels[series.label_count++] = label;
    }
    return series;
}

static int series_done(struct promseries *p) {
    struct err err = {0};
    bool sorted;
    struct series series = collect(p, &sorted);

    if (!sorted)
        qsort(p->labels, series.label_count, sizeof(*p->labels), compare_labels);
    for (uint32_t i = 1; i < series.label_count && !sorted; i++)
        if (compare_labels(&p->labels[i - 1], &p->labels[i]) == 0)
            return jsonfeed_wrong(&p->feed, "a series has a label twice");
    if (p->fn(p->arg, &series, &err) < 0)
        return jsonfeed_fail(&p->feed, err.code, err.text);
    return 1;
}

static int on_leave(void *arg, int place) {
    return place == AT_SERIES ? series_done(arg) : 1;
}

struct promseries *promseries_new(size_t max_bytes, promseries_fn *fn, void *arg) {
    static const struct jsonfeed_grammar grammar = {
        .fields = fields,
        .field_count = sizeof(fields) / sizeof(fields[0]),
        .openings = openings,
        .opening_count = sizeof(openings) / sizeof(openings[0]),
        .scalar = on_scalar,
        .enter = on_enter,
        .leave = on_leave,
        .key = on_key,
    };
    struct promseries *p = XNEW(struct promseries);

    p->fn = fn;
    p->arg = arg;
    buf_init(&p->texts, PROMSERIES_BYTES_MAX);
    jsonfeed_init(&p->feed, &grammar, p, "Prometheus'", max_bytes);
    return p;
}

void promseries_free(struct promseries *reader) {
    if (!reader)
        return;
    jsonfeed_done(&reader->feed);
    buf_done(&reader->texts);
    free(reader);
}

int promseries_feed(struct promseries *reader, const char *data, size_t len, struct err *err) {
    return jsonfeed_feed(&reader->feed, data, len, err);
}

int promseries_finish(struct promseries *reader, struct err *err) {
    int ret = jsonfeed_finish(&reader->feed, err);

    if (ret < 0)
        return ret;
    if (str_eq(reader->status, "error"))
        return err_set(err, -EINVAL, "%s%s%s", reader->error_type,
                       reader->error_type[0] && reader->error[0] ? ": " : "", reader->error);
    if (str_eq(reader->status, "success") && reader->has_data)
        return 0;
    jsonfeed_wrong(&reader->feed, "it is no list of series");
    return err_set(err, reader->feed.failure.code, "%s", reader->feed.failure.text);
}
