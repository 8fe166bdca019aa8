/* resourceRules: which queries a request becomes, and what their answers come to. The informers, the sources
 * and the cache are in the test's hands; rules, templates and widening are real. */
#include "adapter/resourcerules.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/tests/fake_loop.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { OBJECTS = 8, ASKED = 16 };

/* What prometheus-adapter's own manifests have, and one that cannot be widened. */
#define RULES(containers, more)                                                                              \
    "resourceRules:\n"                                                                                       \
    "  cpu:\n" more "    containerQuery: " containers "\n"                                                   \
    "    nodeQuery: sum(cpu{<<.LabelMatchers>>}) by (<<.GroupBy>>)\n"                                        \
    "    resources: {overrides: {node: {resource: node}, namespace: {resource: namespace}, pod: {resource: " \
    "pod}}}\n"                                                                                               \
    "    containerLabel: container\n"                                                                        \
    "  memory:\n"                                                                                            \
    "    containerQuery: sum(mem{<<.LabelMatchers>>}) by (<<.GroupBy>>)\n"                                   \
    "    nodeQuery: sum(mem{<<.LabelMatchers>>}) by (<<.GroupBy>>)\n"                                        \
    "    resources: {overrides: {node: {resource: node}, namespace: {resource: namespace}, pod: {resource: " \
    "pod}}}\n"                                                                                               \
    "    containerLabel: container\n"                                                                        \
    "  window: 3m\n"
#define SUM "sum(cpu{<<.LabelMatchers>>}) by (<<.GroupBy>>)"
static const char usual[] = RULES(SUM, "");
static const char elsewhere[] = RULES(SUM, "    source: elsewhere\n");
static const char narrow[] = RULES("topk(5, cpu{<<.LabelMatchers>>})", "");
static const char loose[] = RULES("sum(cpu) by (<<.GroupBy>>)", "");

static const struct cluster_resource resources[] = {
    {.group = "", .version = "v1", .plural = "pods", .singular = "pod", .kind = "Pod", .namespaced = true},
    {.group = "", .version = "v1", .plural = "nodes", .singular = "node", .kind = "Node"},
    {.group = "", .version = "v1", .plural = "namespaces", .singular = "namespace", .kind = "Namespace"},
};
static const struct cluster_resources cluster = {resources, 3};

/* ---- in place of the informers, the rules, the sources and the cache ---- */

struct informer {
    enum object_type type;
};

static char servers[2]; /* the default one, and another */

struct question {
    char *text;
    querycache_fn *fn;
    void *arg;
};

static struct world {
    struct informer pods, nodes;
    bool synced, no_server;
    struct str_pool pool;
    const struct object *objects[OBJECTS];
    struct rules *rules;
    struct resourcerules *all;
    bool inside; /* the cache answers from memory */
    bool cpu_elsewhere;
    loop_fn *sources_changed;
    void *sources_changed_arg;
    int forgotten; /* clients; a bit for each */
    struct loop *loop;
    const char *failing; /* queries with this fail */
    double extra;        /* cores of shop/web, and seconds since the first evaluation */
    const char *old;     /* queries with this are answered as at first, whatever is extra */
    struct question asked[ASKED];
    int asked_count;
    struct buf log; /* of the queries, and of the answer */
    struct buf answer;
} w;

struct informer *informers_open(struct informers *all, const struct resource *resource, enum object_type type,
                                informer_fn *fn, void *arg) {
    struct informer *informer = type == OBJECT_POD ? &w.pods : &w.nodes;

    (void)all;
    (void)resource;
    (void)fn;
    (void)arg;
    informer->type = type;
    return informer;
}

void informer_close(struct informer *informer) {
    (void)informer;
}

bool informer_synced(const struct informer *informer) {
    (void)informer;
    return w.synced;
}

void informer_each(const struct informer *informer, informer_each_fn *fn, void *arg) {
    for (int i = 0; i < OBJECTS; i++)
        if (w.objects[i] && w.objects[i]->type == informer->type)
            fn(arg, w.objects[i]);
}

const struct object *informer_get(const struct informer *informer, const char *ns, const char *name) {
    for (int i = 0; i < OBJECTS; i++)
        if (w.objects[i] && w.objects[i]->type == informer->type && str_eq(w.objects[i]->ns, ns) &&
            str_eq(w.objects[i]->name, name))
            return w.objects[i];
    return NULL;
}

