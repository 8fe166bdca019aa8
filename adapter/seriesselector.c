/* The reader of selectors, and their matchers.
 *
 *   selector: [name] ["{" [matcher {"," matcher} [","]] "}"]      one of the two must be there
 *   matcher:  label ("=" | "!=" | "=~" | "!~") string
 *
 * Nothing of this runs where the operator serves: there Prometheus itself selects. It is for the rules
 * command, which has series at hand and must say which matcher keeps one out. The name before the braces is
 * kept as a matcher like the others, the first one. */
#include "adapter/seriesselector.h"

#include "adapter/pattern.h"
#include "adapter/promql.h"
#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

struct matcher {
    const char *label; /* NULL: the name of the series, also where it is given as __name__ */
    const char *value;
    const char *text; /* as it stands in the selector */
    bool negative;
    struct pattern *pattern; /* NULL: the value itself is compared */
};

struct seriesselector {
    struct arena arena;
    uint32_t count;
    struct matcher matchers[SERIESSELECTOR_MATCHERS_MAX]; /* in the order of the text, which why follows */
};

struct parser {
    struct promql in;
    struct seriesselector *selector;
};

static const char not_a_selector[] = "a seriesQuery is a selector of series, such as name{label=\"value\"}; "
                                     "functions, aggregations, operators "
                                     "and ranges belong into metricsQuery";

/* PromQL's regular expressions must match the whole value. */
static int compile(struct parser *p, const char *where, struct matcher *m) {
    const char *anchored = ARENA_JOIN(&p->selector->arena, "^(?:", m->value, ")$");
    struct err why = {0};

    if (pattern_new(anchored, &m->pattern, &why) == 0)
        return 0;
    return err_set(p->in.err, -EINVAL, "position %zu: the regular expression %s: %s",
                   (size_t)(where - p->in.text) + 1, anchored, why.text);
}

/* Counted before it is read: where reading it fails, its pattern is NULL, and the selector can be freed. */
static struct matcher *new_matcher(struct parser *p) {
    if (p->selector->count < SERIESSELECTOR_MATCHERS_MAX)
        return &p->selector->matchers[p->selector->count++];
    promql_wrong(&p->in, "there are too many matchers");
    return NULL;
}

static int take_matcher(struct parser *p) {
    const char *start = p->in.at;
    struct matcher *m = new_matcher(p);

    if (!m)
        return -EINVAL;
    m->label = promql_take_name(&p->in, false);
    if (!m->label)
        return promql_wrong(&p->in, "expected the name of a label, or }");
    if (strcmp(m->label, "__name__") == 0)
        m->label = NULL;
    promql_skip(&p->in);
    m->negative = *p->in.at == '!';
    /* The longer tokens first: "=" is the beginning of "=~". */
    bool regex = promql_take(&p->in, "=~") || promql_take(&p->in, "!~");
    if (!regex && !promql_take(&p->in, "!=") && !promql_take(&p->in, "="))
        return promql_wrong(&p->in, "expected =, !=, =~ or !~ after the name of a label");
    promql_skip(&p->in);
    const char *where = p->in.at;
    if (promql_take_string(&p->in, &m->value) < 0)
        return -EINVAL;
    m->text = arena_strndup(&p->selector->arena, start, (size_t)(p->in.at - start));
    return regex ? compile(p, where, m) : 0;
}

/* What stands between the braces; the last matcher may have a comma behind it. */
static int take_matchers(struct parser *p) {
    for (promql_skip(&p->in); !promql_take(&p->in, "}"); promql_skip(&p->in)) {
        if (take_matcher(p) < 0)
            return -EINVAL;
        promql_skip(&p->in);
        if (!promql_take(&p->in, ",") && *p->in.at != '}')
            return promql_wrong(&p->in, "expected , or } after a matcher");
    }
    return 0;
}

/* A label that a series does not have is "", as in PromQL. */
static bool holds(const struct matcher *m, const char *value) {
    bool equal = m->pattern ? pattern_find(m->pattern, value, NULL) : strcmp(m->value, value) == 0;

    return equal != m->negative;
}

/* Prometheus refuses what would select everything, and a name that is told twice: for the first it asks, as
 * here, for one matcher at least that the empty text does not fulfil. */
static int check(struct parser *p, bool named) {
    bool selective = false;

    for (uint32_t i = 0; i < p->selector->count; i++) {
        const struct matcher *m = &p->selector->matchers[i];
        selective |= !holds(m, "");
        if (named && i > 0 && !m->label)
            return promql_wrong_at(&p->in, p->in.text,
                                   "the name stands before the braces and again as __name__");
    }
    if (!selective)
        return promql_wrong_at(&p->in, p->in.text, "at least one matcher must not match the empty text");
    return 0;
}

static int parse(struct parser *p) {
    promql_skip(&p->in);
    const char *name = promql_take_name(&p->in, true);

    if (name)
        *new_matcher(p) = (struct matcher){.value = name, .text = name};
    promql_skip(&p->in);
    bool braces = promql_take(&p->in, "{");
    if (!name && !braces)
        return promql_wrong(&p->in, *p->in.at ? not_a_selector : "the selector is empty");
    if (braces && take_matchers(p) < 0)
        return -EINVAL;
    promql_skip(&p->in);
    return *p->in.at ? promql_wrong(&p->in, not_a_selector) : check(p, name);
}

int seriesselector_new(const char *text, struct seriesselector **ret_selector, struct err *err) {
    struct parser p = {.in = {.text = text, .at = text, .err = err}};

    if (strlen(text) > SERIESSELECTOR_TEXT_MAX)
        return err_set(err, -EINVAL, "a selector is longer than %d bytes", SERIESSELECTOR_TEXT_MAX);
    p.selector = XNEW(struct seriesselector);
    arena_init(&p.selector->arena, 1024);
    p.in.arena = &p.selector->arena;
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
