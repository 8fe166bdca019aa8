/* Inside of sources: the servers that there are (sources.c, sources_server.c), those who want a metric of one
 * (sources_wants.c), and what is written about them (sources_status.c). */
#ifndef ADAPTER_SOURCES_INTERNAL_H
#define ADAPTER_SOURCES_INTERNAL_H

#include "adapter/sources.h"
#include "adapter/subscribers.h"
#include "api/client/kubeobject.h"
#include "api/types/promsource.h"
#include "base/map.h"

enum { SOURCES_LISTENERS_MAX = 8, SERVER_REASON_MAX = 32 };

/* One Secret of a server, followed. */
struct server_secret {
    struct server *server;
    char *name;
    struct kubeobject *object;
    bool known;   /* its first state is in */
    json_t *data; /* of the newest state, base64 as stored; owned; NULL: there is no such Secret */
};

/* How a server is looked after from one tick to the next. Times are monotonic, 0: never. */
struct server_watch {
    struct promclient_call *probe; /* a question of ours, where nobody else asks */
    bool probe_begun;              /* its answer has begun */
    uint64_t requests;             /* at the last tick */
    usec_t asked;                  /* when that number was seen to move last */
    struct kube_call *call;        /* a status being written */
    json_t *sent, *stored;         /* owned: being written, and as the API server has it; or NULL */
    usec_t written;
    usec_t since; /* from when queries a second are counted: the last write, or the first tick */
    uint64_t since_requests;
};

/* A server, usable or not. */
struct server {
    struct sources *sources;
    char *key;                              /* of its object, "" for the default one */
    char *title;                            /* "MetricSource shop/mimir", "" for the default one */
    const struct promsource_object *object; /* one reference; NULL: the default one */
    struct server_secret secrets[PROMSOURCE_SECRETS_MAX];
    uint32_t secret_count;
    char *made_of;               /* all that the client was made of; NULL: there is no client */
    struct promclient *client;   /* NULL: unusable, why says why */
    struct metric_source *pacer; /* the client's queries for policies; NULL as client is */
    char reason[SERVER_REASON_MAX];
    struct err why;               /* -EAGAIN: not known yet; code 0: usable */
    struct promclient_stats past; /* of clients that went: their counters and last success */
    struct server_watch watch;
    uint64_t counted; /* the state of sources' uses that policies is of */
    uint32_t policies;
};

/* Everyone who wants metrics of one name in one namespace: bound together, to one server or to none. */
struct want {
    struct sources *sources;
    struct want *next_changed; /* in sources' list of those that have to be told */
    char *key;                 /* "namespace/name", or "/" for the default server */
    const char *name;          /* within key, or NULL */
    char *ns;
    struct subscribers users;
    struct server *server;       /* bound to, or NULL */
    struct metric_source *pacer; /* its, when it was bound */
    struct err why;              /* where server is NULL, or it has no client */
    bool changed;                /* in the list */
};

/* One of the two kinds, as it is followed. */
struct source_kind {
    struct sources *sources;
    const char *kind;
    struct informer *informer; /* NULL: the cluster does not have the kind, or it is not known yet */
    bool missing;              /* it does not have it */
    bool settled;              /* what there is, is known */
};

enum { KIND_NAMESPACED, KIND_CLUSTER, KIND_COUNT };

struct sources {
    struct metric_source head; /* first: the METRIC_PROMETHEUS source */
    struct sources_world world;
    char *own_ns;
    int max_concurrent; /* as of the default server */
    size_t max_response;
    struct source_kind kinds[KIND_COUNT];
    struct map servers;      /* by key; the default one is not among them */
    struct server *fallback; /* or NULL */
    struct map wants;        /* by key */
    struct want *changed;    /* to be told */
    uint64_t uses;           /* goes up whenever who uses what may be another */
    struct loop_timer *tell; /* tells them */
    struct loop_timer *tick; /* health, statuses, kinds that are not there yet */
    struct {
        loop_fn *fn;
        void *arg;
    } listeners[SOURCES_LISTENERS_MAX];
    uint32_t listener_count;
};

/* ---- sources.c ---- */

/* The server that a name means in a namespace, usable or not; NULL: err says that there is none, or -EAGAIN
 * that it is not known yet. */
struct server *sources_find(const struct sources *sources, const char *ns, const char *name, struct err *err);
/* What name means may be another server now (NULL: any name): moves those who want it, tells the listeners,
 * and only then lets go of what a server had before (both may be NULL). */
void sources_replaced(struct sources *sources, const char *name, struct metric_source *pacer,
                      struct promclient *client);

/* ---- sources_server.c ---- */

/* A server of an object (its reference is taken over), not usable before server_apply; or the default one,
 * made of options: -EINVAL. */
struct server *server_new(struct sources *sources, const struct promsource_object *object);
int server_new_fallback(struct sources *sources, const struct prometheus_options *options,
                        struct server **ret_server, struct err *err);
/* Its object was changed: takes the reference over, and applies it. */
void server_change(struct server *server, const struct promsource_object *object);
/* Makes the client that the object and its Secrets say, where that is another one than it has. */
void server_apply(struct server *server);
/* Lets go of its client: whoever is bound is moved first. */
void server_free(struct server *server);
/* Asks why Secrets that are not known yet cannot be read. */
void server_check_secrets(struct server *server);
/* Counters of all its clients. */
void server_stats(const struct server *server, struct promclient_stats *ret_stats);
/* How many policies have a metric from it. */
uint32_t server_policies(struct server *server);

/* ---- sources_wants.c ---- */

void wants_init(struct sources *sources);
void wants_done(struct sources *sources);
/* Binds those who want name (NULL: all) anew; whom that makes a difference to are told on a later turn. */
void wants_bind(struct sources *sources, const char *name);

/* ---- sources_status.c ---- */

/* Looks after one server, about once a second: asks it where nobody else does, and writes its status where
 * that is due. */
void server_watch_tick(struct server *server);
void server_watch_done(struct server *server);

#endif
