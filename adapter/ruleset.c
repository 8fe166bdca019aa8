/* The ruleset: keeps the registry that follows from rules, resources and series, and makes it anew where one
 * of the three changes. Series are not needed for that, only what ruleset_lists.c keeps of them.
 *
 * A registry points into the rules and the resources that it was made of, and whoever answers requests into
 * the registry. So what is replaced goes in one order: the new registry is in place, the watchers have been
 * told and have let go of the old one, the old registry is freed, and then the rules or resources under it.
 *
 * A rule in force that names a resource the cluster lacks is left out and complained of, and discovery is
 * asked to look again soon; when the resource is there, the registry is made anew and has the rule. */
#include "adapter/ruleset_internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>

enum { WATCHERS_MAX = 8, WAITERS_MAX = 10000 };

/* The cluster's resources at a time; a registry borrows it. */
struct resources {
    struct cluster_resources all;
    struct cluster_resource *items;
    uint32_t cap;
};

struct watcher {
    loop_fn *fn;
    void *arg;
};

/* Those who asked for a metric that is not registered. */
struct waiters {
    struct watcher *items;
    uint32_t count, cap;
};

struct ruleset {
    struct discovery *discovery;
    struct rulelists lists;
    char *name; /* of the file */
    struct rules *rules;
    struct resources *resources;
    struct registry *registry;
    uint32_t metrics, external_metrics;
    uint64_t series;
    struct err complaint; /* of the registry: the first rule that is left out */
    struct err error;     /* as the stats tell it */
    struct watcher watchers[WATCHERS_MAX];
    size_t watcher_count;
    struct waiters waiters;
    struct waiters *telling; /* those who are being told: they may be cancelled too; else NULL */
};

/* ---- what is wrong ---- */

static void note_error(struct ruleset *rs) {
    const struct rulelist *failed = rulelists_failed(&rs->lists);
    struct err now = {0};

    if (failed)
        err_set(&now, failed->err.code, "%s:%u: seriesQuery %.200s: %s", rs->name, failed->line,
                failed->selector, err_text(&failed->err));
    else if (rs->complaint.code)
        err_set(&now, rs->complaint.code, "%s: %s", rs->name, rs->complaint.text);
    if (str_eq(now.text, rs->error.text))
        return;
    /* once, however often it is tried again */
    if (now.code)
        log_warn(NULL, "rules: %s", now.text);
    else
        log_info(NULL, "rules: all is well again");
    rs->error = now;
}

/* ---- the registry ---- */

struct filling {
    struct registry *registry;
    bool external;
    uint32_t index;
};

static void fill(void *arg, const struct series *form) {
    const struct filling *f = arg;

    registry_add(f->registry, f->external, f->index, form);
}

static void fill_section(struct ruleset *rs, struct registry *registry, bool external) {
    const struct rules *rules = rs->rules;
    uint32_t count = external ? rules->external_count : rules->rule_count;

    for (uint32_t i = 0; i < count; i++) {
        struct filling f = {registry, external, i};
        const struct rule *rule = external ? &rules->external[i] : &rules->rules[i];
        seriesforms_each(rulelists_of(&rs->lists, rule)->forms, fill, &f);
    }
}

static void keep_complaint(void *arg, const struct err *err) {
    struct ruleset *rs = arg;

    if (!rs->complaint.code)
        rs->complaint = *err;
}

static void count(struct ruleset *rs) {
    rs->metrics = rs->registry ? registry_count(rs->registry, false) : 0;
    rs->external_metrics = rs->registry ? registry_count(rs->registry, true) : 0;
    rs->series = 0;
    for (uint32_t i = 0; i < rs->lists.count; i++)
        rs->series += seriesforms_series(rs->lists.all[i]->forms);
}

static void tell_watchers(struct ruleset *rs) {
    for (size_t i = 0; i < rs->watcher_count; i++)
        rs->watchers[i].fn(rs->watchers[i].arg);
}

/* A rule waits for a resource: the next round of discovery shall be soon. To be asked after each round that
 * did not bring it. */
static void miss_resource(struct ruleset *rs) {
    if (rs->complaint.code)
        discovery_missed(rs->discovery);
}

/* Makes the registry of what there is now; the one before lives until all know of the change. Without rules,
 * or before the cluster's resources are known, there is none. */
