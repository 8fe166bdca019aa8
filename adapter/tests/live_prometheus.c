/* The source on the real loop and transport against a real Prometheus, which this program starts on a port
 * that the kernel chooses. */
#include "adapter/prometheus.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http_curl.h"
#include "net/tests/peer.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

/* A Prometheus in a folder of its own, the loop, and the source. */
struct live {
    char folder[64];
    int port;
    pid_t pid;
    int log; /* its stderr */
    struct loop *loop;
    struct http *http;
    struct metric_source *source;
};

static void put_file(const struct live *l, const char *name, const char *text) {
    cleanup_free char *path = xasprintf("%s/%s", l->folder, name);
    cleanup_file FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
}

/* Replaces the child by Prometheus, its log in the pipe. */
static void become_prometheus(const struct live *l, int log_fd) {
    cleanup_free char *listen = xasprintf("--web.listen-address=127.0.0.1:%d", l->port);

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
    dup2(log_fd, 2);
    if (chdir(l->folder) == 0)
        execlp("prometheus", "prometheus", "--config.file=prometheus.yml", "--web.config.file=web.yml",
               "--storage.tsdb.path=data", listen, (char *)NULL);
    _exit(127);
}

/* Reads the log until Prometheus is ready and has said where it listens, in either order. */
static int read_port(struct live *l) {
    static const char listening[] = "msg=\"Listening on\" address=127.0.0.1:";
    char text[16384] = "";

    for (size_t n = 0; n < sizeof(text) - 1;) {
        ssize_t got = read(l->log, text + n, sizeof(text) - 1 - n);
        if (got <= 0)
            break;
        text[n += (size_t)got] = '\0';
        const char *at = strstr(text, listening);
        if (at && strchr(at, '\n') && strstr(text, "Server is ready"))
            return (int)strtol(at + strlen(listening), NULL, 10);
    }
    fail_msg("Prometheus does not listen:\n%s", text);
    return 0;
}

static void start_prometheus(struct live *l) {
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    l->pid = fork();
    if (l->pid == 0)
        become_prometheus(l, fds[1]);
    close(fds[1]);
    l->log = fds[0];
    l->port = read_port(l);
}

static void stop_prometheus(struct live *l) {
    char rest[4096];

    kill(l->pid, SIGTERM);
    while (read(l->log, rest, sizeof(rest)) > 0) /* or it would block on a full pipe */
        ;
    waitpid(l->pid, NULL, 0);
    close(l->log);
}

static struct live *live_new(const char *web_config) {
    struct live *l = XNEW(struct live);
    struct err err = {0};

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    snprintf(l->folder, sizeof(l->folder), "/tmp/live_prometheus_XXXXXX");
    assert_non_null(mkdtemp(l->folder));
    /* What is asked with remote="yes" is also looked for where nobody is: that gives warnings. */
    put_file(l, "prometheus.yml",
             "remote_read: [{url: \"http://127.0.0.1:1/read\", read_recent: true, "
             "required_matchers: {remote: \"yes\"}}]\n");
    put_file(l, "web.yml", web_config);
    assert_int_equal(loop_new(&l->loop, &err), 0);
    assert_int_equal(http_curl_new(l->loop, 8, &l->http, &err), 0);
    return l;
}

static void live_free(struct live *l) {

    pid_t pid = fork();

    prometheus_free(l->source);
    if (pid == 0) {
        execlp("rm", "rm", "-rf", l->folder, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    http_curl_free(l->http);
    loop_free(l->loop);
    free(l);
}

static void connect_source(struct live *l, const struct prometheus_options *options) {
    struct err err = {0};

    if (prometheus_new(l->loop, l->http, options, &l->source, &err) < 0)
        fail_msg("%s", err.text);
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
        l->port = 0;
        start_prometheus(l);
        cleanup_free char *url = xasprintf("http://127.0.0.1:%d/", l->port);
        connect_source(l, &(struct prometheus_options){.url = url, .use_get = get});
        ask_all_kinds(l);
        stop_prometheus(l);
        prometheus_free(steal_ptr(&l->source));
    }
    live_free(l);
}

static enum quality quality_of(struct live *l, const struct metric_subscription *sub) {
    struct sample s;

    l->source->ops->read(l->source, sub, clock_wall(), &s);
    return s.quality;
}

static void test_gone_and_back(void **state) {
    (void)state;
    struct live *l = live_new("{}");
    int told = 0;
    struct sample s;

    start_prometheus(l);
    cleanup_free char *url = xasprintf("http://me:secret@127.0.0.1:%d", l->port);
    connect_source(l, &(struct prometheus_options){.url = url});
    struct metric_subscription *sub = follow(l, "vector(3)", COMBINE_NONE, &told);
    wait_told(l, &told, 3);
    assert_int_equal(quality_of(l, sub), QUALITY_VALUE);
    stop_prometheus(l);
    wait_told(l, &told, 2);
    l->source->ops->read(l->source, sub, clock_wall(), &s);
    assert_int_equal(s.quality, QUALITY_FAILED);
    assert_null(strstr(s.message, "secret"));
    if (!strstr(s.message, "efused"))
        fail_msg("%s", s.message);
    start_prometheus(l); /* at the same port */
    for (int i = 0; i < 10 && quality_of(l, sub) != QUALITY_VALUE; i++)
        wait_told(l, &told, 1);
    assert_int_equal(quality_of(l, sub), QUALITY_VALUE);
    l->source->ops->unsubscribe(l->source, sub);
    stop_prometheus(l);
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
    put_file(l, "ca.crt", ca.cert_pem);
    put_file(l, "server.crt", server.cert_pem);
    put_file(l, "server.key", server.key_pem);
    put_file(l, "client.crt", client.cert_pem);
    put_file(l, "client.key", client.key_pem);
    put_file(l, "password", "secret\n");
    cleanup_free char *ca_file = xasprintf("%s/ca.crt", l->folder);
    cleanup_free char *cert = xasprintf("%s/client.crt", l->folder);
    cleanup_free char *key = xasprintf("%s/client.key", l->folder);
    cleanup_free char *password = xasprintf("%s/password", l->folder);
    start_prometheus(l);
    cleanup_free char *url = xasprintf("https://127.0.0.1:%d", l->port);
    struct prometheus_options o = {.url = url,
                                   .ca_file = ca_file,
                                   .cert_file = cert,
                                   .key_file = key,
                                   .server_name = "prometheus.test",
                                   .username = "me",
                                   .password_file = password};

    connect_source(l, &o);
    ask_all_kinds(l);
    put_file(l, "password", "wrong");
    want_none(l, "1", QUALITY_FAILED, "answered 401");
    prometheus_free(steal_ptr(&l->source));
    o.server_name = "other.test";
    connect_source(l, &o);
    want_none(l, "1", QUALITY_FAILED, "Prometheus https://127.0.0.1:");
    stop_prometheus(l);
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