void informer_select(const struct informer *informer, const char *ns, const struct selector *selector,
                     informer_each_fn *fn, void *arg) {
    for (int i = 0; i < OBJECTS; i++)
        if (w.objects[i] && w.objects[i]->type == informer->type && str_eq(w.objects[i]->ns, ns) &&
            selector_matches(selector, w.objects[i]->labels))
            fn(arg, w.objects[i]);
}

int discovery_find(struct discovery *discovery, const char *api_version, const char *kind,
                   const struct resource **ret_resource, struct err *err) {
    static const struct resource any;

    (void)discovery;
    (void)api_version;
    (void)kind;
    (void)err;
    *ret_resource = &any;
    return 0;
}

void discovery_on_change(struct discovery *discovery, loop_fn *fn, void *arg) {
    (void)discovery;
    (void)fn;
    (void)arg;
}

void ruleset_on_change(struct ruleset *ruleset, loop_fn *fn, void *arg) {
    (void)ruleset;
    (void)fn;
    (void)arg;
}

const struct rules *ruleset_rules(const struct ruleset *ruleset) {
    (void)ruleset;
    return w.rules;
}

const struct cluster_resources *ruleset_resources(const struct ruleset *ruleset) {
    (void)ruleset;
    return &cluster;
}

void sources_on_change(struct sources *sources, loop_fn *fn, void *arg) {
    (void)sources;
    w.sources_changed = fn;
    w.sources_changed_arg = arg;
}

struct promclient *sources_client(struct sources *sources, const char *ns, const char *name,
                                  struct err *err) {
    (void)sources;
    assert_null(ns);
    if (!w.no_server)
        return (struct promclient *)(void *)&servers[str_eq(name, "elsewhere")];
    err_set(err, -ENOENT, "there is no server");
    return NULL;
}

static void add_sample(struct vector *vector, const char *ns, const char *pod, const char *container,
                       double value) {
    struct series_label labels[3];
    uint32_t count = 0;

    if (container)
        labels[count++] = (struct series_label){vector_word(vector, "container", 9),
                                                vector_word(vector, container, strlen(container))};
    if (ns)
        labels[count++] =
            (struct series_label){vector_word(vector, "namespace", 9), vector_word(vector, ns, strlen(ns))};
    const char *label = container ? "pod" : "node";
    labels[count++] = (struct series_label){vector_word(vector, label, strlen(label)),
                                            vector_word(vector, pod, strlen(pod))};
    const struct vector_sample sample = {.value = value,
                                         .at = 1000 * USEC_PER_SEC + (usec_t)w.extra * USEC_PER_SEC,
                                         .label_count = count,
                                         .labels = labels};
    vector_add(vector, &sample);
}

static void add_nodes(struct vector *vector, bool cpu) {
    add_sample(vector, NULL, "node-0", NULL, cpu ? 1.5 : 4096);
    add_sample(vector, NULL, "node-0", NULL, 77); /* the first one counts */
    add_sample(vector, NULL, "node-2", NULL, 1);
}

/* shop: the namespace, or NULL where the answer is of it alone. */
static void add_shop(struct vector *vector, const char *shop, bool cpu) {
    add_sample(vector, shop, "web", "app", (cpu ? 0.2509 : 1000.9) + w.extra);
    add_sample(vector, shop, "web", "app", cpu ? NAN : -1);
    if (cpu)
        add_sample(vector, shop, "web", "side", 1);
    else
        add_sample(vector, shop, "half", "app", 1);
    add_sample(vector, shop, "stray", "app", 9);
}

static void add_pods(struct vector *vector, const char *query, bool cpu) {
    bool all = strstr(query, "by (pod,container,namespace)"), loosely = strstr(query, "sum(cpu) by");

    if (all || loosely || strstr(query, "namespace=\"shop\""))
        add_shop(vector, all ? "shop" : NULL, cpu);
    if (all || strstr(query, "namespace=\"bank\""))
        add_sample(vector, all ? "bank" : NULL, "web", "app", cpu ? 2 : 3);
}

