/* Following one object: a watch is opened without a version, and as soon as the server has accepted it the
 * object is read. Such a watch begins with the object as it is, if there is one, and misses nothing after;
 * the read tells that there is none. So no version is kept that could become too old (an object that nobody
 * touches has one which the server has long forgotten), and the right to list is not needed. */
#include "api/client/kubeobject.h"

#include "base/backoff.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/url.h"
#include <errno.h>
#include <string.h>

enum { OBJECT_MAX = 3 * 1024 * 1024, EVENT_MAX = OBJECT_MAX + 1024 };

#define BACKOFF_MIN USEC_PER_SEC
#define BACKOFF_MAX USEC_PER_MIN
/* Where it cannot be watched; each time the watch is tried again, too, for rights may have come. */
#define POLL (30 * USEC_PER_SEC)
/* A watch that has lasted so long shows that all is well: what failed before does not count any more. */
#define LASTING (10 * USEC_PER_SEC)

struct kubeobject {
    struct loop *loop;
    struct kube *kube;
    char *name, *path, *watch_path;
    kubeobject_fn *fn;
    void *arg;
    struct kube_watch *watch;
    struct kube_call *read;
    struct loop_timer *again; /* the next round: watch and read anew */
    struct loop_timer *tell;  /* fn is called by it alone, so that fn may free all of this */
    struct buf event;         /* the pieces of a message */
    json_t *object;           /* the newest; NULL: there is none */
    bool known;               /* fn has been told, or is about to be */
    bool heard;               /* the watch has brought something: a read under way is older */
    usec_t opened;            /* when the watch was accepted; 0: not yet */
    struct backoff backoff;
    struct err err;
    int logged; /* code of the failure that was logged last */
};

static const char *version_of(const json_t *object) {
    return str_or_empty(
        json_string_value(json_object_get(json_object_get(object, "metadata"), "resourceVersion")));
}

/* Takes the newest state; the owner is told on a later turn, of the newest alone where several came. */
static void take(struct kubeobject *o, json_t *object) {
    bool same = o->known && (object && o->object ? str_eq(version_of(object), version_of(o->object))
                                                 : object == o->object);

    if (same)
        return;
    json_decref(o->object);
    o->object = json_incref(object);
    o->known = true;
    loop_timer_set(o->tell, 0);
}

static void on_tell(void *arg) {
    const struct kubeobject *o = arg;
    json_t *object = json_incref(o->object);

    o->fn(o->arg, object);
    json_decref(object); /* o may be gone */
}

static void close_all(struct kubeobject *o) {
    kube_watch_close(steal_ptr(&o->watch));
    kube_cancel(steal_ptr(&o->read));
}

static void round_later(struct kubeobject *o, usec_t delay) {
    close_all(o);
    loop_timer_set(o->again, delay);
}

static void back_off(struct kubeobject *o, usec_t retry_after) {
    round_later(o, backoff_next(&o->backoff, retry_after));
}

/* One line until the reason is another one, or all was well in between: it stays in err for who asks, and
 * several objects that nobody gave the right to would fill the log. */
static void fail(struct kubeobject *o, const struct err *why, usec_t retry_after) {
    o->err = *why;
    if (o->backoff.failures == 0 || o->logged != why->code)
        log_warn(o->path, "cannot be followed: %s", err_text(why));
    o->logged = why->code;
    back_off(o, retry_after);
}

static void on_read(void *arg, const struct kube_reply *reply) {
    struct kubeobject *o = arg;
    bool there = reply->status == 200 && json_is_object(reply->body);

    o->read = NULL;
    if (!there && reply->status != 404) {
        struct err why = reply->err;
        if (!why.code)
            err_set(&why, -EPROTO, "the reply is no object");
        fail(o, &why, reply->retry_after);
        return;
    }
    err_clear(&o->err);
    if (!o->watch)
        o->backoff.failures = 0;
    /* what the watch has brought meanwhile is as new or newer, or soon will be */
    if (!o->heard)
        take(o, there ? (json_t *)(uintptr_t)reply->body : NULL);
}

static void start_read(struct kubeobject *o) {
    kube_cancel(o->read);
    o->heard = false;
    o->read = kube_start(
        o->kube,
        &(struct kube_request){
            .verb = KUBE_GET, .path = o->path, .max_body = OBJECT_MAX, .on_done = on_read, .arg = o});
}

static void on_open(void *arg) {
    struct kubeobject *o = arg;

    o->opened = loop_now(o->loop);
    start_read(o);
}

