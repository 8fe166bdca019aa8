/* From a recorded case to a registry. */
#include "adapter/tests/vectors.h"

#include "adapter/exposition.h"
#include "adapter/seriesselector.h"
#include "base/mem.h"
#include "base/str.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *text_of(const json_t *object, const char *key) {
    return str_or_empty(json_string_value(json_object_get(object, key)));
}

static void read_resource(struct arena *arena, const json_t *json, struct cluster_resource *out) {
    const char *gv = text_of(json, "groupVersion"), *slash = strchr(gv, '/');

    *out = (struct cluster_resource){
        .group = slash ? arena_strndup(arena, gv, (size_t)(slash - gv)) : "",
        .version = slash ? slash + 1 : gv,
        .plural = text_of(json, "name"),
        .singular = text_of(json, "singular"),
        .kind = text_of(json, "kind"),
        .namespaced = json_is_true(json_object_get(json, "namespaced")),
    };
}

void recorded_cluster_init(struct recorded_cluster *cluster) {
    cluster->json = cases_read(TEST_DATA_DIR "/adapter/cluster.json");
    const json_t *list = json_object_get(cluster->json, "resources");
    size_t count = json_array_size(list);

    arena_init(&cluster->arena, 0);
    struct cluster_resource *items = ARENA_ARRAY(&cluster->arena, struct cluster_resource, count);
    for (size_t i = 0; i < count; i++)
        read_resource(&cluster->arena, json_array_get(list, i), &items[i]);
    cluster->resources = (struct cluster_resources){items, (uint32_t)count};
}

void recorded_cluster_done(struct recorded_cluster *cluster) {
    arena_done(&cluster->arena);
    json_decref(cluster->json);
}

/* One rule and the registry that its series go to. */
struct feed {
    struct registry *registry;
    struct seriesselector *selector;
    bool external;
    uint32_t index;
};

/* A scrape adds the labels of the target, in their place. */
static int feed_series(void *arg, const struct exposition_sample *sample) {
    static const struct series_label added[] = {{"instance", "target"}, {"job", "vec"}};
    const struct feed *f = arg;
    struct series_label labels[EXPOSITION_LABELS_MAX + 2];
    struct series series = {.name = sample->series.name, .labels = labels};
    uint32_t at = 0;

    for (uint32_t i = 0; i < sample->series.label_count; i++) {
        while (at < 2 && strcmp(added[at].name, sample->series.labels[i].name) < 0)
            labels[series.label_count++] = added[at++];
        labels[series.label_count++] = sample->series.labels[i];
    }
    while (at < 2)
        labels[series.label_count++] = added[at++];
    if (seriesselector_matches(f->selector, &series, NULL))
        registry_add(f->registry, f->external, f->index, &series);
    return 0;
}

static int feed_rules(struct recorded *v, const char *exposition, bool external, struct err *err) {
    uint32_t count = external ? v->rules->external_count : v->rules->rule_count;
    const struct rule *rules = external ? v->rules->external : v->rules->rules;
    int ret = 0;

    for (uint32_t i = 0; i < count && ret == 0; i++) {
        struct feed feed = {.registry = v->registry, .external = external, .index = i};
        ret = seriesselector_new(rules[i].series_query, &feed.selector, err);
        if (ret == 0)
            ret = exposition_read(exposition, strlen(exposition), feed_series, &feed, err);
        seriesselector_free(feed.selector);
    }
    return ret;
}

int recorded_init(struct recorded *v, const json_t *json, const struct recorded_cluster *cluster,
                  struct err *err) {
    const char *config = text_of(json, "config"), *exposition = text_of(json, "exposition");

    *v = (struct recorded){0};
    int ret = rules_read("config.yaml", config, strlen(config), &v->rules, err);
    if (ret == 0)
        ret = registry_new(v->rules, &cluster->resources, &v->registry, err);
    if (ret == 0)
        ret = feed_rules(v, exposition, false, err);
    if (ret == 0)
        ret = feed_rules(v, exposition, true, err);
    if (ret < 0)
        recorded_done(v);
    return ret;
}

void recorded_done(struct recorded *v) {
    registry_free(v->registry);
    rules_free(v->rules);
    *v = (struct recorded){0};
}

static int is_case(const struct dirent *entry) {
    return entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
}

void recorded_add_cases(struct test_cases *cases) {
    struct dirent **entries = NULL;
    int n = scandir(TEST_DATA_DIR "/adapter", &entries, is_case, alphasort);

    assert_true(n >= 20);
    for (int i = 0; i < n; i++) {
        cleanup_free char *path = xasprintf("%s/adapter/%s", TEST_DATA_DIR, entries[i]->d_name);
        cases_add(cases, entries[i]->d_name, cases_read(path), NULL);
        free(entries[i]);
    }
    free(entries);
}
