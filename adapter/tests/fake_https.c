/* Headers from a list of lines. */
#include "adapter/tests/fake_https.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Calls fn for the lines whose names begin with (whole: are) name. */
static void each(const struct https_request *request, const char *name, bool whole, https_header_fn *fn,
                 void *arg) {
    for (const char *const *line = request->wire ? request->wire->lines : NULL; line && *line; line++) {
        const char *end = strchr(*line, ':');
        size_t len = (size_t)(end - *line);
        if (strncasecmp(*line, name, strlen(name)) != 0 || len < strlen(name) ||
            (whole && len != strlen(name)))
            continue;
        char *found = xstrndup(*line, len);
        fn(arg, found, end + strlen(": "));
        free(found);
    }
}

void https_header(const struct https_request *request, const char *name, https_header_fn *fn, void *arg) {
    each(request, name, true, fn, arg);
}

void https_header_prefix(const struct https_request *request, const char *prefix, https_header_fn *fn,
                         void *arg) {
    each(request, prefix, false, fn, arg);
}

static void keep_first(void *arg, const char *name, const char *value) {
    const char **first = arg;

    (void)name;
    if (!*first)
        *first = value;
}

const char *https_header_first(const struct https_request *request, const char *name) {
    const char *first = NULL;

    each(request, name, true, keep_first, &first);
    return first;
}

int httpsserver_set_authority(struct httpsserver *server, enum https_ca which, const char *ca_pem,
                              struct err *err) {
    if (ca_pem && str_starts(ca_pem, "bad"))
        return err_set(err, -EINVAL, "no certificate");
    free(server->authority[which]);
    server->authority[which] = ca_pem ? xstrdup(ca_pem) : NULL;
    server->given++;
    return 0;
}

void fake_https_done(struct httpsserver *server) {
    for (int i = 0; i < HTTPS_CAS; i++)
        free(server->authority[i]);
}
