/* Credentials kept fresh: followed files, and the exec plugin's last answer.
 *
 * auth->identity is what was handed out last. It is never changed: where a file has another text, or the
 * plugin gave something new, the next auth_get builds another one, and the old one lives as long as somebody
 * has a reference. Whoever finds the plugin at work stands in waiters until it has ended, well or not, and
 * then asks again: a waiter is told that it is time, never what came of it. */
#include "api/client/auth.h"

#include "api/client/exec_plugin.h"
#include "api/client/file.h"
#include "api/client/kubeconfig_internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/base64.h"
#include <errno.h>
#include <string.h>

/* A failed plugin is not run again before this, a refused credential does not run it more often than that. */
#define PLUGIN_PAUSE (5 * USEC_PER_SEC)
#define REFUSED_PAUSE (10 * USEC_PER_SEC)
/* A credential is used this long even where it has expired by our clock: it may be the clock that is wrong,
 * and a plugin must not be run in a circle. */
#define CREDENTIAL_MIN_LIFE (1 * USEC_PER_SEC)

/* TLS settings with their texts, shared by the identities that have the same. */
struct tls_box {
    unsigned refs;
    struct http_tls tls;
    char *ca_pem, *cert_pem, *key_pem, *server_name;
};

struct auth {
    struct loop *loop;
    const struct kubeconfig *config;
    struct file_followed token, ca, cert, key;
    bool reread; /* read the files again, changed or not */
    struct identity *identity;

    struct exec_plugin *plugin; /* NULL: the configuration has none */
    struct exec_credential credential;
    bool have_credential;
    struct err plugin_err; /* of the last run; code 0: none */
    usec_t got_at, failed_at, refused_at;
    struct auth_waiter *waiters;
};

/* The key is wiped: it must not be found in memory that is used again. */
static void tls_box_unref(struct tls_box *box) {
    if (!box || --box->refs > 0)
        return;
    free(box->ca_pem);
    free(box->cert_pem);
    if (box->key_pem)
        explicit_bzero(box->key_pem, strlen(box->key_pem));
    free(box->key_pem);
    free(box->server_name);
    free(box);
}

void identity_unref(struct identity *identity) {
    if (!identity || --identity->refs > 0)
        return;
    tls_box_unref(identity->box);
    free(identity->authorization);
    free(identity);
}

static char *dup_or_null(const char *s) {
    return s ? xstrdup(s) : NULL;
}

/* By contents: a file is written anew more often than its text changes. */
static bool same_tls(const struct http_tls *a, const struct http_tls *b) {
    return str_eq(a->ca_pem, b->ca_pem) && str_eq(a->cert_pem, b->cert_pem) && str_eq(a->key_pem, b->key_pem);
}

static struct tls_box *tls_box_new(const struct http_tls *want) {
    struct tls_box *box = XNEW(struct tls_box);

    box->refs = 1;
    box->ca_pem = dup_or_null(want->ca_pem);
    box->cert_pem = dup_or_null(want->cert_pem);
    box->key_pem = dup_or_null(want->key_pem);
    box->server_name = dup_or_null(want->server_name);
    box->tls = (struct http_tls){.ca_pem = box->ca_pem,
                                 .cert_pem = box->cert_pem,
                                 .key_pem = box->key_pem,
                                 .server_name = box->server_name};
    return box;
}

/* The settings as they are now: what the files say, then what the plugin says. */
static struct http_tls current_tls(const struct auth *auth) {
    const struct kubeconfig *c = auth->config;
    struct http_tls tls = {.ca_pem = auth->ca.text ? auth->ca.text : c->ca_pem,
                           .cert_pem = auth->cert.text ? auth->cert.text : c->cert_pem,
                           .key_pem = auth->key.text ? auth->key.text : c->key_pem,
                           .server_name = c->server_name};

    if (auth->credential.cert_pem) {
        tls.cert_pem = auth->credential.cert_pem;
        tls.key_pem = auth->credential.key_pem;
    }
    return tls;
}

/* tokenFile before token, as in client-go: the file is the one that is renewed. */
static const char *current_token(const struct auth *auth) {
    if (auth->token.text)
        return auth->token.text;
    return auth->config->token ? auth->config->token : auth->credential.token;
}

/* The header line for a token or for a name and password; NULL where there is neither. */
static char *authorization_line(const struct kubeconfig *c, const char *token) {
    if (token)
        return xasprintf("Authorization: Bearer %s", token);
    if (!c->username)
        return NULL;
    cleanup_free char *both = xasprintf("%s:%s", c->username, str_or_empty(c->password));
    cleanup_free char *encoded = base64_encode(both, strlen(both));
    return xasprintf("Authorization: Basic %s", encoded);
}

/* The next identity; calls under way keep the one they began with. A new token leaves the TLS settings as
 * they are: then their texts are shared. */
static int build_identity(struct auth *auth, struct err *err) {
    const struct kubeconfig *c = auth->config;
    const struct http_tls tls = current_tls(auth);
    const char *token = current_token(auth);

    if (token && kubeconfig_check_token(token, err) < 0)
        return err_wrap(err, "%s: the token", auth->token.path ? auth->token.path : c->source);
    struct identity *next = XNEW(struct identity);
    next->refs = 1;
    if (auth->identity && same_tls(auth->identity->tls, &tls)) {
        next->box = auth->identity->box;
        next->box->refs++;
    } else {
        next->box = tls_box_new(&tls);
    }
    next->tls = &next->box->tls;
    next->authorization = authorization_line(c, token);
    identity_unref(auth->identity);
    auth->identity = next;
    return 0;
}

