/* Label selectors in their text form: a recursive descent over the grammar of apimachinery's labels.Parse.
 * What that takes is taken here, and what it refuses is refused: a selector that means one thing here and
 * another in the API server would count other pods than the workload's. */
#include "api/types/selector.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

/* The lengths of names and prefixes are apimachinery's (IsQualifiedName). The text has no bound there; ours
 * is far above what fits a URL. */
enum { SELECTOR_TEXT_MAX = 65536, LABEL_NAME_MAX = 63, LABEL_PREFIX_MAX = 253 };

enum token { TOKEN_END, TOKEN_WORD, TOKEN_COMMA, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_NOT, TOKEN_OP };

/* One token is looked at, never more: the grammar needs no more. */
struct parser {
    const char *text, *at; /* at: behind the current token */
    enum token token;
    const char *word; /* the current token's bytes */
    size_t len;
    struct arena *arena;
    struct err *err;
};

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c) {
    return c != '\0' && strchr("=!(),><", c) != NULL;
}

/* How long the token at s is, and which it is. A word is all up to the next blank or operator, whether a
 * label may look so or not: then the error can show it whole. */
static size_t scan_token(const char *s, enum token *ret_token) {
    size_t len = 1;

    switch (*s) {
    case '\0':
        *ret_token = TOKEN_END;
        return 0;
    case ',':
        *ret_token = TOKEN_COMMA;
        return 1;
    case '(':
        *ret_token = TOKEN_OPEN;
        return 1;
    case ')':
        *ret_token = TOKEN_CLOSE;
        return 1;
    default:
        break;
    }
    if (is_special(*s)) {
        bool two = (*s == '=' || *s == '!') && s[1] == '=';
        *ret_token = *s == '!' && !two ? TOKEN_NOT : TOKEN_OP;
        return two ? 2 : 1;
    }
    *ret_token = TOKEN_WORD;
    while (s[len] != '\0' && !is_special(s[len]) && !is_blank(s[len]))
        len++;
    return len;
}

static void next_token(struct parser *p) {
    p->word = p->at;
    while (is_blank(*p->word))
        p->word++;
    p->len = scan_token(p->word, &p->token);
    p->at = p->word + p->len;
}

/* Errors have the position from 1, as people count, and what was found there. */
static int expected(const struct parser *p, const char *what) {
    if (p->token == TOKEN_END)
        return err_set(p->err, -EINVAL, "label selector ends at position %zu: expected %s",
                       (size_t)(p->word - p->text) + 1, what);
    return err_set(p->err, -EINVAL, "label selector has \"%.*s\" at position %zu: expected %s",
                   (int)(p->len > 80 ? 80 : p->len), p->word, (size_t)(p->word - p->text) + 1, what);
}

static bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A label's name or value: letters, digits, '-', '_', '.', beginning and ending with a letter or digit. */
static bool is_label_name(const char *s, size_t len) {
    if (len == 0 || len > LABEL_NAME_MAX || !is_alnum(s[0]) || !is_alnum(s[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(s[i]) && s[i] != '-' && s[i] != '_' && s[i] != '.')
            return false;
    return true;
}

static bool is_lower(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* A DNS subdomain: lower case labels of letters, digits and '-', joined by dots. A single label may be as
 * long as the whole, as in apimachinery (IsDNS1123Subdomain), though not in DNS. */
static bool is_prefix(const char *s, size_t len) {
    char before = '.';

    if (len == 0 || len > LABEL_PREFIX_MAX || !is_lower(s[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++) {
        /* Behind a dot, and in front of one, stands a letter or digit. */
        bool fits = is_lower(s[i]) || (s[i] == '-' && before != '.') || (s[i] == '.' && is_lower(before));
        if (!fits)
            return false;
        before = s[i];
    }
    return true;
}

/* "name" or "prefix/name" (apimachinery's IsQualifiedName). */
static bool is_label_key(const char *s, size_t len) {
    const char *slash = memchr(s, '/', len);

    if (!slash)
        return is_label_name(s, len);
    return is_prefix(s, (size_t)(slash - s)) && is_label_name(slash + 1, len - (size_t)(slash - s) - 1);
}

static int take_value(struct parser *p, const char **ret_value) {
    if (!is_label_name(p->word, p->len))
        return expected(p, "a label value: at most 63 letters, digits, '-', '_' and '.'");
    *ret_value = arena_strndup(p->arena, p->word, p->len);
    next_token(p);
    return 0;
}

/* A set, as in apimachinery: a value that is repeated counts once. */
static void add_value(struct selector_term *term, const char *value) {
    for (uint32_t i = 0; i < term->count; i++)
        if (strcmp(term->values[i], value) == 0)
            return;
    term->values[term->count++] = value;
}

/* How many values the list at the parser's place can have at most: one more than commas, up to its end. The
 * arena cannot grow what it has given. */
static size_t values_max(const struct parser *p) {
    size_t n = 2;

    for (const char *s = p->at; *s != '\0' && *s != ')'; s++)
        n += *s == ',';
    return n;
}

/* "(a,b)", the current token being "(". Empty items, and "()", stand for the empty value, as upstream. */
static int parse_list(struct parser *p, struct selector_term *term) {
    if (p->token != TOKEN_OPEN)
        return expected(p, "'('");
    term->values = ARENA_ARRAY(p->arena, const char *, values_max(p));
    next_token(p);
    for (;; next_token(p)) {
        const char *value = "";
        int r = p->token == TOKEN_WORD ? take_value(p, &value) : 0;
        if (r < 0)
            return r;
        if (p->token != TOKEN_COMMA && p->token != TOKEN_CLOSE)
            return expected(p, "',' or ')'");
        add_value(term, value);
        if (p->token == TOKEN_CLOSE)
            break;
    }
    next_token(p);
    return 0;
}

/* "= value", "== value", "!= value"; a missing value is the empty one. */
static int parse_equality(struct parser *p, struct selector_term *term) {
    term->op = p->word[0] == '!' ? SELECTOR_NOT_IN : SELECTOR_IN;
    term->equality = true;
    term->values = ARENA_ARRAY(p->arena, const char *, 1);
    term->values[0] = "";
    term->count = 1;
    next_token(p);
    if (p->token == TOKEN_END || p->token == TOKEN_COMMA)
        return 0;
    if (p->token != TOKEN_WORD)
        return expected(p, "a value");
    return take_value(p, &term->values[0]);
}

/* "in" and "notin" are words like any label; only their place makes them operators. */
static bool word_is(const struct parser *p, const char *word) {
    return p->token == TOKEN_WORD && p->len == strlen(word) && memcmp(p->word, word, p->len) == 0;
}

/* "> 1", "< 1". They were made for nodes' affinity, but every list of the API takes them. */
static int parse_order(struct parser *p, struct selector_term *term) {
    int64_t number;

    term->op = *p->word == '>' ? SELECTOR_GREATER : SELECTOR_LESS;
    term->values = ARENA_ARRAY(p->arena, const char *, 1);
    term->count = 1;
    next_token(p);
    struct parser at_value = *p; /* for the error, which is to point at the value and not behind it */
    if (p->token != TOKEN_WORD)
        return expected(p, "a whole number");
    int ret = take_value(p, &term->values[0]);
    return ret == 0 && str_to_i64(term->values[0], &number) < 0 ? expected(&at_value, "a whole number") : ret;
}

static int parse_operator(struct parser *p, struct selector_term *term) {
    if (p->token == TOKEN_OP && (*p->word == '<' || *p->word == '>'))
        return parse_order(p, term);
    if (p->token == TOKEN_OP)
        return parse_equality(p, term);
    if (word_is(p, "in"))
        term->op = SELECTOR_IN;
    else if (word_is(p, "notin"))
        term->op = SELECTOR_NOT_IN;
    else
        return expected(p, "one of = == != in notin > <");
    next_token(p);
    return parse_list(p, term);
}

static int parse_term(struct parser *p, struct selector_term *term) {
    bool not = p->token == TOKEN_NOT;

    if (not )
        next_token(p);
    if (p->token != TOKEN_WORD)
        return expected(p, "a label name");
    if (!is_label_key(p->word, p->len))
        return expected(p, "a label name such as app or example.com/app");
    term->key = arena_strndup(p->arena, p->word, p->len);
    next_token(p);
    term->op = not ? SELECTOR_NOT_EXISTS : SELECTOR_EXISTS;
    if (not || p->token == TOKEN_END || p->token == TOKEN_COMMA)
        return 0;
    return parse_operator(p, term);
}

/* Commas within lists are counted too: that is more room than is needed, and never less. */
static size_t terms_max(const char *text) {
    size_t n = 1;

    for (; *text != '\0'; text++)
        n += *text == ',';
    return n;
}

int selector_parse(const char *text, struct arena *arena, struct selector *ret_selector, struct err *err) {
    struct parser p = {.text = text, .at = text, .arena = arena, .err = err};
    struct selector s = {0};

    if (strlen(text) > SELECTOR_TEXT_MAX)
        return err_set(err, -EINVAL, "label selector is longer than %d bytes", SELECTOR_TEXT_MAX);
    s.terms = ARENA_ARRAY(arena, struct selector_term, terms_max(text));
    next_token(&p);
    while (p.token != TOKEN_END) {
        int r = parse_term(&p, &s.terms[s.count]);
        if (r < 0)
            return r;
        s.count++;
        if (p.token == TOKEN_END)
            break;
        if (p.token != TOKEN_COMMA)
            return expected(&p, "',' or the end");
        next_token(&p);
        if (p.token != TOKEN_WORD && p.token != TOKEN_NOT)
            return expected(&p, "a label name after ','");
    }
    *ret_selector = s;
    return 0;
}

/* A label that is no whole number is neither more nor less, as in Requirement.Matches. */
static bool order_matches(const struct selector_term *term, const char *value) {
    int64_t is, bound;

    if (!value || str_to_i64(value, &is) < 0 || str_to_i64(term->values[0], &bound) < 0)
        return false;
    return term->op == SELECTOR_GREATER ? is > bound : is < bound;
}

/* An object without the label matches notin and !=, as in Kubernetes. */
static bool term_matches(const struct selector_term *term, const struct labels *labels) {
    const char *value = labels_get(labels, term->key);
    bool in = false;

    if (term->op == SELECTOR_EXISTS || term->op == SELECTOR_NOT_EXISTS)
        return (value != NULL) == (term->op == SELECTOR_EXISTS);
    if (term->op == SELECTOR_GREATER || term->op == SELECTOR_LESS)
        return order_matches(term, value);
    for (uint32_t i = 0; value && !in && i < term->count; i++)
        in = strcmp(term->values[i], value) == 0;
    return in == (term->op == SELECTOR_IN);
}

bool selector_matches(const struct selector *selector, const struct labels *labels) {
    for (uint32_t i = 0; i < selector->count; i++)
        if (!term_matches(&selector->terms[i], labels))
            return false;
    return true;
}

struct selector selector_copy(const struct selector *selector, struct arena *arena) {
    struct selector_term *terms = ARENA_ARRAY(arena, struct selector_term, selector->count + 1);

    for (uint32_t i = 0; i < selector->count; i++) {
        const struct selector_term *from = &selector->terms[i];
        terms[i] = *from;
        terms[i].key = arena_strdup(arena, from->key);
        terms[i].values = ARENA_ARRAY(arena, const char *, from->count + 1);
        for (uint32_t v = 0; v < from->count; v++)
            terms[i].values[v] = arena_strdup(arena, from->values[v]);
    }
    return (struct selector){.count = selector->count, .terms = terms};
}
