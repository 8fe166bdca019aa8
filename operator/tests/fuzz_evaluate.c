/* Any bytes as a file of evaluate: decided or refused with a word, and the same twice. */
#include "operator/evaluate.h"
#include <stdlib.h>
#include <string.h>

static struct evaluation evaluation(FILE *sink) {
    struct evaluation e = {.out = sink, .complaints = sink, .check = true, .results = json_array()};

    evaluate_options_init(&e.options);
    clock_parse("2026-03-02T10:00:00Z", &e.options.now);
    return e;
}

static char *evaluate_once(struct document_file *file, FILE *sink) {
    struct evaluation e = evaluation(sink);

    evaluate_files(&e, file, 1);
    char *text = json_dumps(e.results, JSON_COMPACT);
    if (json_array_size(e.results) != e.cases)
        abort();
    json_decref(e.results);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static FILE *sink;
    struct document_file file;
    struct err err = {0};

    if (!sink)
        sink = fopen("/dev/null", "we");
    if (documents_parse("in", (const char *)data, size, &file, &err) < 0) {
        if (err.text[0] == '\0')
            abort();
        return 0;
    }
    char *first = evaluate_once(&file, sink), *second = evaluate_once(&file, sink);
    if (strcmp(first, second) != 0)
        abort();
    free(first);
    free(second);
    documents_done(&file);
    return 0;
}
