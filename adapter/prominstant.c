/* The streaming reader of instant queries' answers: what stands where in data, and the element being read.
 *
 * The tables say where the parser can be (enum place) and what leads from one place to another; the functions
 * below are called at each scalar, opening and closing, and fill the one element that is kept. Whoever asked
 * gets it when its object closes. The fields of data have no order that one could rely on: resultType may
 * stand behind result, so what has come is judged by it at the end, and a list of elements and the bare pair
 * of a scalar or a string are told apart by what they are made of (enum shape). */
#include "adapter/prominstant.h"

#include "adapter/promframe.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <math.h>
#include <string.h>

enum { STRING_MAX = 64 * 1024, NUMBER_MAX = 64 };

enum place { AT_RESULT = PROMFRAME_PLACES, AT_ELEMENT, AT_METRIC, AT_PAIR };

enum field {
    FIELD_RESULT_TYPE = PROMFRAME_FIELDS,
    FIELD_RESULT,
    FIELD_METRIC,
    FIELD_VALUE,
    FIELD_VALUES, /* or "histograms": ranges */
    FIELD_HISTOGRAM,
};

/* What data.result holds, as far as it has come. */
enum shape { SHAPE_EMPTY, SHAPE_PAIR, SHAPE_ELEMENTS };

static const struct jsonfeed_field fields[] = {
    PROMFRAME_FIELD_LINES,
    {"resultType", PROMFRAME_AT_DATA, FIELD_RESULT_TYPE},
    {"result", PROMFRAME_AT_DATA, FIELD_RESULT},
    {"metric", AT_ELEMENT, FIELD_METRIC},
    {"value", AT_ELEMENT, FIELD_VALUE},
    {"values", AT_ELEMENT, FIELD_VALUES},
    {"histograms", AT_ELEMENT, FIELD_VALUES},
    {"histogram", AT_ELEMENT, FIELD_HISTOGRAM},
};

/* What may be opened where, and where that leads; those of each element stand first. */
static const struct jsonfeed_opening openings[] = {
    {AT_RESULT, PROMFRAME_OTHER, JSONFEED_MAP, AT_ELEMENT},
    {AT_ELEMENT, FIELD_METRIC, JSONFEED_MAP, AT_METRIC},
    {AT_ELEMENT, FIELD_VALUE, JSONFEED_LIST, AT_PAIR},
    {AT_ELEMENT, FIELD_VALUES, JSONFEED_LIST, PROMFRAME_AT_SKIPPED},
    {AT_ELEMENT, FIELD_HISTOGRAM, JSONFEED_LIST, PROMFRAME_AT_SKIPPED},
    {AT_ELEMENT, PROMFRAME_OTHER, JSONFEED_ANY, PROMFRAME_AT_SKIPPED},
    {PROMFRAME_AT_DATA, FIELD_RESULT, JSONFEED_LIST, AT_RESULT},
    {PROMFRAME_AT_DATA, PROMFRAME_OTHER, JSONFEED_ANY, PROMFRAME_AT_SKIPPED},
    PROMFRAME_OPENING_LINES(JSONFEED_MAP),
};

struct prominstant {
    struct promframe frame;
    prominstant_fn *fn;
    void *arg;
    char result_type[16];
    bool has_result;
    enum shape shape;
    bool has_values, has_histogram; /* seen in any element */

    /* The element (or scalar) being read. */
    int pair_len;
    usec_t at;
    char number[NUMBER_MAX];
    struct feedlabels labels;
};

static int wrong(struct prominstant *p, const char *what) {
    return jsonfeed_wrong(&p->frame.feed, "%s", what);
}

static int data_scalar(struct prominstant *p, enum jsonfeed_token token, const char *text, size_t len) {
    int field = p->frame.feed.field;

    /* A result of null is as good as none: has_result stays false. */
    if (field == PROMFRAME_OTHER || (field == FIELD_RESULT && token == JSONFEED_NULL))
        return 1;
    if (field != FIELD_RESULT_TYPE || token != JSONFEED_STRING)
        return wrong(p, "data.result is not a list, or data.resultType not a string");
    str_cut(p->result_type, sizeof(p->result_type), text, len);
    return 1;
}

