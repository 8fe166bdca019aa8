/* The inside of the kubelets, shared by their schedule (kubelets.c), their scrapes (kubelets_scrape.c), their
 * answers (kubelets_answer.c) and the metric source (kubelets_source.c). */
#ifndef ADAPTER_KUBELETS_INTERNAL_H
#define ADAPTER_KUBELETS_INTERNAL_H

#include "adapter/kubelets.h"
#include "adapter/queryplan.h"
#include "adapter/usage.h"
#include "net/loop.h"

/* Why a scrape brings nothing; each is logged at most once a minute. */
enum kubelet_failure {
    KUBELET_MALFORMED,
    KUBELET_TIMEOUT,
    KUBELET_UNTRUSTED, /* its certificate */
    KUBELET_FORBIDDEN,
    KUBELET_UNREACHABLE, /* and whatever else there is */
    KUBELET_FAILURES
};

struct complaint {
    usec_t said; /* monotonic; 0: never */
    uint32_t held;
};

struct kubelets {
    struct metric_source head; /* first: what the autoscaler holds */
    struct kubelets_world world;
    struct kubelets_options options;
    struct kubelet_address address;
    struct arena arena; /* of the options' texts */
    struct selector node_selector;
    usec_t resolution;
    usec_t started, answered; /* monotonic; answered: by any kubelet, last; 0: never */

    struct informer *pod_informer, *node_informer; /* NULL: discovery does not know them yet */
    struct map kubelets;                           /* struct kubelet by the node's name */
    struct query_plan plan;
    struct loop_timer *timer;
    struct usage_store *usage;

    struct map followed; /* struct followed by namespace */
    struct loop_timer *teller;

    struct kubelets_stats stats;
    struct complaint complaints[KUBELET_FAILURES];
    char *last_failure; /* of any, for people */
};

/* Whether the first data are on their way: until then policies wait, where there is no more to say. */
bool kubelets_starting(const struct kubelets *all);

/* One node's. */
struct kubelet {
    struct plan_query planned; /* first: the plan hands it back */
    struct kubelets *all;
    char *name;
    struct http_call *call;
    struct identity *identity; /* of the request under way: it lends tls its texts */
    struct http_tls tls;
    bool tried;      /* the first scrape is over */
    usec_t answered; /* monotonic; 0: never */
    usec_t asked;    /* wall time of the request under way */
};

/* Starts a scrape, which ends with kubelet_scraped. */
void kubelet_scrape(struct kubelet *kubelet);
/* No kubelet_scraped follows. */
void kubelet_cancel(struct kubelet *kubelet);
/* Of kubelets.c: the scrape is over, whatever it brought. */
void kubelet_scraped(struct kubelet *kubelet);

/* Makes the metric source; and ends it, when every subscription has ended. */
void kubelets_source_init(struct kubelets *all);
void kubelets_source_done(struct kubelets *all);
/* A node's answer is in: those who follow its namespaces are told soon. */
void kubelets_source_changed(struct kubelets *all, const char *node);

#endif
