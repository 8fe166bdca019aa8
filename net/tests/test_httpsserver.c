/* The TLS server over real sockets: requests, headers, certificates, and everything that ends. Its limits:
 * test_https_limits.c. */
#include "base/mem.h"
#include "base/str.h"
#include "net/certificate.h"
#include "net/tests/https_fixture.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* --- requests and answers --- */

static void a_get_is_answered(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer;
    struct client client;
    open_client(f, &client);
    say(&client, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &answer);
    assert_string_equal(answer.data,
                        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\nhello\n");
    client_close(&client);
}

static void the_target_is_as_it_was_sent(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer;
    struct client client;
    open_client(f, &client);
    say(&client, "GET /a%2Fb/../c//d%20e?x=%26&y=a+b&x=%zz HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &answer);
    assert_string_equal(f->seen, "GET /a%2Fb/../c//d%20e?x=%26&y=a+b&x=%zz");
    client_close(&client);
}

static void headers_come_several_times_and_by_prefix(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer;
    struct client client;
    open_client(f, &client);
    say(&client,
        "GET / HTTP/1.1\r\nHost: h\r\nX-Remote-Group: one\r\nx-remote-extra-Scopes: a\r\nX-REMOTE-GROUP: "
        "two, too \t\r\n"
        "X-Remote-Group: \r\nX-Remote-Groupie: no\r\nX-Remote-Extra-a%2fb: c\r\n\r\n",
        "hello\n", &answer);
    assert_string_equal(f->seen, "GET / X-Remote-Group=one X-REMOTE-GROUP=two, too X-Remote-Group= "
                                 "x-remote-extra-Scopes=a X-Remote-Extra-a%2fb=c");
    client_close(&client);
}

static void connections_are_kept_and_requests_may_be_piled_up(void **state) {
    struct fixture *f = *state;
    struct client client;
    open_client(f, &client);
    for (int i = 0; i < 5; i++) {
        cleanup_buf struct buf answer;
        say(&client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &answer);
    }
    cleanup_buf struct buf many, answers;
    buf_init(&many, ANSWER_MAX);
    for (int i = 0; i < 100; i++)
        buf_puts(&many, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    buf_puts(&many, "GET /empty HTTP/1.1\r\nHost: h\r\n\r\n");
    say(&client, many.data, "No Content\r\n\r\n", &answers);
    assert_int_equal(f->calls, 106);
    assert_int_equal(stats(f).accepted, 1);
    assert_int_equal(stats(f).requests, 106);
    client_close(&client);
}

static void a_head_has_no_body(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer, second;
    struct client client;
    open_client(f, &client);
    say(&client, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", "content-length: 6\r\n\r\n", &answer);
    say(&client, "GET /empty HTTP/1.1\r\nHost: h\r\n\r\n", "\r\n\r\n", &second);
    assert_string_equal(second.data, "HTTP/1.1 204 No Content\r\n\r\n");
    client_close(&client);
}

static void a_big_answer_arrives_whole(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer;
    struct client client;
    open_client(f, &client);
    cleanup_free char *last = xasprintf("%d\n", BIG / 1024 - 1);
    say(&client, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n", last, &answer);
    const char *body = strstr(answer.data, "\r\n\r\n") + 4;
    assert_int_equal(strlen(body), BIG);
    for (int i = 0; i < BIG / 1024; i++)
        assert_int_equal(strtol(body + (ptrdiff_t)i * 1024, NULL, 10), i);
    client_close(&client);
}

static void an_answer_may_come_later(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer, second;
    struct client client;
    open_client(f, &client);
    buf_init(&answer, ANSWER_MAX);
    /* the second request comes in while the first is being thought about */
    client_put(&client, "GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    client_until(f->loop, f->calls == 1);
    client_wait(f->loop, 50 * USEC_PER_MSEC);
    assert_int_equal(f->calls, 1);
    assert_int_equal(stats(f).exchanges, 1);
    reply(f->waiting[0], 200, "late\n");
    assert_int_equal(f->calls, 1); /* no handler is called inside https_answer */
    client_take(&client, &answer, "hello\n");
    assert_non_null(strstr(answer.data, "\r\n\r\nlate\nHTTP/1.1 200 OK"));
    assert_int_equal(f->calls, 2);
    assert_int_equal(stats(f).exchanges, 0);
    assert_int_equal(f->gone, 0);
    say(&client, "GET /third HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &second);
    client_close(&client);
}

/* --- who the peer is --- */

static void a_certificate_is_told_by_its_authority(void **state) {
    struct fixture *f = *state;
    static const char *const organizations[] = {"system:masters", "dev, ops", NULL};
    struct peer_cert front_ca, client_ca, front, client, stranger;
    struct certificate server_only;
    struct err err = {0};
    peer_make_ca(&front_ca);
    peer_make_ca(&client_ca);
    peer_make_cert(&front_ca, "front-proxy-client", "DNS:x", &front);
    peer_make_user(&client_ca, "alice", organizations, "DNS:x", &client);
    struct certificate issuer = {.cert_pem = client_ca.cert_pem, .key_pem = client_ca.key_pem};
    struct certificate_request request = {
        .common_name = "server", .now = clock_wall(), .lifetime = USEC_PER_HOUR};
    assert_int_equal(certificate_issue(&issuer, &request, &server_only, &err), 0);
    struct peer_cert no_client = {.cert_pem = server_only.cert_pem, .key_pem = server_only.key_pem};
    peer_make_cert(&f->ca, "mallory", "DNS:x", &stranger);
    assert_int_equal(httpsserver_set_authority(f->server, HTTPS_CA_FRONT_PROXY, front_ca.cert_pem, &err), 0);
    assert_int_equal(httpsserver_set_authority(f->server, HTTPS_CA_CLIENT, client_ca.cert_pem, &err), 0);
    const struct {
        const struct peer_cert *cert;
        const char *seen;
    } cases[] = {
        {&front, "GET / peer=front-proxy-client front=1 client=0"},
        {&client, "GET / peer=alice front=0 client=1 org=system:masters org=dev, ops"},
        {&stranger, "GET /"},
        {&no_client, "GET /"}, /* by the right authority, but for servers only */
        {NULL, "GET /"},
    };
    for (int i = 0; i < 5; i++) {
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
            cleanup_buf struct buf answer;
            struct client c;
            struct client_options options = {
                .port = httpsserver_port(f->server), .cert = cases[i].cert, .max_version = version};
            assert_true(client_open(f->loop, &options, &c));
            say(&c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &answer);
            assert_string_equal(f->seen, cases[i].seen);
            client_close(&c);
        }
    }
    certificate_done(&server_only);
    peer_cert_done(&front_ca);
    peer_cert_done(&client_ca);
    peer_cert_done(&front);
    peer_cert_done(&client);
    peer_cert_done(&stranger);
}

static void other_methods_reach_the_handler_and_close(void **state) {
    struct fixture *f = *state;
    cleanup_free char *body = xmalloc(300001);
    memset(body, 'b', 300000);
    body[300000] = '\0';
    char *const cases[][2] = {
        {xasprintf("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n%s", body),
         xstrdup("POST /a")},
        {xstrdup("PUT /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
         xstrdup("PUT /b")},
        {xstrdup("DELETE /c HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"),
         xstrdup("DELETE /c")},
        {xstrdup("GET /d HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"), xstrdup("GET /d")},
        {xstrdup("GET /e HTTP/1.0\r\n\r\n"), xstrdup("GET /e")},
        {xstrdup("GET /f HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
         xstrdup("GET /f")},
        {xstrdup("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"), xstrdup("CONNECT h:443")},
        {xstrdup("GET /h HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\nGET /i HTTP/1.1\r\n\r\n"),
         xstrdup("GET /h")},
    };
    for (int i = 0; i < 8; i++) {
        cleanup_buf struct buf answer;
        assert_true(ask(f, cases[i][0], &answer));
        const char *want = i < 3 || i == 6 ? "HTTP/1.1 405 " : "HTTP/1.1 200 ";
        if (!str_starts(answer.data, want) || !strstr(answer.data, "connection: close\r\n"))
            fail_msg("%s -> %s", cases[i][1], answer.data);
        assert_string_equal(f->seen, cases[i][1]);
        assert_int_equal(f->calls, i + 1);
        free(cases[i][0]);
        free(cases[i][1]);
    }
}

/* --- what is no request --- */

static void garbage_is_refused(void **state) {
    struct fixture *f = *state;
    static const char *const cases[] = {
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x01 not http\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX-Remote-User : admin\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX: a\x01z\r\n\r\n",
        "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX-Remote-User: adm\r\n in\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX-Remote-User:\r\n\tadmin\r\n\r\n",
        "GET / HTTP/1.1\n X-Remote-User: admin\n\n",
        "GET / HTTP/1.1\nHost: h\n\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\nX-Remote-User: admin\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nhost: i\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n",
        "WHATEVER / HTTP/1.1\r\nHost: h\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_buf struct buf answer;
        assert_true(ask(f, cases[i], &answer));
        if (!str_starts(answer.data, "HTTP/1.1 400 "))
            fail_msg("%s -> %s", cases[i], answer.data);
    }
}

/* A line may come in two pieces, between its CR and its LF too; and bodies have ends of their own. */
static void ends_of_lines_may_be_torn(void **state) {
    struct fixture *f = *state;
    struct client client;
    cleanup_buf struct buf answer, body;
    open_client(f, &client);
    client_put(&client, "GET / HTTP/1.1\r");
    client_wait(f->loop, 20 * USEC_PER_MSEC);
    client_put(&client, "\nHost: h\r");
    client_wait(f->loop, 20 * USEC_PER_MSEC);
    say(&client, "\n\r\n", "hello\n", &answer);
    client_put(&client, "GET / HTTP/1.1\r\nHost: h");
    client_wait(f->loop, 20 * USEC_PER_MSEC);
    buf_init(&body, ANSWER_MAX);
    client_put(&client, "\nX-Remote-User: admin\r\n\r\n"); /* a LF that begins a piece */
    assert_false(client_take(&client, &body, NULL));
    assert_true(str_starts(body.data, "HTTP/1.1 400 "));
    client_close(&client);
    buf_done(&body);
    assert_true(ask(f, "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n\n ", &body));
    assert_true(str_starts(body.data, "HTTP/1.1 200 "));
}

static void plain_http_is_told_so(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer, nothing;
    buf_init(&answer, ANSWER_MAX);
    buf_init(&nothing, ANSWER_MAX);
    struct client plain = {.loop = f->loop, .fd = client_dial(httpsserver_port(f->server))},
                  noise = {.loop = f->loop, .fd = client_dial(httpsserver_port(f->server))};
    client_put(&plain, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_false(client_take(&plain, &answer, NULL));
    assert_true(str_starts(answer.data, "HTTP/1.0 400 "));
    client_put(&noise, "\x01\x02\x03 whatever this is, it is no TLS");
    assert_false(client_take(&noise, &nothing, NULL));
    assert_int_equal(f->calls, 0);
    assert_int_equal(stats(f).handshakes_failed, 2);
    client_close(&plain);
    client_close(&noise);
}

static bool connects(struct fixture *f, const struct client_options *how) {
    struct client_options options = *how;
    struct client client;
    options.port = httpsserver_port(f->server);
    bool ok = client_open(f->loop, &options, &client);
    client_close(&client);
    return ok;
}

static void old_tls_and_other_protocols_are_refused(void **state) {
    struct fixture *f = *state;
    assert_false(connects(f, &(struct client_options){.max_version = TLS1_1_VERSION}));
    assert_true(connects(f, &(struct client_options){.max_version = TLS1_2_VERSION}));
    assert_false(connects(f, &(struct client_options){.alpn = "\x02h2"}));
    assert_true(connects(f, &(struct client_options){.alpn = "\x02h2\x08http/1.1"}));
    assert_true(connects(f, &(struct client_options){.alpn = "\x08http/1.0"}));
    start(f, &(struct httpsserver_options){.tls_min_version = 13});
    assert_false(connects(f, &(struct client_options){.max_version = TLS1_2_VERSION}));
    assert_true(connects(f, &(struct client_options){.max_version = TLS1_3_VERSION}));
}

/* --- exchanged while running --- */

static void a_certificate_is_exchanged_for_new_connections(void **state) {
    struct fixture *f = *state;
    struct peer_cert ca, cert;
    struct err err = {0};
    struct client old;
    cleanup_buf struct buf answer, second;
    peer_make_ca(&ca);
    peer_make_cert(&ca, "server 2", "IP:127.0.0.1", &cert);
    open_client(f, &old);
    say(&old, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &answer);
    /* what does not fit changes nothing */
    assert_int_equal(httpsserver_set_certificate(f->server, cert.cert_pem, f->cert.key_pem, &err), -EINVAL);
    assert_int_equal(httpsserver_set_certificate(f->server, "nothing", cert.key_pem, &err), -EINVAL);
    assert_true(connects(f, &(struct client_options){.ca = &f->ca}));
    assert_int_equal(httpsserver_set_certificate(f->server, cert.cert_pem, cert.key_pem, &err), 0);
    assert_false(connects(f, &(struct client_options){.ca = &f->ca}));
    assert_true(connects(f, &(struct client_options){.ca = &ca}));
    say(&old, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &second);
    client_close(&old);
    peer_cert_done(&ca);
    peer_cert_done(&cert);
}

/* Also for connections that are open: an aggregator keeps its own for ever. */
static void authorities_are_exchanged(void **state) {
    struct fixture *f = *state;
    struct peer_cert cert;
    struct err err = {0};
    struct client old, new;
    cleanup_buf struct buf answer, second, third, fourth;
    peer_make_cert(&f->ca, "alice", "DNS:x", &cert);
    assert_int_equal(httpsserver_set_authority(f->server, HTTPS_CA_CLIENT, f->ca.cert_pem, &err), 0);
    assert_int_equal(httpsserver_set_authority(f->server, HTTPS_CA_CLIENT, "nothing", &err), -EINVAL);
    struct client_options options = {.port = httpsserver_port(f->server), .cert = &cert};
    assert_true(client_open(f->loop, &options, &old));
    say(&old, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &answer);
    assert_non_null(strstr(f->seen, "peer=alice"));
    assert_int_equal(httpsserver_set_authority(f->server, HTTPS_CA_CLIENT, NULL, &err), 0);
    assert_true(client_open(f->loop, &options, &new));
    say(&new, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &second);
    assert_null(strstr(f->seen, "peer="));
    say(&old, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &third);
    assert_null(strstr(f->seen, "peer="));
    assert_int_equal(httpsserver_set_authority(f->server, HTTPS_CA_FRONT_PROXY, f->ca.cert_pem, &err), 0);
    say(&new, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &fourth);
    assert_non_null(strstr(f->seen, "peer=alice front=1 client=0"));
    client_close(&old);
    client_close(&new);
    peer_cert_done(&cert);
}

static bool is_alice(struct fixture *f, struct client *client) {
    cleanup_buf struct buf answer;
    say(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &answer);
    return strstr(f->seen, "peer=alice");
}

typedef void make_term(const struct peer_cert *ca, const char *name, int seconds, struct peer_cert *ret_cert);

/* Asks on one connection until its certificate has ended, or begun. Where that was before the first answer,
 * on a busy machine, it is tried with more time. */
static void alice_changes(struct fixture *f, make_term *make, bool at_first) {
    bool in_time = false;
    struct err err = {0};
    assert_int_equal(httpsserver_set_authority(f->server, HTTPS_CA_CLIENT, f->ca.cert_pem, &err), 0);
    for (int seconds = 3, tries = 1; !in_time; seconds *= 2, tries++) {
        usec_t begin = clock_wall();
        struct peer_cert cert;
        struct client client;
        make(&f->ca, "alice", seconds, &cert);
        struct client_options options = {.port = httpsserver_port(f->server), .cert = &cert};
        assert_true(client_open(f->loop, &options, &client));
        bool known = is_alice(f, &client);
        in_time = clock_wall() - begin < (seconds - 1) * USEC_PER_SEC;
        assert_true(known == at_first || !in_time);
        client_until(f->loop, is_alice(f, &client) != at_first);
        assert_int_equal(stats(f).accepted, tries);
        client_close(&client);
        peer_cert_done(&cert);
    }
}

/* Also while its connection stays open. */
static void a_certificate_that_ends_tells_nobody(void **state) {
    alice_changes(*state, peer_make_ending, true);
}

/* The aggregator's clock may be ahead of ours, and its connection outlasts that. */
static void a_client_certificate_begins_to_hold(void **state) {
    alice_changes(*state, peer_make_beginning, false);
}

static void without_a_certificate_nobody_is_let_in(void **state) {
    struct fixture *f = *state;
    struct err err = {0};
    struct peer_cert cert = f->cert;
    f->cert = (struct peer_cert){0};
    start(f, &(struct httpsserver_options){0});
    f->cert = cert;
    assert_false(connects(f, &(struct client_options){0}));
    assert_int_equal(stats(f).refused, 1);
    assert_int_equal(httpsserver_set_certificate(f->server, cert.cert_pem, cert.key_pem, &err), 0);
    assert_true(connects(f, &(struct client_options){.ca = &f->ca}));
}

/* --- ends --- */

static void a_peer_that_goes_is_told(void **state) {
    struct fixture *f = *state;
    struct client client;
    open_client(f, &client);
    client_put(&client, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    client_until(f->loop, f->n_waiting == 1);
    client_close(&client);
    client_until(f->loop, stats(f).connections == 0);
    assert_int_equal(f->gone, 1);
    assert_int_equal(stats(f).exchanges, 0);
}

static void a_peer_may_go_while_it_is_answered(void **state) {
    struct fixture *f = *state;
    struct client client;
    open_client(f, &client);
    client_put(&client, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    client_until(f->loop, f->calls == 1);
    assert_int_equal(stats(f).connections, 1);
    client_close(&client);
    client_until(f->loop, stats(f).connections == 0);
}

static void the_server_may_be_freed_anywhere(void **state) {
    struct fixture *f = *state;
    struct client client, second;
    open_client(f, &client); /* by the handler */
    client_put(&client, "GET /free HTTP/1.1\r\nHost: h\r\n\r\n");
    client_until(f->loop, !f->server);
    client_close(&client);

    start(f, &(struct httpsserver_options){0}); /* by on_gone, when the peer goes */
    open_client(f, &client);
    open_client(f, &second);
    client_put(&second, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    client_put(&client, "GET /free-when-gone HTTP/1.1\r\nHost: h\r\n\r\n");
    client_until(f->loop, f->n_waiting == 2);
    client_close(&client);
    client_until(f->loop, !f->server);
    assert_int_equal(f->gone, 2);
    client_close(&second);

    start(f, &(struct httpsserver_options){.answer_timeout = 20 * USEC_PER_MSEC}); /* when time is over */
    open_client(f, &client);
    client_put(&client, "GET /free-when-gone HTTP/1.1\r\nHost: h\r\n\r\n");
    client_until(f->loop, !f->server);
    assert_int_equal(f->gone, 3);
    client_close(&client);
}

static void on_drained(void *arg) {
    struct fixture *f = arg;
    f->drained++;
}

static void draining_lets_answers_out(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf first, answer, rest;
    struct client idle, waiting;
    buf_init(&answer, ANSWER_MAX);
    buf_init(&rest, ANSWER_MAX);
    open_client(f, &idle);
    say(&idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &first);
    open_client(f, &waiting);
    client_put(&waiting, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    client_until(f->loop, f->n_waiting == 1);
    httpsserver_drain(f->server, 10 * USEC_PER_SEC, on_drained, f);
    assert_false(client_take(&idle, &rest, NULL)); /* closed at once */
    assert_int_equal(f->drained, 0);
    reply(f->waiting[0], 200, "late\n");
    assert_false(client_take(&waiting, &answer, NULL));
    assert_non_null(strstr(answer.data, "connection: close\r\n"));
    assert_true(str_ends(answer.data, "late\n"));
    client_close(&idle);
    client_close(&waiting);
    client_until(f->loop, f->drained == 1);
    assert_int_equal(f->gone, 0);
}

static void draining_has_a_limit(void **state) {
    struct fixture *f = *state;
    struct client waiting;
    open_client(f, &waiting);
    client_put(&waiting, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    client_until(f->loop, f->n_waiting == 1);
    httpsserver_drain(f->server, 50 * USEC_PER_MSEC, on_drained, f);
    assert_int_equal(f->drained, 0);
    client_until(f->loop, f->drained == 1);
    httpsserver_free(f->server);
    f->server = NULL;
    assert_int_equal(f->gone, 1);
    client_close(&waiting);
}

/* Whoever is told may leave the server for a while. */
static void draining_is_told_once(void **state) {
    struct fixture *f = *state;
    struct client waiting;
    open_client(f, &waiting);
    client_put(&waiting, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    client_until(f->loop, f->n_waiting == 1);
    httpsserver_drain(f->server, 50 * USEC_PER_MSEC, on_drained, f);
    client_until(f->loop, f->drained == 1);
    client_close(&waiting);
    client_until(f->loop, stats(f).connections == 0);
    client_wait(f->loop, 50 * USEC_PER_MSEC);
    assert_int_equal(f->drained, 1);
}

static void a_taken_port_is_an_error(void **state) {
    struct fixture *f = *state;
    struct httpsserver *other = NULL;
    struct err err = {0};
    struct httpsserver_options options = {.address = "127.0.0.1", .port = httpsserver_port(f->server)};
    assert_int_equal(httpsserver_new(f->loop, &options, &other, &err), -EADDRINUSE);
    assert_non_null(strstr(err.text, "127.0.0.1"));
    options.port = 0;
    options.cert_pem = f->cert.cert_pem;
    assert_int_equal(httpsserver_new(f->loop, &options, &other, &err), -EINVAL);
    options.key_pem = f->ca.key_pem; /* of another certificate */
    assert_int_equal(httpsserver_new(f->loop, &options, &other, &err), -EINVAL);
    assert_null(other);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        T(a_get_is_answered),
        T(the_target_is_as_it_was_sent),
        T(headers_come_several_times_and_by_prefix),
        T(connections_are_kept_and_requests_may_be_piled_up),
        T(a_head_has_no_body),
        T(a_big_answer_arrives_whole),
        T(an_answer_may_come_later),
        T(a_certificate_is_told_by_its_authority),
        T(other_methods_reach_the_handler_and_close),
        T(garbage_is_refused),
        T(ends_of_lines_may_be_torn),
        T(plain_http_is_told_so),
        T(old_tls_and_other_protocols_are_refused),
        T(a_certificate_is_exchanged_for_new_connections),
        T(authorities_are_exchanged),
        T(a_certificate_that_ends_tells_nobody),
        T(a_client_certificate_begins_to_hold),
        T(without_a_certificate_nobody_is_let_in),
        T(a_peer_that_goes_is_told),
        T(a_peer_may_go_while_it_is_answered),
        T(the_server_may_be_freed_anywhere),
        T(draining_lets_answers_out),
        T(draining_has_a_limit),
        T(draining_is_told_once),
        T(a_taken_port_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
