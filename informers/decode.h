/* Reads watch events and lists as they arrive, piece by piece, and makes trimmed objects of them; nothing is
 * joined and no document is built (but for policies). Pure. Everything is bounded: what is too large or of
 * the wrong type is skipped and counted, what is not JSON ends the message with an error. */
#ifndef INFORMERS_DECODE_H
#define INFORMERS_DECODE_H

#include "api/types/object.h"
#include "base/err.h"

struct decoder;

/* Whether a stream of objects of this type may be asked for as protobuf, a tenth of the work. */
bool decoder_takes_protobuf(enum object_type type);

enum decode_form {
    DECODE_WATCH,  /* {"type": …, "object": …}, one a message */
    DECODE_STREAM, /* the same, one after the other in one message: a watch over HTTP; pods and nodes also in
                      protobuf */
    DECODE_LIST,   /* {"metadata": …, "items": […]} */
};

enum decode_event { DECODE_ADDED, DECODE_MODIFIED, DECODE_DELETED, DECODE_LISTED };

/* What an ERROR event's Status says. */
struct decode_status {
    int code;
    const char *reason, *message; /* never NULL */
    usec_t retry_after;           /* 0: none */
};

/* Called inside decoder_feed and decoder_finish. Strings are borrowed for the call; object's one reference is
 * the callee's. */
struct decode_handler {
    void (*on_object)(void *arg, enum decode_event event, struct object *object);
    /* initial_end: the streaming list is whole. */
    void (*on_bookmark)(void *arg, const char *resource_version, bool initial_end);
    void (*on_error)(void *arg, const struct decode_status *status);
    /* An object that cannot be used was left out; name may be "". */
    void (*on_skipped)(void *arg, const char *name, const char *why);
    void *arg;
};

/* Owned by the caller; pool (borrowed) is where the objects' shared strings go. */
struct decoder *decoder_new(enum decode_form form, enum object_type type, struct str_pool *pool,
                            const struct decode_handler *handler);
void decoder_free(struct decoder *decoder);

/* Takes a piece of a message: 0, -EPROTO (not JSON, not an object, too deep) or -E2BIG (a text over 3 MiB).
 * After a failure only decoder_reset helps. Listed and streamed objects are handed over as they are complete.
 */
int decoder_feed(struct decoder *decoder, const char *data, size_t len, struct err *err);
/* Ends a message: -EPROTO where it is not complete (a stream: where it ends inside an event). Hands over a
 * watch's event, and makes ready for the next message. */
int decoder_finish(struct decoder *decoder, struct err *err);
/* Forgets a message that was cut off. */
void decoder_reset(struct decoder *decoder);

/* Of the list that was finished last: its version and the token of the next page ("": none). Borrowed until
 * the next feed. */
const char *decoder_list_version(const struct decoder *decoder);
const char *decoder_list_continue(const struct decoder *decoder);

#endif
