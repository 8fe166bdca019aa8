/* A short list of names and clients: rules name a handful of servers, so that looking through it costs less
 * than a map would. A name may be there twice for a moment, with its old client and its new one, until the
 * sweep. */
#include "adapter/askedservers.h"

#include "base/mem.h"
#include "base/str.h"
#include <stdlib.h>

struct asked_server {
    char *name; /* NULL: the default one */
    struct promclient *client;
};

struct asked_servers {
    struct sources *sources;
    struct querycache *cache;
    struct asked_server *servers;
    uint32_t count;
};

struct asked_servers *asked_servers_new(struct sources *sources, struct querycache *cache) {
    struct asked_servers *all = XNEW(struct asked_servers);

    *all = (struct asked_servers){.sources = sources, .cache = cache};
    return all;
}

void asked_servers_free(struct asked_servers *servers) {
    if (!servers)
        return;
    for (uint32_t i = 0; i < servers->count; i++)
        free(servers->servers[i].name);
    free(servers->servers);
    free(servers);
}

static void note(struct asked_servers *all, const char *name, struct promclient *client) {
    for (uint32_t i = 0; i < all->count; i++)
        if (all->servers[i].client == client && str_eq(all->servers[i].name, name))
            return;
    all->servers = xrealloc(all->servers, (all->count + 1) * sizeof(*all->servers));
    all->servers[all->count++] = (struct asked_server){name ? xstrdup(name) : NULL, client};
}

struct promclient *asked_servers_client(struct asked_servers *servers, const char *name, struct err *err) {
    struct promclient *client = sources_client(servers->sources, NULL, name, err);

    if (client)
        note(servers, name, client);
    return client;
}

/* Which of them has changed is not told, but it is still there for the moment. Those who wait for a client
 * that goes are told so by querycache_forget, and may ask anew from inside, which adds to the list and may
 * move it: so the entry is taken out before, and the walk goes down, where nothing is added. */
void asked_servers_sweep(struct asked_servers *servers, asked_servers_fn *gone, void *arg) {
    for (uint32_t i = servers->count; i-- > 0;) {
        struct asked_server s = servers->servers[i];
        if (sources_client(servers->sources, NULL, s.name, NULL) == s.client)
            continue;
        servers->servers[i] = servers->servers[--servers->count];
        if (gone)
            gone(arg, s.client);
        querycache_forget(servers->cache, s.client);
        free(s.name);
    }
}
