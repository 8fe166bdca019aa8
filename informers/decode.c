/* The streaming decoder: yajl's events walk the tree of wanted fields; everything else is passed over by
 * counting its depth. One parser serves message after message (yajl's "multiple values"). */
#include "informers/decode.h"

#include "api/types/policy.h"
#include "api/types/promsource.h"
#include "base/mem.h"
#include "informers/decode_fields.h"
#include "informers/decode_json.h"
#include "informers/decode_proto.h"
#include <errno.h>
#include <string.h>
#include <yajl/yajl_parse.h>

enum {
    WANTED_DEPTH = 24,             /* of the tables, with room */
    DEPTH_MAX = 1000,              /* of a document */
    SILENCE_MAX = 3 * 1024 * 1024, /* bytes without an event: one text of that length */
    SILENCE_ORDINARY = 128 * 1024, /* a longer text leaves a parser with a large buffer: it is renewed */
};

/* A map or list of the document that is open: the field it stands for, and what is wanted inside. */
struct level {
    const struct field *field;
    const struct field *in;
    uint8_t count;
};

struct decoder {
    enum decode_form form;
    enum object_type type;
    struct str_pool *pool;
    struct decode_handler handler;
    yajl_handle yajl;
    yajl_callbacks callbacks; /* of yajl, which reads it anew for each token: see set_skip */
    struct notes notes;
    struct json_builder *json; /* where read_whole, else NULL */

    struct level stack[WANTED_DEPTH];
    uint32_t depth;           /* of stack */
    uint32_t skip;            /* levels open below one that is not wanted; 0: none */
    const struct field *next; /* what the key just read stands for; NULL: not wanted */
    const char *failure;      /* why the parse was cancelled */
    bool done;                /* the message's value is complete */
    bool renew;               /* the parser is of no use after this message: see renew_parser */
    uint64_t events;          /* callbacks of yajl; compared only */
    size_t silence;           /* bytes since the last of them: see decoder_feed */

    bool begun, proto; /* a stream: whether it is in protobuf is seen from its first byte */
    struct buf frames; /* what is not yet whole of it */

    char event_type[DECODE_EVENT_MAX];
    char list_version[DECODE_TEXT_MAX + 1];
    char list_continue[DECODE_TOKEN_MAX + 1];
};

/* Setters know the notes only; those of the frame around an object live in the decoder. */
static struct decoder *of_notes(struct notes *notes) {
    return (struct decoder *)((char *)notes - offsetof(struct decoder, notes));
}

/* Copies a text of the frame into out (size bytes); one that does not fit ends the message. */
static void frame_text(struct decoder *d, char *out, size_t size, const char *text, size_t len) {
    if (len >= size || memchr(text, '\0', len)) {
        d->failure = "a text of the frame is too long";
        return;
    }
    memcpy(out, text, len);
    out[len] = '\0';
}

static void set_event_type(struct notes *notes, const char *text, size_t len) {
    struct decoder *d = of_notes(notes);
    frame_text(d, d->event_type, sizeof(d->event_type), text, len);
}

static void set_list_version(struct notes *notes, const char *text, size_t len) {
    struct decoder *d = of_notes(notes);
    frame_text(d, d->list_version, sizeof(d->list_version), text, len);
}

static void set_list_continue(struct notes *notes, const char *text, size_t len) {
    struct decoder *d = of_notes(notes);
    frame_text(d, d->list_continue, sizeof(d->list_continue), text, len);
}

static void begin_listed(struct notes *notes);
static void end_listed(struct notes *notes);
static void rewind_message(struct decoder *d);

#define KEY(k) .key = (k), .len = sizeof(k) - 1
/* The frames around an object. Where .object is set the table of the decoder's type goes on. */
static const struct field watch_fields[] = {
    {KEY("type"), .type = FIELD_STRING, .set = set_event_type},
    {KEY("object"), .type = FIELD_MAP, .object = true},
};
static const struct field watch_root = {.type = FIELD_MAP, .in = watch_fields, .count = 2};
static const struct field list_metadata[] = {
    {KEY("resourceVersion"), .type = FIELD_STRING, .set = set_list_version},
    {KEY("continue"), .type = FIELD_STRING, .set = set_list_continue},
};
static const struct field list_item = {
    .type = FIELD_MAP, .object = true, .begin = begin_listed, .end = end_listed};
