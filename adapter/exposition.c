/* The reader of the text format: one line at a time, its tokens copied into one scratch buffer.
 *
 * The text is not ours to write NULs into, and escapes must be undone somewhere: hence the copy. A large
 * cluster's kubelets send tens of megabytes of it every minute: what is done for each character (may_be,
 * take_plain) is written for speed. */
#include "adapter/exposition.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Values and timestamps; Go writes at most 24 characters. */
enum { NUMBER_MAX = 128 };

struct reader {
    const char *at, *end; /* what is left of the line */
    char *scratch;        /* EXPOSITION_LINE_MAX + 1; taken when the first sample comes */
    char *out;            /* where the next token goes */
    uint32_t count;
    struct series_label labels[EXPOSITION_LABELS_MAX];
    struct err *err;
};

static int wrong(struct reader *r, const char *what) {
    return err_set(r->err, -EINVAL, "%s", what);
}

/* What a character may be in a name: most of a text is names, so that this is a table. */
enum { NAME_FIRST = 1, NAME_LATER = 2, NAME_COLON = 4 };
static const unsigned char name_parts[256] = {
    ['a' ... 'z'] = NAME_FIRST | NAME_LATER,
    ['A' ... 'Z'] = NAME_FIRST | NAME_LATER,
    ['_'] = NAME_FIRST | NAME_LATER,
    ['0' ... '9'] = NAME_LATER,
    [':'] = NAME_COLON,
};

static bool may_be(char c, unsigned parts) {
    return name_parts[(unsigned char)c] & parts;
}

static void skip_blanks(struct reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
        r->at++;
}

