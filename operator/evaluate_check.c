/* --check: a result beside what was recorded. Messages are not compared: they name one pod of several, and
 * hold what Go prints of a selector.
 *
 * At the top only what expect has is looked at, for a result has more (its status, the decision); below that
 * a field too many is a difference as one too few. Exceptions are by path, and all in this file: is_loose,
 * is_unpinned, and the special cases of compare. */
#include "base/str.h"
#include "operator/evaluate.h"

#include <string.h>

enum { PATH_MAX_LENGTH = 256, VALUE_MAX_LENGTH = 300 };

struct comparison {
    const struct evaluate_case *c;
    const json_t *unpinned;
    FILE *out;
    unsigned differences;
};

/* Where in the result the comparison is: with indexes for people, without them for `unpinned`. One
 * is on the stack for each level: the comparison goes no deeper than our own result, whatever expect has. */
struct at {
    char path[PATH_MAX_LENGTH], plain[PATH_MAX_LENGTH];
};

static struct at member_of(const struct at *at, const char *key) {
    struct at in;

    snprintf(in.path, sizeof(in.path), "%s%s%s", at->path, *at->path ? "." : "", key);
    snprintf(in.plain, sizeof(in.plain), "%s%s%s", at->plain, *at->plain ? "." : "", key);
    return in;
}

static struct at element_of(const struct at *at, size_t i) {
    struct at in = *at;

    snprintf(in.path, sizeof(in.path), "%s[%zu]", at->path, i);
    return in;
}

/* Cut where it is long: the path says where to look. Owned by the caller. */
static char *write_value(const json_t *value) {
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    if (text && strlen(text) > VALUE_MAX_LENGTH)
        memcpy(text + VALUE_MAX_LENGTH - 3, "...", 4);
    return text;
}

static void differ(struct comparison *cmp, const struct at *at, const json_t *want, const json_t *got) {
    cleanup_free char *wanted = write_value(want), *gotten = write_value(got);

    cmp->differences++;
    fprintf(cmp->out, "%s: %s: %s: want %s, got %s\n", cmp->c->place->file->name, cmp->c->name, at->path,
            wanted ? wanted : "nothing", gotten ? gotten : "nothing");
}

/* What is loosely compared, by its path without indexes. */
static bool is_loose(const struct at *at) {
    static const char *const paths[] = {"conditions.message", "errorMessage", "message"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (str_eq(at->plain, paths[i]))
            return true;
    return false;
}

/* What HPA itself does not promise, by its path without indexes: a division by zero that Go leaves to the
 * processor, a list in random order. The case says so. */
static bool is_unpinned(const struct comparison *cmp, const struct at *at) {
    const json_t *item;
    size_t i;

    json_array_foreach(cmp->unpinned, i, item) {
        if (str_eq(json_string_value(item), at->plain))
            return true;
    }
    return false;
}

/* Of an event's message the new size counts, where it is about one. */
static bool same_event(const char *want, const char *got) {
    static const char prefix[] = "New size: ";

    if (!want || !str_starts(want, prefix))
        return got != NULL;
    size_t len = sizeof(prefix) - 1 + strcspn(want + sizeof(prefix) - 1, ";");
    return got && strncmp(want, got, len + 1) == 0;
}

static void compare(struct comparison *cmp, const struct at *at, const json_t *want, const json_t *got);

static void compare_lists(struct comparison *cmp, const struct at *at, const json_t *want,
                          const json_t *got) {
    if (!json_is_array(got) || json_array_size(want) != json_array_size(got)) {
        differ(cmp, at, want, got);
        return;
    }
    for (size_t i = 0; i < json_array_size(want); i++) {
        struct at in = element_of(at, i);
        compare(cmp, &in, json_array_get(want, i), json_array_get(got, i));
    }
}

static void compare_objects(struct comparison *cmp, const struct at *at, json_t *want, json_t *got) {
    const char *key;
    json_t *value;

    json_object_foreach(want, key, value) {
        struct at in = member_of(at, key);
        compare(cmp, &in, value, json_object_get(got, key));
    }
    /* What was not expected is a difference too, but for what is always added. */
    json_object_foreach(got, key, value) {
        struct at in = member_of(at, key);
        if (*at->path && !json_object_get(want, key) && !str_eq(in.plain, "conditions.lastTransitionTime"))
            differ(cmp, &in, NULL, value);
    }
}

/* 1 and 1.0 are one number. No tolerance: HPA computes in doubles, and so do we, in the same order. */
static bool same_scalar(const json_t *want, const json_t *got) {
    if (json_is_number(want) && json_is_number(got))
        return json_number_value(want) == json_number_value(got);
    return json_equal(want, got) == 1;
}

static void compare(struct comparison *cmp, const struct at *at, const json_t *want, const json_t *got) {
    bool ok;

    if (is_loose(at) || is_unpinned(cmp, at))
        return;
    if (json_is_array(want)) {
        compare_lists(cmp, at, want, got);
        return;
    }
    if (json_is_object(want) && json_is_object(got)) {
        compare_objects(cmp, at, (json_t *)(uintptr_t)want, (json_t *)(uintptr_t)got);
        return;
    }
    if (str_eq(at->plain, "events.message"))
        ok = same_event(json_string_value(want), json_string_value(got));
    /* Whether a metric failed counts; why is a message. */
    else if (str_eq(at->plain, "metricProposals.error"))
        ok = json_is_string(want) == json_is_string(got);
    else if (str_eq(at->plain, "reasonIfChanged") && !got)
        ok = true; /* it was not changed */
    else
        ok = same_scalar(want, got);
    if (!ok)
        differ(cmp, at, want, got);
}

unsigned evaluate_check(const struct evaluate_case *c, const json_t *result, FILE *out) {
    struct comparison cmp = {.c = c, .unpinned = json_object_get(c->recorded, "unpinned"), .out = out};
    struct at top = {.path = "", .plain = ""};

    compare(&cmp, &top, json_object_get(c->recorded, "expect"), result);
    return cmp.differences;
}
