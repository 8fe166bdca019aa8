/* One server: its Secrets, followed by name, and the client that is made of all.
 *
 * server_apply is the one place where it is decided what a server is: it is called after every change of the
 * object or of a Secret, looks at all there is, and ends in use() or in unusable(). Both do nothing where
 * that comes to what it was before, so that it may be called too often, and is. A Secret that goes takes the
 * client with it: to go on with credentials that somebody has taken away would be wrong. */
#include "adapter/sources_internal.h"

#include "adapter/prometheus.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/base64.h"
#include "net/url.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Headers: those of the spec, and one more for auth. The others hold all that the definition of the kind lets
 * an object have, escaped three bytes for one, and Secrets of at most 1 MiB. */
enum { HEADERS_MAX = PROMSOURCE_MAP_MAX + 1, URL_MAX = 64 * 1024, MADE_OF_MAX = 8 * 1024 * 1024 };

static void free_secret(char *text) {
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

/* ---- what a client is made of ---- */

/* Everything that the Secrets and the spec say, as texts. Owned. */
struct material {
    char *url, *ca, *cert, *key, *username, *credential;
    char *headers[HEADERS_MAX + 1]; /* ended by NULL */
};

static void material_done(struct material *m) {
    free(m->url);
    free(m->ca);
    free(m->cert);
    free_secret(m->key);
    free(m->username);
    free_secret(m->credential);
    for (char **h = m->headers; *h; h++)
        free_secret(*h);
}
#define cleanup_material cleanup(material_done)

/* The namespace that a server's Secrets are in, or NULL. Never one that the object could name: whoever may
 * write a source would else make the operator send any Secret of the cluster to an address of theirs. */
static const char *secrets_ns(const struct server *server) {
    const char *ns = server->object->meta.ns;

    return ns[0] ? ns : server->sources->own_ns;
}

static const struct server_secret *secret_of(const struct server *server, const char *name) {
    for (uint32_t i = 0; i < server->secret_count; i++)
        if (str_eq(server->secrets[i].name, name))
            return &server->secrets[i];
    return NULL;
}

/* The value of a key, without the line end that files have and tokens must not; -ENOENT, or -EINVAL. */
static int take_key(const struct server *server, const char *name, const char *key, char **ret_text,
                    struct err *err) {
    const char *coded = json_string_value(json_object_get(secret_of(server, name)->data, key));
    size_t len;
    char *text;

    if (!coded)
        return err_set(err, -ENOENT, "Secret %s/%s has no key %s", secrets_ns(server), name, key);
    int ret = base64_decode(coded, &text, &len, err);
    if (ret < 0)
        return err_wrap(err, "Secret %s/%s, key %s", secrets_ns(server), name, key);
    while (len && strchr(" \t\r\n", text[len - 1]))
        text[--len] = '\0';
    /* Handed over first: material_done frees it, good or not. */
    *ret_text = text;
    if (len && strlen(text) == len)
        return 0;
    return err_set(err, -EINVAL, "Secret %s/%s, key %s: is %s", secrets_ns(server), name, key,
                   len ? "no text" : "empty");
}

/* To be called when lack_of_secrets finds none: each has its data. */
static int take_secrets(const struct server *server, struct material *m, struct err *err) {
    const struct promsource_spec *s = &server->object->spec;
    int ret = 0;

    if (s->ca.name)
        ret = take_key(server, s->ca.name, s->ca.key, &m->ca, err);
    if (ret == 0 && s->cert_secret)
        ret = take_key(server, s->cert_secret, "tls.crt", &m->cert, err);
    if (ret == 0 && s->cert_secret)
        ret = take_key(server, s->cert_secret, "tls.key", &m->key, err);
    if (ret == 0 && s->auth != PROMSOURCE_OPEN)
        ret = take_key(server, s->credential.name, s->credential.key, &m->credential, err);
    if (ret < 0 || s->auth != PROMSOURCE_BASIC)
        return ret;
    if (!s->username)
        return take_key(server, s->credential.name, "username", &m->username, err);
    m->username = xstrdup(s->username);
    return 0;
}

static char *url_with_parameters(const struct promsource_spec *s) {
    struct buf url;

    buf_init(&url, URL_MAX);
    buf_puts(&url, s->url);
    for (uint32_t i = 0; i < s->parameter_count; i++) {
        cleanup_free char *name = url_escape(s->parameters[i].name);
        cleanup_free char *value = url_escape(s->parameters[i].value);
        buf_printf(&url, "%s%s=%s", i || strchr(s->url, '?') ? "&" : "?", name, value);
    }
    return buf_detach(&url);
}

static int gather(const struct server *server, struct material *m, struct err *err) {
    const struct promsource_spec *s = &server->object->spec;
    int ret = take_secrets(server, m, err);

    if (ret < 0)
        return ret;
    m->url = url_with_parameters(s);
    for (uint32_t i = 0; i < s->header_count; i++)
        m->headers[i] = xasprintf("%s: %s", s->headers[i].name, s->headers[i].value);
    if (s->auth == PROMSOURCE_HEADER)
        m->headers[s->header_count] = xasprintf("%s: %s", s->header, m->credential);
    return 0;
}

/* All borrowed from the spec and the material: promclient_new copies what it keeps. */
static struct prometheus_options options_of(const struct server *server, const struct material *m) {
    const struct promsource_spec *s = &server->object->spec;

    return (struct prometheus_options){
        .url = m->url,
        .ca_pem = m->ca,
        .cert_pem = m->cert,
        .key_pem = m->key,
        .server_name = s->server_name,
        .insecure = s->insecure,
        .token = s->auth == PROMSOURCE_BEARER ? m->credential : NULL,
        .username = m->username,
        .password = s->auth == PROMSOURCE_BASIC ? m->credential : NULL,
        .headers = (const char *const *)m->headers,
        .use_get = s->use_get,
        .timeout = s->timeout,
        .interval = s->interval,
        .max_concurrent = server->sources->max_concurrent,
        .max_response = server->sources->max_response,
    };
}

/* All of the options in one text: equal texts make equal clients. Kept instead of the objects' versions,
 * which change with every status that is written. */
static char *made_of(const struct prometheus_options *o) {
    const char *const texts[] = {o->url,         o->ca_pem, o->cert_pem, o->key_pem,
                                 o->server_name, o->token,  o->username, o->password};
    struct buf b;

    buf_init(&b, MADE_OF_MAX);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        buf_printf(&b, "%s\n", str_or_empty(texts[i]));
    for (const char *const *h = o->headers; *h; h++)
        buf_printf(&b, "%s\n", *h);
    buf_printf(&b, "%d %d %" PRId64 " %" PRId64, o->insecure, o->use_get, o->timeout, o->interval);
    return buf_detach(&b);
}

/* ---- the client ---- */

/* Counters of a server only go up, whatever its clients do: what the one that goes has counted is kept. */
static void add_past(struct server *server) {
    struct promclient_stats all;

    server_stats(server, &all);
    server->past = all;
}

/* Puts a client in place of the one there is (either may be none), and moves everyone. */
static void replace_client(struct server *server, struct promclient *client, usec_t interval) {
    struct sources *all = server->sources;
    struct promclient *old = server->client;
    struct metric_source *old_pacer = server->pacer;

    add_past(server);
    promclient_cancel(server->watch.probe);
    server->watch.probe = NULL; /* the old client's */
    server->watch.asked = 0;    /* a new one is asked at once */
    server->client = client;
    server->pacer = client ? prometheus_new(all->world.loop, client, interval) : NULL;
    if (!client) {
        free_secret(server->made_of);
        server->made_of = NULL;
    }
    sources_replaced(all, server->object->meta.name, old_pacer, old);
}

/* Told again only with other words: policies and the status show them. */
static void unusable(struct server *server, const char *reason, const struct err *why) {
    bool new = server->client || !str_eq(server->why.text, why->text) || server->why.code != why->code;

    server->why = *why;
    snprintf(server->reason, sizeof(server->reason), "%s", reason);
    if (new)
        replace_client(server, NULL, 0);
}

static void use(struct server *server, const struct prometheus_options *options) {
    struct promclient *client;
    struct err err = {0};
    char *text = made_of(options);

    if (str_eq(text, server->made_of)) {
        free_secret(text);
        return;
    }
    if (promclient_new(server->sources->world.loop, server->sources->world.http, options, &client, &err) <
        0) {
        free_secret(text);
        unusable(server, "InvalidSpec", &err);
        return;
    }
    free_secret(server->made_of);
    server->made_of = text;
    err_clear(&server->why);
    replace_client(server, client, options->interval);
}

/* Why the Secrets are not all there; code 0: they are. One that is known to be missing is told before others
 * that are still being read. */
static void lack_of_secrets(const struct server *server, struct err *err) {
    for (uint32_t i = 0; i < server->secret_count && !err->code; i++) {
        const struct server_secret *s = &server->secrets[i];
        if (!secrets_ns(server))
            err_set(err, -ENOENT,
                    "Secret %s: the operator does not know its own namespace: set POD_NAMESPACE", s->name);
        else if (s->known && !s->data)
            err_set(err, -ENOENT, "Secret %s/%s: not found", secrets_ns(server), s->name);
        else if (!s->known && kubeobject_error(s->object)->code)
            err_set(err, -EACCES, "Secret %s/%s: %s", secrets_ns(server), s->name,
                    err_text(kubeobject_error(s->object)));
    }
    for (uint32_t i = 0; i < server->secret_count && !err->code; i++)
        if (!server->secrets[i].known)
            err_set(err, -EAGAIN, "its Secrets are being read");
}

void server_apply(struct server *server) {
    struct err err = {0};

    if (server->object->invalid.code) {
        unusable(server, "InvalidSpec", &server->object->invalid);
        return;
    }
    lack_of_secrets(server, &err);
    if (err.code) {
        unusable(server, err.code == -EACCES ? "SecretUnreadable" : "SecretMissing", &err);
        return;
    }
    cleanup_material struct material material = {0};
    if (gather(server, &material, &err) < 0) {
        unusable(server, "SecretMissing", &err);
        return;
    }
    struct prometheus_options options = options_of(server, &material);
    use(server, &options);
}

/* ---- Secrets ---- */

static void on_secret(void *arg, const json_t *object) {
    struct server_secret *secret = arg;
    json_t *data = json_object_get(object, "data");

    secret->known = true;
    json_decref(secret->data);
    secret->data = NULL;
    if (object) /* one without data has none of the keys */
        secret->data = json_is_object(data) ? json_incref(data) : json_object();
    server_apply(secret->server);
}

static void drop_secrets(struct server *server) {
    for (uint32_t i = 0; i < server->secret_count; i++) {
        kubeobject_free(server->secrets[i].object);
        json_decref(server->secrets[i].data);
        free(server->secrets[i].name);
    }
    server->secret_count = 0;
}

static void follow_secret(struct server *server, const char *name) {
    struct server_secret *secret = &server->secrets[server->secret_count++];
    const char *ns = secrets_ns(server);

    *secret = (struct server_secret){.server = server, .name = xstrdup(name)};
    /* Then it is never known, and lack_of_secrets says why. */
    if (!ns)
        return;
    cleanup_free char *collection = xasprintf("/api/v1/namespaces/%s/secrets", ns);
    secret->object = kubeobject_follow(server->sources->world.loop, server->sources->world.kube, collection,
                                       name, on_secret, secret);
}

/* Follows what the object names now; where that is what it named before, nothing is read again. */
static void follow_secrets(struct server *server) {
    const char *names[PROMSOURCE_SECRETS_MAX];
    uint32_t count = 0;
    bool same = true;

    if (!server->object->invalid.code)
        count = promsource_secrets(&server->object->spec, names);
    for (uint32_t i = 0; i < count; i++)
        same &= secret_of(server, names[i]) != NULL;
    if (same && count == server->secret_count)
        return;
    drop_secrets(server);
    for (uint32_t i = 0; i < count; i++)
        follow_secret(server, names[i]);
}

/* A Secret that cannot be read calls nobody back: its error is looked up while there is no client. */
void server_check_secrets(struct server *server) {
    if (!server->client && server->secret_count && !server->object->invalid.code)
        server_apply(server);
}

/* ---- life ---- */

static struct server *make(struct sources *sources, const struct promsource_object *object) {
    struct server *server = XNEW(struct server);

    server->sources = sources;
    server->object = object;
    server->key = xstrdup(object ? object->meta.key : "");
    server->title = object ? xasprintf("%sMetricSource %s", object->meta.ns[0] ? "" : "Cluster", server->key)
                           : xstrdup("");
    err_set(&server->why, -EAGAIN, "it has just been created");
    return server;
}

struct server *server_new(struct sources *sources, const struct promsource_object *object) {
    struct server *server = make(sources, object);

    server->watch.stored = json_incref(object->status_json);
    follow_secrets(server);
    return server;
}

/* It has no object, so that it is never applied, changed or written about: it is what the flags say, or the
 * operator does not start. */
int server_new_fallback(struct sources *sources, const struct prometheus_options *options,
                        struct server **ret_server, struct err *err) {
    struct promclient *client;
    int ret = promclient_new(sources->world.loop, sources->world.http, options, &client, err);

    if (ret < 0)
        return ret;
    struct server *server = make(sources, NULL);
    server->client = client;
    server->pacer = prometheus_new(sources->world.loop, client, options->interval);
    err_clear(&server->why);
    *ret_server = server;
    return 0;
}

/* Where a status of ours is on its way, the object's may be older than that one: it is not taken for what the
 * API server has. */
void server_change(struct server *server, const struct promsource_object *object) {
    const struct promsource_object *old = server->object;

    server->object = object;
    if (!server->watch.call) {
        json_decref(server->watch.stored);
        server->watch.stored = json_incref(object->status_json);
    }
    follow_secrets(server);
    server_apply(server);
    object_unref(&old->meta);
}

void server_free(struct server *server) {
    if (!server)
        return;
    server_watch_done(server);
    drop_secrets(server);
    prometheus_free(server->pacer);
    promclient_free(server->client);
    free_secret(server->made_of);
    if (server->object)
        object_unref(&server->object->meta);
    free(server->key);
    free(server->title);
    free(server);
}

/* Gauges are those of the client there is; the last success is an older client's until this one has one. */
void server_stats(const struct server *server, struct promclient_stats *ret_stats) {
    const struct promclient_stats *past = &server->past;
    struct promclient_stats now = {0};

    if (server->client)
        promclient_stats(server->client, &now);
    now.requests += past->requests;
    now.failures += past->failures;
    now.latency_sum += past->latency_sum;
    if (!now.last_success) {
        now.last_success = past->last_success;
        now.last_latency = past->last_latency;
    }
    *ret_stats = now;
}