/* What the server knows, whatever it is asked for of it: more than that is dropped. */
static void answer_query(const struct question *question) {
    bool cpu = strstr(question->text, "cpu"),
         pods = strstr(question->text, "namespace") || strstr(question->text, "container");
    struct vector *vector = NULL;
    struct err err = {0};

    if (w.failing && strstr(question->text, w.failing)) {
        err_set(&err, -ETIMEDOUT, "timed out");
        question->fn(question->arg, NULL, &err);
        return;
    }
    double extra = w.extra;
    w.extra = w.old && strstr(question->text, w.old) ? 0 : extra;
    vector = vector_new();
    if (!pods)
        add_nodes(vector, cpu);
    add_pods(vector, question->text, cpu);
    w.extra = extra;
    vector_seal(vector, 0);
    question->fn(question->arg, vector, &err);
    vector_free(vector);
}

struct querycache_wait *querycache_ask(struct querycache *cache, struct promclient *client,
                                       const struct querycache_query *query, querycache_fn *fn, void *arg) {
    struct question *question = &w.asked[w.asked_count++];

    (void)cache;
    assert_ptr_equal(client, &servers[strstr(query->text, "cpu") && w.cpu_elsewhere]);
    assert_true(w.asked_count < ASKED);
    buf_printf(&w.log, "%s\n", query->text);
    if (query->wide)
        buf_printf(&w.log, "  or %s [%s=%s]\n", query->wide, query->ns_label, query->ns);
    *question = (struct question){xstrdup(query->text), fn, arg};
    if (!w.inside)
        return (struct querycache_wait *)(void *)question;
    answer_query(question);
    return NULL;
}

void querycache_forget(struct querycache *cache, struct promclient *client) {
    (void)cache;
    w.forgotten |= 1 << ((char *)client - servers);
}

void querycache_cancel(struct querycache_wait *wait) {
    if (wait)
        ((struct question *)(void *)wait)->fn = NULL;
}

/* ---- the world ---- */

static void put(int at, enum object_type type, const char *ns, const char *name) {
    struct object *o = object_new(type, &w.pool, &(struct object_names){.ns = ns, .name = name});

    if (type == OBJECT_POD)
        ((struct pod *)o)->phase = POD_RUNNING;
    w.objects[at] = o;
}

static void world_begin(const char *rules) {
    struct err err = {0};

    w = (struct world){.synced = true, .inside = true};
    str_pool_init(&w.pool);
    buf_init(&w.log, 65536);
    buf_init(&w.answer, 65536);
    if (rules_read("rules.yaml", rules, strlen(rules), &w.rules, &err) < 0)
        fail_msg("%s", err.text);
    put(0, OBJECT_POD, "shop", "web");
    put(1, OBJECT_POD, "shop", "half");
    put(2, OBJECT_POD, "bank", "web");
    put(3, OBJECT_NODE, "", "node-0");
    put(4, OBJECT_NODE, "", "node-1");
    w.loop = fake_loop_new();
    w.all = resourcerules_new(&(struct resourcerules_world){.loop = w.loop});
    assert_true(resourcerules_serve(w.all));
}

static void forget_questions(void) {
    for (int i = 0; i < w.asked_count; i++)
        free(w.asked[i].text);
    w.asked_count = 0;
}

static void world_end(void) {
    resourcerules_free(w.all);
    fake_loop_free(w.loop);
    forget_questions();
    for (int i = 0; i < OBJECTS; i++)
        object_unref(w.objects[i]);
    rules_free(w.rules);
    str_pool_done(&w.pool);
    buf_done(&w.log);
    buf_done(&w.answer);
}

static void note(void *arg, const struct metrics_answer *answer) {
    (void)arg;
    buf_printf(&w.answer, "%d", answer->status);
    if (answer->status != 200)
        buf_printf(&w.answer, " %s", answer->message);
    for (uint32_t i = 0; i < answer->count; i++) {
        const struct metrics_object *o = &answer->objects[i];
        buf_printf(&w.answer, "%s%s/%s", i ? " | " : " ", o->ns, o->name);
        for (uint32_t j = 0; j < o->usage_count; j++)
            buf_printf(&w.answer, " %s=%" PRId64 "n/%" PRId64, o->usages[j].name, o->usages[j].cpu_nano,
                       o->usages[j].memory_bytes);
        assert_int_equal(o->window, 180 * USEC_PER_SEC);
        assert_int_equal(o->at, 1000 * USEC_PER_SEC);
    }
}

