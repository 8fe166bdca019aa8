/* TZif files (RFC 8536): the 64-bit block of version 2 and later, and the rule in the footer. The bytes come
 * from the system, and are read as if they came from anywhere. */
#include "base/tz_data.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include <errno.h>
#include <string.h>

/* Sizes of the parts (RFC 8536, 3.1 and 3.2). */
enum { HEADER_SIZE = 44, TYPE_SIZE = 6, VERSION_AT = 4, COUNTS_AT = 20 };

/* The numbers of a header, in their order: how many there are of each part of the block behind it. */
struct counts {
    uint32_t ut, standard, leap, changes, types, chars;
};

struct reader {
    const unsigned char *p, *end;
};

static uint32_t be32(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Numbers are big-endian, and signed ones in two's complement (RFC 8536, 3). */
static int64_t be64(const unsigned char *p) {
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* The next size bytes; NULL: there are not so many. */
static const unsigned char *take(struct reader *r, uint64_t size) {
    const unsigned char *start = r->p;

    if (size > (uint64_t)(r->end - r->p))
        return NULL;
    r->p += size;
    return start;
}

static int read_header(struct reader *r, struct counts *ret, struct err *err) {
    const unsigned char *h = take(r, HEADER_SIZE);

    if (!h || memcmp(h, "TZif", 4) != 0)
        return err_set(err, -EINVAL, "is no TZif file");
    if (h[VERSION_AT] < '2')
        return err_set(err, -EINVAL, "is a TZif file of version 1: version 2 or later is needed");
    *ret = (struct counts){be32(h + COUNTS_AT),      be32(h + COUNTS_AT + 4),  be32(h + COUNTS_AT + 8),
                           be32(h + COUNTS_AT + 12), be32(h + COUNTS_AT + 16), be32(h + COUNTS_AT + 20)};
    return 0;
}

/* Bytes of a block: times, their types, the types, names, leap seconds, and two marks a type that only the
 * makers of rules need. No sum of 32-bit counts overflows 64 bits.
 * time_size: 4 in the first, which old readers use, 8 in the second. */
static uint64_t block_size(const struct counts *c, uint32_t time_size) {
    return (uint64_t)c->changes * (time_size + 1) + (uint64_t)c->types * TYPE_SIZE + c->chars +
           (uint64_t)c->leap * (time_size + 4) + c->standard + c->ut;
}

static int read_changes(const unsigned char *block, const struct counts *c, struct tz *tz, struct err *err) {
    const unsigned char *index = block + (size_t)c->changes * 8, *types = index + c->changes;

    /* A type is an offset in four bytes, whether it is daylight saving, and its abbreviation. */
    for (uint32_t i = 0; i < c->types; i++) {
        int32_t offset = (int32_t)be32(types + (size_t)i * TYPE_SIZE);
        if (offset < TZ_OFFSET_MIN || offset > TZ_OFFSET_MAX)
            return err_set(err, -EINVAL, "has an offset of %d seconds", offset);
    }
    tz->first = (int32_t)be32(types); /* RFC 8536, 3.2: before the first change type 0 holds */
    for (uint32_t i = 0; i < c->changes; i++) {
        struct tz_change *change = &tz->changes[i];
        if (index[i] >= c->types)
            return err_set(err, -EINVAL, "names a type that it does not have");
        *change = (struct tz_change){be64(block + (size_t)i * 8),
                                     (int32_t)be32(types + (size_t)index[i] * TYPE_SIZE)};
        if (i > 0 && change->at <= tz->changes[i - 1].at)
            return err_set(err, -EINVAL, "has changes that are not in order");
    }
    return 0;
}

/* "\nCET-1CEST,M3.5.0,M10.5.0/3\n"; nothing between them: the last change holds for ever. */
static int read_footer(struct reader *r, struct tz *tz, struct err *err) {
    char text[128];
    const unsigned char *start = r->p + 1;
    const unsigned char *end =
        r->end - r->p >= 2 && *r->p == '\n' ? memchr(start, '\n', (size_t)(r->end - start)) : NULL;

    if (!end || (size_t)(end - start) >= sizeof(text))
        return err_set(err, -EINVAL, "ends without a rule");
    memcpy(text, start, (size_t)(end - start));
    text[end - start] = '\0';
    tz->has_rule = text[0] != '\0';
    if (tz->has_rule && tz_rule_parse(text, &tz->rule) < 0)
        return err_set(err, -EINVAL, "ends with a rule that is none");
    return 0;
}

static void free_zone(struct tz **tz) {
    tz_free(*tz);
}

int tz_read(const unsigned char *data, size_t size, struct tz **ret_tz, struct err *err) {
    struct reader r = {data, data + size};
    const unsigned char *block;
    struct counts c = {0};
    int ret = read_header(&r, &c, err);

    if (ret < 0)
        return ret;
    /* The first block is there for readers of 32 bits. */
    if (!take(&r, block_size(&c, 4)))
        return err_set(err, -EINVAL, "is cut short");
    ret = read_header(&r, &c, err);
    if (ret < 0)
        return ret;
    block = take(&r, block_size(&c, 8));
    if (!block)
        return err_set(err, -EINVAL, "is cut short");
    if (c.types == 0)
        return err_set(err, -EINVAL, "has no offset");
    if (c.leap > 0)
        return err_set(err, -EINVAL, "counts leap seconds, which no other clock here does");

    cleanup(free_zone) struct tz *tz = xcalloc(1, sizeof(*tz) + (size_t)c.changes * sizeof(tz->changes[0]));
    tz->count = c.changes;
    ret = read_changes(block, &c, tz, err);
    if (ret == 0)
        ret = read_footer(&r, tz, err);
    if (ret < 0)
        return ret;
    *ret_tz = steal_ptr(&tz);
    return 0;
}
