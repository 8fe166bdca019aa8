/* What the adapter tells about itself: the recorded lists of metrics, the forms of discovery, and that every
 * document is JSON whose references lead somewhere. */
#include "adapter/apidocs.h"

#include "adapter/tests/vectors.h"
#include "api/types/tests/cases.h"
#include "base/mem.h"
#include "base/str.h"
#include <dirent.h>
#include <stdlib.h>

#include "base/tests/cm.h"

#define V2 "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
#define V2BETA1 "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"

static struct recorded_cluster cluster;
static const struct apidocs ALL = {.resource = true, .version = "1.2.3"};

/* The document, as JSON: a new reference. */
static json_t *document(const struct apidocs *docs, const char *path, const char *accept,
                        const char *want_type) {
    cleanup_buf struct buf out;
    const char *type = "";

    buf_init(&out, 1 << 22);
    if (apidocs_write(docs, path, accept, &out, &type) != 200)
        fail_msg("%s is not there", path);
    assert_string_equal(type, want_type);
    json_t *json = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
    if (!json)
        fail_msg("%s is not JSON: %s", path, out.data);
    return json;
}

static void assert_document(const struct apidocs *docs, const char *path, const char *want) {
    json_t *got = document(docs, path, NULL, "application/json");
    cleanup_free char *text = json_dumps(got, JSON_COMPACT);

    assert_string_equal(text, want);
    json_decref(got);
}

static void assert_status(const struct apidocs *docs, const char *path, const char *accept, int want) {
    cleanup_buf struct buf out;
    const char *type = NULL;

    buf_init(&out, 1 << 22);
    if (apidocs_write(docs, path, accept, &out, &type) != want)
        fail_msg("%s", path);
    assert_int_equal(out.len, 0);
    assert_null(type);
}

#define VERSION(group, version) "{\"groupVersion\":\"" group "/" version "\",\"version\":\"" version "\"}"
#define GROUP(group)                                                                                         \
    "\"name\":\"" group                                                                                      \
    "\",\"versions\":[" VERSION(group, "v1beta1") "],\"preferredVersion\":" VERSION(group, "v1beta1") "}"

static void names_the_groups(void **state) {
    const struct apidocs without = {.version = "1"};

    (void)state;
    assert_document(
        &ALL, "/apis",
        "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[{" GROUP(
            "custom.metrics.k8s.io") ",{" GROUP("external.metrics.k8s.io") ",{" GROUP("metrics.k8s.io") "]}");
    assert_document(&without, "/apis/",
                    "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[{" GROUP(
                        "custom.metrics.k8s.io") ",{" GROUP("external.metrics.k8s.io") "]}");
    assert_document(&ALL, "/apis/metrics.k8s.io",
                    "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\"," GROUP("metrics.k8s.io"));
}

static void lists_resources(void **state) {
    (void)state;
    assert_document(
        &ALL, "/apis/metrics.k8s.io/v1beta1",
        "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":\"metrics.k8s.io/v1beta1\","
        "\"resources\":[{\"name\":\"nodes\",\"singularName\":\"\",\"namespaced\":false,\"kind\":"
        "\"NodeMetrics\",\"verbs\":[\"get\",\"list\"]},{\"name\":\"pods\",\"singularName\":\"\","
        "\"namespaced\":true,\"kind\":\"PodMetrics\",\"verbs\":[\"get\",\"list\"]}]}");
    assert_document(&ALL, "/apis/custom.metrics.k8s.io/v1beta2",
                    "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":"
                    "\"custom.metrics.k8s.io/v1beta2\",\"resources\":[]}");
}

static void knows_what_is_not_there(void **state) {
    static const char *const absent[] = {"/api",
                                         "/api/v1",
                                         "/apis/custom.metrics.k8s.io/v1",
                                         "/apis/custom.metrics.k8s.io/v1beta1/x",
                                         "/apis/nosuch.group",
                                         "/apisx",
                                         "/openapi",
                                         "/openapi/v3/apis/metrics.k8s.io/v1",
                                         "/openapi/v3/apis/",
                                         "/versions"};

    const struct apidocs without = {.version = "1"};

    (void)state;
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        assert_status(&ALL, absent[i], "text/html", 404);
    assert_status(&without, "/apis/metrics.k8s.io", NULL, 404);
    assert_status(&without, "/apis/metrics.k8s.io/v1beta1", NULL, 404);
    assert_status(&without, "/openapi/v3/apis/metrics.k8s.io/v1beta1", NULL, 404);
    assert_status(&ALL, "/version", "text/html", 406);
    assert_status(&ALL, "/openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", 406);
    assert_status(&ALL, "/apis/metrics.k8s.io", V2, 406);
}

