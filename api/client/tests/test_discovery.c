/* Discovery over a fake transport with documents recorded from a real apiserver (1.36), by
 * data/discovery/CASE: in.json: replies by path (a document's name or a status) and kinds to find; want.json:
 * what each comes to (the path of its objects, or the error's name) and the requests that were made. */
#include "api/client/discovery.h"
#include "api/client/discovery_table.h"
#include "api/client/kubeconfig_internal.h"
#include "api/client/tests/fake_http.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the ones above first */
#include <cmocka.h>

#define DATA TEST_DATA_DIR "/discovery/"

struct fixture {
    struct loop *loop;
    struct fake_http *fake;
    struct kubeconfig *config;
    struct kube *kube;
    struct discovery *discovery;
    json_t *documents; /* texts that the fake borrows */
    bool changed;
    int rounds;
};

static json_t *load(const char *folder, const char *name) {
    cleanup_free char *path = xasprintf(DATA "%s/%s", folder, name);
    json_error_t problem;
    json_t *json = json_load_file(path, 0, &problem);

    if (!json)
        fail_msg("%s:%d: %s", path, problem.line, problem.text);
    return json;
}

static void on_change(void *arg) {
    struct fixture *f = arg;

    f->changed = true;
    f->rounds++;
}

static int set_up(void **state) {
    struct fixture *f = XNEW(struct fixture);

    assert_int_equal(loop_new(&f->loop, NULL), 0);
    f->fake = fake_http_new(f->loop);
    f->config = kubeconfig_alloc();
    f->config->server = "https://192.0.2.1";
    assert_int_equal(kube_new(f->loop, &f->fake->http, f->config, &f->kube, NULL), 0);
    f->discovery = discovery_new(f->kube);
    discovery_on_change(f->discovery, on_change, f);
    f->documents = json_array();
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;

    discovery_free(f->discovery);
    kube_free(f->kube);
    fake_http_free(f->fake);
    loop_free(f->loop);
    kubeconfig_free(f->config);
    json_decref(f->documents);
    free(f);
    return 0;
}

static void route(struct fixture *f, const char *path, const json_t *answer) {
    struct fake_reply reply = {.status = (int)json_integer_value(answer)};

    if (json_is_string(answer)) {
        json_t *document = load("documents", json_string_value(answer));
        char *text = json_dumps(document, JSON_COMPACT);
        json_t *kept = json_string(text);
        json_array_append_new(f->documents, kept);
        reply = (struct fake_reply){.status = 200, .body = json_string_value(kept)};
        json_decref(document);
        free(text);
    }
    fake_http_route(f->fake, path, reply);
}

static void route_document(struct fixture *f, const char *path, const char *document) {
    json_t *name = json_string(document);

    route(f, path, name);
    json_decref(name);
}

static int find(struct fixture *f, const char *api_version, const char *kind,
                const struct resource **ret_resource, struct err *err) {
    int r = -EAGAIN;

    for (int round = 0; round < 5 && r == -EAGAIN; round++) {
        f->changed = false;
        r = discovery_find(f->discovery, api_version, kind, ret_resource, err);
        if (r == -EAGAIN)
            turn_until(f->loop, &f->changed);
    }
    return r;
}

/* "apps/v1 Deployment" -> "/apis/apps/v1/namespaces/N/deployments scale", or the name of the error. */
static json_t *describe(struct fixture *f, const char *what) {
    const struct resource *resource = NULL;
    const char *blank = strrchr(what, ' ');
    cleanup_free char *api_version = xstrndup(what, (size_t)(blank - what));
    cleanup_buf struct buf text;
    struct err err = {0};

    buf_init(&text, 500);
    int r = find(f, api_version, blank + 1, &resource, &err);
    if (r < 0) {
        assert_int_equal(r, err.code);
        assert_string_not_equal(err.text, "");
        return json_string(strerrorname_np(-r));
    }
    assert_int_equal(resource_path(resource, "N", NULL, NULL, &text), 0);
    if (resource->has_scale)
        buf_puts(&text, " scale");
    return json_string(text.data);
}

