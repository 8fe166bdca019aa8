/* Resources that are followed, shared by their users. A feed is one resource as one type of object: a cache,
 * a follower for each namespace, and users. What is closed is taken apart on a later turn, so that users may
 * open and close inside their callbacks: whoever walks over feeds or users may find more of them at the next
 * step, but never fewer. They are freed by on_later, when no callback is under way. */
#include "informers/informers.h"

#include "base/mem.h"
#include "base/str.h"
#include "informers/cache.h"
#include "informers/follower.h"
#include <stdlib.h>
#include <string.h>

struct informer {
    struct feed *feed;
    struct informer *next;
    informer_fn *fn;
    void *arg;
    bool told;   /* what was there when it was opened */
    bool closed; /* hears nothing any more; freed by on_later */
};

struct feed {
    struct informers *informers;
    struct feed *next;
    const struct resource *resource;
    enum object_type type;
    char *subject;
    struct cache *cache;
    struct follower **followers;
    size_t follower_count;
    struct informer *users;
};

struct informers {
    struct loop *loop;
    struct informer_transport transport;
    char **namespaces; /* NULL-terminated, or NULL: all */
    usec_t backoff_min, backoff_max, list_stall;
    struct str_pool pool;
    struct feed *feeds;
    struct loop_timer *later; /* tells new users, takes apart what was closed */
};

/* ---- the transport of every day: the API server's client ---- */

static void *kube_list(void *arg, const struct kube_request *request) {
    return kube_start(arg, request);
}

static void kube_list_cancel(void *arg, void *call) {
    (void)arg;
    kube_cancel(call);
}

static void *kube_open(void *arg, const char *path, const struct ws_request *callbacks) {
    return kube_watch_open(arg, path, callbacks);
}

static void kube_close(void *arg, void *watch) {
    (void)arg;
    kube_watch_close(watch);
}

/* Users that opened during this turn are told of everything later, of this change as part of it. */
static void notify(struct feed *feed, enum informer_change change, const struct object *old,
                   const struct object *new_) {
    for (struct informer *user = feed->users; user; user = user->next)
        if (user->told && !user->closed)
            user->fn(user->arg, change, old, new_);
}

/* Objects go to the users as they arrive, before a list is whole: informer_synced tells when it is. The
 * version before lives until they have seen it. */
static void on_object(void *arg, struct object *object, uint32_t epoch) {
    struct feed *feed = arg;
    const struct object *old, *new_;
    enum cache_change change = cache_put(feed->cache, object, epoch, &old, &new_);

    if (change == CACHE_ADDED)
        notify(feed, INFORMER_ADDED, NULL, new_);
    else if (change == CACHE_MODIFIED)
        notify(feed, INFORMER_MODIFIED, old, new_);
    object_unref(old);
}

static void on_gone(void *arg, const struct object *object) {
    notify(arg, INFORMER_DELETED, object, NULL);
}

/* Users are told the object as it was told last: by that they find what they keep of it. */
static void on_deleted(void *arg, const char *key) {
    struct feed *feed = arg;
    const struct object *old = cache_remove(feed->cache, key);

    if (old)
        on_gone(feed, old);
    object_unref(old);
}

/* epoch is of the list that is whole now: what it has not touched is no longer there. ns: one follower's list
 * says nothing about the objects of another one's. */
static void on_listed(void *arg, const char *ns, uint32_t epoch) {
    struct feed *feed = arg;

    cache_sweep(feed->cache, ns, epoch, on_gone, feed);
}

static void add_follower(struct feed *feed, const char *ns) {
    const struct informers *all = feed->informers;

    feed->followers = xrealloc(feed->followers, (feed->follower_count + 1) * sizeof(struct follower *));
    feed->followers[feed->follower_count++] =
        follower_new(&(struct follower_options){.loop = all->loop,
                                                .transport = &all->transport,
                                                .resource = feed->resource,
                                                .ns = ns,
                                                .type = feed->type,
                                                .pool = &feed->informers->pool,
                                                .subject = feed->subject,
                                                .backoff_min = all->backoff_min,
                                                .backoff_max = all->backoff_max,
                                                .list_stall = all->list_stall,
                                                .handler = {on_object, on_deleted, on_listed, feed}});
}

