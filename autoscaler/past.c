/* The events of the last hour, in pages. Events are a courtesy of the cluster: they may be gone, forbidden,
 * or slow, and nothing waits for them for long.
 *
 * One timer serves for two things. While the list is not in it ticks once a retry interval, begins anew where
 * no page is under way, and gives up a few ticks after the policies are there. Then it is set once more, for
 * when what is left is too old to matter; each policy takes its own part out at its first decision. */
#include "autoscaler/entry.h"

#include "autoscaler/rebuild.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/url.h"
#include <errno.h>
#include <stdlib.h>

enum {
    EVENTS_MAX = 20000,  /* 40 pages: what the first decisions may have to wait for */
    OF_POLICY_MAX = 512, /* one every 7 s for an hour */
    TICKS_MAX = 5,       /* retry intervals that a decision waits, from when the policies are in */
};
static const usec_t timeout = 5 * USEC_PER_SEC;
static const usec_t age_max = USEC_PER_HOUR; /* the longest window and the longest period there may be */

struct past_of_policy {
    char *uid;
    struct past_rescale *items;
    uint32_t count, cap;
};

static void free_policy(struct past_of_policy *p) {
    free(p->items);
    free(p->uid);
    free(p);
}

static void forget_all(struct past *past) {
    struct map_iter it = {0};
    void *p;

    while (map_next(&past->of_policies, &it, NULL, &p))
        free_policy(p);
    map_done(&past->of_policies);
    map_init(&past->of_policies);
    past->seen = 0;
}

/* What no policy has asked for by the time it is too old to matter belongs to policies that are gone. */
static void finish(struct autoscaler *as) {
    as->past.done = true;
    loop_timer_set(as->past.tick, age_max);
}

/* ---- what an event tells ---- */

/* By uid: a policy that was deleted and made again has no past. */
static void add(struct autoscaler *as, const char *uid, const struct past_rescale *change) {
    struct past_of_policy *p = map_get(&as->past.of_policies, uid);

    if (change->at < clock_wall() - age_max)
        return;
    if (!p) {
        p = XNEW(struct past_of_policy);
        p->uid = xstrdup(uid);
        map_put(&as->past.of_policies, p->uid, p);
    }
    if (p->count == OF_POLICY_MAX)
        return;
    if (p->count == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 4;
        p->items = xrealloc(p->items, p->cap * sizeof(*p->items));
    }
    p->items[p->count++] = *change;
}

static const char *text_at(const json_t *object, const char *key) {
    return str_or_empty(json_string_value(json_object_get(object, key)));
}

static usec_t time_at(const json_t *event, const char *key) {
    usec_t t = 0;

    return clock_parse(text_at(event, key), &t) == 0 ? t : 0;
}

/* writes.c puts it there; an event of another version of the operator may not have it. */
static int32_t from_of(const json_t *event) {
    const json_t *annotations = json_object_get(json_object_get(event, "metadata"), "annotations");
    int64_t from;

    if (str_to_i64(text_at(annotations, "autoscaling.trimtab.dev/from"), &from) < 0 || from > INT32_MAX)
        return -1;
    return (int32_t)from;
}

/* An event that was said several times knows when it was said first and last, and the rest of the last. */
static void take_event(struct autoscaler *as, const json_t *event) {
    const char *uid = text_at(json_object_get(event, "involvedObject"), "uid");
    struct past_rescale last = {.at = time_at(event, "lastTimestamp"), .from = from_of(event)};
    struct past_rescale first = {.at = time_at(event, "firstTimestamp"), .from = -1};

    if (!*uid || past_rescale_parse(text_at(event, "message"), &last.size) < 0)
        return;
    first.size = last.size;
    add(as, uid, &last);
    if (first.at != last.at)
        add(as, uid, &first);
}

/* ---- the list ---- */

static void list_page(struct autoscaler *as, const char *token);

/* With --namespaces the operator may have no right to list all of them at once. */
static void next_namespace(struct autoscaler *as) {
    if (as->past.ns && *++as->past.ns)
        list_page(as, "");
    else
        finish(as);
}

static void give_up(struct autoscaler *as, const char *why) {
    log_info(NULL, "what was scaled before this start is not known: listing events: %s", why);
    finish(as);
}