static void renew(struct ruleset *rs) {
    struct registry *before = rs->registry;

    rs->registry = NULL;
    rs->complaint = (struct err){0};
    if (rs->rules && discovery_loaded(rs->discovery)) {
        rs->registry = registry_new_partial(rs->rules, &rs->resources->all, keep_complaint, rs);
        fill_section(rs, rs->registry, false);
        fill_section(rs, rs->registry, true);
    }
    miss_resource(rs);
    count(rs);
    note_error(rs);
    tell_watchers(rs);
    registry_free(before);
}

/* ---- resources ---- */

static void add_resource(void *arg, const struct resource *resource) {
    struct resources *r = arg;

    if (r->all.count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 64;
        r->items = xrealloc(r->items, r->cap * sizeof(*r->items));
        r->all.items = r->items;
    }
    r->items[r->all.count++] = (struct cluster_resource){.group = resource->group,
                                                         .version = resource->version,
                                                         .plural = resource->plural,
                                                         .singular = str_or_empty(resource->singular),
                                                         .kind = resource->kind,
                                                         .namespaced = resource->namespaced};
}

static struct resources *resources_of(const struct discovery *discovery) {
    struct resources *r = XNEW(struct resources);

    discovery_each(discovery, add_resource, r);
    return r;
}

static void resources_free(struct resources *r) {
    free(r->items);
    free(r);
}

/* Discovery gives the same texts for what is the same, and keeps them as long as it lives: addresses do. */
static bool same_resource(const struct cluster_resource *a, const struct cluster_resource *b) {
    return a->group == b->group && a->version == b->version && a->plural == b->plural &&
           a->singular == b->singular && a->kind == b->kind && a->namespaced == b->namespaced;
}

static bool same_resources(const struct cluster_resources *a, const struct cluster_resources *b) {
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!same_resource(&a->items[i], &b->items[i]))
            return false;
    return true;
}

/* After every round of discovery, most of which bring nothing new. */
static void on_discovery(void *arg) {
    struct ruleset *rs = arg;

    if (!discovery_loaded(rs->discovery))
        return;
    struct resources *now = resources_of(rs->discovery), *before = rs->resources;
    /* Rules that came before the resources were known have no registry yet, be these new or not. */
    bool first = rs->rules && !rs->registry;
    if (!first && same_resources(&now->all, &before->all)) {
        resources_free(now);
        miss_resource(rs);
        return;
    }
    rs->resources = now;
    renew(rs);
    resources_free(before);
}

/* ---- those who wait ---- */

/* Whoever is told may wait anew: that is for the next time. */
static void tell_waiters(struct ruleset *rs) {
    struct waiters now = rs->waiters;

    rs->waiters = (struct waiters){0};
    rs->telling = &now;
    for (uint32_t i = 0; i < now.count; i++)
        if (now.items[i].fn)
            now.items[i].fn(now.items[i].arg);
    rs->telling = NULL;
    free(now.items);
}

bool ruleset_look_again(struct ruleset *ruleset, loop_fn *fn, void *arg) {
    struct waiters *w = &ruleset->waiters;

    /* it may also be the resource that is new: a metric is not registered without one */
    discovery_missed(ruleset->discovery);
    if (w->count == WAITERS_MAX || !rulelists_hurry(&ruleset->lists))
        return false;
    if (w->count == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 16;
        w->items = xrealloc(w->items, w->cap * sizeof(*w->items));
    }
    w->items[w->count++] = (struct watcher){fn, arg};
    return true;
}

/* Places stay, for the list may be walked just now. */
static void forget(struct waiters *waiters, loop_fn *fn, const void *arg) {
    for (uint32_t i = 0; waiters && i < waiters->count; i++)
        if (waiters->items[i].fn == fn && waiters->items[i].arg == arg)
            waiters->items[i].fn = NULL;
}

void ruleset_cancel_look(struct ruleset *ruleset, loop_fn *fn, void *arg) {
    forget(&ruleset->waiters, fn, arg);
    forget(ruleset->telling, fn, arg);
}

/* ---- lists ---- */

static void on_forms(void *arg) {
    renew(arg);
}

/* After on_forms, where forms have changed: waiters find the registry that they have waited for. */
static void on_lists_ended(void *arg) {
    struct ruleset *rs = arg;

    count(rs);
    note_error(rs);
    tell_waiters(rs);
}

