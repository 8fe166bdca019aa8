/* Label selectors as data: the text or the object, the labels it is held against, or the error. */
#include "api/types/selector.h"
#include "api/types/tests/cases.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool matches(const struct selector *selector, json_t *map, struct arena *arena) {
    struct labels *labels =
        arena_alloc(arena, sizeof(*labels) + json_object_size(map) * sizeof(struct label));
    const char *key;
    json_t *value;

    json_object_foreach(map, key, value) labels->items[labels->count++] =
        (struct label){key, json_string_value(value)};
    return selector_matches(selector, labels->count ? labels : NULL);
}

static json_t *outcome(const json_t *in, struct arena *arena) {
    const char *text = json_string_value(json_object_get(in, "text"));
    const json_t *sets = json_object_get(in, "labels");
    struct err err = {0};
    struct selector selector;
    json_t *list = json_array();
    int r = text ? 0 : selector_write(json_object_get(in, "object"), arena, &text, &err);

    if (r == 0)
        r = selector_parse(text, arena, &selector, &err);
    for (size_t i = 0; r == 0 && i < json_array_size(sets); i++)
        json_array_append_new(list, json_boolean(matches(&selector, json_array_get(sets, i), arena)));
    return json_pack("{s:s, s:s, s:o}", "error", r < 0 ? err.text : "", "text", r < 0 ? "" : text, "matches",
                     list);
}

static void check(const struct test_case *c) {
    struct arena arena;
    json_t *out;

    arena_init(&arena, 0);
    out = outcome(c->in, &arena);
    assert_json_has(c->want, out);
    json_decref(out);
    arena_done(&arena);
}

int main(void) {
    return cases_run_dir("selector", TEST_DATA_DIR "/selector", check);
}
