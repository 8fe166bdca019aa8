/* The server, asked by raw sockets: right, wrong, slow, too much. */
#include "base/mem.h"
#include "base/str.h"
#include "net/httpserver.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { BIG = 4 * 1024 * 1024 };

struct fixture {
    struct loop *loop;
    struct httpserver *server;
    int calls;
};

/* Made once: many ask for it. */
static const char *big_text(void) {
    static char *text;
    if (text)
        return text;
    text = xmalloc(BIG + 1);
    for (int i = 0; i < BIG / 1024; i++)
        snprintf(text + (size_t)i * 1024, 1025, "%1023d\n", i);
    return text;
}

static int handler(void *arg, const struct httpserver_request *request, struct buf *body, const char **type) {
    struct fixture *f = arg;
    f->calls++;
    if (str_eq(request->path, "/big")) {
        buf_append(body, big_text(), BIG);
        return 200;
    }
    if (str_eq(request->path, "/free")) {
        httpserver_free(f->server);
        f->server = NULL;
    }
    if (str_eq(request->path, "/empty"))
        return 204;
    if (str_eq(request->path, "/mad"))
        return -1;
    if (str_eq(request->path, "/page"))
        *type = "text/html";
    buf_printf(body, "path=%s query=%s\n", request->path, request->query);
    return str_eq(request->path, "/missing") ? 404 : 200;
}

static int setup(void **state) {
    struct fixture *f = XNEW(struct fixture);
    struct err err = {0};
    if (loop_new(&f->loop, &err) < 0 ||
        httpserver_new(f->loop, &(struct httpserver_options){"127.0.0.1", 0, handler, f}, &f->server, &err) <
            0)
        fail_msg("%s", err.text);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    httpserver_free(f->server);
    loop_free(f->loop);
    free(f);
    return 0;
}

