/* Requests of metrics.k8s.io that Prometheus answers: the objects that are asked for, a question for each of
 * their namespaces and for cpu and memory, and the answer when the last one is in.
 *
 * A call takes references to the objects that it is about, sends its questions, and counts them: what each
 * answer says is added to the objects (resourcerules_values.c), and the last one to come gives the answer of
 * the call and frees it. Where all came from memory, resourcerules_answer does both itself; a call that is
 * cancelled before is freed without a word. There is no fourth way out. */
#include "adapter/resourcerules_internal.h"

#include "adapter/askedservers.h"
#include "adapter/resourceobjects.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/loop.h"
#include <stdlib.h>
#include <string.h>

struct resourcerules {
    struct resourcerules_world world;
    struct informer *pods, *nodes; /* NULL: not followed (yet) */
    struct resourcerules_call *calls;
    struct resource_source *source;
    struct asked_servers *servers;
};

/* A question that is out. */
struct asked {
    struct resourcerules_call *call;
    struct resource_question question;
    struct querycache_wait *wait;
};

struct resourcerules_call {
    struct resourcerules *all;
    struct resourcerules_call *next, **at; /* in the list of all; at: what points to it there */
    struct metrics_route route;            /* name, ns and resource alone, in arena */
    metrics_answer_fn *fn;
    void *arg;
    struct arena arena;
    struct measured *objects; /* sorted in ask_all; by_key points into it, so that none may be added after */
    uint32_t count, cap;
    struct map by_key; /* struct measured */
    struct map asked;  /* struct asked, by what makes two questions one; see ask() */
    usec_t window;
    uint32_t waits; /* questions that are out */
    bool inside;    /* in resourcerules_answer, which looks at waits itself when all are sent */
    struct err err; /* of the question that failed last: one is enough for a reason */
};

/* Following pods and nodes. */

/* Nobody waits for a change: what there is, is looked up when a request comes. */
static void on_object(void *arg, enum informer_change change, const struct object *old,
                      const struct object *new_) {
    (void)arg;
    (void)change;
    (void)old;
    (void)new_;
}

/* NULL while discovery does not know the kind: on_change is called when it does. */
static struct informer *follow(struct resourcerules *all, const char *kind, enum object_type type) {
    const struct resource *resource;

    if (discovery_find(all->world.discovery, "v1", kind, &resource, NULL) < 0)
        return NULL;
    return informers_open(all->world.informers, resource, type, on_object, all);
}

bool resourcerules_serve(const struct resourcerules *all) {
    const struct rules *rules = ruleset_rules(all->world.ruleset);
    return rules && rules->has_resource;
}

/* The rules have changed, or discovery knows more. */
static void on_change(void *arg) {
    struct resourcerules *all = arg;

    if (!resourcerules_serve(all))
        return;
    if (!all->pods)
        all->pods = follow(all, "Pod", OBJECT_POD);
    if (!all->nodes)
        all->nodes = follow(all, "Node", OBJECT_NODE);
}

/* Clients that are about to go must not stay in the cache as keys of their answers. */
static void on_sources(void *arg) {
    struct resourcerules *all = arg;

    asked_servers_sweep(all->servers, NULL, NULL);
}

struct resourcerules *resourcerules_new(const struct resourcerules_world *world) {
    struct resourcerules *all = XNEW(struct resourcerules);

    all->world = *world;
    all->servers = asked_servers_new(world->sources, world->cache);
    all->source = resource_source_new(all, world->loop);
    ruleset_on_change(world->ruleset, on_change, all);
    discovery_on_change(world->discovery, on_change, all);
    sources_on_change(world->sources, on_sources, all);
    on_change(all);
    return all;
}

void resourcerules_free(struct resourcerules *all) {
    if (!all)
        return;
    while (all->calls)
        resourcerules_cancel(all->calls);
    resource_source_free(all->source);
    asked_servers_free(all->servers);
    informer_close(all->pods);
    informer_close(all->nodes);
    free(all);
}

/* A request. */

static void call_free(struct resourcerules_call *call) {
    if (call->at) {
        *call->at = call->next;
        if (call->next)
            call->next->at = call->at;
    }
    for (uint32_t i = 0; i < call->count; i++)
        object_unref(call->objects[i].object);
    free(call->objects);
    map_done(&call->by_key);
    map_done(&call->asked);
    arena_done(&call->arena);
    free(call);
}

void resourcerules_cancel(struct resourcerules_call *call) {
    struct map_iter it = {0};
    void *asked;

    if (!call)
        return;
    while (map_next(&call->asked, &it, NULL, &asked))
        querycache_cancel(((struct asked *)asked)->wait);
    call_free(call);
}

/* What fails is left out, as the original has it; but that nothing is known is no answer. */
static void give_answer(struct resourcerules_call *call) {
    struct metrics_object *objects = ARENA_ARRAY(&call->arena, struct metrics_object, call->count + 1);
    uint32_t count = 0;

    for (uint32_t i = 0; i < call->count; i++)
        count += resource_values_object(&call->objects[i], call->window, &call->arena, &objects[count]);
    if (call->count && !count && call->err.code)
        resource_answer_failed(err_text(&call->err), call->fn, call->arg);
    else
        resource_answer(&call->route, /* exists= */ call->count > 0, objects, count, call->fn, call->arg);
}

