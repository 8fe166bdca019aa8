/* Documents out of YAML and JSON, and the lines of their fields. */
#include "operator/documents.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct document_file parse(const char *text) {
    struct document_file file;
    struct err err = {0};

    if (documents_parse("in", text, strlen(text), &file, &err) < 0)
        fail_msg("%s", err.text);
    return file;
}

static void assert_refused(const char *text, const char *message) {
    struct document_file file;
    struct err err = {0};

    assert_int_equal(documents_parse("in", text, strlen(text), &file, &err), -EINVAL);
    assert_string_equal(err.text, message);
}

static void assert_reads(const char *text, const char *json) {
    struct document_file file = parse(text);
    char *got = json_dumps(file.documents, JSON_COMPACT);

    assert_string_equal(got, json);
    free(got);
    documents_done(&file);
}

static void test_scalars(void **state) {
    (void)state;
    assert_reads("a: 1\nb: -2.5\nc: 1e3\nd: true\ne: ~\nf: \"1\"\ng: 2026-03-02\nh: 50k5\ni: 'null'\nj:\n",
                 "[{\"a\":1,\"b\":-2.5,\"c\":1000.0,\"d\":true,\"e\":null,\"f\":\"1\",\"g\":\"2026-03-02\","
                 "\"h\":\"50k5\",\"i\":\"null\",\"j\":null}]");
    assert_reads("- [0x1p3, .inf, -, +, 1.2.3]", "[[[\"0x1p3\",\".inf\",\"-\",\"+\",\"1.2.3\"]]]");
}

static void test_streams(void **state) {
    (void)state;
    assert_reads("a: 1\n---\n# nothing\n---\n- b\n", "[{\"a\":1},null,[\"b\"]]");
    assert_reads("{\"a\": 1}\n{\"b\": 2}\n---\n[3]\n", "[{\"a\":1},{\"b\":2},[3]]");
    assert_reads("", "[]");
    assert_reads("base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\n",
                 "[{\"base\":{\"x\":1,\"y\":2},\"more\":{\"y\":3,\"x\":1}}]");
}

static void test_refused(void **state) {
    (void)state;
    assert_refused("a: 1\nb: 2\na: 3\n", "in:3: the key a is there twice");
    assert_refused("a: 1\n? [x]\n: 2\n", "in:2: a key that is not a text");
    assert_refused("a:\n  - [b\n", "in:3: not YAML: did not find expected ',' or ']'");
    assert_refused("{\"a\": 1,\n\"b\" 2}", "in:2: not JSON: ':' expected near '2'");
    assert_refused("{\"a\": 1}\n\n{\"b\": }", "in:3: not JSON: unexpected token near '}'");
    assert_refused("a: \"x\\0y\"\n", "in:1: a text with a NUL in it");
}

static void test_deep_and_large(void **state) {
    enum { DEEP = DOCUMENTS_DEPTH_MAX + 2 };
    char deep[2 * DEEP + 3] = "- ";
    struct document_file file;
    struct err err = {0};

    (void)state;
    for (int i = 0; i < DEEP; i++)
        memcpy(deep + 2 * i, "- ", 3);
    assert_int_equal(documents_parse("in", deep, strlen(deep), &file, &err), -EINVAL);
    assert_string_equal(err.text, "in:1: nested too deep");
}

/* Nine aliases of nine aliases of …: few bytes that stand for more than there is room for. */
static void test_aliases_are_bounded(void **state) {
    struct document_file file;
    struct err err = {0};
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    fprintf(out, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 10; i++) {
        fprintf(out, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            fprintf(out, "%s*a%d", k ? ", " : "", i - 1);
        fprintf(out, "]\n");
    }
    fclose(out);
    assert_int_equal(documents_parse("in", text, len, &file, &err), -EINVAL);
    free(text);
    assert_string_equal(err.text, "in:1: too large");
}

static void assert_line(const char *text, size_t index, const char *path, size_t line) {
    struct document_file file = parse(text);

    assert_int_equal(documents_line(&file, index, path), line);
    documents_done(&file);
}

static void test_lines(void **state) {
    static const char yaml[] = "a: 1\n---\nspec:\n  metrics:\n  - type: X\n  - type: Y\n    y:\n      q: 5\n"
                               "labels:\n  app: a\n  app.kubernetes.io/name: b\n";
    static const char json[] = "{\n \"vectors\": [\n  {\"a\": 1},\n  {\"a\": {\n   \"b\": \"c\"}}]}";

    (void)state;
    assert_line(yaml, 0, "a", 1);
    assert_line(yaml, 1, "spec.metrics[1].y.q", 8);
    assert_line(yaml, 1, "spec.metrics[1].y.none", 7);
    assert_line(yaml, 1, "spec.metrics[7].y", 4);
    assert_line(yaml, 1, "spec.maxReplicas", 3);
    assert_line(yaml, 1, "labels.app.kubernetes.io/name", 11);
    assert_line(yaml, 1, "labels.app", 10);
    assert_line(yaml, 1, "nothing", 3);
    assert_line(yaml, 2, "a", 0);
    assert_line(json, 0, "vectors[1].a.b", 5);
    assert_line(json, 0, "vectors[0].a", 3);
    assert_line("[1,\n2]", 0, "[1]", 2);
}

static void test_files(void **state) {
    struct document_file file;
    struct err err = {0};

    (void)state;
    assert_int_equal(documents_read("/nowhere/at/all", &file, &err), -ENOENT);
    assert_string_equal(err.text, "/nowhere/at/all: No such file or directory");
    assert_int_equal(documents_read("/", &file, &err), -EISDIR);
    assert_string_equal(err.text, "/: is a directory: name the files in it");
    assert_int_equal(documents_read(TEST_DATA_DIR "/evaluate/web/web.yaml", &file, &err), 0);
    assert_int_equal(json_array_size(file.documents), 10);
    documents_done(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_deep_and_large),
        cmocka_unit_test(test_aliases_are_bounded),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
