/* Regular expressions by PCRE2; see pattern.h. The translation of the syntax is in pattern_translate.c. */
#include "adapter/pattern.h"

#include "adapter/pattern_internal.h"
#include "base/mem.h"
#include "base/str.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
    /* Steps of one match: the worst case of them takes milliseconds, and a name of a series with a few .*
     * takes some thousand. */
    MATCH_LIMIT = 100000,
    MATCH_HEAP_KIB = 4096,
};

struct pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
    unsigned groups;
    char **names; /* by group, [0] is not used; NULL: without a name */
};

static pcre2_code *compile(const struct pattern_text *t, int *ret_code, size_t *ret_offset) {
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_code *code = NULL;

    *ret_code = PCRE2_ERROR_NOMEMORY;
    *ret_offset = 0;
    if (!context)
        return NULL;
    /* Said here, since builds of the library differ in it; Go knows no other. */
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    /* PCRE2_UCP is left out: \d, \w and \b are of ASCII in Go. A subject that is not UTF-8 is no error
     * (MATCH_INVALID_UTF), it only matches less. */
    code = pcre2_compile((PCRE2_SPTR)t->out.data, t->out.len,
                         PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_CIRCUMFLEX |
                             PCRE2_NEVER_BACKSLASH_C,
                         ret_code, ret_offset, context);
    pcre2_compile_context_free(context);
    return code;
}

/* The translation is refused for what only PCRE2 knows: names of scripts, and its own limits. */
static int refused(const struct pattern_text *t, int code, size_t offset, struct err *err) {
    char words[128] = "";

    pcre2_get_error_message(code, (PCRE2_UCHAR *)words, sizeof(words));
    return err_set(err, -EINVAL, "at %u: %s", pattern_text_origin(t, offset), words);
}

static struct pattern *wrap(pcre2_code *code, struct pattern_text *t) {
    struct pattern *p = XNEW(struct pattern);

    p->code = code;
    /* Without memory for it PCRE2's own limits hold, which are higher and still limits. */
    p->limits = pcre2_match_context_create(NULL);
    if (p->limits) {
        pcre2_set_match_limit(p->limits, MATCH_LIMIT);
        pcre2_set_heap_limit(p->limits, MATCH_HEAP_KIB);
    }
    p->groups = t->groups;
    p->names = xcalloc(t->groups + 1, sizeof(*p->names));
    for (unsigned i = 1; i <= t->groups; i++)
        p->names[i] = steal_ptr(&t->names[i].text);
    return p;
}

int pattern_new(const char *text, struct pattern **ret_pattern, struct err *err) {
    struct pattern_text t;
    size_t offset;
    int code;

    if (strlen(text) > PATTERN_TEXT_MAX)
        return err_set(err, -EINVAL, "longer than %d bytes", PATTERN_TEXT_MAX);
    pattern_text_init(&t);
    int ret = pattern_translate(text, &t, err);
    if (ret == 0) {
        pcre2_code *compiled = compile(&t, &code, &offset);
        if (compiled)
            *ret_pattern = wrap(compiled, &t);
        else
            ret = refused(&t, code, offset, err);
    }
    pattern_text_done(&t);
    return ret;
}

void pattern_free(struct pattern *pattern) {
    if (!pattern)
        return;
    for (unsigned i = 1; i <= pattern->groups; i++)
        free(pattern->names[i]);
    free(pattern->names);
    pcre2_match_context_free(pattern->limits);
    pcre2_code_free(pattern->code);
    free(pattern);
}

unsigned pattern_groups(const struct pattern *pattern) {
    return pattern->groups;
}

static bool is_called(const struct pattern *pattern, unsigned group, const char *name, size_t len) {
    const char *own = pattern->names[group];

    return own && strlen(own) == len && memcmp(own, name, len) == 0;
}

int pattern_group(const struct pattern *pattern, const char *name) {
    for (unsigned i = pattern->groups; i > 0; i--)
        if (is_called(pattern, i, name, strlen(name)))
            return (int)i;
    return -1;
}

