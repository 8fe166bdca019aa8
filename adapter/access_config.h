/* Whom to trust and under which names: what kube-system/extension-apiserver-authentication says, or flags in
 * its place; and the paths that are open to all. Pure. */
#ifndef ADAPTER_ACCESS_CONFIG_H
#define ADAPTER_ACCESS_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>

/* How a front proxy is known and how it tells who asks; NULL-terminated lists, never NULL. */
struct access_names {
    const char *const *allowed; /* common names of its certificate; empty: any */
    const char *const *user, *const *uid, *const *group, *const *extra_prefix; /* headers */
};

struct access_config {
    struct arena arena;
    const char *client_ca, *front_proxy_ca; /* PEM, or NULL: none */
    struct access_names names;              /* where front_proxy_ca is given */
};
/* Reads the ConfigMap: -EINVAL names the key whose value is not a JSON list of texts. Borrows nothing. */
int access_config_read(const json_t *configmap, struct access_config *ret_config, struct err *err);
void access_config_done(struct access_config *config);

/* The headers that --requestheader-… has by itself: X-Remote-User, -Uid, -Group, -Extra-; any name. */
extern const struct access_names access_default_names;

bool access_list_has(const char *const *list, const char *text);
/* Whether path is one of paths: with or without a slash in front; "x*" is a prefix. */
bool access_path_open(const char *const *paths, const char *path);

#endif
