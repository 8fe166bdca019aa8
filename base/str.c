/* String helpers and the pool of shared strings. */
#include "base/str.h"

#include "base/mem.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

bool str_eq(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts(const char *s, const char *prefix) {
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix) {
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

const char *str_or_empty(const char *s) {
    return s ? s : "";
}

/* How long a character is by its first byte; 0 where none begins so: 80 to BF go on with one, C0 and C1 could
 * only begin what has a shorter form, and from F5 on there is nothing (RFC 3629, section 4). */
static size_t utf8_length(unsigned char lead) {
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

size_t str_utf8(const char *s) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    /* What is longer than it need be, beyond the last character, or a surrogate is malformed too: a filter
     * that looks for the short form would be blind for it. */
    size_t len = utf8_length((unsigned char)*s);
    uint32_t code = (unsigned char)*s & (0xffu >> (len + 1));

    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | ((unsigned char)s[i] & 0x3fu);
    }
    if (code > 0x10ffff || (len > 1 && code < least[len]) || (len == 3 && code >> 11 == 0x1b))
        return 0;
    return len;
}

bool str_is_utf8(const char *s) {
    for (size_t len; *s; s += len)
        if (!(len = str_utf8(s)))
            return false;
    return true;
}

size_t str_fit(const char *text, size_t len, size_t most) {
    if (len <= most)
        return len;
    /* text[most] is the first byte to go: while it goes on with a character, that one goes as a whole. */
    while (most && ((unsigned char)text[most] & 0xc0) == 0x80)
        most--;
    return most;
}

void str_cut(char *out, size_t size, const char *text, size_t len) {
    len = str_fit(text, len, size - 1);
    memcpy(out, text, len);
    out[len] = '\0';
}

void str_trim_utf8(char *s) {
    size_t at = strlen(s);

    while (at > 0 && ((unsigned char)s[at - 1] & 0xc0) == 0x80)
        at--;
    if (at > 0 && (unsigned char)s[at - 1] >= 0xc0 && !str_utf8(s + at - 1))
        s[at - 1] = '\0';
}

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* Levenshtein's, one row of the usual matrix at a time: diagonal is what stood to the left of and above the
 * place that is being filled. */
unsigned str_distance(const char *a, const char *b) {
    unsigned row[STR_DISTANCE_MAX + 1];
    size_t len = strlen(b);

    if (len > STR_DISTANCE_MAX)
        return UINT_MAX;
    for (size_t j = 0; j <= len; j++)
        row[j] = (unsigned)j;
    for (size_t i = 0; a[i]; i++) {
        unsigned diagonal = row[0]++;
        for (size_t j = 1; j <= len; j++) {
            bool same = tolower((unsigned char)a[i]) == tolower((unsigned char)b[j - 1]);
            unsigned replaced = diagonal + !same;
            diagonal = row[j];
            row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[len];
}

int str_to_i64(const char *s, int64_t *ret_value) {
    char *end = NULL;

    /* strtoll would skip blanks, and take a plus. */
    if (!(s[0] == '-' || (s[0] >= '0' && s[0] <= '9')))
        return -EINVAL;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (end == s || *end)
        return -EINVAL;
    if (errno == ERANGE)
        return -ERANGE;
    *ret_value = v;
    return 0;
}

int str_to_double(const char *s, double *ret_value) {
    char *end = NULL;

    /* The locale is never set, so the point is a point. */
    if (!*s || strspn(s, " \t\n\r\v\f"))
        return -EINVAL;
    double v = strtod(s, &end);
    if (end == s || *end)
        return -EINVAL;
    *ret_value = v;
    return 0;
}

/* The count stands before the text, so that the pool's user holds a plain string. The map's key is that text,
 * so the entry must leave the map before its memory goes. */
struct interned {
    uint32_t refs;
    char text[];
};

static struct interned *of_text(const char *s) {
    union {
        const char *given;
        char *own; /* the pool's memory was never const */
    } text = {.given = s};
    return (struct interned *)(void *)(text.own - offsetof(struct interned, text));
}

void str_pool_init(struct str_pool *pool) {
    map_init(&pool->strings);
}

void str_pool_done(struct str_pool *pool) {
    struct map_iter it = {0};
    const char *key;

    while (map_next(&pool->strings, &it, &key, NULL))
        free(of_text(key));
    map_done(&pool->strings);
}

const char *str_intern(struct str_pool *pool, const char *s, size_t len) {
    len = strnlen(s, len); /* a NUL inside would make two texts share one key */
    struct interned *in = map_get_n(&pool->strings, s, len);

    if (!in) {
        in = xmalloc(sizeof(*in) + len + 1);
        in->refs = 0;
        memcpy(in->text, s, len);
        in->text[len] = '\0';
        map_put(&pool->strings, in->text, in);
    }
    in->refs++;
    return in->text;
}

const char *str_retain(const char *s) {
    of_text(s)->refs++;
    return s;
}

void str_release(struct str_pool *pool, const char *s) {
    if (!s)
        return;
    struct interned *in = of_text(s);
    if (--in->refs)
        return;
    map_remove(&pool->strings, s);
    free(in);
}
