/* Inside of the decoder: watch events as Kubernetes' protobuf, which the server offers for its built-in
 * kinds. What is not wanted is passed over by its length, so that a pod costs a tenth of what its JSON does.
 */
#ifndef INFORMERS_DECODE_PROTO_H
#define INFORMERS_DECODE_PROTO_H

#include "base/buf.h"
#include "informers/decode_fields.h"

enum {
    DECODE_FRAME_MAX = 4 * 1024 * 1024, /* one event */
    DECODE_EVENT_MAX = 16,              /* "MODIFIED" and its NUL */
};

typedef int proto_frame_fn(void *arg, const char *frame, size_t len, struct err *err);

/* Whether objects of type are read from protobuf: the field numbers of pods and nodes are known. */
bool proto_can(enum object_type type);
/* Cuts a stream into its frames (four bytes of length, most significant first, then the event) and calls fn
 * for each; pending (of DECODE_FRAME_MAX) keeps what is not yet whole. 0, fn's error, or -E2BIG. */
int proto_feed(struct buf *pending, const char *data, size_t len, proto_frame_fn *fn, void *arg,
               struct err *err);
/* Reads one event into notes and its type into event_type (DECODE_EVENT_MAX bytes): 0 or -EPROTO. The
 * messages are those of apimachinery's generated.proto: WatchEvent, RawExtension, Unknown. */
int proto_read(const char *frame, size_t len, enum object_type type, struct notes *notes, char *event_type,
               struct err *err);

#endif
