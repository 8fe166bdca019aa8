/* The TLS server by itself, for measuring it: serves one body to everybody until it is told to stop.
 * usage: bench_httpsserver [BYTES]   prints its port; then, say:
 *   wrk -t2 -c8 -d10s --latency https://127.0.0.1:PORT/ */
#include "base/mem.h"
#include "net/httpsserver.h"
#include "net/tests/peer.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { BODY = 18 * 1024, BODY_MAX = 64 * 1024 * 1024 };

static char *text;

static void handler(void *arg, struct https_exchange *exchange, const struct https_request *request) {
    struct https_answer answer = {.status = 200, .content_type = "application/json"};
    cleanup_buf struct buf body;
    (void)arg;
    (void)request;
    buf_init(&body, BODY_MAX);
    buf_puts(&body, text);
    https_answer(exchange, &answer, &body);
}

static void stop(void *arg) {
    loop_stop(arg);
}

int main(int argc, char **argv) {
    size_t size = argc > 1 ? strtoul(argv[1], NULL, 10) : BODY;
    struct peer_cert ca, cert;
    struct httpsserver *server;
    struct loop *loop;
    struct err err = {0};

    signal(SIGPIPE, SIG_IGN);
    text = xmalloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    peer_make_ca(&ca);
    peer_make_cert(&ca, "server", "IP:127.0.0.1", &cert);
    struct httpsserver_options options = {
        .address = "127.0.0.1", .cert_pem = cert.cert_pem, .key_pem = cert.key_pem, .handler = handler};
    if (loop_new(&loop, &err) < 0 || httpsserver_new(loop, &options, &server, &err) < 0 ||
        loop_on_stop_signal(loop, stop, loop, &err) < 0) {
        fprintf(stderr, "%s\n", err_text(&err));
        return 1;
    }
    printf("%d\n", httpsserver_port(server));
    fflush(stdout);
    loop_run(loop, &err);
    httpsserver_free(server);
    loop_free(loop);
    peer_cert_done(&ca);
    peer_cert_done(&cert);
    free(text);
    return 0;
}
