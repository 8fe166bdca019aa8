/* Servers by name in simulated time: they come, go and change, their Secrets too, and policies move along. */
#include "adapter/tests/sources_cluster.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC
static const char s1[] = "{\"url\": \"http://s1\"}", s2[] = "{\"url\": \"http://s2\"}",
                  s3[] = "{\"url\": \"http://s3\"}";
static const char closed[] =
    "{\"url\": \"https://s4.closed\", \"auth\": {\"bearer\": {\"secret\": {\"name\": \"login\"}}}}";

#define NOT_FOUND(ns, name)                                                                                  \
    "MetricSource " ns "/" name ": not found, nor a ClusterMetricSource " name                               \
    ": create one, or correct source"

static void test_one_comes_changes_and_goes(void **state) {
    (void)state;
    cluster_begin(NULL);
    struct follower *f = cluster_follow("shop", "mimir");

    cluster_run(SEC);
    cluster_expect_failed(f, NOT_FOUND("shop", "mimir"));
    cluster_put("shop", "mimir", s1);
    assert_int_equal(cluster_read(f).quality, QUALITY_PENDING);
    cluster_run(SEC);
    cluster_expect(f, 1);
    assert_string_equal(cluster_read(f).origin, "MetricSource shop/mimir");
    int before = f->told;
    cluster_put("shop", "mimir", s2);
    cluster_run(SEC);
    cluster_expect(f, 2);
    assert_true(f->told > before);
    cluster_delete("shop", "mimir");
    cluster_run(USEC_PER_MSEC);
    cluster_expect_failed(f, NOT_FOUND("shop", "mimir"));
    before = c.http.started;
    cluster_run(10 * SEC);
    assert_int_equal(c.http.started, before);
    cluster_end();
}

static void test_the_default_server(void **state) {
    (void)state;
    cluster_begin("http://s7");
    struct follower *f = cluster_follow("shop", NULL), *g = cluster_follow("games", NULL);

    cluster_run(SEC);
    cluster_expect(f, 7);
    cluster_expect(g, 7);
    assert_string_equal(cluster_read(f).origin, "");
    assert_int_equal(c.http.started, 1); /* both share a fetch */
    cluster_end();
    cluster_begin(NULL);
    f = cluster_follow("shop", NULL);
    cluster_run(SEC);
    cluster_expect_failed(
        f, "no Prometheus is configured: start trimtab with --prometheus-url, or name a MetricSource");
    cluster_end();
}

/* The namespace's own wins, and is nobody else's. */
static void test_whose_a_name_is(void **state) {
    (void)state;
    cluster_begin(NULL);
    struct follower *shop = cluster_follow("shop", "mimir"), *games = cluster_follow("games", "mimir");

    cluster_put("shop", "mimir", s1);
    cluster_run(SEC);
    cluster_expect(shop, 1);
    cluster_expect_failed(games, NOT_FOUND("games", "mimir"));
    cluster_put("", "mimir", s2);
    cluster_run(SEC);
    cluster_expect(shop, 1);
    cluster_expect(games, 2);
    cluster_delete("shop", "mimir");
    cluster_put("games", "mimir", s3);
    cluster_run(SEC);
    cluster_expect(shop, 2);
    cluster_expect(games, 3);
    /* One that cannot be used is not replaced by another of its name in silence. */
    cluster_put("games", "mimir", "{\"url\": \"ftp://s3\"}");
    cluster_run(SEC);
    cluster_expect_failed(games,
                          "MetricSource games/mimir: spec.url: must be http:// or https:// and a host, "
                          "without user, password and fragment: put credentials into auth");
    cluster_end();
}

