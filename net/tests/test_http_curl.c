/* The curl transport against a peer that answers well, badly, slowly or not at all. */
#include "base/mem.h"
#include "base/str.h"
#include "net/http_curl.h"
#include "net/tests/peer.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

enum { BIG = 8 * 1024 * 1024 };

/* --- the peer --- */

static void reply_text(struct peer_conn *conn, const char *status, const char *extra, const char *body) {
    cleanup_free char *text =
        xasprintf("HTTP/1.1 %s\r\nContent-Type: text/plain\r\n%sContent-Length: %zu\r\n\r\n%s", status, extra,
                  strlen(body), body);
    peer_puts(conn, text);
}

static void reply_gzip(struct peer_conn *conn, size_t len) {
    unsigned char *plain = xmalloc(len), *packed = xmalloc(len + 1024);
    memset(plain, 'z', len);
    z_stream z = {0};
    deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    z.next_in = plain;
    z.avail_in = (unsigned)len;
    z.next_out = packed;
    z.avail_out = (unsigned)len + 1024;
    deflate(&z, Z_FINISH);
    cleanup_free char *head =
        xasprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %lu\r\n\r\n", z.total_out);
    peer_puts(conn, head);
    peer_write(conn, packed, z.total_out);
    deflateEnd(&z);
    free(plain);
    free(packed);
}

static void reply_big(struct peer_conn *conn) {
    static char chunk[65536];
    memset(chunk, 'b', sizeof(chunk));
    cleanup_free char *head = xasprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG);
    peer_puts(conn, head);
    for (int sent = 0; sent < BIG; sent += (int)sizeof(chunk))
        if (!peer_write(conn, chunk, sizeof(chunk)))
            return;
}

static void reply_endless_headers(struct peer_conn *conn) {
    peer_puts(conn, "HTTP/1.1 200 OK\r\n");
    static char line[8192];
    memset(line, 'h', sizeof(line));
    for (int i = 0; i < 1000; i++) {
        peer_puts(conn, "X-Long: ");
        if (!peer_write(conn, line, sizeof(line)))
            return;
        peer_puts(conn, "\r\n");
    }
}

static void reply_echo(struct peer_conn *conn, const char *head) {
    char body[256] = "";
    const char *length = strstr(head, "Content-Length: ");
    size_t n = length ? strtoul(length + 16, NULL, 10) : 0;
    if (n >= sizeof(body) || !peer_read(conn, body, n))
        n = 0;
    body[n] = '\0';
    char name[64];
    peer_client_name(conn, name, sizeof(name));
    cleanup_free char *text = xasprintf("%s[%s][%s][%s]", head, body, name, peer_sni(conn));
    reply_text(conn, "200 OK", "", text);
}

static void reply_date(struct peer_conn *conn) {
    char date[64];
    time_t then = time(NULL) + 120;
    struct tm tm;
    strftime(date, sizeof(date), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&then, &tm));
    reply_text(conn, "429 Too Many Requests", date, "later");
}

static void wait_gone(struct peer_conn *conn) {
    peer_wait_gone(conn);
}

struct route {
    const char *path, *status, *extra, *body;
};

static const struct route texts[] = {
    {"/ok", "200 OK", "", "hello"},
    {"/empty", "204 No Content", "", ""},
    {"/moved", "302 Found", "Location: /ok\r\n", "moved"},
    {"/past", "503 Service Unavailable", "Retry-After: Mon, 01 Jan 2001 00:00:00 GMT\r\n", "busy"},
    {"/seconds", "503 Service Unavailable", "Retry-After: 7\r\n", "busy"},
    {"/no", "404 Not Found", "", "{\"kind\":\"Status\"}"},
};

