/* URLs by libcurl's parser. */
#include "net/url.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/curl_library.h"
#include "net/library.h"
#include <errno.h>
#include <string.h>

char *url_escape(const char *text) {
    library_need(curl_library_load);
    char *escaped = libcurl->easy_escape(NULL, text, (int)strlen(text));
    char *copy = xstrdup(escaped ? escaped : "");

    libcurl->free(escaped);
    return copy;
}

/* curl's texts go back by curl's own free, and so none of them leaves this file: what callers get is a copy
 * for free(3). */
static void cleanup_url_p(CURLU **u) {
    libcurl->url_cleanup(*u);
}
static void cleanup_curl_p(char **s) {
    libcurl->free(*s);
}

/* The part, owned by the caller (free), or NULL where the URL has none. */
static char *part(CURLU *u, CURLUPart what, unsigned flags) {
    cleanup(cleanup_curl_p) char *text = NULL;

    return libcurl->url_get(u, what, &text, flags) == CURLUE_OK ? xstrdup(text) : NULL;
}

static int check(CURLU *u, struct err *err) {
    cleanup_free char *scheme = part(u, CURLUPART_SCHEME, 0);
    cleanup_free char *fragment = part(u, CURLUPART_FRAGMENT, 0);

    if (!str_eq(scheme, "http") && !str_eq(scheme, "https"))
        return err_set(err, -EINVAL, "its scheme must be http or https");
    if (fragment)
        return err_set(err, -EINVAL, "it must not have a fragment (#…)");
    return 0;
}

/* Decoded, as a request takes it (CURLOPT_USERPWD is no part of a URL). */
static char *join_userpwd(CURLU *u) {
    cleanup_free char *user = part(u, CURLUPART_USER, CURLU_URLDECODE);
    cleanup_free char *password = part(u, CURLUPART_PASSWORD, CURLU_URLDECODE);

    return user || password ? xasprintf("%s:%s", str_or_empty(user), str_or_empty(password)) : NULL;
}

int url_base_read(const char *text, struct url_base *ret_base, struct err *err) {
    int ret = curl_library_load(err);
    if (ret < 0)
        return ret;
    cleanup(cleanup_url_p) CURLU *u = libcurl->url();
    CURLUcode code = u ? libcurl->url_set(u, CURLUPART_URL, text, 0) : CURLUE_OUT_OF_MEMORY;

    if (code != CURLUE_OK)
        return err_set(err, -EINVAL, "not a URL such as http://host:9090 (%s)", libcurl->url_strerror(code));
    ret = check(u, err);
    if (ret < 0)
        return ret;
    struct url_base base = {.userpwd = join_userpwd(u), .query = part(u, CURLUPART_QUERY, 0)};
    /* The rest is put together anew without them, so that base.url can be logged and shown in a status. */
    libcurl->url_set(u, CURLUPART_USER, NULL, 0);
    libcurl->url_set(u, CURLUPART_PASSWORD, NULL, 0);
    libcurl->url_set(u, CURLUPART_OPTIONS, NULL, 0);
    libcurl->url_set(u, CURLUPART_QUERY, NULL, 0);
    base.url = part(u, CURLUPART_URL, 0);
    if (!base.url) {
        url_base_done(&base);
        return err_set(err, -EINVAL, "not a URL such as http://host:9090");
    }
    /* Paths that begin with a slash are put behind it. */
    for (size_t n = strlen(base.url); n && base.url[n - 1] == '/'; n--)
        base.url[n - 1] = '\0';
    if (!base.query)
        base.query = xstrdup("");
    *ret_base = base;
    return 0;
}

void url_base_done(struct url_base *base) {
    free(base->url);
    free(base->query);
    if (base->userpwd)
        explicit_bzero(base->userpwd, strlen(base->userpwd));
    free(base->userpwd);
    *base = (struct url_base){0};
}