static json_t *paths_asked(const struct fixture *f) {
    json_t *paths = json_array();

    for (size_t i = 0; i < f->fake->asked_count; i++)
        json_array_append_new(paths, json_string(f->fake->asked[i].url + strlen(f->config->server)));
    return paths;
}

static void check_equal(const char *name, const json_t *got, const json_t *want) {
    if (json_equal(got, want))
        return;
    char *a = json_dumps(got, JSON_INDENT(1)), *b = json_dumps(want, JSON_INDENT(1));
    fail_msg("%s: got %s\nwant %s", name, a, b);
}

static void run_case(const char *name) {
    struct fixture *f;
    const char *path;
    json_t *in = load(name, "in.json"), *want = load(name, "want.json"), *got = json_pack("{s:[]}", "found");
    json_t *answer;
    const json_t *what;
    size_t i;

    set_up((void **)&f);
    json_object_foreach(json_object_get(in, "replies"), path, answer) {
        route(f, path, answer);
    }
    json_array_foreach(json_object_get(in, "find"), i, what) {
        json_array_append_new(json_object_get(got, "found"), describe(f, json_string_value(what)));
    }
    json_object_set_new(got, "requests", paths_asked(f));
    check_equal(name, got, want);
    json_decref(in);
    json_decref(want);
    json_decref(got);
    tear_down((void **)&f);
}

static void test_cases(void **state) {
    DIR *dir = opendir(DATA);
    int cases = 0;

    (void)state;
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || str_eq(entry->d_name, "documents"))
            continue;
        run_case(entry->d_name);
        cases++;
    }
    closedir(dir);
    assert_true(cases >= 7);
}

static void test_refresh_keeps_pointers(void **state) {
    struct fixture *f = *state;
    const struct resource *shop, *again, *deployment, *same;
    struct err err = {0};

    route_document(f, "/api", "api-aggregated.json");
    route_document(f, "/apis", "apis-aggregated.json");
    assert_int_equal(find(f, "apps/v1", "Deployment", &deployment, &err), 0);
    assert_int_equal(find(f, "example.org/v1", "Shop", &shop, &err), 0);
    assert_int_equal(f->rounds, 1);
    /* the custom resource goes, all else stays */
    route_document(f, "/apis", "apis-no-shop.json");
    f->changed = false;
    discovery_refresh(f->discovery);
    discovery_refresh(f->discovery);
    turn_until(f->loop, &f->changed);
    assert_int_equal(f->rounds, 2);
    assert_int_equal(discovery_find(f->discovery, "example.org/v1", "Shop", &again, &err), -ENOENT);
    assert_int_equal(discovery_find(f->discovery, "apps/v1", "Deployment", &same, &err), 0);
    assert_ptr_equal(same, deployment);
    assert_string_equal(shop->plural, "shops"); /* borrowed until the end, gone or not */
    route_document(f, "/apis", "apis-aggregated.json");
    f->changed = false;
    discovery_refresh(f->discovery);
    turn_until(f->loop, &f->changed);
    assert_int_equal(discovery_find(f->discovery, "example.org/v1", "Shop", &again, &err), 0);
    assert_ptr_equal(again, shop);
}

/* A failed round is repeated by itself, with a pause, and heals. */
static void test_failure_heals(void **state) {
    struct fixture *f = *state;
    const struct resource *pod;
    struct err err = {0};

    fake_http_route(f->fake, "/api", (struct fake_reply){.code = -ECONNREFUSED});
    fake_http_route(f->fake, "/apis", (struct fake_reply){.code = -ECONNREFUSED});
    assert_int_equal(find(f, "v1", "Pod", &pod, &err), -ECONNREFUSED);
    route_document(f, "/api", "api-aggregated.json");
    f->changed = false;
    assert_int_equal(discovery_find(f->discovery, "v1", "Pod", &pod, &err), -ECONNREFUSED);
    turn_until(f->loop, &f->changed);
    assert_int_equal(discovery_find(f->discovery, "v1", "Pod", &pod, &err), 0);
    assert_int_equal(find(f, "apps/v1", "Deployment", &pod, &err), -ECONNREFUSED);
}