/* Asks; true: the answer is to come. */
static bool ask(const char *path, struct resourcerules_call **ret_call) {
    cleanup_free char *whole = xasprintf("/apis/metrics.k8s.io/v1beta1/%s", path);
    cleanup_arena struct arena arena;
    struct metrics_route route;

    forget_questions();
    buf_reset(&w.log);
    buf_reset(&w.answer);
    arena_init(&arena, 0);
    assert_int_equal(metrics_route_read(whole, &arena, &route, NULL), 0);
    *ret_call = resourcerules_answer(w.all, &route, note, NULL);
    return *ret_call;
}

static void expect(const char *path, const char *want, const char *queries) {
    struct resourcerules_call *call;

    assert_false(ask(path, &call));
    assert_string_equal(w.answer.data, want);
    assert_string_equal(w.log.data ? w.log.data : "", queries);
}

#define SHOP_QUERIES                                                                                         \
    "sum(cpu{namespace=\"shop\"}) by (pod,container)\n"                                                      \
    "  or sum(cpu{}) by (pod,container,namespace) [namespace=shop]\n"                                        \
    "sum(mem{namespace=\"shop\"}) by (pod,container)\n"                                                      \
    "  or sum(mem{}) by (pod,container,namespace) [namespace=shop]\n"
#define SHOP_WEB "shop/web app=250000000n/1000 side=1000000000n/0"

static void asks_once_for_a_namespace(void **state) {
    (void)state;
    world_begin(usual);
    expect("namespaces/shop/pods", "200 " SHOP_WEB, SHOP_QUERIES);
    expect("namespaces/shop/pods/web", "200 " SHOP_WEB, SHOP_QUERIES);
    expect("namespaces/shop/pods/half", "404 podmetrics.metrics.k8s.io \"shop/half\" not found",
           SHOP_QUERIES);
    expect("namespaces/shop/pods/none", "404 pods \"none\" not found", "");
    expect("namespaces/none/pods", "200", "");
    world_end();
}

static void asks_twice_for_all_namespaces(void **state) {
    (void)state;
    world_begin(usual);
    assert_false(ask("pods", &(struct resourcerules_call *){NULL}));
    assert_string_equal(w.answer.data, "200 bank/web app=2000000000n/3 | " SHOP_WEB);
    assert_int_equal(w.asked_count, 2);
    assert_null(strstr(w.log.data, "shop"));
    assert_null(strstr(w.log.data, "web"));
    world_end();
}

static void names_pods_where_it_must(void **state) {
    (void)state;
    world_begin(narrow);
    assert_false(ask("pods", &(struct resourcerules_call *){NULL}));
    assert_string_equal(w.answer.data, "200 bank/web app=2000000000n/3 | " SHOP_WEB);
    assert_int_equal(w.asked_count, 3);
    assert_non_null(strstr(w.log.data, "topk(5, cpu{namespace=\"shop\",pod=~\"web|half\"})"));
    assert_non_null(strstr(w.log.data, "topk(5, cpu{namespace=\"bank\",pod=\"web\"})"));
    world_end();
}

/* A query that names no namespace tells pods by their names alone, each namespace's as for it alone. */
static void asks_for_each_namespace(void **state) {
    (void)state;
    world_begin(loose);
    assert_false(ask("pods", &(struct resourcerules_call *){NULL}));
    assert_string_equal(w.answer.data, "200 bank/web app=250000000n/3 side=1000000000n/0 | " SHOP_WEB);
    assert_int_equal(w.asked_count, 3);
    world_end();
}

static void asks_for_nodes(void **state) {
    (void)state;
    world_begin(usual);
    expect("nodes", "200 /node-0 =1500000000n/4096", "sum(cpu{}) by (node)\nsum(mem{}) by (node)\n");
    expect("nodes/node-2", "404 nodes \"node-2\" not found", "");
    world_end();
}

static void waits_for_the_last_answer(void **state) {
    struct resourcerules_call *call;

    (void)state;
    world_begin(usual);
    w.inside = false;
    assert_true(ask("namespaces/shop/pods", &call));
    assert_int_equal(w.asked_count, 2);
    answer_query(&w.asked[1]);
    assert_int_equal(w.answer.len, 0);
    answer_query(&w.asked[0]);
    assert_string_equal(w.answer.data, "200 " SHOP_WEB);

    assert_true(ask("namespaces/shop/pods", &call));
    answer_query(&w.asked[1]);
    resourcerules_cancel(call);
    assert_null(w.asked[0].fn);
    assert_true(ask("pods", &call)); /* ended with the world */
    world_end();
}

