/* What the two halves of the kubeconfig module share: reading files (kubeconfig.c) and finding the right ones
 * (kubeconfig_find.c). */
#ifndef API_CLIENT_KUBECONFIG_INTERNAL_H
#define API_CLIENT_KUBECONFIG_INTERNAL_H

#include "api/client/kubeconfig.h"

/* An empty configuration with its defaults. */
struct kubeconfig *kubeconfig_alloc(void);
static inline void kubeconfig_cleanup(struct kubeconfig **config) {
    kubeconfig_free(*config);
}

/* Reads several files as one, the first that has a name wins; count is at least 1. */
int kubeconfig_load_files(const char *const *paths, size_t count, const char *context,
                          struct kubeconfig **ret_config, struct err *err);

/* path, taken from the folder of file where it is relative; in arena. */
const char *kubeconfig_path(struct arena *arena, const char *file, const char *path);

/* Checks an apiserver's URL and cuts slashes at its end off. Plain http is taken for this machine alone. */
int kubeconfig_check_server(struct arena *arena, const char **server, struct err *err);
/* -EINVAL where a token could not stand in a header. */
int kubeconfig_check_token(const char *token, struct err *err);

#endif
