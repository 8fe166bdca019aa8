/* The source on the real loop and transport against a real Prometheus, which this program starts on a port
 * that the kernel chooses. */
#include "adapter/promclient.h"

#include "adapter/tests/prom_process.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http_curl.h"
#include "net/tests/peer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

/* A Prometheus, the loop, and the source. */
struct live {
    struct prom_process prometheus;
    struct loop *loop;
    struct http *http;
    struct promclient *client;
    struct metric_source *source;
};

static struct live *live_new(const char *web_config) {
    struct live *l = XNEW(struct live);
    struct err err = {0};

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    prom_process_init(&l->prometheus);
    /* What is asked with remote="yes" is also looked for where nobody is: that gives warnings. */
    prom_process_put(&l->prometheus, "prometheus.yml",
                     "remote_read: [{url: \"http://127.0.0.1:1/read\", read_recent: true, "
                     "required_matchers: {remote: \"yes\"}}]\n");
    prom_process_put(&l->prometheus, "web.yml", web_config);
    assert_int_equal(loop_new(&l->loop, &err), 0);
    assert_int_equal(http_curl_new(l->loop, 8, &l->http, &err), 0);
    return l;
}

static void disconnect_source(struct live *l) {
    prometheus_free(steal_ptr(&l->source));
    promclient_free(steal_ptr(&l->client));
}

static void live_free(struct live *l) {
    prom_process_done(&l->prometheus);
    disconnect_source(l);
    http_curl_free(l->http);
    loop_free(l->loop);
    free(l);
}

static void connect_source(struct live *l, const struct prometheus_options *options) {
    struct err err = {0};

    if (promclient_new(l->loop, l->http, options, &l->client, &err) < 0)
        fail_msg("%s", err.text);
    l->source = prometheus_new(l->loop, l->client, options->interval);
}

static void count(void *arg) {
    ++*(int *)arg;
}

static struct metric_subscription *follow(struct live *l, const char *query, enum combine combine,
                                          int *told) {
    struct metric_spec metric = {.type = METRIC_PROMETHEUS, .query = query, .combine = combine};

    const struct metric_request request = {
        .metric = &metric, .ns = "default", .interval = 200 * USEC_PER_MSEC};

    return l->source->ops->subscribe(l->source, &request, count, told);
}

/* Turns the loop until the counter has gone up by n, at most for 30 s. */
static void wait_told(struct live *l, const int *told, int n) {
    usec_t end = clock_mono() + 30 * SEC;

    for (int before = *told; *told < before + n && clock_mono() < end;)
        loop_turn(l->loop, 100 * USEC_PER_MSEC);
}

/* Follows query until its first answer. */
static struct sample ask(struct live *l, const char *query, enum combine combine) {
    static char message[512], warning[512];
    int told = 0;
    struct sample s;
    struct metric_subscription *sub = follow(l, query, combine, &told);

    wait_told(l, &told, 1);
    l->source->ops->read(l->source, sub, clock_wall(), &s);
    snprintf(message, sizeof(message), "%s", s.message);
    snprintf(warning, sizeof(warning), "%s", s.warning);
    s.message = message;
    s.warning = warning;
    l->source->ops->unsubscribe(l->source, sub);
    return s;
}

static void want_value(struct live *l, const char *query, enum combine combine, double value) {
    struct sample s = ask(l, query, combine);

    if (s.value != value || s.quality != (value == 0 ? QUALITY_ZERO : QUALITY_VALUE))
        fail_msg("%s: %s %g \"%s\"", query, quality_name(s.quality), s.value, s.message);
    assert_true(llabs(clock_wall() - s.at) < 10 * SEC);
    assert_string_equal(s.message, "");
    assert_string_equal(s.warning, "");
}

static void want_none(struct live *l, const char *query, enum quality quality, const char *words) {
    struct sample s = ask(l, query, COMBINE_NONE);

    if (s.quality != quality || !strstr(s.message, words))
        fail_msg("%s: %s \"%s\"", query, quality_name(s.quality), s.message);
}

static const char two[] = "label_replace(vector(1), \"pod\", \"a\", \"\", \"\") or "
                          "label_replace(vector(4), \"pod\", \"b\", \"\", \"\")";

static void ask_all_kinds(struct live *l) {
    want_value(l, "scalar(vector(1.5))", COMBINE_NONE, 1.5);
    want_value(l, "vector(2e9)", COMBINE_NONE, 2e9);
    want_value(l, "vector(-0.25)", COMBINE_NONE, -0.25);
    want_value(l, "0", COMBINE_NONE, 0);
    want_value(l, two, COMBINE_SUM, 5);
    want_value(l, two, COMBINE_MAX, 4);
    want_value(l, two, COMBINE_MIN, 1);
    want_value(l, two, COMBINE_AVG, 2.5);
    want_none(l, two, QUALITY_FAILED, "gives 2 elements that differ in pod: {pod=\"a\"}, {pod=\"b\"}");
    want_none(l, "nothing_like_this", QUALITY_ABSENT, "no element");
    want_none(l, "vector(0) / 0", QUALITY_ABSENT, "NaN");
    want_none(l, "vector(1) / 0", QUALITY_FAILED, "+Inf");
    want_none(l, "nothing_like_this[1m]", QUALITY_FAILED, "matrix");
    want_none(l, "\"text\"", QUALITY_FAILED, "string");
    want_none(l, "sum(", QUALITY_FAILED, "answered 400: bad_data: ");
    want_none(l, two, QUALITY_FAILED, "Prometheus http");
    struct sample s = ask(l, "nothing_like_this{remote=\"yes\"}", COMBINE_NONE);
    assert_int_equal(s.quality, QUALITY_ABSENT);
    assert_non_null(strstr(s.warning, "remote_read: error sending request"));
}

