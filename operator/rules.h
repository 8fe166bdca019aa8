/* `trimtab rules`: what a configuration of prometheus-adapter makes of a Prometheus' series. What its files
 * share.
 *
 *   config -> rules    series (a scrape, or Prometheus) --.
 *   resources (cluster, file, or Kubernetes' own) --------+-> world -> list, request, metric -> JSON -> text
 *
 * All but the asking (rules.c, rules_ask.c) is pure. */
#ifndef OPERATOR_RULES_H
#define OPERATOR_RULES_H

#include "adapter/metricsroute.h"
#include "adapter/registry.h"
#include "adapter/seriesselector.h"
#include "base/map.h"
#include "operator/documents.h"
#include <jansson.h>
#include <stdio.h>

/* Called for each thing that somebody should know of. */
typedef void rules_complain_fn(void *arg, const struct err *err);

/* ---- series ---- */

enum { RULES_SERIES_MAX = 1000 * 1000 };

/* Series with shared texts. */
struct series_list {
    struct arena arena;
    struct map texts; /* each text once */
    struct series *items;
    uint32_t count, cap;
};
void series_list_init(struct series_list *list);
void series_list_done(struct series_list *list);
/* Adds the series of a scrape, with these labels where it has none of the name itself (what Prometheus adds
 * of the target, under honor_labels). -EINVAL "NAME: line 3: …". */
int series_list_add_scrape(struct series_list *list, const char *name, const char *text, size_t len,
                           const struct series *target, struct err *err);
/* Adds those of an answer of /api/v1/series, until something is wrong with it (as promseries_feed). */
int series_list_add_answer(struct series_list *list, const char *body, size_t len, struct err *err);
/* Puts them into the order of Prometheus' answers, each once. */
void series_list_sort(struct series_list *list);
/* "name{a="1",b="2"}" */
void series_write(const struct series *series, struct buf *out);

/* ---- resources ---- */

struct resource_list {
    struct arena arena;
    struct cluster_resource *items;
    uint32_t count, cap;
    const char *from; /* where they come from, for people */
};
void resource_list_init(struct resource_list *list);
void resource_list_done(struct resource_list *list);
/* Adds those that every cluster has. */
void resource_list_add_own(struct resource_list *list);
/* Adds what the overrides of the rules name beside them: nothing is known of it, so each is told to note.
 * config is the file's name. */
void resource_list_guess(struct resource_list *list, const struct rules *rules, const char *config,
                         rules_complain_fn *note, void *arg);
struct resource;
/* Adds one of the cluster's; its texts are copied. */
void resource_list_put(struct resource_list *list, const struct resource *resource);
/* Adds those of an APIResourceList, of an object with a list "resources" like it, or of an array of them;
 * subresources are passed over. -EINVAL. */
int resource_list_add(struct resource_list *list, const json_t *value, struct err *err);

/* ---- the world ---- */

/* Series of one name that a rule's seriesQuery selects, and what becomes of them. */
struct rule_name {
    const char *series;
    uint32_t count;
    const char *metric; /* NULL: a filter or name.matches drops them, */
    const char *why;    /* and this is which */
};

struct rule_view {
    const struct rule *rule;
    const char *name; /* "rules[2]" */
    bool external;
    uint32_t index;
    struct seriesselector *selector;
    uint32_t selected; /* series */
    uint32_t name_count;
    struct rule_name *names;
};

struct rules_world {
    /* given, and borrowed */
    const char *config; /* the file's name */
    const struct rules *rules;
    const struct resource_list *resource_list;
    bool bad; /* rules_check found mistakes: only look for more */
    /* given before rules_world_take, and borrowed */
    const struct series_list *series; /* NULL: there is no source */
    const char *source;               /* its name, for people; NULL */
    /* made */
    struct arena arena;
    struct cluster_resources resources;
    uint32_t view_count;
    struct rule_view *views; /* custom rules, then external ones */
    struct registry *registry;
    uint32_t entry_count; /* of the registry: by resource and metric, then the external ones */
    struct registry_entry *entries;
};
/* Looks at the configuration. What is wrong goes to complain, each with file and line; -EINVAL where there
 * was something, or the world is bad. rules_world_done also after a failure. */
int rules_world_init(struct rules_world *world, rules_complain_fn *complain, void *arg);
/* Takes the series in; once. */
void rules_world_take(struct rules_world *world);
void rules_world_done(struct rules_world *world);
/* The view of a rule that the registry gave. */
const struct rule_view *rules_view_of(const struct rules_world *world, const struct rule *rule);
/* "pods", "deployments.apps"; in the arena. */
const char *resource_name(const struct cluster_resource *resource, struct arena *arena);
/* Members "rule", "file" and "line" that say which rule it is. */
void rules_set_place(const struct rules_world *world, const struct rule *rule, json_t *object);

/* ---- the answers; new references ---- */

/* All rules: what they select, and as what it appears. */
json_t *rules_report_list(const struct rules_world *world);
/* The queries of a request; names stand for "*". Its member "problem" tells why there is none. */
struct rules_request {
    const char *path;
    const struct metrics_route *route;
    const char *const *names;
    uint32_t name_count;
};
json_t *rules_report_request(const struct rules_world *world, const struct rules_request *request);
/* Where a metric ("http_requests" or "pods/http_requests") is, or why it is not there. */
json_t *rules_report_metric(const struct rules_world *world, const char *metric);
/* Whether a rule would make the metric of a series of this name, or the name is the metric's: then the series
 * tells something of why it is not there. */
bool rules_concerns(const struct rules *rules, const char *metric, const char *series);

/* The same for people. */
void rules_print_list(const json_t *list, FILE *out);
void rules_print_request(const json_t *request, FILE *out);
void rules_print_metric(const json_t *metric, FILE *out);

#endif
