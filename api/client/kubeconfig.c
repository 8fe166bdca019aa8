/* Kubeconfig files: contexts, clusters and users, over one file or the list in $KUBECONFIG. What kubectl
 * would take and we cannot do is refused by the name of its field, never left out in silence.
 *
 * The context is found first, then its cluster and its user, each in the first file that has one of the name;
 * the take_ functions then fill the configuration part by part. They copy what they keep into its arena: the
 * documents are gone when kubeconfig_load_files returns. Paths count from the file that the entry stands in,
 * which need not be the context's. */
#include "api/client/kubeconfig.h"

#include "api/client/file.h"
#include "api/client/kubeconfig_internal.h"
#include "api/types/yaml_doc.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/base64.h"
#include <errno.h>
#include <string.h>

/* Bundles of CAs are the largest PEM files: a system's whole store is about 250 KiB. */
enum { FILES_MAX = 32, PEM_MAX = 1024 * 1024 };

/* The files of one lookup, in order. */
struct fileset {
    struct yaml_doc docs[FILES_MAX];
    size_t count;
};

/* One entry of contexts, clusters or users, found by its name. */
struct entry {
    struct yaml_doc *doc;
    yaml_node_t *node; /* the mapping below "context", "cluster" or "user"; may be NULL */
    const char *what;  /* "user \"admin\"", for messages */
};

static void fileset_done(struct fileset *set) {
    for (size_t i = 0; i < set->count; i++)
        yaml_doc_done(&set->docs[i]);
}

/* A scalar field of an entry: 0 with NULL where it is absent or empty. */
static int get_text(const struct entry *e, const char *field, const char **ret_text, struct err *err) {
    yaml_node_t *node = yaml_get(e->doc, e->node, field);

    *ret_text = NULL;
    if (!node)
        return 0;
    const char *text = yaml_text(node);
    if (!text)
        return yaml_err(err, e->doc, node, "%s: %s must be a string", e->what, field);
    if (strlen(text) != node->data.scalar.length)
        return yaml_err(err, e->doc, node, "%s: %s holds a NUL character", e->what, field);
    *ret_text = text[0] ? text : NULL;
    return 0;
}

/* As get_text, copied into the configuration. */
static int take_text(struct kubeconfig *c, const struct entry *e, const char *field, const char **ret_text,
                     struct err *err) {
    const char *text = NULL;

    int r = get_text(e, field, &text, err);
    if (r == 0 && text)
        *ret_text = arena_strdup(&c->arena, text);
    return r;
}

/* A path, taken from the folder of the file that names it. */
static int take_path(struct kubeconfig *c, const struct entry *e, const char *field, const char **ret_path,
                     struct err *err) {
    const char *path = NULL;

    int r = get_text(e, field, &path, err);
    if (r == 0 && path)
        *ret_path = kubeconfig_path(&c->arena, e->doc->path, path);
    return r;
}

/* Where one PEM text goes: the names of its two fields and what they fill. */
struct pem_field {
    const char *file_field, *data_field;
    const char **ret_pem, **ret_file;
};

/* OpenSSL would tell of a wrong text with the first connection only, and without the field's name. */
static int take_pem_data(struct kubeconfig *c, const struct entry *e, const struct pem_field *f,
                         const char *data, struct err *err) {
    cleanup_free char *pem = NULL;
    yaml_node_t *at = yaml_get(e->doc, e->node, f->data_field);
    struct err why = {0};

    if (base64_decode(data, &pem, NULL, &why) < 0)
        return yaml_err(err, e->doc, at, "%s: %s is not base64: %s", e->what, f->data_field, err_text(&why));
    if (!strstr(pem, "-----BEGIN "))
        return yaml_err(err, e->doc, at, "%s: %s holds no PEM text (no -----BEGIN line) once decoded",
                        e->what, f->data_field);
    *f->ret_pem = arena_strdup(&c->arena, pem);
    return 0;
}

/* The text is read here, so that a wrong path is an error of the file and tells its line; that there is a
 * path makes auth.c read it again when it changes. */
