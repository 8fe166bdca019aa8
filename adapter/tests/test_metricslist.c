/* The reader of metric lists: every case of data/metricslist, fed whole and in pieces of every small size.
 * in.json: kind, and document or text; want.json: what is in the table, or the error. */
#include "adapter/metricslist.h"

#include "api/types/tests/cases.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { BODY_MAX = 1 << 20 };

static enum metricslist_kind kind_of(const char *text) {
    static const char *const names[] = {"PodMetricsList", "MetricValueList", "ExternalMetricValueList"};

    for (int i = 0; i < 3; i++)
        if (str_eq(text, names[i]))
            return (enum metricslist_kind)i;
    fail_msg("kind %s", text);
    return LIST_POD_METRICS;
}

static int read_pieces(enum metricslist_kind kind, const char *text, size_t step,
                       struct metrics_table **ret_table, struct err *err) {
    struct metricslist *list = metricslist_new(kind, BODY_MAX);
    size_t len = strlen(text);

    for (size_t at = 0; at < len; at += step)
        if (metricslist_feed(list, text + at, len - at < step ? len - at : step, NULL) < 0)
            break;
    int ret = metricslist_finish(list, ret_table, err);
    metricslist_free(list);
    return ret;
}

static void put_time(json_t *out, const char *key, usec_t at) {
    char text[CLOCK_TEXT_MAX];

    if (at)
        json_object_set_new(out, key, json_string(clock_format(at, text)));
}

static json_t *items_of(const struct metrics_table *table) {
    json_t *out = json_object();
    struct map_iter it = {0};
    const char *name;
    void *value;

    while (map_next(&table->items, &it, &name, &value)) {
        const struct metrics_item *item = value;
        json_t *o = json_pack("{s:I, s:I}", "milli", (json_int_t)item->milli, "window_ms",
                              (json_int_t)(item->window / USEC_PER_MSEC));
        put_time(o, "at", item->at);
        json_object_set_new(out, name, o);
    }
    return out;
}

/* Each usage that is asked for, with its number where it is known. */
static json_t *usages_of(const struct metrics_table *table, const json_t *asked) {
    json_t *out = json_array();

    for (size_t i = 0; i < json_array_size(asked); i++) {
        const json_t *a = json_array_get(asked, i);
        const struct metrics_item *item =
            map_get(&table->items, json_string_value(json_object_get(a, "pod")));
        json_t *o = json_deep_copy(a);
        int64_t milli;
        json_object_del(o, "milli");
        assert_non_null(item);
        if (metrics_item_usage(item, json_string_value(json_object_get(a, "resource")),
                               json_string_value(json_object_get(a, "container")), &milli))
            json_object_set_new(o, "milli", json_integer(milli));
        json_array_append_new(out, o);
    }
    return out;
}

static json_t *outcome(enum metricslist_kind kind, const char *text, size_t step, const json_t *want) {
    struct metrics_table *table = NULL;
    struct err err = {0};

    if (read_pieces(kind, text, step, &table, &err) < 0) {
        assert_null(table);
        return json_pack("{s:s}", "error", err.text);
    }
    json_t *out =
        json_pack("{s:i, s:I, s:o, s:o}", "count", (int)table->count, "sum", (json_int_t)table->sum, "items",
                  items_of(table), "usages", usages_of(table, json_object_get(want, "usages")));
    put_time(out, "newest", table->newest);
    metrics_table_free(table);
    return out;
}

static void check(const struct test_case *c) {
    enum metricslist_kind kind = kind_of(json_string_value(json_object_get(c->in, "kind")));
    const char *text = json_string_value(json_object_get(c->in, "text"));
    cleanup_free char *dumped =
        text ? NULL : json_dumps(json_object_get(c->in, "document"), JSON_COMPACT | JSON_ENCODE_ANY);

    for (size_t step = 1; step < 20; step++) {
        json_t *out = outcome(kind, text ? text : dumped, step < 19 ? step : BODY_MAX, c->want);
        assert_json_has(c->want, out);
        json_decref(out);
    }
}

/* Limits that a case cannot show shortly. */
static void test_limits(void **state) {
    (void)state;
    struct metricslist *list = metricslist_new(LIST_EXTERNAL_VALUES, 20);
    struct metrics_table *table = NULL;
    struct err err = {0};

    assert_int_equal(metricslist_feed(list, "{\"items\":[         ", 18, &err), 0);
    assert_int_equal(metricslist_feed(list, "         ", 9, &err), -E2BIG);
    assert_string_equal(err.text, "the answer is larger than 20 bytes");
    assert_int_equal(metricslist_finish(list, &table, &err), -E2BIG);
    metricslist_free(list);

    list = metricslist_new(LIST_POD_METRICS, SIZE_MAX);
    int ret = metricslist_feed(list, "{\"items\":[{\"containers\":[", 26 - 1, &err);
    for (int i = 0; ret == 0 && i < 10 * 1000 * 1000; i++)
        ret = metricslist_feed(list, "{},", 3, &err);
    assert_int_equal(ret, -E2BIG);
    assert_string_equal(err.text, "the answer has too many elements");
    metricslist_free(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_limits)};
    int failed = cases_run_dir("metricslist", TEST_DATA_DIR "/metricslist", check);

    return failed + cmocka_run_group_tests_name("metricslist limits", tests, NULL, NULL);
}
