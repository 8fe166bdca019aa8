/* Asking Prometheus for series and a cluster for resources and names. */
#include "operator/rules_ask.h"

#include "adapter/goquote.h"
#include "api/client/discovery.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/url.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Of series that no rule asks for a reason is wanted, not a census: of at most so many names, so many series
 * each. PAGE is what kubectl and client-go ask an apiserver for at once. */
enum { CONCERNED_MAX = 20, CONCERNED_SERIES = 1000, SELECTOR_MAX = 64 * 1024, NAMES_MAX = 5000, PAGE = 500 };

/* ---- Prometheus ---- */

/* limit 0: all of them. A server too old to know the parameter passes over it; then max_response is the
 * bound. */
static int ask_selector(const struct rules_prometheus *p, const char *selector, int limit,
                        struct series_list *list, struct err *err) {
    cleanup_free char *escaped = url_escape(selector);
    cleanup_free char *form = xasprintf("match%%5B%%5D=%s&start=%" PRId64, escaped, p->start / USEC_PER_SEC);
    cleanup_free char *limited = limit ? xasprintf("%s&limit=%d", form, limit) : NULL;
    struct answer answer;

    asker_prometheus(p->asker, p->endpoint, "/api/v1/series", limited ? limited : form, &answer);
    int ret = answer.err.code;
    if (ret == 0)
        ret = series_list_add_answer(list, answer.body.data, answer.body.len, &answer.err);
    if (ret < 0)
        *err = answer.err;
    answer_done(&answer);
    return ret;
}

struct asking {
    const struct rules_prometheus *prometheus;
    const char *config;
    /* The values mean nothing: it is a set. */
    struct map asked; /* selectors */
    struct series_list *list;
};

static int ask_rules(struct asking *a, const struct rule *rules, uint32_t count, struct err *err) {
    for (uint32_t i = 0; i < count; i++) {
        const struct rule *rule = &rules[i];
        /* Rules with one selector share its answer. */
        if (map_put(&a->asked, rule->series_query, a))
            continue;
        int ret = ask_selector(a->prometheus, rule->series_query, /* limit= */ 0, a->list, err);
        if (ret < 0)
            return err_wrap(err, "%s:%u: seriesQuery %s", a->config, rule->line, rule->series_query);
    }
    return 0;
}

int rules_ask_series(const struct rules_prometheus *prometheus, const struct rules *rules, const char *config,
                     struct series_list *list, struct err *err) {
    struct asking a = {prometheus, config, {0}, list};

    map_init(&a.asked);
    /* The map holds texts of rules, which outlive it. One selector in both sections is asked once; the
     * original lists each section by itself, and gets the same. */
    int ret = ask_rules(&a, rules->rules, rules->rule_count, err);
    if (ret == 0)
        ret = ask_rules(&a, rules->external, rules->external_count, err);
    map_done(&a.asked);
    return ret;
}

/* {__name__="x"} */
static int ask_name(const struct rules_prometheus *p, const char *name, struct series_list *list,
                    struct err *err) {
    cleanup_buf struct buf selector;

    buf_init(&selector, SELECTOR_MAX);
    buf_puts(&selector, "{__name__=");
    go_quote(name, &selector);
    buf_puts(&selector, "}");
    return ask_selector(p, selector.data, CONCERNED_SERIES, list, err);
}

int rules_ask_concerned(const struct rules_prometheus *prometheus, const struct rules *rules,
                        const char *metric, struct series_list *list, struct err *err) {
    cleanup_free char *form = xasprintf("start=%" PRId64, prometheus->start / USEC_PER_SEC);
    bool use_get = prometheus->endpoint->use_get;
    struct answer answer;
    int count = 0;
    size_t i;
    json_t *name;

    /* The names of all series: some thousand words, where the series would be some million. This path takes
     * no POST (the one of series does), so the endpoint is turned round for a moment: nothing else is under
     * way. */
    prometheus->endpoint->use_get = true;
    asker_prometheus(prometheus->asker, prometheus->endpoint, "/api/v1/label/__name__/values", form, &answer);
    prometheus->endpoint->use_get = use_get;
    int ret = answer.err.code;
    if (ret < 0)
        *err = answer.err;
    json_t *body = ret == 0 ? json_loadb(answer.body.data, answer.body.len, 0, NULL) : NULL;
    json_array_foreach(json_object_get(body, "data"), i, name) {
        const char *text = str_or_empty(json_string_value(name));
        if (ret < 0 || count == CONCERNED_MAX || !rules_concerns(rules, metric, text))
            continue;
        ret = ask_name(prometheus, text, list, err);
        count++;
    }
    json_decref(body);
    answer_done(&answer);
    return ret;
}

