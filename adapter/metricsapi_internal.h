/* The inside of the metrics APIs' source, shared by its subscriptions (metricsapi.c) and its requests
 * (metricsapi_fetch.c). */
#ifndef ADAPTER_METRICSAPI_INTERNAL_H
#define ADAPTER_METRICSAPI_INTERNAL_H

#include "adapter/metricsapi.h"
#include "adapter/metricsapi_path.h"
#include "adapter/metricslist.h"
#include "adapter/queryplan.h"
#include "adapter/subscribers.h"
#include "net/loop.h"

struct metricsapi;

/* One API group. Each has a plan of its own: where one does not answer, the others go on. */
struct metrics_api {
    struct metricsapi *source;
    const struct metrics_group_info *info;
    size_t version; /* index of the one in use */
    size_t absent;  /* questions that found the group not served */
    struct query_plan plan;
    struct loop_timer *timer;
    char *outage; /* why nothing answers; "" where something does */
};

struct metricsapi {
    struct metric_source head;
    struct loop *loop;
    struct kube *kube;
    struct discovery *discovery;
    usec_t interval;
    struct metrics_api apis[METRICS_GROUPS];
    struct map fetches; /* by the question's key */
    struct metricsapi_stats stats;
};

/* One question, whoever shares it, and its last answer. */
struct metrics_fetch {
    struct plan_query planned; /* first: the plan hands it back */
    struct metrics_api *api;
    struct metrics_question question;
    struct subscribers users;
    struct kube_call *call;
    struct metricslist *reader;
    size_t asked_version, refused_versions; /* of this try */
    bool waiting;                           /* out of the plan until discovery tells something new */
    bool absent;                            /* the group is not served: asked for rarely */
    /* The last answer. */
    enum quality quality;
    int64_t milli;               /* of an Object's or an External metric */
    usec_t at;                   /* wall; 0: none */
    char *message;               /* why ABSENT or FAILED, or "" */
    struct metrics_table *table; /* of a metric of pods, with VALUE; else NULL */
};

/* Starts asking q, which it takes over. Due at once but for a small spread. */
struct metrics_fetch *metrics_fetch_new(struct metricsapi *s, struct metrics_question *q, usec_t interval);
/* Stops asking; the memory goes at once, or when the subscribers have been told. */
void metrics_fetch_drop(struct metrics_fetch *f);
/* Asks as often as the subscribers want now. */
void metrics_fetch_pace(struct metrics_fetch *f);
/* Puts what waits for discovery, or found its API missing, back into the plan; arg: the source. */
void metrics_fetch_retry_all(void *arg);
/* Starts what is due; arg: the struct metrics_api whose timer it is. */
void metrics_fetch_on_timer(void *arg);

#endif
