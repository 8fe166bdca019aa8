/* PromQL's tokens: blanks and comments, names, strings with their escapes. */
#include "adapter/promql.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

int promql_wrong_at(const struct promql *p, const char *where, const char *what) {
    return err_set(p->err, -EINVAL, "position %zu: %s", (size_t)(where - p->text) + 1, what);
}

int promql_wrong(const struct promql *p, const char *what) {
    return promql_wrong_at(p, p->at, what);
}

void promql_skip(struct promql *p) {
    for (;;) {
        p->at += strspn(p->at, " \t\r\n");
        if (*p->at != '#')
            return;
        p->at += strcspn(p->at, "\n");
    }
}

bool promql_take(struct promql *p, const char *token) {
    size_t len = strlen(token);

    if (strncmp(p->at, token, len) != 0)
        return false;
    p->at += len;
    return true;
}

const char *promql_take_name(struct promql *p, bool colon) {
    static const char chars[] = ":_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t len = strspn(p->at, colon ? chars : chars + 1);

    if (!len || (*p->at >= '0' && *p->at <= '9'))
        return NULL;
    p->at += len;
    return arena_strndup(p->arena, p->at - len, len);
}

/* Digits of this base, exactly so many; -1 where they are not there. */
static long take_digits(struct promql *p, unsigned base, unsigned count) {
    static const char digits[] = "0123456789abcdef";
    unsigned long value = 0;

    /* Ends before the NUL: that is no digit. */
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
static int take_number(struct promql *p, char **out) {
    const struct number_form *form = number_form(*p->at);
    bool byte = form->max == 0xFF;

    /* The letter of \x, \u and \U; of an octal escape the first digit is where p stands. */
    p->at += form->letter != '\0';
    long c = take_digits(p, form->base, form->digits);
    /* Surrogates are halves of characters in UTF-16, and none in UTF-8 (RFC 3629, 3). Those of \ooo and
     * \xhh are too small to be one. */
    if (c < 0 || c > form->max || (c >= 0xD800 && c < 0xE000))
        return promql_wrong(p, "this is not an escape that PromQL knows");
    /* Go has no trouble with it; here it would end the text, and what is behind it would be lost silently. */
    if (c == 0)
        return promql_wrong(p, "a NUL cannot be part of a label");
    if (byte)
        *(*out)++ = (char)c;
    else
        *out += write_utf8(*out, (unsigned long)c);
    return 0;
}

/* The rest of an escape after its backslash; only the quote in use may be escaped. */
static int take_escape(struct promql *p, char quote, char **out) {
    /* As in Go's strings, which PromQL takes its escapes from. */
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

/* How far it is to the closing quote, or to the end of the text. */
static size_t quoted_length(const char *start, char quote) {
    size_t n = 1;

    while (start[n] && start[n] != quote)
        n += start[n] == '\\' && start[n + 1] && quote != '`' ? 2 : 1;
    return n;
}

int promql_take_string(struct promql *p, const char **ret_value) {
    const char *start = p->at;
    char quote = *start;

    if (!quote || !strchr("\"'`", quote))
        return promql_wrong(p, "expected a quoted value");
    /* What comes out is never longer than what stands there. */
    char *value = arena_alloc(p->arena, quoted_length(start, quote)), *out = value;
    for (p->at++; *p->at != quote;) {
        /* Only backquotes may go over the end of a line, as in Go. */
        if (!*p->at || (*p->at == '\n' && quote != '`'))
            return promql_wrong_at(p, start, "this quote is not closed");
        if (quote == '`' || !promql_take(p, "\\"))
            *out++ = *p->at++;
        else if (take_escape(p, quote, &out) < 0)
            return -EINVAL;
    }
    p->at++;
    *out = '\0';
    *ret_value = value;
    return 0;
}
