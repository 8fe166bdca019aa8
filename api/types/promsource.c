/* MetricSource and ClusterMetricSource: spec, read with errors that say what to change. Whoever may write a
 * MetricSource need not have the right to read Secrets, and their names become parts of paths that are asked
 * for with our rights: so names are held against the alphabet of the API, not merely escaped. */
#include "api/types/promsource.h"

#include "api/types/document.h"
#include "api/types/policy_read.h"
#include <errno.h>
#include <string.h>

/* As in the definition's schema, which a stored object may be older than. */
static const usec_t SHORTEST = 100 * USEC_PER_MSEC;
static const usec_t TIMEOUT_MAX = 5 * USEC_PER_MIN;
static const usec_t INTERVAL_MAX = USEC_PER_HOUR;

enum { NAME_MAX_LENGTH = 253, PAIR_NAME_MAX = 128 };

/* Whether text is 1 to max of these characters. */
static bool made_of(const char *text, const char *allowed, size_t max) {
    size_t len = strlen(text);

    return len > 0 && len <= max && strspn(text, allowed) == len;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* A subdomain of RFC 1123, but for the dots and dashes within: what is wrong there leads nowhere. */
static bool is_object_name(const char *text) {
    return made_of(text, LOWER DIGITS "-.", NAME_MAX_LENGTH) && text[0] != '-' && text[0] != '.' &&
           text[strlen(text) - 1] != '-' && text[strlen(text) - 1] != '.';
}

static bool is_secret_key(const char *text) {
    return made_of(text, LOWER UPPER DIGITS "-._", NAME_MAX_LENGTH);
}

/* RFC 9110, 5.6.2: token; without the quotes, which nobody uses. */
static bool is_header_name(const char *text) {
    return made_of(text, LOWER UPPER DIGITS "!#$%&*+.^_|~-", PAIR_NAME_MAX);
}

/* A line end in a header's value would begin the next header: a credential could be sent wherever it likes.
 */
static bool is_printable(const char *text) {
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return true;
}

/* ---- Secrets ---- */

/* The Secret in the member path->name of parent; has_key false: which of its keys are used is fixed.
 * *ret_secret holds the default key before. */
static int read_secret(struct reader *r, const json_t *parent, const struct path *path, bool has_key,
                       struct promsource_secret *ret_secret) {
    const json_t *secret = NULL;
    int e = read_object(r, parent, path, false, &secret);

    if (e < 0 || !secret)
        return e;
    e = read_required_string(r, secret, path, "name", &ret_secret->name);
    if (e < 0)
        return e;
    if (!is_object_name(ret_secret->name))
        return read_error(r, path, "name",
                          "must be the name of a Secret: small letters, digits, \"-\" and \".\"");
    if (!has_key)
        return 0;
    e = read_string(r, secret, path, "key", &ret_secret->key);
    if (e == 0 && (!ret_secret->key || !is_secret_key(ret_secret->key)))
        return read_error(r, path, "key",
                          "must be a key of the Secret: letters, digits, \"-\", \"_\" and \".\"");
    return e;
}

/* ---- tls ---- */

static int read_bool(struct reader *r, const json_t *object, const struct path *path, const char *key,
                     bool *ret_value) {
    if (!read_has(object, key))
        return 0;
    if (!json_is_boolean(json_object_get(object, key)))
        return read_error(r, path, key, "must be true or false");
    *ret_value = json_is_true(json_object_get(object, key));
    return 0;
}

/* After the url, whose scheme it is held against. */
static int read_tls(struct reader *r, const json_t *spec, const struct path *up, struct promsource_spec *s) {
    const struct path path = {up, "tls", 0};
    const struct path ca = {&path, "caSecret", 0}, cert = {&path, "certSecret", 0};
    struct promsource_secret certificate = {0};
    const json_t *tls = NULL;
    int e = read_object(r, spec, &path, false, &tls);

    if (e < 0 || !tls)
        return e;
    s->ca.key = "ca.crt";
    e = read_secret(r, tls, &ca, true, &s->ca);
    if (e == 0)
        e = read_secret(r, tls, &cert, false, &certificate);
    if (e == 0)
        e = read_string(r, tls, &path, "serverName", &s->server_name);
    if (e == 0)
        e = read_bool(r, tls, &path, "insecureSkipVerify", &s->insecure);
    if (e < 0)
        return e;
    s->cert_secret = certificate.name;
    /* Two settings of which one has no effect are a mistake of whoever wrote them, and here a dangerous one.
     */
    if (s->insecure && s->ca.name)
        return read_error(r, &path, "insecureSkipVerify",
                          "leaves caSecret without a meaning: remove one of them");
    if (strncmp(s->url, "https://", 8) != 0)
        return read_error(r, &path, NULL, "needs an https url: change the url, or remove tls");
    return 0;
}

/* ---- auth ---- */

/* RFC 7617: the colon ends the name. */
static int read_basic(struct reader *r, const json_t *way, const struct path *path,
                      struct promsource_spec *s) {
    int e = read_string(r, way, path, "username", &s->username);

    if (e == 0 && s->username && (!s->username[0] || strchr(s->username, ':') || !is_printable(s->username)))
        return read_error(r, path, "username", "must be a name without a colon");
    return e;
}

static int read_header(struct reader *r, const json_t *way, const struct path *path,
                       struct promsource_spec *s) {
    int e = read_required_string(r, way, path, "name", &s->header);

    if (e == 0 && !is_header_name(s->header))
        return read_error(r, path, "name", "must be the name of an HTTP header, for example X-API-Key");
    return e;
}

/* One way alone: which of two the server would look at is not ours to guess. */
static int read_auth(struct reader *r, const json_t *spec, const struct path *up, struct promsource_spec *s) {
    static const struct {
        const char *name, *key; /* default key of the Secret */
        int (*rest)(struct reader *r, const json_t *way, const struct path *path, struct promsource_spec *s);
    } ways[] = {[PROMSOURCE_BEARER] = {"bearer", "token", NULL},
                [PROMSOURCE_BASIC] = {"basic", "password", read_basic},
                [PROMSOURCE_HEADER] = {"header", NULL, read_header}};
    const struct path path = {up, "auth", 0};
    const json_t *auth = NULL, *way = NULL;
    int given = 0, e = read_object(r, spec, &path, false, &auth);

    if (e < 0 || !auth)
        return e;
    for (int i = PROMSOURCE_BEARER; i <= PROMSOURCE_HEADER; i++)
        if (read_has(auth, ways[i].name)) {
            given++;
            s->auth = (enum promsource_auth)i;
        }
    if (given != 1)
        return read_error(r, &path, NULL, "takes exactly one of bearer, basic and header: keep one");
    const struct path way_path = {&path, ways[s->auth].name, 0}, secret = {&way_path, "secret", 0};
    s->credential.key = ways[s->auth].key;
    e = read_object(r, auth, &way_path, true, &way);
    if (e == 0)
        e = read_secret(r, way, &secret, true, &s->credential);
    if (e == 0 && !s->credential.name)
        return read_error(r, &secret, NULL, "is missing: add it");
    return e < 0 || !ways[s->auth].rest ? e : ways[s->auth].rest(r, way, &way_path, s);
}

/* ---- headers and parameters ---- */

/* Why a pair cannot be used, or NULL. */
typedef const char *refuse_fn(const struct promsource_pair *pair);

/* Credentials belong into Secrets: a MetricSource may be read by many. */
static const char *refuse_header(const struct promsource_pair *pair) {
    if (!is_header_name(pair->name))
        return "must have names of HTTP headers, for example X-Scope-OrgID";
    if (strcasecmp(pair->name, "authorization") == 0)
        return "must not hold Authorization: use auth, which takes it from a Secret";
    return is_printable(pair->value) ? NULL : "must have values without line ends: remove them";
}

static const char *refuse_parameter(const struct promsource_pair *pair) {
    static const char *const ours[] = {"query", "time", "timeout", "match[]", "start", "end"};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (str_eq(pair->name, ours[i]))
            return "must not hold query, time, timeout, match[], start or end: the operator sets them";
    return pair->name[0] && strlen(pair->name) <= PAIR_NAME_MAX ? NULL
                                                                : "must have names of 1 to 128 characters";
}

static int read_pairs(struct reader *r, const json_t *map, const struct path *path, refuse_fn *refuse,
                      struct promsource_pair *pairs) {
    const char *name;
    json_t *value;
    uint32_t n = 0;

    json_object_foreach((json_t *)(uintptr_t)map, name, value) {
        struct promsource_pair *pair = &pairs[n++];
        int e = read_string(r, map, path, name, &pair->value);
        if (e < 0)
            return e;
        if (!pair->value)
            return read_error(r, path, name, "must be a string");
        pair->name = arena_strdup(r->arena, name);
        if (refuse(pair))
            return read_error(r, path, NULL, "%s", refuse(pair));
    }
    return 0;
}

static int read_map(struct reader *r, const json_t *spec, const struct path *path, refuse_fn *refuse,
                    const struct promsource_pair **ret_pairs, uint32_t *ret_count) {
    const json_t *map = NULL;
    int e = read_object(r, spec, path, false, &map);

    if (e < 0 || !map)
        return e;
    size_t count = json_object_size(map);
    if (count > PROMSOURCE_MAP_MAX)
        return read_error(r, path, NULL, "must not have more than %d entries", PROMSOURCE_MAP_MAX);
    struct promsource_pair *pairs = ARENA_ARRAY(r->arena, struct promsource_pair, count + 1);
    *ret_pairs = pairs;
    *ret_count = (uint32_t)count;
    return read_pairs(r, map, path, refuse, pairs);
}

/* ---- the whole ---- */

static int read_url(struct reader *r, const json_t *spec, const struct path *path,
                    struct promsource_spec *s) {
    int e = read_required_string(r, spec, path, "url", &s->url);

    if (e < 0)
        return e;
    const char *host = str_starts(s->url, "https://") ? s->url + 8 : s->url + 7;
    if ((!str_starts(s->url, "https://") && !str_starts(s->url, "http://")) ||
        host[strcspn(host, "/?#@ ")] == '@' || strcspn(host, "/?") == 0 || strpbrk(s->url, "# \t\r\n"))
        return read_error(r, path, "url",
                          "must be http:// or https:// and a host, without user, password and fragment: put "
                          "credentials into auth");
    return 0;
}

static int read_manner(struct reader *r, const json_t *spec, const struct path *path,
                       struct promsource_spec *s) {
    static const char *const methods[] = {"POST", "GET"};
    int method = 0, e;

    s->timeout = 10 * USEC_PER_SEC;
    s->interval = USEC_PER_SEC;
    e = read_duration(r, spec, path, "timeout", (struct read_range){SHORTEST, TIMEOUT_MAX}, &s->timeout);
    if (e == 0)
        e = read_duration(r, spec, path, "interval", (struct read_range){SHORTEST, INTERVAL_MAX},
                          &s->interval);
    if (e == 0)
        e = read_word(r, spec, path, "method", (struct read_words){methods, 2}, &method);
    s->use_get = method == 1;
    return e;
}

int promsource_read_spec(const json_t *spec, struct arena *arena, struct promsource_spec *ret_spec,
                         struct err *err) {
    const struct path path = {NULL, "spec", 0};
    const struct path headers = {&path, "headers", 0}, parameters = {&path, "queryParameters", 0};
    struct reader r = {.arena = arena, .err = err};
    struct promsource_spec s = {0};
    int e;

    if (!json_is_object(spec))
        return read_error(&r, &path, NULL, "is missing: add it");
    e = read_url(&r, spec, &path, &s);
    if (e == 0)
        e = read_tls(&r, spec, &path, &s);
    if (e == 0)
        e = read_auth(&r, spec, &path, &s);
    if (e == 0)
        e = read_map(&r, spec, &headers, refuse_header, &s.headers, &s.header_count);
    if (e == 0)
        e = read_map(&r, spec, &parameters, refuse_parameter, &s.parameters, &s.parameter_count);
    if (e == 0)
        e = read_manner(&r, spec, &path, &s);
    if (e == 0)
        *ret_spec = s;
    return e;
}

/* A spec that cannot be used makes an object all the same, whose status then says why. */
int promsource_from_json(const json_t *document, struct str_pool *pool, struct promsource_object **ret_source,
                         struct err *err) {
    json_t *status = json_object_get(document, "status");
    struct object *o;
    int ret = document_object(document, OBJECT_METRIC_SOURCE, pool, &o, err);

    if (ret < 0)
        return ret;
    struct promsource_object *source = (struct promsource_object *)o;
    arena_init(&source->arena, 512);
    if (promsource_read_spec(json_object_get(document, "spec"), &source->arena, &source->spec,
                             &source->invalid) == 0)
        err_clear(&source->invalid);
    if (json_is_object(status))
        source->status_json = json_incref(status);
    *ret_source = source;
    return 0;
}

void promsource_done(struct promsource_object *source) {
    arena_done(&source->arena);
    json_decref(source->status_json);
}

/* Each name once: a Secret that serves as CA and as certificate is watched once. */
uint32_t promsource_secrets(const struct promsource_spec *spec, const char **ret_names) {
    const char *const all[PROMSOURCE_SECRETS_MAX] = {spec->ca.name, spec->cert_secret, spec->credential.name};
    uint32_t count = 0;

    for (uint32_t i = 0; i < PROMSOURCE_SECRETS_MAX; i++) {
        bool again = !all[i];
        for (uint32_t j = 0; j < count; j++)
            again |= str_eq(ret_names[j], all[i]);
        if (!again)
            ret_names[count++] = all[i];
    }
    return count;
}
