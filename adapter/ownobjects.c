/* An informer for each resource that is asked for, and lists of names that are kept until an object comes,
 * goes or changes its labels: sorting them for each request would be most of its work. */
#include "adapter/ownobjects.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

static const usec_t IDLE_MAX = 10 * USEC_PER_MIN, IDLE_LOOK = USEC_PER_MIN;

/* Of the lists of each resource: those of some thousand HPAs, with a hundred pods each. Counted in bytes,
 * since selectors come from whoever asks, and one may select everything. */
static const size_t LISTS_BYTES = (size_t)16 << 20;
/* What does not fit is refused, not cut: two selectors must not pass for one. */
static const size_t KEY_MAX = (size_t)64 << 10;

/* The sorted names that a namespace and a selector come to. */
struct list {
    struct arena arena;
    char *key;
    struct own_names names;
};

struct followed {
    struct followed *next;
    const struct resource *resource; /* discovery's */
    struct informer *informer;
    usec_t asked;
    struct map lists; /* as long as nothing changes */
    size_t bytes;     /* of all lists; at most LISTS_BYTES where there are two */
    bool changed;
};

struct own_objects {
    struct loop *loop;
    struct discovery *discovery;
    struct informers *informers;
    struct loop_timer *idle; /* pending while anything is followed */
    struct followed *first;
    struct buf key;
    uint64_t serial; /* of the list that was made last */
};

static void list_free(struct list *list) {
    arena_done(&list->arena);
    free(list->key);
    free(list);
}

static void forget_lists(struct followed *f) {
    struct map_iter it = {0};
    void *list = NULL;

    /* The keys are the lists' own, so the map is thrown away whole and not emptied one by one. */
    while (map_next(&f->lists, &it, NULL, &list))
        list_free(list);
    map_done(&f->lists);
    map_init(&f->lists);
    f->bytes = 0;
    f->changed = false;
}

static void unfollow(struct followed *f) {
    informer_close(f->informer);
    forget_lists(f);
    free(f);
}

/* What nobody asks for any more is let go, with its memory and its watch. */
static void on_idle(void *arg) {
    struct own_objects *objects = arg;
    usec_t now = loop_now(objects->loop);

    for (struct followed **at = &objects->first; *at;) {
        struct followed *f = *at;
        /* Much longer than an HPA's period of 15 s: to list the pods of a cluster anew costs more than to
         * keep them for some minutes. */
        if (now - f->asked < IDLE_MAX) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        unfollow(f);
    }
    if (objects->first)
        loop_timer_set(objects->idle, IDLE_LOOK);
}

struct own_objects *own_objects_new(struct loop *loop, struct discovery *discovery,
                                    struct informers *informers) {
    struct own_objects *objects = XNEW(struct own_objects);

    *objects = (struct own_objects){.loop = loop, .discovery = discovery, .informers = informers};
    objects->idle = loop_timer_new(loop, on_idle, objects);
    buf_init(&objects->key, KEY_MAX);
    return objects;
}

void own_objects_free(struct own_objects *objects) {
    if (!objects)
        return;
    while (objects->first) {
        struct followed *f = objects->first;
        objects->first = f->next;
        unfollow(f);
    }
    loop_timer_free(objects->idle);
    buf_done(&objects->key);
    free(objects);
}

static void on_object(void *arg, enum informer_change change, const struct object *old,
                      const struct object *new_) {
    struct followed *f = arg;

    /* The lists go when they are asked for: somebody may be using one. */
    if (change != INFORMER_MODIFIED || !labels_equal(old->labels, new_->labels))
        f->changed = true;
}

static struct followed *follow(struct own_objects *objects, const struct resource *resource) {
    struct followed *f = objects->first;

    /* By address: equal kinds have the same one as long as discovery lives. */
    while (f && f->resource != resource)
        f = f->next;
    if (f)
        return f;
    f = XNEW(struct followed);
    *f = (struct followed){.next = objects->first, .resource = resource};
    objects->first = f;
    f->informer = informers_open(objects->informers, resource,
                                 object_type_of(resource->group, resource->plural), on_object, f);
    /* It stops by itself when the last resource has gone. */
    if (!loop_timer_pending(objects->idle))
        loop_timer_set(objects->idle, IDLE_LOOK);
    return f;
}

