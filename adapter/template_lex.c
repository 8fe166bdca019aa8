/* Templates: from text to tokens, by the rules of Go's text/template/parse (lex.go).
 *
 * The whole text is taken apart before any of it is parsed, so the parser may look ahead as far as it likes.
 * Outside of actions there is text up to the next "<<"; inside, each token begins where the one before it
 * ended, and `spaced` keeps whether blanks were between them, which tells ".A .B" (two operands) from ".A.B"
 * (a field of a field). A comment leaves no token behind. */
#include "adapter/template_internal.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char left[] = "<<", right[] = ">>";
enum { DELIM = 2, MARK = 2 /* a blank and a minus */ };

struct lexer {
    const char *text, *p;
    struct arena *arena;
    struct tokens *tokens;
    struct err *err;
    unsigned parens;
    bool spaced;
};

int template_refuse(const char *text, uint32_t at, struct err *err, const char *fmt, ...) {
    unsigned line = 1, column = 1;
    char what[ERR_TEXT_MAX];
    va_list ap;

    /* Columns are characters, as an editor counts them: bytes that go on with one are not counted. */
    for (const char *p = text; p < text + at; p++) {
        line += *p == '\n';
        column = *p == '\n' ? 1 : column + (((unsigned char)*p & 0xc0) != 0x80);
    }
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return err_set(err, -EINVAL, "line %u, column %u: %s", line, column, what);
}

static int refuse(const struct lexer *l, const char *at, const char *what) {
    return template_refuse(l->text, (uint32_t)(at - l->text), l->err, "%s", what);
}

/* Go's blanks within templates. */
static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Go asks unicode for letters and digits; whatever is beyond ASCII is let through here, and then no function
 * or field has the name. */
static bool is_word(char c) {
    return c == '_' || isalnum((unsigned char)c) || ((unsigned char)c & 0x80);
}

/* A token of what lies between start and l->p; copied only where its text matters. */
static int push(struct lexer *l, enum token_kind kind, const char *start, const char *text) {
    struct tokens *all = l->tokens;

    if (all->count == TEMPLATE_TOKENS_MAX)
        return refuse(l, start, "the template is too large");
    if (all->count == all->cap) {
        all->cap = all->cap ? 2 * all->cap : 32;
        all->items = xrealloc(all->items, all->cap * sizeof(*all->items));
    }
    all->items[all->count++] =
        (struct token){.kind = kind, .spaced = l->spaced, .at = (uint32_t)(start - l->text), .text = text};
    l->spaced = false;
    return 0;
}

static int push_copy(struct lexer *l, enum token_kind kind, const char *start, const char *text) {
    return push(l, kind, start, arena_strndup(l->arena, text, (size_t)(l->p - text)));
}

static void skip_blanks(struct lexer *l) {
    while (is_blank(*l->p))
        l->p++;
}

/* ---- the ends of actions ---- */

/* At ">>" or " ->>". The blank before the minus belongs to the mark: "1->>" is no trimmed end. */
static bool at_right(const struct lexer *l, bool *ret_trim) {
    *ret_trim = is_blank(l->p[0]) && l->p[1] == '-' && str_starts(l->p + MARK, right);
    return *ret_trim || str_starts(l->p, right);
}

static void leave_action(struct lexer *l, bool trim) {
    l->p += (trim ? MARK : 0) + DELIM;
    if (trim)
        skip_blanks(l);
    l->spaced = false;
}

/* Begins behind its opening. */
static int comment(struct lexer *l, const char *open) {
    const char *end = strstr(l->p + 2, "*/");
    bool trim;

    if (!end)
        return refuse(l, open, "unclosed comment");
    l->p = end + 2;
    if (!at_right(l, &trim))
        return refuse(l, l->p, "a comment must be followed by >> at once, or by a blank and ->>");
    leave_action(l, trim);
    return 0;
}

/* ---- within actions ---- */

static int hex_digits(const char *p, unsigned n, uint32_t *ret_c) {
    char digits[9] = "";

    for (unsigned i = 0; i < n; i++) {
        if (!isxdigit((unsigned char)p[i]))
            return -EINVAL;
        digits[i] = p[i];
    }
    *ret_c = (uint32_t)strtoul(digits, NULL, 16);
    return 0;
}

static void put_utf8(struct buf *out, uint32_t c) {
    char bytes[4];
    /* RFC 3629, section 3: the first byte tells how many there are, each of the others carries six bits. */
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)(first[n] | c);
    buf_append(out, bytes, n);
}

static bool is_octal(char c) {
    return c >= '0' && c <= '7';
}

