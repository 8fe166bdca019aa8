/* The reader of selectors: PromQL's tokens (names, strings, operators), then its matchers. */
#include "adapter/seriesselector.h"

#include "adapter/pattern.h"
#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

struct matcher {
    const char *label; /* NULL: the name of the series */
    const char *value;
    const char *text; /* as it stands in the selector */
    bool negative;
    struct pattern *pattern; /* NULL: the value itself is compared */
};

struct seriesselector {
    struct arena arena;
    uint32_t count;
    struct matcher matchers[SERIESSELECTOR_MATCHERS_MAX];
};

struct parser {
    const char *text, *at;
    struct seriesselector *selector;
    struct err *err;
};

static const char not_a_selector[] = "a seriesQuery is a selector of series, such as name{label=\"value\"}; "
                                     "functions, aggregations, operators "
                                     "and ranges belong into metricsQuery";

static int wrong_at(struct parser *p, const char *where, const char *what) {
    return err_set(p->err, -EINVAL, "position %zu: %s", (size_t)(where - p->text) + 1, what);
}

static int wrong(struct parser *p, const char *what) {
    return wrong_at(p, p->at, what);
}

/* Blanks, line ends and comments may stand between any two tokens. */
static void skip_blanks(struct parser *p) {
    for (;;) {
        p->at += strspn(p->at, " \t\r\n");
        if (*p->at != '#')
            return;
        p->at += strcspn(p->at, "\n");
    }
}

static bool take(struct parser *p, const char *token) {
    size_t len = strlen(token);

    if (strncmp(p->at, token, len) != 0)
        return false;
    p->at += len;
    return true;
}

/* A metric's name may hold colons, a label's may not. NULL: there is none. */
static const char *take_name(struct parser *p, bool colon) {
    static const char chars[] = ":_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t len = strspn(p->at, colon ? chars : chars + 1);

    if (!len || (*p->at >= '0' && *p->at <= '9'))
        return NULL;
    p->at += len;
    return arena_strndup(&p->selector->arena, p->at - len, len);
}

/* Digits of this base, exactly so many; -1 where they are not there. */
static long take_digits(struct parser *p, unsigned base, unsigned count) {
    static const char digits[] = "0123456789abcdef";
    unsigned long value = 0;

    for (unsigned i = 0; i < count; i++, p->at++) {
        int lower = tolower((unsigned char)*p->at);
        const char *digit = lower ? strchr(digits, lower) : NULL;
        if (!digit || digit - digits >= (long)base)
            return -1;
        value = value * base + (unsigned long)(digit - digits);
    }
    return (long)value;
}

static size_t write_utf8(char *out, unsigned long c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    /* How many bytes follow the first one, whose upper bits say so. */
    unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    out[0] = (char)((0xFF00u >> (more + 1) & 0xFF) | c >> (6 * more));
    for (unsigned i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (c >> (6 * (more - i)) & 0x3F));
    return more + 1;
}

/* The escapes that write a number. */
struct number_form {
    char letter; /* NUL: none, as in \ooo */
    unsigned base, digits;
    long max;
};

static const struct number_form *number_form(char letter) {
    static const struct number_form forms[] = {
        {'x', 16, 2, 0xFF}, {'u', 16, 4, 0xFFFF}, {'U', 16, 8, 0x10FFFF}, {'\0', 8, 3, 0xFF}};
    size_t i = 0;

    while (forms[i].letter && forms[i].letter != letter)
        i++;
    return &forms[i];
}

/* \ooo and \xhh are bytes, \uhhhh and \Uhhhhhhhh characters, which surrogates are not. */
static int take_number(struct parser *p, char **out) {
    const struct number_form *form = number_form(*p->at);
    bool byte = form->max == 0xFF;

    p->at += form->letter != '\0';
    long c = take_digits(p, form->base, form->digits);
    if (c < 0 || c > form->max || (c >= 0xD800 && c < 0xE000))
        return wrong(p, "this is not an escape that PromQL knows");
    if (c == 0)
        return wrong(p, "a NUL cannot be part of a label");
    if (byte)
        *(*out)++ = (char)c;
    else
        *out += write_utf8(*out, (unsigned long)c);
    return 0;
}

/* The rest of an escape after its backslash; only the quote in use may be escaped. */
static int take_escape(struct parser *p, char quote, char **out) {
    static const char names[] = "abfnrtv\\", chars[] = "\a\b\f\n\r\t\v\\";
    const char *found = *p->at ? strchr(names, *p->at) : NULL;

    if (*p->at == quote) {
        *(*out)++ = quote;
    } else if (found) {
        *(*out)++ = chars[found - names];
    } else {
        return take_number(p, out);
    }
    p->at++;
    return 0;
}

/* A string in double quotes, single quotes or backquotes, which know no escapes. What comes out is never
 * longer than what stood there. */
