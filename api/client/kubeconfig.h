/* How to reach a cluster and who we are there: from a kubeconfig file or from inside a pod. */
#ifndef API_CLIENT_KUBECONFIG_H
#define API_CLIENT_KUBECONFIG_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include <stdbool.h>

struct kubeconfig_exec {
    const char *command;     /* NULL: none */
    const char *const *args; /* NULL-terminated */
    const char *const *env;  /* "NAME=value", NULL-terminated, added to ours */
    const char *api_version;
    const char *install_hint;
    bool provide_cluster_info;
};

struct kubeconfig {
    struct arena arena;
    const char *server; /* https://host:port[/prefix], without a trailing slash */
    const char *server_name, *proxy_url, *namespace_;
    const char *ca_pem, *cert_pem, *key_pem;
    const char *ca_file, *cert_file, *key_file; /* where the text came from, to be followed; NULL: inline */
    const char *token, *token_file;             /* the file wins; token stands in while it cannot be read */
    const char *username, *password;
    struct kubeconfig_exec exec;
    const char *source; /* the file it came from, or "in-cluster", for messages */
};

/* Finds one: path if given, else in-cluster (service account and KUBERNETES_SERVICE_HOST),
 * else $KUBECONFIG (the first file of a list that has the context), else ~/.kube/config. context NULL:
 * current-context. Relative paths are taken from the file's folder. Owned by the caller. Errors name file,
 * field and what to change; insecure-skip-tls-verify is refused. */
int kubeconfig_find(const char *path, const char *context, struct kubeconfig **ret_config, struct err *err);
int kubeconfig_load(const char *path, const char *context, struct kubeconfig **ret_config, struct err *err);
/* root is "" outside tests: the folder before /var/run/secrets/…; host and port come from the environment. */
int kubeconfig_in_cluster(const char *root, struct kubeconfig **ret_config, struct err *err);
void kubeconfig_free(struct kubeconfig *config);

#endif