static const struct field list_fields[] = {
    {KEY("metadata"), .type = FIELD_MAP, .in = list_metadata, .count = 2},
    {KEY("items"), .type = FIELD_LIST, .in = &list_item, .count = 1},
};
static const struct field list_root = {.type = FIELD_MAP, .in = list_fields, .count = 2};

/* The field of a table that a key names, or NULL. A field without a name, the last one, takes any key. */
static const struct field *lookup(const struct level *level, const char *key, size_t len) {
    const struct field *f = level->in;

    for (const struct field *end = f + level->count; f < end; f++)
        if ((f->len == len && memcmp(f->key, key, len) == 0) || f->len == 0)
            return f;
    return NULL;
}

/* What the value that comes next stands for. In a list all values stand for the same; in a map the key said
 * it, for this one value alone. */
static const struct field *take_next(struct decoder *d) {
    const struct field *next = d->next;
    const struct level *top = d->depth ? &d->stack[d->depth - 1] : NULL;

    if (top && top->field->type == FIELD_LIST)
        return top->in;
    d->next = NULL;
    return next;
}

/* A value of another type than the table says spoils its object, not the stream: one object that a newer
 * server writes otherwise must not hide all others. */
static int mismatch(struct decoder *d, const struct field *f) {
    if (f && !f->lenient)
        notes_spoil(&d->notes, f->key && *f->key ? f->key : "an entry", "has the wrong type");
    return 1;
}

/* 0 makes yajl stop; why is told by whoever called it. */
static int cancel(struct decoder *d, const char *why) {
    d->failure = why;
    return 0;
}

/* Any value that is no map or list. A quantity may be written as a number, 2 for "2"; nothing else may be of
 * two types. */
static int scalar(struct decoder *d, enum field_type type, const char *text, size_t len) {
    d->events++;
    if (d->skip)
        return 1;
    if (!d->depth)
        return cancel(d, "it is not an object");
    const struct field *f = take_next(d);
    if (!f)
        return 1;
    bool fits =
        f->type == type || (f->type == FIELD_QUANTITY && (type == FIELD_STRING || type == FIELD_NUMBER));
    if (!fits)
        return mismatch(d, f);
    f->set(&d->notes, text, len);
    return d->failure == NULL;
}

static bool building(const struct decoder *d) {
    return d->json && json_builder_open(d->json);
}

/* null is as good as absent, whatever the type: no setter is called. */
static int on_null(void *ctx) {
    struct decoder *d = ctx;

    if (building(d))
        json_builder_literal(d->json, json_null());
    d->events++;
    if (!d->depth)
        return cancel(d, "it is not an object");
    if (!d->skip)
        take_next(d);
    return 1;
}

/* Setters take texts alone, so that protobuf can call them too. */
static int on_boolean(void *ctx, int value) {
    struct decoder *d = ctx;

    if (building(d))
        json_builder_literal(d->json, json_boolean(value));
    return value ? scalar(d, FIELD_BOOL, "true", 4) : scalar(d, FIELD_BOOL, "false", 5);
}

static int on_number(void *ctx, const char *text, size_t len) {
    struct decoder *d = ctx;

    if (building(d))
        json_builder_number(d->json, text, len);
    return scalar(d, FIELD_NUMBER, text, len);
}

static int on_string(void *ctx, const unsigned char *text, size_t len) {
    struct decoder *d = ctx;

    if (building(d))
        json_builder_string(d->json, (const char *)text, len);
    return scalar(d, FIELD_STRING, (const char *)text, len);
}