/* One question less; the last one answers. Inside resourcerules_answer, that does the rest. */
static void arrived(struct resourcerules_call *call) {
    if (--call->waits || call->inside)
        return;
    give_answer(call);
    call_free(call);
}

static void failed(struct resourcerules_call *call, const struct err *err) {
    log_debug("resourceRules", "%s", err_text(err));
    call->err = *err;
}

static void on_vector(void *arg, const struct vector *vector, const struct err *err) {
    struct asked *asked = arg;
    struct resourcerules_call *call = asked->call;

    asked->wait = NULL;
    /* A last good answer that stands in for a failed fetch is as good as another. */
    if (vector)
        resource_values_take(&asked->question, vector, &call->by_key, &call->arena);
    else
        failed(call, err);
    arrived(call);
}

/* Namespaces share a question only where its answer tells them apart. Texts alone do not say that: a query
 * without <<.LabelMatchers>> is the same one for each namespace, and its answer is read for each by itself.
 */
static void ask(struct resourcerules_call *call, struct promclient *client,
                const struct resource_question *question) {
    const char *key =
        question->ns_label
            ? arena_printf(&call->arena, "%d %s", (int)question->of, question->query.text)
            : arena_printf(&call->arena, "%d/%s", (int)question->of, str_or_empty(question->ns));
    if (map_get(&call->asked, key))
        return;
    struct asked *asked = ARENA_NEW(&call->arena, struct asked);
    *asked = (struct asked){.call = call, .question = *question};
    map_put(&call->asked, key, asked);
    call->waits++;
    struct querycache_wait *wait =
        querycache_ask(call->all->world.cache, client, &question->query, on_vector, asked);
    if (wait)
        asked->wait = wait;
}

static void ask_group(struct resourcerules_call *call, const struct resource_group *group) {
    struct resourcerules *all = call->all;
    struct resource_question question;

    for (int of = 0; of < OF_COUNT; of++) {
        struct promclient *client = NULL;
        struct err err = {0};
        if (resource_question_write(all->world.ruleset, group, (enum resource_of)of, &call->arena, &question,
                                    &err) == 0)
            client = asked_servers_client(all->servers, question.source, &err);
        if (client)
            ask(call, client, &question);
        else
            failed(call, &err);
    }
}

static int by_namespace(const void *a, const void *b) {
    return strcmp(((const struct measured *)a)->object->ns, ((const struct measured *)b)->object->ns);
}

/* Group by group, in the order of their namespaces. */
static void ask_all(struct resourcerules_call *call) {
    bool pods = resource_route_is_pods(&call->route);
    const char **names = ARENA_ARRAY(&call->arena, const char *, call->count + 1);
    uint32_t end;

    qsort(call->objects, call->count, sizeof(*call->objects), by_namespace);
    for (uint32_t i = 0; i < call->count; i++) {
        names[i] = call->objects[i].object->name;
        map_put(&call->by_key, call->objects[i].object->key, &call->objects[i]);
    }
    for (uint32_t i = 0; i < call->count; i = end) {
        const char *ns = call->objects[i].object->ns;
        for (end = i; end < call->count && strcmp(call->objects[end].object->ns, ns) == 0;)
            end++;
        ask_group(call,
                  &(struct resource_group){pods ? ns : NULL, names + i, end - i, pods && !call->route.ns});
    }
}

/* References: an object may be replaced or go before the answers are in. */
static void add_object(void *arg, const struct object *object) {
    struct resourcerules_call *call = arg;

    if (call->count == call->cap) {
        call->cap = call->cap ? call->cap * 2 : 64;
        call->objects = xrealloc(call->objects, call->cap * sizeof(*call->objects));
    }
    call->objects[call->count++] = (struct measured){.object = object_ref(object)};
}

static struct resourcerules_call *call_new(struct resourcerules *all, const struct metrics_route *route) {
    struct resourcerules_call *call = XNEW(struct resourcerules_call);
    const struct rules *rules = ruleset_rules(all->world.ruleset);

    call->all = all;
    arena_init(&call->arena, 16384);
    call->route.api = route->api;
    /* Selectors have done their work when the objects are found, and are not needed for the answer. */
    call->route.resource = arena_strdup(&call->arena, route->resource);
    call->route.ns = route->ns ? arena_strdup(&call->arena, route->ns) : NULL;
    call->route.name = route->name ? arena_strdup(&call->arena, route->name) : NULL;
    call->window = rules ? rules->window : 0;
    call->next = all->calls;
    call->at = &all->calls;
    if (call->next)
        call->next->at = &call->next;
    all->calls = call;
    return call;
}

struct resourcerules_call *resourcerules_answer(struct resourcerules *all, const struct metrics_route *route,
                                                metrics_answer_fn *fn, void *arg) {
    const struct resource_informers informers = {all->pods, all->nodes};
    struct resourcerules_call *call = call_new(all, route);

    call->fn = fn;
    call->arg = arg;
    call->inside = true;
    bool known = resource_objects_each(route, &informers, add_object, call);
    if (known && call->count)
        ask_all(call);
    call->inside = false;
    if (call->waits)
        return call;
    if (known)
        give_answer(call);
    else
        resource_answer_unknown(fn, arg);
    call_free(call);
    return NULL;
}

struct metric_source *resourcerules_source(struct resourcerules *all) {
    return resource_source_head(all->source);
}
