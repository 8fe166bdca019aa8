/* The servers by name: both kinds followed, names resolved, changes told.
 *
 * Both kinds share one map: "namespace/name" and "name" cannot be mistaken for each other, for names have no
 * slash. A kind goes from not known (no informer, not missing) to missing or followed, and settles when it is
 * missing or its first list is in; until both have settled a name that means nothing may yet mean something,
 * and policies wait (-EAGAIN) and do not fail.
 *
 * Whatever changes goes through sources_replaced, in this order: subscriptions move to the new client, those
 * who hold clients are told, and only then the old client is freed. */
#include "adapter/sources_internal.h"

#include "base/log.h"
#include "base/mem.h"
#include <errno.h>

#define GROUP_VERSION "autoscaling.trimtab.dev/v1"
/* Health, statuses, and kinds whose definitions are installed later. */
static const usec_t TICK = USEC_PER_SEC;
/* While it is not known what there is: policies wait for that. */
static const usec_t TICK_UNSETTLED = 200 * USEC_PER_MSEC;

/* ---- names ---- */

/* What there is, is known, and name is not among it. Without a namespace a MetricSource is not looked for. */
static void not_there(const struct sources *sources, const char *ns, const char *name, struct err *err) {
    const char *kind = *ns ? "MetricSource" : "ClusterMetricSource", *slash = *ns ? "/" : "";

    if (sources->kinds[KIND_NAMESPACED].missing && sources->kinds[KIND_CLUSTER].missing)
        err_set(err, -ENOENT, "%s %s%s%s: this cluster does not know the kind %s: install its definition",
                kind, ns, slash, name, kind);
    else if (*ns)
        err_set(err, -ENOENT,
                "MetricSource %s/%s: not found, nor a ClusterMetricSource %s: create one, or correct source",
                ns, name, name);
    else
        err_set(err, -ENOENT, "ClusterMetricSource %s: not found: create one, or correct source", name);
}

/* Why a name means nothing; -EAGAIN while that is not known. */
static void nothing_found(const struct sources *sources, const char *ns, const char *name, struct err *err) {
    for (int i = 0; i < KIND_COUNT; i++) {
        const struct source_kind *kind = &sources->kinds[i];
        const struct err *why = kind->informer ? informer_error(kind->informer) : NULL;
        if (why && why->code && !kind->settled) {
            err_set(err, why->code, "%s: %s", kind->kind, err_text(why));
            return;
        }
    }
    if (!sources->kinds[KIND_NAMESPACED].settled || !sources->kinds[KIND_CLUSTER].settled)
        err_set(err, -EAGAIN, "the servers are being listed");
    else
        not_there(sources, ns, name, err);
}

/* A namespace's own server hides that of the cluster with the same name, also while it cannot be used: what a
 * name means does not depend on how its server is doing. */
struct server *sources_find(const struct sources *sources, const char *ns, const char *name,
                            struct err *err) {
    if (!name && !sources->fallback)
        err_set(err, -ENOENT,
                "no Prometheus is configured: start trimtab with --prometheus-url, or name a MetricSource");
    if (!name)
        return sources->fallback;
    cleanup_free char *key = xasprintf("%s/%s", str_or_empty(ns), name);
    struct server *server = ns && ns[0] ? map_get(&sources->servers, key) : NULL;
    if (!server)
        server = map_get(&sources->servers, name);
    if (!server) {
        nothing_found(sources, str_or_empty(ns), name, err);
    } else if (!server->client) {
        err_set(err, server->why.code, "%s: %s", server->title, err_text(&server->why));
    }
    return server;
}

struct promclient *sources_client(struct sources *sources, const char *ns, const char *name,
                                  struct err *err) {
    struct server *server = sources_find(sources, ns, name, err);

    return server ? server->client : NULL;
}

struct metric_source *sources_metric_source(struct sources *sources) {
    return &sources->head;
}

void sources_on_change(struct sources *sources, loop_fn *fn, void *arg) {
    if (sources->listener_count == SOURCES_LISTENERS_MAX)
        return;
    sources->listeners[sources->listener_count].fn = fn;
    sources->listeners[sources->listener_count++].arg = arg;
}

void sources_replaced(struct sources *sources, const char *name, struct metric_source *pacer,
                      struct promclient *client) {
    wants_bind(sources, name);
    for (uint32_t i = 0; i < sources->listener_count; i++)
        sources->listeners[i].fn(sources->listeners[i].arg);
    prometheus_free(pacer);
    promclient_free(client);
}

/* ---- both kinds, followed ---- */

/* Out of the map first, so that its name is found to mean another server, or none. */
static void remove_server(struct sources *sources, struct server *server) {
    map_remove(&sources->servers, server->key);
    sources_replaced(sources, server->object->meta.name, NULL, NULL);
    server_free(server);
}

