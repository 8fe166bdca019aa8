/* evaluate on files: each folder below data/evaluate holds inputs, what is complained of (err), and what
 * comes of it (want.json). */
#include "api/types/tests/cases.h"
#include "base/mem.h"
#include "operator/commands.h"
#include "operator/evaluate.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { FILES_MAX = 8 };

/* Files of one evaluation, and all that it wrote. */
struct fixture {
    struct document_file files[FILES_MAX];
    char *names[FILES_MAX];
    size_t count;
    char *out, *complaints;
    struct evaluation e;
};

/* The whole file; "" where there is none. Owned by the caller. */
static char *read_text(const char *path) {
    enum { TEXT_MAX = 1 << 20 };
    FILE *f = fopen(path, "re");
    char *text = xcalloc(1, TEXT_MAX);

    if (f) {
        text[fread(text, 1, TEXT_MAX - 1, f)] = '\0';
        fclose(f);
    }
    return text;
}

static void add_file(struct fixture *x, const char *name, const char *text) {
    struct err err = {0};

    assert_true(x->count < FILES_MAX);
    x->names[x->count] = xstrdup(name);
    if (documents_parse(x->names[x->count], text, strlen(text), &x->files[x->count], &err) == 0) {
        x->count++;
        return;
    }
    free(x->names[x->count]);
    fprintf(x->e.complaints, "%s\n", err.text);
}

static void begin(struct fixture *x) {
    static size_t len;

    *x = (struct fixture){0};
    x->e.out = open_memstream(&x->out, &len);
    x->e.complaints = open_memstream(&x->complaints, &len);
    evaluate_options_init(&x->e.options);
    assert_int_equal(clock_parse("2026-03-02T10:00:00Z", &x->e.options.now), 0);
    x->e.results = json_array();
}

static void run(struct fixture *x) {
    evaluate_files(&x->e, x->files, x->count);
    fclose(x->e.out);
    fclose(x->e.complaints);
}

static void end(struct fixture *x) {
    for (size_t i = 0; i < x->count; i++) {
        documents_done(&x->files[i]);
        free(x->names[i]);
    }
    char *yaml = NULL;
    size_t len;
    FILE *out = open_memstream(&yaml, &len);
    assert_int_equal(evaluate_print_yaml(x->e.results, out), 0);
    fclose(out);
    assert_true(len > 0);
    free(yaml);
    json_decref(x->e.results);
    free(x->out);
    free(x->complaints);
}

static void add_path(struct fixture *x, const char *path) {
    char *text = read_text(path);

    add_file(x, strrchr(path, '/') + 1, text);
    free(text);
}

/* ---- folders ---- */

static int is_input(const struct dirent *entry) {
    return entry->d_name[0] != '.' && strcmp(entry->d_name, "want.json") != 0 &&
           strcmp(entry->d_name, "err") != 0;
}

static void test_folder(void **state) {
    const char *dir = *state;
    char *err_path = xasprintf("%s/err", dir), *want_path = xasprintf("%s/want.json", dir);
    struct dirent **entries;
    struct fixture x;

    begin(&x);
    x.e.text = true;
    int n = scandir(dir, &entries, is_input, alphasort);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        char *path = xasprintf("%s/%s", dir, entries[i]->d_name);
        add_path(&x, path);
        free(path);
        free(entries[i]);
    }
    free(entries);
    run(&x);
    char *err = read_text(err_path);
    assert_string_equal(x.complaints, err);
    if (access(want_path, R_OK) == 0) {
        json_t *want = cases_read(want_path);
        assert_json_has(want, x.e.results);
        json_decref(want);
    } else {
        assert_true(*err != '\0');
        assert_true(x.e.failed > 0 || x.e.cases == 0);
    }
    free(err);
    free(err_path);
    free(want_path);
    end(&x);
}

static int run_folders(void) {
    enum { FOLDERS_MAX = 128 };
    static struct CMUnitTest tests[FOLDERS_MAX];
    struct dirent **entries;
    int n = scandir(TEST_DATA_DIR "/evaluate", &entries, is_input, alphasort), failed;

    if (n <= 0 || n > FOLDERS_MAX)
        return 1;
    for (int i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){.name = entries[i]->d_name,
                                       .test_func = test_folder,
                                       .initial_state =
                                           xasprintf("%s/evaluate/%s", TEST_DATA_DIR, entries[i]->d_name)};
    failed = _cmocka_run_group_tests("evaluate", tests, (size_t)n, NULL, NULL);
    for (int i = 0; i < n; i++) {
        free(tests[i].initial_state);
        free(entries[i]);
    }
    free(entries);
    return failed;
}

