/* The streaming reader of vectors: what stands where in the answer, and the element being read. */
#include "adapter/promvector.h"

#include "adapter/jsonfeed.h"
#include "adapter/promjson.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <math.h>
#include <string.h>

enum { STRING_MAX = 64 * 1024, NUMBER_MAX = 64 };

enum place { AT_TOP, AT_ROOT, AT_DATA, AT_RESULT, AT_ELEMENT, AT_METRIC, AT_PAIR, AT_SKIPPED };

enum field {
    FIELD_OTHER,
    FIELD_STATUS,
    FIELD_DATA,
    FIELD_ERROR_TYPE,
    FIELD_ERROR,
    FIELD_RESULT_TYPE,
    FIELD_RESULT,
    FIELD_METRIC,
    FIELD_VALUE,
    FIELD_VALUES,
    FIELD_HISTOGRAM,
};

static const struct jsonfeed_field fields[] = {
    {"status", AT_ROOT, FIELD_STATUS},          {"data", AT_ROOT, FIELD_DATA},
    {"errorType", AT_ROOT, FIELD_ERROR_TYPE},   {"error", AT_ROOT, FIELD_ERROR},
    {"resultType", AT_DATA, FIELD_RESULT_TYPE}, {"result", AT_DATA, FIELD_RESULT},
    {"metric", AT_ELEMENT, FIELD_METRIC},       {"value", AT_ELEMENT, FIELD_VALUE},
    {"values", AT_ELEMENT, FIELD_VALUES},       {"histograms", AT_ELEMENT, FIELD_VALUES},
    {"histogram", AT_ELEMENT, FIELD_HISTOGRAM},
};

