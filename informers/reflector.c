/* The reflector's state machine. */
#include "informers/reflector.h"

#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *reflector_state_name(enum reflector_state state) {
    static const char *const names[] = {"STOP", "SYNC", "LIST", "WATCH", "BACKOFF"};

    return names[state];
}

void reflector_init(struct reflector *r, const char *subject, usec_t backoff_min, usec_t backoff_max) {
    *r = (struct reflector){.subject = subject, .backoff_min = backoff_min, .backoff_max = backoff_max};
}

void reflector_done(struct reflector *r) {
    free(r->token);
    r->token = NULL;
}

/* The only place where the state changes. */
static void set_state(struct reflector *r, enum reflector_state state, const char *why) {
    if (r->state != state)
        log_debug(r->subject, "%s -> %s (%s)", reflector_state_name(r->state), reflector_state_name(state),
                  why);
    r->state = state;
}

/* An empty or an overlong one is no place to resume from: the last good one stays. */
static void set_version(struct reflector *r, const char *version) {
    size_t len = version ? strlen(version) : 0;

    if (len == 0 || len >= sizeof(r->version))
        return;
    memcpy(r->version, version, len + 1);
}

static void set_token(struct reflector *r, const char *token) {
    free(r->token);
    r->token = token && *token ? xstrdup(token) : NULL;
}

/* The code tells what a person can do: rights, a kind that is not served, a server that is busy; all else is
 * the network's. */
static void note_error(struct reflector *r, const struct reflector_event *event) {
    int code = event->code < 0 ? event->code : -EIO;

    switch (event->status) {
    case 401:
    case 403:
        code = -EACCES;
        break;
    case 404:
        code = -ENOENT;
        break;
    case 429:
        code = -EAGAIN;
        break;
    default:
        break;
    }
    if (event->text && *event->text)
        err_set(&r->error, code, "%s", event->text);
    else
        err_set(&r->error, code, "HTTP status %d", event->status);
}

/* A list from the beginning, in the way this server offers. */
static struct reflector_step begin_list(struct reflector *r, const char *why) {
    set_token(r, NULL);
    set_state(r, r->no_streaming ? REFLECTOR_LIST : REFLECTOR_SYNC, why);
    return (struct reflector_step){.actions = REFLECT_DO_CLOSE | REFLECT_DO_BEGIN |
                                              (r->no_streaming ? REFLECT_DO_LIST : REFLECT_DO_SYNC)};
}

/* progress begins anew: a server that closes watches without bringing anything is backed off from. */
static struct reflector_step open_watch(struct reflector *r, const char *why) {
    r->progress = false;
    set_state(r, REFLECTOR_WATCH, why);
    return (struct reflector_step){.actions = REFLECT_DO_CLOSE | REFLECT_DO_WATCH};
}

/* Waits and then goes to next: WATCH to resume, LIST to go on with the page that failed, SYNC to begin anew
 * (in whichever way). */
static struct reflector_step back_off(struct reflector *r, const struct reflector_event *event,
                                      enum reflector_state next) {
    usec_t delay =
        backoff_wait(r->backoff_min, r->backoff_max, ++r->failures, event->retry_after, event->random);

    r->next = next;
    set_state(r, REFLECTOR_BACKOFF, r->error.code ? r->error.text : "closed at once");
    return (struct reflector_step){.actions = REFLECT_DO_CLOSE | REFLECT_DO_WAIT, .delay = delay};
}

static bool is_gone(const struct reflector_event *event) {
    return event->status == 410 ||
           (event->reason && (strcmp(event->reason, "Expired") == 0 || strcmp(event->reason, "Gone") == 0));
}

/* A server that cannot stream a list says so with 400 or 422, or with an error event about
 * RequestWatchProgress where its etcd is too old. */
static bool refuses_streaming(const struct reflector_event *event) {
    return event->status == 400 || event->status == 422 ||
           (event->text && strstr(event->text, "RequestWatchProgress"));
}

/* The version to resume from is too old: list anew, at once unless that has just been done in vain. */
static struct reflector_step gone(struct reflector *r, const struct reflector_event *event) {
    if (!r->relisted) {
        r->relisted = true;
        return begin_list(r, "410 Gone");
    }
    note_error(r, event);
    return back_off(r, event, REFLECTOR_SYNC);
}

/* The watch lives: whatever went wrong before is over. */
static void lives(struct reflector *r) {
    r->progress = true;
    r->relisted = false;
    r->failures = 0;
    err_clear(&r->error);
}

/* The list is in: what it did not bring is gone, and changes are watched for from its version on. */
static struct reflector_step list_whole(struct reflector *r, const struct reflector_event *event) {
    if (!event->version || !*event->version) {
        err_set(&r->error, -EPROTO, "a list without a resourceVersion");
        return back_off(r, event, REFLECTOR_SYNC);
    }
    set_version(r, event->version);
    set_token(r, NULL);
    err_clear(&r->error);
    struct reflector_step step = open_watch(r, "the list is whole");
    step.actions |= REFLECT_DO_SWEEP;
    return step;
}