/* True where the connection stays open. */
static bool answer(struct peer_conn *conn, const char *path, const char *head) {
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (str_eq(path, texts[i].path)) {
            reply_text(conn, texts[i].status, texts[i].extra, texts[i].body);
            return true;
        }
    if (str_eq(path, "/echo"))
        reply_echo(conn, head);
    else if (str_eq(path, "/date"))
        reply_date(conn);
    else if (str_eq(path, "/gzip"))
        reply_gzip(conn, 100000);
    else if (str_eq(path, "/bomb"))
        reply_gzip(conn, BIG);
    else if (str_eq(path, "/big"))
        reply_big(conn);
    else
        return false;
    return true;
}

static void misbehave(struct peer_conn *conn, const char *path) {
    if (str_eq(path, "/cut")) {
        peer_puts(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    } else if (str_eq(path, "/garbage")) {
        peer_puts(conn, "\x01\x02\x03 this is not HTTP at all\r\n\r\n");
    } else if (str_eq(path, "/badgzip")) {
        peer_puts(conn, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain");
    } else if (str_eq(path, "/headers")) {
        reply_endless_headers(conn);
    } else if (str_eq(path, "/silent")) {
        wait_gone(conn);
    } else if (str_eq(path, "/stall")) {
        peer_puts(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        wait_gone(conn);
    } else if (str_eq(path, "/bigerror")) {
        peer_puts(conn, "HTTP/1.1 500 Oh\r\nContent-Length: 1000000\r\n\r\n");
        static char chunk[1000000];
        memset(chunk, 'e', sizeof(chunk));
        peer_write(conn, chunk, sizeof(chunk));
    } /* else "/close": nothing */
}

static void handle(struct peer_conn *conn, void *arg) {
    char head[8192], path[256];
    (void)arg;
    while (peer_read_head(conn, head, sizeof(head))) {
        if (sscanf(head, "%*s %255s", path) != 1)
            return;
        if (!answer(conn, path, head)) {
            misbehave(conn, path);
            return;
        }
    }
}

/* --- the client --- */

struct fixture {
    struct loop *loop;
    struct http *http;
    struct peer *peer;
    struct peer_cert ca, other_ca, cert, client;
    struct http_call *call;
    int done, to_come;
    /* of the last reply */
    int status;
    struct err err;
    char *body;
    size_t streamed, strange;
    char type[64], ip[64];
    usec_t retry_after, elapsed;
};

static struct fixture *new_fixture(void) {
    struct fixture *f = XNEW(struct fixture);
    struct err err = {0};
    if (loop_new(&f->loop, &err) < 0 || http_curl_new(f->loop, 4, &f->http, &err) < 0)
        fail_msg("%s", err.text);
    return f;
}

static int setup(void **state) {
    struct fixture *f = new_fixture();
    f->peer = peer_start(&(struct peer_options){.handle = handle});
    *state = f;
    return 0;
}

static int setup_tls(void **state) {
    struct fixture *f = new_fixture();
    peer_make_ca(&f->ca);
    peer_make_ca(&f->other_ca);
    peer_make_cert(&f->ca, "server", "DNS:prom.example,IP:127.0.0.1", &f->cert);
    peer_make_cert(&f->ca, "the client", "DNS:client", &f->client);
    f->peer = peer_start(&(struct peer_options){.handle = handle, .tls = &f->cert});
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    http_curl_free(f->http);
    loop_free(f->loop);
    if (f->peer)
        peer_stop(f->peer);
    peer_cert_done(&f->ca);
    peer_cert_done(&f->other_ca);
    peer_cert_done(&f->cert);
    peer_cert_done(&f->client);
    free(f->body);
    free(f);
    return 0;
}

static void on_done(void *arg, const struct http_reply *reply) {
    struct fixture *f = arg;
    f->done++;
    f->status = reply->status;
    f->err = reply->err;
    free(f->body);
    f->body = xstrndup(reply->body, reply->body_len);
    f->retry_after = reply->retry_after;
    f->elapsed = reply->elapsed;
    snprintf(f->type, sizeof(f->type), "%s", reply->content_type);
    snprintf(f->ip, sizeof(f->ip), "%s", reply->peer_ip);
    assert_int_equal(reply->status == 0, reply->err.code != 0);
    if (f->done >= f->to_come)
        loop_stop(f->loop);
}

/* How many of the bytes are as reply_big sends them. */
static size_t count_good(const char *data, size_t len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += data[i] == 'b';
    return n;
}

static int on_body(void *arg, const char *data, size_t len, struct err *err) {
    struct fixture *f = arg;
    (void)err;
    f->streamed += len;
    f->strange += len - count_good(data, len);
    return 0;
}

static struct http_request request(struct fixture *f, const char *url) {
    return (struct http_request){.method = "GET", .url = url, .on_done = on_done, .arg = f};
}

static char *url_of(const struct fixture *f, const char *scheme, const char *path) {
    return xasprintf("%s://127.0.0.1:%d%s", scheme, peer_port(f->peer), path);
}

static void run(struct fixture *f, const struct http_request *r) {
    f->done = 0;
    f->to_come = 1;
    f->call = http_start(f->http, r);
    assert_int_equal(f->done, 0); /* never inside http_start */
    assert_int_equal(loop_run(f->loop, NULL), 0);
    assert_int_equal(f->done, 1);
}

static void get(struct fixture *f, const char *path) {
    cleanup_free char *url = url_of(f, "http", path);
    struct http_request r = request(f, url);
    run(f, &r);
}

static void a_reply_is_reported_whole(void **state) {
    struct fixture *f = *state;
    get(f, "/ok");
    assert_int_equal(f->status, 200);
    assert_string_equal(f->body, "hello");
    assert_string_equal(f->type, "text/plain");
    assert_string_equal(f->ip, "127.0.0.1");
    assert_true(f->elapsed > 0);
    get(f, "/empty");
    assert_int_equal(f->status, 204);
    assert_string_equal(f->body, "");
    get(f, "/no");
    assert_int_equal(f->status, 404);
    assert_string_equal(f->body, "{\"kind\":\"Status\"}");
    assert_int_equal(peer_connections(f->peer), 1); /* keep-alive */
}

static void redirects_are_not_followed(void **state) {
    struct fixture *f = *state;
    get(f, "/moved");
    assert_int_equal(f->status, 302);
}

static void the_request_is_sent_as_asked(void **state) {
    struct fixture *f = *state;
    cleanup_free char *url = url_of(f, "http", "/echo");
    static const char *const headers[] = {"Content-Type: application/merge-patch+json", "X-A: b", NULL};
    struct http_request r = request(f, url);
    r.method = "PATCH";
    r.headers = headers;
    r.body = "{\"a\":1}";
    r.body_len = 7;
    r.userpwd = "ann:secret";
    run(f, &r);
    assert_int_equal(f->status, 200);
    assert_true(str_starts(f->body, "PATCH /echo HTTP/1.1\r\n"));
    assert_non_null(strstr(f->body, "Content-Type: application/merge-patch+json\r\n"));
    assert_null(strstr(f->body, "urlencoded"));
    assert_non_null(strstr(f->body, "X-A: b\r\n"));
    assert_non_null(strstr(f->body, "Authorization: Basic YW5uOnNlY3JldA==\r\n"));
    assert_non_null(strstr(f->body, "Accept-Encoding: "));
    assert_null(strstr(f->body, "Expect"));
    assert_non_null(strstr(f->body, "[{\"a\":1}]"));
    r = request(f, url);
    r.method = "POST";
    run(f, &r);
    assert_true(str_starts(f->body, "POST /echo HTTP/1.1\r\n"));
    r.method = "DELETE";
    run(f, &r);
    assert_true(str_starts(f->body, "DELETE /echo HTTP/1.1\r\n"));
}

static void retry_after_is_read_in_both_forms(void **state) {
    struct fixture *f = *state;
    get(f, "/seconds");
    assert_int_equal(f->status, 503);
    assert_int_equal(f->retry_after, 7 * USEC_PER_SEC);
    get(f, "/date");
    assert_int_equal(f->status, 429);
    assert_in_range(f->retry_after, 100 * USEC_PER_SEC, 121 * USEC_PER_SEC);
    get(f, "/past");
    assert_int_equal(f->status, 503);
    assert_int_equal(f->retry_after, 0);
    get(f, "/ok");
    assert_int_equal(f->retry_after, 0);
}

static void compressed_answers_are_unpacked_and_bounded(void **state) {
    struct fixture *f = *state;
    get(f, "/gzip");
    assert_int_equal(f->status, 200);
    assert_int_equal(strlen(f->body), 100000);
    get(f, "/bomb");
    assert_int_equal(f->status, 0);
    assert_int_equal(f->err.code, -E2BIG);
    get(f, "/badgzip");
    assert_int_equal(f->err.code, -EPROTO);
}

static void a_body_is_bounded(void **state) {
    struct fixture *f = *state;
    get(f, "/big");
    assert_int_equal(f->err.code, -E2BIG);
    assert_non_null(strstr(f->err.text, "127.0.0.1"));
    cleanup_free char *url = url_of(f, "http", "/big");
    struct http_request r = request(f, url);
    r.max_body = BIG;
    run(f, &r);
    assert_int_equal(f->status, 200);
    assert_int_equal(strlen(f->body), BIG);
    get(f, "/headers");
    assert_int_equal(f->status, 0);
}

static void an_error_with_a_huge_body_keeps_its_status(void **state) {
    struct fixture *f = *state;
    get(f, "/bigerror");
    assert_int_equal(f->status, 500);
    assert_int_equal(strlen(f->body), 65536);
}

static void bad_peers_give_errors(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *path;
        int code;
    } cases[] = {{"/cut", -ECONNRESET}, {"/garbage", -EPROTO}, {"/close", -ECONNRESET}};
    for (size_t i = 0; i < 3; i++) {
        get(f, cases[i].path);
        assert_int_equal(f->status, 0);
        assert_int_equal(f->err.code, cases[i].code);
        assert_non_null(strstr(f->err.text, "127.0.0.1:"));
    }
}

static void silent_peers_time_out(void **state) {
    struct fixture *f = *state;
    static const char *const paths[] = {"/silent", "/stall"};
    for (int i = 0; i < 2; i++) {
        cleanup_free char *url = url_of(f, "http", paths[i]);
        struct http_request r = request(f, url);
        r.timeout = 50 * USEC_PER_MSEC;
        run(f, &r);
        assert_int_equal(f->err.code, -ETIMEDOUT);
    }
}

static void what_cannot_be_asked_is_reported_later(void **state) {
    struct fixture *f = *state;
    static const char *const urls[] = {"no url at all", "ftp://127.0.0.1/", "http://", "file:///etc/passwd"};
    for (int i = 0; i < 4; i++) {
        struct http_request r = request(f, urls[i]);
        run(f, &r);
        assert_int_equal(f->err.code, -EINVAL);
    }
    cleanup_free char *url = url_of(f, "http", "/ok");
    static const char *const headers[] = {"X: a\r\nY: b", NULL};
    struct http_request r = request(f, url);
    r.headers = headers;
    run(f, &r);
    assert_int_equal(f->err.code, -EINVAL);
    r = request(f, "http://no-such-host.invalid/");
    run(f, &r);
    assert_int_equal(f->err.code, -EHOSTUNREACH);
    assert_non_null(strstr(f->err.text, "no-such-host.invalid"));
}

static void a_refused_connection_says_so(void **state) {
    struct fixture *f = *state;
    cleanup_free char *url = url_of(f, "http", "/ok");
    peer_stop(f->peer);
    f->peer = NULL;
    struct http_request r = request(f, url);
    run(f, &r);
    assert_int_equal(f->err.code, -ECONNREFUSED);
}

static void a_body_may_be_streamed(void **state) {
    struct fixture *f = *state;
    cleanup_free char *url = url_of(f, "http", "/big");
    struct http_request r = request(f, url);
    r.on_body = on_body;
    r.max_body = BIG;
    run(f, &r);
    assert_int_equal(f->status, 200);
    assert_int_equal(f->streamed, BIG);
    assert_int_equal(f->strange, 0);
    assert_string_equal(f->body, ""); /* on_body had it */
    f->streamed = 0;
    r.max_body = BIG - 1;
    run(f, &r);
    assert_int_equal(f->err.code, -E2BIG);
    assert_true(f->streamed < BIG);
    f->streamed = 0;
    cleanup_free char *no = url_of(f, "http", "/no");
    r.url = no;
    run(f, &r);
    assert_int_equal(f->streamed, 0);
    assert_string_equal(f->body, "{\"kind\":\"Status\"}");
}

static int refuse_body(void *arg, const char *data, size_t len, struct err *err) {
    (void)arg;
    (void)data;
    (void)len;
    return err_set(err, -EBADMSG, "no JSON");
}

static void the_taker_of_a_body_may_end_the_request(void **state) {
    struct fixture *f = *state;
    cleanup_free char *url = url_of(f, "http", "/ok");
    struct http_request r = request(f, url);
    r.on_body = refuse_body;
    run(f, &r);
    assert_int_equal(f->err.code, -EBADMSG);
    assert_non_null(strstr(f->err.text, "no JSON"));
}

/* --- TLS --- */

static int tls_get(struct fixture *f, const struct http_tls *tls, const char *host) {
    cleanup_free char *url = xasprintf("https://%s:%d/echo", host, peer_port(f->peer));
    struct http_request r = request(f, url);
    r.tls = tls;
    run(f, &r);
    return f->err.code;
}

static void the_server_is_verified(void **state) {
    struct fixture *f = *state;
    assert_int_equal(tls_get(f, &(struct http_tls){.ca_pem = f->ca.cert_pem}, "127.0.0.1"), 0);
    assert_int_equal(f->status, 200);
    assert_int_equal(tls_get(f, &(struct http_tls){.ca_pem = f->other_ca.cert_pem}, "127.0.0.1"),
                     -EKEYREJECTED);
    assert_non_null(strstr(f->err.text, "127.0.0.1:"));
    assert_int_equal(tls_get(f, NULL, "127.0.0.1"), -EKEYREJECTED);
    assert_int_equal(tls_get(f, &(struct http_tls){.ca_pem = f->ca.cert_pem}, "localhost"), -EKEYREJECTED);
    assert_int_equal(tls_get(f, &(struct http_tls){.insecure = true}, "localhost"), 0);
    assert_int_equal(tls_get(f, &(struct http_tls){.ca_pem = "rubbish"}, "127.0.0.1"), -EINVAL);
    assert_int_equal(tls_get(f, &(struct http_tls){.ca_file = "/no/such/file"}, "127.0.0.1"), -EINVAL);
}

static void another_name_can_be_verified(void **state) {
    struct fixture *f = *state;
    struct http_tls tls = {.ca_pem = f->ca.cert_pem, .server_name = "prom.example"};
    assert_int_equal(tls_get(f, &tls, "localhost"), 0);
    cleanup_free char *host = xasprintf("Host: localhost:%d\r\n", peer_port(f->peer));
    assert_non_null(strstr(f->body, host));
    assert_non_null(strstr(f->body, "[prom.example]")); /* SNI */
    struct http_tls wrong = {.ca_pem = f->ca.cert_pem, .server_name = "other.example"};
    assert_int_equal(tls_get(f, &wrong, "127.0.0.1"), -EKEYREJECTED);
    struct http_tls by_ip = {.ca_pem = f->ca.cert_pem, .server_name = "127.0.0.1"};
    assert_int_equal(tls_get(f, &by_ip, "localhost"), 0);
}

static void a_client_certificate_is_shown(void **state) {
    struct fixture *f = *state;
    peer_stop(f->peer);
    f->peer = peer_start(&(struct peer_options){.handle = handle, .tls = &f->cert, .client_ca = &f->ca});
    struct http_tls tls = {.ca_pem = f->ca.cert_pem};
    assert_int_not_equal(tls_get(f, &tls, "127.0.0.1"), 0);
    tls.cert_pem = f->client.cert_pem;
    tls.key_pem = f->client.key_pem;
    assert_int_equal(tls_get(f, &tls, "127.0.0.1"), 0);
    assert_non_null(strstr(f->body, "[the client]"));
}

static char *write_file(const char *dir, const char *name, const char *text) {
    char *path = xasprintf("%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void certificates_may_be_in_files(void **state) {
    struct fixture *f = *state;
    peer_stop(f->peer);
    f->peer = peer_start(&(struct peer_options){.handle = handle, .tls = &f->cert, .client_ca = &f->ca});
    char dir[] = "/tmp/test_http_curl.XXXXXX";
    assert_non_null(mkdtemp(dir));
    cleanup_free char *ca = write_file(dir, "ca", f->ca.cert_pem);
    cleanup_free char *cert = write_file(dir, "cert", f->client.cert_pem);
    cleanup_free char *key = write_file(dir, "key", f->client.key_pem);
    struct http_tls tls = {.ca_file = ca, .cert_file = cert, .key_file = key};
    assert_int_equal(tls_get(f, &tls, "127.0.0.1"), 0);
    assert_non_null(strstr(f->body, "[the client]"));
    unlink(ca);
    unlink(cert);
    unlink(key);
    rmdir(dir);
}

/* --- callbacks that do as they like --- */

static void cancelled_calls_do_not_report(void **state) {
    struct fixture *f = *state;
    cleanup_free char *url = url_of(f, "http", "/ok");
    struct http_request r = request(f, url);
    http_cancel(f->http, NULL);
    http_cancel(f->http, http_start(f->http, &r));
    struct http_request bad = request(f, "nothing");
    http_cancel(f->http, http_start(f->http, &bad));
    cleanup_free char *silent = url_of(f, "http", "/silent");
    struct http_request s = request(f, silent);
    struct http_call *call = http_start(f->http, &s);
    for (int i = 0; i < 20; i++)
        loop_turn(f->loop, 1000);
    http_cancel(f->http, call);
    for (int i = 0; i < 20; i++)
        loop_turn(f->loop, 1000);
    assert_int_equal(f->done, 0);
}

struct meddler {
    struct fixture *f;
    struct http_request request, next;
    struct http_call *self, *other;
    int bodies;
    bool cancel_self;
};

static int meddle_in_body(void *arg, const char *data, size_t len, struct err *err) {
    struct meddler *m = arg;
    (void)data;
    (void)len;
    (void)err;
    if (m->bodies++ > 0)
        return 0;
    http_cancel(m->f->http, m->other);
    http_start(m->f->http, &m->next);
    if (m->cancel_self)
        http_cancel(m->f->http, m->self);
    return 0;
}

static void done_of_meddler(void *arg, const struct http_reply *reply) {
    struct meddler *m = arg;
    on_done(m->f, reply);
    http_cancel(m->f->http, m->self); /* its own, just being reported: nothing happens */
}

static void meddle(struct fixture *f, bool cancel_self) {
    cleanup_free char *big = url_of(f, "http", "/big"), *silent = url_of(f, "http", "/silent"),
                      *ok = url_of(f, "http", "/ok");
    struct meddler m = {.f = f, .next = request(f, ok), .cancel_self = cancel_self};
    struct http_request other = request(f, silent);
    m.request = (struct http_request){
        .url = big, .max_body = BIG, .on_body = meddle_in_body, .on_done = done_of_meddler, .arg = &m};
    m.other = http_start(f->http, &other);
    m.self = http_start(f->http, &m.request);
    f->to_come = cancel_self ? 1 : 2;
    loop_run(f->loop, NULL);
    assert_int_equal(f->done, f->to_come);
    assert_int_equal(f->status, 200);
    for (int i = 0; i < 20; i++)
        loop_turn(f->loop, 1000);
    assert_int_equal(f->done, f->to_come);
}

static void a_body_callback_may_start_and_cancel_others(void **state) {
    meddle(*state, false);
}

static void a_body_callback_may_cancel_its_own_call(void **state) {
    meddle(*state, true);
}

static int free_in_body(void *arg, const char *data, size_t len, struct err *err) {
    struct fixture *f = arg;
    (void)data;
    (void)len;
    (void)err;
    http_curl_free(f->http);
    f->http = NULL;
    loop_stop(f->loop);
    return 0;
}

static void free_in_done(void *arg, const struct http_reply *reply) {
    (void)reply;
    free_in_body(arg, NULL, 0, NULL);
}

static void a_callback_may_free_the_transport(void **state) {
    struct fixture *f = *state;
    cleanup_free char *ok = url_of(f, "http", "/ok"), *silent = url_of(f, "http", "/silent");
    for (int i = 0; i < 3; i++) {
        struct http_request never = request(f, silent);
        struct http_request r = {.url = i == 2 ? "bad" : ok, .on_done = free_in_done, .arg = f};
        if (i == 0)
            r.on_body = free_in_body;
        http_start(f->http, &never);
        http_start(f->http, &r);
        loop_run(f->loop, NULL);
        assert_null(f->http);
        assert_int_equal(http_curl_new(f->loop, 0, &f->http, NULL), 0);
    }
    assert_int_equal(f->done, 0);
}

static void many_at_once_share_the_connections(void **state) {
    struct fixture *f = *state;
    cleanup_free char *url = url_of(f, "http", "/ok");
    struct http_request r = request(f, url);
    f->to_come = 100;
    for (int i = 0; i < 100; i++)
        http_start(f->http, &r);
    loop_run(f->loop, NULL);
    assert_int_equal(f->done, 100);
    assert_int_equal(f->status, 200);
    assert_in_range(peer_connections(f->peer), 1, 4);
}

static void count(void *arg) {
    ++*(int *)arg;
}

static void stop(void *arg) {
    loop_stop(arg);
}

static void an_idle_transport_does_not_wake_the_loop(void **state) {
    struct fixture *f = *state;
    int turns = 0;
    get(f, "/ok");
    loop_on_turn(f->loop, count, &turns);
    struct loop_timer *timer = loop_timer_new(f->loop, stop, f->loop);
    loop_timer_set(timer, 1500 * USEC_PER_MSEC);
    loop_run(f->loop, NULL);
    loop_timer_free(timer);
    assert_in_range(turns, 1, 6);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TLS(f) cmocka_unit_test_setup_teardown(f, setup_tls, teardown)
    const struct CMUnitTest tests[] = {
        T(a_reply_is_reported_whole),
        T(redirects_are_not_followed),
        T(the_request_is_sent_as_asked),
        T(retry_after_is_read_in_both_forms),
        T(compressed_answers_are_unpacked_and_bounded),
        T(a_body_is_bounded),
        T(an_error_with_a_huge_body_keeps_its_status),
        T(bad_peers_give_errors),
        T(silent_peers_time_out),
        T(what_cannot_be_asked_is_reported_later),
        T(a_refused_connection_says_so),
        T(a_body_may_be_streamed),
        T(the_taker_of_a_body_may_end_the_request),
        TLS(the_server_is_verified),
        TLS(another_name_can_be_verified),
        TLS(a_client_certificate_is_shown),
        TLS(certificates_may_be_in_files),
        T(cancelled_calls_do_not_report),
        T(a_body_callback_may_start_and_cancel_others),
        T(a_body_callback_may_cancel_its_own_call),
        T(a_callback_may_free_the_transport),
        T(many_at_once_share_the_connections),
        T(an_idle_transport_does_not_wake_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