static int take_pem_file(struct kubeconfig *c, const struct entry *e, const struct pem_field *f,
                         const char *path, struct err *err) {
    cleanup_free char *pem = NULL;
    yaml_node_t *at = yaml_get(e->doc, e->node, f->file_field);
    struct err why = {0};

    if (file_read(path, PEM_MAX, &pem, NULL, NULL, &why) < 0)
        return yaml_err(err, e->doc, at, "%s: %s: %s", e->what, f->file_field, err_text(&why));
    if (!strstr(pem, "-----BEGIN "))
        return yaml_err(err, e->doc, at, "%s: %s: %s holds no PEM text (no -----BEGIN line)", e->what,
                        f->file_field, path);
    *f->ret_pem = arena_strdup(&c->arena, pem);
    *f->ret_file = path;
    return 0;
}

/* X or X-data; the data win where both are given, as in client-go. */
static int take_pem(struct kubeconfig *c, const struct entry *e, const struct pem_field *f, struct err *err) {
    const char *data = NULL, *path = NULL;

    int r = get_text(e, f->data_field, &data, err);
    if (r == 0)
        r = take_path(c, e, f->file_field, &path, err);
    if (r < 0)
        return r;
    if (data)
        return take_pem_data(c, e, f, data, err);
    return path ? take_pem_file(c, e, f, path, err) : 0;
}

/* For fields that weaken or change who we are: leaving them out in silence would connect otherwise than the
 * file says. A value that is no text, as auth-provider's, is refused whatever is in it. */
static int refuse_true(const struct entry *e, const char *field, const char *change, struct err *err) {
    yaml_node_t *node = yaml_get(e->doc, e->node, field);
    const char *text = yaml_text(node);

    if (!node || (text && (!text[0] || str_eq(text, "false") || str_eq(text, "False"))))
        return 0;
    return yaml_err(err, e->doc, node, "%s: %s is not supported: %s", e->what, field, change);
}

static int take_server(struct kubeconfig *c, const struct entry *e, struct err *err) {
    yaml_node_t *at = yaml_get(e->doc, e->node, "server");
    struct err why = {0};

    int r = take_text(c, e, "server", &c->server, err);
    if (r < 0)
        return r;
    if (!c->server)
        return yaml_err(err, e->doc, e->node,
                        "%s: server is missing: give the apiserver's URL, https://HOST:PORT", e->what);
    if (kubeconfig_check_server(&c->arena, &c->server, &why) < 0)
        return yaml_err(err, e->doc, at, "%s: server: %s", e->what, err_text(&why));
    return 0;
}

static int take_proxy(struct kubeconfig *c, const struct entry *e, struct err *err) {
    int r = take_text(c, e, "proxy-url", &c->proxy_url, err);

    if (r < 0 || !c->proxy_url || str_starts(c->proxy_url, "http://") || str_starts(c->proxy_url, "https://"))
        return r;
    return yaml_err(err, e->doc, yaml_get(e->doc, e->node, "proxy-url"),
                    "%s: proxy-url must begin with http:// or https://, not \"%.60s\"", e->what,
                    c->proxy_url);
}

static int take_cluster(struct kubeconfig *c, const struct entry *e, struct err *err) {
    const struct pem_field ca = {"certificate-authority", "certificate-authority-data", &c->ca_pem,
                                 &c->ca_file};

    int r = take_server(c, e, err);
    if (r == 0)
        r = refuse_true(
            e, "insecure-skip-tls-verify",
            "TLS is always verified. Take it out and give the cluster's CA in "
            "certificate-authority-data (and tls-server-name, where the certificate has another name)",
            err);
    if (r == 0)
        r = take_pem(c, e, &ca, err);
    if (r == 0)
        r = take_text(c, e, "tls-server-name", &c->server_name, err);
    return r < 0 ? r : take_proxy(c, e, err);
}

/* Client certificate and key, which go together. */
static int take_client_cert(struct kubeconfig *c, const struct entry *e, struct err *err) {
    const struct pem_field cert = {"client-certificate", "client-certificate-data", &c->cert_pem,
                                   &c->cert_file};
    const struct pem_field key = {"client-key", "client-key-data", &c->key_pem, &c->key_file};

    int r = take_pem(c, e, &cert, err);
    if (r == 0)
        r = take_pem(c, e, &key, err);
    if (r < 0)
        return r;
    if (c->cert_pem && !c->key_pem)
        return yaml_err(err, e->doc, e->node,
                        "%s: client-certificate is given without its key: add client-key or client-key-data",
                        e->what);
    if (c->key_pem && !c->cert_pem)
        return yaml_err(err, e->doc, e->node,
                        "%s: client-key is given without a certificate: add client-certificate or "
                        "client-certificate-data",
                        e->what);
    return 0;
}