/* Objects pass by without a step; the bookmark that ends the first events makes a list of them. */
static struct reflector_step in_sync(struct reflector *r, const struct reflector_event *event) {
    if (event->type == REFLECT_BOOKMARK && event->initial_end) {
        return list_whole(r, event);
    } else if (event->type == REFLECT_ERROR || event->type == REFLECT_FAILED) {
        if (refuses_streaming(event)) {
            r->no_streaming = true;
            return begin_list(r, "the server does not stream lists");
        }
        if (is_gone(event))
            return gone(r, event);
        note_error(r, event);
        return back_off(r, event, REFLECTOR_SYNC);
    } else if (event->type == REFLECT_CLOSED) {
        err_set(&r->error, -ECONNRESET, "the server closed the watch before the list was whole");
        return back_off(r, event, REFLECTOR_SYNC);
    }
    return (struct reflector_step){0};
}

/* A page that failed for a passing reason is asked for again by its token, so that a list of a large cluster
 * is not begun anew; any other failure may be the token's fault. */
static struct reflector_step in_list(struct reflector *r, const struct reflector_event *event) {
    if (event->type == REFLECT_PAGE && event->token && *event->token) {
        set_token(r, event->token);
        return (struct reflector_step){.actions = REFLECT_DO_LIST};
    }
    if (event->type == REFLECT_PAGE)
        return list_whole(r, event);
    if (event->type != REFLECT_FAILED)
        return (struct reflector_step){0};
    if (is_gone(event))
        return gone(r, event);
    note_error(r, event);
    bool again = event->status == 0 || event->status == 429 || event->status >= 500;
    return back_off(r, event, again && r->token ? REFLECTOR_LIST : REFLECTOR_SYNC);
}

/* What went wrong with a watch: resume from where it was, unless the kind is gone or that keeps failing. An
 * error event that comes again and again may be about the version, whatever it says: three failures are
 * enough to try without it. */
static struct reflector_step watch_failed(struct reflector *r, const struct reflector_event *event) {
    if (is_gone(event))
        return gone(r, event);
    note_error(r, event);
    bool anew = event->status == 404 || event->status == 400 || event->status == 422 ||
                (event->type == REFLECT_ERROR && !r->progress && r->failures >= 3);
    return back_off(r, event, anew ? REFLECTOR_SYNC : REFLECTOR_WATCH);
}

static struct reflector_step in_watch(struct reflector *r, const struct reflector_event *event) {
    struct reflector_step none = {0};

    switch (event->type) {
    case REFLECT_OPENED:
        err_clear(&r->error); /* followed again; but until something comes, the next failure waits a while */
        r->failures = r->failures < 3 ? r->failures : 3;
        return none;
    case REFLECT_OBJECT:
    case REFLECT_BOOKMARK:
        set_version(r, event->version);
        lives(r);
        return none;
    case REFLECT_ERROR:
    case REFLECT_FAILED:
        return watch_failed(r, event);
    case REFLECT_CLOSED:
        /* Every watch ends sooner or later: on at once, but for one that has brought nothing. */
        return r->progress ? open_watch(r, "closed by the server") : back_off(r, event, REFLECTOR_WATCH);
    case REFLECT_START:
    case REFLECT_STOP:
    case REFLECT_TIMER:
    case REFLECT_PAGE:
    default:
        return none;
    }
}

/* Late events of what has been closed are ignored; only the timer leads on. */
static struct reflector_step in_backoff(struct reflector *r, const struct reflector_event *event) {
    if (event->type != REFLECT_TIMER)
        return (struct reflector_step){0};
    if (r->next == REFLECTOR_WATCH)
        return open_watch(r, "waited");
    if (r->next == REFLECTOR_LIST) {
        set_state(r, REFLECTOR_LIST, "waited");
        return (struct reflector_step){.actions = REFLECT_DO_LIST};
    }
    return begin_list(r, "waited");
}

struct reflector_step reflector_next(struct reflector *r, const struct reflector_event *event) {
    if (event->type == REFLECT_STOP) {
        set_state(r, REFLECTOR_STOP, "no one uses it");
        return (struct reflector_step){.actions = REFLECT_DO_CLOSE};
    }
    switch (r->state) {
    case REFLECTOR_STOP:
        return event->type == REFLECT_START ? begin_list(r, "start") : (struct reflector_step){0};
    case REFLECTOR_SYNC:
        return in_sync(r, event);
    case REFLECTOR_LIST:
        return in_list(r, event);
    case REFLECTOR_WATCH:
        return in_watch(r, event);
    case REFLECTOR_BACKOFF:
    default:
        return in_backoff(r, event);
    }
}