/* Remembers what the key stands for until its value comes; a map that is kept whole has the key noted too. */
static int on_key(void *ctx, const unsigned char *key, size_t len) {
    struct decoder *d = ctx;

    d->events++;
    if (building(d))
        json_builder_key(d->json, (const char *)key, len);
    if (d->skip)
        return 1;
    const struct level *top = &d->stack[d->depth - 1];
    if (top->field->type == FIELD_PAIRS)
        d->next = top->in;
    else
        d->next = lookup(top, (const char *)key, len);
    if (d->next && d->next->len == 0)
        d->notes.pair_key = notes_text(&d->notes, (const char *)key, len);
    return 1;
}

/* Opens a wanted map or list. The frame's tables are the same for all types: where an object begins in them,
 * the table of the decoder's type takes over. */
static void push(struct decoder *d, const struct field *f) {
    const struct field *table = f->object ? decode_fields(d->type) : f;

    d->stack[d->depth++] = (struct level){.field = f, .in = table->in, .count = table->count};
    if (f->object && d->json)
        json_builder_begin(d->json, true);
    if (f->begin)
        f->begin(&d->notes);
}

static void set_skip(struct decoder *d, uint32_t skip);

static int begin_message(struct decoder *d, bool map) {
    if (d->done || !map)
        return cancel(d, d->done ? "there is more than one value" : "it is not an object");
    push(d, d->form == DECODE_LIST ? &list_root : &watch_root);
    return 1;
}

/* A bracket opens: a wanted one is pushed, any other is passed over with all that it has inside. The depth is
 * bounded because yajl remembers each level. */
static int begin(struct decoder *d, bool map) {
    d->events++;
    if (building(d))
        json_builder_begin(d->json, map);
    if (d->skip)
        return ++d->skip + d->depth > DEPTH_MAX ? cancel(d, "it is nested too deep") : 1;
    if (!d->depth)
        return begin_message(d, map);
    const struct field *f = take_next(d);
    bool fits = f && (map ? f->type == FIELD_MAP || f->type == FIELD_PAIRS : f->type == FIELD_LIST);
    if (fits && d->depth < WANTED_DEPTH) {
        push(d, f);
        return 1;
    }
    set_skip(d, 1);
    return mismatch(d, f);
}

static int end_event(struct decoder *d);

/* A bracket closes. In a stream the message that ends with it is handed over at once: no one else tells where
 * one event ends and the next begins. */
static int end(struct decoder *d) {
    d->events++;
    if (building(d))
        json_builder_end(d->json);
    if (d->skip) {
        if (--d->skip == 0)
            set_skip(d, 0);
        return 1;
    }
    const struct field *f = d->stack[--d->depth].field;
    if (f->end)
        f->end(&d->notes);
    d->next = NULL;
    d->done = d->depth == 0;
    return d->done && d->form == DECODE_STREAM ? end_event(d) : 1;
}

static int on_start_map(void *ctx) {
    return begin(ctx, true);
}

static int on_start_array(void *ctx) {
    return begin(ctx, false);
}

static int on_end(void *ctx) {
    return end(ctx);
}

static const yajl_callbacks all_callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end,
};

/* While something is passed over, only its brackets are of interest: without a callback for the rest, yajl
 * neither decodes nor hands over what it reads. A document that is built wants everything. */
static void set_skip(struct decoder *d, uint32_t skip) {
    bool deaf = skip > 0 && !d->json;

    d->skip = skip;
    d->callbacks.yajl_null = deaf ? NULL : on_null;
    d->callbacks.yajl_boolean = deaf ? NULL : on_boolean;
    d->callbacks.yajl_number = deaf ? NULL : on_number;
    d->callbacks.yajl_string = deaf ? NULL : on_string;
    d->callbacks.yajl_map_key = deaf ? NULL : on_key;
}

/* Objects of our own API are wanted whole, since their status is compared with what is to be written; so
 * they are built as JSON and read by the same function as a file. */
static bool read_whole(enum object_type type) {
    return type == OBJECT_POLICY || type == OBJECT_METRIC_SOURCE;
}

