/* What the tests of the TLS server share: a server whose handler answers by the target, and clients of it.
 *
 * "/later" waits in the fixture, "/free-when-gone" too and frees the server when its peer goes, "/free" frees
 * it at once, "/big" and "/empty" are as they say; everything else is "hello". */
#ifndef NET_TESTS_HTTPS_FIXTURE_H
#define NET_TESTS_HTTPS_FIXTURE_H

#include "net/httpsserver.h"
#include "net/tests/https_client.h"

enum { BIG = 3 * 1024 * 1024, ANSWER_MAX = 16 * 1024 * 1024, MAX_WAITING = 8 };

struct fixture {
    struct loop *loop;
    struct httpsserver *server;
    struct peer_cert ca, cert;
    int calls, gone, drained;
    struct https_exchange *waiting[MAX_WAITING];
    int n_waiting;
    char seen[4096]; /* of the last request */
};

/* Starts the server anew with these limits. Fails the test where it cannot. */
void start(struct fixture *f, const struct httpsserver_options *more);
/* For cmocka: a server with the default limits. */
int setup(void **state);
int teardown(void **state);
/* A handshake, which must succeed. */
void open_client(struct fixture *f, struct client *client);
/* Sends a request on an open connection and reads until last; fails where it is closed before. answer is
 * initialised. */
void say(struct client *client, const char *request, const char *last, struct buf *answer);
/* One request on a connection of its own; true where the server closed after it. answer is initialised. */
bool ask(struct fixture *f, const char *request, struct buf *answer);
/* Answers a request that waits. */
void reply(struct https_exchange *exchange, int status, const char *text);
struct httpsserver_stats stats(struct fixture *f);

#endif
