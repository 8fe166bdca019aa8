/* A record in a few hundred bytes: numbers of variable length, a text that came before as a reference to it.
 * One list of fields serves both ways, so that what is written is what is read. The bytes never leave the
 * process; they are checked all the same, for a mistake must not become a wild pointer. */
#include "autoscaler/record_fields.h"
#include "base/str.h"
#include <errno.h>
#include <math.h>
#include <string.h>

/* Sixteen decisions are kept of each policy (recordlog.h): of a thousand policies, 16,000 records, which as
 * structs with their texts would be most of the process. */
enum {
    TEXTS_MAX = 64,  /* that can be referred to; looked through one after the other for each text */
    TEXT_MAX = 1024, /* longer ones are cut, and shorter than this where the record is too long */
    TEXT_LEAST = 16, /* below this metrics are left out instead */
    METRICS_MAX = 64,
    RULES_MAX = 32,
    MILLI_LIMIT = 1000000000, /* doubles up to here are tried as milli-units */
};

struct codec {
    unsigned char *out, *out_end; /* writing; NULL: reading */
    const unsigned char *at, *end;
    struct arena *arena; /* of what is read */
    bool bad;            /* reading: none of ours; writing: no room */
    size_t text_max;
    struct {
        const char *text;
        size_t len; /* as kept */
    } texts[TEXTS_MAX];
    uint32_t text_count;
};

/* ---- numbers ---- */

/* Nothing is checked in between: bad stays, and whoever began asks for it at the end. */
static void write_bytes(struct codec *c, const void *data, size_t len) {
    c->bad |= (size_t)(c->out_end - c->out) < len;
    if (c->bad)
        return;
    memcpy(c->out, data, len);
    c->out += len;
}

/* Past the end everything is 0 and bad: callers go on reading, and record_unpack refuses at the end. */
static bool read_bytes(struct codec *c, void *out, size_t len) {
    if (c->bad || (size_t)(c->end - c->at) < len) {
        c->bad = true;
        memset(out, 0, len);
        return false;
    }
    memcpy(out, c->at, len);
    c->at += len;
    return true;
}

/* Seven bits a byte, the lowest first, as Protocol Buffers have them. */
static void write_unsigned(struct codec *c, uint64_t value) {
    unsigned char bytes[10];
    size_t n = 0;

    do {
        bytes[n++] = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value > 0);
    write_bytes(c, bytes, n);
}

static uint64_t read_unsigned(struct codec *c) {
    uint64_t value = 0;
    unsigned char byte;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (!read_bytes(c, &byte, 1))
            return 0;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    /* More than ten bytes: nothing that write_unsigned writes. */
    c->bad = true;
    return 0;
}

/* Small numbers of either sign are short. */
static void code_i64(struct codec *c, int64_t *value) {
    if (c->out) {
        write_unsigned(c, ((uint64_t)*value << 1) ^ (uint64_t)(*value >> 63));
    } else {
        uint64_t u = read_unsigned(c);
        *value = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
    }
}

/* What does not fit is bad and not cut: a number of replicas that is another one would be believed. */
static void code_i32(struct codec *c, int32_t *value) {
    int64_t wide = *value;

    code_i64(c, &wide);
    if (c->out)
        return;
    c->bad |= wide < INT32_MIN || wide > INT32_MAX;
    *value = c->bad ? 0 : (int32_t)wide;
}

static void code_u32(struct codec *c, uint32_t *value) {
    if (c->out) {
        write_unsigned(c, *value);
        return;
    }
    uint64_t wide = read_unsigned(c);
    c->bad |= wide > UINT32_MAX;
    *value = c->bad ? 0 : (uint32_t)wide;
}

/* A value of an enumeration that has count of them. */
static uint32_t code_word(struct codec *c, uint32_t value, uint32_t count) {
    code_u32(c, &value);
    if (c->out)
        return value;
    c->bad |= value >= count;
    return c->bad ? 0 : value;
}

