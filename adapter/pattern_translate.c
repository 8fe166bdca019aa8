/* From Go's syntax of regular expressions to PCRE2's; see pattern_internal.h. The order of the cases is that
 * of Go's regexp/syntax, which is RE2's with Perl's flags.
 *
 * One pass, a construct at a time (step), without a tree: each function takes what stands at tr->p, writes
 * what means the same to PCRE2, and moves on. Nothing is copied that has not been understood, since a text
 * that both take and mean differently would be found out by nobody. Of what stood before only as much is
 * kept as a quantifier must know (before), and two things that are refused together at the end. */
#include "adapter/pattern_internal.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum {
    /* Of \S, which grows most, a thousand fit: what is refused here nobody has written by hand. */
    TRANSLATION_MAX = 64 * 1024,
    DEPTH_MAX = 200,  /* of groups; PCRE2 takes 250 */
    REPEAT_MAX = 1000 /* Go's */
};

/* What a quantifier would follow. */
enum before { BEFORE_NOTHING, BEFORE_ATOM, BEFORE_QUANTIFIER };

struct translator {
    const char *text, *p;
    struct pattern_text *t;
    struct err *err;
    unsigned depth;
    enum before before;
    bool folds, cased; /* seen: the flag i; a class of large or small letters alone */
};

void pattern_text_init(struct pattern_text *t) {
    *t = (struct pattern_text){0};
    buf_init(&t->out, TRANSLATION_MAX);
    buf_init(&t->places, TRANSLATION_MAX * sizeof(uint16_t));
}

void pattern_text_done(struct pattern_text *t) {
    for (unsigned i = 0; i <= PATTERN_GROUPS_MAX; i++)
        free(t->names[i].text);
    buf_done(&t->out);
    buf_done(&t->places);
}

unsigned pattern_text_origin(const struct pattern_text *t, size_t offset) {
    uint16_t place = 0;

    if (!t->places.len)
        return 1;
    if (offset >= t->out.len)
        offset = t->out.len - 1;
    /* A buffer of bytes, which need not be aligned for this. */
    memcpy(&place, t->places.data + offset * sizeof(place), sizeof(place));
    return place;
}

/* Counted in characters, as people count. */
static unsigned position(const struct translator *tr, const char *at) {
    unsigned n = 1;

    for (const char *p = tr->text; p < at; p++)
        n += ((unsigned char)*p & 0xc0) != 0x80;
    return n;
}

