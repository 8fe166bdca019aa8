/* Reading files of documents; JSON by jansson, YAML in documents_yaml.c.
 *
 * A file is read whole and its text kept beside what was made of it: jansson keeps no lines, so the text is
 * parsed a second time, by libyaml, as soon as a message needs one. Most files never need it. */
#include "operator/documents.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "operator/documents_internal.h"

#include <errno.h>
#include <string.h>

/* strchr would find a NUL too, the end of its own set: a text with one does not get here. */
static size_t skip_blank(const char *text, size_t at, size_t len) {
    while (at < len && strchr(" \t\r\n", text[at]))
        at++;
    return at;
}

/* YAML would read JSON too, but a hundred times slower and with other messages. */
static bool is_json(const char *text, size_t len) {
    size_t at = skip_blank(text, 0, len);

    return at < len && (text[at] == '{' || text[at] == '[');
}

/* jansson counts lines from where it began to read: for a message those before are counted anew. */
static size_t line_at(const char *text, size_t offset) {
    size_t line = 1;

    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

/* One document after the other; "---" may stand between them, as in a YAML stream. How deep they are nested
 * jansson itself bounds (JSON_PARSER_MAX_DEPTH, 2048), so whoever walks them may do it by recursion. */
static int parse_json(struct document_file *file, struct err *err) {
    size_t at = skip_blank(file->text, 0, file->len);

    while (at < file->len) {
        json_error_t error;
        /* A key that is there twice is refused, as in YAML: which of the two is meant would be a guess. */
        json_t *document = json_loadb(file->text + at, file->len - at,
                                      JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &error);
        if (!document)
            return err_set(err, -EINVAL, "%s:%zu: not JSON: %s", file->name,
                           line_at(file->text, at) + (size_t)(error.line > 0 ? error.line - 1 : 0),
                           error.text);
        json_array_append_new(file->documents, document);
        /* Without the check for the end, position is the number of bytes that the document took. */
        at = skip_blank(file->text, at + (size_t)error.position, file->len);
        if (file->len - at >= 3 && memcmp(file->text + at, "---", 3) == 0)
            at = skip_blank(file->text, at + 3, file->len);
    }
    return 0;
}

static int parse(struct document_file *file, struct err *err) {
    int ret;

    file->documents = json_array();
    /* Texts are C strings from here on. */
    if (memchr(file->text, '\0', file->len))
        ret = err_set(err, -EINVAL, "%s: neither YAML nor JSON: there is a NUL in it", file->name);
    else if (is_json(file->text, file->len))
        ret = parse_json(file, err);
    else
        ret = documents_parse_yaml(file, err);
    if (ret < 0)
        documents_done(file);
    return ret;
}

/* Here the text may be a test's or a fuzzer's, of any length; documents_read has bounded it while reading. */
int documents_parse(const char *name, const char *text, size_t len, struct document_file *ret_file,
                    struct err *err) {
    struct document_file file = {.name = name, .text = xstrndup(text, len), .len = len};

    if (len > DOCUMENTS_BYTES_MAX || strlen(file.text) != len) {
        documents_done(&file);
        return err_set(err, -EINVAL, "%s: neither YAML nor JSON: it is too large, or there is a NUL in it",
                       name);
    }
    int ret = parse(&file, err);
    if (ret == 0)
        *ret_file = file;
    return ret;
}

/* A directory can be opened like a file on Linux; only reading it fails. */
static int read_stream(FILE *f, const char *name, struct buf *buf, struct err *err) {
    char piece[65536];
    size_t n;

    while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
        if (buf_append(buf, piece, n) < 0)
            return err_set(err, -E2BIG, "%s: larger than %d bytes", name, DOCUMENTS_BYTES_MAX);
    if (!ferror(f))
        return 0;
    if (errno == EISDIR)
        return err_set(err, -EISDIR, "%s: is a directory: name the files in it", name);
    return err_set(err, -EIO, "%s: cannot be read: %s", name, strerror(errno));
}

int documents_read_text(const char *path, char **ret_text, size_t *ret_len, struct err *err) {
    bool standard = str_eq(path, "-");
    cleanup_file FILE *opened = standard ? NULL : fopen(path, "re");
    cleanup_buf struct buf buf;

    buf_init(&buf, DOCUMENTS_BYTES_MAX);
    if (!standard && !opened)
        return err_set(err, -errno, "%s: %s", path, strerror(errno));
    int ret = read_stream(standard ? stdin : opened, standard ? "stdin" : path, &buf, err);
    if (ret < 0)
        return ret;
    *ret_len = buf.len;
    *ret_text = buf_detach(&buf);
    return 0;
}

int documents_read(const char *path, struct document_file *ret_file, struct err *err) {
    struct document_file file = {.name = str_eq(path, "-") ? "stdin" : path};

    int ret = documents_read_text(path, &file.text, &file.len, err);
    if (ret < 0 || !file.text)
        return ret;
    ret = parse(&file, err);
    if (ret == 0)
        *ret_file = file;
    return ret;
}

void documents_done(struct document_file *file) {
    documents_lines_free(file->lines);
    free(file->text);
    json_decref(file->documents);
    *file = (struct document_file){0};
}