/* A byte; it must not be a NUL, which would end the text. */
static int byte_escape(const char **p, struct buf *out) {
    const char *digits = *p;
    uint32_t c = 0;

    if (*digits == 'x') {
        if (hex_digits(digits + 1, 2, &c) < 0)
            return -EINVAL;
    } else {
        if (!is_octal(digits[1]) || !is_octal(digits[2]))
            return -EINVAL;
        c = (uint32_t)(digits[0] - '0') * 64 + (uint32_t)(digits[1] - '0') * 8 + (uint32_t)(digits[2] - '0');
    }
    if (c == 0 || c > 0xff)
        return -EINVAL;
    *p += 3;
    return buf_append(out, &(char){(char)c}, 1);
}

/* A character: \uhhhh or \Uhhhhhhhh; no NUL, and no half of a surrogate pair. */
static int character_escape(const char **p, struct buf *out) {
    unsigned n = **p == 'u' ? 4 : 8;
    uint32_t c;

    /* RFC 3629, section 3, knows nothing above 10FFFF, and no surrogates. */
    if (hex_digits(*p + 1, n, &c) < 0 || c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return -EINVAL;
    *p += 1 + n;
    put_utf8(out, c);
    return 0;
}

/* *p is behind the backslash. */
static int string_escape(const char **p, struct buf *out) {
    static const char letters[] = "abfnrtv\\\"", meanings[] = "\a\b\f\n\r\t\v\\\"";
    const char *letter = **p != '\0' ? strchr(letters, **p) : NULL;

    if (letter) {
        (*p)++;
        return buf_append(out, &meanings[letter - letters], 1);
    }
    if (**p == 'x' || is_octal(**p))
        return byte_escape(p, out);
    return **p == 'u' || **p == 'U' ? character_escape(p, out) : -EINVAL;
}

static int quoted_string(struct lexer *l) {
    const char *start = l->p, *p = start + 1;
    cleanup_buf struct buf value;

    buf_init(&value, strlen(start)); /* never longer than it is written */
    while (*p != '"') {
        if (*p == '\0' || *p == '\n')
            return refuse(l, start, "unterminated quoted string");
        if (*p != '\\') {
            buf_append(&value, p++, 1);
            continue;
        }
        const char *backslash = p++;
        if (string_escape(&p, &value) < 0)
            return refuse(l, backslash, "no such escape within quotes");
    }
    l->p = p + 1;
    return push(l, TOKEN_STRING, start, arena_strndup(l->arena, value.data, value.len));
}

static int raw_string(struct lexer *l) {
    const char *start = l->p, *end = strchr(start + 1, '`');

    if (!end)
        return refuse(l, start, "unterminated raw quoted string");
    l->p = end + 1;
    return push(l, TOKEN_STRING, start, arena_strndup(l->arena, start + 1, (size_t)(end - start - 1)));
}

/* What may follow a word, a field or a variable. */
static bool at_terminator(const struct lexer *l) {
    return *l->p == '\0' || is_blank(*l->p) || strchr(".,|:)(", *l->p) || str_starts(l->p, right);
}

/* A word with the sign before it, if it has one. */
static int word(struct lexer *l, enum token_kind kind, size_t sign) {
    const char *start = l->p;
    char what[64];

    /* A field begins anew at each dot, so .A.B comes out as two tokens with no blank between them. */
    for (l->p += sign; is_word(*l->p);)
        l->p++;
    if (!at_terminator(l)) {
        snprintf(what, sizeof(what), "bad character '%.*s'", (int)str_utf8(l->p), l->p);
        return refuse(l, l->p, what);
    }
    if (kind == TOKEN_FIELD && l->p == start + sign)
        kind = TOKEN_DOT;
    return push_copy(l, kind, start, start + (kind == TOKEN_FIELD ? sign : 0));
}

/* Whole numbers: decimal, 0x, or octal with a zero before, as Go reads them. */
static int number(struct lexer *l) {
    const char *start = l->p;
    char *end;

    errno = 0;
    long long n = strtoll(start, &end, 0);
    l->p = end;
    if (*end == '.' || is_word(*end) || end == start)
        return refuse(l, start, "bad number: only whole ones are read");
    if (errno == ERANGE)
        return refuse(l, start, "a number that is too large");
    int ret = push(l, TOKEN_NUMBER, start, NULL);
    if (ret == 0)
        l->tokens->items[l->tokens->count - 1].number = n;
    return ret;
}

/* Counted here and not by the parser, as Go does, so that ")" is named where it stands. */
static int paren(struct lexer *l) {
    bool opens = *l->p == '(';

    if (!opens && l->parens == 0)
        return refuse(l, l->p, "a ) without its (");
    l->parens += opens ? 1U : -1U;
    l->p++;
    return push(l, opens ? TOKEN_LEFT_PAREN : TOKEN_RIGHT_PAREN, l->p - 1, NULL);
}

/* At a sign that is a token of its own: its kind, and its length; TOKEN_END: it is none. None of them begins
 * another one, so their order does not matter. */
static enum token_kind sign_at(const char *p, size_t *ret_len) {
    static const struct {
        const char *text;
        enum token_kind kind;
    } all[] = {{"=", TOKEN_ASSIGN}, {":=", TOKEN_DECLARE}, {"|", TOKEN_PIPE}, {",", TOKEN_COMMA}};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        *ret_len = strlen(all[i].text);
        if (str_starts(p, all[i].text))
            return all[i].kind;
    }
    return TOKEN_END;
}