/* token and tokenFile may both be given: which of them counts is auth.c's to know. */
static int take_token(struct kubeconfig *c, const struct entry *e, struct err *err) {
    struct err why = {0};

    int r = take_text(c, e, "token", &c->token, err);
    if (r == 0)
        r = take_path(c, e, "tokenFile", &c->token_file, err);
    if (r < 0 || !c->token)
        return r;
    if (kubeconfig_check_token(c->token, &why) < 0)
        return yaml_err(err, e->doc, yaml_get(e->doc, e->node, "token"), "%s: token: %s", e->what,
                        err_text(&why));
    return 0;
}

/* A colon ends the name in RFC 7617's user:password, so that a name with one would become another user. */
static int take_basic(struct kubeconfig *c, const struct entry *e, struct err *err) {
    int r = take_text(c, e, "username", &c->username, err);

    if (r == 0)
        r = take_text(c, e, "password", &c->password, err);
    if (r < 0)
        return r;
    if (c->username && (c->token || c->token_file))
        return yaml_err(err, e->doc, e->node, "%s: token and username are both given: keep one of them",
                        e->what);
    if (c->username && strchr(c->username, ':'))
        return yaml_err(err, e->doc, yaml_get(e->doc, e->node, "username"),
                        "%s: username must not hold a colon", e->what);
    if (c->password && !c->username)
        return yaml_err(err, e->doc, e->node, "%s: password is given without username", e->what);
    return 0;
}

/* Who acts as somebody else sends headers that name them. Without these a request would have the rights of
 * the user alone, often more than was meant. */
static int refuse_others(const struct entry *e, struct err *err) {
    static const char *const act_as[] = {"as", "as-uid", "as-groups", "as-user-extra"};

    int r =
        refuse_true(e, "auth-provider",
                    "Kubernetes 1.26 removed it too. Use an exec plugin (for example gke-gcloud-auth-plugin, "
                    "kubelogin) or a token",
                    err);
    for (size_t i = 0; r == 0 && i < sizeof(act_as) / sizeof(act_as[0]); i++)
        r = refuse_true(e, act_as[i], "take it out, or use a user who has the rights themself", err);
    return r;
}

/* A single text where a list belongs would be no list at all, and the plugin would run without it. */
static int check_lists(const struct entry *x, struct err *err) {
    static const char *const lists[] = {"args", "env"};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const yaml_node_t *list = yaml_get(x->doc, x->node, lists[i]);
        if (list && list->type != YAML_SEQUENCE_NODE)
            return yaml_err(err, x->doc, list, "%s: %s must be a list", x->what, lists[i]);
    }
    return 0;
}

/* Never NULL where all is well, here and in take_env: no list is an array of the NULL at its end. */
static const char *const *take_args(struct kubeconfig *c, const struct entry *e, yaml_node_t *list,
                                    struct err *err) {
    size_t n = 0;

    while (yaml_item(e->doc, list, n))
        n++;
    const char **args = ARENA_ARRAY(&c->arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        yaml_node_t *item = yaml_item(e->doc, list, i);
        if (!yaml_text(item)) {
            yaml_err_set(err, e->doc, item, "%s: exec.args[%zu] must be a string", e->what, i);
            return NULL;
        }
        args[i] = arena_strdup(&c->arena, yaml_text(item));
    }
    return args;
}

static const char *const *take_env(struct kubeconfig *c, const struct entry *e, yaml_node_t *list,
                                   struct err *err) {
    size_t n = 0;

    while (yaml_item(e->doc, list, n))
        n++;
    const char **env = ARENA_ARRAY(&c->arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        yaml_node_t *item = yaml_item(e->doc, list, i);
        const char *name = yaml_text(yaml_get(e->doc, item, "name"));
        if (!name || !name[0] || strchr(name, '=')) {
            yaml_err_set(err, e->doc, item, "%s: exec.env[%zu].name must be the name of a variable", e->what,
                         i);
            return NULL;
        }
        env[i] =
            arena_printf(&c->arena, "%s=%s", name, str_or_empty(yaml_text(yaml_get(e->doc, item, "value"))));
    }
    return env;
}

