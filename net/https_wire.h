/* The head of a request as it came over the wire: read piece by piece by http-parser, kept as it was sent
 * (the target percent-encoded, each header line for itself), bounded. Pure. */
#ifndef NET_HTTPS_WIRE_H
#define NET_HTTPS_WIRE_H

#include "base/buf.h"
#include <http_parser.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    HTTPS_MAX_TARGET = 8 * 1024,  /* else 414 */
    HTTPS_MAX_HEADER = 16 * 1024, /* names and values together, else 431 */
    HTTPS_MAX_LINES = 128,        /* else 431 */
};

/* Places in text, whose memory may move. */
struct https_wire_line {
    uint32_t name, value;
};

struct https_wire {
    http_parser parser;
    struct buf text; /* the target, then names and values, each with its NUL */
    struct https_wire_line lines[HTTPS_MAX_LINES];
    int n_lines;
    size_t header_len;
    enum { HTTPS_WIRE_TARGET, HTTPS_WIRE_NAME, HTTPS_WIRE_VALUE } part; /* what text ends with */
    bool line_end;                                                      /* what was read last ended a line */
    bool cr_end;                                                        /* … or is the CR before its end */
    bool begun;                                                         /* something has come */
    bool whole;                                                         /* the head has come to its end */
    bool keep_alive; /* of a whole one: the peer lets another request follow */
    bool has_body;   /* of a whole one: something comes behind it that is no request */
    int refused;     /* 400, 414 or 431: nothing more is read of it */
};

void https_wire_init(struct https_wire *wire);
void https_wire_done(struct https_wire *wire);
/* Ready for the next head. */
void https_wire_reset(struct https_wire *wire);
/* Reads on, up to the end of the head; returns how many bytes belong to it. To be called until it is whole or
 * refused, and then no more. */
size_t https_wire_feed(struct https_wire *wire, const char *data, size_t len);
/* What has come of it, "" where nothing has. Borrowed. */
const char *https_wire_method(const struct https_wire *wire);
const char *https_wire_target(const struct https_wire *wire);

#endif
