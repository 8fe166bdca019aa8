/* Reading request heads. http-parser knows the grammar and hands over pieces of the target, of names and of
 * values as they come; here they are put together and counted. */
#include "net/https_wire.h"

#include "net/httpsserver.h"
#include <string.h>
#include <strings.h>

enum {
    MAX_TEXT = HTTPS_MAX_TARGET + HTTPS_MAX_HEADER + 2 * HTTPS_MAX_LINES + 2,
    MAX_KEPT = 4096, /* of an idle connection's memory */
};

/* What a callback returns to make the parser stop. */
static int refuse(struct https_wire *wire, int status) {
    wire->refused = status;
    return 1;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Blanks behind a value are no part of it (RFC 9112, 5.1); the parser leaves out those before it. */
static void end_text(struct https_wire *wire) {
    struct buf *text = &wire->text;
    if (wire->part == HTTPS_WIRE_VALUE)
        while (text->len > wire->lines[wire->n_lines - 1].value && is_blank(text->data[text->len - 1]))
            text->len--;
    buf_append(text, "", 1);
}

/* The place of the text that comes next. */
static uint32_t mark(const struct https_wire *wire) {
    return (uint32_t)wire->text.len;
}

/* Counted before it is kept, so that text never passes its maximum. */
static int add_header_text(struct https_wire *wire, const char *at, size_t len) {
    wire->header_len += len;
    if (wire->header_len > HTTPS_MAX_HEADER)
        return refuse(wire, 431);
    buf_append(&wire->text, at, len);
    return 0;
}

static int on_url(http_parser *parser, const char *at, size_t len) {
    struct https_wire *wire = parser->data;
    if (wire->text.len + len > HTTPS_MAX_TARGET)
        return refuse(wire, 414);
    if (memchr(at, '\t', len) || memchr(at, '\f', len)) /* let through by the parser as Debian builds it */
        return refuse(wire, 400);
    buf_append(&wire->text, at, len);
    return 0;
}

/* A name that comes in pieces goes on; one behind a value, or behind the target, begins a line. */
static int on_name(http_parser *parser, const char *at, size_t len) {
    struct https_wire *wire = parser->data;
    if (wire->part != HTTPS_WIRE_NAME) {
        if (wire->n_lines == HTTPS_MAX_LINES)
            return refuse(wire, 431);
        end_text(wire);
        wire->lines[wire->n_lines++].name = mark(wire);
        wire->part = HTTPS_WIRE_NAME;
    }
    /* The parser lets blanks through here. "Name : value" must be refused (RFC 9112, 5.1): who takes it for
     * "Name", and who does not, would see two different users. */
    return memchr(at, ' ', len) ? refuse(wire, 400) : add_header_text(wire, at, len);
}

static int on_value(http_parser *parser, const char *at, size_t len) {
    struct https_wire *wire = parser->data;
    if (wire->part != HTTPS_WIRE_VALUE) {
        end_text(wire);
        wire->lines[wire->n_lines - 1].value = mark(wire);
        wire->part = HTTPS_WIRE_VALUE;
    }
    return add_header_text(wire, at, len);
}

/* Without one, or with two, proxies disagree about whom it is for (RFC 9112, 3.2). */
static bool has_wrong_host(const struct https_wire *wire) {
    int hosts = 0;
    for (int i = 0; i < wire->n_lines; i++)
        hosts += strcasecmp(wire->text.data + wire->lines[i].name, "host") == 0;
    return hosts > 1 || (hosts == 0 && wire->parser.http_minor > 0);
}

/* http-parser would go on with the body; we do not. */
static int on_head(http_parser *parser) {
    struct https_wire *wire = parser->data;
    end_text(wire);
    if (has_wrong_host(wire)) {
        refuse(wire, 400);
        return -1; /* 1 and 2 say something about the body here */
    }
    wire->whole = true;
    wire->keep_alive = http_should_keep_alive(parser);
    /* Of a coding that is not chunked nobody can tell where it ends. */
    wire->has_body = parser->uses_transfer_encoding || (parser->flags & F_UPGRADE) ||
                     parser->method == HTTP_CONNECT ||
                     ((parser->flags & F_CONTENTLENGTH) && parser->content_length > 0);
    return 2; /* stop here, whatever follows */
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
};

void https_wire_init(struct https_wire *wire) {
    buf_init(&wire->text, MAX_TEXT);
    https_wire_reset(wire);
}

void https_wire_done(struct https_wire *wire) {
    buf_done(&wire->text);
}

void https_wire_reset(struct https_wire *wire) {
    http_parser_init(&wire->parser, HTTP_REQUEST);
    wire->parser.data = wire;
    if (wire->text.cap > MAX_KEPT)
        buf_done(&wire->text);
    else
        buf_reset(&wire->text);
    wire->n_lines = 0;
    wire->header_len = 0;
    wire->part = HTTPS_WIRE_TARGET;
    wire->line_end = wire->cr_end = wire->begun = wire->whole = wire->keep_alive = wire->has_body = false;
    wire->refused = 0;
}

/* The place of a blank that begins a line, or of a LF without its CR; len where there is neither.
 *
 * The parser would put the halves of a value that is folded over two lines together. Others put a blank
 * between them, and would see another user (RFC 9112, 5.2). And it takes a LF for the end of a line, where
 * whoever passed the request on may have seen a value that goes on: what follows would be a header to us
 * alone. */
static size_t find_wrong_end(const struct https_wire *wire, const char *data, size_t len) {
    if (wire->line_end && is_blank(data[0]))
        return 0;
    for (const char *at = data, *end = data + len; (at = memchr(at, '\n', (size_t)(end - at)));) {
        if (at > data ? at[-1] != '\r' : !wire->cr_end)
            return (size_t)(at - data);
        if (++at < end && is_blank(*at))
            return (size_t)(at - data);
    }
    return len;
}

/* What is behind the head is not looked at: bodies have what ends they like. */
static size_t parse(struct https_wire *wire, const char *data, size_t len) {
    size_t wrong = find_wrong_end(wire, data, len);
    /* Nothing to read is to the parser the end of the connection. */
    size_t used = wrong ? http_parser_execute(&wire->parser, &settings, data, wrong) : 0;
    bool ended = wire->whole || wire->refused || HTTP_PARSER_ERRNO(&wire->parser) != HPE_OK;
    if (!ended && wrong < len)
        wire->refused = 400;
    wire->line_end = used > 0 && data[used - 1] == '\n';
    wire->cr_end = used > 0 && data[used - 1] == '\r';
    return used;
}

size_t https_wire_feed(struct https_wire *wire, const char *data, size_t len) {
    if (len == 0)
        return 0;
    wire->begun = true;
    size_t used = parse(wire, data, len);
    if (wire->whole && wire->parser.http_major != 1) { /* HTTP/0.9 has no version */
        wire->whole = false;
        wire->refused = 400;
    }
    if (!wire->whole && !wire->refused && HTTP_PARSER_ERRNO(&wire->parser) != HPE_OK)
        wire->refused = 400;
    return used;
}

const char *https_wire_method(const struct https_wire *wire) {
    bool known = wire->text.len > 0 || wire->refused == 414; /* it comes before the target */
    return known ? http_method_str((enum http_method)wire->parser.method) : "";
}

const char *https_wire_target(const struct https_wire *wire) {
    return wire->text.data;
}

/* --- for handlers: net/httpsserver.h --- */

/* A line that is not whole has no value yet; only of a refused request there may be one, the last. */
static int whole_lines(const struct https_wire *wire) {
    return wire->whole || wire->n_lines == 0 ? wire->n_lines : wire->n_lines - 1;
}

static void each_line(const struct https_wire *wire, const char *name, size_t len, bool prefix,
                      https_header_fn *fn, void *arg) {
    for (int i = 0; i < whole_lines(wire); i++) {
        const char *at = wire->text.data + wire->lines[i].name;
        if (strncasecmp(at, name, len) == 0 && (prefix || at[len] == '\0'))
            fn(arg, at, wire->text.data + wire->lines[i].value);
    }
}

void https_header(const struct https_request *request, const char *name, https_header_fn *fn, void *arg) {
    each_line(request->wire, name, strlen(name), false, fn, arg);
}

void https_header_prefix(const struct https_request *request, const char *prefix, https_header_fn *fn,
                         void *arg) {
    each_line(request->wire, prefix, strlen(prefix), true, fn, arg);
}

static void take_first(void *arg, const char *name, const char *value) {
    const char **first = arg;
    (void)name;
    if (!*first)
        *first = value;
}

const char *https_header_first(const struct https_request *request, const char *name) {
    const char *first = NULL;
    https_header(request, name, take_first, &first);
    return first;
}