static int take_string(struct parser *p, const char **ret_value) {
    const char *start = p->at;
    char quote = *start;

    if (!quote || !strchr("\"'`", quote))
        return wrong(p, "expected a quoted value");
    char *value = arena_alloc(&p->selector->arena, strlen(start)), *out = value;
    for (p->at++; *p->at != quote;) {
        if (!*p->at || (*p->at == '\n' && quote != '`'))
            return wrong_at(p, start, "this quote is not closed");
        if (quote == '`' || !take(p, "\\"))
            *out++ = *p->at++;
        else if (take_escape(p, quote, &out) < 0)
            return -EINVAL;
    }
    p->at++;
    *out = '\0';
    *ret_value = value;
    return 0;
}

/* PromQL's regular expressions must match the whole value. */
static int compile(struct parser *p, const char *where, struct matcher *m) {
    const char *anchored = ARENA_JOIN(&p->selector->arena, "^(?:", m->value, ")$");
    struct err why = {0};

    if (pattern_new(anchored, &m->pattern, &why) == 0)
        return 0;
    return err_set(p->err, -EINVAL, "position %zu: the regular expression %s: %s",
                   (size_t)(where - p->text) + 1, anchored, why.text);
}

static struct matcher *new_matcher(struct parser *p) {
    if (p->selector->count < SERIESSELECTOR_MATCHERS_MAX)
        return &p->selector->matchers[p->selector->count++];
    wrong(p, "there are too many matchers");
    return NULL;
}

static int take_matcher(struct parser *p) {
    const char *start = p->at;
    struct matcher *m = new_matcher(p);

    if (!m)
        return -EINVAL;
    m->label = take_name(p, false);
    if (!m->label)
        return wrong(p, "expected the name of a label, or }");
    if (strcmp(m->label, "__name__") == 0)
        m->label = NULL;
    skip_blanks(p);
    m->negative = *p->at == '!';
    bool regex = take(p, "=~") || take(p, "!~");
    if (!regex && !take(p, "!=") && !take(p, "="))
        return wrong(p, "expected =, !=, =~ or !~ after the name of a label");
    skip_blanks(p);
    const char *where = p->at;
    if (take_string(p, &m->value) < 0)
        return -EINVAL;
    m->text = arena_strndup(&p->selector->arena, start, (size_t)(p->at - start));
    return regex ? compile(p, where, m) : 0;
}

/* What stands between the braces; the last matcher may have a comma behind it. */
static int take_matchers(struct parser *p) {
    for (skip_blanks(p); !take(p, "}"); skip_blanks(p)) {
        if (take_matcher(p) < 0)
            return -EINVAL;
        skip_blanks(p);
        if (!take(p, ",") && *p->at != '}')
            return wrong(p, "expected , or } after a matcher");
    }
    return 0;
}

static bool holds(const struct matcher *m, const char *value) {
    bool equal = m->pattern ? pattern_find(m->pattern, value, NULL) : strcmp(m->value, value) == 0;

    return equal != m->negative;
}

/* Prometheus refuses what would select everything, and a name that is told twice. */
static int check(struct parser *p, bool named) {
    bool selective = false;

    for (uint32_t i = 0; i < p->selector->count; i++) {
        const struct matcher *m = &p->selector->matchers[i];
        selective |= !holds(m, "");
        if (named && i > 0 && !m->label)
            return wrong_at(p, p->text, "the name stands before the braces and again as __name__");
    }
    if (!selective)
        return wrong_at(p, p->text, "at least one matcher must not match the empty text");
    return 0;
}

static int parse(struct parser *p) {
    skip_blanks(p);
    const char *name = take_name(p, true);

    if (name)
        *new_matcher(p) = (struct matcher){.value = name, .text = name};
    skip_blanks(p);
    bool braces = take(p, "{");
    if (!name && !braces)
        return wrong(p, *p->at ? not_a_selector : "the selector is empty");
    if (braces && take_matchers(p) < 0)
        return -EINVAL;
    skip_blanks(p);
    return *p->at ? wrong(p, not_a_selector) : check(p, name);
}

int seriesselector_new(const char *text, struct seriesselector **ret_selector, struct err *err) {
    struct parser p = {.text = text, .at = text, .err = err};

    if (strlen(text) > SERIESSELECTOR_TEXT_MAX)
        return err_set(err, -EINVAL, "a selector is longer than %d bytes", SERIESSELECTOR_TEXT_MAX);
    p.selector = XNEW(struct seriesselector);
    arena_init(&p.selector->arena, 1024);
    int ret = parse(&p);
    if (ret < 0)
        seriesselector_free(p.selector);
    else
        *ret_selector = p.selector;
    return ret;
}

void seriesselector_free(struct seriesselector *selector) {
    if (!selector)
        return;
    for (uint32_t i = 0; i < selector->count; i++)
        pattern_free(selector->matchers[i].pattern);
    arena_done(&selector->arena);
    free(selector);
}

bool seriesselector_matches(const struct seriesselector *selector, const struct series *series,
                            const char **ret_why) {
    for (uint32_t i = 0; i < selector->count; i++) {
        const struct matcher *m = &selector->matchers[i];
        if (holds(m, m->label ? series_label(series, m->label) : series->name))
            continue;
        if (ret_why)
            *ret_why = m->text;
        return false;
    }
    return true;
}
