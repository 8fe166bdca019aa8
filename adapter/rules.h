/* The configuration of prometheus-adapter, read as it is: strict YAML with rules, externalRules and
 * resourceRules. Regular expressions and templates are compiled; everything is immutable afterwards. One key
 * is ours, which prometheus-adapter refuses: "source" of a rule, and of cpu and memory, names the server (a
 * ClusterMetricSource) that is asked. Pure. */
#ifndef ADAPTER_RULES_H
#define ADAPTER_RULES_H

#include "adapter/pattern.h"
#include "adapter/template.h"
#include "base/arena.h"
#include "base/clock.h"

struct rule_filter {
    bool negative; /* isNot */
    struct pattern *pattern;
    const char *text;  /* of the pattern */
    const char *words; /* "seriesFilters[1].isNot: _total$" */
};

struct rule_override {
    const char *label, *group, *resource; /* as written: singular or plural */
    uint32_t line;
};

struct rule_resources {
    struct template *template; /* NULL: none */
    const char *template_text;
    uint32_t override_count;
    const struct rule_override *overrides; /* in the order of the file */
    bool namespaced;                       /* default true; only external rules look at it */
};

struct rule {
    uint32_t line; /* where it begins in the file */
    const char *series_query;
    uint32_t filter_count;
    const struct rule_filter *filters;
    struct pattern *matches; /* name.matches; NULL: any */
    const char *matches_text;
    const char *matches_words; /* "name.matches: ^app_" */
    const char *as;            /* name.as; the default is filled in: $0 or $1 */
    struct rule_resources resources;
    struct template *query; /* metricsQuery */
    const char *query_text;
    const char *source; /* NULL: the default server */
};

struct resource_rule {
    bool given;
    uint32_t line;
    struct template *container_query, *node_query;
    struct rule_resources resources;
    const char *container_label;
    const char *source; /* NULL: the default server */
};

struct rules {
    struct arena arena;
    uint32_t rule_count, external_count;
    struct rule *rules, *external;
    bool has_rules, has_external, has_resource; /* an absent section means that its API group is not served */
    struct resource_rule cpu, memory;
    usec_t window;
};

/* Reads the whole text. name is the file's, for messages: -EINVAL "FILE:LINE: rules[2].metricsQuery: …".
 * Unknown and doubled keys are errors, as there. At most 10,000 rules. Owned by the caller. */
int rules_read(const char *name, const char *text, size_t len, struct rules **ret_rules, struct err *err);
/* The same for those who want to be told everything: fn is called for each thing that is wrong, as far as the
 * text can be read; -EINVAL where there was one. *ret_rules is written even then, with what could be read,
 * for whoever looks for more that is wrong: only line, series_query and resources may be used. rules_free. */
typedef void rules_error_fn(void *arg, const struct err *err);
int rules_check(const char *name, const char *text, size_t len, rules_error_fn *fn, void *arg,
                struct rules **ret_rules);
void rules_free(struct rules *rules);
/* Whether a series of this name passes the rule's filters and name.matches; ret_why (may be NULL): which one
 * it fails, in the words of the file, static or of the rule. */
bool rule_takes_name(const struct rule *rule, const char *series, const char **ret_why);
/* The metric's name for a series that the rule takes: name.as expanded. Appended to out; may be empty. */
void rule_metric_name(const struct rule *rule, const char *series, struct buf *out);

#endif