static void tells_the_version_and_the_index(void **state) {
    (void)state;
    assert_document(
        &ALL, "/version",
        "{\"major\":\"1\",\"minor\":\"0\",\"gitVersion\":\"1.2.3\",\"gitCommit\":\"\",\"gitTreeState\":\"\","
        "\"buildDate\":\"\",\"goVersion\":\"\",\"compiler\":\"\",\"platform\":\"\"}");
    json_t *index = document(&ALL, "/", "*/*", "application/json"), *path;
    size_t i;
    /* All that the index names is there, but for what others answer. */
    json_array_foreach(json_object_get(index, "paths"), i, path) {
        const char *name = json_string_value(path);
        if (!str_ends(name, "z") && !str_eq(name, "/metrics"))
            json_decref(document(&ALL, name, NULL, "application/json"));
    }
    assert_int_equal(i, 15);
    json_decref(index);
}

/* ---- metrics of rules, and of another adapter ---- */

static void load_rules(struct recorded *v, const char *name) {
    cleanup_free char *path = xasprintf("%s/adapter/%s.json", TEST_DATA_DIR, name);
    json_t *c = cases_read(path);
    struct err err = {0};

    if (recorded_init(v, c, &cluster, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    json_decref(c);
}

#define KIND(k) "\"responseKind\":{\"group\":\"\",\"version\":\"\",\"kind\":\"" k "\"}"
#define SUB(name) "{\"subresource\":\"" name "\"," KIND("MetricValueList") ",\"verbs\":[\"get\"]}"
#define PARENT(name, scope)                                                                                  \
    "{\"resource\":\"" name "\"," KIND("") ",\"scope\":\"" scope                                             \
                                           "\",\"singularResource\":\"\",\"verbs\":null,"                    \
                                           "\"subresources\":["

static void aggregates_discovery(void **state) {
    static const struct apidocs_entry others[] = {{false, true, "pods/depth"},
                                                  {false, true, "pods/other"},
                                                  {false, true, "services/other"},
                                                  {true, true, "backlog"}};
    struct recorded v;

    (void)state;
    load_rules(&v, "08-template-prefix");
    const struct apidocs docs = {
        .registry = v.registry, .resource = true, .other_count = 4, .others = others, .version = "1"};
    json_t *got = document(&docs, "/apis", V2BETA1 ";q=0.5," V2 ",application/json;q=0.1", V2);
    cleanup_free char *text = json_dumps(got, JSON_COMPACT);
#define CUSTOM(version)                                                                                      \
    "{\"version\":\"" version "\",\"resources\":[" PARENT("namespaces", "Cluster")                           \
        SUB("depth") "]}," PARENT("pods", "Namespaced")                                                      \
            SUB("depth") "," SUB("other") "]}," PARENT("services", "Namespaced")                             \
                SUB("other") "]}],\"freshness\":\"Current\"}"
    assert_string_equal(
        text,
        "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/"
        "v2\",\"metadata\":{},\"items\":["
        "{\"metadata\":{\"name\":\"custom.metrics.k8s.io\"},\"versions\":[" CUSTOM("v1beta1") "," CUSTOM(
            "v1beta2") "]},{\"metadata\":{\"name\":\"external.metrics.k8s.io\"},\"versions\":[{\"version\":"
                       "\"v1beta1\",\"resources\":["
                       "{\"resource\":\"backlog\"," KIND(
                           "ExternalMetricValueList") ",\"scope\":\"Namespaced\","
                                                      "\"singularResource\":\"\",\"verbs\":[\"get\"]}],"
                                                      "\"freshness\":\"Current\"}]},"
                                                      "{\"metadata\":{\"name\":\"metrics.k8s.io\"},"
                                                      "\"versions\":[{\"version\":\"v1beta1\",\"resources\":["
                                                      "{\"resource\":\"nodes\"," KIND(
                                                          "NodeMetrics") ",\"scope\":\"Cluster\","
                                                                         "\"singularResource\":\"\","
                                                                         "\"verbs\":[\"get\",\"list\"]},{"
                                                                         "\"resource\":\"pods\"," KIND(
                                                                             "PodMetrics") ",\"scope\":"
                                                                                           "\"Namespaced\","
                                                                                           "\"singularResourc"
                                                                                           "e\":\"\","
                                                                                           "\"verbs\":["
                                                                                           "\"get\",\"list\"]"
                                                                                           "}],\"freshness\":"
                                                                                           "\"Current\"}]}]"
                                                                                           "}");
    json_decref(got);
    got = document(&docs, "/apis", V2BETA1, V2BETA1);
    assert_string_equal(json_string_value(json_object_get(got, "apiVersion")), "apidiscovery.k8s.io/v2beta1");
    json_decref(got);
    recorded_done(&v);
}

/* Resources by name, those without a metric's name left out, which the original lists. */
static json_t *by_name(const json_t *list) {
    json_t *names = json_object(), *resource;
    size_t i;

    json_array_foreach(json_object_get(list, "resources"), i, resource) {
        const char *name = json_string_value(json_object_get(resource, "name"));
        if (*name && !str_ends(name, "/"))
            json_object_set(names, name, resource);
    }
    return names;
}

static int check_case(const json_t *c) {
    struct err err = {0};
    struct recorded v;
    json_t *answer;
    int checked = 0;
    size_t i;

    if (recorded_init(&v, c, &cluster, &err) < 0)
        return 0;
    const struct apidocs docs = {.registry = v.registry, .version = "1"};
    json_array_foreach(json_object_get(c, "answers"), i, answer) {
        const json_t *body = json_object_get(answer, "body");
        const char *path = json_string_value(json_object_get(answer, "path"));
        if (!str_eq(json_string_value(json_object_get(body, "kind")), "APIResourceList"))
            continue;
        json_t *got = document(&docs, path, NULL, "application/json");
        json_t *got_names = by_name(got), *want_names = by_name(body);
        if (!json_equal(got_names, want_names))
            fail_msg("%s", path);
        assert_true(json_equal(json_object_get(got, "groupVersion"), json_object_get(body, "groupVersion")));
        json_decref(got_names);
        json_decref(want_names);
        json_decref(got);
        checked++;
    }
    recorded_done(&v);
    return checked;
}

static int is_case(const struct dirent *entry) {
    return entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
}

static void lists_what_was_recorded(void **state) {
    struct dirent **entries = NULL;
    int n = scandir(TEST_DATA_DIR "/adapter", &entries, is_case, alphasort), checked = 0;

    (void)state;
    for (int i = 0; i < n; i++) {
        cleanup_free char *path = xasprintf("%s/adapter/%s", TEST_DATA_DIR, entries[i]->d_name);
        json_t *c = cases_read(path);
        checked += check_case(c);
        json_decref(c);
        free(entries[i]);
    }
    free(entries);
    assert_true(checked >= 8);
}

/* ---- OpenAPI ---- */

/* Every reference below value leads into schemas, which begin at prefix; returns how many there are. */
static int check_refs(const json_t *value, const json_t *schemas, const char *prefix) {
    const char *key;
    json_t *member;
    int count = 0;
    size_t i;

    if (json_is_array(value)) {
        json_array_foreach(value, i, member) count += check_refs(member, schemas, prefix);
        return count;
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member) {
        const char *ref = str_eq(key, "$ref") ? json_string_value(member) : NULL;
        if (ref && (!str_starts(ref, prefix) || !json_object_get(schemas, ref + strlen(prefix))))
            fail_msg("%s leads nowhere", ref);
        count += ref ? 1 : check_refs(member, schemas, prefix);
    }
    return count;
}

static void writes_openapi_v2(void **state) {
    json_t *got = document(&ALL, "/openapi/v2", "application/json", "application/json");
    const json_t *definitions = json_object_get(got, "definitions");
    const json_t *pod = json_object_get(definitions, "io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetrics");
    const json_t *gvk = json_array_get(json_object_get(pod, "x-kubernetes-group-version-kind"), 0);

    (void)state;
    assert_string_equal(json_string_value(json_object_get(got, "swagger")), "2.0");
    assert_int_equal(json_object_size(json_object_get(got, "paths")), 12);
    assert_int_equal(json_object_size(definitions), 12);
    assert_true(check_refs(got, definitions, "#/definitions/") > 15);
    assert_string_equal(json_string_value(json_object_get(gvk, "kind")), "PodMetrics");
    assert_int_equal(json_array_size(json_object_get(pod, "required")), 3);
    json_decref(got);
}

static void writes_openapi_v3(void **state) {
    json_t *index = document(&ALL, "/openapi/v3", NULL, "application/json"), *entry;
    const char *name;

    (void)state;
    assert_int_equal(json_object_size(json_object_get(index, "paths")), 4);
    json_object_foreach(json_object_get(index, "paths"), name, entry) {
        const char *url = json_string_value(json_object_get(entry, "serverRelativeURL"));
        const char *query = strchr(url, '?');
        cleanup_free char *path = xstrndup(url, (size_t)(query - url));
        cleanup_free char *plain = xasprintf("/openapi/v3/%s", name);
        assert_string_equal(path, plain);
        assert_int_equal(strlen(query), strlen("?hash=") + 16);
        json_t *got = document(&ALL, path, NULL, "application/json");
        const json_t *schemas = json_object_get(json_object_get(got, "components"), "schemas");
        assert_true(check_refs(got, schemas, "#/components/schemas/") > 1);
        json_decref(got);
    }
    json_decref(index);
}

static int group_setup(void **state) {
    (void)state;
    recorded_cluster_init(&cluster);
    return 0;
}

static int group_teardown(void **state) {
    (void)state;
    recorded_cluster_done(&cluster);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_groups),        cmocka_unit_test(lists_resources),
        cmocka_unit_test(knows_what_is_not_there), cmocka_unit_test(tells_the_version_and_the_index),
        cmocka_unit_test(aggregates_discovery),    cmocka_unit_test(lists_what_was_recorded),
        cmocka_unit_test(writes_openapi_v2),       cmocka_unit_test(writes_openapi_v3),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
