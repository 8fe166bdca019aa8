/* Whom to trust, and what a request shows of who asks. The authorities come from flags, or from the ConfigMap
 * that each cluster keeps for aggregated apiservers, and go to the TLS server as they change.
 *
 * There are two of them, and they mean different things: whoever holds a certificate of the front proxy's may
 * say who asks, in headers; one of the clients' says only who its holder is. Each may come from a file of its
 * own while the other one is the ConfigMap's. What was trusted once is lost only when a newer text says so:
 * neither a file that is gone nor a ConfigMap that is garbled may lock the whole cluster out. */
#include "adapter/access.h"

#include "adapter/access_internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

#define DEFAULT_TTL (10 * USEC_PER_SEC)
/* Costs a stat(2) for each file. Authorities overlap when they are rotated, so that nobody waits for this. */
#define FILES_EVERY (10 * USEC_PER_SEC)

static const char subject[] = "kube-system/extension-apiserver-authentication";
/* The default of --authorization-always-allow-paths: probes come without credentials. */
static const char *const open_paths[] = {"/healthz", "/readyz", "/livez", NULL};

/* ---- authorities ---- */

/* Gives the server what is trusted now; an authority that cannot be read leaves the one before. What the
 * server has is kept in trusted: an update that leaves an authority alone is nothing to log. */
static void trust(struct access *a) {
    const char *const of_configmap[HTTPS_CAS] = {
        [HTTPS_CA_FRONT_PROXY] = a->config.front_proxy_ca, [HTTPS_CA_CLIENT] = a->config.client_ca};

    for (int i = 0; i < HTTPS_CAS; i++) {
        const char *pem = a->files[i].path ? a->files[i].text : of_configmap[i];
        struct err err = {0};
        if (str_eq(pem, a->trusted[i]))
            continue;
        if (httpsserver_set_authority(a->server, (enum https_ca)i, pem, &err) < 0) {
            /* not noted in trusted: the next change, of whichever authority, tries this text again */
            log_warn(a->files[i].path ? a->files[i].path : subject, "refused, the last one stays: %s",
                     err_text(&err));
            continue;
        }
        free(a->trusted[i]);
        a->trusted[i] = pem ? xstrdup(pem) : NULL;
        log_info(NULL, "%s: %s", i == HTTPS_CA_CLIENT ? "client CA" : "front-proxy CA",
                 pem ? "taken over" : "none");
    }
}

static void on_files_due(void *arg) {
    struct access *a = arg;
    bool changed = false;

    for (int i = 0; i < HTTPS_CAS; i++)
        file_follow(&a->files[i], /* force= */ false, &changed, NULL); /* what was read once stays */
    if (changed)
        trust(a);
    loop_timer_set(a->files_due, FILES_EVERY);
}

/* A ConfigMap that is deleted, or garbled, changes nothing: the apiserver writes it anew. names may point
 * into config, which is replaced in place: so the new names are in force at once. */
static void on_configmap(void *arg, const json_t *object) {
    struct access *a = arg;
    struct access_config config;
    struct err err = {0};

    if (!object) {
        log_warn(subject, "is not there: %s",
                 a->looked ? "what it said stays" : "no front proxy and no client certificate is trusted");
        a->looked = true;
        return;
    }
    if (access_config_read(object, &config, &err) < 0) {
        log_warn(subject, "refused, the last one stays: %s", err_text(&err));
        return;
    }
    a->looked = true;
    access_config_done(&a->config);
    a->config = config;
    trust(a);
}

/* ---- who asks ---- */

static void on_user(void *arg, const char *name, const char *value) {
    (void)name;
    identity_draft_user(arg, value);
}

static void on_uid(void *arg, const char *name, const char *value) {
    (void)name;
    identity_draft_uid(arg, value);
}

static void on_group(void *arg, const char *name, const char *value) {
    (void)name;
    identity_draft_group(arg, value);
}

struct extra_reader {
    struct identity_draft *draft;
    size_t prefix;
};

static void on_extra(void *arg, const char *name, const char *value) {
    const struct extra_reader *reader = arg;

    identity_draft_extra_header(reader->draft, name + reader->prefix, value);
}