/* The list hangs on a local variable meanwhile: auth is not looked at again once the first of them was
 * called, and those behind can still be taken out of it by auth_unwait. */
static void wake_waiters(struct auth *auth) {
    struct auth_waiter *list = auth->waiters;

    /* those who wait again during the round belong to the next one */
    auth->waiters = NULL;
    if (list)
        list->link = &list;
    while (list) {
        struct auth_waiter *w = list;
        auth_unwait(w);
        w->fn(w->arg);
    }
}

static void on_plugin_done(void *arg, struct exec_credential *credential, const struct err *err) {
    struct auth *auth = arg;

    if (err) {
        auth->plugin_err = *err;
        auth->failed_at = loop_now(auth->loop);
        auth->have_credential = false;
    } else {
        exec_credential_done(&auth->credential);
        auth->credential = *credential;
        *credential = (struct exec_credential){0};
        auth->have_credential = true;
        auth->got_at = loop_now(auth->loop);
        err_clear(&auth->plugin_err);
        identity_unref(steal_ptr(&auth->identity));
    }
    wake_waiters(auth); /* last: one of them may free auth */
}

struct auth *auth_new(struct loop *loop, const struct kubeconfig *config) {
    struct auth *auth = XNEW(struct auth);

    auth->loop = loop;
    auth->config = config;
    auth->token.path = config->token_file;
    auth->ca.path = config->ca_file;
    auth->cert.path = config->cert_file;
    auth->key.path = config->key_file;
    /* a token that is given in the file goes before the plugin, as in client-go */
    if (config->exec.command && !config->token && !config->token_file)
        auth->plugin = exec_plugin_new(loop, config, on_plugin_done, auth);
    return auth;
}

void auth_free(struct auth *auth) {
    if (!auth)
        return;
    while (auth->waiters)
        auth_unwait(auth->waiters);
    exec_plugin_free(auth->plugin);
    exec_credential_done(&auth->credential);
    identity_unref(auth->identity);
    file_followed_done(&auth->token);
    file_followed_done(&auth->ca);
    file_followed_done(&auth->cert);
    file_followed_done(&auth->key);
    free(auth);
}

/* expires is wall time, as the plugin has written it; got_at is the loop's, which nobody sets. */
static bool credential_is_good(const struct auth *auth) {
    const struct exec_credential *cred = &auth->credential;

    if (!auth->have_credential)
        return false;
    return cred->expires == 0 || clock_wall() < cred->expires ||
           loop_now(auth->loop) - auth->got_at < CREDENTIAL_MIN_LIFE;
}

/* -EAGAIN means "wait for the plugin" here, so that a failure of the plugin may not carry that code. */
static int ensure_credential(struct auth *auth, struct err *err) {
    if (!auth->plugin)
        return 0;
    if (exec_plugin_running(auth->plugin))
        return -EAGAIN;
    if (credential_is_good(auth))
        return 0;
    if (auth->plugin_err.code && loop_now(auth->loop) - auth->failed_at < PLUGIN_PAUSE)
        return err_set(err, auth->plugin_err.code == -EAGAIN ? -EACCES : auth->plugin_err.code, "%s",
                       auth->plugin_err.text);
    exec_plugin_run(auth->plugin, 0);
    return -EAGAIN;
}

/* A projected token is renewed in its file about every 50 minutes, certificates by whoever rotates them: so
 * the files are looked at with each request. A token in the kubeconfig stands in for a file that cannot be
 * read. */
static int refresh_files(struct auth *auth, bool *ret_changed, struct err *err) {
    struct file_followed *files[] = {&auth->ca, &auth->cert, &auth->key};
    struct err why = {0};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        int r = file_follow(files[i], auth->reread, ret_changed, err);
        if (r < 0)
            return r;
    }
    int r = file_follow(&auth->token, auth->reread, ret_changed, &why);
    if (r < 0 && !auth->config->token)
        return err_set(err, r, "tokenFile: %s", err_text(&why));
    auth->reread = false;
    return 0;
}

int auth_get(struct auth *auth, struct identity **ret_identity, struct err *err) {
    bool changed = !auth->identity;

    int r = ensure_credential(auth, err);
    if (r == 0)
        r = refresh_files(auth, &changed, err);
    if (r < 0)
        return r;
    /* the plugin's answer has dropped the identity; changed files replace it */
    if (changed || !auth->identity)
        r = build_identity(auth, err);
    if (r < 0 || !auth->identity)
        return r;
    auth->identity->refs++;
    *ret_identity = auth->identity;
    return 0;
}

void auth_wait(struct auth *auth, struct auth_waiter *waiter) {
    struct auth_waiter **last = &auth->waiters;

    while (*last)
        last = &(*last)->next;
    waiter->next = NULL;
    waiter->link = last;
    *last = waiter;
}

void auth_unwait(struct auth_waiter *waiter) {
    if (!waiter->link)
        return;
    *waiter->link = waiter->next;
    if (waiter->next)
        waiter->next->link = waiter->link;
    waiter->link = NULL;
    waiter->next = NULL;
}

bool auth_refused(struct auth *auth, const struct identity *identity) {
    const struct kubeconfig *c = auth->config;
    usec_t now = loop_now(auth->loop);

    /* Refused was an older one: what there is now has not been tried. */
    if (identity != auth->identity)
        return true;
    if (auth->plugin) {
        if (exec_plugin_running(auth->plugin))
            return true;
        /* A credential that the server does not know stays unknown: the plugin would run once a request. */
        if (auth->refused_at && now - auth->refused_at < REFUSED_PAUSE)
            return false;
        auth->refused_at = now;
        auth->have_credential = false;
        return true;
    }
    auth->reread = true;
    return c->token_file || c->cert_file;
}
