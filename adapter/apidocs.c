/* Which document a path stands for, and the small ones. */
#include "adapter/apidocs.h"

#include "adapter/apidocs_internal.h"
#include "base/jsontext.h"
#include "base/mem.h"
#include "base/str.h"
#include <string.h>

/* The table, without what this operator does not serve. */
const struct apidocs_version *apidocs_served(const struct apidocs *docs, const struct apidocs_version *v) {
    while (v->group && !docs->resource && str_eq(v->group, "metrics.k8s.io"))
        v++;
    return v->group ? v : NULL;
}

const struct apidocs_version *apidocs_find(const struct apidocs *docs, const char *group_version) {
    for (const struct apidocs_version *v = apidocs_served(docs, apidocs_versions); v;
         v = apidocs_served(docs, v + 1)) {
        cleanup_free char *name = xasprintf("%s/%s", v->group, v->version);
        if (str_eq(name, group_version))
            return v;
    }
    return NULL;
}

/* Its first version, which is the preferred one. */
static const struct apidocs_version *find_group(const struct apidocs *docs, const char *group) {
    for (const struct apidocs_version *v = apidocs_served(docs, apidocs_versions); v;
         v = apidocs_served(docs, v + 1))
        if (str_eq(v->group, group))
            return v;
    return NULL;
}

/* ---- the index and the version ---- */

/* What there is, for people: no program reads it. */
static void write_index(const struct apidocs *docs, struct buf *out) {
    static const char *const others[] = {"/healthz",    "/livez",  "/metrics", "/openapi/v2",
                                         "/openapi/v3", "/readyz", "/version"};
    const char *group = NULL;

    buf_puts(out, "{\"paths\":[\"/apis\"");
    for (const struct apidocs_version *v = apidocs_served(docs, apidocs_versions); v;
         v = apidocs_served(docs, v + 1)) {
        if (!str_eq(v->group, group))
            buf_printf(out, ",\"/apis/%s\"", v->group);
        buf_printf(out, ",\"/apis/%s/%s\"", v->group, v->version);
        group = v->group;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        buf_printf(out, ",\"%s\"", others[i]);
    buf_puts(out, "]}\n");
}

/* The API's version is always 1.0, as of every such server; ours stands in gitVersion. */
static void write_version(const struct apidocs *docs, struct buf *out) {
    buf_puts(out, "{\"major\":\"1\",\"minor\":\"0\",\"gitVersion\":");
    jsontext_write(out, docs->version);
    buf_puts(out, ",\"gitCommit\":\"\",\"gitTreeState\":\"\",\"buildDate\":\"\",\"goVersion\":\"\","
                  "\"compiler\":\"\",\"platform\":\"\"}\n");
}

/* ---- paths ---- */

/* rest: what follows "/apis/"; a group and a version, a group, or nothing. False: there is no such document.
 */
static bool write_apis(const struct apidocs *docs, const char *rest, enum accepted form, struct buf *out) {
    const struct apidocs_version *version = apidocs_find(docs, rest), *group = find_group(docs, rest);

    if (form == ACCEPT_DISCOVERY_V2)
        apidocs_write_aggregated(docs, "v2", out);
    else if (form == ACCEPT_DISCOVERY_V2BETA1)
        apidocs_write_aggregated(docs, "v2beta1", out);
    else if (!*rest)
        apidocs_write_groups(docs, out);
    else if (version)
        apidocs_write_resources(docs, version, out);
    else if (group)
        apidocs_write_group(docs, group, out);
    return !*rest || version || group;
}

/* Of v3 each version has a document of its own, of v2 there is one for all. */
static bool write_openapi(const struct apidocs *docs, const char *path, struct buf *out) {
    const char *of_version = "/openapi/v3/apis/";

    if (str_eq(path, "/openapi/v2")) {
        apidocs_write_openapi_v2(docs, out);
        return true;
    }
    if (str_eq(path, "/openapi/v3")) {
        apidocs_write_openapi_index(docs, out);
        return true;
    }
    const struct apidocs_version *version =
        str_starts(path, of_version) ? apidocs_find(docs, path + strlen(of_version)) : NULL;
    if (version)
        apidocs_write_openapi_v3(docs, version, out);
    return version != NULL;
}

static bool write_document(const struct apidocs *docs, const char *path, enum accepted form,
                           struct buf *out) {
    if (str_eq(path, ""))
        write_index(docs, out);
    else if (str_eq(path, "/version"))
        write_version(docs, out);
    else if (str_eq(path, "/apis") || str_starts(path, "/apis/"))
        return write_apis(docs, path[5] ? path + 6 : "", form, out);
    else
        return write_openapi(docs, path, out);
    return true;
}

int apidocs_write(const struct apidocs *docs, const char *path, const char *accept, struct buf *out,
                  const char **ret_type) {
    static const char *const types[] = {
        [ACCEPT_JSON] = "application/json",
        [ACCEPT_DISCOVERY_V2] = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        [ACCEPT_DISCOVERY_V2BETA1] =
            "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
    };
    unsigned offered = 1U << ACCEPT_JSON;
    size_t len = strlen(path);

    /* A slash at the end is as good as none. */
    cleanup_free char *name = xstrndup(path, len && path[len - 1] == '/' ? len - 1 : len);
    if (str_eq(name, "/apis"))
        offered |= 1U << ACCEPT_DISCOVERY_V2 | 1U << ACCEPT_DISCOVERY_V2BETA1;
    enum accepted form = accept_read(accept, offered);
    /* A document that is not there is 404 whatever the form; so it is written before the form is judged. */
    if (!write_document(docs, name, form, out))
        return 404;
    if (form == ACCEPT_NOTHING) {
        buf_reset(out);
        return 406;
    }
    *ret_type = types[form];
    return 200;
}