/* What the front proxy says of whom it speaks for; NULL: it names nobody, and then its other headers count
 * for nothing (headerrequest/requestheader.go of k8s.io/apiserver): it may bring credentials of its own. */
static struct access_identity *proxied(const struct access_names *names,
                                       const struct https_request *request) {
    struct identity_draft draft;

    identity_draft_init(&draft);
    for (const char *const *name = names->user; *name; name++)
        https_header(request, *name, on_user, &draft);
    if (!draft.user)
        return identity_draft_finish(&draft);
    for (const char *const *name = names->uid; *name; name++)
        https_header(request, *name, on_uid, &draft);
    for (const char *const *name = names->group; *name; name++)
        https_header(request, *name, on_group, &draft);
    for (const char *const *prefix = names->extra_prefix; *prefix; prefix++)
        https_header_prefix(request, *prefix, on_extra, &(struct extra_reader){&draft, strlen(*prefix)});
    return identity_draft_finish(&draft);
}

/* Without allowed names every certificate of the authority is a front proxy's. */
static bool is_front_proxy(const struct access *a, const struct https_peer *peer) {
    return peer && peer->verified[HTTPS_CA_FRONT_PROXY] &&
           (!a->names->allowed[0] || access_list_has(a->names->allowed, str_or_empty(peer->common_name)));
}

/* A client certificate names the user by its common name, the groups by its organizations, as
 * CommonNameUserConversion of k8s.io/apiserver has it. NULL: it has no common name. */
static struct access_identity *certified(const struct https_peer *peer) {
    struct identity_draft draft;

    identity_draft_init(&draft);
    identity_draft_user(&draft, str_or_empty(peer->common_name));
    for (const char *const *o = peer->organizations; o && *o; o++)
        identity_draft_group(&draft, *o);
    return identity_draft_finish(&draft);
}

/* In the order of an aggregated apiserver: the front proxy, the client certificate, the token. A certificate
 * that verifies and makes nobody of its holder is an error; one that does not is as none (peer is NULL), and
 * who shows nothing else is anonymous. */
enum access_who access_identify(const struct access *a, const struct https_request *request,
                                struct access_identity **ret_identity, const char **ret_token,
                                size_t *ret_len) {
    const struct https_peer *peer = request->peer;
    struct access_identity *identity = is_front_proxy(a, peer) ? proxied(a->names, request) : NULL;

    if (!identity && peer && peer->verified[HTTPS_CA_CLIENT])
        identity = certified(peer);
    if (!identity) {
        *ret_token = access_bearer_token(https_header_first(request, "Authorization"), ret_len);
        if (*ret_token)
            return WHO_TOKEN;
        if (peer)
            return WHO_NOBODY;
        identity = access_identity_ref(a->anonymous);
    }
    *ret_identity = identity;
    return WHO_KNOWN;
}

/* ---- life ---- */