static void test_a_secret_comes_rotates_and_goes(void **state) {
    (void)state;
    cluster_begin(NULL);
    struct follower *f = cluster_follow("shop", "mimir");

    c.authorization = "Authorization: Bearer one";
    cluster_put("shop", "mimir", closed);
    assert_int_equal(cluster_read(f).quality, QUALITY_PENDING);
    cluster_run(SEC);
    cluster_expect_failed(f, "MetricSource shop/mimir: Secret shop/login: not found");
    cluster_secret("shop", "login", "password", "one", NULL);
    cluster_run(SEC);
    cluster_expect_failed(f, "MetricSource shop/mimir: Secret shop/login has no key token");
    cluster_secret("shop", "login", "token", "one\n", NULL);
    cluster_run(SEC);
    cluster_expect(f, 4);
    c.authorization = "Authorization: Bearer two";
    cluster_run(3 * SEC);
    cluster_expect_failed(f, "Prometheus https://s4.closed answered 401");
    cluster_secret("shop", "login", "token", "two", NULL);
    cluster_run(SEC);
    cluster_expect(f, 4);
    cluster_secret("shop", "login", "token", "a\nb", NULL);
    cluster_run(SEC);
    cluster_expect_failed(f, "MetricSource shop/mimir: a credential has line ends or other control "
                             "characters in it");
    cluster_delete_secret("shop", "login");
    cluster_run(SEC);
    cluster_expect_failed(f, "MetricSource shop/mimir: Secret shop/login: not found");
    cluster_end();
}

/* What has not changed makes no new client: nobody has to ask again. */
static void test_what_stays_the_same(void **state) {
    (void)state;
    cluster_begin(NULL);
    struct err err = {0};

    c.authorization = "Authorization: Bearer one";
    cluster_secret("shop", "login", "token", "one", NULL);
    cluster_put("shop", "mimir", closed);
    cluster_run(SEC);
    struct promclient *client = sources_client(c.sources, "shop", "mimir", &err);
    assert_non_null(client);
    cluster_put("shop", "mimir", closed);
    cluster_secret("shop", "login", "token", "one", "other", "x", NULL);
    cluster_run(SEC);
    assert_ptr_equal(sources_client(c.sources, "shop", "mimir", &err), client);
    assert_string_equal(c.followed, "/api/v1/namespaces/shop/secrets/login\n");
    cluster_end();
}

/* Secrets are read in the source's own namespace, whatever the source says. */
static void test_secrets_of_one_namespace_alone(void **state) {
    (void)state;
    cluster_begin(NULL);
    struct follower *shop = cluster_follow("shop", "mimir"), *games = cluster_follow("games", "mimir");

    c.authorization = "Authorization: Bearer one";
    cluster_secret("shop", "login", "token", "one", NULL);
    cluster_put("games", "mimir", closed);
    cluster_put("shop", "mimir", closed);
    cluster_run(SEC);
    cluster_expect(shop, 4);
    cluster_expect_failed(games, "MetricSource games/mimir: Secret games/login: not found");
    assert_string_equal(c.followed, "/api/v1/namespaces/games/secrets/login\n"
                                    "/api/v1/namespaces/shop/secrets/login\n");
    cluster_put("games", "mimir",
                "{\"url\": \"https://s4.closed\", \"auth\": {\"bearer\": {\"secret\": {\"name\": "
                "\"../../shop/secrets/login\"}}}}");
    cluster_run(SEC);
    assert_int_equal(cluster_read(games).quality, QUALITY_FAILED);
    assert_null(strstr(c.followed, ".."));
    cluster_end();
}

static void test_secrets_of_a_cluster_wide_one(void **state) {
    (void)state;
    cluster_begin(NULL);
    struct follower *f = cluster_follow("shop", "mimir");

    c.authorization = "Authorization: Bearer one";
    cluster_secret("shop", "login", "token", "wrong", NULL);
    cluster_secret("operator", "login", "token", "one", NULL);
    cluster_put("", "mimir", closed);
    cluster_run(SEC);
    cluster_expect(f, 4);
    cluster_end();
    cluster_begin_with(&(struct sources_world){.own_ns = ""});
    f = cluster_follow("shop", "mimir");
    cluster_put("", "mimir", closed);
    cluster_run(SEC);
    cluster_expect_failed(f, "ClusterMetricSource mimir: Secret login: the operator does not know its own "
                             "namespace: set POD_NAMESPACE");
    cluster_end();
}

