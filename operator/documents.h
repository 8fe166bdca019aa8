/* Documents out of files: YAML streams and JSON, read into one form, and the line on which a field stands for
 * whoever has to say what is wrong with it. Everything is bounded. */
#ifndef OPERATOR_DOCUMENTS_H
#define OPERATOR_DOCUMENTS_H

#include "base/err.h"
#include <jansson.h>
#include <stddef.h>

enum {
    DOCUMENTS_BYTES_MAX = 128 * 1024 * 1024, /* of a file */
    DOCUMENTS_DEPTH_MAX = 100,
    DOCUMENTS_NODES_MAX = 8 * 1000 * 1000, /* of a YAML file, what its aliases stand for counted too */
};

/* A file and the documents in it. */
struct document_file {
    const char *name; /* for messages; borrowed */
    char *text;       /* owned */
    size_t len;
    json_t *documents;             /* an array in the file's order; owned. An empty YAML document is a null */
    struct documents_lines *lines; /* made when the first line is asked for; owned */
};

/* Reads the file at path ("-": standard input, called "stdin") and parses it; path must live as long as the
 * result. A text that begins with { or [ is JSON (several documents may follow each other), any other YAML.
 * err says "FILE:LINE: what is wrong"; -EINVAL, -E2BIG, or what open and read give. */
int documents_read(const char *path, struct document_file *ret_file, struct err *err);
/* The same of a text that is there already; it is copied. */
int documents_parse(const char *name, const char *text, size_t len, struct document_file *ret_file,
                    struct err *err);
/* Only the text, which is owned by the caller: for whoever parses it in another way. */
int documents_read_text(const char *path, char **ret_text, size_t *ret_len, struct err *err);
void documents_done(struct document_file *file);

/* The line, from 1, of the field that path ("spec.metrics[1].query") names in the index-th document of the
 * file, or of the innermost one on the way to it that is there; 0 where that cannot be told. The first time
 * it parses the file anew: for messages only. */
size_t documents_line(struct document_file *file, size_t index, const char *path);

#endif
