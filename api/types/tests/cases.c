/* Running data-driven tests; see cases.h. */
#include "api/types/tests/cases.h"
#include "base/mem.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

json_t *cases_read(const char *path) {
    json_error_t error;
    json_t *document = json_load_file(path, JSON_DECODE_ANY, &error);

    if (!document) {
        fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
        exit(1);
    }
    return document;
}

void cases_add(struct test_cases *cases, const char *name, json_t *in, json_t *want) {
    cases->items = xrealloc(cases->items, (cases->count + 1) * sizeof(*cases->items));
    cases->items[cases->count++] = (struct test_case){xstrdup(name), in, want};
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.' && entry->d_type == DT_DIR;
}

void cases_load(const char *dir, struct test_cases *ret_cases) {
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, visible, alphasort);

    *ret_cases = (struct test_cases){0};
    for (int i = 0; i < n; i++) {
        char *in = xasprintf("%s/%s/in.json", dir, entries[i]->d_name);
        char *want = xasprintf("%s/%s/want.json", dir, entries[i]->d_name);
        cases_add(ret_cases, entries[i]->d_name, cases_read(in), cases_read(want));
        free(in);
        free(want);
        free(entries[i]);
    }
    free(entries);
    if (n <= 0) {
        fprintf(stderr, "%s: no cases\n", dir);
        exit(1);
    }
}

struct running {
    const struct test_case *c;
    test_case_fn *fn;
};

static void run_one(void **state) {
    const struct running *r = *state;

    r->fn(r->c);
}

int cases_run(const char *group, struct test_cases *cases, test_case_fn *fn) {
    struct CMUnitTest *tests = xcalloc(cases->count, sizeof(*tests));
    struct running *running = xcalloc(cases->count, sizeof(*running));
    int failed;

    for (size_t i = 0; i < cases->count; i++) {
        running[i] = (struct running){&cases->items[i], fn};
        tests[i] = (struct CMUnitTest){
            .name = cases->items[i].name, .test_func = run_one, .initial_state = &running[i]};
    }
    failed = _cmocka_run_group_tests(group, tests, cases->count, NULL, NULL);
    for (size_t i = 0; i < cases->count; i++) {
        free(cases->items[i].name);
        json_decref(cases->items[i].in);
        json_decref(cases->items[i].want);
    }
    free(cases->items);
    free(tests);
    free(running);
    return failed;
}

int cases_run_dir(const char *group, const char *dir, test_case_fn *fn) {
    struct test_cases cases;

    cases_load(dir, &cases);
    return cases_run(group, &cases, fn);
}

static bool differ(const char *path, const json_t *want, const json_t *got) {
    char *w = want ? json_dumps(want, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    char *g = got ? json_dumps(got, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

    print_error("%s: want %s, got %s\n", path[0] ? path : ".", w ? w : "(absent)", g ? g : "(absent)");
    free(w);
    free(g);
    return false;
}

static bool has(const char *path, const json_t *want, const json_t *got);

static bool has_members(const char *path, const json_t *want, const json_t *got) {
    const char *key;
    json_t *value;
    bool ok = true;

    json_object_foreach((json_t *)(uintptr_t)want, key, value) {
        char *below = xasprintf("%s.%s", path, key);
        const json_t *member = json_object_get(got, key);
        if (json_is_null(value))
            ok &= !member || json_is_null(member) || differ(below, value, member);
        else
            ok &= has(below, value, member);
        free(below);
    }
    return ok;
}

static bool has(const char *path, const json_t *want, const json_t *got) {
    bool ok = true;

    if (json_is_object(want) && json_is_object(got))
        return has_members(path, want, got);
    if (json_is_number(want) && json_is_number(got) && json_number_value(want) == json_number_value(got))
        return true; /* 15 and 15.0 */
    if (!json_is_array(want) || json_array_size(want) != json_array_size(got))
        return json_equal(want, got) || differ(path, want, got);
    for (size_t i = 0; i < json_array_size(want); i++) {
        char *below = xasprintf("%s[%zu]", path, i);
        ok &= has(below, json_array_get(want, i), json_array_get(got, i));
        free(below);
    }
    return ok;
}

void assert_json_has(const json_t *want, const json_t *got) {
    char *all;

    if (has("", want, got))
        return;
    all = json_dumps(got, JSON_ENCODE_ANY | JSON_INDENT(2));
    print_error("got as a whole: %s\n", all);
    free(all);
    fail();
}