static int build_whole(struct decoder *d, struct object **ret_object, struct err *err) {
    struct policy_object *policy = NULL;
    struct promsource_object *source = NULL;
    json_t *document = json_builder_take(d->json);

    if (!document)
        return err_set(err, -E2BIG, "it is larger than a policy may be, or holds a NUL");
    int ret = d->type == OBJECT_POLICY ? policy_from_json(document, d->pool, &policy, err)
                                       : promsource_from_json(document, d->pool, &source, err);
    json_decref(document);
    if (ret == 0)
        *ret_object = policy ? &policy->meta : &source->meta;
    return ret;
}

/* Makes an object of what was read and hands it over, or says why not: a bad object is skipped, and is no
 * reason to list everything anew. */
static void emit(struct decoder *d, enum decode_event event) {
    struct object *o = NULL;
    struct err err = {0};
    int ret = d->json ? build_whole(d, &o, &err) : notes_build(&d->notes, d->type, d->pool, &o, &err);

    if (ret < 0)
        d->handler.on_skipped(d->handler.arg, str_or_empty(d->notes.name), err_text(&err));
    else
        d->handler.on_object(d->handler.arg, event, o);
}

/* The items of a list share one message, so that the notes are emptied for each and not by its end. */
static void begin_listed(struct notes *notes) {
    notes_reset(notes);
}

static void end_listed(struct notes *notes) {
    emit(of_notes(notes), DECODE_LISTED);
}

/* A Status in the watch. Numbers beyond reason count as not given, so that nobody waits for a year. */
static int emit_error(struct decoder *d) {
    const struct notes *n = &d->notes;
    struct decode_status status = {
        .code = n->status_code > 0 && n->status_code < 1000 ? (int)n->status_code : 0,
        .reason = str_or_empty(n->status_reason),
        .message = str_or_empty(n->status_message),
        .retry_after = n->retry_seconds > 0 && n->retry_seconds < 3600 ? n->retry_seconds * USEC_PER_SEC : 0,
    };
    d->handler.on_error(d->handler.arg, &status);
    return 0;
}

static int emit_watched(struct decoder *d, struct err *err) {
    static const char *const names[] = {
        [DECODE_ADDED] = "ADDED", [DECODE_MODIFIED] = "MODIFIED", [DECODE_DELETED] = "DELETED"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(d->event_type, names[i]) == 0) {
            emit(d, (enum decode_event)i);
            return 0;
        }
    if (strcmp(d->event_type, "ERROR") == 0)
        return emit_error(d);
    if (strcmp(d->event_type, "BOOKMARK") == 0) {
        d->handler.on_bookmark(d->handler.arg, str_or_empty(d->notes.version), d->notes.initial_end);
        return 0;
    }
    return err_set(err, -EPROTO, "a watch event of unknown type \"%s\"", d->event_type);
}

/* An event of a stream is complete: hands it over and makes ready for the next one. */
static int end_event(struct decoder *d) {
    if (emit_watched(d, NULL) < 0)
        return cancel(d, "a watch event of unknown type");
    rewind_message(d);
    return 1;
}

/* yajl cannot be rewound after an error, and its buffer for one long text never shrinks: then a new one. */
static void renew_parser(struct decoder *d) {
    if (d->yajl)
        yajl_free(d->yajl);
    d->callbacks = all_callbacks;
    d->yajl = yajl_alloc(&d->callbacks, NULL, d);
    yajl_config(d->yajl, yajl_allow_multiple_values, 1);
    d->renew = false;
}

struct decoder *decoder_new(enum decode_form form, enum object_type type, struct str_pool *pool,
                            const struct decode_handler *handler) {
    struct decoder *d = XNEW(struct decoder);

    d->form = form;
    d->type = type;
    d->pool = pool;
    d->handler = *handler;
    notes_init(&d->notes);
    buf_init(&d->frames, DECODE_FRAME_MAX);
    if (read_whole(type))
        d->json = XNEW(struct json_builder);
    renew_parser(d);
    return d;
}

