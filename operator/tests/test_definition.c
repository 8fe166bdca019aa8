/* What the definition of AutoscalingPolicy admits and refuses, and what the operator makes of it: policies
 * also come past the definition, out of files and from before an update. The manifests are those that its own
 * tests hold against an API server. */
#include "api/types/policy.h"
#include "operator/documents.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CRDS TEST_DATA_DIR "/../../../crds"

typedef int read_spec_fn(const json_t *spec, struct arena *arena, struct policy_spec *ret_spec,
                         struct err *err);

/* A manifest, read. */
struct reading {
    struct document_file file;
    struct arena arena;
    struct policy_spec spec;
    struct err err; /* code != 0: refused */
};

static void reading_begin(struct reading *r, const char *path, read_spec_fn *read) {
    *r = (struct reading){0};
    arena_init(&r->arena, 0);
    if (documents_read(path, &r->file, &r->err) < 0)
        fail_msg("%s", r->err.text);
    if (read(json_object_get(json_array_get(r->file.documents, 0), "spec"), &r->arena, &r->spec, &r->err) ==
        0)
        err_clear(&r->err);
}

static void reading_end(struct reading *r) {
    arena_done(&r->arena);
    documents_done(&r->file);
}

/* The first metric that can never be computed; NULL: all can. */
static const char *first_fault(const struct policy_spec *spec) {
    for (uint32_t i = 0; i < spec->metric_count; i++)
        if (spec->metrics[i].invalid)
            return spec->metrics[i].invalid;
    return NULL;
}

static void expect_read(const char *path, read_spec_fn *read) {
    struct reading r;

    reading_begin(&r, path, read);
    if (r.err.code)
        fail_msg("%s: %s", path, r.err.text);
    if (first_fault(&r.spec))
        fail_msg("%s: %s", path, first_fault(&r.spec));
    reading_end(&r);
}

static void is_read(const char *path) {
    expect_read(path, policy_read_spec);
}

static void is_read_as_both(const char *path) {
    expect_read(path, policy_read_spec);
    expect_read(path, hpa_read_spec);
}

/* What the operator can do without reads on: a name that no API server has, a field too much. Such a manifest
 * says so in a comment, and only such a one. */
static void is_refused(const char *path) {
    struct reading r;
    bool reads;

    reading_begin(&r, path, policy_read_spec);
    reads = strstr(r.file.text, "\n# operator: reads it") != NULL;
    if (reads && (r.err.code || first_fault(&r.spec)))
        fail_msg("%s: refused: %s", path, r.err.code ? r.err.text : first_fault(&r.spec));
    if (!reads && !r.err.code && !first_fault(&r.spec))
        fail_msg("%s is neither refused nor marked with \"# operator: reads it\"", path);
    reading_end(&r);
}

static void each_of(const char *dir, void (*fn)(const char *path)) {
    struct dirent **names;
    char path[512];
    int count = scandir(dir, &names, NULL, alphasort), manifests = 0;

    assert_true(count >= 0);
    for (int i = 0; i < count; i++) {
        if (str_ends(names[i]->d_name, ".yaml")) {
            snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
            fn(path);
            manifests++;
        }
        free(names[i]);
    }
    free(names);
    assert_true(manifests > 0);
}

static void test_examples(void **state) {
    (void)state;
    each_of(CRDS "/examples", is_read);
}

static void test_accepted(void **state) {
    (void)state;
    each_of(CRDS "/tests/accepted", is_read);
}

static void test_hpa(void **state) {
    (void)state;
    each_of(CRDS "/tests/hpa", is_read_as_both);
}

static void test_refused(void **state) {
    (void)state;
    each_of(CRDS "/tests/refused", is_refused);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_hpa),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests_name("definition", tests, NULL, NULL);
}