static void test_free_while_asking(void **state) {
    struct fixture *f = *state;
    const struct resource *pod;

    fake_http_route(f->fake, "/api", (struct fake_reply){.never = true});
    assert_int_equal(discovery_find(f->discovery, "v1", "Pod", &pod, NULL), -EAGAIN);
    assert_int_equal(discovery_find(f->discovery, "v1", "Pod", &pod, NULL), -EAGAIN);
    for (int i = 0; i < 3; i++)
        loop_turn(f->loop, USEC_PER_MSEC);
    assert_int_equal(f->fake->asked_count, 2);
}

static void read_root(struct discovery_table *t, const char *document) {
    json_t *body = load("documents", document);
    bool aggregated = false;

    assert_int_equal(discovery_table_read_root(t, HALF_GROUPS, body, &aggregated, NULL), 0);
    assert_true(aggregated);
    json_decref(body);
}

/* What an aggregated API said before it went down still counts. */
static void test_stale_group_is_kept(void **state) {
    struct discovery_table t;
    bool broken;

    (void)state;
    discovery_table_init(&t);
    read_root(&t, "apis-metrics.json");
    const struct resource *before = discovery_table_find(&t, "metrics.k8s.io/v1beta1", "PodMetrics", &broken);
    assert_non_null(before);
    read_root(&t, "apis-aggregated.json");
    assert_ptr_equal(discovery_table_find(&t, "metrics.k8s.io/v1beta1", "PodMetrics", &broken), before);
    assert_null(discovery_table_find(&t, "metrics.k8s.io/v1beta1", "Other", &broken));
    assert_true(broken);
    discovery_table_done(&t);
}

/* A CRD that gets a scale subresource is another resource. */
static void test_scale_appears(void **state) {
    struct discovery_table t;
    bool broken;

    (void)state;
    discovery_table_init(&t);
    read_root(&t, "apis-shop-without-scale.json");
    const struct resource *before = discovery_table_find(&t, "example.org/v1", "Shop", &broken);
    assert_false(before->has_scale);
    read_root(&t, "apis-aggregated.json");
    const struct resource *after = discovery_table_find(&t, "example.org/v1", "Shop", &broken);
    assert_true(after->has_scale);
    assert_false(before->has_scale);
    discovery_table_done(&t);
}

/* ---- all resources ---- */

static void put_line(void *arg, const struct resource *r) {
    buf_printf(arg, "%s%s%s/%s %s %s%s\n", r->group, r->group[0] ? "/" : "", r->version, r->plural,
               str_or_empty(r->singular), r->kind, r->namespaced ? "" : " cluster");
}

static void check_all(const struct discovery_table *table, const char *want) {
    cleanup_buf struct buf got;

    buf_init(&got, 100000);
    discovery_table_each(table, put_line, &got);
    assert_string_equal(got.data ? got.data : "", want);
}