/* Discovery's own struct of the resource, which lives as long as informers may need it. */
static int find_resource(const struct own_objects *objects, const struct cluster_resource *wanted,
                         const struct resource **ret_resource, struct err *err) {
    cleanup_free char *api_version =
        *wanted->group ? xasprintf("%s/%s", wanted->group, wanted->version) : xstrdup(wanted->version);

    return discovery_find(objects->discovery, api_version, wanted->kind, ret_resource, err);
}

/* Whether the objects are there; what may still come by itself is waited for. */
static int check(const struct informer *informer, struct err *err) {
    const struct err *why = informer_error(informer);

    /* Even with an error beside it: what a watch that broke has left is better than a failure. */
    if (informer_synced(informer))
        return 0;
    /* Neither a missing right nor a missing resource comes right within the time of a request. */
    if (why->code == -EACCES || why->code == -ENOENT) {
        *err = *why;
        return why->code;
    }
    return err_set(err, -EAGAIN, "%s", why->code ? why->text : "the first list is not in yet");
}

struct found {
    const char **names;
    uint32_t count, cap;
};

static void take_object(void *arg, const struct object *object) {
    struct found *found = arg;

    if (found->count == found->cap) {
        found->cap = found->cap ? found->cap * 2 : 64;
        found->names = xrealloc(found->names, found->cap * sizeof(*found->names));
    }
    found->names[found->count++] = object->name;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct list *new_list(struct own_objects *objects, const struct followed *f, const char *ns,
                             const struct selector *selector) {
    struct list *list = XNEW(struct list);
    struct found found = {0};

    arena_init(&list->arena, 0);
    list->key = xstrdup(objects->key.data);
    /* By reference first and copied once sorted: objects may go before the list does. */
    informer_select(f->informer, ns, selector, take_object, &found);
    if (found.count)
        qsort(found.names, found.count, sizeof(*found.names), compare_names);
    const char **names = ARENA_ARRAY(&list->arena, const char *, found.count + 1);
    for (uint32_t i = 0; i < found.count; i++)
        names[i] = arena_strdup(&list->arena, found.names[i]);
    free(found.names);
    list->names = (struct own_names){.count = found.count, .names = names, .serial = ++objects->serial};
    return list;
}

/* All others go rather than the oldest: who still asks pays for sorting his list once more. */
static void keep_list(struct followed *f, struct list *list) {
    size_t bytes = sizeof(*list) + strlen(list->key) + list->arena.used;

    if (f->bytes + bytes > LISTS_BYTES)
        forget_lists(f);
    map_put(&f->lists, list->key, list);
    f->bytes += bytes;
}

/* No namespace has a slash in its name. */
static int write_key(struct own_objects *objects, const char *ns, const struct own_wanted *wanted) {
    /* One buffer for all requests, since most of them only look for a list that is there. */
    buf_reset(&objects->key);
    int ret = buf_puts(&objects->key, ns);
    if (ret == 0)
        ret = buf_puts(&objects->key, "/");
    return ret < 0 ? ret : buf_puts(&objects->key, str_or_empty(wanted->labels_text));
}

int own_objects_list(struct own_objects *objects, const struct own_wanted *wanted,
                     struct own_names *ret_names, struct err *err) {
    const char *ns = wanted->resource->namespaced ? str_or_empty(wanted->ns) : "";
    const struct resource *resource = NULL;

    int ret = find_resource(objects, wanted->resource, &resource, err);
    if (ret < 0)
        return ret;
    struct followed *f = follow(objects, resource);
    /* Before it is known whether the list is there: one that is waited for is not idle. */
    f->asked = loop_now(objects->loop);
    ret = check(f->informer, err);
    if (ret < 0)
        return ret;
    if (write_key(objects, ns, wanted) < 0)
        return err_set(err, -E2BIG, "the selector is too long");
    if (f->changed)
        forget_lists(f);
    struct list *list = map_get(&f->lists, objects->key.data);
    if (!list) {
        list = new_list(objects, f, ns, wanted->labels);
        keep_list(f, list);
    }
    *ret_names = list->names;
    return 0;
}
