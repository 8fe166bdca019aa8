/* Where the configuration is: a given file, the service account of a pod, $KUBECONFIG, the home folder. The
 * first of them that is there is the one, and must be good: going on to the next would reach another cluster
 * than was meant. */
#include "api/client/kubeconfig.h"

#include "api/client/file.h"
#include "api/client/kubeconfig_internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As many files of $KUBECONFIG as kubeconfig.c takes. A namespace is a label of RFC 1123, of at most 63
 * characters, and its file may end with a line end. */
enum { FILES_MAX = 32, PEM_MAX = 1024 * 1024, NAMESPACE_MAX = 256, SERVER_MAX = 2048 };

/* The same in every pod; client-go has it built in too (rest.InClusterConfig). */
static const char account_dir[] = "/var/run/secrets/kubernetes.io/serviceaccount";

struct kubeconfig *kubeconfig_alloc(void) {
    struct kubeconfig *c = XNEW(struct kubeconfig);

    arena_init(&c->arena, 0);
    c->namespace_ = "default";
    return c;
}

void kubeconfig_free(struct kubeconfig *config) {
    if (!config)
        return;
    arena_done(&config->arena);
    free(config);
}

/* A file without a folder in its name lies in ours, and so do the paths in it. */
const char *kubeconfig_path(struct arena *arena, const char *file, const char *path) {
    const char *slash = strrchr(file, '/');

    if (path[0] == '/' || !slash)
        return arena_strdup(arena, path);
    return arena_printf(arena, "%.*s/%s", (int)(slash - file), file, path);
}

/* The host of an URL's rest ("host:port/prefix", "[::1]:6443") is this machine. What follows must end the
 * host: anybody may own localhost.example. strchr finds the NUL as well, of a URL that ends there. */
static bool is_loopback(const char *rest) {
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = strlen(names[i]);
        if (strncmp(rest, names[i], len) == 0 && strchr(":/", rest[len]))
            return true;
    }
    return false;
}

static const char *after_scheme(const char *url) {
    if (str_starts(url, "https://"))
        return url + strlen("https://");
    return str_starts(url, "http://") ? url + strlen("http://") : NULL;
}

/* Requests and watches put their paths behind this text as it is, so that nothing may stand in it which would
 * turn them into something else: no query, no fragment, no user, no slash at its end. */
int kubeconfig_check_server(struct arena *arena, const char **server, struct err *err) {
    const char *url = *server, *rest = after_scheme(url);
    size_t len = strlen(url);

    if (!rest)
        return err_set(err, -EINVAL, "\"%.80s\" must begin with https://", url);
    if (len > SERVER_MAX || !rest[0] || strchr("/:", rest[0]) || strpbrk(rest, " \t\r\n?#@\\"))
        return err_set(err, -EINVAL, "\"%.80s\" is not of the form https://HOST[:PORT][/PREFIX]", url);
    if (str_starts(url, "http://") && !is_loopback(rest))
        return err_set(err, -EINVAL,
                       "\"%.80s\" is not encrypted: use https:// (http:// is taken for localhost alone)",
                       url);
    while (url[len - 1] == '/')
        len--;
    *server = arena_strndup(arena, url, len);
    return 0;
}

/* The token is written into a header line as it is: a line end in it would begin another header. All that
 * RFC 6750 (2.1) allows in one is printable. */
int kubeconfig_check_token(const char *token, struct err *err) {
    for (const unsigned char *p = (const unsigned char *)token; *p; p++)
        if (*p <= ' ' || *p >= 0x7f)
            return err_set(err, -EINVAL,
                           "holds a character other than printable ASCII, which no bearer token does");
    return 0;
}

