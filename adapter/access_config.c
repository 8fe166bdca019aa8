/* Reading the ConfigMap, and matching paths. */
#include "adapter/access_config.h"

#include "base/str.h"
#include <errno.h>
#include <string.h>

static const char *const no_texts[] = {NULL};
static const char *const remote_user[] = {"X-Remote-User", NULL};
static const char *const remote_uid[] = {"X-Remote-Uid", NULL};
static const char *const remote_group[] = {"X-Remote-Group", NULL};
static const char *const remote_extra[] = {"X-Remote-Extra-", NULL};

/* The names that kubeadm has kube-apiserver use, and the defaults of aggregated apiservers. */
const struct access_names access_default_names = {.allowed = no_texts,
                                                  .user = remote_user,
                                                  .uid = remote_uid,
                                                  .group = remote_group,
                                                  .extra_prefix = remote_extra};

bool access_list_has(const char *const *list, const char *text) {
    while (*list && strcmp(*list, text) != 0)
        list++;
    return *list != NULL;
}

static const char *without_slash(const char *path) {
    return path[0] == '/' ? path + 1 : path;
}

/* As authorization/path of k8s.io/apiserver has it: a star counts at the end alone. */
bool access_path_open(const char *const *paths, const char *path) {
    path = without_slash(path);
    for (; *paths; paths++) {
        const char *open = without_slash(*paths);
        size_t len = strlen(open);
        bool prefix = len > 0 && open[len - 1] == '*';
        if (prefix ? strncmp(path, open, len - 1) == 0 : strcmp(path, open) == 0)
            return true;
    }
    return false;
}

/* The list is a text that holds JSON: `["X-Remote-User"]`. A key that is not there, an empty text and null
 * are the empty list, as Go reads them; a list with anything but texts in it is an error as a whole, for a
 * name left out of it might be the one that keeps strangers away. */
static int read_list(struct arena *arena, const json_t *data, const char *key, const char *const **ret_list,
                     struct err *err) {
    const char *text = json_string_value(json_object_get(data, key));
    int ret = 0;

    *ret_list = no_texts;
    if (!text || !text[0])
        return 0;
    json_t *array = json_loads(text, 0, NULL);
    size_t n = json_array_size(array);
    const char **list = ARENA_ARRAY(arena, const char *, n + 1);
    if (!json_is_array(array) && !json_is_null(array))
        ret = -EINVAL;
    for (size_t i = 0; i < n && ret == 0; i++) {
        const char *item = json_string_value(json_array_get(array, i));
        if (item)
            list[i] = arena_strdup(arena, item);
        else
            ret = -EINVAL;
    }
    json_decref(array);
    *ret_list = list;
    return ret < 0 ? err_set(err, ret, "%s is not a JSON list of texts: %.100s", key, text) : 0;
}

static const char *read_pem(struct arena *arena, const json_t *data, const char *key) {
    const char *text = json_string_value(json_object_get(data, key));

    return text && text[0] ? arena_strdup(arena, text) : NULL;
}

/* All or nothing: half a ConfigMap would join names and authorities that do not belong together. */
int access_config_read(const json_t *configmap, struct access_config *ret_config, struct err *err) {
    const json_t *data = json_object_get(configmap, "data");
    struct access_config c = {0};
    const struct {
        const char *key;
        const char *const **list;
    } lists[] = {
        {"requestheader-allowed-names", &c.names.allowed},
        {"requestheader-username-headers", &c.names.user},
        {"requestheader-uid-headers", &c.names.uid},
        {"requestheader-group-headers", &c.names.group},
        {"requestheader-extra-headers-prefix", &c.names.extra_prefix},
    };

    arena_init(&c.arena, 0);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        int ret = read_list(&c.arena, data, lists[i].key, lists[i].list, err);
        if (ret < 0) {
            arena_done(&c.arena);
            return ret;
        }
    }
    c.client_ca = read_pem(&c.arena, data, "client-ca-file");
    c.front_proxy_ca = read_pem(&c.arena, data, "requestheader-client-ca-file");
    *ret_config = c;
    return 0;
}

void access_config_done(struct access_config *config) {
    arena_done(&config->arena);
    /* names may be in force yet: they must never point into the arena that has gone. */
    *config = (struct access_config){.names = access_default_names};
}