/* ---- the cluster ---- */

/* The parsed answer, a new reference; NULL: err tells why. */
static json_t *get(struct asker *asker, const char *path, struct err *err) {
    struct answer answer;
    json_t *value = NULL;

    asker_cluster(asker, path, &answer);
    if (answer.err.code)
        *err = answer.err;
    else if (!(value = json_loadb(answer.body.data, answer.body.len, 0, NULL)))
        err_set(err, -EPROTO, "the answer is not JSON");
    if (!value)
        err_wrap(err, "%s", path);
    answer_done(&answer);
    return value;
}

struct discovering {
    struct resource_list *list;
    rules_complain_fn *complain;
    void *arg;
};

static void add_resource(void *arg, const struct resource *resource) {
    const struct discovering *d = arg;

    resource_list_put(d->list, resource);
}

/* An APIService whose server is down must not hide the others: the original leaves it out, too. */
static void tell_broken(void *arg, const char *api_version) {
    const struct discovering *d = arg;
    struct err err = {0};

    err_set(&err, -EAGAIN, "left out: /apis/%s: the API server behind it does not answer", api_version);
    d->complain(d->arg, &err);
}

int rules_ask_resources(struct asker *asker, struct resource_list *list, rules_complain_fn *complain,
                        void *arg, struct err *err) {
    struct discovering d = {list, complain, arg};

    list->from = "the cluster's";
    return asker_discover(asker, add_resource, tell_broken, &d, err);
}

/* ---- names ---- */

struct names {
    struct arena *arena;
    const char **items;
    uint32_t count;
};

/* One page; its "continue" in the arena, "" at the end. */
static int add_page(struct names *names, const json_t *page, const char **ret_more, struct err *err) {
    const json_t *items = json_object_get(page, "items"), *item;
    size_t i;

    /* Before any of them is written: items has room for NAMES_MAX. */
    if (names->count + json_array_size(items) > NAMES_MAX)
        return err_set(err, -E2BIG, "more than %d objects", NAMES_MAX);
    json_array_foreach(items, i, item) {
        const char *name = json_string_value(json_object_get(json_object_get(item, "metadata"), "name"));
        names->items[names->count++] = arena_strdup(names->arena, str_or_empty(name));
    }
    const char *more = json_string_value(json_object_get(json_object_get(page, "metadata"), "continue"));
    *ret_more = arena_strdup(names->arena, str_or_empty(more));
    return 0;
}

/* An empty "continue" asks for the first page, and an empty selector selects all. */
static char *page_path(const struct cluster_resource *resource, const struct metrics_route *route,
                       const char *more) {
    const struct resource r = {.group = resource->group,
                               .version = resource->version,
                               .plural = resource->plural,
                               .namespaced = resource->namespaced};
    cleanup_free char *labels = url_escape(str_or_empty(route->labels_text)), *escaped = url_escape(more);
    cleanup_buf struct buf path;

    buf_init(&path, 64 * 1024);
    resource_path(&r, route->ns, /* name= */ NULL, /* subresource= */ NULL, &path);
    buf_printf(&path, "?limit=%d&labelSelector=%s&continue=%s", PAGE, labels, escaped);
    return buf_detach(&path);
}

int rules_ask_names(struct asker *asker, const struct cluster_resource *resource,
                    struct rules_request *request, struct arena *arena, struct err *err) {
    struct names names = {arena, ARENA_ARRAY(arena, const char *, NAMES_MAX), 0};
    const char *more = "";

    do {
        cleanup_free char *path = page_path(resource, request->route, more);
        json_t *page = get(asker, path, err);
        int ret = page ? add_page(&names, page, &more, err) : err->code;
        json_decref(page);
        if (ret < 0)
            return ret;
    } while (*more);
    request->names = names.items;
    request->name_count = names.count;
    return 0;
}
