/* Stand-ins by name for what ownmetrics.c asks, and the world around it. */
#include "adapter/tests/own_world.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- informers ---- */

static const char *text_of(const json_t *object, const char *key) {
    return str_or_empty(json_string_value(json_object_get(object, key)));
}

static struct object *make_object(struct str_pool *pool, const json_t *json) {
    const struct object_names names = {
        .ns = text_of(json, "namespace"), .name = text_of(json, "name"), .uid = "", .resource_version = "1"};
    struct object *o = object_new(OBJECT_META, pool, &names);
    json_t *labels = json_object_get(json, "labels"), *value;
    const char *key;
    uint32_t i = 0;

    o->labels = labels_new((uint32_t)json_object_size(labels));
    json_object_foreach(labels, key, value) {
        const char *text = json_string_value(value);
        o->labels->items[i++] =
            (struct label){str_intern(pool, key, strlen(key)), str_intern(pool, text, strlen(text))};
    }
    return o;
}

/* Backwards: the order of a cache is none. */
static void load_objects(struct informers *all, struct informer *informer, const char *version) {
    const json_t *list = json_object_get(all->cluster, "objects");
    size_t count = json_array_size(list), n = 0;

    informer->objects = xcalloc(count + 1, sizeof(struct object *));
    for (size_t i = count; i-- > 0;) {
        const json_t *o = json_array_get(list, i);
        if (str_eq(text_of(o, "resource"), informer->plural) && str_eq(text_of(o, "groupVersion"), version))
            informer->objects[n++] = make_object(&all->pool, o);
    }
}

static struct informer *get_informer(struct informers *all, const char *plural, const char *group,
                                     const char *version) {
    struct informer *i = all->items;

    while (i->plural && (!str_eq(i->plural, plural) || !str_eq(i->group, group)))
        i++;
    assert_true(i < all->items + OWN_INFORMERS);
    if (!i->plural) {
        cleanup_free char *group_version = *group ? xasprintf("%s/%s", group, version) : xstrdup(version);
        i->plural = plural;
        i->group = group;
        load_objects(all, i, group_version);
    }
    return i;
}

struct informer *own_world_informer(struct informers *all, const char *plural) {
    return get_informer(all, plural, "", "v1");
}

struct informer *informers_open(struct informers *all, const struct resource *resource, enum object_type type,
                                informer_fn *fn, void *arg) {
    struct informer *i = get_informer(all, resource->plural, resource->group, resource->version);

    i->fn = fn;
    i->arg = arg;
    i->type = type;
    i->open++;
    i->opened++;
    return i;
}

static struct object **find_object(const struct informer *informer, const char *name) {
    struct object **o = informer->objects;

    while (*o && !str_eq((*o)->name, name))
        o++;
    if (!*o)
        abort(); /* a test's mistake */
    return o;
}

void own_world_delete(struct informer *informer, const char *name) {
    struct object **at = find_object(informer, name);
    struct object *gone = *at;

    for (; *at; at++)
        at[0] = at[1];
    informer->fn(informer->arg, INFORMER_DELETED, gone, NULL);
    object_unref(gone);
}

void own_world_relabel(struct informer *informer, const char *name, const char *like) {
    struct object **at = find_object(informer, name), *old = *at;
    const struct object_names names = {.ns = old->ns, .name = old->name, .resource_version = "2"};

    *at = object_new(OBJECT_META, old->pool, &names);
    (*at)->labels = labels_ref((*find_object(informer, like))->labels);
    informer->fn(informer->arg, INFORMER_MODIFIED, old, *at);
    object_unref(old);
}

void informer_close(struct informer *informer) {
    assert_true(informer->open > 0);
    informer->open--;
}

bool informer_synced(const struct informer *informer) {
    return !informer->withheld && !informer->err.code;
}

const struct err *informer_error(const struct informer *informer) {
    return &informer->err;
}

void informer_select(const struct informer *informer, const char *ns, const struct selector *selector,
                     informer_each_fn *fn, void *arg) {
    for (struct object **o = informer->objects; *o; o++)
        if (str_eq((*o)->ns, ns) && selector_matches(selector, (*o)->labels))
            fn(arg, *o);
}

/* ---- discovery ---- */

int discovery_find(struct discovery *discovery, const char *api_version, const char *kind,
                   const struct resource **ret_resource, struct err *err) {
    for (uint32_t i = 0; !discovery->silent && i < discovery->known->count; i++) {
        const struct cluster_resource *r = &discovery->known->items[i];
        cleanup_free char *version =
            *r->group ? xasprintf("%s/%s", r->group, r->version) : xstrdup(r->version);
        if (!str_eq(version, api_version) || !str_eq(r->kind, kind))
            continue;
        assert_true(i < OWN_RESOURCES);
        discovery->resources[i] = (struct resource){.group = r->group,
                                                    .version = r->version,
                                                    .kind = r->kind,
                                                    .plural = r->plural,
                                                    .namespaced = r->namespaced};
        *ret_resource = &discovery->resources[i];
        return 0;
    }
    return discovery->silent ? err_set(err, -EAGAIN, "it is being asked")
                             : err_set(err, -ENOENT, "the server has no kind %s in %s", kind, api_version);
}

/* ---- rules and servers ---- */

const struct registry *ruleset_registry(const struct ruleset *ruleset) {
    return ruleset->registry;
}

const struct cluster_resources *ruleset_resources(const struct ruleset *ruleset) {
    return ruleset->resources;
}

bool ruleset_ready(const struct ruleset *ruleset) {
    return ruleset->ready;
}

