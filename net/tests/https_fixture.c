/* The server that the tests of the TLS server talk to. */
#include "net/tests/https_fixture.h"

#include "base/mem.h"
#include "base/str.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void note_header(void *arg, const char *name, const char *value) {
    struct fixture *f = arg;
    size_t len = strlen(f->seen);
    snprintf(f->seen + len, sizeof(f->seen) - len, " %s=%s", name, value);
}

static void note(struct fixture *f, const struct https_request *request) {
    const struct https_peer *peer = request->peer;
    snprintf(f->seen, sizeof(f->seen), "%s %.300s", request->method, request->target);
    https_header(request, "x-remote-group", note_header, f);
    https_header_prefix(request, "X-Remote-Extra-", note_header, f);
    size_t len = strlen(f->seen);
    if (!peer)
        return;
    snprintf(f->seen + len, sizeof(f->seen) - len, " peer=%s front=%d client=%d", peer->common_name,
             peer->verified[HTTPS_CA_FRONT_PROXY], peer->verified[HTTPS_CA_CLIENT]);
    for (const char *const *o = peer->organizations; *o; o++)
        note_header(f, "org", *o);
}

void reply(struct https_exchange *exchange, int status, const char *text) {
    struct https_answer answer = {.status = status, .content_type = "text/plain"};
    cleanup_buf struct buf body;
    buf_init(&body, ANSWER_MAX);
    buf_puts(&body, text);
    https_answer(exchange, &answer, &body);
    assert_int_equal(body.len, 0);
}

static void reply_big(struct https_exchange *exchange) {
    struct https_answer answer = {.status = 200, .content_type = "text/plain"};
    cleanup_buf struct buf body;
    buf_init(&body, ANSWER_MAX);
    for (int i = 0; i < BIG / 1024; i++)
        buf_printf(&body, "%1023d\n", i);
    if (https_has_room(exchange, &body))
        https_answer(exchange, &answer, &body);
    else
        reply(exchange, 429, "no room\n");
}

static void count_gone(void *arg) {
    struct fixture *f = arg;
    f->gone++;
}

static void free_server(void *arg) {
    struct fixture *f = arg;
    f->gone++;
    httpsserver_free(f->server);
    f->server = NULL;
}

static void handler(void *arg, struct https_exchange *exchange, const struct https_request *request) {
    struct fixture *f = arg;
    f->calls++;
    note(f, request);
    if (request->refused) {
        reply(exchange, request->refused, "refused\n");
    } else if (str_eq(request->target, "/big")) {
        reply_big(exchange);
    } else if (str_eq(request->target, "/later") || str_eq(request->target, "/free-when-gone")) {
        f->waiting[f->n_waiting++] = exchange;
        https_on_gone(exchange, str_eq(request->target, "/later") ? count_gone : free_server, f);
    } else if (str_eq(request->target, "/free")) {
        httpsserver_free(f->server);
        f->server = NULL;
    } else if (str_eq(request->target, "/empty")) {
        reply(exchange, 204, "not said");
    } else if (!str_eq(request->method, "GET") && !str_eq(request->method, "HEAD")) {
        reply(exchange, 405, "only GET\n");
    } else {
        reply(exchange, 200, "hello\n");
    }
}

void start(struct fixture *f, const struct httpsserver_options *more) {
    struct httpsserver_options options = *more;
    struct err err = {0};
    options.address = "127.0.0.1";
    options.handler = handler;
    options.arg = f;
    options.cert_pem = f->cert.cert_pem;
    options.key_pem = f->cert.key_pem;
    httpsserver_free(f->server);
    if (httpsserver_new(f->loop, &options, &f->server, &err) < 0)
        fail_msg("%s", err.text);
}

int setup(void **state) {
    struct fixture *f = XNEW(struct fixture);
    struct err err = {0};
    if (loop_new(&f->loop, &err) < 0)
        fail_msg("%s", err.text);
    peer_make_ca(&f->ca);
    peer_make_cert(&f->ca, "server", "DNS:localhost,IP:127.0.0.1", &f->cert);
    start(f, &(struct httpsserver_options){0});
    *state = f;
    return 0;
}

int teardown(void **state) {
    struct fixture *f = *state;
    httpsserver_free(f->server);
    loop_free(f->loop);
    peer_cert_done(&f->ca);
    peer_cert_done(&f->cert);
    free(f);
    return 0;
}

void open_client(struct fixture *f, struct client *client) {
    struct client_options options = {.port = httpsserver_port(f->server), .ca = &f->ca};
    if (!client_open(f->loop, &options, client))
        fail_msg("no handshake");
}

/* One request on a connection of its own; true where the server closed after it. */
bool ask(struct fixture *f, const char *request, struct buf *answer) {
    struct client client;
    buf_init(answer, ANSWER_MAX);
    open_client(f, &client);
    assert_true(client_put(&client, request)); /* it is let finish, so that it reads the answer */
    bool closed = !client_take(&client, answer, NULL);
    client_close(&client);
    return closed;
}

void say(struct client *client, const char *request, const char *last, struct buf *answer) {
    buf_init(answer, ANSWER_MAX);
    assert_true(client_put(client, request));
    if (!client_take(client, answer, last))
        fail_msg("closed after: %s", answer->data);
}

struct httpsserver_stats stats(struct fixture *f) {
    struct httpsserver_stats s;
    httpsserver_stats(f->server, &s);
    return s;
}
