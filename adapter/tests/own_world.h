/* What the tests of our own metrics share: rules and series of a recorded case, its cluster's objects in
 * place of informers, and a simulated Prometheus behind the real cache. */
#ifndef ADAPTER_TESTS_OWN_WORLD_H
#define ADAPTER_TESTS_OWN_WORLD_H

#include "adapter/ownmetrics.h"
#include "adapter/tests/fake_http.h"
#include "adapter/tests/vectors.h"
#include "net/tests/fake_loop.h"

enum { OWN_INFORMERS = 16, OWN_RESOURCES = 64, OWN_QUERIES = 64 };

/* In place of informers/informers.c. */
struct informer {
    const char *plural, *group; /* plural NULL: not used yet */
    enum object_type type;
    int open;
    bool withheld; /* its first list does not come */
    struct err err;
    struct object **objects; /* the cluster's, ended by NULL; owned */
    int opened;
    informer_fn *fn; /* of the one who opened it last */
    void *arg;
};
struct informers {
    const json_t *cluster;
    struct str_pool pool;
    struct informer items[OWN_INFORMERS];
};
/* The informer of a resource of the core group, whether it has been opened or not. */
struct informer *own_world_informer(struct informers *all, const char *plural);

/* The object of that name goes, or has other labels (of another object) from now on; it is told. */
void own_world_delete(struct informer *informer, const char *name);
void own_world_relabel(struct informer *informer, const char *name, const char *like);

/* In place of adapter/ruleset.c: what a test puts here. */
struct ruleset {
    const struct registry *registry;
    const struct cluster_resources *resources;
    bool ready, stale; /* stale: worth another look */
    const char *error;
    int looks, cancelled;
    loop_fn *look_fn, *changed;
    void *look_arg, *changed_arg;
};
/* The list that was asked for is in. */
void own_world_listed(struct ruleset *ruleset);

/* In place of adapter/sources.c. */
struct sources {
    struct promclient *client;
    bool unsettled;   /* it may still come */
    const char *name; /* that was asked for last */
    int asked;
    loop_fn *changed;
    void *arg;
};

/* In place of api/client/discovery.c. */
struct discovery {
    const struct cluster_resources *known;
    struct resource resources[OWN_RESOURCES];
    bool silent; /* -EAGAIN to everything */
};

struct own_world {
    struct loop *loop;
    struct fake_http http;
    struct informers informers;
    struct ruleset ruleset;
    struct sources sources;
    struct discovery discovery;
    struct querycache *cache;
    struct ownmetrics *own;
    /* The server: what it says to every query. */
    const char *body;           /* NULL: an empty vector */
    int status;                 /* 0: 200 */
    char *queries[OWN_QUERIES]; /* the first ones, as they came in */
    int count;                  /* of all */
};

/* rules and series are those of recorded; borrowed like cluster. */
struct own_world *own_world_new(const struct recorded_cluster *cluster, const struct recorded *recorded);
void own_world_free(struct own_world *w);

/* Rules for a group of tests: a configuration, the series that there are (as an exposition), and the recorded
 * cluster. */
struct own_rules {
    struct recorded_cluster cluster;
    struct recorded recorded;
};
void own_rules_init(struct own_rules *rules, const char *config, const char *exposition);
void own_rules_done(struct own_rules *rules);
/* A world of these rules, whose server says body to every query. */
struct own_world *own_world_of(const struct own_rules *rules, const char *body);

/* Begins anew, for these namespaces alone; NULL: all. */
void own_world_limit(struct own_world *w, const char *const *namespaces);
/* A document of Prometheus around the elements of a vector. */
#define OWN_VECTOR(elements)                                                                                 \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" elements "]}}"
/* The server answers otherwise from now on, and what is known is asked anew. */
void own_world_say(struct own_world *w, const char *body);

#endif