#define FAILED "500 Internal error occurred: unable to fetch metrics: "

/* What fails is left out; where nothing is known for that, it is said. */
static void says_what_fails(void **state) {
    (void)state;
    world_begin(narrow);
    w.failing = "namespace=\"shop\"";
    assert_false(ask("pods", &(struct resourcerules_call *){NULL}));
    assert_string_equal(w.answer.data, "200 bank/web app=2000000000n/3");
    assert_false(ask("namespaces/shop/pods", &(struct resourcerules_call *){NULL}));
    assert_string_equal(w.answer.data, FAILED "timed out");
    assert_false(ask("namespaces/shop/pods/web", &(struct resourcerules_call *){NULL}));
    assert_string_equal(w.answer.data, FAILED "timed out");
    w.failing = "mem";
    assert_false(ask("nodes", &(struct resourcerules_call *){NULL}));
    assert_string_equal(w.answer.data, FAILED "timed out");
    assert_false(ask("namespaces/none/pods", &(struct resourcerules_call *){NULL}));
    assert_string_equal(w.answer.data, "200");
    world_end();
}

static void asks_the_server_of_the_rule(void **state) {
    (void)state;
    world_begin(elsewhere);
    w.cpu_elsewhere = true;
    assert_false(ask("namespaces/shop/pods", &(struct resourcerules_call *){NULL}));
    assert_string_equal(w.answer.data, "200 " SHOP_WEB);
    w.sources_changed(w.sources_changed_arg);
    assert_int_equal(w.forgotten, 0);
    w.no_server = true;
    w.sources_changed(w.sources_changed_arg);
    assert_int_equal(w.forgotten, 3);
    world_end();
}

static void count(void *arg) {
    ++*(int *)arg;
}

struct policy {
    struct metric_spec spec;
    struct metric_subscription *sub;
    int told;
};

static void subscribe(struct policy *p) {
    struct metric_source *s = resourcerules_source(w.all);

    p->sub =
        s->ops->subscribe(s, &(struct metric_request){.metric = &p->spec, .ns = "shop"}, count, &p->told);
    assert_int_equal(p->told, 0);
}

static struct sample read_of(const struct policy *p) {
    struct metric_source *s = resourcerules_source(w.all);
    struct sample sample;

    s->ops->read(s, p->sub, 1000 * USEC_PER_SEC, &sample);
    return sample;
}

/* In milli; -1: not known. */
static int64_t value_of(const struct policy *p, int pod) {
    struct metric_source *s = resourcerules_source(w.all);
    const struct pod *pods[] = {(const struct pod *)w.objects[pod]};
    struct pod_value value;

    s->ops->read_pods(s, p->sub, 1000 * USEC_PER_SEC, pods, 1, &value);
    assert_true(!value.known || (value.window == 180 * USEC_PER_SEC && value.at >= 1000 * USEC_PER_SEC));
    return value.known ? value.milli : -1;
}

static void end(struct policy *policies, size_t n) {
    struct metric_source *s = resourcerules_source(w.all);

    for (size_t i = 0; i < n; i++)
        s->ops->unsubscribe(s, policies[i].sub);
}

/* Without the detour over the API: what a request is answered. */
static void serves_policies(void **state) {
    struct policy p[] = {
        {.spec = {.type = METRIC_RESOURCE, .metric = "cpu"}},
        {.spec = {.type = METRIC_RESOURCE, .metric = "memory"}},
        {.spec = {.type = METRIC_CONTAINER_RESOURCE, .metric = "cpu", .container = "side"}},
        {.spec = {.type = METRIC_CONTAINER_RESOURCE, .metric = "cpu", .container = "none"}},
        {.spec = {.type = METRIC_RESOURCE, .metric = "disk"}},
    };

    (void)state;
    world_begin(usual);
    for (int i = 0; i < 5; i++)
        subscribe(&p[i]);
    assert_int_equal(read_of(&p[0]).quality, QUALITY_PENDING);
    fake_loop_run(w.loop, USEC_PER_SEC);
    assert_int_equal(w.asked_count, 2); /* for all of them */
    assert_int_equal(p[0].told, 1);
    assert_int_equal(read_of(&p[0]).quality, QUALITY_VALUE);
    assert_string_equal(read_of(&p[0]).origin, "rules");
    assert_int_equal(value_of(&p[0], 0), 1250);
    assert_int_equal(value_of(&p[1], 0), 1000900);
    assert_int_equal(value_of(&p[2], 0), 1000);
    assert_int_equal(value_of(&p[3], 0), -1);
    assert_int_equal(value_of(&p[0], 1), -1); /* has memory alone */
    assert_int_equal(read_of(&p[4]).quality, QUALITY_FAILED);
    /* Told again when there is another answer, and not before. */
    fake_loop_run(w.loop, 20 * USEC_PER_SEC);
    assert_int_equal(p[0].told, 1);
    forget_questions();
    w.extra = 2;
    fake_loop_run(w.loop, 6 * USEC_PER_SEC);
    assert_int_equal(p[0].told, 2);
    assert_int_equal(value_of(&p[0], 0), 3250);
    end(p, 5);
    world_end();
}

