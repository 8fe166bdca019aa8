/* Rules in force: the configuration, the cluster's resources and the series that there are, put together to
 * the metrics that can be asked for; kept up to date by listing series again. */
#ifndef ADAPTER_RULESET_H
#define ADAPTER_RULESET_H

#include "adapter/registry.h"
#include "adapter/sources.h"

struct ruleset;

struct ruleset_options {
    usec_t relist;  /* --metrics-relist-interval; 0: 1 min */
    usec_t max_age; /* --metrics-max-age: how far back a series counts; 0: as relist */
};

/* Owned; no rules yet. Borrows all. */
struct ruleset *ruleset_new(struct loop *loop, struct discovery *discovery, struct sources *sources,
                            const struct ruleset_options *options);
void ruleset_free(struct ruleset *ruleset);

/* Takes a configuration's text: -EINVAL "FILE:LINE: …" leaves those that are in force. So does an override
 * of a resource that the cluster does not have ("FILE: rules[2]: line 12: …"), where there are rules in force
 * and its discovery is known; of the first configuration, and where a resource goes later, the rule alone is
 * left out, and the stats tell. Series are listed at once; what is known of those that old and new rules both
 * ask for stays until then. */
int ruleset_load(struct ruleset *ruleset, const char *name, const char *text, size_t len, struct err *err);

/* Whether the cluster has every resource that the rules in force name: 0, also where that is not known yet,
 * or -EINVAL as above. Where a part of the cluster's API does not answer, what is missing may be there. */
int ruleset_check(const struct ruleset *ruleset, struct err *err);

/* NULL: none (no rules, or the cluster's resources are not known yet). Where a list fails, what was known of
 * it stays (prometheus-adapter throws the whole round away). Borrowed until the next turn, and registry and
 * rules until the functions of ruleset_on_change have returned. */
const struct registry *ruleset_registry(const struct ruleset *ruleset);
const struct rules *ruleset_rules(const struct ruleset *ruleset);
/* The cluster's resources; never NULL. They change when discovery does. */
const struct cluster_resources *ruleset_resources(const struct ruleset *ruleset);
/* Whether a first list is in, good or failed, or there are no rules. */
bool ruleset_ready(const struct ruleset *ruleset);
/* Somebody asked for a metric that is not registered: where the last list is older than a few seconds, lists
 * again and calls fn when that is done (true is returned); else false. One list for all who wait. */
bool ruleset_look_again(struct ruleset *ruleset, loop_fn *fn, void *arg);
void ruleset_cancel_look(struct ruleset *ruleset, loop_fn *fn, void *arg);
/* fn is called after every change of the registry or rules; at most 8 of them. */
void ruleset_on_change(struct ruleset *ruleset, loop_fn *fn, void *arg);

struct ruleset_stats {
    bool loaded;              /* rules are in force */
    uint32_t rules, external; /* of the configuration in force */
    uint64_t lists, failures; /* rounds of listing */
    uint64_t series;          /* of the lists in force; one that two rules share counts once */
    uint32_t metrics, external_metrics;
    usec_t last_list; /* wall; 0: never */
    usec_t last_took;
    const char *error; /* the first thing that is wrong now: a list that failed, a rule left out; or "" */
};
void ruleset_stats(const struct ruleset *ruleset, struct ruleset_stats *ret_stats);

#endif