#define CODE_ENUM(c, field, count) ((field) = (__typeof__(field))code_word((c), (uint32_t)(field), (count)))

/* A time, relative to the record's own: mostly seconds away, where 1970 is far. 0 stays "none". */
static void code_time(struct codec *c, usec_t base, usec_t *at) {
    /* One more than the distance, so that the record's own time is not "none". */
    int64_t distance = *at == 0 ? 0 : *at - base + 1;

    if (c->out && *at != 0 && distance == 0)
        distance = 1; /* a microsecond off, which nobody sees */
    code_i64(c, &distance);
    *at = distance == 0 ? 0 : base + distance - 1;
}

/* A double that is a whole number of thousandths, as a number above 0; 0 for any other. */
static uint64_t double_to_word(double value) {
    double milli = value * 1000;
    int64_t whole;

    /* The way back must give the same double, and -0 is not 0. */
    if (!(fabs(milli) < MILLI_LIMIT) || floor(milli) / 1000 != value || (milli == 0 && signbit(milli)))
        return 0;
    whole = (int64_t)milli;
    return (((uint64_t)whole << 1) ^ (uint64_t)(whole >> 63)) + 1;
}

static double double_from_word(uint64_t word) {
    return (double)((int64_t)((word - 1) >> 1) ^ -(int64_t)((word - 1) & 1)) / 1000;
}

/* Most values have three digits behind the point at most; the others take their eight bytes. */
static void code_double(struct codec *c, double *value) {
    uint64_t word;

    if (c->out) {
        word = double_to_word(*value);
        write_unsigned(c, word);
        if (word == 0)
            write_bytes(c, value, sizeof(*value));
        return;
    }
    word = read_unsigned(c);
    if (word == 0)
        read_bytes(c, value, sizeof(*value));
    else
        *value = double_from_word(word);
}

/* ---- texts ---- */

/* Beyond the table's end texts are simply written in full. */
static void remember(struct codec *c, const char *text, size_t len) {
    if (c->text_count == TEXTS_MAX)
        return;
    c->texts[c->text_count].text = text;
    c->texts[c->text_count++].len = len;
}

static void write_text(struct codec *c, const char *text) {
    size_t len = str_fit(text, strnlen(text, c->text_max + 1), c->text_max);

    /* A metric's name stands in several places, and all metrics have the same few origins. */
    for (uint32_t i = 0; i < c->text_count; i++) {
        if (c->texts[i].len == len && memcmp(c->texts[i].text, text, len) == 0) {
            write_unsigned(c, ((uint64_t)i << 1) | 1);
            return;
        }
    }
    write_unsigned(c, (uint64_t)len << 1);
    write_bytes(c, text, len);
    if (len > 0)
        remember(c, text, len);
}

/* The reference must be to a text that came before: reading cannot run in circles. */
static const char *read_text(struct codec *c) {
    uint64_t word = read_unsigned(c);
    size_t len = (size_t)(word >> 1);

    if (word & 1) {
        c->bad |= word >> 1 >= c->text_count;
        return c->bad ? "" : c->texts[word >> 1].text;
    }
    if (c->bad || len == 0)
        return "";
    if (len > (size_t)(c->end - c->at)) {
        c->bad = true;
        return "";
    }
    const char *text = arena_strndup(c->arena, (const char *)c->at, len);
    c->at += len;
    remember(c, text, len);
    return text;
}

static void code_text(struct codec *c, const char **text) {
    if (c->out)
        write_text(c, *text);
    else
        *text = read_text(c);
}

/* Up to 32 booleans as one number. */
static void code_flags(struct codec *c, bool *const *flags, size_t count) {
    uint32_t word = 0;

    for (size_t i = 0; i < count; i++)
        word |= (uint32_t)*flags[i] << i;
    code_u32(c, &word);
    for (size_t i = 0; i < count; i++)
        *flags[i] = word >> i & 1;
}