/* One follower for all namespaces, or one for each that was named: a Role cannot allow more. What lies
 * outside of namespaces is followed once either way. */
static struct feed *new_feed(struct informers *all, const struct resource *resource, enum object_type type) {
    struct feed *feed = XNEW(struct feed);

    feed->informers = all;
    feed->resource = resource;
    feed->type = type;
    feed->subject = xasprintf("%s%s%s", resource->plural, *resource->group ? "." : "", resource->group);
    feed->cache = cache_new();
    if (!all->namespaces || !resource->namespaced)
        add_follower(feed, NULL);
    for (char **ns = all->namespaces; ns && resource->namespaced && *ns; ns++)
        add_follower(feed, *ns);
    feed->next = all->feeds;
    all->feeds = feed;
    return feed;
}

/* Followers go first: they are what still puts objects into the cache. */
static void free_feed(struct feed *feed) {
    for (size_t i = 0; i < feed->follower_count; i++)
        follower_free(feed->followers[i]);
    while (feed->users) {
        struct informer *user = feed->users;
        feed->users = user->next;
        free(user);
    }
    cache_free(feed->cache);
    free(feed->followers);
    free(feed->subject);
    free(feed);
}

/* The user may close itself half-way. */
static void tell_one(void *arg, const struct object *object) {
    const struct informer *user = arg;

    if (!user->closed)
        user->fn(user->arg, INFORMER_ADDED, NULL, object);
}

/* A user that comes late gets what is there as ADDED: it cannot know that others came before it. */
static void tell_new_users(struct feed *feed) {
    for (struct informer *user = feed->users; user; user = user->next)
        if (!user->told) {
            user->told = true;
            cache_each(feed->cache, tell_one, user);
        }
}

static void free_closed_users(struct feed *feed) {
    for (struct informer **at = &feed->users; *at;) {
        struct informer *user = *at;
        if (!user->closed) {
            at = &user->next;
            continue;
        }
        *at = user->next;
        free(user);
    }
}

/* A feed ends with its last user: its watch is closed and its objects are let go. New users are told first,
 * since what they are told may open and close others. A feed that is opened by them stands before those that
 * are still to come here; opening it has set the timer again. */
static void on_later(void *arg) {
    struct informers *all = arg;

    for (struct feed *feed = all->feeds; feed; feed = feed->next)
        tell_new_users(feed);
    for (struct feed **at = &all->feeds; *at;) {
        struct feed *feed = *at;
        free_closed_users(feed);
        if (feed->users) {
            at = &feed->next;
            continue;
        }
        *at = feed->next;
        free_feed(feed);
    }
}

