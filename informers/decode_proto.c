/* Walks protobuf by the same tables of wanted fields as JSON, with numbers in place of keys. Nothing is
 * copied on the way: spans point into the frame, and setters copy what they keep. Fields may come in any
 * order; a text or a number that comes again replaces the one before. */
#include "informers/decode_proto.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* Bytes not yet read. Every length is held against the end before anything is looked at. */
struct span {
    const unsigned char *at, *end;
};

/* One field of a message: a number, or bytes. */
struct item {
    uint32_t number;
    uint8_t wire;
    uint64_t value;
    struct span bytes;
};

/* What there are thousands of; the rest is not worth its tables. */
bool proto_can(enum object_type type) {
    return type == OBJECT_POD || type == OBJECT_NODE;
}

/* Seven bits a byte, the lowest first; ten bytes at the most, of which bits past the 64th are cut. */
static bool read_varint(struct span *s, uint64_t *ret_value) {
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && s->at < s->end; shift += 7) {
        unsigned char c = *s->at++;
        value |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool read_bytes(struct span *s, uint64_t len, struct span *ret_bytes) {
    if (len > (uint64_t)(s->end - s->at))
        return false;
    *ret_bytes = (struct span){s->at, s->at + len};
    s->at += len;
    return true;
}

/* The next field of a message; false: what is there is not protobuf. */
static bool read_item(struct span *s, struct item *ret_item) {
    uint64_t tag, len = 0;

    if (!read_varint(s, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
        return false;
    *ret_item = (struct item){.number = (uint32_t)(tag >> 3), .wire = (uint8_t)(tag & 7)};
    switch (ret_item->wire) {
    case WIRE_VARINT:
        return read_varint(s, &ret_item->value);
    case WIRE_BYTES:
        return read_varint(s, &len) && read_bytes(s, len, &ret_item->bytes);
    case WIRE_64:
        return read_bytes(s, 8, &ret_item->bytes);
    case WIRE_32:
        return read_bytes(s, 4, &ret_item->bytes);
    default:
        return false; /* groups (3 and 4), which Kubernetes never had, or no wire type at all */
    }
}

static size_t span_len(const struct span *s) {
    return (size_t)(s->end - s->at);
}

/* As the text that JSON would have had, for the same setter. */
static bool set_number(struct notes *n, const struct field *f, const struct item *item) {
    char text[24];

    if (item->wire != WIRE_VARINT)
        return false;
    if (f->type == FIELD_BOOL)
        snprintf(text, sizeof(text), "%s", item->value ? "true" : "false");
    else
        snprintf(text, sizeof(text), "%" PRId64, (int64_t)item->value);
    f->set(n, text, strlen(text));
    return true;
}

/* A Time: seconds (1) since 1970; an empty one is none at all. Fractions are not kept by metav1.Time. */
static bool set_time(struct notes *n, const struct field *f, struct span time) {
    char text[CLOCK_TEXT_MAX];
    struct item item;
    int64_t seconds = 0;

    while (time.at < time.end) {
        if (!read_item(&time, &item))
            return false;
        if (item.number == 1 && item.wire == WIRE_VARINT)
            seconds = (int64_t)item.value;
    }
    if (seconds <= 0 || seconds > INT64_C(253402300799)) /* the year 9999 */
        return true;
    clock_format(seconds * USEC_PER_SEC, text);
    f->set(n, text, strlen(text));
    return true;
}

/* A Quantity is a message with the text (1). */
static bool set_quantity(struct notes *n, const struct field *f, struct span quantity) {
    struct item item;

    while (quantity.at < quantity.end) {
        if (!read_item(&quantity, &item))
            return false;
        if (item.number == 1 && item.wire == WIRE_BYTES)
            f->set(n, (const char *)item.bytes.at, span_len(&item.bytes));
    }
    return true;
}

/* A map's entry: key (1) and value (2). */
static bool read_entry(struct span entry, struct span *ret_key, struct item *ret_value) {
    struct item item;
    static const unsigned char nothing[1];

    *ret_key = (struct span){nothing, nothing};
    *ret_value = (struct item){.wire = WIRE_BYTES, .bytes = {nothing, nothing}};
    while (entry.at < entry.end) {
        if (!read_item(&entry, &item))
            return false;
        if (item.number == 1 && item.wire == WIRE_BYTES)
            *ret_key = item.bytes;
        else if (item.number == 2)
            *ret_value = item;
    }
    return true;
}

static bool walk(struct notes *n, const struct field *map, struct span message);

/* A value that is bytes on the wire: text, time, quantity or a message. */
static bool set_bytes(struct notes *n, const struct field *f, const struct item *item) {
    if (item->wire != WIRE_BYTES)
        return false;
    if (f->type == FIELD_QUANTITY)
        return set_quantity(n, f, item->bytes);
    if (f->type == FIELD_MAP)
        return walk(n, f, item->bytes);
    if (f->time)
        return set_time(n, f, item->bytes);
    f->set(n, (const char *)item->bytes.at, span_len(&item->bytes));
    return true;
}

/* An entry of a map whose keys are named in the table. */
static bool set_named(struct notes *n, const struct field *f, struct span entry) {
    struct span key;
    struct item value;

    if (!read_entry(entry, &key, &value))
        return false;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->in[i].len == span_len(&key) && memcmp(f->in[i].key, key.at, f->in[i].len) == 0)
            return set_bytes(n, &f->in[i], &value);
    return true;
}

/* An entry of a map that is kept whole. */
static bool set_pair(struct notes *n, const struct field *f, struct span entry) {
    struct span key;
    struct item value;

    if (!read_entry(entry, &key, &value))
        return false;
    n->pair_key = notes_text(n, (const char *)key.at, span_len(&key));
    return set_bytes(n, f->in, &value);
}

/* A list is its elements, one after the other under the same number. */
static bool set_item(struct notes *n, const struct field *f, const struct item *item) {
    if (f->type == FIELD_NUMBER || f->type == FIELD_BOOL)
        return set_number(n, f, item);
    if (item->wire != WIRE_BYTES)
        return false;
    if (f->type == FIELD_PAIRS)
        return set_pair(n, f, item->bytes);
    if (f->entries)
        return set_named(n, f, item->bytes);
    return set_bytes(n, f->type == FIELD_LIST ? f->in : f, item);
}

/* A message by its table. It recurses as deep as the tables nest, whatever was sent. */
static bool walk(struct notes *n, const struct field *map, struct span message) {
    struct item item;

    if (map->begin)
        map->begin(n);
    while (message.at < message.end) {
        if (!read_item(&message, &item))
            return false;
        for (const struct field *f = map->in, *end = f + map->count; f < end; f++)
            if (f->number == item.number) {
                if (!set_item(n, f, &item))
                    return false;
                break;
            }
    }
    if (map->end)
        map->end(n);
    return true;
}

/* The bytes that field number of a message holds; an empty span where it is absent. */
static bool find_bytes(struct span message, uint32_t number, struct span *ret_bytes) {
    struct item item;

    *ret_bytes = (struct span){message.end, message.end};
    while (message.at < message.end) {
        if (!read_item(&message, &item))
            return false;
        if (item.number == number && item.wire == WIRE_BYTES)
            *ret_bytes = item.bytes;
    }
    return true;
}

/* "k8s\0" and an Unknown: typeMeta (1) with kind (2), raw (2). */
static bool read_object(struct notes *n, enum object_type type, struct span object) {
    struct span meta, kind, raw;

    if (span_len(&object) < 4 || memcmp(object.at, "k8s\0", 4) != 0)
        return false;
    object.at += 4;
    if (!find_bytes(object, 1, &meta) || !find_bytes(meta, 2, &kind) || !find_bytes(object, 2, &raw))
        return false;
    bool status = span_len(&kind) == 6 && memcmp(kind.at, "Status", 6) == 0;
    return walk(n, status ? decode_status_fields() : decode_fields(type), raw);
}

/* A frame is a WatchEvent: type (1), and object (2), a RawExtension with the bytes (1). */
int proto_read(const char *frame, size_t len, enum object_type type, struct notes *notes, char *event_type,
               struct err *err) {
    const unsigned char *at = (const unsigned char *)frame;
    struct span event = {at, at + len}, name, extension, object;

    if (!find_bytes(event, 1, &name) || !find_bytes(event, 2, &extension) ||
        !find_bytes(extension, 1, &object) || span_len(&name) >= DECODE_EVENT_MAX ||
        !read_object(notes, type, object))
        return err_set(err, -EPROTO, "malformed answer: it is not a watch event in protobuf");
    memcpy(event_type, name.at, span_len(&name));
    event_type[span_len(&name)] = '\0';
    return 0;
}

/* Four bytes, the highest first: apimachinery's length-delimited framer. */
static size_t frame_len(const char *data) {
    const unsigned char *c = (const unsigned char *)data;
    return (size_t)c[0] << 24 | (size_t)c[1] << 16 | (size_t)c[2] << 8 | c[3];
}

/* Takes the frames that are whole; *ret_used bytes are done with. */
static int take_frames(const char *data, size_t len, proto_frame_fn *fn, void *arg, size_t *ret_used,
                       struct err *err) {
    size_t at = 0;
    int ret = 0;

    while (ret == 0 && len - at >= 4) {
        size_t frame = frame_len(data + at);
        if (frame > DECODE_FRAME_MAX - 4) /* with its length before it, it has to fit into pending */
            return err_set(err, -E2BIG, "an event of %zu bytes, or an answer that is not protobuf", frame);
        if (len - at - 4 < frame)
            break;
        ret = fn(arg, data + at + 4, frame, err);
        at += 4 + frame;
    }
    *ret_used = at;
    return ret;
}

/* Frames that arrive whole are read where they are; only what is cut off at the end is kept and completed. */
int proto_feed(struct buf *pending, const char *data, size_t len, proto_frame_fn *fn, void *arg,
               struct err *err) {
    size_t used = 0;
    int ret = 0;

    if (!pending->len) {
        ret = take_frames(data, len, fn, arg, &used, err);
        return ret < 0 ? ret : buf_append(pending, data + used, len - used);
    }
    while (ret == 0 && len) { /* what is pending grows by what its frame lacks, no more */
        size_t want = pending->len < 4 ? 4 : 4 + frame_len(pending->data);
        size_t piece = want - pending->len < len ? want - pending->len : len;
        ret = buf_append(pending, data, piece);
        data += piece;
        len -= piece;
        if (ret == 0)
            ret = take_frames(pending->data, pending->len, fn, arg, &used, err);
        buf_consume(pending, used);
        if (ret == 0 && !pending->len)
            return proto_feed(pending, data, len, fn, arg, err); /* goes no deeper: nothing is pending */
    }
    return ret;
}
