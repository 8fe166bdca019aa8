/* Requests as net/httpsserver hands them over, and the server as far as access knows it, in memory. */
#ifndef ADAPTER_TESTS_FAKE_HTTPS_H
#define ADAPTER_TESTS_FAKE_HTTPS_H

#include "net/httpsserver.h"

/* Header lines of a request: "Name: value", NULL-terminated. */
struct https_wire {
    const char *const *lines;
};

struct httpsserver {
    char *authority[HTTPS_CAS]; /* what was given last, or NULL */
    int given;
};
/* "bad…" is no authority. */
void fake_https_done(struct httpsserver *server);

#endif