/* IfAvailable is as good as Never, for there is no terminal: KUBERNETES_EXEC_INFO says so to the plugin.
 * v1alpha1 is gone since Kubernetes 1.24. */
static int check_exec(const struct kubeconfig *c, const struct entry *x, struct err *err) {
    const char *version = c->exec.api_version;
    const char *mode = yaml_text(yaml_get(x->doc, x->node, "interactiveMode"));

    if (!c->exec.command)
        return yaml_err(err, x->doc, x->node, "%s: command is missing", x->what);
    if (!version)
        return yaml_err(err, x->doc, x->node, "%s: apiVersion is missing: client.authentication.k8s.io/v1",
                        x->what);
    if (!str_eq(version, "client.authentication.k8s.io/v1") &&
        !str_eq(version, "client.authentication.k8s.io/v1beta1"))
        return yaml_err(
            err, x->doc, yaml_get(x->doc, x->node, "apiVersion"),
            "%s: apiVersion \"%.60s\" is not supported: client.authentication.k8s.io/v1 or /v1beta1", x->what,
            version);
    if (str_eq(mode, "Always"))
        return yaml_err(
            err, x->doc, yaml_get(x->doc, x->node, "interactiveMode"),
            "%s: interactiveMode Always cannot be met, there is no terminal: IfAvailable or Never", x->what);
    return 0;
}

static int take_exec(struct kubeconfig *c, const struct entry *e, struct err *err) {
    yaml_node_t *node = yaml_get(e->doc, e->node, "exec");
    struct entry x = {e->doc, node, arena_printf(&c->arena, "%s: exec", e->what)};

    if (!node)
        return 0;
    if (node->type != YAML_MAPPING_NODE)
        return yaml_err(err, e->doc, node, "%s must be a mapping", x.what);
    int r = take_text(c, &x, "command", &c->exec.command, err);
    if (r == 0)
        r = take_text(c, &x, "apiVersion", &c->exec.api_version, err);
    if (r == 0)
        r = take_text(c, &x, "installHint", &c->exec.install_hint, err);
    if (r == 0)
        r = check_exec(c, &x, err);
    if (r == 0)
        r = check_lists(&x, err);
    if (r < 0)
        return r;
    /* a path is taken from the file's folder, a bare name from PATH, as client-go does */
    if (strchr(c->exec.command, '/'))
        c->exec.command = kubeconfig_path(&c->arena, e->doc->path, c->exec.command);
    c->exec.provide_cluster_info = str_eq(yaml_text(yaml_get(e->doc, node, "provideClusterInfo")), "true");
    c->exec.args = take_args(c, e, yaml_get(e->doc, node, "args"), err);
    if (c->exec.args)
        c->exec.env = take_env(c, e, yaml_get(e->doc, node, "env"), err);
    return c->exec.args && c->exec.env ? 0 : -EINVAL;
}

static int take_user(struct kubeconfig *c, const struct entry *e, struct err *err) {
    int r = refuse_others(e, err);

    if (r == 0)
        r = take_client_cert(c, e, err);
    if (r == 0)
        r = take_token(c, e, err);
    if (r == 0)
        r = take_basic(c, e, err);
    return r < 0 ? r : take_exec(c, e, err);
}

/* Finds an entry by name, in the first file that has it: the order of $KUBECONFIG decides, as in kubectl.
 * list is one of our own three words, for which what has room. */
static int find_entry(struct fileset *set, const char *list, const char *name, struct entry *ret_entry) {
    char what[16];

    /* "contexts" holds items with a "context" */
    size_t len = strlen(list) - 1;
    memcpy(what, list, len);
    what[len] = '\0';
    for (size_t f = 0; f < set->count; f++) {
        struct yaml_doc *doc = &set->docs[f];
        yaml_node_t *items = yaml_get(doc, yaml_doc_root(doc), list), *item;
        for (size_t i = 0; (item = yaml_item(doc, items, i)); i++) {
            if (!str_eq(yaml_text(yaml_get(doc, item, "name")), name))
                continue;
            ret_entry->doc = doc;
            ret_entry->node = yaml_get(doc, item, what);
            return 0;
        }
    }
    return -ENOENT;
}

