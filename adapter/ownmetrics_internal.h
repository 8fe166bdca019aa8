/* The inside of our own metrics, shared by those who answer requests (ownmetrics.c) and policies
 * (ownsource.c). */
#ifndef ADAPTER_OWNMETRICS_INTERNAL_H
#define ADAPTER_OWNMETRICS_INTERNAL_H

#include "adapter/askedservers.h"
#include "adapter/ownmetrics.h"
#include "adapter/ownobjects.h"
#include "adapter/ownquery.h"
#include "net/loop.h"

struct own_source;

struct ownmetrics {
    struct ownmetrics_world world;
    struct own_queries *queries;
    struct own_objects *objects;
    struct ownmetrics_call *calls; /* that wait */
    struct loop_timer *recheck;    /* pending while a call waits for what tells nobody when it comes */
    uint32_t round;                /* of recheck */
    struct asked_servers *servers;
    struct own_source *source;
};

/* How often one looks again for what tells nobody when it comes: an informer's first list. */
#define OWN_RECHECK (20 * USEC_PER_MSEC)

/* As own_queries_find, by the rules in force. */
struct own_query *own_find(struct ownmetrics *own, const struct metrics_route *route);
/* What is sent, and where to. */
struct own_question {
    struct promclient *client;     /* NULL: there is none */
    struct querycache_query query; /* its texts are the query's own, or scratch's */
    struct buf scratch;
};
void own_question_done(struct own_question *question);
#define cleanup_own_question cleanup(own_question_done)
/* The question for these objects; own_question_done also after a failure, of which an error is one of the
 * text where client is set. -EAGAIN: what servers there are is not known yet. */
int own_question_init(struct own_question *question, struct ownmetrics *own, const struct own_query *q,
                      const struct own_names *names, struct err *err);

/* The metric source for policies; its subscriptions have ended when it is freed. */
struct own_source *own_source_new(struct ownmetrics *own);
void own_source_free(struct own_source *source);
struct metric_source *own_source_head(struct own_source *source);
/* A server goes: nothing of it is followed any more. */
void own_source_stop(struct own_source *source, const struct promclient *client);
/* Rules or servers have changed: what is to be followed is found anew, on a later turn. */
void own_source_reconsider(struct own_source *source);

#endif