/* ---- the rest ---- */

static char *results_text(const struct fixture *x) {
    return json_dumps(x->e.results, JSON_INDENT(2));
}

static void test_same_input_same_bytes(void **state) {
    struct fixture a, b;

    (void)state;
    begin(&a);
    add_path(&a, TEST_DATA_DIR "/evaluate/web/web.yaml");
    run(&a);
    begin(&b);
    add_path(&b, TEST_DATA_DIR "/evaluate/web/web.yaml");
    run(&b);
    char *first = results_text(&a), *second = results_text(&b);
    assert_int_equal(json_array_size(a.e.results), 1);
    assert_string_equal(first, second);
    free(first);
    free(second);
    end(&a);
    end(&b);
}

/* A case's own clock counts where none is given. */
static void test_clock(void **state) {
    struct fixture x;

    (void)state;
    begin(&x);
    x.e.options.now = 0;
    add_file(&x, "in",
             "{\"vectors\": [{\"name\": \"a\", \"objects\": [],\n\"now\": \"noon\"},"
             "{\"name\": \"seconds\", \"objects\": [],\n\"now\": 1767225600},"
             "{\"name\": \"b\", \"level\": \"storeEvent\", \"now\": \"2026-01-01T00:00:00.001Z\","
             "\"input\": {\"currentReplicas\": 1, \"desiredReplicas\": 3}, \"objects\": ["
             "{\"apiVersion\": \"autoscaling/v2\", \"kind\": \"HorizontalPodAutoscaler\","
             "\"metadata\": {\"name\": \"x\"}, \"spec\": {\"maxReplicas\": 5, \"behavior\": {},"
             "\"scaleTargetRef\": {\"kind\": \"Deployment\", \"name\": \"y\"}}}]}]}");
    run(&x);
    assert_string_equal(x.complaints, "in:2: now: a time is expected, such as 2026-01-01T00:00:00Z\n"
                                      "in:3: now: a time is expected, such as 2026-01-01T00:00:00Z\n");
    json_t *want =
        json_pack("[{s:s},{s:s},{s:{s:[{s:s,s:i}]}}]", "name", "a", "name", "seconds", "historyAfter",
                  "scaleUpEvents", "timestamp", "2026-01-01T00:00:00.001Z", "replicaChange", 2);
    assert_json_has(want, x.e.results);
    json_decref(want);
    end(&x);
}

/* A file's name may be any bytes, and what is said of the file is in the results. */
static void test_name_that_is_not_utf8(void **state) {
    struct fixture x;

    (void)state;
    begin(&x);
    add_file(&x, "\xff",
             "{\"kind\": \"AutoscalingPolicy\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": \"a\"}}");
    run(&x);
    json_t *want = json_pack("[{s:s, s:s}]", "name", "a", "invalid", "(text that is not UTF-8)");
    assert_json_has(want, x.e.results);
    json_decref(want);
    end(&x);
}

/* Unquoted, as a person writes it: no double's last digits make it a thousandth more. */
static void test_value_that_is_a_number(void **state) {
    struct fixture x;

    (void)state;
    begin(&x);
    add_file(&x, "in",
             "{\"level\": \"quantity\", \"objects\": [], \"input\": {\"milli\": 0.1}}"
             "{\"level\": \"quantity\", \"objects\": [], \"input\": {\"milli\": 1234567.891}}"
             "{\"level\": \"quantity\", \"objects\": [], \"input\": {\"milli\": -3}}");
    run(&x);
    json_t *want =
        json_pack("[{s:s}, {s:s}, {s:s}]", "quantity", "100m", "quantity", "1234567891m", "quantity", "-3");
    assert_json_has(want, x.e.results);
    json_decref(want);
    end(&x);
}

