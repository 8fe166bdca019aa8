/* The apiserver in place of api/client/kube.c and kube_watch.c, in simulated time: a function answers each
 * request with a JSON document, and a test plays the other side of each watch. */
#ifndef API_CLIENT_TESTS_FAKE_CLUSTER_H
#define API_CLIENT_TESTS_FAKE_CLUSTER_H

#include "api/client/kube.h"
#include "net/loop.h"

enum { CLUSTER_WATCHES = 16, CLUSTER_TEXT = 4096 };

struct cluster_answer {
    int status;         /* 0: none comes, code tells why */
    int code;           /* of err, where it is no 2xx; 0: as kube.h says for the status */
    const char *reason; /* of a Status, or NULL */
    const char *text;   /* the body of a 2xx, else err's text; lives until the answer is given */
    usec_t delay;       /* 0: 3 ms */
    usec_t retry_after;
};

typedef void cluster_serve_fn(void *arg, const struct kube_request *request,
                              struct cluster_answer *ret_answer);

struct kube {
    struct loop *loop;
    cluster_serve_fn *serve;
    void *arg;
    int started, in_flight;
    char path[CLUSTER_TEXT], body[CLUSTER_TEXT]; /* of the last request */
    int watches_opened;
    struct kube_watch *watches[CLUSTER_WATCHES]; /* open now, the oldest first */
    char watch_path[CLUSTER_TEXT];               /* of the last one that was opened */
};

/* Everything must have ended; fails the test where something has not. */
void cluster_done(struct kube *kube);

/* The server accepts the handshake of the only watch; brings an event, in two pieces; ends it. */
void cluster_accept(struct kube *kube);
void cluster_event(struct kube *kube, const char *type, const char *object);
void cluster_end(struct kube *kube, int status, int code);
/* Any text instead of an event. Ends the watch where its owner does not like it, as the real one does. */
void cluster_bring(struct kube *kube, const char *text);

#endif