static void test_a_secret_that_may_not_be_read(void **state) {
    (void)state;
    cluster_begin(NULL);
    struct follower *f = cluster_follow("shop", "mimir");

    err_set(&c.secret_err, -EACCES, "secrets \"login\" is forbidden");
    cluster_put("shop", "mimir", closed);
    cluster_run(2 * SEC);
    cluster_expect_failed(f, "MetricSource shop/mimir: Secret shop/login: secrets \"login\" is forbidden");
    assert_string_equal(cluster_ready("reason"), "SecretUnreadable");
    cluster_end();
}

static void test_every_kind_of_credential(void **state) {
    (void)state;
    cluster_begin(NULL);

    cluster_secret("shop", "tls", "ca.crt", "CA", "tls.crt", "CERT", "tls.key", "KEY", NULL);
    cluster_secret("shop", "login", "username", "me", "password", "pw", "key", "k1", NULL);
    cluster_put("shop", "a",
                "{\"url\": \"https://s1/prefix?x=y\", \"tls\": {\"caSecret\": {\"name\": \"tls\"}, "
                "\"certSecret\": {\"name\": \"tls\"}}, \"auth\": {\"basic\": {\"secret\": {\"name\": "
                "\"login\"}}}, \"headers\": {\"X-Scope-OrgID\": \"team a\"}, \"queryParameters\": "
                "{\"dedup\": \"true\", \"a&b\": \"ü\"}, \"method\": \"GET\", \"timeout\": \"2s\"}");
    cluster_run(2 * SEC);
    assert_string_equal(c.http.url, "https://s1/prefix/api/v1/query?query=1&timeout=2000ms&x=y&dedup=true&"
                                    "a%26b=%C3%BC");
    assert_string_equal(c.http.userpwd, "me:pw");
    assert_string_equal(c.http.headers, "Accept: application/json\nX-Scope-OrgID: team a\n");
    assert_string_equal(c.ca, "CA");
    assert_string_equal(c.cert, "CERT");
    assert_string_equal(c.key, "KEY");
    cluster_put("shop", "a",
                "{\"url\": \"https://s1\", \"tls\": {\"insecureSkipVerify\": true}, \"auth\": {\"header\": "
                "{\"name\": \"X-API-Key\", \"secret\": {\"name\": \"login\", \"key\": \"key\"}}}}");
    cluster_run(2 * SEC);
    assert_true(c.http.insecure);
    assert_non_null(strstr(c.http.headers, "X-API-Key: k1\n"));
    cluster_put("shop", "a",
                "{\"url\": \"http://s1\", \"auth\": {\"basic\": {\"username\": \"you\", \"secret\": "
                "{\"name\": \"login\"}}}}");
    cluster_run(2 * SEC);
    assert_string_equal(c.http.userpwd, "you:pw");
    cluster_end();
}

static void test_a_cluster_without_the_kinds(void **state) {
    struct err err = {0};

    (void)state;
    c.no_kinds = true;
    cluster_begin("http://s7");
    struct follower *f = cluster_follow("shop", NULL), *g = cluster_follow("shop", "mimir");

    cluster_run(10 * SEC);
    cluster_expect(f, 7);
    cluster_expect_failed(g, "MetricSource shop/mimir: this cluster does not know the kind MetricSource: "
                             "install its definition");
    assert_null(sources_client(c.sources, /* ns= */ NULL, "mimir", &err));
    assert_string_equal(err.text, "ClusterMetricSource mimir: this cluster does not know the kind "
                                  "ClusterMetricSource: install its definition");
    c.no_kinds = false;
    cluster_run(2 * SEC);
    cluster_expect_failed(g, NOT_FOUND("shop", "mimir"));
    cluster_put("shop", "mimir", s1);
    cluster_run(SEC);
    cluster_expect(g, 1);
    cluster_end();
}

