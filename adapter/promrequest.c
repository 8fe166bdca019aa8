/* Requests to a Prometheus server, from its options.
 *
 * An endpoint is made once and owns a copy of everything that its requests point to. A request is made anew
 * for each call, since the file of a token or a password may have changed since the last one, and lives only
 * until the transport has copied it. What holds a secret is wiped before it is freed. */
#include "adapter/promrequest.h"

#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

/* The second: how many add_headers puts before those that were given. */
enum { HEADERS_MAX = 32, HEADERS_OWN = 3 };

static char *copy(const char *text) {
    return text ? xstrdup(text) : NULL;
}

/* A line end would begin another header. Bytes from 0x80 may stand in one (RFC 9110, 5.5). */
static bool printable(const char *text) {
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return true;
}

/* "Name: value" in printable characters. */
static bool header_good(const char *line) {
    const char *colon = strchr(line, ':');

    /* A blank before the colon is refused here, since servers must refuse it (RFC 9112, 5.1). */
    if (!colon || colon == line || strcspn(line, " \t") < (size_t)(colon - line))
        return false;
    return printable(line);
}

static int copy_headers(struct prom_endpoint *e, const char *const *headers, struct err *err) {
    size_t n = 0;

    while (headers && headers[n])
        n++;
    if (n > HEADERS_MAX)
        return err_set(err, -EINVAL, "headers: at most %d", HEADERS_MAX);
    /* Zeroed: prom_endpoint_done may meet it half filled. */
    e->headers = xcalloc(n + 1, sizeof(*e->headers));
    for (size_t i = 0; i < n; i++) {
        if (!header_good(headers[i]))
            return err_set(err, -EINVAL, "headers[%zu]: must be \"Name: value\"", i);
        e->headers[i] = xstrdup(headers[i]);
    }
    return 0;
}

/* What may be given as a file or as a text is given once, and fits into a header where it goes into one. */
static int check_texts(const struct prometheus_options *o, struct err *err) {
    const struct {
        const char *text, *file;
        bool in_header;
    } pairs[] = {{o->ca_pem, o->ca_file, false},
                 {o->cert_pem, o->cert_file, false},
                 {o->key_pem, o->key_file, false},
                 {o->token, o->token_file, true},
                 {o->password, o->password_file, true}};

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (pairs[i].text && pairs[i].file)
            return err_set(err, -EINVAL, "a credential is given both as a file and as a text");
        if (pairs[i].text && pairs[i].in_header && !printable(pairs[i].text))
            return err_set(err, -EINVAL, "a credential has line ends or other control characters in it");
    }
    return 0;
}

static int check_user(const struct prom_endpoint *e, const struct prometheus_options *o, struct err *err) {
    const bool token = o->token_file || o->token, password = o->password_file || o->password;

    /* Each would be a header Authorization of its own, and what a server makes of two is its own affair. */
    if (token && (o->username || e->base.userpwd))
        return err_set(err, -EINVAL, "a bearer token and a user name must not be given together");
    if (o->username && e->base.userpwd)
        return err_set(err, -EINVAL, "a user name is given both in the URL and beside it");
    if (password && !o->username)
        return err_set(err, -EINVAL, "a password needs a user name");
    return 0;
}

/* Of what contradicts itself nothing is preferred silently: it would be found out by a 401, or not at all. */
static int check(const struct prom_endpoint *e, const struct prometheus_options *o, struct err *err) {
    const bool cert = o->cert_file || o->cert_pem, key = o->key_file || o->key_pem;
    int ret = check_texts(o, err);

    if (ret < 0)
        return ret;
    if (cert != key)
        return err_set(err, -EINVAL, "a client certificate and its key must be given together");
    ret = check_user(e, o, err);
    if (ret < 0)
        return ret;
    return o->timeout < 0 ? err_set(err, -EINVAL, "the timeout is negative") : 0;
}

int prom_endpoint_init(struct prom_endpoint *e, const struct prometheus_options *options, struct err *err) {
    *e = (struct prom_endpoint){
        .use_get = options->use_get,
        .timeout = options->timeout ? options->timeout : 10 * USEC_PER_SEC,
        .max_response = options->max_response ? options->max_response : 1024 * 1024,
        .ca_file = copy(options->ca_file),
        .cert_file = copy(options->cert_file),
        .key_file = copy(options->key_file),
        .server_name = copy(options->server_name),
        .ca_pem = copy(options->ca_pem),
        .cert_pem = copy(options->cert_pem),
        .key_pem = copy(options->key_pem),
        .username = copy(options->username),
        .token_text = copy(options->token),
        .password_text = copy(options->password),
    };
    /* One pointer to follow, one to free: what is followed borrows its path. */
    e->token.path = e->token_file = copy(options->token_file);
    e->password.path = e->password_file = copy(options->password_file);
    /* Borrows the copies, and not the options, which are the caller's: transports read it with each new
     * connection. */
    e->tls = (struct http_tls){.ca_pem = e->ca_pem,
                               .cert_pem = e->cert_pem,
                               .key_pem = e->key_pem,
                               .ca_file = e->ca_file,
                               .cert_file = e->cert_file,
                               .key_file = e->key_file,
                               .server_name = e->server_name,
                               .insecure = options->insecure};
    int ret = url_base_read(str_or_empty(options->url), &e->base, err);
    if (ret < 0)
        err_wrap(err, "the URL of Prometheus");
    if (ret == 0)
        ret = copy_headers(e, options->headers, err);
    if (ret == 0)
        ret = check(e, options, err);
    if (ret == 0)
        e->label = xasprintf("Prometheus %s", e->base.url);
    else
        prom_endpoint_done(e);
    return ret;
}

