/* Asking the server what it serves: rounds of requests, when to ask again, and the paths that follow from it.
 * Aggregated discovery answers with two documents; an older server is asked for the documents of those groups
 * alone that somebody wants. */
#include "api/client/discovery.h"

#include "api/client/discovery_table.h"
#include "api/client/kube_internal.h"
#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

/* An unknown kind is asked for again after this long: somebody may install its CRD. */
#define ASK_AGAIN (30 * USEC_PER_SEC)
/* Up to this age an answer of "unknown" counts while the next round is under way. */
#define ANSWER_MAX_AGE (ASK_AGAIN + 5 * USEC_PER_SEC)
/* Between a round and one that somebody asks for: when a CRD goes, all its followers ask at once. */
#define REFRESH_PAUSE (1 * USEC_PER_SEC)
#define BACKOFF_MIN (1 * USEC_PER_SEC)
#define BACKOFF_MAX ASK_AGAIN
/* How often everything is asked for without a reason. */
#define FOLLOW_PERIOD (10 * USEC_PER_MIN)
/* The aggregated document of a cluster with a thousand CRDs is about 1 MiB. A group's name is a DNS name. */
enum { BODY_MAX = 16 * 1024 * 1024, WATCHERS_MAX = 16, WANTED_MAX = 1000, GROUP_MAX = 254 };

/* v2 since 1.30, v2beta1 since 1.27, and what all servers speak: each takes the first that it knows. */
static const char accept_aggregated[] =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/* A request of the round under way. */
struct query {
    struct discovery *discovery;
    struct query *next, **link;
    struct kube_call *call;
    enum discovery_half half;
    struct group_version *gv; /* NULL: the root document of half */
};

/* A group that somebody asked for. */
struct wanted {
    char *name;
    unsigned round; /* the last one that asked for it; 0: none yet */
};

struct discovery {
    struct kube *kube;
    struct loop *loop;
    struct discovery_table table;
    struct query *queries; /* empty: no round is under way */
    unsigned round;        /* completed ones */
    bool aggregated[HALF_COUNT];
    struct err failure[HALF_COUNT]; /* of the last round; code 0: none */
    struct map wanted;
    struct backoff backoff; /* counts the rounds in a row that failed */
    usec_t asked_at, due;   /* the end of the last round; when the next one may begin */
    struct loop_timer *timer;
    bool follow_all;           /* every group is wanted */
    bool asked_all;            /* in the round under way, or the last one */
    bool loaded;               /* such a round has been answered */
    struct loop_timer *follow; /* to the next such round */
    struct {
        loop_fn *fn;
        void *arg;
    } watchers[WATCHERS_MAX];
    size_t watcher_count;
};

static void start_round(struct discovery *d);

static void on_timer(void *arg) {
    struct discovery *d = arg;

    if (!d->queries)
        start_round(d);
}

struct discovery *discovery_new(struct kube *kube) {
    struct discovery *d = XNEW(struct discovery);

    d->kube = kube;
    d->loop = kube->loop;
    discovery_table_init(&d->table);
    map_init(&d->wanted);
    backoff_init(&d->backoff, BACKOFF_MIN, BACKOFF_MAX, backoff_seed(d));
    d->timer = loop_timer_new(d->loop, on_timer, d);
    d->follow = loop_timer_new(d->loop, on_timer, d);
    return d;
}

static void query_free(struct query *q) {
    *q->link = q->next;
    if (q->next)
        q->next->link = q->link;
    free(q);
}

void discovery_free(struct discovery *discovery) {
    struct map_iter it = {0};
    void *wanted;

    if (!discovery)
        return;
    for (struct query *q = discovery->queries, *next; q; q = next) {
        next = q->next;
        kube_cancel(q->call);
        free(q);
    }
    loop_timer_free(discovery->timer);
    loop_timer_free(discovery->follow);
    while (map_next(&discovery->wanted, &it, NULL, &wanted)) {
        free(((struct wanted *)wanted)->name);
        free(wanted);
    }
    map_done(&discovery->wanted);
    discovery_table_done(&discovery->table);
    free(discovery);
}

void discovery_on_change(struct discovery *discovery, loop_fn *fn, void *arg) {
    if (discovery->watcher_count >= WATCHERS_MAX)
        return;
    discovery->watchers[discovery->watcher_count].fn = fn;
    discovery->watchers[discovery->watcher_count++].arg = arg;
}

/* Sets the time of the next round of everything. */
static void follow_on(struct discovery *d) {
    if (!d->asked_all) /* the one that just ended began before it was wanted */
        loop_timer_set(d->follow, 0);
    else
        loop_timer_set(d->follow, d->backoff.failures ? d->due - d->asked_at : FOLLOW_PERIOD);
}

