/* Forms of series: what is one form, in which order they come, and what a hundred thousand series cost. */
#include "adapter/seriesforms.h"

#include "base/mem.h"
#include "base/tests/cm.h"
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

/* Adds "name label label"; values do not matter. */
static void add(struct seriesforms *forms, const char *text) {
    struct series_label labels[16];
    struct series series = {.labels = labels};
    cleanup_free char *copy = xstrdup(text);
    char *rest = copy;

    series.name = strsep(&rest, " ");
    for (char *label; (label = strsep(&rest, " "));)
        labels[series.label_count++] = (struct series_label){label, "x"};
    assert_int_equal(seriesforms_add(forms, &series, NULL), 0);
}

static void put_line(void *arg, const struct series *form) {
    buf_printf(arg, "%s", form->name);
    for (uint32_t i = 0; i < form->label_count; i++) {
        assert_string_equal(form->labels[i].value, "");
        buf_printf(arg, " %s", form->labels[i].name);
    }
    buf_puts(arg, "\n");
}

static struct seriesforms *forms_of(const char *const *texts) {
    struct seriesforms *forms = seriesforms_new();

    for (; *texts; texts++)
        add(forms, *texts);
    seriesforms_sort(forms);
    return forms;
}

static void check(const struct seriesforms *forms, const char *want) {
    cleanup_buf struct buf got;

    buf_init(&got, 10000);
    seriesforms_each(forms, put_line, &got);
    assert_string_equal(got.data, want);
}

static void test_each_form_once(void **state) {
    static const char *const texts[] = {"up job pod", "up job", "down job pod", "up",
                                        "",           " job",   "up job",       NULL};
    struct seriesforms *forms = forms_of(texts);

    (void)state;
    /* the order is that of the last series of each */
    check(forms, "up job pod\ndown job pod\nup\n\n job\nup job\n");
    assert_int_equal(seriesforms_count(forms), 6);
    assert_int_equal(seriesforms_series(forms), 7);
    seriesforms_free(forms);
}

static void test_nothing(void **state) {
    struct seriesforms *forms = seriesforms_new();

    (void)state;
    seriesforms_sort(forms);
    check(forms, "");
    check(NULL, "");
    assert_true(seriesforms_equal(forms, NULL) && seriesforms_equal(NULL, NULL));
    assert_int_equal(seriesforms_count(NULL), 0);
    assert_int_equal(seriesforms_series(NULL), 0);
    seriesforms_free(forms);
    seriesforms_free(NULL);
}

static void test_equal(void **state) {
    static const char *const lists[][4] = {{"a x", "b x", NULL},
                                           {"b x", "a x", NULL},
                                           {"a x", NULL},
                                           {"a x", "b y", NULL},
                                           {"a x", "c x", NULL}};
    static const char *const same[] = {"a x", "b x", "a x", "b x", NULL};
    struct seriesforms *first = forms_of(lists[0]), *twice = forms_of(same);

    (void)state;
    assert_true(seriesforms_equal(first, twice));
    for (size_t i = 1; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct seriesforms *other = forms_of(lists[i]);
        assert_false(seriesforms_equal(first, other));
        seriesforms_free(other);
    }
    seriesforms_free(first);
    seriesforms_free(twice);
}

static void test_memory_is_of_forms(void **state) {
    struct seriesforms *forms = seriesforms_new();
    size_t before = 0;

    (void)state;
    for (int i = 0; i < 100 * 1000; i++) {
        char text[64];
        snprintf(text, sizeof(text), "m%d namespace pod", i % 100);
        add(forms, text);
        if (i == 100)
            before = mallinfo2().uordblks;
    }
    assert_true(mallinfo2().uordblks <= before + 1000);
    seriesforms_free(forms);
}

static void test_forms_are_bounded(void **state) {
    struct seriesforms *forms = seriesforms_new();
    struct err err = {0};
    char name[16];
    struct series series = {.name = name};
    int i = 0;

    (void)state;
    do
        snprintf(name, sizeof(name), "m%d", i++);
    while (seriesforms_add(forms, &series, &err) == 0);
    assert_int_equal(i, SERIESFORMS_MAX + 1);
    assert_int_equal(err.code, -E2BIG);
    snprintf(name, sizeof(name), "m0");
    assert_int_equal(seriesforms_add(forms, &series, &err), 0);
    seriesforms_free(forms);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_form_once),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_memory_is_of_forms),
        cmocka_unit_test(test_forms_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
