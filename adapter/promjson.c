/* Answers to one question: their elements are counted and combined as they come.
 *
 * Nothing but the running value, the number of elements and the labels of the first few is kept, however many
 * there are. What the answer comes to is known at its end only: an error may stand behind a good result, for
 * the fields of JSON have no order. */
#include "adapter/promjson.h"

#include "adapter/prominstant.h"
#include "adapter/promlabels.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct promjson {
    struct prominstant *reader;
    enum combine combine;

    /* Of the elements so far. */
    uint32_t elements;
    uint32_t counted; /* of these, what Max and Min looked at */
    double value;
    usec_t oldest;
    struct promlabels labels;
};

/* NaN is kept out of Max and Min, as PromQL's max and min do it: every comparison with it is false, so
 * that as a first value it would stay for ever. Into a sum it goes, and spoils it. */
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

static int on_element(void *arg, const struct prominstant_element *element, struct err *err) {
    struct promjson *p = arg;

    (void)err;
    /* for the message that there are too many, which shows the first few */
    for (uint32_t i = 0; i < element->label_count && p->elements < PROMLABELS_ELEMENTS; i++)
        promlabels_add(&p->labels, p->elements, element->labels[i].name, element->labels[i].value);
    count_value(p, element->value);
    /* The oldest, since a combination is no fresher than the stalest of what it was made of. */
    p->oldest = p->elements == 0 || element->at < p->oldest ? element->at : p->oldest;
    p->elements++;
    return 0;
}

struct promjson *promjson_new(enum combine combine, size_t max_bytes) {
    struct promjson *p = XNEW(struct promjson);

    p->combine = combine;
    promlabels_init(&p->labels);
    p->reader = prominstant_new(max_bytes, on_element, p);
    return p;
}

void promjson_free(struct promjson *p) {
    if (!p)
        return;
    prominstant_free(p->reader);
    promlabels_done(&p->labels);
    free(p);
}

int promjson_feed(struct promjson *p, const char *data, size_t len, struct err *err) {
    return prominstant_feed(p->reader, data, len, err);
}

static void say(struct promjson_answer *a, enum quality quality, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct promjson_answer *a, enum quality quality, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(a->message, sizeof(a->message), fmt, ap);
    va_end(ap);
    str_trim_utf8(a->message);
    a->quality = quality;
}

/* The value that one element, one scalar or a combination came to. */
static void conclude_value(const struct promjson *p, struct promjson_answer *a) {
    /* None counted: Max or Min of nothing but NaN. */
    double value = p->counted ? p->value : NAN;

    if (p->combine == COMBINE_AVG)
        value /= p->counted;
    /* x/0, which would be as many replicas as there may be: an error of the query. NaN is 0/0, as of a
     * ratio without any traffic: nothing was measured, and the policy says what that means. */
    if (isinf(value)) {
        say(a, QUALITY_FAILED,
            "the query's value is %sInf: guard its division, e.g. with \"and on() (… > 0)\"",
            value < 0 ? "-" : "+");
        return;
    }
    a->at = p->oldest;
    if (isnan(value)) {
        say(a, QUALITY_ABSENT, "the query's value is NaN");
        return;
    }
    /* A zero that was measured is told apart from nothing measured, whose value is 0 too. */
    a->quality = value == 0 ? QUALITY_ZERO : QUALITY_VALUE;
    a->value = value;
}

static void conclude_elements(const struct promjson *p, struct promjson_answer *a) {
    a->elements = p->elements;
    if (p->elements == 0) {
        say(a, QUALITY_ABSENT, "the query gives no element");
    } else if (p->elements > 1 && p->combine == COMBINE_NONE) {
        cleanup_free char *which = promlabels_difference(&p->labels, p->elements);
        say(a, QUALITY_FAILED,
            "the query gives %" PRIu32 " elements%s: aggregate it, e.g. sum(…), or set combine", p->elements,
            which);
    } else {
        conclude_value(p, a);
    }
}

static void conclude(const struct promjson *p, enum prominstant_kind kind, struct promjson_answer *a) {
    switch (kind) {
    case PROMINSTANT_MATRIX:
        say(a, QUALITY_FAILED,
            "the query gives a range (matrix): put a function around it, e.g. rate(…[1m])");
        break;
    case PROMINSTANT_STRING:
        say(a, QUALITY_FAILED, "the query gives a string: it must give a number");
        break;
    case PROMINSTANT_HISTOGRAMS:
        say(a, QUALITY_FAILED,
            "the query gives native histograms: take a number of them, e.g. histogram_quantile(…)");
        break;
    case PROMINSTANT_SCALAR:
    case PROMINSTANT_VECTOR:
    default:
        conclude_elements(p, a);
        break;
    }
}

void promjson_finish(struct promjson *p, struct promjson_answer *ret_answer) {
    struct promjson_answer *a = ret_answer;
    enum prominstant_kind kind;
    struct err err = {0};
    const char *warning = prominstant_warning(p->reader);

    *a = (struct promjson_answer){.quality = QUALITY_FAILED};
    str_cut(a->warning, sizeof(a->warning), warning, strlen(warning));
    int ret = prominstant_finish(p->reader, &kind, &err);
    if (ret == 0) {
        conclude(p, kind, a);
        return;
    }
    /* on_element never fails, so this code comes from the server's {"status":"error"} alone. */
    a->said_error = ret == -EINVAL;
    a->malformed = !a->said_error;
    say(a, QUALITY_FAILED, "%s", err.text);
}

int64_t promjson_milli(double value) {
    double milli = value * 1000;

    if (isnan(milli))
        return 0;
    /* 2^63: INT64_MAX itself is no double, and to convert what is out of range is undefined. */
    if (milli >= 9223372036854775808.0)
        return INT64_MAX;
    if (milli <= -9223372036854775808.0)
        return INT64_MIN;
    return (int64_t)milli;
}
