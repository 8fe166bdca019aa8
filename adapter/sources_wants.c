/* Those who want metrics of a server by its name: bound to the server that the name means at the moment, and
 * moved when it means another one.
 *
 *   subscription -> want, one for each namespace and name -> the pacer of a server, or none and why
 *
 * To policies a subscription stays the same whatever becomes of the server behind the name: underneath, inner
 * is ended at the old pacer and begun at the new one, and those concerned are told on a later turn, when all
 * have been moved. A want lives while it has users, is being told, or stands in the list of those to be told.
 */
#include "adapter/sources_internal.h"

#include "base/mem.h"
#include <errno.h>
#include <string.h>

struct metric_subscription {
    struct subscriber head; /* in the list of its want */
    struct want *want;
    struct metric_spec metric; /* what a source looks at; query is owned */
    char *query;
    usec_t interval;
    struct metric_subscription *inner; /* of the want's pacer; NULL where there is none */
};

/* ---- binding ---- */

static void attach(struct metric_subscription *sub) {
    const struct want *w = sub->want;
    const struct metric_request request = {.metric = &sub->metric, .ns = w->ns, .interval = sub->interval};

    if (w->pacer)
        sub->inner = w->pacer->ops->subscribe(w->pacer, &request, sub->head.changed, sub->head.arg);
}

/* Before the want's pacer is another one: inner is that one's. */
static void detach(struct metric_subscription *sub) {
    struct metric_source *pacer = sub->want->pacer;

    if (sub->inner)
        pacer->ops->unsubscribe(pacer, sub->inner);
    sub->inner = NULL;
}

/* Whether the want has been moved, or has another reason not to have its metrics. */
static bool bind_one(struct want *w) {
    struct err why = {0};
    struct server *server = sources_find(w->sources, w->ns, w->name, &why);
    struct metric_source *pacer = server ? server->pacer : NULL;

    w->server = server;
    /* Old pacers are freed only when all have been moved, so that no new one can have an old one's address.
     */
    if (pacer && pacer == w->pacer)
        return false;
    if (!pacer && !w->pacer && why.code == w->why.code && str_eq(why.text, w->why.text))
        return false;
    for (struct subscriber *s = w->users.first; s; s = s->next)
        detach((struct metric_subscription *)s);
    w->pacer = pacer;
    w->why = why;
    for (struct subscriber *s = w->users.first; s; s = s->next)
        attach((struct metric_subscription *)s);
    return true;
}

/* No want comes or goes while they are walked: nobody is told here. */
void wants_bind(struct sources *sources, const char *name) {
    struct map_iter it = {0};
    void *value;

    sources->uses++;
    while (map_next(&sources->wants, &it, NULL, &value)) {
        struct want *w = value;
        if ((name && !str_eq(name, w->name)) || !bind_one(w) || w->changed)
            continue;
        w->changed = true;
        w->next_changed = sources->changed;
        sources->changed = w;
        loop_timer_set(sources->tell, 0);
    }
}

/* ---- wants ---- */

static struct want *want_of(struct sources *sources, const char *ns, const char *name) {
    /* The default server is the same for everyone. */
    cleanup_free char *key = xasprintf("%s/%s", name ? ns : "", str_or_empty(name));
    struct want *w = map_get(&sources->wants, key);

    if (w)
        return w;
    w = XNEW(struct want);
    w->sources = sources;
    w->key = steal_ptr(&key);
    /* The key begins with the namespace, which has no slash. */
    w->name = name ? strchr(w->key, '/') + 1 : NULL;
    w->ns = xstrdup(ns);
    map_put(&sources->wants, w->key, w);
    bind_one(w);
    return w;
}

static void want_free(struct want *w) {
    map_remove(&w->sources->wants, w->key);
    free(w->key);
    free(w->ns);
    free(w);
}

/* One that is to be told, or is being told, goes after that. */
static void drop_unused(struct want *w) {
    if (!w->users.first && !w->users.telling && !w->changed)
        want_free(w);
}