/* What is forbidden stays so. Anything else may pass: the next tick begins anew. */
static void list_failed(struct autoscaler *as, const struct err *err) {
    if (err->code == -EACCES)
        give_up(as, err_text(err));
    else
        log_debug(NULL, "listing events: %s", err_text(err));
}

static void on_page(void *arg, const struct kube_reply *reply) {
    struct autoscaler *as = arg;
    const json_t *items = json_object_get(reply->body, "items"), *event;
    size_t i;

    as->past.call = NULL;
    if (reply->err.code) {
        list_failed(as, &reply->err);
        return;
    }
    json_array_foreach(items, i, event) {
        take_event(as, event);
    }
    as->past.seen += (uint32_t)json_array_size(items);
    const char *token = text_at(json_object_get(reply->body, "metadata"), "continue");
    if (as->past.seen >= EVENTS_MAX)
        finish(as);
    else if (*token)
        list_page(as, token);
    else
        next_namespace(as);
}

static void list_page(struct autoscaler *as, const char *token) {
    const char *ns = as->past.ns ? *as->past.ns : NULL;
    cleanup_free char *fields = url_escape("reason=SuccessfulRescale,involvedObject.kind=AutoscalingPolicy");
    cleanup_free char *from = url_escape(token);
    cleanup_free char *path =
        xasprintf("/api/v1%s%s/events?limit=500&fieldSelector=%s%s%s", ns ? "/namespaces/" : "",
                  str_or_empty(ns), fields, *token ? "&continue=" : "", from);

    as->past.call =
        kube_start(as->world.kube,
                   &(struct kube_request){
                       .verb = KUBE_GET, .path = path, .timeout = timeout, .on_done = on_page, .arg = as});
}

/* From the first page: the token of the next one may have expired, and nothing is to count twice. */
static void begin(struct autoscaler *as) {
    forget_all(&as->past);
    as->past.ns = as->options.namespaces;
    list_page(as, "");
}

/* The apiserver may not be there yet, and then there is nothing to decide either. */
static void on_tick(void *arg) {
    struct autoscaler *as = arg;
    struct past *past = &as->past;

    if (past->done) {
        forget_all(past);
        return;
    }
    if (informer_synced(as->policies) && past->ticks++ == TICKS_MAX) {
        kube_cancel(past->call);
        past->call = NULL;
        give_up(as, "no answer for too long");
        return;
    }
    if (!past->call)
        begin(as);
    loop_timer_set(past->tick, as->options.retry_interval);
}

void past_open(struct autoscaler *as) {
    map_init(&as->past.of_policies);
    as->past.tick = loop_timer_new(as->world.loop, on_tick, as);
    loop_timer_set(as->past.tick, as->options.retry_interval);
    begin(as);
}

void past_close(struct autoscaler *as) {
    kube_cancel(as->past.call);
    loop_timer_free(as->past.tick);
    forget_all(&as->past);
    map_done(&as->past.of_policies);
}

bool past_settled(const struct autoscaler *as) {
    return as->past.done;
}

/* ---- to the policy ---- */

/* A list comes in the order of names, page after page. */
static int by_time(const void *a, const void *b) {
    const struct past_rescale *p = a, *q = b;

    return p->at < q->at ? -1 : p->at > q->at;
}

void entry_remember(struct entry *entry) {
    const struct decide_input *in = &entry->input;

    /* In conflict nothing is remembered: what counts then is the number at which the policy may begin. */
    if (entry->history.has_recommendations || !in->scale.known || in->conflict)
        return;
    struct past_of_policy *p = map_remove(&entry->autoscaler->past.of_policies, entry->policy->meta.uid);
    if (p)
        qsort(p->items, p->count, sizeof(*p->items), by_time);
    const struct rebuild_input rebuild = {.now = in->now,
                                          .spec = in->spec,
                                          .status = in->status,
                                          .flags = in->flags,
                                          .past = p ? p->items : NULL,
                                          .count = p ? p->count : 0,
                                          .current = in->scale.spec_replicas};
    /* Without events too: the status alone tells most of it. */
    history_rebuild(&entry->history, &rebuild);
    if (p)
        free_policy(p);
}
