/* What the tests of the Prometheus source share: a simulated loop, a simulated Prometheus, and subscribers
 * that count how often they were told. */
#ifndef ADAPTER_TESTS_PROM_WORLD_H
#define ADAPTER_TESTS_PROM_WORLD_H

#include "adapter/promclient.h"
#include "adapter/tests/fake_http.h"
#include "net/tests/fake_loop.h"

enum { FOLLOWERS_MAX = 1200 };
#define WORLD_WALL ((usec_t)1767225600 * USEC_PER_SEC) /* wall time at loop time 0 */

struct world;

struct follower {
    struct world *world;
    struct metric_subscription *sub;
    struct metric_spec metric;
    char query[64];
    int told;
    bool in_call; /* for the check that nobody is told inside subscribe */
    void (*when_told)(struct follower *follower);
};

struct world {
    struct loop *loop;
    struct fake_http http;
    struct promclient *client;
    struct metric_source *source;
    struct follower followers[FOLLOWERS_MAX];
    int count;
    /* The server: fixed replies for everything, else by query. */
    const struct fake_reply *always;
    double value; /* of the query "value" */
    bool get_only;
};

/* A world with one Prometheus at http://prom:9090; options may be NULL. */
struct world *world_new(const struct prometheus_options *options);
/* Ends what is still subscribed, and checks that nothing is left. */
void world_free(struct world *w);
void world_run(struct world *w, usec_t duration);
/* The query's text says what the server answers: see prom_world.c. */
struct follower *world_follow(struct world *w, const char *query, enum combine combine, usec_t interval);
void world_leave(struct follower *f);
/* Follows any metric, as it is. */
struct follower *world_follow_metric(struct world *w, const struct metric_spec *metric, usec_t interval);
struct sample world_read(const struct follower *f);
/* Fails unless the follower reads this. */
void world_expect(const struct follower *f, enum quality quality, double value, const char *message);

#endif