/* The watchers come last: they look kinds up, and with that may begin the next round. */
static void end_round(struct discovery *d) {
    d->round++;
    d->asked_at = loop_now(d->loop);
    bool failed = d->failure[HALF_CORE].code || d->failure[HALF_GROUPS].code;
    if (!failed)
        d->backoff.failures = 0;
    d->due = d->asked_at + (failed ? backoff_next(&d->backoff, 0) : ASK_AGAIN);
    d->loaded |= d->asked_all && !failed;
    if (d->follow_all)
        follow_on(d);
    log_debug(kube_server(d->kube), "discovery: %zu kinds in %zu versions", d->table.kinds,
              d->table.by_api_version.len);
    for (size_t i = 0; i < d->watcher_count; i++)
        d->watchers[i].fn(d->watchers[i].arg);
}

static void ask(struct discovery *d, enum discovery_half half, struct group_version *gv, const char *path);

/* The documents of the wanted groups, from a server without aggregated discovery. */
static void ask_versions(struct discovery *d, enum discovery_half half) {
    char path[2 * GROUP_MAX + 16];

    for (struct group_version *gv = d->table.versions; gv; gv = gv->next) {
        bool wanted = d->asked_all || map_get(&d->wanted, gv->group);
        if (!gv->listed || (gv->group[0] == '\0') != (half == HALF_CORE) || !wanted)
            continue;
        snprintf(path, sizeof(path), "/%s/%s", half == HALF_CORE ? "api" : "apis", gv->api_version);
        ask(d, half, gv, path);
    }
}

static void read_root(struct discovery *d, enum discovery_half half, const struct kube_reply *reply) {
    struct err *failure = &d->failure[half];
    bool aggregated = false;

    *failure = reply->err;
    if (failure->code)
        return;
    if (discovery_table_read_root(&d->table, half, reply->body, &aggregated, failure) < 0)
        return;
    d->aggregated[half] = aggregated;
    if (!aggregated)
        ask_versions(d, half);
}

/* One group that cannot be read is broken for itself: the round goes on. An aggregated API whose pods are
 * down is the usual reason. */
static void read_version(struct discovery *d, struct group_version *gv, const struct kube_reply *reply) {
    struct err err = reply->err;

    if (err.code == 0)
        discovery_table_read_version(&d->table, gv, reply->body, &err);
    if (err.code == 0)
        return;
    gv->broken = true;
    log_debug(gv->api_version, "discovery: %s", err_text(&err));
}

/* The query is freed behind what it led to: a root document asks for the others, and the round ends when the
 * list is empty. */
static void on_reply(void *arg, const struct kube_reply *reply) {
    struct query *q = arg;
    struct discovery *d = q->discovery;

    if (q->gv)
        read_version(d, q->gv, reply);
    else
        read_root(d, q->half, reply);
    query_free(q);
    if (!d->queries)
        end_round(d);
}

static void ask(struct discovery *d, enum discovery_half half, struct group_version *gv, const char *path) {
    struct query *q = XNEW(struct query);
    const struct kube_request request = {.verb = KUBE_GET,
                                         .path = path,
                                         .accept = gv ? NULL : accept_aggregated,
                                         .max_body = BODY_MAX,
                                         .on_done = on_reply,
                                         .arg = q};

    *q = (struct query){.discovery = d, .half = half, .gv = gv, .next = d->queries, .link = &d->queries};
    if (q->next)
        q->next->link = &q->next;
    d->queries = q;
    q->call = kube_start(d->kube, &request);
}

/* Groups that are asked for from now on are not of this round, even where they come to be read in it: for
 * them not_found waits for one that began with them, where the server has no aggregated discovery. */
static void start_round(struct discovery *d) {
    struct map_iter it = {0};
    void *wanted;

    loop_timer_cancel(d->timer);
    d->asked_all = d->follow_all;
    while (map_next(&d->wanted, &it, NULL, &wanted))
        ((struct wanted *)wanted)->round = d->round + 1;
    ask(d, HALF_CORE, NULL, "/api");
    ask(d, HALF_GROUPS, NULL, "/apis");
}

/* True where the last completed round has told about the group, or failed to; from now on it is among the
 * wanted ones. */
static bool covers(struct discovery *d, const char *group) {
    enum discovery_half half = group[0] ? HALF_GROUPS : HALF_CORE;
    struct wanted *w = map_get(&d->wanted, group);

    if (!w && d->wanted.len < WANTED_MAX) {
        w = XNEW(struct wanted);
        w->name = xstrdup(group);
        map_put(&d->wanted, w->name, w);
    }
    if (d->round == 0)
        return false;
    if (d->aggregated[half] || d->failure[half].code || !w)
        return true;
    return w->round > 0 && w->round <= d->round;
}

/* The round after this one: at once where it is due, else by the timer. */
static void ask_when_due(struct discovery *d) {
    usec_t now = loop_now(d->loop);

    if (d->queries || loop_timer_pending(d->timer))
        return;
    if (now >= d->due)
        start_round(d);
    else
        loop_timer_set(d->timer, d->due - now);
}

