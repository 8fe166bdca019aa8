/* Selectors and what may stand behind them, and lists of labels: where text is left out and put in.
 *
 * The text is copied to out in one pass from front to back: w->copied is how far, and each cut or insertion
 * must lie behind the one before it. What was written cannot be taken back; whoever fails returns false, and
 * the whole copy goes. */
#include "adapter/widen_internal.h"

#include "base/str.h"
#include <string.h>
#include <strings.h>

static const char DIGITS[] = "0123456789";
/* What names of objects are made of, and | between them: a regular expression that means just them. */
static const char PLAIN[] = "-_.:|0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

void widen_cut(struct widener *w, const char *from, const char *to) {
    w->full |= buf_append(w->out, w->copied, (size_t)(from - w->copied)) < 0;
    w->copied = to;
}

void widen_insert(struct widener *w, const char *at, const char *before, const char *text) {
    widen_cut(w, at, at);
    w->full |= buf_puts(w->out, before) < 0 || buf_puts(w->out, text) < 0;
}

static bool is_name_char(char c) {
    return c && strchr(PLAIN, c) && !strchr("-.|", c);
}

bool widen_take(struct widener *w, const char *token) {
    promql_skip(&w->in);
    return promql_take(&w->in, token);
}

/* A keyword ends where a name would: "by" is not the beginning of by_zone. */
bool widen_take_keyword(struct widener *w, const char *word) {
    size_t len = strlen(word);

    promql_skip(&w->in);
    if (strncasecmp(w->in.at, word, len) != 0 || is_name_char(w->in.at[len]))
        return false;
    w->in.at += len;
    return true;
}

bool widen_take_number(struct widener *w) {
    const char *at = w->in.at;
    size_t whole = strspn(at, DIGITS), part = at[whole] == '.' ? strspn(at + whole + 1, DIGITS) : 0;

    if (strncasecmp(at, "0x", 2) == 0) {
        whole = strspn(at + 2, "0123456789abcdefABCDEF");
        at += 2 + whole;
    } else {
        at += whole + (at[whole] == '.') + part;
        if (whole + part && (*at == 'e' || *at == 'E')) {
            at += 1 + (at[1] == '+' || at[1] == '-');
            if (!strspn(at, DIGITS))
                return false;
            at += strspn(at, DIGITS);
        }
    }
    if (whole + part == 0 || is_name_char(*at) || *at == '.') /* 5m is no number */
        return false;
    w->in.at = at;
    return true;
}

/* 1h30m */
static bool take_duration(struct widener *w) {
    static const char *const units[] = {"ms", "s", "m", "h", "d", "w", "y"};
    const char *start = w->in.at;

    for (size_t n; (n = strspn(w->in.at, DIGITS));) {
        size_t i = 0;
        w->in.at += n;
        while (i < sizeof(units) / sizeof(units[0]) && !promql_take(&w->in, units[i]))
            i++;
        if (i == sizeof(units) / sizeof(units[0]))
            return false;
    }
    return w->in.at > start && (!is_name_char(*w->in.at) || *w->in.at == ':');
}

struct matcher {
    const char *start, *end;
    const char *name, *value;
    bool negative, regex;
    bool out; /* goes */
};

struct selector {
    uint32_t count;
    struct matcher matchers[WIDEN_MATCHERS_MAX];
    bool comma;      /* behind the last one too */
    const char *end; /* of that, or of the last one */
};

static bool take_matcher(struct widener *w, struct matcher *m) {
    promql_skip(&w->in);
    m->start = w->in.at;
    m->name = promql_take_name(&w->in, /* colon= */ false);
    promql_skip(&w->in);
    m->negative = *w->in.at == '!';
    m->regex = promql_take(&w->in, "=~") || promql_take(&w->in, "!~");
    if (!m->name || (!m->regex && !promql_take(&w->in, "!=") && !promql_take(&w->in, "=")))
        return false;
    promql_skip(&w->in);
    if (promql_take_string(&w->in, &m->value) < 0)
        return false;
    m->end = w->in.at;
    return true;
}

/* What stands between the braces, the second one included. */
static bool take_matchers(struct widener *w, struct selector *s) {
    while (!widen_take(w, "}")) {
        if (s->count == WIDEN_MATCHERS_MAX || (s->count && !s->comma) ||
            !take_matcher(w, &s->matchers[s->count]))
            return false;
        s->end = s->matchers[s->count++].end;
        s->comma = widen_take(w, ",");
        if (s->comma)
            s->end = w->in.at;
    }
    return true;
}

/* Whether it asks for one name or some names, and for nothing else. */
static bool asks_for_names(const struct matcher *m, const char *value) {
    if (m->negative || !m->value[0] || (value && strcmp(m->value, value) != 0))
        return false;
    return !m->regex || !m->value[strspn(m->value, PLAIN)];
}

/* Marks the matchers on label that the request brought; false where there are none, or it is not clear which
 * they are: of two that ask for names, the template may have one of its own, for which others get nothing.
 * What else is asked of the label (pod!="") may stay: it is asked of each series alone. */
static bool leave_out(struct selector *s, const char *label, const char *value, bool regex_too) {
    uint32_t positive = 0, out = 0;

    for (uint32_t i = 0; i < s->count; i++) {
        struct matcher *m = &s->matchers[i];
        if (strcmp(m->name, label) != 0)
            continue;
        positive += !m->negative;
        m->out = asks_for_names(m, value) && (regex_too || !m->regex);
        out += m->out;
    }
    /* With the value known the request's own matcher is known by it, and others may stand beside it. */
    return out && (value || positive == 1);
}

