/* An informer for each resource that is asked for. */
#include "adapter/ownobjects.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

static const usec_t IDLE_MAX = 10 * USEC_PER_MIN, IDLE_LOOK = USEC_PER_MIN;

struct followed {
    struct followed *next;
    const struct resource *resource; /* discovery's */
    struct informer *informer;
    usec_t asked;
};

struct own_objects {
    struct loop *loop;
    struct discovery *discovery;
    struct informers *informers;
    struct loop_timer *idle; /* pending while anything is followed */
    struct followed *first;
};

/* What nobody asks for any more is let go, with its memory and its watch. */
static void on_idle(void *arg) {
    struct own_objects *objects = arg;
    usec_t now = loop_now(objects->loop);

    for (struct followed **at = &objects->first; *at;) {
        struct followed *f = *at;
        if (now - f->asked < IDLE_MAX) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        informer_close(f->informer);
        free(f);
    }
    if (objects->first)
        loop_timer_set(objects->idle, IDLE_LOOK);
}

struct own_objects *own_objects_new(struct loop *loop, struct discovery *discovery,
                                    struct informers *informers) {
    struct own_objects *objects = XNEW(struct own_objects);

    *objects = (struct own_objects){.loop = loop, .discovery = discovery, .informers = informers};
    objects->idle = loop_timer_new(loop, on_idle, objects);
    return objects;
}

void own_objects_free(struct own_objects *objects) {
    if (!objects)
        return;
    while (objects->first) {
        struct followed *f = objects->first;
        objects->first = f->next;
        informer_close(f->informer);
        free(f);
    }
    loop_timer_free(objects->idle);
    free(objects);
}

static void on_object(void *arg, enum informer_change change, const struct object *old,
                      const struct object *new_) {
    /* Objects are looked at when they are asked for. */
    (void)arg, (void)change, (void)old, (void)new_;
}

static struct followed *follow(struct own_objects *objects, const struct resource *resource) {
    struct followed *f = objects->first;

    while (f && f->resource != resource)
        f = f->next;
    if (f)
        return f;
    f = XNEW(struct followed);
    *f = (struct followed){.next = objects->first, .resource = resource};
    objects->first = f;
    f->informer = informers_open(objects->informers, resource,
                                 object_type_of(resource->group, resource->plural), on_object, f);
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

    if (informer_synced(informer))
        return 0;
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

/* Counted first, so that the names stand in one piece of the arena. */
static void count_object(void *arg, const struct object *object) {
    struct found *found = arg;

    (void)object;
    found->cap++;
}

static void take_object(void *arg, const struct object *object) {
    struct found *found = arg;

    found->names[found->count++] = object->name;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int own_objects_list(struct own_objects *objects, const struct own_wanted *wanted, struct arena *arena,
                     struct own_names *ret_names, struct err *err) {
    const struct resource *resource = NULL;
    struct found found = {0};

    int ret = find_resource(objects, wanted->resource, &resource, err);
    if (ret < 0)
        return ret;
    struct followed *f = follow(objects, resource);
    f->asked = loop_now(objects->loop);
    ret = check(f->informer, err);
    if (ret < 0)
        return ret;
    const char *ns = wanted->resource->namespaced ? str_or_empty(wanted->ns) : "";
    informer_select(f->informer, ns, wanted->labels, count_object, &found);
    found.names = ARENA_ARRAY(arena, const char *, found.cap + 1);
    informer_select(f->informer, ns, wanted->labels, take_object, &found);
    qsort(found.names, found.count, sizeof(*found.names), compare_names);
    for (uint32_t i = 0; i < found.count; i++)
        found.names[i] = arena_strdup(arena, found.names[i]);
    *ret_names = (struct own_names){.count = found.count, .names = found.names};
    return 0;
}
