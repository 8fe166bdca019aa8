/* What the TLS server bounds: lengths, connections, time. */
#include "base/mem.h"
#include "base/str.h"
#include "net/tests/https_fixture.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* Short for a test, and long enough for a handshake on a busy machine. */
static const usec_t SHORT = 2 * USEC_PER_SEC;

static void what_is_too_long_is_refused(void **state) {
    struct fixture *f = *state;
    cleanup_free char *text = xmalloc(40001);
    memset(text, 'p', 40000);
    text[40000] = '\0';
    cleanup_buf struct buf many;
    buf_init(&many, ANSWER_MAX);
    for (int i = 0; i < 129; i++)
        buf_puts(&many, "A: b\r\n");
    char *const requests[] = {
        xasprintf("GET /%.8191s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", text),
        xasprintf("GET /%.8192s HTTP/1.1\r\nHost: h\r\n\r\n", text),
        xasprintf("GET /%s HTTP/1.1\r\nHost: h\r\n\r\n", text),
        xasprintf("GET / HTTP/1.0\r\nConnection: close\r\nB: %.16368s\r\n\r\n", text),
        xasprintf("GET / HTTP/1.1\r\nConnection: close\r\nB: %.16369s\r\n\r\n", text),
        xasprintf("GET / HTTP/1.1\r\nB: %s\r\n\r\n", text),
        xasprintf("GET / HTTP/1.1\r\n%s\r\n", many.data),
    };
    static const int want[] = {200, 414, 414, 200, 431, 431, 431};
    for (int i = 0; i < 7; i++) {
        cleanup_buf struct buf answer;
        assert_true(ask(f, requests[i], &answer)); /* and closed */
        if (strtol(answer.data + strcspn(answer.data, " "), NULL, 10) != want[i])
            fail_msg("%d: wanted %d: %.200s", i, want[i], answer.data);
        assert_non_null(strstr(answer.data, "connection: close\r\n"));
        free(requests[i]);
    }
}

/* What was sent may take a while on a busy machine. */
static void wait_for_requests(struct fixture *f, uint64_t count) {
    client_until(f->loop, stats(f).requests >= count);
    assert_int_equal(stats(f).requests, count);
}