static void test_each_in_order(void **state) {
    static const char document[] =
        "{'kind':'APIGroupDiscoveryList','items':["
        "{'metadata':{'name':'z.org'},'versions':["
        "{'version':'v2','resources':[%s,%s]},{'version':'v1','resources':[%s,%s]}]},"
        "{'metadata':{'name':'external.metrics.k8s.io'},'versions':[{'version':'v1beta1','resources':[%s]}]},"
        "{'metadata':{'name':'custom.metrics.k8s.io'},'versions':[{'version':'v1beta1','resources':[%s]}]},"
        "{'metadata':{'name':'a.org'},'versions':[{'version':'v1','resources':[%s]}]}]}";
    static const char core[] = "{'kind':'APIGroupDiscoveryList','items':[{'metadata':{},'versions':["
                               "{'version':'v1','resources':[%s,%s]}]}]}";
#define ENTRY(name, one, kind, scope)                                                                        \
    "{'resource':'" name "','singularResource':'" one "','scope':'" scope                                    \
    "','verbs':['get'],'responseKind':{'kind':'" kind "'}}"
    cleanup_free char *groups = xasprintf(
        document, ENTRY("bees", "bee", "Bee", "Namespaced"), ENTRY("ants", "ant", "Ant", "Cluster"),
        ENTRY("bees", "bee", "Bee", "Namespaced"), ENTRY("cats", "", "Cat", "Namespaced"),
        ENTRY("pods", "", "ExternalMetricValueList", "Namespaced"),
        ENTRY("pods/queue", "", "MetricValueList", "Namespaced"), ENTRY("bees", "bee", "Bee", "Namespaced"));
    cleanup_free char *base =
        xasprintf(core, ENTRY("pods", "pod", "Pod", "Namespaced"), ENTRY("nodes", "node", "Node", "Cluster"));
    struct discovery_table t;
    bool aggregated;

    (void)state;
    discovery_table_init(&t);
    check_all(&t, "");
    /* the core group last, as it may come */
    for (int half = HALF_COUNT; half-- > 0;) {
        char *text = half == HALF_CORE ? base : groups;
        for (char *c = text; *c; c++)
            if (*c == '\'')
                *c = '"';
        json_t *body = json_loads(text, 0, NULL);
        assert_non_null(body);
        assert_int_equal(discovery_table_read_root(&t, half, body, &aggregated, NULL), 0);
        json_decref(body);
    }
    check_all(&t, "v1/pods pod Pod\n"
                  "v1/nodes node Node cluster\n"
                  "z.org/v2/bees bee Bee\n"
                  "z.org/v2/ants ant Ant cluster\n"
                  "z.org/v1/cats  Cat\n"
                  "a.org/v1/bees bee Bee\n");
    discovery_table_done(&t);
}

static void count_one(void *arg, const struct resource *resource) {
    assert_non_null(resource->plural);
    ++*(int *)arg;
}

static void count_metrics(void *arg, const char *api_version) {
    assert_string_not_equal(api_version, "apps/v1");
    *(int *)arg += str_eq(api_version, "metrics.k8s.io/v1beta1");
}

static int count_all(const struct fixture *f) {
    int count = 0;

    discovery_each(f->discovery, count_one, &count);
    return count;
}

static void test_follow_all(void **state) {
    struct fixture *f = *state;

    route_document(f, "/api", "api-aggregated.json");
    route_document(f, "/apis", "apis-no-shop.json");
    assert_false(discovery_loaded(f->discovery));
    discovery_follow_all(f->discovery);
    assert_false(discovery_loaded(f->discovery));
    assert_int_equal(count_all(f), 0);
    turn_until(f->loop, &f->changed);
    assert_true(discovery_loaded(f->discovery));
    int before = count_all(f);
    assert_true(before > 15);
    /* nobody needs to know the name of a new one */
    route_document(f, "/apis", "apis-aggregated.json");
    f->changed = false;
    discovery_refresh(f->discovery);
    turn_until(f->loop, &f->changed);
    assert_true(count_all(f) > before);
    /* the answer is young: an unknown name is no reason to ask again at once */
    discovery_missed(f->discovery);
    discovery_missed(f->discovery);
    loop_turn(f->loop, USEC_PER_MSEC);
    assert_int_equal(f->fake->asked_count, 4);
}

/* A server without aggregated discovery is asked for each group; also where a round for one of them was
 * under way. A group whose server is down hides none of the others. */
