/* The frame that the streaming readers of JSON answers share: it knows where in the document the reader is
 * and what the names there mean, both by tables of the reader's, keeps the first failure, and counts bytes.
 * Bounded and pure. */
#ifndef ADAPTER_JSONFEED_H
#define ADAPTER_JSONFEED_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <yajl/yajl_parse.h>

enum { JSONFEED_DEPTH_MAX = 32 };

/* Places and fields are numbers of the reader's own; a document begins at place 0, and field 0 is any name
 * that means nothing. */
struct jsonfeed_field {
    const char *name;
    int place, field;
};

enum jsonfeed_kind { JSONFEED_MAP, JSONFEED_LIST, JSONFEED_ANY };
/* What may be opened where, and where that leads. What is in no line of the table is an error. */
struct jsonfeed_opening {
    int place, field;
    enum jsonfeed_kind kind;
    int inside;
};

enum jsonfeed_token { JSONFEED_NULL, JSONFEED_BOOLEAN, JSONFEED_NUMBER, JSONFEED_STRING };

/* The functions return 1 to go on, and 0 (from jsonfeed_fail or jsonfeed_wrong) to stop. */
struct jsonfeed_grammar {
    const struct jsonfeed_field *fields;
    size_t field_count;
    const struct jsonfeed_opening *openings;
    size_t opening_count;
    int (*scalar)(void *arg, enum jsonfeed_token token, const char *text, size_t len);
    int (*enter)(void *arg, const struct jsonfeed_opening *opening); /* just opened */
    int (*leave)(void *arg, int place);                              /* just closed */
    int (*key)(void *arg, const char *name, size_t len);             /* after the look-up; may set field */
};

/* The first four of a grammar, of two arrays. */
#define JSONFEED_TABLES(fields, openings)                                                                    \
    (fields), sizeof(fields) / sizeof((fields)[0]), (openings), sizeof(openings) / sizeof((openings)[0])

/* Embedded in a reader. */
struct jsonfeed {
    const struct jsonfeed_grammar *grammar;
    void *arg;
    const char *what; /* "Prometheus'", "a PodMetricsList": what the document should be */
    int place, field; /* where the reader is, and the innermost name there */
    struct err failure;
    size_t bytes;

    size_t max_bytes;
    size_t since_token; /* bytes that came in behind the last whole token */
    yajl_handle yajl;
    int depth;
    int places[JSONFEED_DEPTH_MAX]; /* those around place */
};

/* what and grammar are borrowed; a document of more than max_bytes is refused. */
void jsonfeed_init(struct jsonfeed *feed, const struct jsonfeed_grammar *grammar, void *arg, const char *what,
                   size_t max_bytes);
void jsonfeed_done(struct jsonfeed *feed);
/* The next piece. Negative (-EBADMSG malformed, -E2BIG past a limit, or what the reader said) where no later
 * piece can make the document good; jsonfeed_finish will say the same. */
int jsonfeed_feed(struct jsonfeed *feed, const char *data, size_t len, struct err *err);
/* The end of the document: 0 where it is whole and was good. */
int jsonfeed_finish(struct jsonfeed *feed, struct err *err);

/* Keeps the first failure and returns 0, yajl's "stop". */
int jsonfeed_fail(struct jsonfeed *feed, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with -EBADMSG and "the answer is not Prometheus': …". */
int jsonfeed_wrong(struct jsonfeed *feed, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The failure that was kept, as the functions above return it; 0: none. */
int jsonfeed_failure(const struct jsonfeed *feed, struct err *err);

#endif