#define CODE_FLAGS(c, ...)                                                                                   \
    do {                                                                                                     \
        bool *const flags_[] = {__VA_ARGS__};                                                                \
        code_flags((c), flags_, sizeof(flags_) / sizeof(flags_[0]));                                         \
    } while (0)

/* ---- the fields ---- */

static void code_metric(struct codec *c, usec_t base, struct record_metric *m) {
    CODE_ENUM(c, m->type, METRIC_TYPES);
    CODE_ENUM(c, m->quality, QUALITY_FAILED + 1);
    CODE_ENUM(c, m->target_type, TARGET_AVERAGE_VALUE + 1);
    CODE_FLAGS(c, &m->valid, &m->ignored, &m->substituted, &m->within, &m->has_current);
    code_text(c, &m->label);
    code_text(c, &m->origin);
    code_text(c, &m->arithmetic);
    code_text(c, &m->failure);
    code_text(c, &m->note);
    code_text(c, &m->target_text);
    code_i64(c, &m->target_milli);
    code_i64(c, &m->current_milli);
    code_i32(c, &m->target_utilization);
    code_i32(c, &m->utilization);
    code_i32(c, &m->replicas);
    code_double(c, &m->value);
    code_double(c, &m->ratio);
    code_time(c, base, &m->at);
    code_u32(c, &m->counted_pods);
    code_u32(c, &m->pods);
    code_i64(c, &m->activation_milli);
}

/* Only METRICS_MAX are ever asked for from the arena, whatever the bytes say. */
static void code_metrics(struct codec *c, struct record *r) {
    code_u32(c, &r->metric_total);
    code_u32(c, &r->metric_count);
    c->bad |= r->metric_count > METRICS_MAX;
    if (c->bad)
        return;
    if (!c->out)
        r->metrics = ARENA_ARRAY(c->arena, struct record_metric, r->metric_count);
    for (uint32_t i = 0; i < r->metric_count; i++)
        code_metric(c, r->at, &r->metrics[i]);
}

/* The failure of a formula; those of metrics stand with the metrics. */
static void code_combined(struct codec *c, struct combined *x) {
    CODE_FLAGS(c, &x->failed, &x->by_formula);
    code_i32(c, &x->replicas);
    code_u32(c, &x->best);
    code_u32(c, &x->invalid);
    code_u32(c, &x->first_invalid);
    code_double(c, &x->result);
    code_text(c, &x->failure);
}

static void code_activation(struct codec *c, usec_t base, struct record_activation *a) {
    CODE_FLAGS(c, &a->used, &a->active, &a->unknown, &a->asleep);
    code_u32(c, &a->metric);
    code_time(c, base, &a->idle_since);
    code_i64(c, &a->after);
}

static void code_fallback(struct codec *c, usec_t base, struct record_fallback *f) {
    CODE_FLAGS(c, &f->in_force);
    CODE_ENUM(c, f->behavior, FALLBACK_AT_MOST + 1);
    code_time(c, base, &f->since);
    code_i64(c, &f->after);
    code_i32(c, &f->replicas);
}

static void code_schedule(struct codec *c, usec_t base, struct record_schedule *s) {
    code_u32(c, &s->count);
    code_u32(c, &s->active);
    code_text(c, &s->names);
    code_i32(c, &s->min_replicas);
    code_i32(c, &s->max_replicas);
    code_time(c, base, &s->changes_at);
}

static void code_stabilize(struct codec *c, usec_t base, struct record_stabilize *s) {
    CODE_FLAGS(c, &s->up_known);
    code_i32(c, &s->replicas);
    code_i64(c, &s->up);
    code_i64(c, &s->down);
    code_i64(c, &s->window);
    code_time(c, base, &s->changes_at);
}