/* NULL is not the empty list: a flag that is not given leaves the default, one that is empty empties it. */
static const char *const *copy_list(struct arena *arena, const char *const *list,
                                    const char *const *otherwise) {
    size_t n = 0;

    if (!list)
        return otherwise;
    while (list[n])
        n++;
    const char **copy = ARENA_ARRAY(arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        copy[i] = arena_strdup(arena, list[i]);
    return copy;
}

static void copy_options(struct access *a, const struct access_options *o) {
    const struct access_names *otherwise = &access_default_names;

    a->options = *o;
    a->names_of_flag = (struct access_names){
        .allowed = copy_list(&a->arena, o->requestheader_allowed_names, otherwise->allowed),
        .user = copy_list(&a->arena, o->requestheader_username_headers, otherwise->user),
        /* No flag of the original names the header of the uid. */
        .uid = otherwise->uid,
        .group = copy_list(&a->arena, o->requestheader_group_headers, otherwise->group),
        .extra_prefix = copy_list(&a->arena, o->requestheader_extra_headers_prefix, otherwise->extra_prefix)};
    a->options.always_allow_paths = copy_list(&a->arena, o->always_allow_paths, open_paths);
    usec_t *const ttls[] = {&a->options.token_ttl, &a->options.authorized_ttl, &a->options.unauthorized_ttl};
    for (size_t i = 0; i < sizeof(ttls) / sizeof(ttls[0]); i++)
        if (*ttls[i] == 0)
            *ttls[i] = DEFAULT_TTL;
}

/* The files of flags; one that cannot be read at the start is an error. */
static int read_files(struct access *a, struct err *err) {
    const char *const paths[HTTPS_CAS] = {[HTTPS_CA_FRONT_PROXY] = a->options.requestheader_client_ca_file,
                                          [HTTPS_CA_CLIENT] = a->options.client_ca_file};
    bool changed = false;

    for (int i = 0; i < HTTPS_CAS; i++) {
        a->files[i].path = paths[i] ? arena_strdup(&a->arena, paths[i]) : NULL;
        if (file_follow(&a->files[i], /* force= */ true, &changed, err) < 0)
            return err ? (err->code = -EINVAL) : -EINVAL;
    }
    /* Names belong to the authority that they were given with: those of flags say nothing of another one. */
    a->names = paths[HTTPS_CA_FRONT_PROXY] ? &a->names_of_flag : &a->config.names;
    return 0;
}

/* As trust, but for files that must be good. */
static int trust_files(struct access *a, struct err *err) {
    for (int i = 0; i < HTTPS_CAS; i++) {
        if (!a->files[i].path)
            continue;
        if (httpsserver_set_authority(a->server, (enum https_ca)i, a->files[i].text, err) < 0) {
            err_wrap(err, "%s", a->files[i].path);
            return -EINVAL;
        }
        a->trusted[i] = xstrdup(a->files[i].text);
    }
    return 0;
}

int access_new(struct loop *loop, struct kube *kube, struct httpsserver *server,
               const struct access_options *options, struct access **ret_access, struct err *err) {
    struct access *a = XNEW(struct access);

    a->loop = loop;
    a->kube = kube;
    a->server = server;
    arena_init(&a->arena, 0);
    a->config.names = access_default_names;
    a->anonymous = access_identity_anonymous();
    copy_options(a, options);
    access_reviews_init(a);
    int ret = digest_key_new(&a->token_key, err);
    if (ret == 0)
        ret = read_files(a, err);
    if (ret == 0)
        ret = trust_files(a, err);
    if (ret < 0) {
        access_free(a);
        return ret;
    }
    /* Where both authorities are given nothing is left that the ConfigMap could say, and no right to it is
     * needed. */
    bool all_given = a->files[HTTPS_CA_CLIENT].path && a->files[HTTPS_CA_FRONT_PROXY].path;
    if (!options->skip_lookup && !all_given)
        a->configmap = kubeobject_follow(loop, kube, "/api/v1/namespaces/kube-system/configmaps",
                                         "extension-apiserver-authentication", on_configmap, a);
    a->files_due = loop_timer_new(loop, on_files_due, a);
    loop_timer_set(a->files_due, FILES_EVERY);
    *ret_access = a;
    return 0;
}

void access_free(struct access *a) {
    if (!a)
        return;
    kubeobject_free(a->configmap);
    access_reviews_done(a);
    loop_timer_free(a->files_due);
    for (int i = 0; i < HTTPS_CAS; i++) {
        file_followed_done(&a->files[i]);
        free(a->trusted[i]);
    }
    access_config_done(&a->config);
    access_identity_unref(a->anonymous);
    arena_done(&a->arena);
    free(a);
}

/* Before that the front proxy is a stranger, and all that it passes on would be refused: it is better not to
 * be ready. */
bool access_ready(const struct access *a) {
    return !a->configmap || a->looked ||
           (a->options.tolerate_lookup_failure && kubeobject_error(a->configmap)->code);
}

const struct err *access_error(const struct access *a) {
    static const struct err none;

    return a->configmap ? kubeobject_error(a->configmap) : &none;
}

void access_stats(const struct access *a, struct access_stats *ret_stats) {
    *ret_stats = a->stats;
}