static int dial(int port) {
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static int connect_to(struct fixture *f) {
    return dial(httpserver_port(f->server));
}

static void put(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until the answer ends with what is expected last, or the server closes (then true). */
static bool take(struct fixture *f, int fd, struct buf *out, const char *last) {
    char piece[65536];
    usec_t start = clock_mono();
    while (clock_mono() - start < 20 * USEC_PER_SEC) {
        loop_turn(f->loop, 10 * USEC_PER_MSEC);
        ssize_t n = recv(fd, piece, sizeof(piece), 0);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return true;
        if (n > 0)
            buf_append(out, piece, (size_t)n);
        if (last && str_ends(out->data, last))
            return false;
    }
    fail_msg("nothing came; so far: %s", out->data);
    return true;
}

static bool ask(struct fixture *f, const char *request, const char *last, struct buf *answer) {
    buf_init(answer, 16 * 1024 * 1024);
    int fd = connect_to(f);
    put(fd, request);
    bool closed = take(f, fd, answer, last);
    close(fd);
    return closed;
}

static void a_get_is_answered(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer = {0};
    ask(f, "GET /a%20b/c?x=1&y=2 HTTP/1.1\r\nHost: h\r\n\r\n", "y=2\n", &answer);
    assert_true(str_starts(answer.data, "HTTP/1.1 200 "));
    assert_non_null(strstr(answer.data, "content-type: text/plain; charset=utf-8\r\n"));
    assert_non_null(strstr(answer.data, "content-length: 26\r\n"));
    assert_true(str_ends(answer.data, "\r\n\r\npath=/a b/c query=x=1&y=2\n"));
}

static void connections_are_kept(void **state) {
    struct fixture *f = *state;
    int fd = connect_to(f);
    for (int i = 0; i < 5; i++) {
        cleanup_buf struct buf answer;
        buf_init(&answer, 65536);
        put(fd, "GET /page HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_false(take(f, fd, &answer, "query=\n"));
        assert_non_null(strstr(answer.data, "content-type: text/html\r\n"));
    }
    assert_int_equal(f->calls, 5);
    close(fd);
}

static void statuses_are_those_of_the_handler(void **state) {
    struct fixture *f = *state;
    static const char *const cases[][3] = {
        {"GET /missing HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404 ", "\n"},
        {"GET /empty HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 204 ", "\r\n\r\n"},
        {"GET /mad HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 500 ", "\r\n\r\n"},
    };
    for (int i = 0; i < 3; i++) {
        cleanup_buf struct buf answer = {0};
        ask(f, cases[i][0], cases[i][2], &answer);
        if (!str_starts(answer.data, cases[i][1]))
            fail_msg("%s", answer.data);
    }
}

static void a_head_has_no_body(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer;
    buf_init(&answer, 65536);
    int fd = connect_to(f);
    put(fd, "HEAD /abc HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_false(take(f, fd, &answer, "\r\n\r\n"));
    assert_non_null(strstr(answer.data, "content-length: 17\r\n"));
    put(fd, "GET /empty HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_false(take(f, fd, &answer, "\r\n\r\n"));
    assert_null(strstr(answer.data, "path="));
    close(fd);
}

static void other_methods_are_refused(void **state) {
    struct fixture *f = *state;
    static const char *const cases[] = {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
                                        "DELETE /a HTTP/1.1\r\nHost: h\r\n\r\n",
                                        "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
                                        "OPTIONS /a HTTP/1.1\r\nHost: h\r\n\r\n"};
    for (int i = 0; i < 4; i++) {
        cleanup_buf struct buf answer = {0};
        assert_true(ask(f, cases[i], NULL, &answer)); /* and closed */
        if (!str_starts(answer.data, "HTTP/1.1 405 "))
            fail_msg("%s -> %s", cases[i], answer.data);
        assert_non_null(strstr(answer.data, "allow: GET, HEAD\r\n"));
    }
    assert_int_equal(f->calls, 0);
}

static void long_paths_are_refused(void **state) {
    struct fixture *f = *state;
    cleanup_free char *path = xmalloc(100001);
    memset(path, 'p', 100000);
    path[100000] = '\0';
    cleanup_free char *longer = xasprintf("GET /%.2000s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    cleanup_buf struct buf answer = {0};
    ask(f, longer, "long\n", &answer);
    assert_true(str_starts(answer.data, "HTTP/1.1 414 "));
    cleanup_free char *query = xasprintf("GET /?%.3000s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    cleanup_buf struct buf second = {0};
    ask(f, query, "long\n", &second);
    assert_true(str_starts(second.data, "HTTP/1.1 414 "));
    cleanup_free char *longest = xasprintf("GET /%s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    cleanup_buf struct buf third = {0};
    assert_true(ask(f, longest, NULL, &third)); /* closed */
    assert_int_equal(f->calls, 0);
}

static void garbage_is_dropped(void **state) {
    struct fixture *f = *state;
    static const char *const cases[] = {
        "\x16\x03\x01\x02\x01 not http\r\n\r\n", "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nHost: h\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"};
    for (int i = 0; i < 3; i++) {
        cleanup_buf struct buf answer = {0};
        assert_true(ask(f, cases[i], NULL, &answer));
        assert_null(strstr(answer.data, " 101 "));
    }
    cleanup_buf struct buf good = {0};
    ask(f, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "\n", &good);
    assert_true(str_starts(good.data, "HTTP/1.1 200 "));
}

static void a_big_answer_arrives_whole(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer = {0};
    cleanup_free char *last = xasprintf("%d\n", BIG / 1024 - 1);
    assert_false(ask(f, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n", last, &answer));
    const char *body = strstr(answer.data, "\r\n\r\n");
    assert_int_equal(strlen(body + 4), BIG);
}

static void slow_peers_are_dropped(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf answer;
    buf_init(&answer, 16 * 1024 * 1024);
    int half = connect_to(f), mute = connect_to(f), greedy = connect_to(f);

    put(half, "GET / HTT");
    put(greedy, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(take(f, half, &answer, NULL));
    assert_true(take(f, mute, &answer, NULL));
    usec_t start = clock_mono(); /* greedy does not read: its answer must not lie in memory for ever */
    while (clock_mono() - start < USEC_PER_SEC)
        loop_turn(f->loop, 100 * USEC_PER_MSEC);
    assert_true(take(f, greedy, &answer, NULL));
    assert_true(answer.len < BIG);
    close(half);
    close(mute);
    close(greedy);
}

/* Whoever asks gets in: a probe of the kubelet would else find nobody alive. */
static void idle_strangers_make_room(void **state) {
    struct fixture *f = *state;
    cleanup_buf struct buf first, second, good = {0};
    int kept = connect_to(f), fds[80];
    buf_init(&first, 65536);
    buf_init(&second, 65536);
    put(kept, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_false(take(f, kept, &first, "query=\n"));
    for (int i = 0; i < 80; i++) {
        fds[i] = connect_to(f);
        if (i % 2)
            put(fds[i], "GET / HT");
        loop_turn(f->loop, USEC_PER_MSEC);
    }
    ask(f, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "\n", &good);
    assert_true(str_starts(good.data, "HTTP/1.1 200 "));
    put(kept, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"); /* has been idle for longest, but has asked */
    assert_false(take(f, kept, &second, "query=\n"));
    assert_true(str_starts(second.data, "HTTP/1.1 200 "));
    for (int i = 0; i < 80; i++)
        close(fds[i]);
    close(kept);
}

static void too_many_connections_are_refused(void **state) {
    struct fixture *f = *state;
    int fds[80];
    for (int i = 0; i < 80; i++) { /* which are all being answered */
        fds[i] = connect_to(f);
        put(fds[i], "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
        for (int turn = 0; turn < 5; turn++)
            loop_turn(f->loop, USEC_PER_MSEC);
    }
    int open = 0;
    for (int i = 0; i < 80; i++) {
        char c;
        open += recv(fds[i], &c, 1, 0) == 1;
        close(fds[i]);
    }
    assert_in_range(open, 60, 64);
    for (int i = 0; i < 200; i++)
        loop_turn(f->loop, USEC_PER_MSEC);
    cleanup_buf struct buf good = {0}; /* and when they have gone, others may come */
    ask(f, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "\n", &good);
    assert_true(str_starts(good.data, "HTTP/1.1 200 "));
}

static void a_taken_port_is_an_error(void **state) {
    struct fixture *f = *state;
    struct httpserver *other = NULL;
    struct err err = {0};
    int port = httpserver_port(f->server);
    assert_in_range(port, 1024, 65535);
    assert_int_equal(
        httpserver_new(f->loop, &(struct httpserver_options){"127.0.0.1", port, handler, f}, &other, &err),
        -EADDRINUSE);
    assert_non_null(strstr(err.text, "127.0.0.1"));
    assert_int_equal(
        httpserver_new(f->loop, &(struct httpserver_options){"nowhere", 0, handler, f}, &other, &err),
        -EINVAL);
    assert_null(other);
    assert_int_equal(httpserver_new(f->loop, &(struct httpserver_options){NULL, 0, handler, f}, &other, &err),
                     0);
    int fd = dial(httpserver_port(other));
    cleanup_buf struct buf answer;
    buf_init(&answer, 65536);
    put(fd, "GET /all HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_false(take(f, fd, &answer, "query=\n"));
    close(fd);
    httpserver_free(other);
}

static void the_handler_may_free_the_server(void **state) {
    struct fixture *f = *state;
    int port = httpserver_port(f->server), fd = connect_to(f);
    put(fd, "GET /free HTTP/1.1\r\nHost: h\r\n\r\n");
    for (int i = 0; i < 50; i++)
        loop_turn(f->loop, USEC_PER_MSEC);
    assert_null(f->server);
    close(fd);
    struct err err = {0};
    assert_int_equal(httpserver_new(f->loop, &(struct httpserver_options){"127.0.0.1", port, handler, f},
                                    &f->server, &err),
                     0);
}

/* As where a later part of the start fails. What is left over, the leak sanitizer tells. */
static void it_may_go_before_the_loop_has_turned(void **state) {
    struct fixture *f = *state;
    httpserver_free(f->server);
    f->server = NULL;
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_get_is_answered),
        T(connections_are_kept),
        T(statuses_are_those_of_the_handler),
        T(a_head_has_no_body),
        T(other_methods_are_refused),
        T(long_paths_are_refused),
        T(garbage_is_dropped),
        T(a_big_answer_arrives_whole),
        T(slow_peers_are_dropped),
        T(idle_strangers_make_room),
        T(too_many_connections_are_refused),
        T(a_taken_port_is_an_error),
        T(the_handler_may_free_the_server),
        T(it_may_go_before_the_loop_has_turned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
