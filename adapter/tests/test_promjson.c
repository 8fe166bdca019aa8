/* The reader of answers: every case of data/promjson, fed whole, byte by byte and cut in two at every place.
 */
#include "adapter/promjson.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct test_case {
    const char *body;
    size_t len, max;
    enum combine combine;
};

static json_t *load(const char *name, const char *file) {
    cleanup_free char *path = xasprintf("%s/promjson/%s/%s", TEST_DATA_DIR, name, file);
    json_error_t error;
    json_t *json = json_load_file(path, JSON_ALLOW_NUL, &error);

    if (!json)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return json;
}

static enum combine combine_of(const char *text) {
    static const char *const names[] = {"", "Sum", "Max", "Min", "Avg"};

    for (int i = 0; i < 5; i++)
        if (str_eq(text, names[i]))
            return (enum combine)i;
    fail_msg("combine %s", text);
    return COMBINE_NONE;
}

/* Reads the body in pieces: the first of first bytes, the others of step. */
static struct promjson_answer answer_of(const struct test_case *c, size_t first, size_t step) {
    struct promjson *p = promjson_new(c->combine, c->max);
    struct promjson_answer answer;
    size_t n = first;

    for (size_t at = 0; at < c->len; at += n, n = step) {
        n = n > c->len - at ? c->len - at : n;
        if (promjson_feed(p, c->body + at, n, NULL) < 0)
            break;
    }
    promjson_finish(p, &answer);
    promjson_free(p);
    return answer;
}

static json_t *to_json(const struct promjson_answer *a) {
    json_t *json = json_pack("{s:s}", "quality", quality_name(a->quality));

    if (a->quality == QUALITY_VALUE || a->quality == QUALITY_ZERO)
        json_object_set_new(json, "value", json_real(a->value + 0.0));
    if (a->at)
        json_object_set_new(json, "at", json_integer(a->at));
    if (a->elements)
        json_object_set_new(json, "elements", json_integer(a->elements));
    if (a->malformed)
        json_object_set_new(json, "malformed", json_true());
    if (a->said_error)
        json_object_set_new(json, "saidError", json_true());
    if (a->message[0])
        json_object_set_new(json, "message", json_string(a->message));
    if (a->warning[0])
        json_object_set_new(json, "warning", json_string(a->warning));
    return json;
}

static void assert_answer(const char *name, const char *how, const struct promjson_answer *a, json_t *want) {
    json_t *got = to_json(a), *value = json_object_get(want, "value");

    if (value)
        json_object_set_new(want, "value", json_real(json_number_value(value)));
    if (!json_equal(got, want)) {
        cleanup_free char *g = json_dumps(got, JSON_SORT_KEYS);
        cleanup_free char *w = json_dumps(want, JSON_SORT_KEYS);
        fail_msg("%s, %s:\n got  %s\n want %s", name, how, g, w);
    }
    json_decref(got);
}

static void run_case(const char *name) {
    json_t *in = load(name, "in.json"), *want = load(name, "want.json");
    json_t *body = json_object_get(in, "body"), *max = json_object_get(in, "max");
    struct test_case c = {.body = json_string_value(body),
                          .len = json_string_length(body),
                          .max = max ? (size_t)json_integer_value(max) : 65536,
                          .combine =
                              combine_of(str_or_empty(json_string_value(json_object_get(in, "combine"))))};
    struct promjson_answer a = answer_of(&c, c.len, c.len);

    assert_answer(name, "whole", &a, want);
    a = answer_of(&c, 1, 1);
    assert_answer(name, "byte by byte", &a, want);
    for (size_t first = 1; first < c.len && first < 2000; first++) {
        a = answer_of(&c, first, c.len);
        assert_answer(name, "cut in two", &a, want);
    }
    json_decref(in);
    json_decref(want);
}

static void test_cases(void **state) {
    (void)state;
    int count = 0;
    DIR *dir = opendir(TEST_DATA_DIR "/promjson");

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.') {
            run_case(entry->d_name);
            count++;
        }
    closedir(dir);
    assert_true(count > 80);
}

/* Whatever is cut off an answer, the rest is never a value. */
static void test_every_prefix_fails(void **state) {
    (void)state;
    static const char body[] = "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":"
                               "[{\"metric\":{\"a\":\"b\"},\"value\":[1767225600.1,\"3\"]}]}}";

    for (size_t len = 0; len + 1 < sizeof(body); len++) {
        struct test_case c = {.body = body, .len = len, .max = 1000};
        struct promjson_answer a = answer_of(&c, len, len);
        assert_int_equal(a.quality, len + 1 == sizeof(body) ? QUALITY_VALUE : QUALITY_FAILED);
        assert_true(a.malformed);
    }
}

static void test_feed_says_why(void **state) {
    (void)state;
    struct promjson *p = promjson_new(COMBINE_NONE, 10);
    struct err err = {0};

    assert_int_equal(promjson_feed(p, "{\"a\":", 5, &err), 0);
    assert_int_equal(promjson_feed(p, "\"1234567890", 11, &err), -E2BIG);
    assert_string_equal(err.text, "the answer is larger than 10 bytes");
    assert_int_equal(promjson_feed(p, "}", 1, &err), -E2BIG);
    promjson_free(p);
}

static void test_milli(void **state) {
    (void)state;
    assert_int_equal(promjson_milli(1.0009), 1000);
    assert_int_equal(promjson_milli(-1.0009), -1000);
    assert_int_equal(promjson_milli(0.0009), 0);
    assert_true(promjson_milli(1e300) == INT64_MAX);
    assert_true(promjson_milli(-1e300) == INT64_MIN);
    assert_true(promjson_milli(9.3e15) == INT64_MAX);
    assert_int_equal(promjson_milli(NAN), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_every_prefix_fails),
        cmocka_unit_test(test_feed_says_why),
        cmocka_unit_test(test_milli),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
