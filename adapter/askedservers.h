/* The servers that queries of the cache have been sent to, by the names that rules call them: where a name
 * comes to mean another client, what the cache has of the old one goes. */
#ifndef ADAPTER_ASKEDSERVERS_H
#define ADAPTER_ASKEDSERVERS_H

#include "adapter/querycache.h"
#include "adapter/sources.h"

struct asked_servers;

/* Owned; borrows both. */
struct asked_servers *asked_servers_new(struct sources *sources, struct querycache *cache);
/* NULL is allowed. */
void asked_servers_free(struct asked_servers *servers);

/* The client of a ClusterMetricSource (name NULL: of the default server), which is remembered; errors of
 * sources_client. */
struct promclient *asked_servers_client(struct asked_servers *servers, const char *name, struct err *err);
/* To be called by sources_on_change. gone (may be NULL) is told of each client that the cache is about to
 * forget. */
typedef void asked_servers_fn(void *arg, const struct promclient *client);
void asked_servers_sweep(struct asked_servers *servers, asked_servers_fn *gone, void *arg);

#endif
