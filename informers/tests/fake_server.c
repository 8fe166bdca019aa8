/* The apiserver in memory. */
#include "informers/tests/fake_server.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

static struct fake_connection *new_connection(struct fake_server *s, const char *path) {
    for (int i = 0; i < FAKE_CONNECTIONS; i++)
        if (!s->connections[i].open) {
            struct fake_connection *c = &s->connections[i];
            *c = (struct fake_connection){.open = true, .at = -1};
            snprintf(c->path, sizeof(c->path), "%s", path);
            if (!s->first_path[0])
                snprintf(s->first_path, sizeof(s->first_path), "%s", path);
            snprintf(s->last_path, sizeof(s->last_path), "%s", path);
            return c;
        }
    abort();
}

static void *fake_list(void *arg, const struct kube_request *request) {
    struct fake_server *s = arg;
    struct fake_connection *c = new_connection(s, request->path);

    s->lists++;
    c->is_list = true;
    c->request = *request;
    return c;
}

static void *fake_watch(void *arg, const char *path, const struct ws_request *callbacks) {
    struct fake_server *s = arg;
    struct fake_connection *c = new_connection(s, path);

    s->watches++;
    c->callbacks = *callbacks;
    return c;
}

static void fake_close(void *arg, void *connection) {
    (void)arg;
    ((struct fake_connection *)connection)->open = false;
}

void fake_server_init(struct fake_server *s, bool can_stream) {
    *s = (struct fake_server){.can_stream = can_stream, .version = 1, .fault_at = -1, .fault_times = 1};
    s->transport = (struct informer_transport){fake_list, fake_close, fake_watch, fake_close, s};
}

static void append(struct fake_server *s, int type, int name) {
    if (s->log_count == FAKE_LOG)
        abort();
    s->log[s->log_count++] = (struct fake_event){type, name, ++s->version};
}

void fake_server_put(struct fake_server *s, int name) {
    append(s, s->objects[name] ? 'M' : 'A', name);
    s->objects[name] = s->version;
}

void fake_server_delete(struct fake_server *s, int name) {
    append(s, 'D', name);
    s->objects[name] = 0;
}

void fake_server_compact(struct fake_server *s) {
    s->oldest = ++s->version;
    s->log_count = 0;
}

static void end_watch(struct fake_connection *c, int status, int code) {
    struct ws_end end = {.status = status};

    if (code)
        err_set(&end.err, code, "status %d", status);
    c->open = false;
    c->callbacks.on_end(c->callbacks.arg, &end);
}

static void end_list(struct fake_connection *c, int status, int code) {
    struct kube_reply reply = {.status = status, .reason = ""};

    if (code)
        err_set(&reply.err, code, "status %d", status);
    c->open = false;
    c->request.on_done(c->request.arg, &reply);
}

void fake_server_close_watches(struct fake_server *s) {
    for (int i = 0; i < FAKE_CONNECTIONS; i++)
        if (s->connections[i].open && !s->connections[i].is_list)
            end_watch(&s->connections[i], 101, 0);
}

int fake_server_open(const struct fake_server *s) {
    int open = 0;

    for (int i = 0; i < FAKE_CONNECTIONS; i++)
        open += s->connections[i].open;
    return open;
}

/* The number that follows name in a path, or otherwise. */
static int query(const char *path, const char *name, int otherwise) {
    const char *at = strstr(path, name);
    return at ? (int)strtol(at + strlen(name), NULL, 10) : otherwise;
}

static void put_object(struct buf *out, int name, int version) {
    buf_printf(
        out,
        "{\"metadata\":{\"name\":\"p%d\",\"namespace\":\"n\",\"uid\":\"u%d\",\"resourceVersion\":\"%d\","
        "\"labels\":{\"app\":\"a%d\"}},\"status\":{\"phase\":\"Running\"}}",
        name, name, version, name % 3);
}

static int fault_status(enum fake_fault fault) {
    switch (fault) {
    case FAULT_410:
        return 410;
    case FAULT_429:
        return 429;
    case FAULT_500:
        return 500;
    case FAULT_403:
        return 403;
    case FAULT_NONE:
    case FAULT_LOST:
    case FAULT_CUT:
    case FAULT_GARBAGE:
    case FAULT_COUNT:
    default:
        return 0;
    }
}

/* What the next thing done meets with. */
static enum fake_fault next_fault(struct fake_server *s) {
    int at = s->done++;

    return s->fault_at >= 0 && at >= s->fault_at && at < s->fault_at + s->fault_times ? s->fault : FAULT_NONE;
}

/* A piece, over HTTP or over the websocket; < 0: not accepted. */
static int say(struct fake_connection *c, const char *text, size_t len, bool last, struct err *err) {
    if (c->is_list)
        return c->request.on_body(c->request.arg, text, len, err);
    return c->callbacks.on_data(c->callbacks.arg, text, len, last, err);
}

static void hang_up(struct fake_connection *c, int code) {
    if (c->is_list)
        end_list(c, code ? 0 : 200, code);
    else
        end_watch(c, 101, code);
}