void discovery_refresh(struct discovery *discovery) {
    usec_t soon = discovery->asked_at + REFRESH_PAUSE;

    if (discovery->queries || discovery->round == 0)
        return;
    if (discovery->due > soon) {
        discovery->due = soon;
        loop_timer_cancel(discovery->timer);
    }
    ask_when_due(discovery);
}

void discovery_missed(struct discovery *discovery) {
    if (discovery->round > 0)
        ask_when_due(discovery);
}

void discovery_follow_all(struct discovery *discovery) {
    if (discovery->follow_all)
        return;
    discovery->follow_all = true;
    if (!discovery->queries) /* else the end of the round goes on */
        start_round(discovery);
}

bool discovery_loaded(const struct discovery *discovery) {
    return discovery->loaded;
}

int discovery_failure(const struct discovery *discovery, struct err *err) {
    for (int half = 0; half < HALF_COUNT; half++) {
        const struct err *failure = &discovery->failure[half];
        if (failure->code)
            return err_set(err, failure->code, "%s", failure->text);
    }
    return 0;
}

void discovery_each_broken(const struct discovery *discovery, discovery_broken_fn *fn, void *arg) {
    for (const struct group_version *gv = discovery->table.versions; gv; gv = gv->next)
        if (gv->listed && gv->broken)
            fn(arg, gv->api_version);
}

void discovery_each(const struct discovery *discovery, discovery_fn *fn, void *arg) {
    discovery_table_each(&discovery->table, fn, arg);
}

/* Nothing is said of a kind before a round that covers its group has ended; from then on the last answer
 * counts while the next round is under way, unless that takes too long. Whether it was the round or the group
 * that failed, there may be such a kind after all: only what was read to the end says -ENOENT. */
static int not_found(struct discovery *d, const char *api_version, const char *kind, bool broken,
                     struct err *err) {
    char group[GROUP_MAX];

    discovery_group_of(api_version, group, sizeof(group));
    const struct err *failure = &d->failure[group[0] ? HALF_GROUPS : HALF_CORE];
    bool covered = covers(d, group);
    if (!covered && !d->queries) {
        start_round(d);
        return -EAGAIN;
    }
    if (d->round > 0)
        ask_when_due(d);
    if (!covered || (d->queries && loop_now(d->loop) - d->asked_at > ANSWER_MAX_AGE))
        return -EAGAIN;
    if (failure->code)
        /* two codes have a meaning of their own for the caller */
        return err_set(err, failure->code == -EAGAIN || failure->code == -ENOENT ? -EIO : failure->code,
                       "discovery of %.100s: %s", api_version, failure->text);
    if (broken)
        return err_set(err, -EIO, "group %.100s is served by an aggregated API that does not answer", group);
    return err_set(err, -ENOENT, "the server has no kind \"%.100s\" in \"%.100s\"", kind, api_version);
}

int discovery_find(struct discovery *discovery, const char *api_version, const char *kind,
                   const struct resource **ret_resource, struct err *err) {
    bool broken = false;

    const struct resource *found = discovery_table_find(&discovery->table, api_version, kind, &broken);
    if (!found)
        return not_found(discovery, api_version, kind, broken, err);
    /* its CRD may be given a scale subresource yet */
    if (!found->has_scale)
        ask_when_due(discovery);
    *ret_resource = found;
    return 0;
}

/* One part of a path, percent-encoded. A name with a slash in it would lead to another object, with our
 * rights: it is refused, as the apiserver does. */
static int put_segment(struct buf *buf, const char *name) {
    if (!name[0] || strpbrk(name, "/%") || str_eq(name, ".") || str_eq(name, ".."))
        return -EINVAL;
    int r = buf_puts(buf, "/");
    for (const char *p = name; r == 0 && *p; p++) {
        unsigned char c = (unsigned char)*p;
        r = isalnum(c) || strchr("-._~:", c) ? buf_append(buf, p, 1) : buf_printf(buf, "%%%02X", c);
    }
    return r;
}

/* "/apis/apps/v1" or "/api/v1", and the namespace where one is given. */
static int put_prefix(struct buf *buf, const struct resource *resource, const char *ns) {
    int r = buf_puts(buf, resource->group[0] ? "/apis" : "/api");

    if (r == 0 && resource->group[0])
        r = put_segment(buf, resource->group);
    if (r == 0)
        r = put_segment(buf, resource->version);
    if (r < 0 || !resource->namespaced || !ns)
        return r;
    r = buf_puts(buf, "/namespaces");
    return r < 0 ? r : put_segment(buf, ns);
}

int resource_path(const struct resource *resource, const char *ns, const char *name, const char *subresource,
                  struct buf *buf) {
    if (resource->namespaced && !ns && name)
        return -EINVAL;
    int r = put_prefix(buf, resource, ns);
    if (r == 0)
        r = put_segment(buf, resource->plural);
    if (r == 0 && name)
        r = put_segment(buf, name);
    if (r == 0 && name && subresource)
        r = put_segment(buf, subresource);
    return r;
}