/* What may be opened where, and where that leads. */
static const struct jsonfeed_opening openings[] = {
    {AT_TOP, FIELD_OTHER, JSONFEED_MAP, AT_ROOT},
    {AT_ROOT, FIELD_DATA, JSONFEED_MAP, AT_DATA},
    {AT_ROOT, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
    {AT_DATA, FIELD_RESULT, JSONFEED_LIST, AT_RESULT},
    {AT_DATA, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
    {AT_RESULT, FIELD_OTHER, JSONFEED_MAP, AT_ELEMENT},
    {AT_ELEMENT, FIELD_METRIC, JSONFEED_MAP, AT_METRIC},
    {AT_ELEMENT, FIELD_VALUE, JSONFEED_LIST, AT_PAIR},
    {AT_ELEMENT, FIELD_VALUES, JSONFEED_LIST, AT_SKIPPED},
    {AT_ELEMENT, FIELD_HISTOGRAM, JSONFEED_LIST, AT_SKIPPED},
    {AT_ELEMENT, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
    {AT_SKIPPED, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
};

struct promvector {
    struct jsonfeed feed;
    struct vector *vector;
    char status[16], result_type[16], error_type[64], error[320];
    bool has_result, has_elements;
    bool has_values, has_histogram; /* seen in any element */

    /* The element (or scalar) being read. */
    int pair_len;
    usec_t at;
    char number[NUMBER_MAX];
    uint32_t label_count;
    struct series_label labels[PROMVECTOR_LABELS_MAX];
};

static int wrong(struct promvector *p, const char *what) {
    return jsonfeed_wrong(&p->feed, what);
}

/* What this text is kept in, or NULL: it does not matter. */
static char *text_of(struct promvector *p, size_t *ret_size) {
    switch (p->feed.field) {
    case FIELD_STATUS:
        *ret_size = sizeof(p->status);
        return p->status;
    case FIELD_ERROR_TYPE:
        *ret_size = sizeof(p->error_type);
        return p->error_type;
    case FIELD_ERROR:
        *ret_size = sizeof(p->error);
        return p->error;
    case FIELD_RESULT_TYPE:
        *ret_size = sizeof(p->result_type);
        return p->result_type;
    default:
        return NULL;
    }
}

static int read_text(struct promvector *p, enum jsonfeed_token token, const char *text, size_t len) {
    size_t size;
    char *out = text_of(p, &size);

    /* data and result may be null where status is "error". */
    if (p->feed.field == FIELD_OTHER || token == JSONFEED_NULL)
        return 1;
    if (!out || token != JSONFEED_STRING)
        return wrong(p, "a field has the wrong type");
    promjson_cut(out, size, text, len);
    return 1;
}

static int read_time(struct promvector *p, const char *text) {
    double seconds;

    if (str_to_double(text, &seconds) < 0 || !(seconds > 0 && seconds < 1e11))
        return wrong(p, "a timestamp is out of range");
    p->at = (usec_t)llround(seconds * 1e6);
    return 1;
}

/* One of the two items of [timestamp, "value"]. */
static int read_pair(struct promvector *p, enum jsonfeed_token token, const char *text, size_t len) {
    if (p->pair_len == 2)
        return wrong(p, "a value has more than two items");
    if (token != (p->pair_len == 0 ? JSONFEED_NUMBER : JSONFEED_STRING))
        return wrong(p, "a value is not [time, \"number\"]");
    /* A text that does not fit is no number: the result may be of type string. */
    len = len < sizeof(p->number) ? len : 0;
    memcpy(p->number, text, len);
    p->number[len] = '\0';
    return p->pair_len++ == 0 ? read_time(p, p->number) : 1;
}

/* A scalar's result is the pair itself. */
static int read_result(struct promvector *p, enum jsonfeed_token token, const char *text, size_t len) {
    if (p->has_elements)
        return wrong(p, "data.result mixes elements and numbers");
    return read_pair(p, token, text, len);
}

static int read_label(struct promvector *p, enum jsonfeed_token token, const char *text, size_t len) {
    if (token != JSONFEED_STRING)
        return wrong(p, "a label's value is not a string");
    p->labels[p->label_count++].value = vector_word(p->vector, text, len);
    return 1;
}

static int on_scalar(void *arg, enum jsonfeed_token token, const char *text, size_t len) {
    struct promvector *p = arg;

    if (len > STRING_MAX)
        return jsonfeed_fail(&p->feed, -E2BIG, "a string of the answer is longer than 64 KiB");
    switch ((enum place)p->feed.place) {
    case AT_ROOT:
    case AT_DATA:
    case AT_ELEMENT:
        return read_text(p, token, text, len);
    case AT_RESULT:
        return read_result(p, token, text, len);
    case AT_METRIC:
        return read_label(p, token, text, len);
    case AT_PAIR:
        return read_pair(p, token, text, len);
    case AT_SKIPPED:
        return 1;
    case AT_TOP:
    default:
        return wrong(p, "it is not an object");
    }
}

static int on_key(void *arg, const char *name, size_t len) {
    struct promvector *p = arg;

    if (len > STRING_MAX)
        return jsonfeed_fail(&p->feed, -E2BIG, "a name in the answer is longer than 64 KiB");
    if (p->feed.place != AT_METRIC)
        return 1;
    if (p->label_count == PROMVECTOR_LABELS_MAX)
        return jsonfeed_fail(&p->feed, -E2BIG, "an element of the answer has more than 256 labels");
    p->labels[p->label_count].name = vector_word(p->vector, name, len);
    return 1;
}

static int on_enter(void *arg, const struct jsonfeed_opening *opening) {
    struct promvector *p = arg;

    p->has_values |= opening->field == FIELD_VALUES;
    p->has_histogram |= opening->field == FIELD_HISTOGRAM;
    if (opening->inside == AT_RESULT) {
        if (p->has_result)
            return wrong(p, "data.result is there twice");
        p->has_result = true;
    } else if (opening->inside == AT_ELEMENT) {
        if (!p->has_elements && p->pair_len)
            return wrong(p, "data.result mixes elements and numbers");
        p->has_elements = true;
        p->pair_len = 0;
        p->label_count = 0;
    } else if (opening->inside == AT_PAIR && p->pair_len) {
        return wrong(p, "an element has two values");
    } else if (opening->inside == AT_METRIC && p->label_count) {
        return wrong(p, "an element has two metrics");
    }
    return 1;
}

/* By name, as Prometheus sends them: so this has nothing to move, as a rule. */
static void sort_labels(struct promvector *p) {
    for (uint32_t i = 1; i < p->label_count; i++) {
        struct series_label moved = p->labels[i];
        uint32_t at = i;
        for (; at && strcmp(p->labels[at - 1].name, moved.name) > 0; at--)
            p->labels[at] = p->labels[at - 1];
        p->labels[at] = moved;
    }
}

static int element_done(struct promvector *p) {
    double value;

    if (p->pair_len != 2) /* a matrix or native histograms; said at the end */
        return p->has_values || p->has_histogram || wrong(p, "an element has no value");
    if (str_to_double(p->number, &value) < 0)
        return wrong(p, "a value is not a number");
    if (p->vector->count == PROMVECTOR_SAMPLES_MAX)
        return jsonfeed_fail(&p->feed, -E2BIG, "the query gives more than 100000 elements");
    sort_labels(p);
    for (uint32_t i = 1; i < p->label_count; i++)
        if (p->labels[i].name == p->labels[i - 1].name)
            return wrong(p, "an element has a label twice");
    vector_add(p->vector,
               &(struct vector_sample){
                   .value = value, .at = p->at, .label_count = p->label_count, .labels = p->labels});
    return 1;
}

static int on_leave(void *arg, int place) {
    struct promvector *p = arg;

    if (place == AT_PAIR && p->pair_len != 2)
        return wrong(p, "a value has fewer than two items");
    return place == AT_ELEMENT ? element_done(p) : 1;
}

struct promvector *promvector_new(size_t max_bytes) {
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
    struct promvector *p = XNEW(struct promvector);

    p->vector = vector_new();
    jsonfeed_init(&p->feed, &grammar, p, "Prometheus'", max_bytes);
    return p;
}

void promvector_free(struct promvector *p) {
    if (!p)
        return;
    jsonfeed_done(&p->feed);
    vector_free(p->vector);
    free(p);
}

int promvector_feed(struct promvector *p, const char *data, size_t len, struct err *err) {
    return jsonfeed_feed(&p->feed, data, len, err);
}

static int malformed(struct err *err, const char *what) {
    return err_set(err, -EBADMSG, "the answer is not Prometheus': %s", what);
}

static int take_scalar(struct promvector *p, struct err *err) {
    struct vector_sample sample = {.at = p->at};

    if (p->has_elements || p->pair_len != 2 || str_to_double(p->number, &sample.value) < 0)
        return malformed(err, "its scalar is not [time, \"number\"]");
    vector_add(p->vector, &sample);
    p->vector->scalar = true;
    return 0;
}

static int take_vector(const struct promvector *p, struct err *err) {
    if (!p->has_elements && p->pair_len)
        return malformed(err, "its vector is not a list of elements");
    if (p->has_values)
        return malformed(err, "its vector has ranges");
    if (p->has_histogram)
        return err_set(err, -EBADMSG, "the query gave native histograms, not numbers");
    return 0;
}

static int take_result(struct promvector *p, struct err *err) {
    if (str_eq(p->result_type, "matrix") || str_eq(p->result_type, "string"))
        return err_set(err, -EBADMSG, "the query gave a %s, not a vector", p->result_type);
    if (!p->has_result)
        return malformed(err, "it has no data.result");
    if (str_eq(p->result_type, "vector"))
        return take_vector(p, err);
    if (str_eq(p->result_type, "scalar"))
        return take_scalar(p, err);
    return malformed(err, "its data.resultType is unknown");
}

int promvector_finish(struct promvector *p, usec_t fetched, struct vector **ret_vector, struct err *err) {
    int ret = jsonfeed_finish(&p->feed, err);

    if (ret == 0 && str_eq(p->status, "error"))
        ret = err_set(err, -EINVAL, "%s%s%s", p->error_type, p->error_type[0] && p->error[0] ? ": " : "",
                      p->error);
    else if (ret == 0 && !str_eq(p->status, "success"))
        ret = malformed(err, "it has no status that is known");
    else if (ret == 0)
        ret = take_result(p, err);
    if (ret < 0)
        return ret;
    vector_seal(p->vector, fetched);
    *ret_vector = steal_ptr(&p->vector);
    return 0;
}