static int unknown_sign(const struct lexer *l) {
    char what[64];

    if (*l->p == '\'')
        return refuse(l, l->p, "'c' is not read here: write the text in double quotes");
    snprintf(what, sizeof(what), "unexpected '%.*s' in an action", (int)str_utf8(l->p), l->p);
    return refuse(l, l->p, what);
}

/* Digits, or a sign or dot before them; a dot before anything else begins a field. */
static bool begins_number(const char *p) {
    bool dot = *p == '.';

    return isdigit((unsigned char)p[dot]) || (!dot && (*p == '+' || *p == '-'));
}

static int action_token(struct lexer *l) {
    size_t len;
    enum token_kind kind = sign_at(l->p, &len);

    if (kind != TOKEN_END) {
        l->p += len;
        return push(l, kind, l->p - len, NULL);
    }
    if (begins_number(l->p))
        return number(l);
    switch (*l->p) {
    case '"':
        return quoted_string(l);
    case '`':
        return raw_string(l);
    case '(':
    case ')':
        return paren(l);
    case '$':
        return word(l, TOKEN_VARIABLE, 1);
    case '.':
        return word(l, TOKEN_FIELD, 1);
    default:
        return is_word(*l->p) ? word(l, TOKEN_WORD, 0) : unknown_sign(l);
    }
}

/* From behind the opening to the end of the action. The end is looked for where a token could begin, so a
 * ">>" within quotes is none. */
static int action(struct lexer *l, const char *open) {
    bool trim;

    /* Said here: whatever follows would only look odd within an action. */
    if (!strstr(l->p, right))
        return refuse(l, open, "unclosed action: << without its >>");
    for (;;) {
        if (at_right(l, &trim)) {
            if (l->parens)
                return refuse(l, l->p, "a ( is not closed");
            int ret = push(l, TOKEN_CLOSE, l->p, NULL);
            leave_action(l, trim);
            return ret;
        }
        if (*l->p == '\0') /* the >> was in quotes */
            return refuse(l, open, "unclosed action: << without its >>");
        if (is_blank(*l->p)) {
            l->p++;
            l->spaced = true;
            continue;
        }
        int ret = action_token(l);
        if (ret < 0)
            return ret;
    }
}

/* What lies before the next action, or the end. "<<-" takes the blanks before it; those behind "->>" have
 * been stepped over by leave_action. A text that is empty then makes no token. */
static int text_to(struct lexer *l, const char *end, bool trim) {
    const char *start = l->p, *last = end;

    while (trim && last > start && is_blank(last[-1]))
        last--;
    l->p = end;
    return last > start ? push(l, TOKEN_TEXT, start, arena_strndup(l->arena, start, (size_t)(last - start)))
                        : 0;
}

int template_lex(const char *text, struct arena *arena, struct tokens *ret_tokens, struct err *err) {
    struct lexer l = {.text = text, .p = text, .arena = arena, .tokens = ret_tokens, .err = err};
    const char *open;
    int ret = 0;

    while (ret == 0 && (open = strstr(l.p, left))) {
        bool trim = open[DELIM] == '-' && is_blank(open[DELIM + 1]);
        ret = text_to(&l, open, trim);
        l.p = open + DELIM + (trim ? MARK : 0);
        if (ret == 0 && str_starts(l.p, "/*")) {
            ret = comment(&l, open);
        } else if (ret == 0) {
            ret = push(&l, TOKEN_OPEN, open, NULL);
            ret = ret < 0 ? ret : action(&l, open);
        }
    }
    if (ret == 0)
        ret = text_to(&l, l.p + strlen(l.p), /* trim= */ false);
    return ret < 0 ? ret : push(&l, TOKEN_END, l.p, NULL);
}