/* {"type": "ERROR", "object": Status} ends the watch with the Status' words. */
static int on_event(struct kubeobject *o, const json_t *event, struct err *err) {
    const char *type = str_or_empty(json_string_value(json_object_get(event, "type")));
    json_t *object = json_object_get(event, "object");
    const json_t *name = json_object_get(json_object_get(object, "metadata"), "name");

    if (str_eq(type, "ERROR"))
        return err_set(err, -ESTALE, "%.300s",
                       str_or_empty(json_string_value(json_object_get(object, "message"))));
    /* a server that does not know the selector sends the others too */
    if (!str_eq(json_string_value(name), o->name))
        return 0;
    if (str_eq(type, "DELETED"))
        take(o, NULL);
    else if (str_eq(type, "ADDED") || str_eq(type, "MODIFIED"))
        take(o, object);
    else
        return 0;
    o->heard = true;
    return 0;
}

static int on_data(void *arg, const char *data, size_t len, bool last, struct err *err) {
    struct kubeobject *o = arg;
    json_error_t problem;

    if (buf_append(&o->event, data, len) < 0)
        return err_set(err, -E2BIG, "the object is larger than %d bytes", OBJECT_MAX);
    if (!last)
        return 0;
    json_t *event = json_loadb(o->event.data, o->event.len, JSON_ALLOW_NUL, &problem);
    buf_reset(&o->event);
    if (!event)
        return err_set(err, -EBADMSG, "the watch brought no JSON: %s (byte %d)", problem.text,
                       problem.position);
    int ret = on_event(o, event, err);
    json_decref(event);
    return ret;
}

/* Whether the handshake says that this can never be watched: no right to, no websocket on the way, no such
 * kind. 401 and 429 pass. */
static bool never_watched(const struct ws_end *end) {
    return end->err.code == -EOPNOTSUPP ||
           (end->status >= 400 && end->status < 500 && end->status != 401 && end->status != 429);
}

/* Every watch is ended by the server sooner or later; that is no failure, but begins a new round too. */
static void on_end(void *arg, const struct ws_end *end) {
    struct kubeobject *o = arg;
    bool in_order = end->err.code == -ESHUTDOWN || end->err.code == -ECONNRESET;

    o->watch = NULL;
    if (o->opened && loop_now(o->loop) - o->opened >= LASTING)
        o->backoff.failures = 0;
    if (end->status != 101 && never_watched(end)) {
        log_debug(o->path, "is read from time to time: %s", err_text(&end->err));
        loop_timer_set(o->again, POLL);
        start_read(o);
    } else if (end->status == 101 && in_order) {
        back_off(o, 0);
    } else {
        fail(o, &end->err, end->retry_after);
    }
}

static void on_again(void *arg) {
    struct kubeobject *o = arg;

    close_all(o);
    buf_reset(&o->event);
    o->opened = 0;
    o->watch = kube_watch_open(
        o->kube, o->watch_path,
        &(struct ws_request){.on_open = on_open, .on_data = on_data, .on_end = on_end, .arg = o});
}

struct kubeobject *kubeobject_follow(struct loop *loop, struct kube *kube, const char *collection,
                                     const char *name, kubeobject_fn *fn, void *arg) {
    struct kubeobject *o = XNEW(struct kubeobject);
    cleanup_free char *escaped = url_escape(name);

    o->loop = loop;
    o->kube = kube;
    o->name = xstrdup(name);
    o->path = xasprintf("%s/%s", collection, escaped);
    o->watch_path = xasprintf("%s?watch=1&fieldSelector=metadata.name%%3D%s", collection, escaped);
    o->fn = fn;
    o->arg = arg;
    backoff_init(&o->backoff, BACKOFF_MIN, BACKOFF_MAX, backoff_seed(o));
    o->again = loop_timer_new(loop, on_again, o);
    o->tell = loop_timer_new(loop, on_tell, o);
    buf_init(&o->event, EVENT_MAX);
    on_again(o);
    return o;
}

void kubeobject_free(struct kubeobject *o) {
    if (!o)
        return;
    close_all(o);
    loop_timer_free(o->again);
    loop_timer_free(o->tell);
    buf_done(&o->event);
    json_decref(o->object);
    free(o->name);
    free(o->path);
    free(o->watch_path);
    free(o);
}

const struct err *kubeobject_error(const struct kubeobject *o) {
    return &o->err;
}
