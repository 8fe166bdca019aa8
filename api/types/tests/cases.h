/* Data-driven tests: a folder of cases, each a folder with in.json and want.json, becomes a cmocka group with
 * one test a case. */
#ifndef API_TYPES_TESTS_CASES_H
#define API_TYPES_TESTS_CASES_H

#include <jansson.h>
#include <stddef.h>

struct test_case {
    char *name;
    json_t *in, *want; /* want: NULL where a case is one document */
};

struct test_cases {
    struct test_case *items;
    size_t count;
};

typedef void test_case_fn(const struct test_case *c);

/* Reads every case below dir, in the order of their names; a folder without cases fails. */
void cases_load(const char *dir, struct test_cases *ret_cases);
/* One more case; takes over the references. */
void cases_add(struct test_cases *cases, const char *name, json_t *in, json_t *want);
/* Runs fn on each as its own test and frees them; the number of failed ones. */
int cases_run(const char *group, struct test_cases *cases, test_case_fn *fn);
/* cases_load and cases_run. */
int cases_run_dir(const char *group, const char *dir, test_case_fn *fn);
/* A JSON file; the test fails where it cannot be read. New reference. */
json_t *cases_read(const char *path);
/* Every member of want must be in got (null: must be absent; arrays have equal length). Prints where they
 * differ, and got as a whole, and fails the test. */
void assert_json_has(const json_t *want, const json_t *got);

#endif
