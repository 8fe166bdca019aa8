/* Identities: drafts, their keys, and what headers say. A draft gathers texts in its arena as they come; when
 * it is finished, the identity is put into the same arena, takes it over, and does not change any more. */
#include "adapter/access_identity.h"

#include "base/mem.h"
#include "base/str.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A group, or a value of extra. */
struct draft_value {
    struct draft_value *next;
    const char *key, *value;
    size_t at; /* among those of its list; set when it is finished */
};

static const size_t KEY_MAX = (size_t)1 << 20; /* whoever says who somebody is has a smaller limit */
enum { BLOCK = 1024 };                         /* nearly every identity fits into one */

static const char authenticated[] = "system:authenticated";
static const char unauthenticated[] = "system:unauthenticated";
static const char anonymous[] = "system:anonymous";

struct access_identity *access_identity_ref(struct access_identity *identity) {
    identity->refs++;
    return identity;
}

/* The identity lies in its own arena, which must outlive it. */
void access_identity_unref(struct access_identity *identity) {
    if (!identity || --identity->refs > 0)
        return;
    struct arena arena = identity->arena;
    arena_done(&arena);
}

void identity_draft_init(struct identity_draft *d) {
    *d = (struct identity_draft){0};
    arena_init(&d->arena, BLOCK);
    d->groups_end = &d->groups;
    d->extra_end = &d->extra;
}

void identity_draft_done(struct identity_draft *d) {
    arena_done(&d->arena);
}

void identity_draft_user(struct identity_draft *d, const char *user) {
    if (!d->user && user[0])
        d->user = arena_strdup(&d->arena, user);
}

void identity_draft_uid(struct identity_draft *d, const char *uid) {
    if (!d->uid && uid[0])
        d->uid = arena_strdup(&d->arena, uid);
}

static void append(struct arena *arena, struct draft_value ***end, const char *key, const char *value) {
    struct draft_value *v = ARENA_NEW(arena, struct draft_value);

    v->key = key;
    v->value = arena_strdup(arena, value);
    **end = v;
    *end = &v->next;
}

void identity_draft_group(struct identity_draft *d, const char *group) {
    if (group[0])
        append(&d->arena, &d->groups_end, NULL, group);
}

void identity_draft_extra(struct identity_draft *d, const char *key, const char *value) {
    append(&d->arena, &d->extra_end, arena_strdup(&d->arena, key), value);
}

