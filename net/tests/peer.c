/* The peer's sockets and threads. */
#include "net/tests/peer.h"

#include "base/mem.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 512 };

struct peer {
    struct peer_options options;
    SSL_CTX *tls;
    int listener, port;
    pthread_t acceptor;
    pthread_t threads[MAX_CONNECTIONS];
    int n_threads;
    pthread_mutex_t lock;
};

struct peer_conn {
    struct peer *peer;
    int fd;
    SSL *ssl;
};

bool peer_write(struct peer_conn *conn, const void *data, size_t len) {
    const char *p = data;
    while (len > 0) {
        ssize_t n = conn->ssl ? SSL_write(conn->ssl, p, (int)(len > 65536 ? 65536 : len))
                              : send(conn->fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

bool peer_puts(struct peer_conn *conn, const char *text) {
    return peer_write(conn, text, strlen(text));
}

bool peer_read(struct peer_conn *conn, void *out, size_t len) {
    char *p = out;
    while (len > 0) {
        ssize_t n = conn->ssl ? SSL_read(conn->ssl, p, (int)len) : recv(conn->fd, p, len, 0);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

bool peer_read_head(struct peer_conn *conn, char *out, size_t size) {
    for (size_t len = 0; len + 1 < size; len++) {
        if (!peer_read(conn, out + len, 1))
            return false;
        out[len + 1] = '\0';
        if (len >= 3 && memcmp(out + len - 3, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

bool peer_wait_gone(struct peer_conn *conn) {
    char c;
    return !peer_read(conn, &c, 1);
}

void peer_client_name(struct peer_conn *conn, char *out, size_t size) {
    X509 *cert = conn->ssl ? SSL_get1_peer_certificate(conn->ssl) : NULL;
    out[0] = '\0';
    if (!cert)
        return;
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, out, (int)size);
    X509_free(cert);
}

const char *peer_sni(struct peer_conn *conn) {
    const char *name = conn->ssl ? SSL_get_servername(conn->ssl, TLSEXT_NAMETYPE_host_name) : NULL;
    return name ? name : "";
}

static void *serve(void *arg) {
    struct peer_conn *conn = arg;
    bool ok = true;
    if (conn->peer->tls) {
        conn->ssl = SSL_new(conn->peer->tls);
        SSL_set_fd(conn->ssl, conn->fd);
        ok = SSL_accept(conn->ssl) == 1;
    }
    if (ok)
        conn->peer->options.handle(conn, conn->peer->options.arg);
    if (conn->ssl) {
        if (ok)
            SSL_shutdown(conn->ssl);
        SSL_free(conn->ssl);
    }
    close(conn->fd);
    free(conn);
    return NULL;
}

static void *accept_all(void *arg) {
    struct peer *peer = arg;
    int fd;
    while ((fd = accept(peer->listener, NULL, NULL)) >= 0) {
        struct peer_conn *conn = XNEW(struct peer_conn);
        *conn = (struct peer_conn){.peer = peer, .fd = fd};
        pthread_mutex_lock(&peer->lock);
        if (peer->n_threads == MAX_CONNECTIONS)
            abort();
        pthread_create(&peer->threads[peer->n_threads++], NULL, serve, conn);
        pthread_mutex_unlock(&peer->lock);
    }
    return NULL;
}

static BIO *pem_bio(const char *pem) {
    return BIO_new_mem_buf(pem, -1);
}

static X509 *read_cert(const char *pem) {
    BIO *bio = pem_bio(pem);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return cert;
}

static EVP_PKEY *read_key(const char *pem) {
    BIO *bio = pem_bio(pem);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

static SSL_CTX *tls_context(const struct peer_options *options) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    X509 *cert = read_cert(options->tls->cert_pem);
    EVP_PKEY *key = read_key(options->tls->key_pem);
    SSL_CTX_use_certificate(ctx, cert);
    SSL_CTX_use_PrivateKey(ctx, key);
    X509_free(cert);
    EVP_PKEY_free(key);
    if (options->client_ca) {
        X509 *ca = read_cert(options->client_ca->cert_pem);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca);
        X509_free(ca);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return ctx;
}

struct peer *peer_start(const struct peer_options *options) {
    struct peer *peer = XNEW(struct peer);
    peer->options = *options;
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_init(&peer->lock, NULL);
    if (options->tls)
        peer->tls = tls_context(options);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(peer->listener, (struct sockaddr *)&addr, len) < 0 || listen(peer->listener, 128) < 0 ||
        getsockname(peer->listener, (struct sockaddr *)&addr, &len) < 0)
        abort();
    peer->port = ntohs(addr.sin_port);
    pthread_create(&peer->acceptor, NULL, accept_all, peer);
    return peer;
}

void peer_stop(struct peer *peer) {
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->acceptor, NULL);
    close(peer->listener);
    for (int i = 0; i < peer->n_threads; i++)
        pthread_join(peer->threads[i], NULL);
    SSL_CTX_free(peer->tls);
    pthread_mutex_destroy(&peer->lock);
    free(peer);
}

int peer_port(const struct peer *peer) {
    return peer->port;
}

int peer_connections(struct peer *peer) {
    pthread_mutex_lock(&peer->lock);
    int n = peer->n_threads;
    pthread_mutex_unlock(&peer->lock);
    return n;
}