bool ruleset_look_again(struct ruleset *ruleset, loop_fn *fn, void *arg) {
    if (!ruleset->stale)
        return false;
    ruleset->looks++;
    ruleset->look_fn = fn;
    ruleset->look_arg = arg;
    return true;
}

void ruleset_cancel_look(struct ruleset *ruleset, loop_fn *fn, void *arg) {
    assert_true(ruleset->look_fn == fn && ruleset->look_arg == arg);
    ruleset->look_fn = NULL;
    ruleset->cancelled++;
}

void own_world_listed(struct ruleset *ruleset) {
    loop_fn *fn = ruleset->look_fn;

    ruleset->look_fn = NULL;
    ruleset->stale = false;
    fn(ruleset->look_arg);
}

void ruleset_on_change(struct ruleset *ruleset, loop_fn *fn, void *arg) {
    ruleset->changed = fn;
    ruleset->changed_arg = arg;
}

void ruleset_stats(const struct ruleset *ruleset, struct ruleset_stats *ret_stats) {
    *ret_stats = (struct ruleset_stats){.error = ruleset->error};
}

struct promclient *sources_client(struct sources *sources, const char *ns, const char *name,
                                  struct err *err) {
    assert_null(ns);
    sources->name = name;
    sources->asked++;
    if (!sources->client)
        err_set(err, sources->unsettled ? -EAGAIN : -ENOENT,
                "there is no default server: set --prometheus-url");
    return sources->client;
}

void sources_on_change(struct sources *sources, loop_fn *fn, void *arg) {
    sources->changed = fn;
    sources->arg = arg;
}

/* ---- Prometheus ---- */

/* The query of a form ("query=…&timeout=…"), decoded; owned by the caller. */
static char *query_of(const struct http_request *request) {
    const char *at = (const char *)request->body + strlen("query="),
               *end = (const char *)request->body + request->body_len;
    char *text = xcalloc(1, request->body_len), *out = text;

    assert_true(str_starts(request->body, "query="));
    while (at < end && *at != '&') {
        bool coded = *at == '%';
        char code[3] = "";
        if (coded)
            memcpy(code, at + 1, 2);
        *out = *at;
        if (coded)
            *out = (char)strtoul(code, NULL, 16);
        out++;
        at += coded ? 3 : 1;
    }
    return text;
}

static void serve(void *arg, const struct http_request *request, struct fake_reply *ret_reply) {
    struct own_world *w = arg;

    if (w->count < OWN_QUERIES)
        w->queries[w->count] = query_of(request);
    w->count++;
    *ret_reply = (struct fake_reply){.status = w->status ? w->status : 200,
                                     .body = w->body ? w->body : OWN_VECTOR("")};
}

static struct promclient *new_client(struct own_world *w) {
    const struct prometheus_options options = {.url = "http://prom:9090"};
    struct promclient *client = NULL;

    assert_int_equal(promclient_new(w->loop, &w->http.head, &options, &client, NULL), 0);
    return client;
}

/* ---- the world ---- */

struct own_world *own_world_new(const struct recorded_cluster *cluster, const struct recorded *recorded) {
    struct own_world *w = XNEW(struct own_world);

    w->loop = fake_loop_new();
    fake_http_init(&w->http, w->loop, serve, w);
    w->informers.cluster = cluster->json;
    str_pool_init(&w->informers.pool);
    w->ruleset = (struct ruleset){
        .registry = recorded->registry, .resources = &cluster->resources, .ready = true, .error = ""};
    w->sources.client = new_client(w);
    w->discovery.known = &cluster->resources;
    w->cache = querycache_new(w->loop, &(struct querycache_options){0});
    own_world_limit(w, NULL);
    return w;
}

void own_world_limit(struct own_world *w, const char *const *namespaces) {
    ownmetrics_free(w->own);
    w->own = ownmetrics_new(&(struct ownmetrics_world){.loop = w->loop,
                                                       .discovery = &w->discovery,
                                                       .informers = &w->informers,
                                                       .sources = &w->sources,
                                                       .ruleset = &w->ruleset,
                                                       .cache = w->cache,
                                                       .namespaces = namespaces});
}

void own_world_say(struct own_world *w, const char *body) {
    struct promclient *old = w->sources.client;

    w->body = body;
    w->sources.client = new_client(w);
    w->sources.changed(w->sources.arg);
    promclient_free(old);
}

static void informer_done(struct informer *i) {
    assert_int_equal(i->open, 0);
    for (struct object **o = i->objects; o && *o; o++)
        object_unref(*o);
    free(i->objects);
}

void own_rules_init(struct own_rules *rules, const char *config, const char *exposition) {
    json_t *json = json_pack("{s:s, s:s}", "config", config, "exposition", exposition);
    struct err err = {0};

    recorded_cluster_init(&rules->cluster);
    if (recorded_init(&rules->recorded, json, &rules->cluster, &err) < 0)
        fail_msg("%s", err.text);
    json_decref(json);
}

void own_rules_done(struct own_rules *rules) {
    recorded_done(&rules->recorded);
    recorded_cluster_done(&rules->cluster);
}

struct own_world *own_world_of(const struct own_rules *rules, const char *body) {
    struct own_world *w = own_world_new(&rules->cluster, &rules->recorded);

    w->body = body;
    return w;
}

void own_world_free(struct own_world *w) {
    ownmetrics_free(w->own);
    querycache_free(w->cache);
    promclient_free(w->sources.client);
    for (int i = 0; i < OWN_INFORMERS; i++)
        informer_done(&w->informers.items[i]);
    for (int i = 0; i < OWN_QUERIES; i++)
        free(w->queries[i]);
    assert_int_equal(w->http.in_flight, 0);
    fake_loop_free(w->loop);
    str_pool_done(&w->informers.pool);
    free(w);
}
