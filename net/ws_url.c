/* Websocket URLs. Only curl's parser is used: whether it could speak the protocol, which depends on how it
 * was built, does not matter (CURLU_NON_SUPPORT_SCHEME). */
#include "net/ws_url.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/curl_library.h"
#include <errno.h>
#include <string.h>

static char *part(CURLU *url, CURLUPart what) {
    char *text = NULL;
    libcurl->url_get(url, what, &text, 0);
    char *copy = text ? xstrdup(text) : NULL;
    libcurl->free(text);
    return copy;
}

/* Of an IPv6 address: with them it goes into headers, without them into connect(2) and the certificate's
 * check. */
static char *without_brackets(const char *host) {
    size_t len = strlen(host);
    return host[0] == '[' && len > 2 ? xstrndup(host + 1, len - 2) : xstrdup(host);
}

static int take_apart(CURLU *curl, struct ws_url *url, struct err *err) {
    cleanup_free char *scheme = part(curl, CURLUPART_SCHEME), *host = part(curl, CURLUPART_HOST),
                      *port = part(curl, CURLUPART_PORT), *path = part(curl, CURLUPART_PATH),
                      *query = part(curl, CURLUPART_QUERY), *user = part(curl, CURLUPART_USER);
    url->secure = str_eq(scheme, "wss");
    if (!url->secure && !str_eq(scheme, "ws"))
        return err_set(err, -EINVAL, "scheme %s is not ws or wss", str_or_empty(scheme));
    /* A user would be dropped in silence: nothing here makes a header of it. */
    if (!host || !*host || user)
        return err_set(err, -EINVAL, "a websocket URL needs a host and no user");
    int64_t number = url->secure ? 443 : 80; /* RFC 6455, section 3 */
    if (port && str_to_i64(port, &number) < 0)
        return err_set(err, -EINVAL, "port %s is not a number", port);
    url->port = (int)number;
    url->name = without_brackets(host);
    url->authority = xasprintf("%s:%d", host, url->port);
    url->path = xasprintf("%s%s%s", path ? path : "/", query ? "?" : "", str_or_empty(query));
    return 0;
}

int ws_url_parse(const char *text, struct ws_url *ret_url, struct err *err) {
    struct ws_url url = {0};
    int r = curl_library_load(err);
    if (r < 0)
        return r;
    CURLU *curl = libcurl->url();
    CURLUcode code = libcurl->url_set(curl, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    r = code == CURLUE_OK ? take_apart(curl, &url, err)
                          : err_set(err, -EINVAL, "not a URL: %s", libcurl->url_strerror(code));
    libcurl->url_cleanup(curl);
    if (r < 0) {
        ws_url_done(&url);
        return r;
    }
    *ret_url = url;
    return 0;
}

void ws_url_done(struct ws_url *url) {
    free(url->name);
    free(url->authority);
    free(url->path);
    *url = (struct ws_url){0};
}
