/* The reflector's arms and legs. Actions are carried out on a later turn than the event that caused them, so
 * that nothing is closed inside its own callback; in between the old connection is not listened to. */
#include "informers/follower.h"

#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"
#include "informers/decode.h"
#include "informers/reflector.h"
#include "net/url.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATH_MAX_BYTES = 64 * 1024,
    LIST_TIMEOUT_SEC = 300, /* of a page, and of a streaming list */
};
/* A list is decoded as it arrives and never kept; this only ends what does not end by itself. */
static const size_t list_max_body = (size_t)4 << 30;

struct follower {
    struct follower_options options;
    struct reflector reflector;
    struct decoder *decoder; /* of what is open, or was last */
    void *watch, *call;      /* the transport's handles */
    struct loop_timer *act;  /* carries out the pending actions */
    struct loop_timer *wait; /* BACKOFF, and the silence of a list */
    unsigned pending;        /* enum reflector_action */
    bool deaf;               /* what is open is about to be closed: nothing from it counts */
    bool synced;
    bool streaming;   /* call is a streaming list, not a page */
    bool want_json;   /* the last streaming list failed: its reasons are readable in JSON only */
    bool garbled;     /* the watch was closed by us for what it brought */
    usec_t last_data; /* of the list under way */
    uint32_t epoch;
    uint64_t random;
    struct follower_stats stats;
};

/* A server that is away for an hour fails hundreds of times: one line for each doubling is enough. */
static void log_failure(const struct follower *f, usec_t delay) {
    char text[CLOCK_TEXT_MAX];
    uint32_t failures = f->reflector.failures;

    if (!f->reflector.error.code || (failures & (failures - 1)))
        return; /* the 1st, 2nd, 4th, 8th … time */
    log_warn(f->options.subject, "%s; trying again in %s", err_text(&f->reflector.error),
             clock_format_duration(delay, text));
}

/* Hands an event to the reflector and notes what is to be done. */
static void step(struct follower *f, struct reflector_event event) {
    event.random = backoff_random(&f->random);
    struct reflector_step step = reflector_next(&f->reflector, &event);

    if (event.type == REFLECT_ERROR || event.type == REFLECT_FAILED)
        f->stats.errors++;
    if (step.actions & REFLECT_DO_SWEEP) {
        f->synced = true;
        f->want_json = false; /* here, since a streaming list that is whole is cut off and never done */
        f->options.handler.on_listed(f->options.handler.arg, f->options.ns, f->epoch);
    }
    if (step.actions & REFLECT_DO_CLOSE)
        f->deaf = true;
    if (step.actions & REFLECT_DO_WAIT) {
        log_failure(f, step.delay);
        loop_timer_set(f->wait, step.delay);
    }
    f->pending |= step.actions & ~(unsigned)(REFLECT_DO_SWEEP | REFLECT_DO_WAIT);
    if (f->pending)
        loop_timer_set(f->act, 0);
}

/* The wait of BACKOFF is over, or it is time to see whether the list under way still brings something: a
 * watch notices a silent server by itself, a request would not before its timeout. */
static void on_wait_over(void *arg) {
    struct follower *f = arg;
    usec_t silent = loop_now(f->options.loop) - f->last_data;

    if (!f->call)
        step(f, (struct reflector_event){.type = REFLECT_TIMER});
    else if (silent < f->options.list_stall)
        loop_timer_set(f->wait, f->options.list_stall - silent);
    else if (!f->deaf)
        step(f, (struct reflector_event){.type = REFLECT_FAILED,
                                         .code = -ETIMEDOUT,
                                         .text = "the server has gone silent in a list"});
}

/* What a page brings is no step of its own: the version to go on from comes with its end. A change is one,
 * for the watch resumes from the last. The version is copied because the handler may free the object.
 *
 * One piece of a stream may hold more than the event that ends it. What comes behind that one is not taken,
 * here and in the two below: a second step would order a second connection beside the first, and the next
 * watch brings the same events once more. */
static void on_decoded(void *arg, enum decode_event event, struct object *object) {
    struct follower *f = arg;
    char version[REFLECTOR_VERSION_MAX];

    if (f->deaf) {
        object_unref(object);
        return;
    }
    size_t len = strnlen(object->resource_version, sizeof(version) - 1);
    memcpy(version, object->resource_version, len);
    version[len] = '\0';
    if (event == DECODE_DELETED) {
        f->options.handler.on_deleted(f->options.handler.arg, object->key);
        object_unref(object);
    } else {
        f->options.handler.on_object(f->options.handler.arg, object, f->epoch);
    }
    if (event == DECODE_LISTED)
        return;
    f->stats.events++;
    step(f, (struct reflector_event){.type = REFLECT_OBJECT, .version = version});
}

