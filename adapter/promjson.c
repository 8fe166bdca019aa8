/* The streaming reader of Prometheus' answers: a stack of places in the document, and what was found there.
 */
#include "adapter/promjson.h"

#include "adapter/jsonfeed.h"
#include "adapter/promlabels.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { STRING_MAX = 64 * 1024, LABELS_MAX = 256, NUMBER_MAX = 64 };

/* Where in the document the reader is. */
enum place {
    AT_TOP,
    AT_ROOT,
    AT_DATA,
    AT_RESULT,
    AT_ELEMENT,
    AT_METRIC,
    AT_PAIR,
    AT_WARNINGS,
    AT_SKIPPED, /* somewhere below a field that does not matter */
};

enum field {
    FIELD_OTHER,
    FIELD_STATUS,
    FIELD_DATA,
    FIELD_ERROR_TYPE,
    FIELD_ERROR,
    FIELD_WARNINGS,
    FIELD_RESULT_TYPE,
    FIELD_RESULT,
    FIELD_METRIC,
    FIELD_VALUE,
    FIELD_VALUES,
    FIELD_HISTOGRAM,
    FIELD_HISTOGRAMS,
};

enum shape { SHAPE_EMPTY, SHAPE_PAIR, SHAPE_ELEMENTS };

/* Which fields mean something where. */
static const struct jsonfeed_field fields[] = {
    {"status", AT_ROOT, FIELD_STATUS},          {"data", AT_ROOT, FIELD_DATA},
    {"errorType", AT_ROOT, FIELD_ERROR_TYPE},   {"error", AT_ROOT, FIELD_ERROR},
    {"warnings", AT_ROOT, FIELD_WARNINGS},      {"resultType", AT_DATA, FIELD_RESULT_TYPE},
    {"result", AT_DATA, FIELD_RESULT},          {"metric", AT_ELEMENT, FIELD_METRIC},
    {"value", AT_ELEMENT, FIELD_VALUE},         {"values", AT_ELEMENT, FIELD_VALUES},
    {"histogram", AT_ELEMENT, FIELD_HISTOGRAM}, {"histograms", AT_ELEMENT, FIELD_HISTOGRAMS},
};