/* Each may end its own or any other subscription meanwhile. */
static void on_tell(void *arg) {
    struct sources *sources = arg;
    struct want *w;

    /* Out of the list before it is told: it may be put there again meanwhile. */
    while ((w = sources->changed)) {
        sources->changed = w->next_changed;
        w->changed = false;
        subscribers_tell(&w->users);
        drop_unused(w);
    }
}

/* ---- the source ---- */

static struct metric_subscription *subscribe(struct metric_source *source,
                                             const struct metric_request *request, metric_changed_fn *changed,
                                             void *arg) {
    struct sources *sources = (struct sources *)source;
    struct metric_subscription *sub = XNEW(struct metric_subscription);
    const struct metric_spec *metric = request->metric;

    sub->head = (struct subscriber){.interval = request->interval, .changed = changed, .arg = arg};
    sub->query = metric->query ? xstrdup(metric->query) : NULL;
    sub->metric = (struct metric_spec){
        .type = metric->type, .query = sub->query, .combine = metric->combine, .max_age = metric->max_age};
    sub->interval = request->interval;
    sub->want = want_of(sources, str_or_empty(request->ns), metric->source);
    subscribers_add(&sub->want->users, &sub->head);
    sources->uses++;
    attach(sub);
    return sub;
}

static void unsubscribe(struct metric_source *source, struct metric_subscription *sub) {
    struct want *w = sub->want;

    (void)source;
    detach(sub);
    subscribers_remove(&w->users, &sub->head);
    w->sources->uses++;
    free(sub->query);
    free(sub);
    drop_unused(w);
}

static void read_sample(struct metric_source *source, struct metric_subscription *sub, usec_t now,
                        struct sample *ret_sample) {
    const struct want *w = sub->want;
    struct sample s = {.quality = QUALITY_FAILED, .message = err_text(&w->why), .warning = ""};

    (void)source;
    if (sub->inner) {
        w->pacer->ops->read(w->pacer, sub->inner, now, &s);
        s.origin = w->server->title;
    } else if (w->why.code == -EAGAIN) {
        s = (struct sample){.quality = QUALITY_PENDING, .message = "", .warning = ""};
    }
    *ret_sample = s;
}

void wants_init(struct sources *sources) {
    static const struct metric_source_ops ops = {
        .name = "Prometheus", .subscribe = subscribe, .unsubscribe = unsubscribe, .read = read_sample};

    sources->head.ops = &ops;
    map_init(&sources->wants);
    sources->tell = loop_timer_new(sources->world.loop, on_tell, sources);
}

void wants_done(struct sources *sources) {
    struct want *next;

    for (struct want *w = sources->changed; w; w = next) {
        next = w->next_changed;
        w->changed = false;
        drop_unused(w);
    }
    loop_timer_free(sources->tell);
    map_done(&sources->wants);
}

/* ---- counting ---- */

static int by_address(const void *a, const void *b) {
    const uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;

    return (x > y) - (x < y);
}

/* The callback's arguments of all who are bound to the server; owned by the caller. */
static void **users_of(const struct server *server, size_t *ret_count) {
    size_t count = 0, cap = 0;
    void **args = NULL, *value;
    struct map_iter it = {0};

    while (map_next(&server->sources->wants, &it, NULL, &value)) {
        const struct want *w = value;
        if (w->server != server)
            continue;
        for (const struct subscriber *s = w->users.first; s; s = s->next) {
            if (count == cap) {
                cap = cap ? cap * 2 : 16;
                args = xrealloc(args, cap * sizeof(*args));
            }
            args[count++] = s->arg;
        }
    }
    *ret_count = count;
    return args;
}

/* A policy's metrics all tell the same argument, its own: so many different ones, so many policies. */
uint32_t server_policies(struct server *server) {
    size_t count;

    if (server->counted == server->sources->uses)
        return server->policies;
    server->counted = server->sources->uses;
    server->policies = 0;
    cleanup_free void **args = users_of(server, &count);
    if (count)
        qsort(args, count, sizeof(*args), by_address);
    for (size_t i = 0; i < count; i++)
        server->policies += i == 0 || args[i] != args[i - 1];
    return server->policies;
}
