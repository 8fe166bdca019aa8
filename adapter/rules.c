/* Rules from the outside: reading a file whole, and what a rule says of a series' name.
 *
 * A text becomes rules in three layers: libyaml's tree (api/types/yaml_doc.c), the tree read strictly, with
 * the place of everything (rules_yaml.c), and the keys of prometheus-adapter with what they mean
 * (rules_schema.c). The tree goes when it has been read: what the rules keep of it are copies in their arena.
 */
#include "adapter/rules.h"

#include "adapter/rules_internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>

/* By their lines; those of one line stay as they were found (insertion sort: they are few, and nearly
 * sorted). */
static void sort_mistakes(struct rules_mistake *all, unsigned count) {
    for (unsigned i = 1; i < count; i++) {
        struct rules_mistake moving = all[i];
        unsigned k = i;
        for (; k > 0 && all[k - 1].line > moving.line; k--)
            all[k] = all[k - 1];
        all[k] = moving;
    }
}

/* Whether there was none. They are told when all are known, for a file is not read in the order of its lines.
 */
static bool tell_mistakes(struct rules_reader *r, rules_error_fn *fn, void *arg) {
    sort_mistakes(r->mistakes, r->mistake_count);
    for (unsigned i = 0; i < r->mistake_count; i++)
        fn(arg, &r->mistakes[i].err);
    free(r->mistakes);
    return !r->mistake_count;
}

int rules_check(const char *name, const char *text, size_t len, rules_error_fn *fn, void *arg,
                struct rules **ret_rules) {
    struct rules *rules = XNEW(struct rules);
    struct rules_reader r = {.arena = &rules->arena};
    struct err err = {0};

    arena_init(&rules->arena, 0);
    int ret = yaml_doc_parse(name, text, len, &r.doc, &err);
    if (ret < 0) {
        fn(arg, &err);
    } else {
        rules_read_document(&r, rules);
        yaml_doc_done(&r.doc);
        ret = tell_mistakes(&r, fn, arg) ? 0 : -EINVAL;
    }
    *ret_rules = rules;
    return ret < 0 ? -EINVAL : 0;
}

static void keep_first(void *arg, const struct err *err) {
    struct err *first = arg;

    if (!first->code)
        *first = *err;
}

int rules_read(const char *name, const char *text, size_t len, struct rules **ret_rules, struct err *err) {
    struct rules *rules;
    struct err first = {0};

    int ret = rules_check(name, text, len, keep_first, &first, &rules);
    if (ret < 0) {
        rules_free(rules);
        return err_set(err, ret, "%s", first.text);
    }
    *ret_rules = rules;
    return 0;
}

/* Patterns and templates have memory of their own; all the rest is the arena's. A rule that could not be read
 * to its end has NULL in their places. */
static void free_all(struct rule *rules, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        struct rule *rule = &rules[i];
        for (uint32_t f = 0; f < rule->filter_count; f++)
            pattern_free(rule->filters[f].pattern);
        pattern_free(rule->matches);
        template_free(rule->resources.template);
        template_free(rule->query);
    }
}

static void free_resource_rule(struct resource_rule *rule) {
    template_free(rule->container_query);
    template_free(rule->node_query);
    template_free(rule->resources.template);
}

void rules_free(struct rules *rules) {
    if (!rules)
        return;
    free_all(rules->rules, rules->rule_count);
    free_all(rules->external, rules->external_count);
    free_resource_rule(&rules->cpu);
    free_resource_rule(&rules->memory);
    arena_done(&rules->arena);
    free(rules);
}

/* In the order of the original, which adds name.matches to the filters as one more at their end. */
bool rule_takes_name(const struct rule *rule, const char *series, const char **ret_why) {
    const char *why = NULL;

    for (uint32_t i = 0; !why && i < rule->filter_count; i++)
        if (pattern_find(rule->filters[i].pattern, series, NULL) == rule->filters[i].negative)
            why = rule->filters[i].words;
    if (!why && rule->matches && !pattern_find(rule->matches, series, NULL))
        why = rule->matches_words;
    if (why && ret_why)
        *ret_why = why;
    return !why;
}

void rule_metric_name(const struct rule *rule, const char *series, struct buf *out) {
    pattern_expand(rule->matches, series, rule->as, out);
}
