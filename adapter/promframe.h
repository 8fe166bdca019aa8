/* What every answer of Prometheus' HTTP API has around its data: {"status":"success","data":…,"warnings":[…]}
 * or {"status":"error","errorType":…,"error":…}, its fields in any order. A reader embeds the frame, puts the
 * frame's tables among its own, and reads data itself. Bounded and pure. */
#ifndef ADAPTER_PROMFRAME_H
#define ADAPTER_PROMFRAME_H

#include "adapter/jsonfeed.h"

enum { PROMFRAME_TEXT_MAX = ERR_TEXT_MAX }; /* of a text of the server's, the NUL included */

/* A reader numbers its own places and fields from the last ones on. */
enum promframe_place {
    PROMFRAME_AT_TOP,
    PROMFRAME_AT_ROOT,
    PROMFRAME_AT_DATA,
    PROMFRAME_AT_WARNINGS,
    PROMFRAME_AT_SKIPPED, /* somewhere below a field that does not matter */
    PROMFRAME_PLACES,
};
enum promframe_field {
    PROMFRAME_OTHER,
    PROMFRAME_STATUS,
    PROMFRAME_ERROR_TYPE,
    PROMFRAME_ERROR,
    PROMFRAME_DATA,
    PROMFRAME_WARNINGS,
    PROMFRAME_FIELDS,
};

/* The frame's lines of a reader's tables; data is the kind of jsonfeed_kind that data is of. */
#define PROMFRAME_FIELD_LINES                                                                                \
    {"status", PROMFRAME_AT_ROOT, PROMFRAME_STATUS}, {"data", PROMFRAME_AT_ROOT, PROMFRAME_DATA},            \
        {"errorType", PROMFRAME_AT_ROOT, PROMFRAME_ERROR_TYPE},                                              \
        {"error", PROMFRAME_AT_ROOT, PROMFRAME_ERROR}, {                                                     \
        "warnings", PROMFRAME_AT_ROOT, PROMFRAME_WARNINGS                                                    \
    }
#define PROMFRAME_OPENING_LINES(data)                                                                        \
    {PROMFRAME_AT_TOP, PROMFRAME_OTHER, JSONFEED_MAP, PROMFRAME_AT_ROOT},                                    \
        {PROMFRAME_AT_ROOT, PROMFRAME_DATA, (data), PROMFRAME_AT_DATA},                                      \
        {PROMFRAME_AT_ROOT, PROMFRAME_WARNINGS, JSONFEED_LIST, PROMFRAME_AT_WARNINGS},                       \
        {PROMFRAME_AT_ROOT, PROMFRAME_OTHER, JSONFEED_ANY, PROMFRAME_AT_SKIPPED}, {                          \
        PROMFRAME_AT_SKIPPED, PROMFRAME_OTHER, JSONFEED_ANY, PROMFRAME_AT_SKIPPED                            \
    }

/* Embedded in a reader. */
struct promframe {
    struct jsonfeed feed;
    bool has_data;                    /* data is there, if only as null */
    char warning[PROMFRAME_TEXT_MAX]; /* the warnings, joined with "; ", or "" */

    char status[16], error_type[64], error[PROMFRAME_TEXT_MAX];
};

/* As jsonfeed_init; arg is what the grammar's functions get. */
void promframe_init(struct promframe *frame, const struct jsonfeed_grammar *grammar, void *arg,
                    size_t max_bytes);
void promframe_done(struct promframe *frame);
/* A scalar at one of the frame's places, other than data's. */
int promframe_scalar(struct promframe *frame, enum jsonfeed_token token, const char *text, size_t len);
/* To be called by the grammar's enter for what it does not know. */
int promframe_enter(struct promframe *frame, const struct jsonfeed_opening *opening);
/* Ends the answer: 0 where it was whole and a success, -EINVAL where the server tells of an error, in its
 * words; else -EBADMSG or what jsonfeed_finish returned. */
int promframe_finish(struct promframe *frame, struct err *err);

#endif