/* Takes one character where it is c. */
static bool take(struct reader *r, char c) {
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* Ends the token that was begun at start. Each token is followed by a delimiter that is not copied, so that
 * the NULs always fit. */
static const char *token_done(struct reader *r, const char *start) {
    *r->out++ = '\0';
    return start;
}

/* Copies what is left up to a place in the line, and goes there. */
static void copy_to(struct reader *r, const char *begin, const char *to) {
    size_t len = (size_t)(to - begin);

    memcpy(r->out, begin, len);
    r->out += len;
    r->at = to;
}

static bool take_name(struct reader *r, bool colon, const char **ret_name) {
    unsigned also = colon ? NAME_COLON : 0;
    const char *start = r->out, *begin = r->at, *at = begin;

    if (at == r->end || !may_be(*at, NAME_FIRST | also))
        return false;
    while (at < r->end && may_be(*at, NAME_LATER | also))
        at++;
    copy_to(r, begin, at);
    *ret_name = token_done(r, start);
    return true;
}

static int take_escape(struct reader *r) {
    if (take(r, 'n'))
        *r->out++ = '\n';
    else if (take(r, '\\'))
        *r->out++ = '\\';
    else if (take(r, '"'))
        *r->out++ = '"';
    else
        return wrong(r, "an escape in a label's value is none of \\\\, \\\" and \\n");
    return 0;
}

/* Takes the plain characters of a value, up to a quote or an escape; gathers their bits. */
static int take_plain(struct reader *r, unsigned char *bits) {
    const char *at = r->at, *end = r->end;
    unsigned char seen = 0;

    while (at < end && *at != '"' && *at != '\\' && *at != '\0')
        seen |= (unsigned char)*at++;
    *bits |= seen;
    copy_to(r, r->at, at);
    if (at == end)
        return wrong(r, "a label's value has no closing quote");
    return *at == '\0' ? wrong(r, "a label's value holds a NUL") : 0;
}

/* A label's value after its opening quote. Nearly all are plain ASCII, which is UTF-8 without a look. */
static int take_value(struct reader *r, const char **ret_value) {
    const char *start = r->out;
    unsigned char bits = 0;
    int ret = take_plain(r, &bits);

    while (ret == 0 && take(r, '\\')) {
        ret = take_escape(r);
        if (ret == 0)
            ret = take_plain(r, &bits);
    }
    if (ret < 0)
        return ret;
    r->at++; /* the quote */
    *ret_value = token_done(r, start);
    return bits < 0x80 || str_is_utf8(start) ? 0 : wrong(r, "a label's value is not UTF-8");
}

/* Puts a label where it belongs. Programs write their labels in order, mostly, so that this seldom looks
 * further than the last one. */
static int insert_label(struct reader *r, struct series_label label) {
    uint32_t i = r->count;
    int order = -1;

    while (i > 0 && (order = strcmp(r->labels[i - 1].name, label.name)) > 0)
        i--;
    if (i > 0 && order == 0)
        return err_set(r->err, -EINVAL, "the label %.100s is there twice", label.name);
    memmove(&r->labels[i + 1], &r->labels[i], (r->count - i) * sizeof(label));
    r->labels[i] = label;
    r->count++;
    return 0;
}

static int take_label(struct reader *r) {
    struct series_label label = {0};

    if (r->count == EXPOSITION_LABELS_MAX)
        return err_set(r->err, -E2BIG, "more than %d labels", EXPOSITION_LABELS_MAX);
    if (!take_name(r, false, &label.name))
        return wrong(r, "expected the name of a label");
    /* The name stands apart from the labels: here it would be a second one. */
    if (strcmp(label.name, "__name__") == 0)
        return wrong(r, "the label __name__ is reserved");
    skip_blanks(r);
    if (!take(r, '='))
        return wrong(r, "expected = after the name of a label");
    skip_blanks(r);
    if (!take(r, '"'))
        return wrong(r, "expected a quoted value after =");
    int ret = take_value(r, &label.value);
    return ret < 0 ? ret : insert_label(r, label);
}

/* What stands between the braces; the last label may have a comma behind it. */
static int take_labels(struct reader *r) {
    for (skip_blanks(r); !take(r, '}'); skip_blanks(r)) {
        int ret = take_label(r);
        if (ret < 0)
            return ret;
        skip_blanks(r);
        if (!take(r, ',') && (r->at == r->end || *r->at != '}'))
            return wrong(r, "expected , or } after a label");
    }
    return 0;
}

/* Leaves out the labels that are empty, now that none can come twice. */
static void drop_empty(struct reader *r) {
    uint32_t kept = 0;

    for (uint32_t i = 0; i < r->count; i++)
        if (*r->labels[i].value)
            r->labels[kept++] = r->labels[i];
    r->count = kept;
}

/* Everything up to a blank, as text in word. What is too long, or holds a NUL, is no number: it becomes "?",
 * lest its beginning be taken for one. */
static bool take_word(struct reader *r, char word[NUMBER_MAX]) {
    const char *begin = r->at, *start = begin, *at = begin;

    while (at < r->end && *at != ' ' && *at != '\t')
        at++;
    r->at = at;
    size_t len = (size_t)(at - begin);
    if (len >= NUMBER_MAX || memchr(start, '\0', len)) {
        start = "?";
        len = 1;
    }
    memcpy(word, start, len);
    word[len] = '\0';
    return r->at > begin;
}

/* The value and, where there is one, the time. A time that does not fit into int64_t is refused, and not
 * saturated: it would be taken for a point far away. */
static int take_numbers(struct reader *r, struct exposition_sample *sample) {
    char word[NUMBER_MAX];

    skip_blanks(r);
    if (!take_word(r, word) || str_to_double(word, &sample->value) < 0)
        return wrong(r, "expected a number as the value");
    skip_blanks(r);
    sample->timestamp_ms = INT64_MIN;
    if (take_word(r, word) && str_to_i64(word, &sample->timestamp_ms) < 0)
        return wrong(r, "expected a timestamp in milliseconds after the value");
    skip_blanks(r);
    return r->at < r->end ? wrong(r, "there is more after the sample") : 0;
}

static int read_sample(struct reader *r, exposition_fn *fn, void *arg) {
    struct exposition_sample sample = {0};

    if (r->end - r->at > EXPOSITION_LINE_MAX)
        return err_set(r->err, -E2BIG, "longer than %d bytes", EXPOSITION_LINE_MAX);
    if (!r->scratch)
        r->scratch = xmalloc(EXPOSITION_LINE_MAX + 1);
    r->out = r->scratch;
    r->count = 0;
    if (!take_name(r, true, &sample.series.name))
        return wrong(r, "expected the name of a metric");
    skip_blanks(r);
    int ret = take(r, '{') ? take_labels(r) : 0;
    if (ret == 0)
        ret = take_numbers(r, &sample);
    if (ret < 0)
        return ret;
    drop_empty(r);
    sample.series.labels = r->labels;
    sample.series.label_count = r->count;
    return fn(arg, &sample);
}

int exposition_read(const char *text, size_t len, exposition_fn *fn, void *arg, struct err *err) {
    struct err why = {0};
    struct reader r = {.err = &why};
    const char *end = text + len;
    int ret = 0;

    for (size_t line = 1; text < end && ret == 0; line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        r.at = text;
        r.end = stop ? stop : end;
        skip_blanks(&r);
        if (!stop)
            ret = wrong(&r, "the text is cut short: its last line has no end");
        else if (r.at < r.end && *r.at != '#')
            ret = read_sample(&r, fn, arg);
        /* What the caller's function returned is the caller's to explain. */
        if (why.code)
            err_set(err, why.code, "line %zu: %s", line, why.text);
        text = r.end + 1;
    }
    free(r.scratch);
    return ret;
}

const char *series_label(const struct series *series, const char *name) {
    for (uint32_t i = 0; i < series->label_count; i++)
        if (strcmp(series->labels[i].name, name) == 0)
            return series->labels[i].value;
    return "";
}