static int refuse(const struct translator *tr, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(const struct translator *tr, const char *at, const char *fmt, ...) {
    char what[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return err_set(tr->err, -EINVAL, "at %u: %s", position(tr, at), what);
}

static int emit_bytes(struct translator *tr, const char *bytes, size_t len) {
    /* Fits: a pattern has at most PATTERN_TEXT_MAX bytes. */
    uint16_t place = (uint16_t)position(tr, tr->p);

    if (buf_append(&tr->t->out, bytes, len) < 0)
        return refuse(tr, tr->p, "the expression is too large");
    for (size_t i = 0; i < len; i++)
        buf_append(&tr->t->places, &place, sizeof(place));
    return 0;
}

static int emit(struct translator *tr, const char *text) {
    return emit_bytes(tr, text, strlen(text));
}

/* Everything but letters and digits goes as a number: so it means itself, whatever PCRE2 would see in it. */
static int emit_char(struct translator *tr, uint32_t c) {
    char text[16];

    if (c < 0x80 && isalnum((int)c))
        snprintf(text, sizeof(text), "%c", (int)c);
    else
        snprintf(text, sizeof(text), "\\x{%x}", c);
    return emit(tr, text);
}

/* ---- characters and escapes ---- */

/* The character at *p, which is stepped over. */
static int take_char(const struct translator *tr, const char **p, uint32_t *ret_c) {
    const unsigned char *s = (const unsigned char *)*p;
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t len = str_utf8(*p);

    if (!len)
        return refuse(tr, *p, "not UTF-8");
    uint32_t c = s[0] & first_bits[len];
    for (size_t i = 1; i < len; i++)
        c = c << 6 | (s[i] & 0x3fU);
    *p += len;
    *ret_c = c;
    return 0;
}

static int hex_digit(char c) {
    if (isdigit((unsigned char)c))
        return c - '0';
    return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* "\x41" or "\x{10ffff}"; *p is behind the x. */
static int take_hex(const struct translator *tr, const char *start, const char **p, uint32_t *ret_c) {
    bool braces = **p == '{';
    const char *digit = *p + braces;
    uint32_t c = 0;
    unsigned n = 0;

    for (; hex_digit(*digit) >= 0 && (braces ? c <= 0x10ffff : n < 2); digit++, n++)
        c = c * 16 + (uint32_t)hex_digit(*digit);
    if (!n || c > 0x10ffff || (braces ? *digit != '}' : n < 2))
        return refuse(tr, start, "\\x needs two hexadecimal digits, or up to 10FFFF in braces");
    *p = digit + braces;
    *ret_c = c;
    return 0;
}

static bool is_octal(char c) {
    return c >= '0' && c <= '7';
}

/* Up to three digits; *p is at the first. */
static void take_octal(const char **p, uint32_t *ret_c) {
    uint32_t c = 0;

    for (unsigned n = 0; n < 3 && is_octal(**p); n++)
        c = c * 8 + (uint32_t)(*(*p)++ - '0');
    *ret_c = c;
}

/* Escapes of Perl and PCRE2 that RE2 leaves out, by what they are. */
static const char *foreign_escape(char c) {
    if (c != '\0' && strchr("123456789kg", c))
        return "back references do not exist in RE2";
    if (c == 'Z')
        return "\\Z does not exist in RE2: write \\z";
    if (c == '\0')
        return "the expression ends after a \\";
    return "no such escape: a letter stands for itself without the \\";
}

/* One character behind a backslash; *p is at the backslash. As in Go one octal digit alone, but 0, is no
 * character: it would be a back reference elsewhere. */
static int take_escape(const struct translator *tr, const char **p, uint32_t *ret_c) {
    static const char letters[] = "afnrtv", meanings[] = "\a\f\n\r\t\v";
    const char *start = *p;
    char c = start[1];
    const char *letter = c != '\0' ? strchr(letters, c) : NULL;

    *p += 2;
    if (c == 'x')
        return take_hex(tr, start, p, ret_c);
    if (letter) {
        *ret_c = (uint32_t)meanings[letter - letters];
    } else if (c == '0' || (is_octal(c) && is_octal(start[2]))) {
        (*p)--;
        take_octal(p, ret_c);
    } else if (c > 0 && !isalnum((unsigned char)c)) {
        *ret_c = (uint32_t)c;
    } else {
        return refuse(tr, start, "%s", foreign_escape(c));
    }
    return 0;
}

/* ---- classes ---- */

/* Blanks are five in Go; PCRE2's \s has the vertical tab, too. Inside of brackets. */
static const char blanks[] = "\\x{9}\\x{a}\\x{c}\\x{d}\\x{20}";
static const char no_blanks[] = "\\x{0}-\\x{8}\\x{b}\\x{e}-\\x{1f}\\x{21}-\\x{10ffff}";

/* \d, \s, \w and their opposites, at p; false: it is none of them. */
static bool perl_class(struct translator *tr, bool in_brackets, int *ret) {
    char text[sizeof(no_blanks) + 2];
    char c = tr->p[1];

    if (c == '\0' || !strchr("dDsSwW", c))
        return false;
    if (c == 's' || c == 'S')
        snprintf(text, sizeof(text), in_brackets ? "%s" : "[%s]", c == 's' ? blanks : no_blanks);
    else
        snprintf(text, sizeof(text), "\\%c", c);
    *ret = emit(tr, text);
    tr->p += 2;
    return true;
}

/* Whether it is a general category; what is longer is a script. */
static bool is_category(const char *name) {
    static const char all[] =
        " C Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S "
        "Sc Sk Sm So Z Zl Zp Zs ";
    char padded[8];

    snprintf(padded, sizeof(padded), " %s ", name);
    return strstr(all, padded) != NULL;
}

enum { UNICODE_NAME_MAX = 40 };

/* The name of \pL or \p{Greek}; *p is behind the p. */
static int take_unicode_name(const struct translator *tr, const char **p, bool *negative, char *name) {
    const char *start = *p, *end;

    if (*start != '{') {
        snprintf(name, UNICODE_NAME_MAX, "%.*s", (int)str_utf8(start), start);
        *p += *start != '\0';
        return 0;
    }
    start++;
    end = strchr(start, '}');
    if (*start == '^') {
        *negative = !*negative;
        start++;
    }
    if (!end || end - start >= UNICODE_NAME_MAX)
        return refuse(tr, *p, "\\p{ needs the name of a class and }");
    snprintf(name, UNICODE_NAME_MAX, "%.*s", (int)(end - start), start);
    *p = end + 1;
    return 0;
}

/* \p and \P, in brackets or not. */
static int unicode_class(struct translator *tr) {
    char name[UNICODE_NAME_MAX] = "", text[UNICODE_NAME_MAX + 16];
    bool negative = tr->p[1] == 'P';
    const char *p = tr->p + 2;
    size_t letters;

    int ret = take_unicode_name(tr, &p, &negative, name);
    if (ret < 0)
        return ret;
    /* Checked here, for PCRE2 would take names with blanks, and others that Go has not got. */
    letters = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    if (!letters || name[letters] != '\0' || (letters <= 2 && !is_category(name)))
        return refuse(tr, tr->p, "no such class of Unicode: \"%s\"", name);
    if (strlen(name) == 2 && name[0] == 'L' && strchr("ult", name[1]))
        tr->cased = true;
    /* sc: is said since PCRE2 10.40 takes a bare name for its script extensions, which Go does not know. */
    const char *what = letters <= 2 || str_eq(name, "Any") ? "" : "sc:";
    snprintf(text, sizeof(text), "\\%c{%s%s}", negative ? 'P' : 'p', what, name);
    ret = emit(tr, text);
    tr->p = p;
    return ret;
}

/* "[:alpha:]" within brackets; false: it is none, but a '['. */
static bool posix_class(struct translator *tr, int *ret) {
    static const char *const names[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
                                        "lower", "print", "punct", "space", "upper", "word",  "xdigit"};
    const char *end = str_starts(tr->p, "[:") ? strstr(tr->p + 2, ":]") : NULL;

    if (!end)
        return false;
    const char *name = tr->p + 2 + (tr->p[2] == '^');
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (end < name || strlen(names[i]) != (size_t)(end - name) || !str_starts(name, names[i]))
            continue;
        /* As it stands: without PCRE2_UCP these are of ASCII there, as they are in Go. */
        *ret = emit_bytes(tr, tr->p, (size_t)(end + 2 - tr->p));
        tr->p = end + 2;
        return true;
    }
    *ret = refuse(tr, tr->p, "no such class: [: :] has alpha, digit, space and others of POSIX");
    return true;
}

static int class_char(const struct translator *tr, const char **p, uint32_t *ret_c) {
    return **p == '\\' ? take_escape(tr, p, ret_c) : take_char(tr, p, ret_c);
}

/* A character of a class, or a range. */
static int class_range(struct translator *tr) {
    const char *p = tr->p;
    uint32_t low = 0, high;

    int ret = class_char(tr, &p, &low);
    if (ret < 0)
        return ret;
    high = low;
    /* A - that is last in its class stands for itself; so does one at the end of the text, where the class
     * is not closed anyway. */
    bool range = *p == '-' && p[1] != '\0' && p[1] != ']';
    if (range) {
        p++;
        ret = class_char(tr, &p, &high);
    }
    if (ret == 0 && high < low)
        ret = refuse(tr, tr->p, "a range that ends before it begins");
    if (ret == 0)
        ret = emit_char(tr, low);
    if (ret == 0 && range)
        ret = emit(tr, "-");
    if (ret == 0 && range)
        ret = emit_char(tr, high);
    tr->p = p;
    return ret;
}

static int class_item(struct translator *tr) {
    int ret = 0;

    if (*tr->p == '[' && posix_class(tr, &ret))
        return ret;
    if (*tr->p == '\\' && (tr->p[1] == 'p' || tr->p[1] == 'P'))
        return unicode_class(tr);
    if (*tr->p == '\\' && perl_class(tr, /* in_brackets= */ true, &ret))
        return ret;
    return class_range(tr);
}

static int bracket_class(struct translator *tr) {
    const char *start = tr->p;
    bool negative = start[1] == '^';

    /* A negated class takes the end of a line in both, so there is nothing to add to it. */
    int ret = emit(tr, negative ? "[^" : "[");
    tr->p += 1 + negative;
    /* A ] at the beginning stands for itself. */
    for (bool first = true; ret == 0 && (first || *tr->p != ']'); first = false) {
        if (*tr->p == '\0')
            return refuse(tr, start, "[ is not closed");
        ret = class_item(tr);
    }
    if (ret == 0)
        ret = emit(tr, "]");
    tr->p++;
    tr->before = BEFORE_ATOM;
    return ret;
}

/* ---- quantifiers ---- */

/* A number of at most eight digits without leading zeros; false: it is none. */
static bool take_count(const char **p, int *ret_n) {
    int n = 0;
    const char *start = *p;

    if (!isdigit((unsigned char)*start) || (*start == '0' && isdigit((unsigned char)start[1])))
        return false;
    for (; isdigit((unsigned char)**p); (*p)++)
        /* Stays past the limit rather than overflow. */
        n = n > REPEAT_MAX ? n : n * 10 + (**p - '0');
    *ret_n = n;
    return true;
}

/* "{2}", "{2,}" or "{2,5}" at p: its length, 0 where the brace stands for itself, or -EINVAL. */
static int counted(const struct translator *tr) {
    const char *p = tr->p + 1;
    int low, high;

    if (!take_count(&p, &low))
        return 0;
    high = low;
    if (*p == ',') {
        p++;
        if (*p != '}' && !take_count(&p, &high))
            return 0;
    }
    if (*p != '}')
        return 0;
    if (low > REPEAT_MAX || high > REPEAT_MAX || low > high)
        return refuse(tr, tr->p, "a count goes from 0 to %d, the smaller one first", REPEAT_MAX);
    return (int)(p + 1 - tr->p);
}

static int quantifier(struct translator *tr, size_t len) {
    if (tr->before == BEFORE_NOTHING)
        return refuse(tr, tr->p, "%.1s has nothing before it to repeat", tr->p);
    if (tr->before == BEFORE_QUANTIFIER)
        return refuse(tr, tr->p, "%.1s after a repetition: RE2 has neither possessive nor nested ones",
                      tr->p);
    /* The ? of the lazy form belongs to it. What PCRE2 has beside, the + of a possessive one, comes by as
     * a second quantifier. */
    len += tr->p[len] == '?';
    int ret = emit_bytes(tr, tr->p, len);
    tr->p += len;
    tr->before = BEFORE_QUANTIFIER;
    return ret;
}

/* ---- groups ---- */

/* Begins with "(?": what Perl and PCRE2 have there, and RE2 does not. */
static const char *foreign_group(const char *p) {
    static const struct {
        const char *start, *what;
    } all[] = {
        {"(?=", "look-ahead"},   {"(?!", "look-ahead"},    {"(?<=", "look-behind"},
        {"(?<!", "look-behind"}, {"(?>", "atomic groups"}, {"(?|", "branch resets"},
        {"(?#", "comments"},     {"(?R", "recursion"},     {"(?&", "recursion"},
        {"(?P>", "recursion"},   {"(?+", "recursion"},     {"(?P=", "back references"},
        {"(?(", "conditions"},   {"(?C", "callouts"},      {"(?'", "names in single quotes"},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (str_starts(p, all[i].start))
            return all[i].what;
    return isdigit((unsigned char)p[2]) ? "recursion" : NULL;
}

static int open_capture(struct translator *tr, const char *name, size_t len) {
    struct pattern_text *t = tr->t;

    if (t->groups == PATTERN_GROUPS_MAX)
        return refuse(tr, tr->p, "more than %d groups", PATTERN_GROUPS_MAX);
    t->groups++;
    if (name)
        t->names[t->groups].text = xstrndup(name, len);
    /* Without the name, which PCRE2 would check by its own rules; groups are counted in the order in which
     * they open, as PCRE2 does. */
    return emit(tr, "(");
}

/* "(?P<name>" or "(?<name>". */
static int open_named(struct translator *tr) {
    /* The caller has seen the <. */
    const char *name = strchr(tr->p, '<') + 1, *end = name;

    while (isalnum((unsigned char)*end) || *end == '_')
        end++;
    if (end == name || *end != '>')
        return refuse(tr, tr->p, "the name of a group has letters, digits and _, and ends with >");
    int ret = open_capture(tr, name, (size_t)(end - name));
    tr->p = end + 1;
    return ret;
}

/* "(?i)" or "(?i-s:": PCRE2 has the four letters with the same meaning. Sets *ret_opens to whether a group
 * begins. */
static int flags(struct translator *tr, bool *ret_opens) {
    const char *p = tr->p + 2, *minus = NULL;

    for (; *p != ')' && *p != ':'; p++) {
        if (*p == '-' && !minus)
            minus = p;
        else if (*p == '\0' || !strchr("imsU", *p))
            return refuse(tr, p, "(? is followed by flags out of i, m, s and U, by : or by P<name>");
        /* Wherever it stands and ends: to follow its scope would take the tree that is not there. */
        tr->folds = tr->folds || (*p == 'i' && !minus);
    }
    if (minus && p == minus + 1)
        return refuse(tr, minus, "no flag after the -");
    /* Its scope is the same in both: to the end of the group, other alternatives included. */
    *ret_opens = *p == ':';
    int ret = emit_bytes(tr, tr->p, (size_t)(p + 1 - tr->p));
    tr->p = p + 1;
    return ret;
}

static int open_group(struct translator *tr) {
    bool opens = true, special = tr->p[1] == '?';
    const char *what = special ? foreign_group(tr->p) : NULL;
    int ret;

    if (what)
        return refuse(tr, tr->p, "%s do%s not exist in RE2", what, what[strlen(what) - 1] == 's' ? "" : "es");
    if (tr->depth == DEPTH_MAX)
        return refuse(tr, tr->p, "groups nested deeper than %d", DEPTH_MAX);
    if (str_starts(tr->p, "(?P<") || str_starts(tr->p, "(?<")) {
        ret = open_named(tr);
    } else if (special) {
        ret = flags(tr, &opens);
    } else {
        ret = open_capture(tr, NULL, 0);
        tr->p++;
    }
    /* "(?i)" opens nothing, and nothing that a quantifier could follow either. */
    tr->depth += opens;
    tr->before = BEFORE_NOTHING;
    return ret;
}

static int close_group(struct translator *tr) {
    if (!tr->depth)
        return refuse(tr, tr->p, "a ) without its (");
    tr->depth--;
    tr->before = BEFORE_ATOM;
    int ret = emit(tr, ")");
    tr->p++;
    return ret;
}

/* ---- the rest ---- */

/* In a group of its own, since Go lets it be repeated. */
static int assertion(struct translator *tr, size_t len) {
    char text[16];

    /* $ is Go's by PCRE2_DOLLAR_ENDONLY: else it would match before a last line end, too. */
    snprintf(text, sizeof(text), "(?:%.*s)", (int)len, tr->p);
    int ret = emit(tr, text);
    tr->p += len;
    tr->before = BEFORE_ATOM;
    return ret;
}

static int literal(struct translator *tr) {
    const char *p = tr->p;
    uint32_t c = 0;

    int ret = class_char(tr, &p, &c);
    if (ret == 0)
        ret = emit_char(tr, c);
    tr->p = p;
    tr->before = BEFORE_ATOM;
    return ret;
}

/* "\Q…\E", or to the end of the expression. */
static int quoted(struct translator *tr) {
    int ret = 0;

    for (tr->p += 2; ret == 0 && *tr->p != '\0' && !str_starts(tr->p, "\\E");) {
        const char *p = tr->p;
        uint32_t c = 0;
        ret = take_char(tr, &p, &c);
        if (ret == 0)
            ret = emit_char(tr, c);
        tr->p = p;
        tr->before = BEFORE_ATOM;
    }
    if (ret == 0 && *tr->p != '\0')
        tr->p += 2;
    return ret;
}

static int escape(struct translator *tr) {
    char c = tr->p[1];
    int ret;

    if (c != '\0' && strchr("AzbB", c))
        return assertion(tr, 2);
    if (c == 'Q')
        return quoted(tr);
    if (c == 'p' || c == 'P')
        ret = unicode_class(tr);
    else if (!perl_class(tr, /* in_brackets= */ false, &ret))
        return literal(tr);
    tr->before = BEFORE_ATOM;
    return ret;
}

static int alternative(struct translator *tr) {
    int ret = emit(tr, "|");

    tr->p++;
    tr->before = BEFORE_NOTHING;
    return ret;
}

static int any_char(struct translator *tr) {
    /* All but \n, unless (?s): that is what the newline of the compilation is set for. */
    int ret = emit(tr, ".");

    tr->p++;
    tr->before = BEFORE_ATOM;
    return ret;
}

static int brace(struct translator *tr) {
    int len = counted(tr);

    if (len < 0)
        return len;
    return len ? quantifier(tr, (size_t)len) : literal(tr);
}

static int step(struct translator *tr) {
    switch (*tr->p) {
    case '(':
        return open_group(tr);
    case ')':
        return close_group(tr);
    case '|':
        return alternative(tr);
    case '*':
    case '+':
    case '?':
        return quantifier(tr, 1);
    case '{':
        return brace(tr);
    case '[':
        return bracket_class(tr);
    case '^':
    case '$':
        return assertion(tr, 1);
    case '.':
        return any_char(tr);
    case '\\':
        return escape(tr);
    default:
        return literal(tr);
    }
}

int pattern_translate(const char *text, struct pattern_text *t, struct err *err) {
    struct translator tr = {.text = text, .p = text, .t = t, .err = err};
    int ret = 0;

    while (ret == 0 && *tr.p != '\0')
        ret = step(&tr);
    if (ret < 0)
        return ret;
    if (tr.depth)
        return refuse(&tr, tr.p, "%u ( not closed", tr.depth);
    /* Go folds the letters of such a class, PCRE2 does not. */
    if (tr.folds && tr.cased)
        return refuse(&tr, text, "(?i) beside \\p{Lu}, \\p{Ll} or \\p{Lt}: write \\p{L} or the letters");
    return 0;
}