static const char *current_context(struct fileset *set) {
    for (size_t f = 0; f < set->count; f++) {
        const char *name =
            yaml_text(yaml_get(&set->docs[f], yaml_doc_root(&set->docs[f]), "current-context"));
        if (name && name[0])
            return name;
    }
    return NULL;
}

/* The entry of list that the context refers to by field. */
static int follow(struct kubeconfig *c, struct fileset *set, const struct entry *context, const char *field,
                  struct entry *ret_entry, struct err *err) {
    const char *name = NULL;
    const char *list = arena_printf(&c->arena, "%ss", field);

    int r = get_text(context, field, &name, err);
    if (r < 0)
        return r;
    if (!name)
        return yaml_err(err, context->doc, context->node, "%s: %s is missing", context->what, field);
    ret_entry->what = arena_printf(&c->arena, "%s \"%s\"", field, name);
    if (find_entry(set, list, name, ret_entry) < 0)
        return yaml_err(err, context->doc, yaml_get(context->doc, context->node, field),
                        "%s: %s \"%s\" is not among the %s", context->what, field, name, list);
    return 0;
}

static int find_context(struct kubeconfig *c, struct fileset *set, const char *name,
                        struct entry *ret_context, struct err *err) {
    const struct yaml_doc *first = &set->docs[0];

    if (!name)
        name = current_context(set);
    if (!name)
        return yaml_err(
            err, first, NULL,
            "current-context is not set: set it (kubectl config use-context NAME) or name a context");
    ret_context->what = arena_printf(&c->arena, "context \"%s\"", name);
    if (find_entry(set, "contexts", name, ret_context) < 0)
        return yaml_err(err, first, NULL, "there is no context \"%s\" among the contexts", name);
    return 0;
}

static int take_all(struct kubeconfig *c, struct fileset *set, const char *name, struct err *err) {
    struct entry context = {0}, cluster = {0}, user = {0};

    int r = find_context(c, set, name, &context, err);
    if (r == 0)
        r = take_text(c, &context, "namespace", &c->namespace_, err);
    if (r == 0)
        r = follow(c, set, &context, "cluster", &cluster, err);
    if (r == 0)
        r = take_cluster(c, &cluster, err);
    if (r == 0)
        r = follow(c, set, &context, "user", &user, err);
    if (r != 0)
        return r;
    c->source = arena_strdup(&c->arena, context.doc->path);
    return take_user(c, &user, err);
}

/* path becomes the document's name in messages and has to live as long as it does. */
static int load_file(const char *path, struct yaml_doc *ret_doc, struct err *err) {
    cleanup_free char *text = NULL;
    size_t len = 0;

    int ret = file_read(path, YAML_DOC_TEXT_MAX, &text, &len, NULL, err);
    return ret < 0 ? ret : yaml_doc_parse(path, text, len, ret_doc, err);
}

int kubeconfig_load_files(const char *const *paths, size_t count, const char *context,
                          struct kubeconfig **ret_config, struct err *err) {
    cleanup(fileset_done) struct fileset set = {0};

    for (size_t i = 0; i < count && i < FILES_MAX; i++) {
        int r = load_file(paths[i], &set.docs[set.count], err);
        if (r < 0)
            return r;
        /* From here on it is freed with the others. An empty file, without a root, may be in a list. */
        set.count++;
        yaml_node_t *root = yaml_doc_root(&set.docs[i]);
        if (root && root->type != YAML_MAPPING_NODE)
            return yaml_err(err, &set.docs[i], root, "not a kubeconfig: a mapping is wanted");
    }
    cleanup(kubeconfig_cleanup) struct kubeconfig *c = kubeconfig_alloc();
    int r = take_all(c, &set, context, err);
    if (r < 0)
        return r;
    *ret_config = steal_ptr(&c);
    return 0;
}

int kubeconfig_load(const char *path, const char *context, struct kubeconfig **ret_config, struct err *err) {
    return kubeconfig_load_files(&path, 1, context, ret_config, err);
}
