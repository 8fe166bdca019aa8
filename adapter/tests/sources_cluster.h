/* What the tests of sources share: a simulated cluster with MetricSources and Secrets, and Prometheus servers
 * behind a simulated transport. */
#ifndef ADAPTER_TESTS_SOURCES_CLUSTER_H
#define ADAPTER_TESTS_SOURCES_CLUSTER_H

#include "adapter/sources.h"
#include "adapter/tests/fake_http.h"
#include "net/tests/fake_loop.h"

enum { CLUSTER_OBJECTS_MAX = 64, CLUSTER_FOLLOWERS_MAX = 64 };
#define CLUSTER_WALL ((usec_t)1767225600 * USEC_PER_SEC) /* wall time at loop time 0 */

struct follower {
    struct metric_subscription *sub;
    struct metric_spec metric;
    int told;
    void (*when_told)(struct follower *follower);
};

/* One for each test program: the doubles of the cluster's interfaces find it here. */
struct cluster {
    struct loop *loop;
    struct fake_http http;
    struct sources *sources;
    struct follower followers[CLUSTER_FOLLOWERS_MAX];
    int follower_count;
    bool no_kinds, unsynced;             /* of discovery and the informers */
    struct err informer_err, secret_err; /* why they cannot be read */
    /* The servers: a URL with "dead" in it is refused, one with "page" answers HTML, one with "closed" wants
     * the Authorization header below, others answer the number after "//s". */
    const char *authorization;
    char ca[64], cert[64], key[64]; /* of the last request's TLS */
    /* Statuses that were written. */
    int writes, write_answer; /* HTTP status; 0: 200 */
    char path[256];
    json_t *status;
    char followed[1024]; /* paths of all Secrets that were ever followed, one a line */
};
extern struct cluster c;

/* A new one; fallback is the default server's URL or NULL. */
void cluster_begin(const char *fallback);
void cluster_begin_with(const struct sources_world *world);
void cluster_end(void);
void cluster_run(usec_t duration);

/* Creates or changes a source; ns "" for a ClusterMetricSource. spec is JSON. */
void cluster_put(const char *ns, const char *name, const char *spec);
void cluster_delete(const char *ns, const char *name);
/* Creates or changes a Secret: name and value of its keys, NULL at the end. */
void cluster_secret(const char *ns, const char *name, ...) __attribute__((sentinel));
void cluster_delete_secret(const char *ns, const char *name);

/* Follows a metric of a source (NULL: the default) for a policy in ns. */
struct follower *cluster_follow(const char *ns, const char *source);
void cluster_leave(struct follower *follower);
struct sample cluster_read(const struct follower *follower);
/* Fails unless the follower reads this value, or this failure. */
void cluster_expect(const struct follower *follower, double value);
void cluster_expect_failed(const struct follower *follower, const char *message);
/* A member of the Ready condition written last, or of the status; "" where there is none. */
const char *cluster_ready(const char *member);
const char *cluster_status(const char *member);

#endif