/* What may be opened where, and where that leads. */
static const struct jsonfeed_opening openings[] = {
    {AT_TOP, FIELD_OTHER, JSONFEED_MAP, AT_ROOT},
    {AT_ROOT, FIELD_DATA, JSONFEED_MAP, AT_DATA},
    {AT_ROOT, FIELD_WARNINGS, JSONFEED_LIST, AT_WARNINGS},
    {AT_ROOT, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
    {AT_DATA, FIELD_RESULT, JSONFEED_LIST, AT_RESULT},
    {AT_DATA, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
    {AT_RESULT, FIELD_OTHER, JSONFEED_MAP, AT_ELEMENT},
    {AT_ELEMENT, FIELD_METRIC, JSONFEED_MAP, AT_METRIC},
    {AT_ELEMENT, FIELD_VALUE, JSONFEED_LIST, AT_PAIR},
    {AT_ELEMENT, FIELD_VALUES, JSONFEED_LIST, AT_SKIPPED},
    {AT_ELEMENT, FIELD_HISTOGRAM, JSONFEED_LIST, AT_SKIPPED},
    {AT_ELEMENT, FIELD_HISTOGRAMS, JSONFEED_LIST, AT_SKIPPED},
    {AT_ELEMENT, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
    {AT_SKIPPED, FIELD_OTHER, JSONFEED_ANY, AT_SKIPPED},
};

struct promjson {
    struct jsonfeed feed;
    enum combine combine;

    /* Of the whole answer. */
    char status[16], result_type[16];
    char error_type[64], error[PROMJSON_TEXT_MAX];
    char warning[PROMJSON_TEXT_MAX];
    bool has_result;
    enum shape shape;

    /* Of the element (or scalar) being read. */
    int pair_len;
    double pair_time;
    char pair_text[NUMBER_MAX];
    bool has_values, has_histogram; /* seen in any element */
    uint32_t label_count;
    char *label; /* the name whose value comes next */

    /* Of the elements so far. */
    uint32_t elements;
    uint32_t counted; /* of these, what Max and Min looked at */
    double value;
    double oldest;
    struct promlabels labels;
};

static int wrong_type(struct promjson *p, const char *what) {
    return jsonfeed_wrong(&p->feed, what);
}

void promjson_cut(char *out, size_t size, const char *text, size_t len) {
    if (len >= size) {
        len = size - 1;
        while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    memcpy(out, text, len);
    out[len] = '\0';
}

/* Appends text to out, which holds at most size bytes. */
static void append(char *out, size_t size, const char *text, size_t len) {
    size_t used = strlen(out);
    promjson_cut(out + used, size - used, text, len);
}

static void add_warning(struct promjson *p, const char *text, size_t len) {
    if (p->warning[0])
        append(p->warning, sizeof(p->warning), "; ", 2);
    append(p->warning, sizeof(p->warning), text, len);
}

static int root_scalar(struct promjson *p, enum jsonfeed_token token, const char *text, size_t len) {
    if (p->feed.field == FIELD_OTHER || token == JSONFEED_NULL)
        return 1;
    if (token != JSONFEED_STRING || p->feed.field == FIELD_DATA || p->feed.field == FIELD_WARNINGS)
        return wrong_type(p, "a field of its top level has the wrong type");
    if (p->feed.field == FIELD_STATUS)
        promjson_cut(p->status, sizeof(p->status), text, len);
    else if (p->feed.field == FIELD_ERROR_TYPE)
        promjson_cut(p->error_type, sizeof(p->error_type), text, len);
    else
        promjson_cut(p->error, sizeof(p->error), text, len);
    return 1;
}

static int data_scalar(struct promjson *p, enum jsonfeed_token token, const char *text, size_t len) {
    if (p->feed.field == FIELD_OTHER)
        return 1;
    if (p->feed.field != FIELD_RESULT_TYPE || token != JSONFEED_STRING)
        return wrong_type(p, "data.result is not a list, or data.resultType not a string");
    promjson_cut(p->result_type, sizeof(p->result_type), text, len);
    return 1;
}

static int read_time(struct promjson *p, const char *text, size_t len) {
    char copy[NUMBER_MAX];

    if (len >= sizeof(copy))
        return wrong_type(p, "a timestamp is too long");
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (str_to_double(copy, &p->pair_time) < 0 || !(p->pair_time > 0 && p->pair_time < 1e11))
        return wrong_type(p, "a timestamp is out of range");
    return 1;
}

/* One of the two items of [timestamp, "value"]. */
static int pair_scalar(struct promjson *p, enum jsonfeed_token token, const char *text, size_t len) {
    switch (p->pair_len++) {
    case 0:
        if (token != JSONFEED_NUMBER)
            return wrong_type(p, "a timestamp is not a number");
        return read_time(p, text, len);
    case 1:
        if (token != JSONFEED_STRING)
            return wrong_type(p, "a value is not a string");
        promjson_cut(p->pair_text, sizeof(p->pair_text), len < NUMBER_MAX ? text : "",
                     len < NUMBER_MAX ? len : 0);
        return 1;
    default:
        return wrong_type(p, "a value has more than two items");
    }
}

static int result_scalar(struct promjson *p, enum jsonfeed_token token, const char *text, size_t len) {
    if (p->shape == SHAPE_ELEMENTS)
        return wrong_type(p, "data.result mixes elements and numbers");
    p->shape = SHAPE_PAIR;
    return pair_scalar(p, token, text, len);
}

static int label_scalar(struct promjson *p, enum jsonfeed_token token, const char *text, size_t len) {
    if (token != JSONFEED_STRING)
        return wrong_type(p, "a label's value is not a string");
    if (++p->label_count > LABELS_MAX)
        return jsonfeed_fail(&p->feed, -E2BIG, "an element of the answer has more than 256 labels");
    promlabels_add(&p->labels, p->elements, p->label, text, len);
    return 1;
}

static int on_scalar(void *arg, enum jsonfeed_token token, const char *text, size_t len) {
    struct promjson *p = arg;

    if (len > STRING_MAX)
        return jsonfeed_fail(&p->feed, -E2BIG, "a string of the answer is longer than 64 KiB");
    switch ((enum place)p->feed.place) {
    case AT_ROOT:
        return root_scalar(p, token, text, len);
    case AT_DATA:
        return data_scalar(p, token, text, len);
    case AT_RESULT:
        return result_scalar(p, token, text, len);
    case AT_ELEMENT:
        return p->feed.field == FIELD_OTHER || wrong_type(p, "a field of an element has the wrong type");
    case AT_METRIC:
        return label_scalar(p, token, text, len);
    case AT_PAIR:
        return pair_scalar(p, token, text, len);
    case AT_WARNINGS:
        if (token != JSONFEED_STRING)
            return wrong_type(p, "a warning is not a string");
        add_warning(p, text, len);
        return 1;
    case AT_SKIPPED:
        return 1;
    case AT_TOP:
    default:
        return wrong_type(p, "it is not an object");
    }
}

/* Starts the element or the list of elements that was just opened. */
static int on_enter(void *arg, const struct jsonfeed_opening *opening) {
    struct promjson *p = arg;

    p->has_values |= opening->field == FIELD_VALUES || opening->field == FIELD_HISTOGRAMS;
    p->has_histogram |= opening->field == FIELD_HISTOGRAM;
    switch (opening->inside) {
    case AT_RESULT:
        if (p->has_result)
            return wrong_type(p, "data.result is there twice");
        p->has_result = true;
        return 1;
    case AT_ELEMENT:
        if (p->shape == SHAPE_PAIR)
            return wrong_type(p, "data.result mixes elements and numbers");
        p->shape = SHAPE_ELEMENTS;
        p->pair_len = 0;
        p->label_count = 0;
        return 1;
    case AT_PAIR:
        return p->pair_len == 0 || wrong_type(p, "an element has two values");
    default:
        return 1;
    }
}

static void count_value(struct promjson *p, double v) {
    bool first = p->elements == 0;

    if (p->combine == COMBINE_MAX || p->combine == COMBINE_MIN) {
        if (isnan(v))
            return;
        bool better = p->combine == COMBINE_MAX ? v > p->value : v < p->value;
        if (p->counted == 0 || better)
            p->value = v;
    } else {
        p->value = first ? v : p->value + v;
    }
    p->counted++;
}

static int element_done(struct promjson *p) {
    double v = NAN;

    if (p->pair_len != 2) {
        if (!p->has_values && !p->has_histogram)
            return wrong_type(p, "an element has no value");
    } else {
        if (str_to_double(p->pair_text, &v) < 0)
            return wrong_type(p, "a value is not a number");
        count_value(p, v);
        p->oldest = p->elements == 0 || p->pair_time < p->oldest ? p->pair_time : p->oldest;
    }
    p->elements++;
    return 1;
}

static int on_leave(void *arg, int place) {
    struct promjson *p = arg;

    if (place == AT_PAIR && p->pair_len != 2)
        return wrong_type(p, "a value has fewer than two items");
    return place == AT_ELEMENT ? element_done(p) : 1;
}

static int on_key(void *arg, const char *name, size_t len) {
    struct promjson *p = arg;

    if (len > STRING_MAX)
        return jsonfeed_fail(&p->feed, -E2BIG, "a name in the answer is longer than 64 KiB");
    if (p->feed.place == AT_METRIC) {
        free(p->label);
        p->label = xstrndup(name, len);
    }
    return 1;
}

struct promjson *promjson_new(enum combine combine, size_t max_bytes) {
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
    struct promjson *p = XNEW(struct promjson);

    p->combine = combine;
    promlabels_init(&p->labels);
    jsonfeed_init(&p->feed, &grammar, p, "Prometheus'", max_bytes);
    return p;
}

void promjson_free(struct promjson *p) {
    if (!p)
        return;
    jsonfeed_done(&p->feed);
    promlabels_done(&p->labels);
    free(p->label);
    free(p);
}

int promjson_feed(struct promjson *p, const char *data, size_t len, struct err *err) {
    return jsonfeed_feed(&p->feed, data, len, err);
}

static void failed(struct promjson_answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void failed(struct promjson_answer *a, const char *fmt, ...) {
    char text[2 * PROMJSON_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    a->quality = QUALITY_FAILED;
    promjson_cut(a->message, sizeof(a->message), text, strlen(text));
}

/* As failed, for what Prometheus would not say. */
static void malformed(struct promjson_answer *a, const char *what) {
    a->malformed = true;
    failed(a, "the answer is not Prometheus': %s", what);
}

/* The value that one element, one scalar or a combination came to. */
static void conclude(struct promjson_answer *a, double value, double at) {
    if (isinf(value)) {
        failed(a, "the query's value is %sInf: guard its division, e.g. with \"and on() (… > 0)\"",
               value < 0 ? "-" : "+");
        return;
    }
    a->at = (usec_t)llround(at * 1e6);
    if (isnan(value)) {
        a->quality = QUALITY_ABSENT;
        promjson_cut(a->message, sizeof(a->message), "the query's value is NaN", 24);
        return;
    }
    a->quality = value == 0 ? QUALITY_ZERO : QUALITY_VALUE;
    a->value = value;
}

static void conclude_scalar(struct promjson *p, struct promjson_answer *a) {
    double value;

    if (p->shape != SHAPE_PAIR || p->pair_len != 2 || str_to_double(p->pair_text, &value) < 0) {
        malformed(a, "its scalar is not [time, \"number\"]");
        return;
    }
    a->elements = 1;
    conclude(a, value, p->pair_time);
}

static void too_many(struct promjson *p, struct promjson_answer *a) {
    cleanup_free char *which = promlabels_difference(&p->labels, p->elements);

    failed(a, "the query gives %" PRIu32 " elements%s: aggregate it, e.g. sum(…), or set combine",
           p->elements, which);
}

static void conclude_vector(struct promjson *p, struct promjson_answer *a) {
    a->elements = p->elements;
    if (p->shape == SHAPE_PAIR) {
        malformed(a, "its vector is not a list of elements");
    } else if (p->has_values) {
        malformed(a, "its vector has ranges");
    } else if (p->has_histogram) {
        failed(a, "the query gives native histograms: take a number of them, e.g. histogram_quantile(…)");
    } else if (p->elements == 0) {
        a->quality = QUALITY_ABSENT;
        promjson_cut(a->message, sizeof(a->message), "the query gives no element", 26);
    } else if (p->elements > 1 && p->combine == COMBINE_NONE) {
        too_many(p, a);
    } else {
        double value = p->counted ? p->value : NAN;
        conclude(a, p->combine == COMBINE_AVG ? value / p->counted : value, p->oldest);
    }
}

static void conclude_success(struct promjson *p, struct promjson_answer *a) {
    if (str_eq(p->result_type, "matrix"))
        failed(a, "the query gives a range (matrix): put a function around it, e.g. rate(…[1m])");
    else if (str_eq(p->result_type, "string"))
        failed(a, "the query gives a string: it must give a number");
    else if (!p->has_result)
        malformed(a, "it has no data.result");
    else if (str_eq(p->result_type, "vector"))
        conclude_vector(p, a);
    else if (str_eq(p->result_type, "scalar"))
        conclude_scalar(p, a);
    else
        malformed(a, "its data.resultType is unknown");
}

void promjson_finish(struct promjson *p, struct promjson_answer *ret_answer) {
    struct promjson_answer *a = ret_answer;
    struct err err = {0};

    *a = (struct promjson_answer){.quality = QUALITY_FAILED};
    int ret = jsonfeed_finish(&p->feed, &err);
    promjson_cut(a->warning, sizeof(a->warning), p->warning, strlen(p->warning));
    if (ret < 0) {
        a->malformed = true;
        failed(a, "%s", err.text);
    } else if (str_eq(p->status, "success")) {
        conclude_success(p, a);
    } else if (str_eq(p->status, "error")) {
        a->said_error = true;
        failed(a, "%s%s%s", p->error_type, p->error_type[0] && p->error[0] ? ": " : "", p->error);
    } else {
        malformed(a, "it has no status that is known");
    }
}

int64_t promjson_milli(double value) {
    double milli = value * 1000;

    if (isnan(milli))
        return 0;
    if (milli >= 9223372036854775808.0)
        return INT64_MAX;
    if (milli <= -9223372036854775808.0)
        return INT64_MIN;
    return (int64_t)milli;
}
