/* How one resource is followed: a pure step from state and event to state and actions. It keeps no objects
 * and knows no connection; informers.c carries the actions out and reports what came of them.
 *
 *   STOP ── start ──> SYNC ── bookmark "initial events end" ──> WATCH
 *                      │ the server does not stream lists         │ closed: again, from the last version
 *                      v                                          │ 410: SYNC or LIST anew
 *                     LIST ── last page ──────────────────────> WATCH
 *   anything that fails ──> BACKOFF ── timer ──> where it was, or from the beginning */
#ifndef INFORMERS_REFLECTOR_H
#define INFORMERS_REFLECTOR_H

#include "base/clock.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum reflector_state {
    REFLECTOR_STOP,
    REFLECTOR_SYNC,  /* a streaming list: a watch over HTTP that begins with every object */
    REFLECTOR_LIST,  /* pages by GET */
    REFLECTOR_WATCH, /* changes from a version on */
    REFLECTOR_BACKOFF,
};
/* "SYNC", … */
const char *reflector_state_name(enum reflector_state state);

enum { REFLECTOR_VERSION_MAX = 128, REFLECTOR_TOKEN_MAX = 16384, REFLECTOR_PAGE = 500 };

struct reflector {
    const char *subject; /* for the log: "pods", borrowed */
    usec_t backoff_min, backoff_max;
    enum reflector_state state;
    enum reflector_state next; /* after BACKOFF */
    bool no_streaming;         /* the server has refused a streaming list: ask for pages */
    bool progress;             /* since the watch was opened, something came */
    bool relisted;             /* a 410 has been answered by a new list, and no change has come since */
    uint32_t failures;         /* in a row */
    char version[REFLECTOR_VERSION_MAX]; /* to resume from; "" before the first list */
    char *token;                         /* of the next page; owned; NULL: the first */
    struct err error;                    /* why it is not being followed; code 0: it is */
};

enum reflector_event_type {
    REFLECT_START,
    REFLECT_STOP,
    REFLECT_TIMER,    /* the wait of BACKOFF is over */
    REFLECT_OPENED,   /* the server has accepted the watch */
    REFLECT_PAGE,     /* a page is whole: version, token */
    REFLECT_OBJECT,   /* the watch brought an object: version */
    REFLECT_BOOKMARK, /* version, initial_end */
    REFLECT_ERROR,    /* the watch brought an ERROR event: status, text, reason, retry_after */
    REFLECT_FAILED,   /* a page failed, a handshake was refused, a connection broke: status, code, text */
    REFLECT_CLOSED,   /* the server ended the watch in good order */
};

struct reflector_event {
    enum reflector_event_type type;
    const char *version, *token;
    bool initial_end;
    int status;         /* HTTP or Status code; 0: none */
    int code;           /* negative errno, where there is no status */
    const char *reason; /* the Status' reason, or NULL */
    const char *text;   /* in words, or NULL */
    usec_t retry_after;
    uint32_t random; /* for the jitter: any number, evenly spread */
};

enum reflector_action {
    REFLECT_DO_CLOSE = 1,  /* end the list or watch under way; nothing of it counts any more */
    REFLECT_DO_BEGIN = 2,  /* a list begins: a new epoch */
    REFLECT_DO_SYNC = 4,   /* open a streaming list */
    REFLECT_DO_LIST = 8,   /* get a page: token */
    REFLECT_DO_WATCH = 16, /* open a watch from version */
    REFLECT_DO_SWEEP = 32, /* the list is whole: what it did not bring is gone */
    REFLECT_DO_WAIT = 64,  /* report REFLECT_TIMER after delay */
};

struct reflector_step {
    unsigned actions; /* enum reflector_action, SWEEP is to be done first, then CLOSE, then the others */
    usec_t delay;
};

/* backoff_min and _max as in informers.h, neither 0; subject is borrowed. */
void reflector_init(struct reflector *reflector, const char *subject, usec_t backoff_min, usec_t backoff_max);
void reflector_done(struct reflector *reflector);
/* One step. Events that do not belong to the state are ignored. */
struct reflector_step reflector_next(struct reflector *reflector, const struct reflector_event *event);

#endif