static void test_check_names_the_difference(void **state) {
    struct fixture x;

    (void)state;
    begin(&x);
    x.e.check = true;
    add_file(&x, "in.json",
             "{\"vectors\": ["
             "{\"name\": \"same\", \"level\": \"quantity\", \"objects\": [],"
             " \"input\": {\"milli\": \"1m\", \"resource\": \"cpu\"}, \"expect\": {\"quantity\": \"1m\"}},"
             "{\"name\": \"other\", \"level\": \"quantity\", \"objects\": [],"
             " \"input\": {\"milli\": \"1000m\", \"resource\": \"cpu\"}, \"expect\": {\"quantity\": \"2\"}},"
             "{\"name\": \"loose\", \"level\": \"quantity\", \"objects\": [], \"unpinned\": [\"quantity\"],"
             " \"input\": {\"milli\": \"1000m\", \"resource\": \"cpu\"}, \"expect\": {\"quantity\": \"2\"}},"
             "{\"name\": \"bare\", \"level\": \"quantity\", \"objects\": [],"
             " \"input\": {\"milli\": \"1000m\", \"resource\": \"cpu\"}}]}");
    run(&x);
    assert_string_equal(x.out, "in.json: other: quantity: want \"2\", got \"1\"\n"
                               "in.json: bare: there is nothing to compare with: it has no expect\n");
    assert_int_equal(x.e.compared, 3);
    assert_int_equal(x.e.different, 1);
    assert_int_equal(x.e.without_expect, 1);
    end(&x);
}

/* The page shows what the command prints, line by line, indented. */
static void test_page_shows_what_is_printed(void **state) {
    struct fixture x;
    char *page = read_text(DOCS_DIR "/how-to/evaluate-a-policy.md");
    char *line, *rest;

    (void)state;
    begin(&x);
    x.e.text = true;
    add_path(&x, DOCS_DIR "/examples/evaluate/web.yaml");
    run(&x);
    assert_int_equal(x.e.failed, 0);
    assert_non_null(x.out);
    assert_true(*x.out != '\0');
    rest = page;
    char *at = x.out;
    while (at && (line = strsep(&at, "\n")) && *line) {
        char *shown = xasprintf("\n    %s\n", line);
        char *found = strstr(rest, shown);
        size_t len = strlen(shown);
        free(shown);
        if (!found) {
            fail_msg("the page does not show, in its place: %s", line);
            break;
        }
        rest = found + len - 1;
    }
    free(page);
    end(&x);
}

static int command(int argc, char **argv) {
    return command_evaluate(argc, argv);
}

static void test_usage(void **state) {
    char *none[] = {NULL};
    char *unknown[] = {(char[]){"--nope"}};
    char *bad_time[] = {(char[]){"--now"}, (char[]){"noon"}, (char[]){"-f"}, (char[]){"x"}};
    char *bad_output[] = {(char[]){"-f"}, (char[]){"x"}, (char[]){"-o=xml"}};
    char *no_value[] = {(char[]){"-f"}};
    char *no_file[] = {(char[]){"-f"}, (char[]){"/nowhere/at/all"}};
    char *negative[] = {(char[]){"--tolerance=-1"}, (char[]){"-f"}, (char[]){"x"}};

    (void)state;
    assert_int_equal(command(0, none), EXIT_USAGE);
    assert_int_equal(command(1, unknown), EXIT_USAGE);
    assert_int_equal(command(4, bad_time), EXIT_USAGE);
    assert_int_equal(command(3, bad_output), EXIT_USAGE);
    assert_int_equal(command(1, no_value), EXIT_USAGE);
    assert_int_equal(command(2, no_file), EXIT_REFUSED);
    assert_int_equal(command(3, negative), EXIT_USAGE);
}

/* Objects have nothing to be compared with: a check of them alone has shown nothing. */
static void test_check_of_nothing(void **state) {
    char *check[] = {(char[]){"--check"}, (char[]){"-f" DOCS_DIR "/examples/evaluate/web.yaml"}};

    (void)state;
    assert_int_equal(command(1, check + 1), EXIT_OK);
    assert_int_equal(command(2, check), EXIT_REFUSED);
}

static void test_full_disk(void **state) {
    char *web[] = {(char[]){"-f" DOCS_DIR "/examples/evaluate/web.yaml"}};
    FILE *out = stdout;

    (void)state;
    stdout = fopen("/dev/full", "we");
    assert_non_null(stdout);
    int code = command(1, web);
    fclose(stdout);
    stdout = out;
    assert_int_equal(code, EXIT_REFUSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_input_same_bytes),      cmocka_unit_test(test_clock),
        cmocka_unit_test(test_name_that_is_not_utf8),      cmocka_unit_test(test_check_names_the_difference),
        cmocka_unit_test(test_page_shows_what_is_printed), cmocka_unit_test(test_usage),
        cmocka_unit_test(test_check_of_nothing),           cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_value_that_is_a_number),
    };
    int failed = run_folders();

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