static int read_time(struct prominstant *p) {
    /* The bound is the year 5138, and keeps microseconds far from the end of int64_t. */
    double seconds;

    if (str_to_double(p->number, &seconds) < 0 || !(seconds > 0 && seconds < 1e11))
        return wrong(p, "a timestamp is out of range");
    p->at = (usec_t)llround(seconds * 1e6);
    return 1;
}

/* One of the two items of [timestamp, "value"]. */
static int pair_scalar(struct prominstant *p, enum jsonfeed_token token, const char *text, size_t len) {
    if (p->pair_len == 2)
        return wrong(p, "a value has more than two items");
    /* The value is a text since JSON has no NaN and no infinity; the time is a number. */
    if (token != (p->pair_len == 0 ? JSONFEED_NUMBER : JSONFEED_STRING))
        return wrong(p, "a value is not [time, \"number\"]");
    /* A text that does not fit is no number: the result may be of type string. */
    str_cut(p->number, sizeof(p->number), text, len < sizeof(p->number) ? len : 0);
    return p->pair_len++ == 0 ? read_time(p) : 1;
}

/* A scalar's result is the pair itself. */
static int result_scalar(struct prominstant *p, enum jsonfeed_token token, const char *text, size_t len) {
    if (p->shape == SHAPE_ELEMENTS)
        return wrong(p, "data.result mixes elements and numbers");
    p->shape = SHAPE_PAIR;
    return pair_scalar(p, token, text, len);
}

static int on_scalar(void *arg, enum jsonfeed_token token, const char *text, size_t len) {
    struct prominstant *p = arg;

    if (len > STRING_MAX)
        return jsonfeed_fail(&p->frame.feed, -E2BIG, "a string of the answer is longer than 64 KiB");
    switch (p->frame.feed.place) {
    case AT_METRIC:
        return feedlabels_value(&p->labels, token, text, len);
    case AT_PAIR:
        return pair_scalar(p, token, text, len);
    case AT_ELEMENT:
        return p->frame.feed.field == PROMFRAME_OTHER || wrong(p, "a field of an element has the wrong type");
    case AT_RESULT:
        return result_scalar(p, token, text, len);
    case PROMFRAME_AT_DATA:
        return data_scalar(p, token, text, len);
    default:
        return promframe_scalar(&p->frame, token, text, len);
    }
}

static int on_key(void *arg, const char *name, size_t len) {
    struct prominstant *p = arg;

    if (len > STRING_MAX)
        return jsonfeed_fail(&p->frame.feed, -E2BIG, "a name in the answer is longer than 64 KiB");
    return p->frame.feed.place != AT_METRIC || feedlabels_name(&p->labels, name, len);
}

static int enter_element(struct prominstant *p) {
    if (p->shape == SHAPE_PAIR)
        return wrong(p, "data.result mixes elements and numbers");
    p->shape = SHAPE_ELEMENTS;
    p->pair_len = 0;
    feedlabels_clear(&p->labels);
    return 1;
}

/* Starts what was just opened. */
static int on_enter(void *arg, const struct jsonfeed_opening *opening) {
    struct prominstant *p = arg;

    /* Here, since what is in them is skipped and never seen again. */
    p->has_values |= opening->field == FIELD_VALUES;
    p->has_histogram |= opening->field == FIELD_HISTOGRAM;
    switch (opening->inside) {
    case AT_ELEMENT:
        return enter_element(p);
    case AT_METRIC:
        return p->labels.count == 0 || wrong(p, "an element has two metrics");
    case AT_PAIR:
        return p->pair_len == 0 || wrong(p, "an element has two values");
    case AT_RESULT:
        if (p->has_result)
            return wrong(p, "data.result is there twice");
        p->has_result = true;
        return 1;
    default:
        return promframe_enter(&p->frame, opening);
    }
}