/* Before the first list nothing is said of a name, and after a refusal the reason. */
static void test_before_the_first_list(void **state) {
    (void)state;
    c.unsynced = true;
    cluster_begin(NULL);
    struct follower *f = cluster_follow("shop", "mimir");

    cluster_run(5 * SEC);
    assert_int_equal(cluster_read(f).quality, QUALITY_PENDING);
    assert_int_equal(f->told, 0);
    err_set(&c.informer_err, -EACCES, "metricsources is forbidden");
    cluster_run(SEC);
    cluster_expect_failed(f, "MetricSource: metricsources is forbidden");
    c.unsynced = false;
    err_clear(&c.informer_err);
    cluster_run(2 * SEC);
    cluster_expect_failed(f, NOT_FOUND("shop", "mimir"));
    assert_int_equal(f->told, 2);
    cluster_end();
}

/* ---- those who hold clients ---- */

static struct promclient *held;
static int changes;

static void on_change(void *unused) {
    struct err err = {0};

    (void)unused;
    changes++;
    if (held)
        assert_string_equal(promclient_label(held), "Prometheus http://s1"); /* it is still there */
    held = sources_client(c.sources, "shop", "mimir", &err);
    if (held)
        assert_string_equal(promclient_label(held), "Prometheus http://s2");
}

static void test_listeners_hear_before_a_client_goes(void **state) {
    (void)state;
    struct err err = {0};
    cluster_begin(NULL);

    assert_null(sources_client(c.sources, "shop", "mimir", &err));
    assert_string_equal(err.text, NOT_FOUND("shop", "mimir"));
    /* rules name none of a namespace */
    assert_null(sources_client(c.sources, /* ns= */ NULL, "mimir", &err));
    assert_string_equal(err.text, "ClusterMetricSource mimir: not found: create one, or correct source");
    cluster_put("shop", "mimir", s1);
    held = sources_client(c.sources, "shop", "mimir", &err);
    assert_non_null(held);
    changes = 0;
    sources_on_change(c.sources, on_change, NULL);
    cluster_put("shop", "mimir", s2);
    assert_int_equal(changes, 1);
    held = NULL;
    cluster_delete("shop", "mimir");
    assert_int_equal(changes, 2);
    assert_null(held);
    cluster_end();
}

static void leave_all(struct follower *f) {
    (void)f;
    for (int i = 0; i < c.follower_count; i++)
        cluster_leave(&c.followers[i]);
}

static void follow_another(struct follower *f) {
    f->when_told = NULL;
    cluster_leave(f);
    cluster_follow("shop", "thanos");
    cluster_follow("shop", "mimir");
}

static void test_who_is_told_may_go(void **state) {
    (void)state;
    static void (*const when[])(struct follower *) = {leave_all, cluster_leave, follow_another};

    for (size_t i = 0; i < sizeof(when) / sizeof(when[0]); i++)
        for (int who = 0; who < 3; who++) {
            cluster_begin(NULL);
            for (int j = 0; j < 3; j++)
                cluster_follow(j < 2 ? "shop" : "games", "mimir");
            cluster_run(SEC);
            c.followers[who].when_told = when[i];
            cluster_put("", "mimir", s1);
            cluster_run(3 * SEC);
            cluster_end();
        }
}

static uint32_t policies_of_each[8];
static int each_count;

static void take_each(void *arg, const char *ns, const char *name, const struct promclient_stats *stats,
                      uint32_t policies) {
    (void)arg, (void)ns, (void)stats;
    policies_of_each[each_count++] = policies;
    assert_true(name[0] ? strcmp(name, "mimir") == 0 : each_count == 1);
}

