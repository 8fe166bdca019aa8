/* The reader of vectors and the look-up in them: every case of data/promvector, fed in pieces of every small
 * size. in.json: document or text, perhaps max_bytes and finds; want.json: scalar, samples, found, or the
 * code and words of the error. */
#include "adapter/promvector.h"

#include "api/types/tests/cases.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int read_pieces(const char *text, size_t max_bytes, size_t step, struct vector **ret_vector,
                       struct err *err) {
    struct promvector *p = promvector_new(max_bytes);
    size_t len = strlen(text);

    for (size_t at = 0; at < len; at += step)
        if (promvector_feed(p, text + at, len - at < step ? len - at : step, NULL) < 0)
            break;
    int ret = promvector_finish(p, 77, ret_vector, err);
    promvector_free(p);
    return ret;
}

/* A sample as one line: {a="1",b="2"} 3.5 @12.5 */
static json_t *line_of(const struct vector_sample *s) {
    cleanup_buf struct buf out;

    buf_init(&out, 4096);
    buf_puts(&out, "{");
    for (uint32_t i = 0; i < s->label_count; i++)
        buf_printf(&out, "%s%s=\"%s\"", i ? "," : "", s->labels[i].name, s->labels[i].value);
    buf_printf(&out, "} %.17g @%.17g", s->value, (double)s->at / 1e6);
    return json_string(out.data);
}

static const char *text_in(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static json_t *found_in(const struct vector *v, const json_t *finds) {
    json_t *out = json_array();

    for (size_t i = 0; i < json_array_size(finds); i++) {
        const json_t *f = json_array_get(finds, i);
        const struct vector_sample *s = vector_find2(v, text_in(f, "ns_label"), text_in(f, "ns"),
                                                     text_in(f, "label"), text_in(f, "value"));
        json_array_append_new(out, s ? line_of(s) : json_string("none"));
    }
    return out;
}

static json_t *outcome(const struct test_case *c, const char *text, size_t step) {
    const json_t *max = json_object_get(c->in, "max_bytes");
    struct vector *v = NULL;
    struct err err = {0};
    int ret = read_pieces(text, max ? (size_t)json_integer_value(max) : 1 << 20, step, &v, &err);

    if (ret < 0) {
        assert_null(v);
        assert_int_equal(ret, err.code);
        return json_pack("{s:s, s:s}", "code",
                         ret == -EBADMSG  ? "EBADMSG"
                         : ret == -EINVAL ? "EINVAL"
                                          : "E2BIG",
                         "error", err.text);
    }
    json_t *samples = json_array();
    for (uint32_t i = 0; i < v->count; i++)
        json_array_append_new(samples, line_of(&v->samples[i]));
    assert_int_equal(v->fetched, 77);
    json_t *out = json_pack("{s:b, s:o, s:o}", "scalar", v->scalar, "samples", samples, "found",
                            found_in(v, json_object_get(c->in, "finds")));
    vector_free(v);
    return out;
}

static void check(const struct test_case *c) {
    const char *text = text_in(c->in, "text");
    cleanup_free char *dumped =
        text ? NULL : json_dumps(json_object_get(c->in, "document"), JSON_COMPACT | JSON_ENCODE_ANY);

    for (size_t step = 1; step < 20; step++) {
        json_t *out = outcome(c, text ? text : dumped, step < 19 ? step : 1 << 20);
        assert_json_has(c->want, out);
        json_decref(out);
    }
}

/* n elements of pods in two namespaces, as one answer. */
static char *answer_of(uint32_t n) {
    struct buf out;

    buf_init(&out, (size_t)32 << 20);
    buf_puts(&out, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[");
    for (uint32_t i = 0; i < n; i++)
        buf_printf(&out, "%s{\"metric\":{\"namespace\":\"%s\",\"pod\":\"pod-%u\"},\"value\":[1,\"%u\"]}",
                   i ? "," : "", i % 2 ? "odd" : "even", i, i);
    buf_puts(&out, "]}}");
    return buf_detach(&out);
}

static void test_each_is_found(void **state) {
    (void)state;
    enum { N = 5000 };
    cleanup_free char *text = answer_of(N);
    struct vector *v = NULL;
    struct err err = {0};

    assert_int_equal(read_pieces(text, SIZE_MAX, strlen(text), &v, &err), 0);
    size_t size = vector_size(v);
    for (unsigned i = 0; i < N; i++) {
        cleanup_free char *pod = xasprintf("pod-%u", i);
        const char *ns = i % 2 ? "odd" : "even";
        assert_ptr_equal(vector_find(v, "pod", pod), &v->samples[i]);
        assert_ptr_equal(vector_find2(v, "namespace", ns, "pod", pod), &v->samples[i]);
        assert_null(vector_find2(v, "namespace", i % 2 ? "even" : "odd", "pod", pod));
    }
    assert_null(vector_find(v, "pod", "pod-5000"));
    assert_null(vector_find(v, "node", "pod-1"));
    assert_true(size > N * sizeof(struct vector_sample) && size < (size_t)N * 300);
    /* Texts that repeat are kept once. */
    assert_ptr_equal(v->samples[0].labels[0].value, v->samples[2].labels[0].value);
    vector_free(v);
}

/* Of each namespace a vector of its own, that outlives the one that it is of. */
static void test_parts(void **state) {
    (void)state;
    enum { N = 101 };
    cleanup_free char *text = answer_of(N);
    struct vector *v = NULL;

    assert_int_equal(read_pieces(text, SIZE_MAX, strlen(text), &v, NULL), 0);
    vector_group(v, "namespace");
    assert_int_equal(v->count, N);
    struct vector *even = vector_part(v, "even"), *odd = vector_part(v, "odd");
    struct vector *none = vector_part(v, "none"), *unlabelled = vector_part(v, "");
    size_t whole = vector_size(v);
    vector_free(v);
    assert_int_equal(none->count + unlabelled->count, 0);
    assert_null(vector_find(none, "pod", "pod-1"));
    assert_int_equal(even->count, 51);
    assert_int_equal(odd->count, 50);
    for (unsigned i = 0; i < N; i++) {
        const struct vector *part = i % 2 ? odd : even;
        cleanup_free char *pod = xasprintf("pod-%u", i);
        assert_ptr_equal(vector_find(part, "pod", pod), &part->samples[i / 2]);
        assert_true(part->samples[i / 2].value == i);
        assert_null(vector_find(i % 2 ? even : odd, "pod", pod));
    }
    assert_true(odd->fetched == 77 && vector_size(odd) < whole);
    vector_free(odd);
    vector_free(none);
    vector_free(unlabelled);
    vector_free(even);
}

static void test_too_many_elements(void **state) {
    (void)state;
    cleanup_free char *most = answer_of(PROMVECTOR_SAMPLES_MAX);
    cleanup_free char *more = answer_of(PROMVECTOR_SAMPLES_MAX + 1);
    struct vector *v = NULL;
    struct err err = {0};

    assert_int_equal(read_pieces(most, SIZE_MAX, 1 << 16, &v, &err), 0);
    assert_int_equal(v->count, PROMVECTOR_SAMPLES_MAX);
    vector_free(v);
    assert_int_equal(read_pieces(more, SIZE_MAX, 1 << 16, &v, &err), -E2BIG);
    assert_string_equal(err.text, "the query gives more than 100000 elements");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_found),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_too_many_elements),
    };
    int failed = cases_run_dir("promvector", TEST_DATA_DIR "/promvector", check);

    return failed + cmocka_run_group_tests_name("vector", tests, NULL, NULL);
}