void decoder_free(struct decoder *d) {
    if (!d)
        return;
    yajl_free(d->yajl);
    notes_done(&d->notes);
    buf_done(&d->frames);
    if (d->json)
        json_builder_reset(d->json);
    free(d->json);
    free(d);
}

/* Ready for the next message; the frame's texts stay until it begins. */
static void rewind_message(struct decoder *d) {
    notes_reset(&d->notes);
    if (d->json)
        json_builder_reset(d->json);
    d->depth = 0;
    set_skip(d, 0);
    d->next = NULL;
    d->failure = NULL;
    d->done = false;
    d->silence = 0;
    d->event_type[0] = '\0';
}

void decoder_reset(struct decoder *d) {
    renew_parser(d);
    rewind_message(d);
    d->begun = d->proto = false;
    buf_reset(&d->frames);
    d->list_version[0] = d->list_continue[0] = '\0';
}

/* failure is empty where yajl stopped by itself: then the text was no JSON. */
static int parse_failed(struct decoder *d, struct err *err) {
    d->renew = true;
    return err_set(err, -EPROTO, "malformed answer: %s", d->failure ? d->failure : "it is not JSON");
}

/* Protobuf comes frame by frame with its length before it: nothing has to be carried from one to the next. */
static int on_frame(void *arg, const char *frame, size_t len, struct err *err) {
    struct decoder *d = arg;
    int ret = proto_read(frame, len, d->type, &d->notes, d->event_type, err);

    if (ret == 0)
        ret = emit_watched(d, err);
    rewind_message(d);
    return ret;
}

/* JSON begins with a bracket, and a frame's length with a zero byte. */
static bool is_proto(struct decoder *d, const char *data, size_t len) {
    if (!d->begun && len) {
        d->begun = true;
        d->proto = data[0] == 0 && d->form == DECODE_STREAM && proto_can(d->type);
    }
    return d->proto;
}

/* silence counts bytes that come without any event. So many of them come within a text that does not end,
 * which yajl keeps in memory until it does, or within something passed over that has no brackets in it, which
 * costs nothing but is not told apart. All else that is large passes through. */
int decoder_feed(struct decoder *d, const char *data, size_t len, struct err *err) {
    if (is_proto(d, data, len))
        return proto_feed(&d->frames, data, len, on_frame, d, err);
    uint64_t before = d->events;

    /* A list's version is asked for after its end: it lives until the next message begins. */
    if (!d->depth && !d->done)
        d->list_version[0] = d->list_continue[0] = '\0';
    if (yajl_parse(d->yajl, (const unsigned char *)data, len) != yajl_status_ok)
        return parse_failed(d, err);
    d->silence = d->events == before ? d->silence + len : 0;
    d->renew = d->renew || d->silence > SILENCE_ORDINARY;
    if (d->silence > SILENCE_MAX)
        return err_set(err, -E2BIG, "a text of more than %d MiB", SILENCE_MAX >> 20);
    return 0;
}

/* A stream's events are handed over as they end, a watch's here, by its frame; a list has handed over each of
 * its items, and only has to be whole. */
int decoder_finish(struct decoder *d, struct err *err) {
    int ret = 0;

    if (d->form == DECODE_STREAM)
        ret = d->depth || d->frames.len ? err_set(err, -EPROTO, "an answer that ends in the middle") : 0;
    else if (!d->done)
        ret = err_set(err, -EPROTO, "an answer that ends in the middle");
    else if (d->form == DECODE_WATCH)
        ret = emit_watched(d, err);
    if (ret < 0 || d->renew)
        renew_parser(d);
    rewind_message(d);
    return ret;
}

bool decoder_takes_protobuf(enum object_type type) {
    return proto_can(type);
}

const char *decoder_list_version(const struct decoder *d) {
    return d->list_version;
}

const char *decoder_list_continue(const struct decoder *d) {
    return d->list_continue;
}