/* A selector must ask for something that is not empty, or Prometheus refuses the query. With a name it does;
 * of the matchers that stay only = and != are believed, as what an expression matches is not looked into. */
static bool stays_selective(const struct selector *s, const char *name) {
    for (uint32_t i = 0; i < s->count && !name; i++) {
        const struct matcher *m = &s->matchers[i];
        if (!m->out && !m->regex && m->negative == (m->value[0] == '\0'))
            return true;
    }
    return name;
}

/* Whether all its series have the same name; then no two of them differ in the name alone. */
static bool has_one_name(const struct selector *s, const char *name) {
    for (uint32_t i = 0; i < s->count && !name; i++) {
        const struct matcher *m = &s->matchers[i];
        if (strcmp(m->name, "__name__") == 0 && !m->negative && !m->regex && m->value[0])
            return true;
    }
    return name;
}

/* Cuts each run of matchers that go, with the commas that go with them. */
static void cut_matchers(struct widener *w, const struct selector *s) {
    for (uint32_t i = 0, after; i < s->count; i = after) {
        for (after = i; after < s->count && s->matchers[after].out; after++)
            ;
        if (after == i) {
            after++;
            continue;
        }
        if (after < s->count)
            widen_cut(w, s->matchers[i].start, s->matchers[after].start);
        else if (i)
            widen_cut(w, s->matchers[i - 1].end, s->matchers[after - 1].end);
        else
            widen_cut(w, s->matchers[0].start, s->end);
    }
}

bool widen_selector(struct widener *w, const char *name, struct widen_value *ret_value) {
    const struct widen_labels *l = w->labels;
    struct selector s = {0};

    /* Without braces there is no matcher of the object. */
    if (!widen_take(w, "{") || !take_matchers(w, &s))
        return false;
    if (!leave_out(&s, l->object, l->object_value, true))
        return false;
    /* A request names one namespace, so what stands in an expression is the template's own. */
    if (w->namespaces && !leave_out(&s, l->ns, l->ns_value, false))
        return false;
    if (!stays_selective(&s, name))
        return false;
    cut_matchers(w, &s);
    *ret_value = (struct widen_value){
        .shape = SHAPE_SERIES, .selector = true, .shiftable = true, .distinct = has_one_name(&s, name)};
    return true;
}

/* [5m] behind a selector, or [1h:5m] behind any vector, after the first bracket. */
static bool take_range(struct widener *w, struct widen_value *value) {
    promql_skip(&w->in);
    if (value->shape == SHAPE_NUMBER || value->range || !take_duration(w))
        return false;
    /* Of [1h:5m] the step may be missing; of [5m] nothing may. */
    bool subquery = widen_take(w, ":");
    promql_skip(&w->in);
    if (subquery && *w->in.at != ']' && !take_duration(w))
        return false;
    if (!subquery && !value->selector)
        return false;
    value->range = value->shiftable = true;
    value->selector = false;
    return widen_take(w, "]");
}

/* Behind the word offset. */
static bool take_offset(struct widener *w) {
    if (!widen_take(w, "-"))
        widen_take(w, "+");
    promql_skip(&w->in);
    return take_duration(w);
}

/* Behind @: a time, or the start or end of the query's range. */
static bool take_at(struct widener *w) {
    if (widen_take_keyword(w, "start") || widen_take_keyword(w, "end"))
        return widen_take(w, "(") && widen_take(w, ")");
    if (!widen_take(w, "-"))
        widen_take(w, "+");
    promql_skip(&w->in);
    return widen_take_number(w);
}

bool widen_modifiers(struct widener *w, struct widen_value *value) {
    for (;;) {
        bool ok = true;
        if (widen_take(w, "["))
            ok = take_range(w, value);
        else if (widen_take(w, "@"))
            ok = value->shiftable && take_at(w);
        else if (widen_take_keyword(w, "offset"))
            ok = value->shiftable && take_offset(w);
        else
            return true;
        if (!ok)
            return false;
    }
}

bool widen_set_has(const struct widen_set *set, const char *name) {
    for (uint32_t i = 0; i < set->count; i++)
        if (strcmp(set->names[i], name) == 0)
            return true;
    return false;
}

/* No name is in a set twice. */
bool widen_set_equal(const struct widen_set *a, const struct widen_set *b) {
    for (uint32_t i = 0; i < a->count; i++)
        if (!widen_set_has(b, a->names[i]))
            return false;
    return a->count == b->count;
}

/* The namespace that is put in is not in ret_set: sets are compared as the template wrote them, and every one
 * of them has the namespace then. */
bool widen_by(struct widener *w, struct widen_set *ret_set) {
    const char *end = NULL;

    *ret_set = (struct widen_set){0};
    if (!widen_take(w, "("))
        return false;
    while (!widen_take(w, ")")) {
        promql_skip(&w->in);
        const char *name = promql_take_name(&w->in, /* colon= */ false);
        if (!name || ret_set->count == WIDEN_LABELS_MAX)
            return false;
        end = w->in.at;
        if (!widen_set_has(ret_set, name))
            ret_set->names[ret_set->count++] = name;
        if (!widen_take(w, ",") && *w->in.at != ')')
            return false;
    }
    if (end && w->namespaces && !widen_set_has(ret_set, w->labels->ns))
        widen_insert(w, end, ",", w->labels->ns);
    return end;
}