static void connections_are_bounded(void **state) {
    struct fixture *f = *state;
    struct client clients[3], more;
    start(f, &(struct httpsserver_options){.max_connections = 3});
    struct client_options options = {.port = httpsserver_port(f->server)};
    for (int i = 0; i < 3; i++) {
        open_client(f, &clients[i]);
        client_put(&clients[i], "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    wait_for_requests(f, 3);
    assert_false(client_open(f->loop, &options, &more));
    client_close(&more);
    assert_int_equal(stats(f).connections, 3);
    assert_int_equal(stats(f).refused, 1);
    client_close(&clients[0]);
    client_until(f->loop, stats(f).connections == 2);
    open_client(f, &clients[0]); /* when one has gone, another may come */
    assert_int_equal(stats(f).replaced, 0);
    for (int i = 0; i < 3; i++)
        client_close(&clients[i]);
}

static bool is_open(struct client *client) {
    char piece[64];
    int n = SSL_peek(client->ssl, piece, sizeof(piece));
    return n > 0 || SSL_get_error(client->ssl, n) == SSL_ERROR_WANT_READ;
}

/* For so long a new connection is not the first to go, and a little more. */
static const usec_t YOUNG = 1100 * USEC_PER_MSEC;

/* One after the other they go as they can be spared. */
static void who_asks_nothing_makes_room(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf first, second, half;
    struct client served, served_later, mute, more[4];
    start(f, &(struct httpsserver_options){.max_connections = 3});
    open_client(f, &served);
    say(&served, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &first);
    open_client(f, &served_later);
    say(&served_later, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &second);
    open_client(f, &mute);
    client_wait(f->loop, YOUNG);
    open_client(f, &more[0]);
    client_until(f->loop, !is_open(&mute));
    say(&more[0], "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &half);
    client_put(&served, "GET / HT"); /* is about to ask again */
    client_wait(f->loop, 200 * USEC_PER_MSEC);
    open_client(f, &more[1]);
    client_until(f->loop, !is_open(&served_later));
    client_wait(f->loop, YOUNG);
    open_client(f, &more[2]); /* in place of more[1], which has not asked yet */
    client_until(f->loop, !is_open(&more[1]));
    client_put(&more[2], "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    client_put(&more[0], "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for_requests(f, 5);
    open_client(f, &more[3]);
    client_until(f->loop, !is_open(&served));
    assert_true(is_open(&more[0]) && is_open(&more[2]) && is_open(&more[3]));
    assert_int_equal(stats(f).replaced, 4);
    assert_int_equal(stats(f).refused, 0);
    assert_int_equal(f->gone, 0);
    for (int i = 0; i < 4; i++)
        client_close(&more[i]);
    client_close(&served);
    client_close(&served_later);
    client_close(&mute);
}

/* An aggregator that is idle stays, however many come that nobody knows. */
static void strangers_do_not_shut_out(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf first, second;
    struct peer_cert cert;
    struct err err = {0};
    struct client known, strangers[10], late;
    start(f, &(struct httpsserver_options){.max_connections = 4});
    peer_make_cert(&f->ca, "alice", "DNS:x", &cert);
    assert_int_equal(httpsserver_set_authority(f->server, HTTPS_CA_CLIENT, f->ca.cert_pem, &err), 0);
    struct client_options options = {.port = httpsserver_port(f->server), .cert = &cert};
    assert_true(client_open(f->loop, &options, &known));
    for (int i = 0; i < 10; i++) { /* these do not even begin a handshake */
        strangers[i] = (struct client){.loop = f->loop, .fd = client_dial(httpsserver_port(f->server))};
        client_wait(f->loop, 5 * USEC_PER_MSEC);
    }
    client_until(f->loop, stats(f).connections == 4);
    open_client(f, &late);
    say(&late, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &first);
    say(&known, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &second);
    assert_non_null(strstr(f->seen, "peer=alice"));
    assert_int_equal(stats(f).refused, 0);
    for (int i = 0; i < 10; i++)
        client_close(&strangers[i]);
    client_close(&late);
    client_close(&known);
    peer_cert_done(&cert);
}

/* They replace each other, but only so quickly. */
static void strangers_in_a_storm_wait(void **state) {
    enum { MAX = 4, LASTS = 2, STORM = 40 };
    struct fixture *f = *state;
    struct client strangers[STORM];
    start(f, &(struct httpsserver_options){.max_connections = MAX});
    usec_t begin = clock_mono();
    for (int i = 0; i < STORM; i++) {
        strangers[i] = (struct client){.loop = f->loop, .fd = client_dial(httpsserver_port(f->server))};
        client_wait(f->loop, 1 * USEC_PER_MSEC);
    }
    client_wait(f->loop, LASTS * USEC_PER_SEC);
    assert_true(stats(f).replaced > 0);
    assert_true((usec_t)stats(f).replaced <= MAX * ((clock_mono() - begin) / USEC_PER_SEC + 1));
    for (int i = 0; i < STORM; i++)
        client_close(&strangers[i]);
}

/* Each of these would stay for ever. */
static void slow_peers_are_dropped(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    start(f, &(struct httpsserver_options){.slow_timeout = SHORT});
    struct client mute = {.loop = f->loop, .fd = client_dial(httpsserver_port(f->server))}, half, greedy;
    assert_false(client_take(&mute, &answer, NULL)); /* no handshake */
    open_client(f, &half);
    client_put(&half, "GET / HT");
    assert_false(client_take(&half, &answer, NULL));
    open_client(f, &greedy);
    client_put(&greedy, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    /* It does not read: its answer must not lie in memory for ever. */
    client_until(f->loop, stats(f).connections == 0);
    assert_int_equal(stats(f).handshakes_failed, 1);
    client_take(&greedy, &answer, NULL);
    assert_true(answer.len < BIG);
    client_close(&mute);
    client_close(&half);
    client_close(&greedy);
}

/* Or the system would take much of an answer that nobody reads. */
static void receive_little(struct client *client) {
    int small = 4096;
    setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
}

/* Taking a little of it now and then does not make it last. */
static void an_answer_must_be_taken_at_a_rate(void **state) {
    struct fixture *f = *state;
    struct client greedy;
    char piece[4096];
    usec_t start_time = clock_mono();
    start(f, &(struct httpsserver_options){.slow_timeout = SHORT});
    open_client(f, &greedy);
    receive_little(&greedy);
    client_put(&greedy, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    client_until(f->loop, stats(f).answer_bytes >= BIG);
    while (stats(f).connections > 0 && clock_mono() - start_time < 100 * USEC_PER_SEC) {
        SSL_read(greedy.ssl, piece, 512);
        client_wait(f->loop, 50 * USEC_PER_MSEC);
    }
    assert_int_equal(stats(f).connections, 0);
    assert_int_equal(stats(f).answer_bytes, 0);
    client_close(&greedy);
}

/* Those on their way are not touched by what finds no room. */
static void answers_are_bounded_together(void **state) {
    enum { FIT = HTTPS_ANSWERS_MAX / (BIG + 1) };
    static const char big[] = "GET /big HTTP/1.1\r\nHost: h\r\n\r\n";
    struct fixture *f = *state;
    cleanup_buf struct buf refused, whole, again;
    struct client clients[FIT], more;
    cleanup_free char *last = xasprintf("%d\n", BIG / 1024 - 1);
    start(f, &(struct httpsserver_options){.slow_timeout = 100 * USEC_PER_SEC});
    for (int i = 0; i < FIT; i++) {
        open_client(f, &clients[i]);
        if (i > 0) /* which will be read */
            receive_little(&clients[i]);
        client_put(&clients[i], big);
        client_wait(f->loop, 0);
    }
    wait_for_requests(f, FIT);
    assert_int_equal(stats(f).answer_bytes, FIT * (BIG + 1));
    open_client(f, &more);
    say(&more, big, "no room\n", &refused);
    assert_true(str_starts(refused.data, "HTTP/1.1 429 "));
    buf_init(&whole, ANSWER_MAX);
    client_take(&clients[0], &whole, last);
    assert_int_equal(strlen(strstr(whole.data, "\r\n\r\n") + 4), BIG);
    say(&more, big, last, &again);
    assert_true(str_starts(again.data, "HTTP/1.1 200 "));
    for (int i = 0; i < FIT; i++)
        client_close(&clients[i]);
    client_close(&more);
    client_until(f->loop, stats(f).answer_bytes == 0);
}

/* The time of a request counts from its first byte: sending now and then one more does not help. */
static void a_request_has_a_time(void **state) {
    struct fixture *f = *state;
    struct client client;
    start(f, &(struct httpsserver_options){.slow_timeout = SHORT});
    open_client(f, &client);
    bool sent = client_put(&client, "GET / HTTP/1.1\r\nX: ");
    for (int i = 0; i < 1000 && sent && stats(f).connections == 1; i++) {
        sent = client_put(&client, "x");
        client_wait(f->loop, 10 * USEC_PER_MSEC);
    }
    assert_int_equal(stats(f).connections, 0);
    client_close(&client);
}

static void idle_connections_are_closed(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer, rest;
    struct client client;
    buf_init(&rest, ANSWER_MAX);
    start(f, &(struct httpsserver_options){.idle_timeout = 300 * USEC_PER_MSEC});
    open_client(f, &client);
    say(&client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &answer);
    assert_false(client_take(&client, &rest, NULL));
    client_close(&client);
}

/* The time between two requests is for who has asked once. */
static void the_first_request_has_less_time(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer, rest;
    struct client mute, slow, served;
    buf_init(&rest, ANSWER_MAX);
    start(f, &(struct httpsserver_options){.slow_timeout = SHORT});
    open_client(f, &served);
    say(&served, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "hello\n", &answer);
    open_client(f, &mute);
    open_client(f, &slow);
    client_wait(f->loop, SHORT / 2);
    client_put(&slow, "GET /"); /* earns it no more */
    assert_false(client_take(&mute, &rest, NULL));
    assert_false(client_take(&slow, &rest, NULL));
    client_wait(f->loop, 200 * USEC_PER_MSEC);
    assert_int_equal(stats(f).connections, 1);
    client_close(&mute);
    client_close(&slow);
    client_close(&served);
}

static void an_answer_has_a_time(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer;
    struct client client;
    start(f, &(struct httpsserver_options){.answer_timeout = 50 * USEC_PER_MSEC});
    open_client(f, &client);
    say(&client, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n", "too long\n", &answer);
    assert_true(str_starts(answer.data, "HTTP/1.1 504 "));
    assert_int_equal(f->gone, 1);
    assert_int_equal(stats(f).exchanges, 0);
    client_close(&client);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        T(what_is_too_long_is_refused),  T(connections_are_bounded),
        T(who_asks_nothing_makes_room),  T(strangers_do_not_shut_out),
        T(strangers_in_a_storm_wait),    T(the_first_request_has_less_time),
        T(slow_peers_are_dropped),       T(an_answer_must_be_taken_at_a_rate),
        T(answers_are_bounded_together), T(a_request_has_a_time),
        T(idle_connections_are_closed),  T(an_answer_has_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