static void on_bookmark(void *arg, const char *resource_version, bool initial_end) {
    struct follower *f = arg;

    if (!f->deaf)
        step(f, (struct reflector_event){
                    .type = REFLECT_BOOKMARK, .version = resource_version, .initial_end = initial_end});
}

static void on_error(void *arg, const struct decode_status *status) {
    struct follower *f = arg;

    if (!f->deaf)
        step(f, (struct reflector_event){.type = REFLECT_ERROR,
                                         .status = status->code,
                                         .reason = status->reason,
                                         .text = *status->message ? status->message : status->reason,
                                         .retry_after = status->retry_after});
}

/* One object that cannot be read does not stop the others: it is as if it were not there. */
static void on_skipped(void *arg, const char *name, const char *why) {
    struct follower *f = arg;

    if ((f->stats.skipped & (f->stats.skipped + 1)) == 0) /* the 1st, 2nd, 4th, … */
        log_warn(f->options.subject, "%s cannot be used and is left out: %s", *name ? name : "an object",
                 why);
    f->stats.skipped++;
}

static void on_watch_open(void *arg) {
    const struct follower *f = arg;

    if (!f->deaf)
        step(arg, (struct reflector_event){.type = REFLECT_OPENED});
}

/* A frame of the WebSocket may come in pieces; last ends an event. */
static int on_watch_data(void *arg, const char *data, size_t len, bool last, struct err *err) {
    struct follower *f = arg;

    if (f->deaf)
        return 0;
    int ret = decoder_feed(f->decoder, data, len, err);
    if (ret == 0 && last)
        ret = decoder_finish(f->decoder, err);
    f->garbled = ret < 0;
    return ret;
}

/* Every watch is ended by the API server sooner or later (after its --min-request-timeout): that is in order,
 * and no failure to wait for. So is a connection that just broke, as with a server that restarts: whether it
 * is back, the next handshake tells. A peer that fell silent has been waited for long enough. */
static void on_watch_end(void *arg, const struct ws_end *end) {
    struct follower *f = arg;

    f->watch = NULL;
    if (f->deaf)
        return;
    bool in_order = end->status == 101 && !f->garbled && end->err.code != -ETIMEDOUT;
    step(f, (struct reflector_event){.type = in_order ? REFLECT_CLOSED : REFLECT_FAILED,
                                     .status = end->status == 101 ? 0 : end->status,
                                     .code = end->err.code,
                                     .text = end->err.text,
                                     .retry_after = end->retry_after});
}

static int on_list_body(void *arg, const char *data, size_t len, struct err *err) {
    struct follower *f = arg;

    f->last_data = loop_now(f->options.loop);
    return f->deaf ? 0 : decoder_feed(f->decoder, data, len, err);
}

/* Protobuf where it can be read, which is a tenth of the work; what has just failed is asked for in JSON, in
 * which the server's reasons come readable. */
static const char *accepts(const struct follower *f) {
    bool json = !f->streaming || f->want_json || !decoder_takes_protobuf(f->options.type);

    return json ? NULL
                : "application/vnd.kubernetes.protobuf;stream=watch,application/json;stream=watch;q=0.5";
}

/* A refusal in protobuf cannot be read: the question is put once more in JSON, at once, for the reason. */
static bool ask_again(struct follower *f, const struct kube_reply *reply) {
    if (!accepts(f) || reply->status / 100 != 4 || reply->status == 429 || reply->status == 410)
        return false;
    f->want_json = true;
    f->pending |= REFLECT_DO_SYNC;
    loop_timer_set(f->act, 0);
    return true;
}

static void on_list_done(void *arg, const struct kube_reply *reply) {
    struct follower *f = arg;
    struct err err = reply->err;

    f->call = NULL;
    if (f->deaf || ask_again(f, reply))
        return;
    if (accepts(f) && reply->status >= 300)
        err.text[0] = '\0'; /* what is there was not meant for reading */
    int ret = err.code;
    if (ret == 0)
        ret = decoder_finish(f->decoder, &err);
    f->want_json = ret < 0;
    if (ret == 0)
        step(f, (struct reflector_event){.type = f->streaming ? REFLECT_CLOSED : REFLECT_PAGE,
                                         .version = decoder_list_version(f->decoder),
                                         .token = decoder_list_continue(f->decoder)});
    else
        step(f, (struct reflector_event){.type = REFLECT_FAILED,
                                         .status = reply->status / 100 == 2 ? 0 : reply->status,
                                         .code = ret,
                                         .reason = reply->reason,
                                         .text = err.text,
                                         .retry_after = reply->retry_after});
}

static void put_value(struct buf *path, const char *value) {
    cleanup_free char *escaped = url_escape(value);

    buf_puts(path, escaped);
}

