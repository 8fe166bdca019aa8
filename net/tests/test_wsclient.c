/* Websocket clients against a peer that speaks the protocol, refuses it, breaks it, or keeps silent. */
#include "base/mem.h"
#include "base/str.h"
#include "net/tests/peer.h"
#include "net/wsclient.h"
#include <errno.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { BIG = 3 * 1024 * 1024 };

/* --- the peer --- */

enum { OP_CONT = 0, OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10, OP_FIN = 0x80 };

static void send_frame(struct peer_conn *conn, int op, const void *data, size_t len) {
    unsigned char head[10] = {(unsigned char)op};
    size_t n = 2;
    if (len < 126) {
        head[1] = (unsigned char)len;
    } else if (len < 65536) {
        head[1] = 126;
        head[2] = (unsigned char)(len >> 8);
        head[3] = (unsigned char)len;
        n = 4;
    } else {
        head[1] = 127;
        for (int i = 0; i < 8; i++)
            head[2 + i] = (unsigned char)((uint64_t)len >> (56 - 8 * i));
        n = 10;
    }
    peer_write(conn, head, n);
    peer_write(conn, data, len);
}

static void send_text(struct peer_conn *conn, const char *text) {
    send_frame(conn, OP_FIN | OP_TEXT, text, strlen(text));
}

/* Reads one frame of the client (short and masked); its opcode, or -1 at the end. */
static int read_frame(struct peer_conn *conn, char *data, size_t size) {
    unsigned char head[6];
    if (!peer_read(conn, head, sizeof(head)))
        return -1;
    size_t len = head[1] & 0x7f;
    if (len >= size || len > 125 || !peer_read(conn, data, len))
        return -1;
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(data[i] ^ head[2 + i % 4]);
    data[len] = '\0';
    return head[0] & 0x0f;
}