static char **copy_list(const char *const *list) {
    size_t count = 0;

    while (list && list[count])
        count++;
    if (!list)
        return NULL;
    char **copy = xcalloc(count + 1, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        copy[i] = xstrdup(list[i]);
    return copy;
}

/* Half a second to half a minute between tries, and a minute of silence in a list, where nobody says less. */
struct informers *informers_new(struct loop *loop, struct kube *kube,
                                const struct informers_options *options) {
    const struct informers_options none = {0};
    const struct informers_options *o = options ? options : &none;
    struct informers *all = XNEW(struct informers);

    all->loop = loop;
    all->transport =
        o->transport ? *o->transport
                     : (struct informer_transport){kube_list, kube_list_cancel, kube_open, kube_close, kube};
    all->namespaces = copy_list(o->namespaces);
    all->backoff_min = o->backoff_min ? o->backoff_min : 500 * USEC_PER_MSEC;
    all->backoff_max = o->backoff_max ? o->backoff_max : 30 * USEC_PER_SEC;
    all->list_stall = o->list_stall ? o->list_stall : 60 * USEC_PER_SEC;
    str_pool_init(&all->pool);
    all->later = loop_timer_new(loop, on_later, all);
    return all;
}

/* The pool goes last: every object of the caches has given its texts back by then. */
void informers_free(struct informers *all) {
    if (!all)
        return;
    while (all->feeds) {
        struct feed *feed = all->feeds;
        all->feeds = feed->next;
        free_feed(feed);
    }
    loop_timer_free(all->later);
    for (char **ns = all->namespaces; ns && *ns; ns++)
        free(*ns);
    free(all->namespaces);
    str_pool_done(&all->pool);
    free(all);
}

/* Discovery gives one struct for a kind, but those who always follow the same kind have one of their own. */
static bool same_resource(const struct resource *a, const struct resource *b) {
    return a == b || (str_eq(a->group, b->group) && str_eq(a->version, b->version) &&
                      str_eq(a->plural, b->plural) && a->namespaced == b->namespaced);
}

struct informer *informers_open(struct informers *all, const struct resource *resource, enum object_type type,
                                informer_fn *fn, void *arg) {
    struct informer *user = XNEW(struct informer);
    struct feed *feed = all->feeds;

    while (feed && (feed->type != type || !same_resource(feed->resource, resource)))
        feed = feed->next;
    if (!feed)
        feed = new_feed(all, resource, type);
    *user = (struct informer){.feed = feed, .fn = fn, .arg = arg};
    struct informer **end = &feed->users;
    while (*end)
        end = &(*end)->next;
    *end = user; /* behind the others: they are told in the order in which they came */
    loop_timer_set(all->later, 0);
    return user;
}

void informer_close(struct informer *informer) {
    if (!informer)
        return;
    informer->closed = true;
    loop_timer_set(informer->feed->informers->later, 0);
}

/* Also told, since a user that asks has to have seen what the answer is about. */
bool informer_synced(const struct informer *informer) {
    const struct feed *feed = informer->feed;

    for (size_t i = 0; i < feed->follower_count; i++)
        if (!follower_synced(feed->followers[i]))
            return false;
    return informer->told;
}

/* The first namespace's that has one: as a rule they all fail for the same reason. */
const struct err *informer_error(const struct informer *informer) {
    const struct feed *feed = informer->feed;
    static const struct err none;

    for (size_t i = 0; i < feed->follower_count; i++)
        if (follower_error(feed->followers[i])->code)
            return follower_error(feed->followers[i]);
    return &none;
}

size_t informer_count(const struct informer *informer) {
    return cache_count(informer->feed->cache);
}

const struct object *informer_get(const struct informer *informer, const char *ns, const char *name) {
    return cache_get(informer->feed->cache, ns, name);
}

void informer_select(const struct informer *informer, const char *ns, const struct selector *selector,
                     informer_each_fn *fn, void *arg) {
    cache_select(informer->feed->cache, ns, selector, fn, arg);
}

void informer_owned(const struct informer *informer, const char *owner_uid, informer_each_fn *fn, void *arg) {
    cache_owned(informer->feed->cache, owner_uid, fn, arg);
}

void informer_each(const struct informer *informer, informer_each_fn *fn, void *arg) {
    cache_each(informer->feed->cache, fn, arg);
}

/* One that is closed is still in the list until on_later, but no handle of anybody's any more. */
static const struct informer *first_open(const struct feed *feed) {
    const struct informer *user = feed->users;

    while (user && user->closed)
        user = user->next;
    return user;
}

void informers_each(const struct informers *all, informers_fn *fn, void *arg) {
    for (const struct feed *feed = all->feeds; feed; feed = feed->next) {
        const struct informer *user = first_open(feed);
        if (user)
            fn(arg, feed->resource, user);
    }
}

void informer_stats(const struct informer *informer, struct informer_stats *ret_stats) {
    const struct feed *feed = informer->feed;
    struct follower_stats sum = {0};

    for (size_t i = 0; i < feed->follower_count; i++)
        follower_add_stats(feed->followers[i], &sum);
    *ret_stats = (struct informer_stats){.lists = sum.lists,
                                         .watches = sum.watches,
                                         .events = sum.events,
                                         .errors = sum.errors,
                                         .skipped = sum.skipped,
                                         .objects = cache_count(feed->cache),
                                         .bytes = cache_bytes(feed->cache)};
}
