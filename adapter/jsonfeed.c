/* The frame of the streaming readers: yajl's events, led through the reader's tables.
 *
 * place tells in which object or list the reader is, field which name's value comes next there. What is
 * opened moves place inwards and puts the one around on the stack; what is closed takes it back. A place that
 * leads to itself skips a whole subtree. Once anything is wrong, yajl is not fed any more and all that comes
 * is only counted: an answer has one failure, the first. */
#include "adapter/jsonfeed.h"

#include "base/str.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A text is lexed from its beginning with each piece of it that comes in, so that a long one takes quadratic
 * time. This is one of 64 KiB, which is what readers take, with all its characters escaped. */
enum { TEXT_MAX = 384 * 1024 };

/* What follows a first failure is its consequence, and would only hide it. */
static int keep(struct jsonfeed *feed, int code, const char *fmt, va_list ap) {
    struct err *failure = &feed->failure;

    if (failure->code)
        return 0;
    failure->code = code;
    vsnprintf(failure->text, sizeof(failure->text), fmt, ap);
    str_trim_utf8(failure->text);
    return 0;
}

int jsonfeed_fail(struct jsonfeed *feed, int code, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    int ret = keep(feed, code, fmt, ap);
    va_end(ap);
    return ret;
}

/* The words in front are put there only where this is the failure that was kept. */
int jsonfeed_wrong(struct jsonfeed *feed, const char *fmt, ...) {
    bool first = !feed->failure.code;
    va_list ap;

    va_start(ap, fmt);
    int ret = keep(feed, -EBADMSG, fmt, ap);
    va_end(ap);
    if (first)
        err_wrap(&feed->failure, "the answer is not %s", feed->what);
    return ret;
}

int jsonfeed_failure(const struct jsonfeed *feed, struct err *err) {
    return feed->failure.code ? err_set(err, feed->failure.code, "%s", feed->failure.text) : 0;
}

static int on_open(struct jsonfeed *f, enum jsonfeed_kind kind) {
    const struct jsonfeed_grammar *g = f->grammar;

    f->since_token = 0;
    /* yajl keeps a stack of its own, a bit a level: this bounds both. */
    if (f->depth + 1 >= JSONFEED_DEPTH_MAX)
        return jsonfeed_fail(f, -E2BIG, "the answer is nested too deeply");
    for (size_t i = 0; i < g->opening_count; i++) {
        const struct jsonfeed_opening *o = &g->openings[i];
        if (o->place != f->place || o->field != f->field || (o->kind != kind && o->kind != JSONFEED_ANY))
            continue;
        f->places[f->depth++] = f->place;
        f->place = o->inside;
        f->field = 0;
        return g->enter(f->arg, o);
    }
    return jsonfeed_wrong(f, "%s stands where there should be none",
                          kind == JSONFEED_MAP ? "an object" : "a list");
}

static int on_close(void *ctx) {
    struct jsonfeed *f = ctx;
    int left = f->place;

    f->since_token = 0;
    f->place = f->places[--f->depth];
    f->field = 0; /* its value is over: the next thing here is a name, or the end */
    return f->grammar->leave(f->arg, left);
}

/* The tables are short: looking through them costs less than hashing the name would. */
static int on_key(void *ctx, const unsigned char *key, size_t len) {
    struct jsonfeed *f = ctx;
    const struct jsonfeed_grammar *g = f->grammar;
    const char *name = (const char *)key;

    f->field = 0;
    f->since_token = 0;
    for (size_t i = 0; i < g->field_count; i++)
        if (g->fields[i].place == f->place && strlen(g->fields[i].name) == len &&
            memcmp(g->fields[i].name, name, len) == 0)
            f->field = g->fields[i].field;
    return g->key(f->arg, name, len);
}

static int on_scalar(struct jsonfeed *f, enum jsonfeed_token token, const char *text, size_t len) {
    f->since_token = 0;
    return f->grammar->scalar(f->arg, token, text, len);
}
static int on_null(void *ctx) {
    return on_scalar(ctx, JSONFEED_NULL, "", 0);
}
static int on_boolean(void *ctx, int value) {
    (void)value;
    return on_scalar(ctx, JSONFEED_BOOLEAN, "", 0);
}
static int on_number(void *ctx, const char *text, size_t len) {
    return on_scalar(ctx, JSONFEED_NUMBER, text, len);
}
static int on_string(void *ctx, const unsigned char *text, size_t len) {
    return on_scalar(ctx, JSONFEED_STRING, (const char *)text, len);
}
static int on_start_map(void *ctx) {
    return on_open(ctx, JSONFEED_MAP);
}
static int on_start_array(void *ctx) {
    return on_open(ctx, JSONFEED_LIST);
}

void jsonfeed_init(struct jsonfeed *feed, const struct jsonfeed_grammar *grammar, void *arg, const char *what,
                   size_t max_bytes) {
    static const yajl_callbacks callbacks = {
        .yajl_null = on_null,
        .yajl_boolean = on_boolean,
        .yajl_number = on_number,
        .yajl_string = on_string,
        .yajl_start_map = on_start_map,
        .yajl_map_key = on_key,
        .yajl_end_map = on_close,
        .yajl_start_array = on_start_array,
        .yajl_end_array = on_close,
    };

    *feed =
        (struct jsonfeed){.grammar = grammar, .arg = arg, .what = what, .max_bytes = max_bytes, .place = 0};
    feed->yajl = yajl_alloc(&callbacks, NULL, feed);
    if (!feed->yajl)
        jsonfeed_fail(feed, -ENOMEM, "no memory for the JSON parser");
}

void jsonfeed_done(struct jsonfeed *feed) {
    if (feed->yajl)
        yajl_free(feed->yajl);
    feed->yajl = NULL;
}

int jsonfeed_feed(struct jsonfeed *feed, const char *data, size_t len, struct err *err) {
    /* What fits is read first, so that a malformed beginning is called so, and not too large. */
    /* bytes never exceeds max_bytes, so this cannot wrap round. */
    size_t room = feed->max_bytes - feed->bytes;
    size_t taken = len < room ? len : room;

    feed->bytes += taken;
    feed->since_token += taken;
    if (!feed->failure.code && yajl_parse(feed->yajl, (const unsigned char *)data, taken) != yajl_status_ok)
        jsonfeed_fail(feed, -EBADMSG, "the answer is not JSON");
    /* After the parse, which sets it back with each token: what is left over is one that goes on. */
    if (!feed->failure.code && feed->since_token > TEXT_MAX)
        jsonfeed_fail(feed, -E2BIG, "a text of the answer is longer than 384 KiB");
    if (taken < len)
        jsonfeed_fail(feed, -E2BIG, "the answer is larger than %zu bytes", feed->max_bytes);
    return jsonfeed_failure(feed, err);
}

int jsonfeed_finish(struct jsonfeed *feed, struct err *err) {
    if (!feed->failure.code && yajl_complete_parse(feed->yajl) != yajl_status_ok)
        jsonfeed_fail(feed, -EBADMSG, "%s",
                      feed->bytes ? "the answer is not JSON, or cut short" : "the answer is empty");
    return jsonfeed_failure(feed, err);
}