/* Sends an event in two pieces; false: the connection is over. */
static bool send(struct fake_server *s, struct fake_connection *c, const struct buf *message) {
    enum fake_fault fault = next_fault(s);
    size_t half = message->len / 2;
    struct err err = {0};
    int status = fault_status(fault), ret = 0;

    if (status) {
        char text[128];
        int len = snprintf(text, sizeof(text),
                           "{\"type\":\"ERROR\",\"object\":{\"code\":%d,\"message\":\"m\"}}", status);
        say(c, text, (size_t)len, true, &err);
        hang_up(c, 0);
        return false;
    }
    if (fault != FAULT_LOST)
        ret = say(c, message->data, half, false, &err);
    if (fault == FAULT_LOST || fault == FAULT_CUT)
        ret = -ECONNRESET;
    if (ret == 0 && c->open)
        ret = say(c, fault == FAULT_GARBAGE ? "]x" : message->data + half,
                  fault == FAULT_GARBAGE ? 2 : message->len - half, true, &err);
    if (ret < 0)
        hang_up(c, ret);
    return ret == 0 && c->open;
}

static bool send_event(struct fake_server *s, struct fake_connection *c, const char *type, int name,
                       int version) {
    cleanup_buf struct buf out;

    buf_init(&out, 4096);
    buf_printf(&out, "{\"type\":\"%s\",\"object\":", type);
    put_object(&out, name, version);
    buf_puts(&out, "}");
    return send(s, c, &out);
}

/* The end of a streaming list. */
static bool send_bookmark(struct fake_server *s, struct fake_connection *c) {
    cleanup_buf struct buf out;

    buf_init(&out, 4096);
    buf_printf(&out,
               "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"%d\","
               "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}",
               s->version);
    return send(s, c, &out);
}

/* A watch over HTTP, which the client ends with the bookmark. */
static void stream_list(struct fake_server *s, struct fake_connection *c) {
    enum fake_fault fault = next_fault(s);
    int status = fault_status(fault);

    if (!status && !s->can_stream)
        status = 422;
    if (status || fault != FAULT_NONE) {
        end_list(c, status, status ? -EIO : -ECONNRESET);
        return;
    }
    for (int i = 0; i < FAKE_NAMES; i++)
        if (s->objects[i] && !send_event(s, c, "ADDED", i, s->objects[i]))
            return;
    send_bookmark(s, c);
}

/* The handshake; false: refused. */
static bool accept_watch(struct fake_server *s, struct fake_connection *c) {
    enum fake_fault fault = next_fault(s);
    int status = fault_status(fault);

    c->at = query(c->path, "resourceVersion=", 0);
    if (!status && c->at < s->oldest)
        status = 410;
    if (fault != FAULT_NONE || status) {
        end_watch(c, status, status ? -EIO : -ECONNREFUSED);
        return false;
    }
    c->callbacks.on_open(c->callbacks.arg);
    return true;
}

static void pump_watch(struct fake_server *s, struct fake_connection *c) {
    if (c->at < 0 && !accept_watch(s, c))
        return;
    for (int i = 0; i < s->log_count; i++) {
        const struct fake_event *e = &s->log[i];
        const char *type = e->type == 'A' ? "ADDED" : e->type == 'M' ? "MODIFIED" : "DELETED";
        if (e->version <= c->at)
            continue;
        c->at = e->version;
        if (!send_event(s, c, type, e->name, e->version))
            return;
    }
}

static void write_page(const struct fake_server *s, const struct fake_connection *c, struct buf *out) {
    int from = query(c->path, "continue=t", 0), count = 0, next = 0;

    buf_puts(out, "{\"kind\":\"PodList\",\"items\":[");
    for (int i = from; i < FAKE_NAMES && !next; i++) {
        if (s->objects[i] && count == FAKE_PAGE) {
            next = i;
        } else if (s->objects[i]) {
            buf_puts(out, count++ ? "," : "");
            put_object(out, i, s->objects[i]);
        }
    }
    buf_printf(out, "],\"metadata\":{\"resourceVersion\":\"%d\",\"continue\":\"", s->version);
    if (next)
        buf_printf(out, "t%d", next);
    buf_puts(out, "\"}}");
}

static void pump_list(struct fake_server *s, struct fake_connection *c) {
    cleanup_buf struct buf out;
    struct err err = {0};
    enum fake_fault fault = next_fault(s);
    int status = fault_status(fault);

    buf_init(&out, 65536);
    if (status || fault == FAULT_LOST) {
        end_list(c, status, status ? -EIO : -ECONNRESET);
        return;
    }
    write_page(s, c, &out);
    int ret = c->request.on_body(c->request.arg, out.data, fault ? out.len / 2 : out.len, &err);
    if (ret == 0 && fault == FAULT_GARBAGE)
        ret = c->request.on_body(c->request.arg, "}}]]", 4, &err);
    if (ret == 0 && fault == FAULT_CUT)
        ret = -ECONNRESET;
    end_list(c, ret ? 0 : 200, ret);
}

void fake_server_pump(struct fake_server *s) {
    for (int i = 0; i < FAKE_CONNECTIONS; i++) {
        struct fake_connection *c = &s->connections[i];
        if (c->open && strstr(c->path, "sendInitialEvents"))
            stream_list(s, c);
        else if (c->open && c->is_list)
            pump_list(s, c);
        else if (c->open)
            pump_watch(s, c);
    }
}