static void accept_key(const char *head, char *out) {
    char key[64] = "", text[128];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    const char *line = strcasestr(head, "Sec-WebSocket-Key: ");
    if (line)
        sscanf(line + 19, "%63s", key);
    int n = snprintf(text, sizeof(text), "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    EVP_Digest(text, (size_t)n, digest, &len, EVP_sha1(), NULL);
    EVP_EncodeBlock((unsigned char *)out, digest, (int)len);
}

static void upgrade(struct peer_conn *conn, const char *head) {
    char accept[64];
    accept_key(head, accept);
    cleanup_free char *text = xasprintf("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                        "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                                        accept);
    peer_puts(conn, text);
}

static void send_pieces(struct peer_conn *conn) {
    send_text(conn, "one");
    send_frame(conn, OP_TEXT, "tw", 2);
    send_frame(conn, OP_FIN | OP_PING, "p", 1);
    send_frame(conn, OP_CONT, "o-", 2);
    send_frame(conn, OP_FIN | OP_CONT, "two", 3);
    send_text(conn, "");
    char *big = xmalloc(BIG);
    memset(big, 'x', BIG);
    send_frame(conn, OP_FIN | OP_TEXT, big, BIG);
    free(big);
    char pong[128];
    int op;
    while ((op = read_frame(conn, pong, sizeof(pong))) >= 0 && op != OP_PONG)
        ;
    send_frame(conn, OP_FIN | OP_CLOSE,
               "\x03\xe8"
               "bye",
               5);
    peer_wait_gone(conn);
}

/* Answers pings for as long as the client is there. */
static void be_quiet(struct peer_conn *conn) {
    char data[128];
    int op;
    send_text(conn, "hello");
    while ((op = read_frame(conn, data, sizeof(data))) >= 0 && op != OP_CLOSE)
        if (op == OP_PING)
            send_frame(conn, OP_FIN | OP_PONG, data, strlen(data));
}

static void swallow(struct peer_conn *conn) {
    char data[128];
    while (read_frame(conn, data, sizeof(data)) >= 0)
        ;
}

struct refusal {
    const char *path, *text;
};

static const struct refusal refusals[] = {
    {"/403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"},
    {"/401", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"},
    {"/429", "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nwait"},
    {"/503", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"},
    {"/410", "HTTP/1.1 410 Gone\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"},
    {"/302", "HTTP/1.1 302 Found\r\nLocation: /quiet\r\nContent-Length: 0\r\n\r\n"},
    {"/200", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"},
    {"/garbage", "\x01\x02\x03\x04 nothing of HTTP\r\n\r\n"},
    {"/badkey", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"},
    {"/close", ""},
};

static void handle(struct peer_conn *conn, void *arg) {
    char head[16384], path[256];
    (void)arg;
    if (!peer_read_head(conn, head, sizeof(head)) || sscanf(head, "GET %255s", path) != 1)
        return;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (str_eq(path, refusals[i].path)) {
            peer_puts(conn, refusals[i].text);
            return;
        }
    if (str_eq(path, "/nothing")) {
        peer_wait_gone(conn);
        return;
    }
    upgrade(conn, head);
    if (str_eq(path, "/echo?a=b")) {
        char name[64];
        peer_client_name(conn, name, sizeof(name));
        cleanup_free char *text = xasprintf("%s[%s]", head, name);
        send_text(conn, text);
        swallow(conn);
    } else if (str_eq(path, "/pieces")) {
        send_pieces(conn);
    } else if (str_eq(path, "/quiet")) {
        be_quiet(conn);
    } else if (str_eq(path, "/dead")) {
        swallow(conn);
    } else if (str_eq(path, "/badframe")) {
        peer_write(conn, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
        swallow(conn);
    } else if (str_eq(path, "/cut")) {
        peer_write(conn, "\x81\x7e\x10\x00half", 8);
    }
}

/* --- the client --- */

struct fixture {
    struct loop *loop;
    struct peer *peer;
    struct peer_cert ca, other_ca, cert, client;
    struct ws *ws;
    int opens, messages, ends;
    size_t len;
    char *text; /* of the current message */
    char last[4096];
    size_t last_len;
    char starts[256]; /* length and beginning of the messages */
    struct ws_end end;
    int stop_after; /* messages; then the loop stops */
    bool close_in_open, close_in_data, refuse_data;
};

static int setup(void **state) {
    struct fixture *f = XNEW(struct fixture);
    struct err err = {0};
    if (loop_new(&f->loop, &err) < 0)
        fail_msg("%s", err.text);
    f->peer = peer_start(&(struct peer_options){.handle = handle});
    f->text = xstrdup("");
    *state = f;
    return 0;
}

static int setup_tls(void **state) {
    setup(state);
    struct fixture *f = *state;
    peer_stop(f->peer);
    peer_make_ca(&f->ca);
    peer_make_ca(&f->other_ca);
    peer_make_cert(&f->ca, "server", "DNS:api.example,IP:127.0.0.1,IP:::1", &f->cert);
    peer_make_cert(&f->ca, "the client", "DNS:client", &f->client);
    f->peer = peer_start(&(struct peer_options){.handle = handle, .tls = &f->cert});
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    ws_close(f->ws);
    loop_free(f->loop);
    peer_stop(f->peer);
    peer_cert_done(&f->ca);
    peer_cert_done(&f->other_ca);
    peer_cert_done(&f->cert);
    peer_cert_done(&f->client);
    free(f->text);
    free(f);
    return 0;
}

static void close_now(struct fixture *f) {
    ws_close(f->ws);
    f->ws = NULL;
    loop_stop(f->loop);
}

static void on_open(void *arg) {
    struct fixture *f = arg;
    f->opens++;
    if (f->close_in_open)
        close_now(f);
}

static int on_data(void *arg, const char *data, size_t len, bool last, struct err *err) {
    struct fixture *f = arg;
    if (f->refuse_data)
        return err_set(err, -EBADMSG, "not an event");
    f->text = xrealloc(f->text, f->len + len + 1);
    memcpy(f->text + f->len, data, len);
    f->len += len;
    f->text[f->len] = '\0';
    if (!last)
        return 0;
    snprintf(f->last, sizeof(f->last), "%s", f->text);
    f->last_len = f->len;
    size_t used = strlen(f->starts);
    snprintf(f->starts + used, sizeof(f->starts) - used, "%zu:%.8s ", f->len, f->text);
    f->len = 0;
    if (++f->messages == f->stop_after)
        loop_stop(f->loop);
    if (f->close_in_data)
        close_now(f);
    return 0;
}

static void on_end(void *arg, const struct ws_end *end) {
    struct fixture *f = arg;
    f->ends++;
    f->end = *end;
    ws_close(f->ws); /* harmless here */
    f->ws = NULL;
    loop_stop(f->loop);
    assert_true(end->err.code < 0);
    assert_true(strlen(end->err.text) > 0);
}

static struct ws_request request(struct fixture *f, const char *url) {
    return (struct ws_request){
        .url = url, .on_open = on_open, .on_data = on_data, .on_end = on_end, .arg = f};
}

static void start(struct fixture *f, const struct ws_request *r) {
    int ends = f->ends;
    f->ws = ws_open(f->loop, r);
    assert_non_null(f->ws);
    assert_int_equal(f->ends, ends); /* never inside ws_open */
}

static void run(struct fixture *f, const char *path) {
    cleanup_free char *url = xasprintf("ws://127.0.0.1:%d%s", peer_port(f->peer), path);
    struct ws_request r = request(f, url);
    start(f, &r);
    assert_int_equal(loop_run(f->loop, NULL), 0);
}

static void idle_turns(struct fixture *f) {
    for (int i = 0; i < 30; i++)
        loop_turn(f->loop, 2000);
}

static void fragments_arrive_with_their_ends_marked(void **state) {
    struct fixture *f = *state;
    run(f, "/pieces");
    assert_int_equal(f->opens, 1);
    assert_string_equal(f->starts, "3:one 7:two-two 0: 3145728:xxxxxxxx ");
    assert_int_equal(f->messages, 4);
    assert_int_equal(f->last_len, BIG);
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->end.status, 101);
    assert_int_equal(f->end.err.code, -ESHUTDOWN);
    assert_non_null(strstr(f->end.err.text, "1000 bye"));
}

static void the_handshake_is_as_the_api_server_wants_it(void **state) {
    struct fixture *f = *state;
    cleanup_free char *token = xmalloc(6000),
                      *url = xasprintf("ws://127.0.0.1:%d/echo?a=b", peer_port(f->peer));
    memset(token, 't', 3000);
    token[3000] = '\0';
    cleanup_free char *line = xasprintf("Authorization: Bearer %s", token);
    const char *const headers[] = {line, "X-Other: 1", NULL};
    struct ws_request r = request(f, url);
    r.headers = headers;
    f->stop_after = 1;
    start(f, &r);
    loop_run(f->loop, NULL);
    assert_int_equal(f->messages, 1);
    cleanup_free char *host = xasprintf("Host: 127.0.0.1:%d\r\n", peer_port(f->peer));
    assert_non_null(strstr(f->last, host));
    cleanup_free char *origin = xasprintf("Origin: http://127.0.0.1:%d\r\n", peer_port(f->peer));
    assert_non_null(strstr(f->last, origin));
    assert_non_null(strcasestr(f->last, line));
    assert_non_null(strcasestr(f->last, "x-other: 1\r\n"));
    assert_null(strcasestr(f->last, "Sec-WebSocket-Protocol"));
    assert_null(strcasestr(f->last, "Sec-WebSocket-Extensions"));
}

static void refusals_tell_the_status(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *path;
        int status;
        usec_t retry_after;
    } cases[] = {{"/403", 403, 0}, {"/401", 401, 0},   {"/429", 429, 3 * USEC_PER_SEC},
                 {"/503", 503, 0}, {"/410", 410, 0},   {"/302", 302, 0},
                 {"/200", 200, 0}, {"/garbage", 0, 0}, {"/close", 0, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        run(f, cases[i].path);
        if (f->end.status != cases[i].status || f->end.retry_after != cases[i].retry_after)
            fail_msg("%s: status %d, retry after %ld, %s", cases[i].path, f->end.status,
                     (long)f->end.retry_after, f->end.err.text);
        assert_int_equal(f->opens, 0);
        assert_int_equal(f->ends, (int)i + 1);
    }
    run(f, "/badkey");
    assert_int_equal(f->opens, 0);
}

static void broken_streams_end_the_connection(void **state) {
    struct fixture *f = *state;
    run(f, "/badframe");
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->messages, 0);
    run(f, "/cut");
    assert_int_equal(f->ends, 2);
    assert_int_equal(f->messages, 0);
    assert_int_equal(f->end.status, 101);
    assert_int_equal(f->end.err.code, -ECONNRESET);
}

static void a_silent_server_is_given_up(void **state) {
    struct fixture *f = *state;
    cleanup_free char *dead = xasprintf("ws://127.0.0.1:%d/dead", peer_port(f->peer));
    struct ws_request r = request(f, dead);
    r.idle_ping = 30 * USEC_PER_MSEC;
    r.idle_hangup = 90 * USEC_PER_MSEC;
    start(f, &r);
    usec_t before = clock_mono();
    loop_run(f->loop, NULL);
    assert_int_equal(f->end.err.code, -ETIMEDOUT);
    assert_int_equal(f->end.status, 101);
    assert_true(clock_mono() - before >= 90 * USEC_PER_MSEC);
}

static void stop(void *arg) {
    loop_stop(arg);
}

static void pings_keep_a_quiet_connection(void **state) {
    struct fixture *f = *state;
    cleanup_free char *quiet = xasprintf("ws://127.0.0.1:%d/quiet", peer_port(f->peer));
    struct ws_request r = request(f, quiet);
    r.idle_ping = 50 * USEC_PER_MSEC;
    r.idle_hangup = 10 * USEC_PER_SEC;
    start(f, &r);
    struct loop_timer *timer = loop_timer_new(f->loop, stop, f->loop);
    loop_timer_set(timer, 500 * USEC_PER_MSEC);
    loop_run(f->loop, NULL);
    loop_timer_free(timer);
    assert_int_equal(f->ends, 0);
    assert_int_equal(f->messages, 1);
}

static void connecting_takes_only_so_long(void **state) {
    struct fixture *f = *state;
    static const char *const schemes[] = {"ws", "wss"}; /* nobody answers the request, or the TLS hello */
    for (int i = 0; i < 2; i++) {
        cleanup_free char *url = xasprintf("%s://127.0.0.1:%d/nothing", schemes[i], peer_port(f->peer));
        struct ws_request r = request(f, url);
        r.connect_timeout = 60 * USEC_PER_MSEC;
        start(f, &r);
        loop_run(f->loop, NULL);
        assert_int_equal(f->end.err.code, -ETIMEDOUT);
        assert_int_equal(f->end.status, 0);
    }
}

static void what_cannot_be_opened_ends_later(void **state) {
    struct fixture *f = *state;
    static const char *const urls[] = {"ws://localhost/", "http://127.0.0.1/", "junk", "ws://",
                                       "ws://u:p@127.0.0.1/"};
    for (int i = 0; i < 5; i++) {
        struct ws_request r = request(f, urls[i]);
        start(f, &r);
        loop_run(f->loop, NULL);
        assert_int_equal(f->end.err.code, -EINVAL);
    }
    static const char *const headers[] = {"X: a\r\nY: b", NULL};
    struct ws_request r = request(f, "ws://127.0.0.1:1/");
    start(f, &r); /* nobody listens there */
    loop_run(f->loop, NULL);
    assert_int_equal(f->end.err.code, -ECONNREFUSED);
    r.headers = headers;
    start(f, &r);
    loop_run(f->loop, NULL);
    assert_int_equal(f->end.err.code, -EINVAL);
    assert_int_equal(f->ends, 7);
}

static void data_may_be_refused(void **state) {
    struct fixture *f = *state;
    f->refuse_data = true;
    run(f, "/quiet");
    assert_int_equal(f->end.err.code, -EBADMSG);
    assert_non_null(strstr(f->end.err.text, "not an event"));
    idle_turns(f);
    assert_int_equal(f->ends, 1);
}

static void it_may_be_closed_in_any_callback(void **state) {
    struct fixture *f = *state;
    f->close_in_open = true;
    run(f, "/quiet");
    idle_turns(f);
    assert_int_equal(f->messages, 0);
    f->close_in_open = false;
    f->close_in_data = true;
    run(f, "/quiet");
    idle_turns(f);
    assert_int_equal(f->messages, 1);
    assert_int_equal(f->ends, 0);
}

static void it_may_be_closed_at_any_time(void **state) {
    struct fixture *f = *state;
    ws_close(NULL);
    cleanup_free char *quiet = xasprintf("ws://127.0.0.1:%d/quiet", peer_port(f->peer));
    struct ws_request r = request(f, quiet);
    for (int turns = 0; turns < 12; turns++) {
        start(f, &r);
        for (int i = 0; i < turns; i++)
            loop_turn(f->loop, 1000);
        ws_close(f->ws);
        f->ws = NULL;
    }
    idle_turns(f);
    assert_int_equal(f->ends, 0);
}

/* --- TLS --- */

static int tls_run(struct fixture *f, const struct http_tls *tls, const char *host) {
    cleanup_free char *url = xasprintf("wss://%s:%d/echo?a=b", host, peer_port(f->peer));
    struct ws_request r = request(f, url);
    r.address = "127.0.0.1";
    r.tls = tls;
    f->messages = f->ends = 0;
    f->stop_after = 1;
    start(f, &r);
    loop_run(f->loop, NULL);
    ws_close(f->ws);
    f->ws = NULL;
    assert_int_equal(f->messages + f->ends, 1);
    return f->ends ? f->end.err.code : 0;
}

static void the_server_is_verified(void **state) {
    struct fixture *f = *state;
    struct http_tls good = {.ca_pem = f->ca.cert_pem};
    assert_int_equal(tls_run(f, &good, "127.0.0.1"), 0);
    assert_int_equal(tls_run(f, &good, "api.example"), 0);
    assert_int_equal(tls_run(f, &good, "[::1]"), 0);
    assert_non_null(strstr(f->last, "Host: [::1]:"));
    /* An authority that is not self-signed is one too. */
    assert_int_equal(tls_run(f, &(struct http_tls){.ca_pem = f->cert.cert_pem}, "127.0.0.1"), 0);
    assert_int_equal(tls_run(f, &good, "[::2]"), -EKEYREJECTED);
    assert_int_equal(tls_run(f, &good, "other.example"), -EKEYREJECTED);
    assert_non_null(strstr(f->end.err.text, "not for other.example"));
    assert_int_equal(tls_run(f, &(struct http_tls){.ca_pem = f->other_ca.cert_pem}, "127.0.0.1"),
                     -EKEYREJECTED);
    assert_int_equal(tls_run(f, NULL, "127.0.0.1"), -EKEYREJECTED);
    assert_int_equal(
        tls_run(f, &(struct http_tls){.ca_pem = f->ca.cert_pem, .server_name = "api.example"}, "10.0.0.1"),
        0);
    assert_int_equal(
        tls_run(f, &(struct http_tls){.ca_pem = f->ca.cert_pem, .server_name = "10.0.0.1"}, "127.0.0.1"),
        -EKEYREJECTED);
    assert_int_equal(tls_run(f, &(struct http_tls){.insecure = true}, "other.example"), 0);
}

static void a_client_certificate_is_shown(void **state) {
    struct fixture *f = *state;
    peer_stop(f->peer);
    f->peer = peer_start(&(struct peer_options){.handle = handle, .tls = &f->cert, .client_ca = &f->ca});
    struct http_tls tls = {.ca_pem = f->ca.cert_pem};
    assert_int_not_equal(tls_run(f, &tls, "127.0.0.1"), 0);
    tls.cert_pem = f->client.cert_pem;
    tls.key_pem = f->client.key_pem;
    assert_int_equal(tls_run(f, &tls, "127.0.0.1"), 0);
    assert_non_null(strstr(f->last, "[the client]"));
}

static void bad_tls_settings_are_told(void **state) {
    struct fixture *f = *state;
    assert_int_equal(tls_run(f, &(struct http_tls){.ca_pem = "rubbish"}, "127.0.0.1"), -EINVAL);
    assert_int_equal(tls_run(f, &(struct http_tls){.ca_file = "/no/such/file"}, "127.0.0.1"), -ENOENT);
    assert_non_null(strstr(f->end.err.text, "/no/such/file"));
    struct http_tls tls = {
        .ca_pem = f->ca.cert_pem, .cert_pem = f->client.cert_pem, .key_pem = f->cert.key_pem};
    assert_int_equal(tls_run(f, &tls, "127.0.0.1"), -EINVAL);
}

static void many_settings_do_not_pile_up(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++) {
        cleanup_free char *ca = xasprintf("%s\n# %d\n", f->ca.cert_pem, i);
        assert_int_equal(tls_run(f, &(struct http_tls){.ca_pem = ca}, "127.0.0.1"), 0);
    }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TLS(f) cmocka_unit_test_setup_teardown(f, setup_tls, teardown)
    const struct CMUnitTest tests[] = {
        T(fragments_arrive_with_their_ends_marked),
        T(the_handshake_is_as_the_api_server_wants_it),
        T(refusals_tell_the_status),
        T(broken_streams_end_the_connection),
        T(a_silent_server_is_given_up),
        T(pings_keep_a_quiet_connection),
        T(connecting_takes_only_so_long),
        T(what_cannot_be_opened_ends_later),
        T(data_may_be_refused),
        T(it_may_be_closed_in_any_callback),
        T(it_may_be_closed_at_any_time),
        TLS(the_server_is_verified),
        TLS(a_client_certificate_is_shown),
        TLS(bad_tls_settings_are_told),
        TLS(many_settings_do_not_pile_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
