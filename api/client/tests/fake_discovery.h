/* A double of api/client/discovery.h for those who walk over all resources: a test says what is known, what
 * is broken, and when something has changed. */
#ifndef API_CLIENT_TESTS_FAKE_DISCOVERY_H
#define API_CLIENT_TESTS_FAKE_DISCOVERY_H

#include "api/client/discovery.h"

/* Starts as {0}: nothing is known yet. */
struct discovery {
    struct resource resources[8];
    uint32_t count;
    const char *broken; /* a version that does not answer; NULL: all do */
    bool loaded, followed;
    int missed;
    loop_fn *changed;
    void *arg;
};

#endif
