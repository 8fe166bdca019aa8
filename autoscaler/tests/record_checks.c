/* Checks of a record that any test of a decision can make. */
#include "autoscaler/tests/record_checks.h"
#include "base/mem.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_ROOM = 1 << 20 };

static char *printed(const struct record *record) {
    struct buf out;

    buf_init(&out, TEXT_ROOM);
    record_print(record, "default/web", 0, &out);
    return buf_detach(&out);
}

static char *dumped(const struct record *record) {
    json_t *json = record_json(record);
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(15));

    json_decref(json);
    assert_non_null(text);
    return text;
}

static void assert_same(const struct record *a, const struct record *b) {
    char *pa = printed(a), *pb = printed(b), *ja = dumped(a), *jb = dumped(b);

    assert_string_equal(pa, pb);
    assert_string_equal(ja, jb);
    free(pa);
    free(pb);
    free(ja);
    free(jb);
}

/* A damaged record may still be one; then it must print without harm. */
static void try_damaged(const unsigned char *data, size_t len) {
    unsigned char *copy = xmalloc(len);

    for (size_t at = 0; at < len; at += 1 + len / 64) {
        cleanup_arena struct arena arena;
        const struct record *r;
        arena_init(&arena, 0);
        memcpy(copy, data, len);
        copy[at] ^= 0x15;
        if (record_unpack(copy, len, &arena, &r) == 0)
            free(printed(r));
    }
    free(copy);
}

static void assert_cut_is_refused(const unsigned char *data, size_t len) {
    for (size_t n = 0; n < len; n += 1 + len / 64) {
        unsigned char *copy = xmalloc(n); /* so that a sanitizer sees a step beyond the end */
        cleanup_arena struct arena arena;
        const struct record *r;
        arena_init(&arena, 0);
        memcpy(copy, data, n);
        assert_int_equal(record_unpack(copy, n, &arena, &r), -EINVAL);
        free(copy);
    }
}

size_t assert_record_kept(const struct decide_input *input, const struct decision *decision) {
    cleanup_arena struct arena arena;
    unsigned char packed[RECORD_PACKED_MAX];
    const struct record *record, *again;

    arena_init(&arena, 0);
    record = record_of(input, decision, &arena);
    size_t len = record_pack(record, packed);
    assert_in_range(len, 1, RECORD_PACKED_MAX);
    assert_int_equal(record_unpack(packed, len, &arena, &again), 0);
    assert_same(record, again);
    assert_cut_is_refused(packed, len);
    try_damaged(packed, len);
    return len;
}