static int in_cluster_server(struct kubeconfig *c, struct err *err) {
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    int64_t number = 0;

    if (!host || !host[0])
        return err_set(err, -ENOENT, "in-cluster: KUBERNETES_SERVICE_HOST is not set: this is not a pod");
    if (!port || str_to_i64(port, &number) < 0 || number < 1 || number > 65535)
        return err_set(err, -EINVAL, "in-cluster: KUBERNETES_SERVICE_PORT is \"%.20s\", not a port",
                       str_or_empty(port));
    /* An IPv6 address stands bare in the variable, and in brackets in a URL (RFC 3986, 3.2.2). */
    c->server = arena_printf(&c->arena, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
    if (kubeconfig_check_server(&c->arena, &c->server, err) < 0)
        return err_wrap(err, "in-cluster: KUBERNETES_SERVICE_HOST");
    return 0;
}

/* The token is read only to find out now that it can be: its text is renewed, and auth.c follows the file.
 * The namespace may be missing: what depends on it has "default" then. */
static int in_cluster_files(struct kubeconfig *c, const char *dir, struct err *err) {
    cleanup_free char *ca = NULL, *ns = NULL, *token = NULL;

    c->token_file = arena_printf(&c->arena, "%s/token", dir);
    c->ca_file = arena_printf(&c->arena, "%s/ca.crt", dir);
    int r = file_read(c->token_file, PEM_MAX, &token, NULL, NULL, err);
    if (r == 0)
        r = file_read(c->ca_file, PEM_MAX, &ca, NULL, NULL, err);
    if (r < 0)
        return err_wrap(err, "in-cluster (automountServiceAccountToken of the pod or its service account?)");
    if (!ca || !strstr(ca, "-----BEGIN "))
        return err_set(err, -EINVAL, "in-cluster: %s holds no PEM text (no -----BEGIN line)", c->ca_file);
    c->ca_pem = arena_strdup(&c->arena, ca);
    if (file_read(arena_printf(&c->arena, "%s/namespace", dir), NAMESPACE_MAX, &ns, NULL, NULL, NULL) == 0) {
        ns[strcspn(ns, " \t\r\n")] = '\0';
        if (ns[0])
            c->namespace_ = arena_strdup(&c->arena, ns);
    }
    return 0;
}

int kubeconfig_in_cluster(const char *root, struct kubeconfig **ret_config, struct err *err) {
    cleanup(kubeconfig_cleanup) struct kubeconfig *c = kubeconfig_alloc();

    c->source = "in-cluster";
    int r = in_cluster_server(c, err);
    if (r == 0)
        r = in_cluster_files(c, arena_printf(&c->arena, "%s%s", root, account_dir), err);
    if (r < 0)
        return r;
    *ret_config = steal_ptr(&c);
    return 0;
}

/* The variable alone may come from anywhere; a pod without a mounted token can do nothing as one. */
static bool in_a_pod(void) {
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    cleanup_free char *token = xasprintf("%s/token", account_dir);

    return host && host[0] && access(token, R_OK) == 0;
}

/* The files of $KUBECONFIG that are there; those that are not are passed over, as kubectl does. */
static int load_list(const char *list, const char *context, struct kubeconfig **ret_config, struct err *err) {
    cleanup_arena struct arena arena;
    const char *paths[FILES_MAX];
    size_t count = 0;

    arena_init(&arena, 0);
    for (const char *p = list; *p && count < FILES_MAX;) {
        size_t len = strcspn(p, ":");
        const char *path = arena_strndup(&arena, p, len);
        if (len > 0 && access(path, F_OK) == 0)
            paths[count++] = path;
        p += len + (p[len] == ':');
    }
    if (count == 0)
        return err_set(err, -ENOENT, "KUBECONFIG is \"%.200s\": there is no such file", list);
    return kubeconfig_load_files(paths, count, context, ret_config, err);
}

static int load_home(const char *context, struct kubeconfig **ret_config, struct err *err) {
    const char *home = getenv("HOME");
    cleanup_free char *path = xasprintf("%s/.kube/config", str_or_empty(home));

    if (access(path, F_OK) != 0)
        return err_set(
            err, -ENOENT,
            "no cluster is configured: give --kubeconfig FILE, set KUBECONFIG, or put a file at %s "
            "(and this is not a pod with a service account)",
            path);
    return kubeconfig_load(path, context, ret_config, err);
}

/* A context is a name in a file: who gives one wants a file, in a pod too. */
int kubeconfig_find(const char *path, const char *context, struct kubeconfig **ret_config, struct err *err) {
    const char *list = getenv("KUBECONFIG");

    if (path && path[0])
        return kubeconfig_load(path, context, ret_config, err);
    if (!context && in_a_pod())
        return kubeconfig_in_cluster("", ret_config, err);
    if (list && list[0])
        return load_list(list, context, ret_config, err);
    return load_home(context, ret_config, err);
}