/* "/api/v1/pods?", to which the query is added. */
static void begin_path(const struct follower *f, struct buf *path) {
    buf_init(path, PATH_MAX_BYTES);
    resource_path(f->options.resource, f->options.ns, NULL, NULL, path);
    buf_puts(path, "?");
}

static void new_decoder(struct follower *f, enum decode_form form) {
    const struct decode_handler handler = {on_decoded, on_bookmark, on_error, on_skipped, f};

    decoder_free(f->decoder);
    f->decoder = decoder_new(form, f->options.type, f->options.pool, &handler);
}

static void start_list(struct follower *f, const char *path, enum decode_form form) {
    new_decoder(f, form);
    f->streaming = form == DECODE_STREAM;
    f->stats.lists++;
    f->last_data = loop_now(f->options.loop);
    loop_timer_set(f->wait, f->options.list_stall);
    f->call = f->options.transport->list(f->options.transport->arg,
                                         &(struct kube_request){.verb = KUBE_GET,
                                                                .path = path,
                                                                .accept = accepts(f),
                                                                .timeout = LIST_TIMEOUT_SEC * USEC_PER_SEC,
                                                                .max_body = list_max_body,
                                                                .on_body = on_list_body,
                                                                .on_done = on_list_done,
                                                                .arg = f});
}

/* The streaming list is a watch over HTTP, which is ended with its bookmark: libwebsockets looks at every
 * byte for itself, which would double the cost of a long list. */
static void open_sync(struct follower *f) {
    cleanup_buf struct buf path;

    begin_path(f, &path);
    buf_puts(&path,
             "watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    start_list(f, path.data, DECODE_STREAM);
}

/* For servers that do not stream lists. Without a resourceVersion the first page is of the newest state, and
 * its token keeps the others to that. */
static void open_page(struct follower *f) {
    cleanup_buf struct buf path;

    begin_path(f, &path);
    buf_printf(&path, "limit=%d", REFLECTOR_PAGE);
    if (f->reflector.token) {
        buf_puts(&path, "&continue=");
        put_value(&path, f->reflector.token);
    }
    start_list(f, path.data, DECODE_LIST);
}

/* Over a WebSocket, from the last version seen. */
static void open_watch(struct follower *f) {
    cleanup_buf struct buf path;

    begin_path(f, &path);
    buf_puts(&path, "watch=1&allowWatchBookmarks=true&resourceVersion=");
    put_value(&path, f->reflector.version);
    new_decoder(f, DECODE_WATCH);
    f->garbled = false;
    f->stats.watches++;
    f->watch = f->options.transport->watch_open(
        f->options.transport->arg, path.data,
        &(struct ws_request){
            .on_open = on_watch_open, .on_data = on_watch_data, .on_end = on_watch_end, .arg = f});
}

static void close_all(struct follower *f) {
    if (f->watch)
        f->options.transport->watch_close(f->options.transport->arg, f->watch);
    if (f->call)
        f->options.transport->list_cancel(f->options.transport->arg, f->call);
    f->watch = f->call = NULL;
    f->deaf = false;
}

/* Closing comes first, so that never two connections of one follower are open; then at most one is opened. */
static void on_act(void *arg) {
    struct follower *f = arg;
    unsigned actions = f->pending;

    f->pending = 0;
    if (actions & REFLECT_DO_CLOSE)
        close_all(f);
    if (actions & REFLECT_DO_BEGIN)
        f->epoch++;
    if (actions & REFLECT_DO_SYNC)
        open_sync(f);
    if (actions & REFLECT_DO_LIST)
        open_page(f);
    if (actions & REFLECT_DO_WATCH)
        open_watch(f);
}

struct follower *follower_new(const struct follower_options *options) {
    struct follower *f = XNEW(struct follower);

    f->options = *options;
    f->random = backoff_seed(f);
    reflector_init(&f->reflector, options->subject, options->backoff_min, options->backoff_max);
    f->act = loop_timer_new(options->loop, on_act, f);
    f->wait = loop_timer_new(options->loop, on_wait_over, f);
    step(f, (struct reflector_event){.type = REFLECT_START});
    return f;
}

void follower_free(struct follower *f) {
    if (!f)
        return;
    close_all(f);
    loop_timer_free(f->act);
    loop_timer_free(f->wait);
    decoder_free(f->decoder);
    reflector_done(&f->reflector);
    free(f);
}

bool follower_synced(const struct follower *f) {
    return f->synced;
}

const struct err *follower_error(const struct follower *f) {
    return &f->reflector.error;
}

void follower_add_stats(const struct follower *f, struct follower_stats *stats) {
    stats->lists += f->stats.lists;
    stats->watches += f->stats.watches;
    stats->events += f->stats.events;
    stats->errors += f->stats.errors;
    stats->skipped += f->stats.skipped;
}
