/* The Accept header, as far as these APIs offer something for it. kubectl and the aggregator send several
 * clauses, the newest form first, and expect the first one that the server has. */
#include "adapter/metricswrite.h"

#include "base/str.h"
#include <string.h>
#include <strings.h>

/* A part of the header: no copy, no blanks around it. */
struct span {
    const char *text;
    size_t len;
};

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Takes what stands before the next separator off the beginning of rest; false where nothing is left. */
static bool next_part(struct span *rest, char separator, struct span *ret_part) {
    if (!rest->text)
        return false;
    const char *end = memchr(rest->text, separator, rest->len);
    struct span part = {rest->text, end ? (size_t)(end - rest->text) : rest->len};

    *rest = end ? (struct span){end + 1, rest->len - part.len - 1} : (struct span){NULL, 0};
    for (; part.len && is_blank(*part.text); part.len--)
        part.text++;
    while (part.len && is_blank(part.text[part.len - 1]))
        part.len--;
    *ret_part = part;
    return true;
}

/* Types and the names of parameters have no case (RFC 9110, 8.3.1); of their values none has two meanings. */
static bool is(struct span part, const char *word) {
    return part.len == strlen(word) && (!part.len || strncasecmp(part.text, word, part.len) == 0);
}

/* q in thousandths: "0.25". What is malformed counts as 1, as if it were not there. */
static int read_quality(struct span value) {
    int quality = 0, weight = 1000;

    for (size_t i = 0; i < value.len && weight > 0; i++) {
        if (i == 1 && value.text[i] == '.')
            continue;
        if (value.text[i] < '0' || value.text[i] > '9')
            return 1000;
        quality += (value.text[i] - '0') * weight;
        weight /= 10;
    }
    return value.len && quality < 1000 ? quality : 1000;
}

/* One clause: application/json;g=meta.k8s.io;v=v1;as=Table;q=0.9. */
struct clause {
    struct span type, group, version, as;
    int quality;
};

/* Parameters that we do not know, such as charset and profile, change nothing. */
static struct clause read_clause(struct span text) {
    struct clause c = {.quality = 1000};
    struct span part;

    next_part(&text, ';', &c.type);
    while (next_part(&text, ';', &part)) {
        struct span value = part, name;
        if (!next_part(&value, '=', &name) || !value.text)
            continue;
        /* no such separator: only the blanks around it go */
        next_part(&value, '\0', &value);
        if (is(name, "g"))
            c.group = value;
        else if (is(name, "v"))
            c.version = value;
        else if (is(name, "as"))
            c.as = value;
        else if (is(name, "q"))
            c.quality = read_quality(value);
    }
    return c;
}

static bool is_json(const struct clause *c) {
    return is(c->type, "application/json") || is(c->type, "application/*") || is(c->type, "*/*");
}

/* Another group or version of the same form is one that we do not write. */
static enum accepted form_of(const struct clause *c) {
    static const struct {
        const char *as, *group, *version;
        enum accepted form;
    } forms[] = {
        {"", "", "", ACCEPT_JSON},
        {"Table", "meta.k8s.io", "v1", ACCEPT_TABLE},
        {"APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2", ACCEPT_DISCOVERY_V2},
        {"APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2beta1", ACCEPT_DISCOVERY_V2BETA1},
    };

    for (size_t i = 0; is_json(c) && i < sizeof(forms) / sizeof(forms[0]); i++)
        if (is(c->as, forms[i].as) &&
            (!c->as.len || (is(c->group, forms[i].group) && is(c->version, forms[i].version))))
            return forms[i].form;
    return ACCEPT_NOTHING;
}

/* A clause with q=0 is one that is not wanted (RFC 9110, 12.4.2), and never better than none. */
enum accepted accept_read(const char *header, unsigned offered) {
    struct span rest = {header, header ? strlen(header) : 0}, text;
    enum accepted best = ACCEPT_NOTHING;
    int quality = 0;

    if (rest.len == 0)
        return ACCEPT_JSON;
    while (next_part(&rest, ',', &text)) {
        struct clause c = read_clause(text);
        enum accepted form = form_of(&c);
        /* of equals the first, so that a list without q is in the order of preference */
        if (form != ACCEPT_NOTHING && (offered & 1u << form) && c.quality > quality) {
            best = form;
            quality = c.quality;
        }
    }
    return best;
}