/* The number that was read and its labels, for the caller. */
static int tell(struct prominstant *p, double value, struct err *err) {
    const struct prominstant_element element = {
        .value = value, .at = p->at, .label_count = p->labels.count, .labels = p->labels.labels};

    return p->fn(p->arg, &element, err);
}

static int element_done(struct prominstant *p) {
    struct err err = {0};
    double value;

    if (p->pair_len != 2) /* a matrix or native histograms; said at the end */
        return p->has_values || p->has_histogram || wrong(p, "an element has no value");
    if (str_to_double(p->number, &value) < 0)
        return wrong(p, "a value is not a number");
    /* 0 is "stop", as from the other functions: the feed has the reason. */
    if (!feedlabels_finish(&p->labels))
        return 0;
    return tell(p, value, &err) < 0 ? jsonfeed_fail(&p->frame.feed, err.code, "%s", err.text) : 1;
}

static int on_leave(void *arg, int place) {
    struct prominstant *p = arg;

    if (place == AT_PAIR && p->pair_len != 2)
        return wrong(p, "a value has fewer than two items");
    return place == AT_ELEMENT ? element_done(p) : 1;
}

struct prominstant *prominstant_new(size_t max_bytes, prominstant_fn *fn, void *arg) {
    static const struct jsonfeed_grammar grammar = {JSONFEED_TABLES(fields, openings), on_scalar, on_enter,
                                                    on_leave, on_key};
    struct prominstant *p = XNEW(struct prominstant);

    p->fn = fn;
    p->arg = arg;
    /* The labels report to the feed, which must be there before them. */
    promframe_init(&p->frame, &grammar, p, max_bytes);
    feedlabels_init(&p->labels, &p->frame.feed, "an element");
    return p;
}

void prominstant_free(struct prominstant *reader) {
    if (!reader)
        return;
    promframe_done(&reader->frame);
    feedlabels_done(&reader->labels);
    free(reader);
}

int prominstant_feed(struct prominstant *reader, const char *data, size_t len, struct err *err) {
    return jsonfeed_feed(&reader->frame.feed, data, len, err);
}

/* Only the end of the answer tells whether the pair was a number's or a text's. */
static int finish_scalar(struct prominstant *p, enum prominstant_kind *ret_kind, struct err *err) {
    double value;

    if (p->shape != SHAPE_PAIR || p->pair_len != 2 || str_to_double(p->number, &value) < 0) {
        wrong(p, "its scalar is not [time, \"number\"]");
        return jsonfeed_failure(&p->frame.feed, err);
    }
    *ret_kind = PROMINSTANT_SCALAR;
    /* Told behind the end, and so not by way of the feed: fn's failure is the answer. */
    return tell(p, value, err);
}

static int finish_vector(struct prominstant *p, enum prominstant_kind *ret_kind, struct err *err) {
    if (p->shape == SHAPE_PAIR)
        wrong(p, "its vector is not a list of elements");
    else if (p->has_values)
        wrong(p, "its vector has ranges");
    else
        *ret_kind = p->has_histogram ? PROMINSTANT_HISTOGRAMS : PROMINSTANT_VECTOR;
    return jsonfeed_failure(&p->frame.feed, err);
}

int prominstant_finish(struct prominstant *reader, enum prominstant_kind *ret_kind, struct err *err) {
    const char *type = reader->result_type;
    int ret = promframe_finish(&reader->frame, err);

    if (ret < 0)
        return ret;
    if (reader->has_result && str_eq(type, "vector"))
        return finish_vector(reader, ret_kind, err);
    if (reader->has_result && str_eq(type, "scalar"))
        return finish_scalar(reader, ret_kind, err);
    /* These are answers that are good and of no use here: the caller knows better what to say of them. */
    if (str_eq(type, "matrix"))
        *ret_kind = PROMINSTANT_MATRIX;
    else if (str_eq(type, "string"))
        *ret_kind = PROMINSTANT_STRING;
    else
        wrong(reader, reader->has_result ? "its data.resultType is unknown" : "it has no data.result");
    return jsonfeed_failure(&reader->frame.feed, err);
}

const char *prominstant_warning(const struct prominstant *reader) {
    return reader->frame.warning;
}