static void free_secret(char *text) {
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void prom_endpoint_done(struct prom_endpoint *e) {
    for (char **h = e->headers; h && *h; h++)
        free_secret(*h);
    free(e->headers);
    free(e->label);
    free(e->ca_file);
    free(e->cert_file);
    free(e->key_file);
    free(e->server_name);
    free(e->ca_pem);
    free(e->cert_pem);
    free_secret(e->key_pem);
    free(e->username);
    free_secret(e->token_text);
    free_secret(e->password_text);
    file_followed_done(&e->token);
    file_followed_done(&e->password);
    free(e->token_file);
    free(e->password_file);
    url_base_done(&e->base);
    *e = (struct prom_endpoint){0};
}

/* The present content of a secret's file, borrowed. One that would break out of its header is refused. */
static int read_secret(struct file_followed *file, const char **ret_text, struct err *err) {
    bool changed = false;
    int ret = file_follow(file, /* force: */ false, &changed, err);

    if (ret < 0)
        return ret;
    if (!printable(file->text))
        return err_set(err, -EINVAL, "%s: has line ends or other control characters in it", file->path);
    *ret_text = file->text;
    return 0;
}

/* At most one of these kinds is given, see check_user; the order tells nothing. */
static int add_credentials(struct prom_request *r, struct prom_endpoint *e, struct err *err) {
    const char *secret = "";
    int ret = 0;

    if (e->token_text) {
        r->authorization = xasprintf("Authorization: Bearer %s", e->token_text);
    } else if (e->token.path) {
        ret = read_secret(&e->token, &secret, err);
        if (ret < 0)
            return err_wrap(err, "bearer token");
        r->authorization = xasprintf("Authorization: Bearer %s", secret);
    } else if (e->username) {
        if (e->password.path)
            ret = read_secret(&e->password, &secret, err);
        if (ret < 0)
            return err_wrap(err, "password");
        r->userpwd = xasprintf("%s:%s", e->username, e->password_text ? e->password_text : secret);
    } else if (e->base.userpwd) {
        r->userpwd = xstrdup(e->base.userpwd);
    }
    return 0;
}

static void add_headers(struct prom_request *r, const struct prom_endpoint *e) {
    size_t given = 0, n = 0;

    while (e->headers[given])
        given++;
    r->headers = xcalloc(given + HEADERS_OWN + 1, sizeof(*r->headers));
    r->headers[n++] = "Accept: application/json";
    if (!e->use_get)
        r->headers[n++] = "Content-Type: application/x-www-form-urlencoded";
    if (r->authorization)
        r->headers[n++] = r->authorization;
    for (size_t i = 0; i < given; i++)
        r->headers[n++] = e->headers[i];
}

int prom_request_init(struct prom_request *r, struct prom_endpoint *e, const char *path, const char *form,
                      struct err *err) {
    /* What stands behind the ? of the server's URL (Thanos has dedup there) goes with every request, also
     * where the form is the body of a POST: Prometheus reads both. */
    const char *query = e->base.query;

    *r = (struct prom_request){0};
    int ret = add_credentials(r, e, err);
    if (ret < 0)
        return ret;
    add_headers(r, e);
    /* POST is the rule since a query may be longer than what servers take as a URL. */
    if (e->use_get)
        r->url = xasprintf("%s%s?%s%s%s", e->base.url, path, form, *query ? "&" : "", query);
    else
        r->url = xasprintf("%s%s%s%s", e->base.url, path, *query ? "?" : "", query);
    r->http = (struct http_request){
        .method = e->use_get ? "GET" : "POST",
        .url = r->url,
        .headers = r->headers,
        .body = e->use_get ? NULL : form,
        .body_len = e->use_get ? 0 : strlen(form),
        .userpwd = r->userpwd,
        .tls = &e->tls,
        .timeout = e->timeout,
        .max_body = e->max_response,
    };
    return 0;
}

void prom_request_done(struct prom_request *r) {
    free(r->url);
    free_secret(r->authorization);
    free_secret(r->userpwd);
    free(r->headers);
    *r = (struct prom_request){0};
}