static void on_object(void *arg, enum informer_change change, const struct object *old,
                      const struct object *new_) {
    struct source_kind *kind = arg;
    struct sources *sources = kind->sources;
    const struct object *object = new_ ? new_ : old;
    struct server *server = map_get(&sources->servers, object->key);

    if (change == INFORMER_DELETED) {
        if (server)
            remove_server(sources, server);
    } else if (server) {
        server_change(server, (const struct promsource_object *)object_ref(object));
    } else {
        server = server_new(sources, (const struct promsource_object *)object_ref(object));
        /* Before it is applied, which asks the map what its name means. */
        map_put(&sources->servers, server->key, server);
        server_apply(server);
    }
}

/* A cluster without the kinds is no fault: it has the default server. They may be installed any time. */
static void look_for_kind(struct source_kind *kind) {
    struct sources *sources = kind->sources;
    const struct resource *resource;
    struct err err = {0};
    int ret = discovery_find(sources->world.discovery, GROUP_VERSION, kind->kind, &resource, &err);

    if (ret == -ENOENT && !kind->missing)
        log_info(NULL, "the cluster has no kind %s: metrics that name one will say so", kind->kind);
    if (ret == -ENOENT)
        kind->missing = true;
    if (ret == 0) {
        kind->missing = false;
        kind->informer =
            informers_open(sources->world.informers, resource, OBJECT_METRIC_SOURCE, on_object, kind);
    }
}

/* Whether something else may now be said of names that mean nothing. */
static bool settle(struct source_kind *kind) {
    bool before = kind->settled, found = false;

    if (!kind->informer) {
        look_for_kind(kind);
        found = kind->informer != NULL;
    }
    kind->settled = kind->informer ? informer_synced(kind->informer) : kind->missing;
    /* Until it is, why it is not may change. */
    return found || kind->settled != before || (kind->informer && !kind->settled);
}

static void on_tick(void *arg) {
    struct sources *sources = arg;
    struct map_iter it = {0};
    void *server;
    bool news = settle(&sources->kinds[KIND_NAMESPACED]);

    news |= settle(&sources->kinds[KIND_CLUSTER]);
    if (news)
        sources_replaced(sources, NULL, NULL, NULL);
    /* The default one has no object to write a status to, and no Secrets. */
    while (map_next(&sources->servers, &it, NULL, &server)) {
        server_check_secrets(server);
        server_watch_tick(server);
    }
    bool settled = sources->kinds[KIND_NAMESPACED].settled && sources->kinds[KIND_CLUSTER].settled;
    loop_timer_set(sources->tick, settled ? TICK : TICK_UNSETTLED);
}

/* ---- life ---- */

int sources_new(const struct sources_world *world, struct sources **ret_sources, struct err *err) {
    static const char *const names[KIND_COUNT] = {"MetricSource", "ClusterMetricSource"};
    struct sources *s = XNEW(struct sources);

    s->world = *world;
    s->uses = 1; /* nothing has been counted yet */
    if (world->fallback) {
        s->max_concurrent = world->fallback->max_concurrent;
        s->max_response = world->fallback->max_response;
        int ret = server_new_fallback(s, world->fallback, &s->fallback, err);
        if (ret < 0) {
            free(s);
            return ret;
        }
    }
    s->own_ns = world->own_ns && world->own_ns[0] ? xstrdup(world->own_ns) : NULL;
    for (int i = 0; i < KIND_COUNT; i++)
        s->kinds[i] = (struct source_kind){.sources = s, .kind = names[i]};
    map_init(&s->servers);
    wants_init(s);
    s->tick = loop_timer_new(world->loop, on_tick, s);
    loop_timer_set(s->tick, 0);
    *ret_sources = s;
    return 0;
}

void sources_free(struct sources *sources) {
    struct map_iter it = {0};
    void *server;

    if (!sources)
        return;
    /* What calls back goes first, then who is bound to servers, then these. */
    loop_timer_free(sources->tick);
    for (int i = 0; i < KIND_COUNT; i++)
        informer_close(sources->kinds[i].informer);
    wants_done(sources);
    while (map_next(&sources->servers, &it, NULL, &server))
        server_free(server);
    server_free(sources->fallback);
    map_done(&sources->servers);
    free(sources->own_ns);
    free(sources);
}

static void tell_of(struct server *server, sources_fn *fn, void *arg) {
    const struct object *o = server->object ? &server->object->meta : NULL;
    struct promclient_stats stats;

    server_stats(server, &stats);
    fn(arg, o ? o->ns : "", o ? o->name : "", &stats, server_policies(server));
}

void sources_each(const struct sources *sources, sources_fn *fn, void *arg) {
    struct map_iter it = {0};
    void *server;

    if (sources->fallback)
        tell_of(sources->fallback, fn, arg);
    while (map_next(&sources->servers, &it, NULL, &server))
        tell_of(server, fn, arg);
}