static void code_limit(struct codec *c, usec_t base, struct record_limit *l) {
    CODE_FLAGS(c, &l->behavior);
    CODE_ENUM(c, l->select, SELECT_DISABLED + 1);
    code_i32(c, &l->replicas);
    code_text(c, &l->by);
    code_i32(c, &l->allowed);
    code_i32(c, &l->used);
    code_time(c, base, &l->changes_at);
    code_u32(c, &l->rule_count);
    c->bad |= l->rule_count > RULES_MAX;
    if (c->bad)
        return;
    if (!c->out)
        l->rules = ARENA_ARRAY(c->arena, struct record_rule, l->rule_count);
    for (uint32_t i = 0; i < l->rule_count; i++) {
        CODE_FLAGS(c, &l->rules[i].percent);
        code_i32(c, &l->rules[i].value);
        code_i32(c, &l->rules[i].period_seconds);
    }
}

static void code_pause(struct codec *c, usec_t base, struct record_pause *p) {
    CODE_FLAGS(c, &p->in_force);
    CODE_ENUM(c, p->direction, PAUSE_DOWN + 1);
    code_time(c, base, &p->until);
    code_i32(c, &p->replicas);
    code_i32(c, &p->before);
}

/* The order is that of writing; times come after the record's own, which they are relative to. Nothing tells
 * one layout from another: the bytes do not outlive the process that wrote them. */
static void code_record(struct codec *c, struct record *r) {
    code_i64(c, &r->at);
    CODE_ENUM(c, r->path, PATH_COMPUTED + 1);
    CODE_ENUM(c, r->reason, REASON_COUNT);
    CODE_FLAGS(c, &r->rescale, &r->failed, &r->write_failed, &r->metrics_read);
    code_i32(c, &r->current);
    code_i32(c, &r->desired);
    code_i32(c, &r->preview);
    code_text(c, &r->kind);
    code_text(c, &r->name);
    code_text(c, &r->limited_by);
    code_text(c, &r->metric);
    code_text(c, &r->message);
    code_text(c, &r->trouble);
    code_text(c, &r->formula);
    code_double(c, &r->tolerance_up);
    code_double(c, &r->tolerance_down);
    code_metrics(c, r);
    code_combined(c, &r->combined);
    code_activation(c, r->at, &r->activation);
    code_fallback(c, r->at, &r->fallback);
    code_schedule(c, r->at, &r->schedule);
    code_stabilize(c, r->at, &r->stabilize);
    code_limit(c, r->at, &r->limit);
    code_pause(c, r->at, &r->pause);
}

/* ---- both ways ---- */

/* The size of the record with its texts cut to text_max; 0 where it is too long even so. */
static size_t pack_cut(struct record *r, size_t text_max, unsigned char out[RECORD_PACKED_MAX]) {
    /* From the beginning: a text that is cut moves all that follow, and may now equal another. */
    struct codec c = {.out = out, .out_end = out + RECORD_PACKED_MAX, .text_max = text_max};

    code_record(&c, r);
    return c.bad ? 0 : (size_t)(c.out - out);
}

size_t record_pack(const struct record *record, unsigned char out[RECORD_PACKED_MAX]) {
    struct record r = *record;
    size_t text_max = TEXT_MAX, len;

    if (r.metric_count > METRICS_MAX)
        r.metric_count = METRICS_MAX;
    if (r.limit.rule_count > RULES_MAX)
        r.limit.rule_count = RULES_MAX;
    /* Whoever has very long texts loses their ends before whole metrics go. */
    while ((len = pack_cut(&r, text_max, out)) == 0) {
        if (text_max > TEXT_LEAST)
            text_max /= 2;
        else
            r.metric_count /= 2;
    }
    return len;
}

int record_unpack(const void *data, size_t len, struct arena *arena, const struct record **ret_record) {
    /* No text_max: what is read is as long as its bytes say, and those are bounded. */
    struct codec c = {.at = data, .end = (const unsigned char *)data + len, .arena = arena};
    struct record *r = ARENA_NEW(arena, struct record);

    code_record(&c, r);
    /* What is left over is as wrong as what is missing. */
    if (c.bad || c.at != c.end)
        return -EINVAL;
    *ret_record = r;
    return 0;
}