static void test_policies_are_counted(void **state) {
    (void)state;
    cluster_begin("http://s7");
    cluster_follow("shop", NULL);
    cluster_follow("games", "mimir");
    struct follower *f = cluster_follow("shop", "mimir");
    struct metric_source *all = sources_metric_source(c.sources);

    cluster_put("", "mimir", s1);
    /* A second metric of one policy. */
    const struct metric_request request = {.metric = &f->metric, .ns = "shop"};
    struct metric_subscription *second = all->ops->subscribe(all, &request, NULL, f);
    each_count = 0;
    sources_each(c.sources, take_each, NULL);
    assert_int_equal(each_count, 2);
    assert_int_equal(policies_of_each[0], 1);
    assert_int_equal(policies_of_each[1], 2);
    all->ops->unsubscribe(all, second);
    cluster_leave(f);
    each_count = 0;
    sources_each(c.sources, take_each, NULL);
    assert_int_equal(policies_of_each[1], 1);
    cluster_end();
}

/* ---- statuses ---- */

static void test_the_status_of_a_good_one(void **state) {
    (void)state;
    cluster_begin(NULL);
    cluster_follow("shop", "mimir");

    cluster_put("shop", "mimir", s1);
    cluster_run(3 * SEC);
    assert_int_equal(c.writes, 1);
    assert_string_equal(c.path,
                        "/apis/autoscaling.trimtab.dev/v1/namespaces/shop/metricsources/mimir/status");
    assert_string_equal(cluster_ready("type"), "Ready");
    assert_string_equal(cluster_ready("status"), "True");
    assert_string_equal(cluster_ready("reason"), "Answers");
    assert_string_equal(cluster_status("lastError"), "");
    assert_non_null(strstr(cluster_status("lastSuccessTime"), "2026-01-01T00:01:"));
    assert_string_equal(cluster_status("latency"), "1ms");
    assert_int_equal(json_integer_value(json_object_get(c.status, "policies")), 1);
    assert_true(json_integer_value(json_object_get(c.status, "observedGeneration")) > 0);
    /* One a minute while nothing happens. */
    cluster_run(10 * USEC_PER_MIN);
    assert_in_range(c.writes, 9, 11);
    assert_string_equal(cluster_status("queriesPerSecond"), "1.0");
    cluster_end();
}

/* Nobody asks it but the operator, now and then. */
static void test_the_status_of_an_unused_one(void **state) {
    (void)state;
    cluster_begin(NULL);

    cluster_put("", "mimir", s1);
    cluster_run(3 * SEC);
    assert_int_equal(c.http.started, 1);
    assert_int_equal(c.writes, 1);
    assert_string_equal(c.path, "/apis/autoscaling.trimtab.dev/v1/clustermetricsources/mimir/status");
    assert_string_equal(cluster_ready("status"), "True");
    cluster_run(60 * USEC_PER_MIN);
    assert_in_range(c.http.started, 12, 13);
    assert_in_range(c.writes, 12, 13);
    cluster_end();
}