static void test_every_kind_of_answer(void **state) {
    (void)state;
    struct live *l = live_new("{}");

    for (int get = 0; get < 2; get++) {
        l->prometheus.port = 0;
        prom_process_start(&l->prometheus);
        cleanup_free char *url = xasprintf("http://127.0.0.1:%d/", l->prometheus.port);
        connect_source(l, &(struct prometheus_options){.url = url, .use_get = get});
        ask_all_kinds(l);
        prom_process_stop(&l->prometheus);
        disconnect_source(l);
    }
    live_free(l);
}

static enum quality quality_of(struct live *l, struct metric_subscription *sub) {
    struct sample s;

    l->source->ops->read(l->source, sub, clock_wall(), &s);
    return s.quality;
}

static void test_gone_and_back(void **state) {
    (void)state;
    struct live *l = live_new("{}");
    int told = 0;
    struct sample s;

    prom_process_start(&l->prometheus);
    cleanup_free char *url = xasprintf("http://me:secret@127.0.0.1:%d", l->prometheus.port);
    connect_source(l, &(struct prometheus_options){.url = url});
    struct metric_subscription *sub = follow(l, "vector(3)", COMBINE_NONE, &told);
    wait_told(l, &told, 3);
    assert_int_equal(quality_of(l, sub), QUALITY_VALUE);
    prom_process_stop(&l->prometheus);
    wait_told(l, &told, 2);
    l->source->ops->read(l->source, sub, clock_wall(), &s);
    assert_int_equal(s.quality, QUALITY_FAILED);
    assert_null(strstr(s.message, "secret"));
    if (!strstr(s.message, "efused"))
        fail_msg("%s", s.message);
    prom_process_start(&l->prometheus); /* at the same port */
    for (int i = 0; i < 10 && quality_of(l, sub) != QUALITY_VALUE; i++)
        wait_told(l, &told, 1);
    assert_int_equal(quality_of(l, sub), QUALITY_VALUE);
    l->source->ops->unsubscribe(l->source, sub);
    prom_process_stop(&l->prometheus);
    live_free(l);
}

/* TLS with a client certificate and basic authentication; Prometheus speaks HTTP/2 here. */
static void test_tls(void **state) {
    (void)state;
    struct peer_cert ca, server, client;
    struct live *l = live_new("tls_server_config: {cert_file: server.crt, key_file: server.key,\n"
                              "  client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt}\n"
                              "basic_auth_users:\n"
                              "  me: $2b$04$FWVLoQ20l/WtwRNNHerdsemCovVqmZj9M8RFTUZtpzasRwrlb/0E.\n");

    peer_make_ca(&ca);
    peer_make_cert(&ca, "prometheus", "DNS:prometheus.test", &server);
    peer_make_cert(&ca, "client", "DNS:client", &client);
    prom_process_put(&l->prometheus, "ca.crt", ca.cert_pem);
    prom_process_put(&l->prometheus, "server.crt", server.cert_pem);
    prom_process_put(&l->prometheus, "server.key", server.key_pem);
    prom_process_put(&l->prometheus, "client.crt", client.cert_pem);
    prom_process_put(&l->prometheus, "client.key", client.key_pem);
    prom_process_put(&l->prometheus, "password", "secret\n");
    cleanup_free char *ca_file = xasprintf("%s/ca.crt", l->prometheus.folder);
    cleanup_free char *cert = xasprintf("%s/client.crt", l->prometheus.folder);
    cleanup_free char *key = xasprintf("%s/client.key", l->prometheus.folder);
    cleanup_free char *password = xasprintf("%s/password", l->prometheus.folder);
    prom_process_start(&l->prometheus);
    cleanup_free char *url = xasprintf("https://127.0.0.1:%d", l->prometheus.port);
    struct prometheus_options o = {.url = url,
                                   .ca_file = ca_file,
                                   .cert_file = cert,
                                   .key_file = key,
                                   .server_name = "prometheus.test",
                                   .username = "me",
                                   .password_file = password};

    connect_source(l, &o);
    ask_all_kinds(l);
    prom_process_put(&l->prometheus, "password", "wrong");
    want_none(l, "1", QUALITY_FAILED, "answered 401");
    disconnect_source(l);
    o.server_name = "other.test";
    connect_source(l, &o);
    want_none(l, "1", QUALITY_FAILED, "Prometheus https://127.0.0.1:");
    prom_process_stop(&l->prometheus);
    live_free(l);
    peer_cert_done(&ca);
    peer_cert_done(&server);
    peer_cert_done(&client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_answer),
        cmocka_unit_test(test_gone_and_back),
        cmocka_unit_test(test_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