static void on_sources(void *arg) {
    struct ruleset *rs = arg;

    rulelists_restart(&rs->lists);
}

/* ---- */

struct ruleset *ruleset_new(struct loop *loop, struct discovery *discovery, struct sources *sources,
                            const struct ruleset_options *options) {
    struct ruleset *rs = XNEW(struct ruleset);

    rs->discovery = discovery;
    rs->resources = resources_of(discovery);
    rulelists_init(&rs->lists, loop, sources, options);
    rs->lists.changed = on_forms;
    rs->lists.ended = on_lists_ended;
    rs->lists.arg = rs;
    discovery_on_change(discovery, on_discovery, rs);
    discovery_follow_all(discovery);
    sources_on_change(sources, on_sources, rs);
    return rs;
}

void ruleset_free(struct ruleset *ruleset) {
    if (!ruleset)
        return;
    rulelists_done(&ruleset->lists);
    registry_free(ruleset->registry);
    resources_free(ruleset->resources);
    rules_free(ruleset->rules);
    free(ruleset->waiters.items);
    free(ruleset->name);
    free(ruleset);
}

/* What only the cluster can tell to be wrong. It is no reason to have no rules at all: where none are in
 * force the others are better than none. */
static int check_overrides(const struct ruleset *rs, const char *name, const struct rules *rules,
                           struct err *err) {
    struct registry *registry;

    if (!rs->rules || !discovery_loaded(rs->discovery))
        return 0;
    int ret = registry_new(rules, &rs->resources->all, &registry, err);
    if (ret < 0) {
        /* its CRD may just have been made */
        discovery_missed(rs->discovery);
        return err_wrap(err, "%s", name);
    }
    registry_free(registry);
    return 0;
}

int ruleset_load(struct ruleset *ruleset, const char *name, const char *text, size_t len, struct err *err) {
    struct rules *rules, *before = ruleset->rules;

    int ret = rules_read(name, text, len, &rules, err);
    if (ret < 0)
        return ret;
    ret = check_overrides(ruleset, name, rules, err);
    if (ret < 0) {
        rules_free(rules);
        return ret;
    }
    free(ruleset->name);
    ruleset->name = xstrdup(name);
    ruleset->rules = rules;
    rulelists_take(&ruleset->lists, rules);
    renew(ruleset);
    rules_free(before);
    return 0;
}

static void note_broken(void *arg, const char *api_version) {
    bool *broken = arg;

    (void)api_version;
    *broken = true;
}

int ruleset_check(const struct ruleset *ruleset, struct err *err) {
    bool broken = false;

    discovery_each_broken(ruleset->discovery, note_broken, &broken);
    if (broken || !ruleset->complaint.code)
        return 0;
    return err_set(err, ruleset->complaint.code, "%s: %s", ruleset->name, ruleset->complaint.text);
}

const struct registry *ruleset_registry(const struct ruleset *ruleset) {
    return ruleset->registry;
}

const struct rules *ruleset_rules(const struct ruleset *ruleset) {
    return ruleset->rules;
}

const struct cluster_resources *ruleset_resources(const struct ruleset *ruleset) {
    return &ruleset->resources->all;
}

bool ruleset_ready(const struct ruleset *ruleset) {
    return !ruleset->rules || (ruleset->registry && ruleset->lists.rounds > 0);
}

void ruleset_on_change(struct ruleset *ruleset, loop_fn *fn, void *arg) {
    if (ruleset->watcher_count < WATCHERS_MAX)
        ruleset->watchers[ruleset->watcher_count++] = (struct watcher){fn, arg};
}

void ruleset_stats(const struct ruleset *ruleset, struct ruleset_stats *ret_stats) {
    const struct rulelists *lists = &ruleset->lists;

    *ret_stats = (struct ruleset_stats){
        .loaded = ruleset->rules != NULL,
        .rules = ruleset->rules ? ruleset->rules->rule_count : 0,
        .external = ruleset->rules ? ruleset->rules->external_count : 0,
        .lists = lists->rounds,
        .failures = lists->failed_rounds,
        .series = ruleset->series,
        .metrics = ruleset->metrics,
        .external_metrics = ruleset->external_metrics,
        .last_list = lists->last_wall,
        .last_took = lists->took,
        .error = ruleset->error.text,
    };
}