/* Groups behind the last that took part have no entry in what PCRE2 returns (found of them are set). */
static void copy_match(const pcre2_match_data *data, unsigned groups, int found,
                       struct pattern_match *match) {
    /* The function only reads, but takes a pointer that is not const. */
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer((pcre2_match_data *)(uintptr_t)data);

    for (unsigned i = 0; i <= groups; i++) {
        bool set = (int)i < found && at[2 * i] != PCRE2_UNSET;
        match->begin[i] = set ? (int)at[2 * i] : -1;
        match->end[i] = set ? (int)at[2 * i + 1] : -1;
    }
}

bool pattern_find(const struct pattern *pattern, const char *subject, struct pattern_match *ret_match) {
    size_t len = strlen(subject);
    /* The places in a match are ints. */
    pcre2_match_data *data = len <= INT32_MAX ? pcre2_match_data_create(pattern->groups + 1, NULL) : NULL;

    if (!data)
        return false;
    int found = pcre2_match(pattern->code, (PCRE2_SPTR)subject, len, 0, 0, data, pattern->limits);
    if (found > 0 && ret_match)
        copy_match(data, pattern->groups, found, ret_match);
    pcre2_match_data_free(data);
    return found > 0;
}

/* ---- expansion ---- */

/* A reference such as $1 or ${name}. */
struct reference {
    const char *name;
    size_t len;
    const char *rest; /* what follows */
};

/* text is behind the $. False: there is none, and the $ stands for itself. */
static bool read_reference(const char *text, struct reference *ret) {
    bool braces = *text == '{';
    const char *end = text + braces;

    /* Letters of other scripts belong to the name, which no group can have then. */
    while (isalnum((unsigned char)*end) || *end == '_' || ((unsigned char)*end & 0x80))
        end++;
    *ret = (struct reference){text + braces, (size_t)(end - text) - braces, end + braces};
    return ret->len > 0 && (!braces || *end == '}');
}

/* Numbers have no leading zeros; what is no number is a name, and the first group of that name counts that
 * took part. -1: there is no such group. */
static int referenced_group(const struct pattern *pattern, const struct pattern_match *match,
                            const struct reference *ref) {
    unsigned groups = pattern ? pattern->groups : 0;
    unsigned number = 0;

    if (strspn(ref->name, "0123456789") < ref->len || (ref->name[0] == '0' && ref->len > 1)) {
        for (unsigned i = 1; i <= groups; i++)
            if (is_called(pattern, i, ref->name, ref->len) && match->begin[i] >= 0)
                return (int)i;
        return -1;
    }
    /* Stops past the last group, so that no number of digits overflows. */
    for (size_t i = 0; i < ref->len && number <= groups; i++)
        number = number * 10 + (unsigned)(ref->name[i] - '0');
    return number <= groups ? (int)number : -1;
}

bool pattern_expand(const struct pattern *pattern, const char *subject, const char *expansion,
                    struct buf *out) {
    /* Without a pattern the whole subject is group 0, and there are no others. */
    struct pattern_match match = {.begin = {0}, .end = {(int)strlen(subject)}};
    struct reference ref;

    if (pattern && !pattern_find(pattern, subject, &match))
        return false;
    while (*expansion != '\0') {
        const char *dollar = strchrnul(expansion, '$');
        buf_append(out, expansion, (size_t)(dollar - expansion));
        expansion = dollar + (*dollar == '$');
        if (*dollar == '\0')
            break;
        if (*expansion == '$' || !read_reference(expansion, &ref)) {
            buf_puts(out, "$");
            expansion += *expansion == '$';
            continue;
        }
        expansion = ref.rest;
        int group = referenced_group(pattern, &match, &ref);
        if (group >= 0 && match.begin[group] >= 0)
            buf_append(out, subject + match.begin[group], (size_t)(match.end[group] - match.begin[group]));
    }
    return true;
}
