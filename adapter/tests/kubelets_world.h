/* A fleet of kubelets in simulated time: nodes and pods in place of the informers, and kubelets behind the
 * simulated transport, each with a fault of its own. */
#ifndef ADAPTER_TESTS_KUBELETS_WORLD_H
#define ADAPTER_TESTS_KUBELETS_WORLD_H

#include "adapter/kubelets.h"
#include "adapter/tests/fake_http.h"
#include "base/str.h"

enum { WORLD_NODES = 200, WORLD_PODS = 16 };

enum node_fault { NODE_WELL, NODE_MALFORMED, NODE_FORBIDDEN, NODE_DOWN, NODE_STOPPED_CLOCK };

/* A pod with one container, "app": it uses the cores and the bytes. */
struct world_pod {
    const struct object *object; /* NULL: none */
    int node;
    double cores;
    int64_t memory;
};

struct world_node {
    const struct object *object;
    enum node_fault fault;
    int asked;
    usec_t last, least; /* when it was asked, and the shortest time between two; monotonic */
    char *body;
};

struct kubelets_world_fake {
    struct loop *loop;
    struct str_pool pool;
    struct fake_http http;
    struct kubelets *kubelets;
    struct world_node nodes[WORLD_NODES]; /* node-0 has the address 10.0.0.0 */
    struct world_pod pods[WORLD_PODS];
    char *answer; /* of world_ask */
};

/* A world where pods and nodes are known; options NULL: the defaults. */
struct kubelets_world_fake *world_new(const struct kubelets_options *options);
void world_free(struct kubelets_world_fake *w);
void world_run(struct kubelets_world_fake *w, usec_t duration);

/* Adds a node, with the label zone=zone where it is not NULL; or deletes it. */
void world_put_node(struct kubelets_world_fake *w, int node, const char *zone);
void world_drop_node(struct kubelets_world_fake *w, int node);
/* Puts a pod, which gets the label app=NAME. */
void world_put_pod(struct kubelets_world_fake *w, int at, const char *ns, const char *name,
                   struct world_pod pod);
/* Whether the lists of pods and nodes are whole. */
void world_sync(bool synced);

/* "200 shop/web app=200m/1048576 w=15 | …", or "404 NotFound …"; path: after …/v1beta1/. Borrowed. */
const char *world_ask(struct kubelets_world_fake *w, const char *path);

#endif