static void test_statuses_of_bad_ones(void **state) {
    (void)state;
    static const struct {
        const char *spec, *reason, *message;
    } cases[] = {
        {"{\"url\": \"http://dead\"}", "Unreachable", "Prometheus http://dead: connection refused"},
        {"{\"url\": \"http://page\"}", "Unreachable", "Prometheus http://page: the answer is not JSON"},
        {"{\"url\": \"http://closed\"}", "Refused", "Prometheus http://closed answered 401"},
        {"{\"url\": \"http://x:port\"}", "InvalidSpec", "the URL of Prometheus: "},
        {"{\"url\": \"gopher://x\"}", "InvalidSpec", "spec.url: must be http"},
        {"{\"url\": \"http://s1\", \"auth\": {\"bearer\": {\"secret\": {\"name\": \"gone\"}}}}",
         "SecretMissing", "Secret shop/gone: not found"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cluster_begin(NULL);
        cluster_put("shop", "mimir", cases[i].spec);
        cluster_run(3 * SEC);
        assert_int_equal(c.writes, 1);
        assert_string_equal(cluster_ready("status"), "False");
        assert_string_equal(cluster_ready("reason"), cases[i].reason);
        if (strncmp(cluster_ready("message"), cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%zu: %s", i, cluster_ready("message"));
        assert_string_equal(cluster_status("lastError"), cluster_ready("message"));
        cluster_run(10 * USEC_PER_MIN);
        assert_int_equal(c.writes, 1); /* nothing new */
        cluster_end();
    }
}

static void test_a_failure_is_told_once_and_so_is_the_end(void **state) {
    (void)state;
    cluster_begin(NULL);
    cluster_follow("shop", "mimir");

    c.authorization = "Authorization: Bearer one";
    cluster_secret("shop", "login", "token", "one", NULL);
    cluster_put("shop", "mimir", closed);
    cluster_run(30 * SEC);
    assert_int_equal(c.writes, 1);
    c.authorization = NULL; /* a short one is no news */
    cluster_run(3 * SEC);
    c.authorization = "Authorization: Bearer one";
    cluster_run(20 * SEC);
    assert_int_equal(c.writes, 1);
    c.authorization = NULL;
    cluster_run(30 * SEC);
    assert_int_equal(c.writes, 2);
    assert_string_equal(cluster_ready("status"), "False");
    cluster_run(5 * USEC_PER_MIN);
    assert_int_equal(c.writes, 2);
    c.authorization = "Authorization: Bearer one";
    cluster_run(30 * SEC);
    assert_int_equal(c.writes, 3);
    assert_string_equal(cluster_ready("status"), "True");
    cluster_end();
}

static void test_a_write_that_failed_is_tried_again(void **state) {
    (void)state;
    cluster_begin(NULL);

    c.write_answer = 500;
    cluster_put("shop", "mimir", s1);
    cluster_run(10 * SEC);
    assert_int_equal(c.writes, 1);
    cluster_run(15 * SEC);
    assert_int_equal(c.writes, 2);
    c.write_answer = 0;
    cluster_run(60 * SEC);
    assert_int_equal(c.writes, 3);
    cluster_end();
}

static void test_a_dry_run_writes_nothing(void **state) {
    (void)state;
    cluster_begin_with(&(struct sources_world){.own_ns = "operator"});
    struct follower *f = cluster_follow("shop", "mimir");

    cluster_put("shop", "mimir", s1);
    cluster_run(USEC_PER_MIN);
    cluster_expect(f, 1);
    assert_int_equal(c.writes, 0);
    cluster_end();
}

static void test_bad_options_of_the_default_server(void **state) {
    (void)state;
    const struct prometheus_options options = {.url = "ftp://x"};
    struct sources *sources;
    struct err err = {0};

    assert_int_equal(sources_new(&(struct sources_world){.fallback = &options}, &sources, &err), -EINVAL);
    assert_non_null(strstr(err.text, "scheme must be http or https"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_comes_changes_and_goes),
        cmocka_unit_test(test_the_default_server),
        cmocka_unit_test(test_whose_a_name_is),
        cmocka_unit_test(test_a_secret_comes_rotates_and_goes),
        cmocka_unit_test(test_what_stays_the_same),
        cmocka_unit_test(test_secrets_of_one_namespace_alone),
        cmocka_unit_test(test_secrets_of_a_cluster_wide_one),
        cmocka_unit_test(test_a_secret_that_may_not_be_read),
        cmocka_unit_test(test_every_kind_of_credential),
        cmocka_unit_test(test_a_cluster_without_the_kinds),
        cmocka_unit_test(test_before_the_first_list),
        cmocka_unit_test(test_listeners_hear_before_a_client_goes),
        cmocka_unit_test(test_who_is_told_may_go),
        cmocka_unit_test(test_policies_are_counted),
        cmocka_unit_test(test_the_status_of_a_good_one),
        cmocka_unit_test(test_the_status_of_an_unused_one),
        cmocka_unit_test(test_statuses_of_bad_ones),
        cmocka_unit_test(test_a_failure_is_told_once_and_so_is_the_end),
        cmocka_unit_test(test_a_write_that_failed_is_tried_again),
        cmocka_unit_test(test_a_dry_run_writes_nothing),
        cmocka_unit_test(test_bad_options_of_the_default_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
