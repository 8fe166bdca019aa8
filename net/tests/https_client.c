/* The client's side, by OpenSSL over a non-blocking socket. */
#include "net/tests/https_client.h"

#include "base/str.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

int client_dial(int port) {
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static X509 *read_cert(const char *pem) {
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return cert;
}

static void show(SSL_CTX *ctx, const struct peer_cert *cert) {
    BIO *bio = BIO_new_mem_buf(cert->key_pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    X509 *x509 = read_cert(cert->cert_pem);
    BIO_free(bio);
    SSL_CTX_use_certificate(ctx, x509);
    SSL_CTX_use_PrivateKey(ctx, key);
    EVP_PKEY_free(key);
    X509_free(x509);
}

static SSL_CTX *context(const struct client_options *options) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (options->cert)
        show(ctx, options->cert);
    if (options->ca) {
        X509 *ca = read_cert(options->ca->cert_pem);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca);
        X509_free(ca);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }
    if (options->alpn)
        SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)options->alpn, (unsigned)strlen(options->alpn));
    if (options->max_version) {
        SSL_CTX_set_security_level(ctx, 0); /* or TLS 1.1 would be refused here, not there */
        SSL_CTX_set_max_proto_version(ctx, options->max_version);
    }
    return ctx;
}

/* Whether the call is to be repeated after a turn. */
static bool again(struct client *client, int result) {
    int why = SSL_get_error(client->ssl, result);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        return false;
    loop_turn(client->loop, 5 * USEC_PER_MSEC);
    return true;
}

bool client_open(struct loop *loop, const struct client_options *options, struct client *ret_client) {
    SSL_CTX *ctx = context(options);
    int r;
    *ret_client = (struct client){.loop = loop, .fd = client_dial(options->port), .ssl = SSL_new(ctx)};
    SSL_CTX_free(ctx);
    SSL_set_fd(ret_client->ssl, ret_client->fd);
    while ((r = SSL_connect(ret_client->ssl)) != 1)
        if (!again(ret_client, r))
            return false;
    return true;
}

void client_close(struct client *client) {
    SSL_free(client->ssl);
    close(client->fd);
    *client = (struct client){.fd = -1};
}

bool client_put(struct client *client, const char *text) {
    for (size_t len = strlen(text); len > 0;) {
        int n = client->ssl ? SSL_write(client->ssl, text, (int)len)
                            : (int)send(client->fd, text, len, MSG_NOSIGNAL);
        if (n <= 0 && (!client->ssl || !again(client, n)))
            return false;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* As recv: 0 at the end, -1: nothing there. */
static int read_some(struct client *client, char *out, int size) {
    int n = client->ssl ? SSL_read(client->ssl, out, size) : (int)recv(client->fd, out, (size_t)size, 0);
    if (n > 0)
        return n;
    if (client->ssl)
        return SSL_get_error(client->ssl, n) == SSL_ERROR_WANT_READ ? -1 : 0;
    return n < 0 && errno == EAGAIN ? -1 : 0;
}

bool client_take(struct client *client, struct buf *out, const char *last) {
    char piece[65536];
    usec_t start = clock_mono();
    while (clock_mono() - start < 60 * USEC_PER_SEC) {
        int n = read_some(client, piece, sizeof(piece));
        if (n > 0)
            buf_append(out, piece, (size_t)n);
        if (last && str_ends(out->data, last))
            return true;
        if (n == 0)
            return false;
        if (n < 0)
            loop_turn(client->loop, 5 * USEC_PER_MSEC);
    }
    fail_msg("nothing came; so far: %.500s", out->data);
    return false;
}

/* Some turns in any case, should the machine be so busy that the time is over after one. */
void client_wait(struct loop *loop, usec_t duration) {
    usec_t start = clock_mono();
    for (int turns = 0; turns < 20 || clock_mono() - start < duration; turns++)
        loop_turn(loop, 2 * USEC_PER_MSEC);
}