static void test_follow_all_of_older_server(void **state) {
    static const char *const documents[] = {"/apis/apps/v1",
                                            "apis-apps-v1.json",
                                            "/apis/autoscaling/v1",
                                            "apis-autoscaling-v1.json",
                                            "/apis/autoscaling/v2",
                                            "apis-autoscaling-v2.json",
                                            "/apis/example.org/v1",
                                            "apis-example.org-v1.json",
                                            "/api/v1",
                                            "api-v1.json"};
    struct fixture *f = *state;
    const struct resource *found;

    route_document(f, "/api", "api-versions.json");
    route_document(f, "/apis", "apis-groups.json");
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i += 2)
        route_document(f, documents[i], documents[i + 1]);
    fake_http_route(f->fake, "/apis/metrics.k8s.io/v1beta1", (struct fake_reply){.status = 503});
    assert_int_equal(discovery_find(f->discovery, "apps/v1", "Deployment", &found, NULL), -EAGAIN);
    discovery_follow_all(f->discovery);
    turn_until(f->loop, &f->changed);
    assert_false(discovery_loaded(f->discovery));
    f->changed = false;
    turn_until(f->loop, &f->changed);
    assert_true(discovery_loaded(f->discovery));
    assert_int_equal(discovery_find(f->discovery, "example.org/v1", "Shop", &found, NULL), 0);
    assert_string_equal(found->singular, "shop");
    assert_true(count_all(f) > 20);
    int broken = 0;
    discovery_each_broken(f->discovery, count_metrics, &broken);
    assert_int_equal(broken, 1);
    assert_int_equal(discovery_failure(f->discovery, NULL), 0);
}

static void test_follow_all_fails(void **state) {
    struct fixture *f = *state;
    struct err err = {0};

    route_document(f, "/api", "api-aggregated.json");
    fake_http_route(f->fake, "/apis", (struct fake_reply){.code = -ECONNREFUSED});
    assert_int_equal(discovery_failure(f->discovery, &err), 0);
    discovery_follow_all(f->discovery);
    turn_until(f->loop, &f->changed);
    assert_false(discovery_loaded(f->discovery));
    assert_int_equal(discovery_failure(f->discovery, &err), -ECONNREFUSED);
    /* tried again by itself */
    route_document(f, "/apis", "apis-aggregated.json");
    f->changed = false;
    turn_until(f->loop, &f->changed);
    assert_true(discovery_loaded(f->discovery));
}

static void test_paths(void **state) {
    static const struct resource deployments = {"apps", "v1", "Deployment", "deployments", true, true, NULL};
    static const struct resource nodes = {"", "v1", "Node", "nodes", false, false, NULL};
    static const struct {
        const struct resource *resource;
        const char *ns, *name, *sub, *want; /* want NULL: refused */
    } cases[] = {
        {&deployments, "x", "y", "scale", "/apis/apps/v1/namespaces/x/deployments/y/scale"},
        {&deployments, "x", NULL, NULL, "/apis/apps/v1/namespaces/x/deployments"},
        {&deployments, NULL, NULL, NULL, "/apis/apps/v1/deployments"},
        {&nodes, NULL, "n", NULL, "/api/v1/nodes/n"},
        {&nodes, "ignored", "n", "status", "/api/v1/nodes/n/status"},
        {&deployments, "x", "a:b c?d#e", NULL, "/apis/apps/v1/namespaces/x/deployments/a:b%20c%3Fd%23e"},
        {&deployments, NULL, "y", NULL, NULL},
        {&deployments, "x", "../../secrets/s", NULL, NULL},
        {&deployments, "x", "..", NULL, NULL},
        {&deployments, "x", ".", NULL, NULL},
        {&deployments, "x/y", NULL, NULL, NULL},
        {&deployments, "x", "", NULL, NULL},
        {&deployments, "x", "a%2fb", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_buf struct buf out;
        buf_init(&out, 200);
        int r = resource_path(cases[i].resource, cases[i].ns, cases[i].name, cases[i].sub, &out);
        assert_int_equal(r, cases[i].want ? 0 : -EINVAL);
        if (cases[i].want)
            assert_string_equal(out.data, cases[i].want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test_setup_teardown(test_refresh_keeps_pointers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failure_heals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_free_while_asking, set_up, tear_down),
        cmocka_unit_test(test_stale_group_is_kept),
        cmocka_unit_test(test_scale_appears),
        cmocka_unit_test(test_each_in_order),
        cmocka_unit_test_setup_teardown(test_follow_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_follow_all_of_older_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_follow_all_fails, set_up, tear_down),
        cmocka_unit_test(test_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