/* One of the two queries fails for a while, and its last good answer stands in: what the other one says is
 * told, and nothing is called newer than the older half. */
static void tells_what_half_of_it_says(void **state) {
    static const char *const queries[] = {"mem", "cpu"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct policy p = {.spec = {.type = METRIC_RESOURCE, .metric = i ? "memory" : "cpu"}};
        world_begin(usual);
        w.old = queries[i];
        subscribe(&p);
        fake_loop_run(w.loop, USEC_PER_SEC);
        assert_int_equal(p.told, 1);
        forget_questions();
        w.extra = 2;
        fake_loop_run(w.loop, 6 * USEC_PER_SEC);
        assert_int_equal(p.told, 2);
        assert_int_equal(value_of(&p, 0), i ? 1002900 : 3250);
        assert_int_equal(read_of(&p).at, 1000 * USEC_PER_SEC);
        end(&p, 1);
        world_end();
    }
}

static void tells_policies_of_failures(void **state) {
    struct policy p = {.spec = {.type = METRIC_RESOURCE, .metric = "cpu"}};

    (void)state;
    world_begin(usual);
    w.failing = "mem";
    w.synced = false;
    subscribe(&p);
    fake_loop_run(w.loop, USEC_PER_SEC);
    assert_int_equal(read_of(&p).quality, QUALITY_PENDING);
    w.synced = true;
    fake_loop_run(w.loop, 12 * USEC_PER_SEC);
    assert_int_equal(p.told, 1);
    assert_int_equal(read_of(&p).quality, QUALITY_FAILED);
    assert_non_null(strstr(read_of(&p).message, "timed out"));
    assert_int_equal(value_of(&p, 0), -1);
    w.failing = NULL;
    w.inside = false;
    forget_questions();
    fake_loop_run(w.loop, 6 * USEC_PER_SEC);
    answer_query(&w.asked[0]);
    answer_query(&w.asked[1]);
    assert_int_equal(p.told, 2);
    assert_int_equal(read_of(&p).quality, QUALITY_VALUE);
    assert_int_equal(value_of(&p, 0), 1250);
    fake_loop_run(w.loop, 6 * USEC_PER_SEC); /* ended while it waits */
    end(&p, 1);
    world_end();
}

static void says_what_it_lacks(void **state) {
    (void)state;
    world_begin(usual);
    w.no_server = true;
    expect("namespaces/shop/pods", FAILED "there is no server", "");
    w.synced = false;
    expect("namespaces/shop/pods", "503 the cluster's pods and nodes are not known yet", "");
    world_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_once_for_a_namespace),
        cmocka_unit_test(asks_twice_for_all_namespaces),
        cmocka_unit_test(names_pods_where_it_must),
        cmocka_unit_test(asks_for_each_namespace),
        cmocka_unit_test(asks_for_nodes),
        cmocka_unit_test(waits_for_the_last_answer),
        cmocka_unit_test(says_what_it_lacks),
        cmocka_unit_test(says_what_fails),
        cmocka_unit_test(asks_the_server_of_the_rule),
        cmocka_unit_test(serves_policies),
        cmocka_unit_test(tells_policies_of_failures),
        cmocka_unit_test(tells_what_half_of_it_says),
    };
    return cmocka_run_group_tests_name("resourcerules", tests, NULL, NULL);
}
