/* The apiserver in place of api/client/kube.c and discovery.c, in simulated time: a function answers each
 * path, and discovery knows what a test lets it know. */
#ifndef ADAPTER_TESTS_FAKE_KUBE_H
#define ADAPTER_TESTS_FAKE_KUBE_H

#include "api/client/discovery.h"
#include "api/client/kube.h"
#include "net/loop.h"

enum { FAKE_PATH_MAX = 4096 };

struct fake_answer {
    int status;         /* 0: none comes, code tells why; 2xx: body is handed over in pieces */
    int code;           /* of err, where it is no 2xx; 0: as kube.h says for the status */
    const char *reason; /* of a Status; NULL: the answer is none */
    const char *text;   /* the body of a 2xx, else err's text; lives until the answer is given */
    usec_t delay;       /* 0: 3 ms */
};

typedef void fake_kube_fn(void *arg, const char *path, struct fake_answer *ret_answer);

struct kube {
    struct loop *loop;
    fake_kube_fn *serve;
    void *arg;
    int started, in_flight, max_in_flight;
    char path[FAKE_PATH_MAX]; /* of the last request */
};

/* What discovery says to every kind: resource, or code (0: -EAGAIN). */
struct discovery {
    const struct resource *resource;
    int code;
    int asked;
    loop_fn *changed;
    void *arg;
};

/* A round is over: tells the one who watches. */
void fake_discovery_round(struct discovery *discovery);

#endif