static int hex(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place; false: something is no escape, and text is as it was only up to there. An escaped NUL is
 * none either: it would cut the key short. */
static bool percent_decode(char *text) {
    char *out = text;

    for (const char *p = text; *p; p++) {
        if (*p != '%') {
            *out++ = *p;
            continue;
        }
        int high = hex(p[1]), low = high < 0 ? -1 : hex(p[2]);
        if (low < 0 || high + low == 0)
            return false;
        *out++ = (char)(high << 4 | low);
        p += 2;
    }
    *out = '\0';
    return true;
}

void identity_draft_extra_header(struct identity_draft *d, const char *rest, const char *value) {
    char *raw = arena_strdup(&d->arena, rest);

    for (char *p = raw; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    /* On a copy: a key that cannot be decoded to its end counts as it was, not half decoded. */
    char *decoded = arena_strdup(&d->arena, raw);
    append(&d->arena, &d->extra_end, percent_decode(decoded) ? decoded : raw, value);
}

static size_t count(const struct draft_value *list) {
    size_t n = 0;

    for (; list; list = list->next)
        n++;
    return n;
}

static bool has(const struct draft_value *list, const char *value) {
    while (list && strcmp(list->value, value) != 0)
        list = list->next;
    return list != NULL;
}

/* Groups stay in the order in which they were given: whoever reviews them gets them as they came. */
static const char *const *finish_groups(struct identity_draft *d) {
    if (strcmp(d->user, anonymous) != 0 && !has(d->groups, authenticated) && !has(d->groups, unauthenticated))
        identity_draft_group(d, authenticated);
    const char **groups = ARENA_ARRAY(&d->arena, const char *, count(d->groups) + 1);
    size_t n = 0;
    for (const struct draft_value *v = d->groups; v; v = v->next)
        groups[n++] = v->value;
    return groups;
}

/* Headers come in any order, which must not make two identities of one; but the values of one key keep
 * theirs, for they are passed on as a list. */
static int by_key(const void *a, const void *b) {
    const struct draft_value *x = a, *y = b;
    int ret = strcmp(x->key, y->key);

    return ret ? ret : (x->at > y->at) - (x->at < y->at);
}

/* The values of the key at sorted[*at]; *at goes past them. */
static const char *const *values_of(struct arena *arena, const struct draft_value *sorted, size_t n,
                                    size_t *at) {
    size_t end = *at;

    while (end < n && strcmp(sorted[end].key, sorted[*at].key) == 0)
        end++;
    const char **values = ARENA_ARRAY(arena, const char *, end - *at + 1);
    for (size_t i = 0; *at < end; i++, ++*at)
        values[i] = sorted[*at].value;
    return values;
}

static const struct identity_extra *finish_extra(struct identity_draft *d) {
    size_t n = count(d->extra), out = 0;
    struct draft_value *sorted = ARENA_ARRAY(&d->arena, struct draft_value, n + 1);
    struct identity_extra *extra = ARENA_ARRAY(&d->arena, struct identity_extra, n + 1);

    n = 0;
    for (const struct draft_value *v = d->extra; v; v = v->next, n++) {
        sorted[n] = *v;
        sorted[n].at = n;
    }
    if (n > 1)
        qsort(sorted, n, sizeof(sorted[0]), by_key);
    for (size_t i = 0; i < n; out++) {
        extra[out].key = sorted[i].key;
        extra[out].values = values_of(&d->arena, sorted, n, &i);
    }
    return extra;
}

/* On the way of every request: without the cost of formatting. The digits are written from the end, and a
 * length has no more than twenty. */
void access_key_put(struct buf *key, const char *text) {
    char digits[24];
    size_t len = text ? strlen(text) : 0, at = sizeof(digits), rest = len;

    digits[--at] = ':';
    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    buf_append(key, digits + at, sizeof(digits) - at);
    buf_append(key, text, len);
}

/* Every text begins with a digit, its length, so that the sign before a key of extra ends the list before it:
 * no group can pass for one. */
static const char *key_of(struct arena *arena, const struct identity *is) {
    cleanup_buf struct buf key;

    buf_init(&key, KEY_MAX);
    access_key_put(&key, is->user);
    access_key_put(&key, is->uid);
    for (const char *const *group = is->groups; *group; group++)
        access_key_put(&key, *group);
    for (const struct identity_extra *e = is->extra; e->key; e++) {
        buf_puts(&key, "=");
        access_key_put(&key, e->key);
        for (const char *const *value = e->values; *value; value++)
            access_key_put(&key, *value);
    }
    return arena_strndup(arena, key.data, key.len);
}

struct access_identity *identity_draft_finish(struct identity_draft *d) {
    if (!d->user) {
        identity_draft_done(d);
        return NULL;
    }
    /* finish_groups may add a group, so the key is made of what both have put together. */
    struct access_identity *identity = ARENA_NEW(&d->arena, struct access_identity);
    identity->refs = 1;
    identity->is = (struct identity){
        .user = d->user, .uid = str_or_empty(d->uid), .groups = finish_groups(d), .extra = finish_extra(d)};
    identity->key = key_of(&d->arena, &identity->is);
    identity->arena = d->arena; /* the last: it has changed by every allocation */
    return identity;
}

struct access_identity *access_identity_anonymous(void) {
    struct identity_draft draft;

    identity_draft_init(&draft);
    identity_draft_user(&draft, anonymous);
    identity_draft_group(&draft, unauthenticated);
    return identity_draft_finish(&draft);
}

bool identity_in_group(const struct identity *identity, const char *group) {
    for (const char *const *g = identity->groups; *g; g++)
        if (strcmp(*g, group) == 0)
            return true;
    return false;
}

/* As bearertoken.go of k8s.io/apiserver: the scheme in any case, one blank, and the token up to the next one;
 * an empty token is none, so that who sends it is anonymous and not refused. */
const char *access_bearer_token(const char *header, size_t *ret_len) {
    static const char scheme[] = "bearer ";

    if (!header)
        return NULL;
    while (isspace((unsigned char)*header))
        header++;
    if (strncasecmp(header, scheme, strlen(scheme)) != 0)
        return NULL;
    const char *token = header + strlen(scheme);
    *ret_len = strcspn(token, " \t");
    return *ret_len ? token : NULL;
}
