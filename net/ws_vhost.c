/* The cache of vhosts. It hangs on the loop and goes with it.
 *
 * A vhost is found by the contents of its certificates and keys, not by the names of their files: when a file
 * changes the next connection asks for contents that no vhost has, and gets a new one, while those that are
 * open keep the old one to their end. Nobody asks for that one again, so only a few without users are
 * kept, for connections that are just being opened anew. */
#include "net/ws_vhost.h"

#include "base/mem.h"
#include "net/loop_internal.h"
#include "net/lws_library.h"
#include "net/openssl_library.h"
#include "net/tls_context.h"
#include <errno.h>

enum { MAX_VHOSTS = 32, MAX_UNUSED = 4 };

struct vhost_cache;

struct ws_vhost {
    struct vhost_cache *cache;
    struct lws_vhost *lws; /* NULL: a free slot */
    SSL_CTX *ssl;
    struct tls_contents contents;
    bool secure;
    int users;
    uint64_t used_at; /* a counter, the oldest unused goes first */
};

struct vhost_cache {
    struct loop *loop;
    struct ws_vhost vhosts[MAX_VHOSTS];
    uint64_t counter;
};

/* Makes a slot free, or ends one that never got as far as the cache. */
static void forget(struct ws_vhost *vhost) {
    if (vhost->ssl)
        openssl->SSL_CTX_free(vhost->ssl); /* connections still closing have references of their own */
    tls_contents_done(&vhost->contents);
    *vhost = (struct ws_vhost){0};
}

static void free_cache(void *data) {
    struct vhost_cache *cache = data;
    for (int i = 0; i < MAX_VHOSTS; i++)
        forget(&cache->vhosts[i]);
    free(cache);
}

static struct vhost_cache *cache_of(struct loop *loop) {
    struct vhost_cache *cache = loop_attachment(loop);
    if (!cache) {
        cache = XNEW(struct vhost_cache);
        cache->loop = loop;
        loop_set_attachment(loop, cache, free_cache);
    }
    return cache;
}

static struct ws_vhost *find(struct vhost_cache *cache, bool secure, const struct tls_contents *contents) {
    for (int i = 0; i < MAX_VHOSTS; i++) {
        struct ws_vhost *v = &cache->vhosts[i];
        if (v->lws && v->secure == secure && tls_contents_equal(&v->contents, contents))
            return v;
    }
    return NULL;
}

/* Drops the oldest unused vhosts past MAX_UNUSED. */
static void trim(struct vhost_cache *cache) {
    for (;;) {
        struct ws_vhost *oldest = NULL;
        int unused = 0;
        for (int i = 0; i < MAX_VHOSTS; i++) {
            struct ws_vhost *v = &cache->vhosts[i];
            if (!v->lws || v->users > 0)
                continue;
            unused++;
            if (!oldest || v->used_at < oldest->used_at)
                oldest = v;
        }
        if (unused <= MAX_UNUSED)
            return;
        libwebsockets->vhost_destroy(oldest->lws);
        forget(oldest);
    }
}

static struct ws_vhost *free_slot(struct vhost_cache *cache) {
    for (int i = 0; i < MAX_VHOSTS; i++)
        if (!cache->vhosts[i].lws)
            return &cache->vhosts[i];
    return NULL;
}

static int create(struct ws_vhost *vhost, const struct lws_protocols *protocols, struct err *err) {
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .vhost_name = "client", /* need not be unique, but must stay: only the pointer is kept */
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .provided_client_ssl_ctx = vhost->ssl,
    };
    vhost->lws = libwebsockets->create_vhost(loop_lws(vhost->cache->loop), &info);
    if (!vhost->lws)
        return err_set(err, -EIO, "libwebsockets gives no vhost");
    if (vhost->secure && libwebsockets->init_vhost_client_ssl(&info, vhost->lws)) {
        libwebsockets->vhost_destroy(vhost->lws);
        return err_set(err, -EIO, "libwebsockets does not take the TLS settings");
    }
    return 0;
}

/* Takes contents over, also where it fails. */
static int add(struct vhost_cache *cache, const struct lws_protocols *protocols,
               const struct ws_vhost *template, struct ws_vhost **ret_vhost, struct err *err) {
    struct ws_vhost vhost = *template;
    struct ws_vhost *slot = free_slot(cache);
    int r = 0;

    if (!slot) {
        forget(&vhost);
        err_set(err, -EMFILE, "more than %d different TLS settings in use", MAX_VHOSTS);
        return -EMFILE;
    }
    /* Put together beside the cache, and into it as a whole. */
    vhost.used_at = ++cache->counter;
    if (vhost.secure)
        r = tls_context_new(&vhost.contents, &vhost.ssl, err);
    if (r == 0)
        r = create(&vhost, protocols, err);
    if (r < 0) {
        forget(&vhost);
        return r;
    }
    *slot = vhost;
    *ret_vhost = slot;
    return 0;
}

int ws_vhost_get(struct loop *loop, const struct lws_protocols *protocols, bool secure,
                 const struct http_tls *tls, struct ws_vhost **ret_vhost, struct err *err) {
    struct vhost_cache *cache = cache_of(loop);
    struct ws_vhost template = {.cache = cache, .secure = secure};
    int r = secure ? tls_contents_read(tls, &template.contents, err) : 0;
    if (r < 0)
        return r;
    struct ws_vhost *vhost = find(cache, secure, &template.contents);
    if (vhost)
        tls_contents_done(&template.contents);
    else if ((r = add(cache, protocols, &template, &vhost, err)) < 0)
        return r;
    vhost->users++;
    *ret_vhost = vhost;
    return 0;
}

void ws_vhost_put(struct ws_vhost *vhost) {
    if (!vhost)
        return;
    vhost->users--;
    vhost->used_at = ++vhost->cache->counter;
    trim(vhost->cache);
}

struct lws_vhost *ws_vhost_lws(const struct ws_vhost *vhost) {
    return vhost->lws;
}
