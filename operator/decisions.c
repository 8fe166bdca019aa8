/* The decisions that are kept, over HTTP. The log holds them packed; they are unpacked into an arena that
 * lives as long as the request, chosen by the query, and written as text or JSON. Everything is bounded by
 * RECORDLOG_SLOTS: nobody can ask for more than a policy keeps. */
#include "operator/decisions.h"

#include "autoscaler/recordlog.h"
#include "base/mem.h"
#include "base/str.h"
#include <inttypes.h>
#include <string.h>

static const char prefix[] = "/decisions/";

struct query {
    struct arena arena;
    const char *ns, *name, *title; /* title: "default/web" */
    bool text;
    usec_t now, since; /* wall; since 0: not given */
    uint32_t limit;    /* 0: not given */
};

/* The decisions to show, the oldest first. */
struct chosen {
    uint32_t count;
    struct recordlog_item items[RECORDLOG_SLOTS];
};

bool decisions_path(const char *path) {
    return str_starts(path, prefix);
}

/* ---- what is asked for ---- */

static int refuse(struct buf *body, const char *what, const char *value) {
    buf_printf(body,
               "%s \"%.100s\" is not understood: there are since=DURATION or RFC 3339 time, limit=1..%d, "
               "output=json or text\n",
               what, value, RECORDLOG_SLOTS);
    return 400;
}

/* A duration counts back from now; 0 or less asks for nothing. Whatever is long ago means all. */
static bool read_since(const char *value, struct query *q) {
    usec_t duration, since;

    if (clock_parse_duration(value, &duration) == 0) {
        if (duration <= 0)
            return false;
        since = q->now - duration;
    } else if (clock_parse(value, &since) < 0) {
        return false;
    }
    q->since = since > 0 ? since : 1;
    return true;
}

static bool read_limit(const char *value, struct query *q) {
    int64_t limit;

    if (str_to_i64(value, &limit) < 0 || limit < 1 || limit > RECORDLOG_SLOTS)
        return false;
    q->limit = (uint32_t)limit;
    return true;
}

/* What is not known is refused and not passed over: a misspelt since would show too little. */
static bool read_parameter(const char *key, const char *value, struct query *q) {
    if (str_eq(key, "since"))
        return read_since(value, q);
    if (str_eq(key, "limit"))
        return read_limit(value, q);
    q->text = str_eq(value, "text");
    return str_eq(key, "output") && (q->text || str_eq(value, "json"));
}

/* 0, or the status of the refusal that is in body. The query comes decoded, so an & within a value would end
 * it; no value that is understood has one. */
static int read_parameters(const char *text, struct query *q, struct buf *body) {
    char *rest = arena_strdup(&q->arena, text), *pair;

    while ((pair = strsep(&rest, "&")) != NULL) {
        char *value = pair, *key = strsep(&value, "=");
        if (*pair != '\0' && !read_parameter(key, str_or_empty(value), q))
            return refuse(body, key, str_or_empty(value));
    }
    return 0;
}

/* Names of namespaces and policies hold no slash. */
static int read_path(const char *path, struct query *q, struct buf *body) {
    const char *ns = path + strlen(prefix), *slash = strchr(ns, '/');

    if (!slash || slash == ns || slash[1] == '\0' || strchr(slash + 1, '/')) {
        buf_puts(body, "not found: ask for /decisions/NAMESPACE/NAME\n");
        return 404;
    }
    q->ns = arena_strndup(&q->arena, ns, (size_t)(slash - ns));
    q->name = slash + 1;
    q->title = ns;
    return 0;
}

/* ---- which decisions ---- */

/* since counts from the last time that a decision came to this: it still held then. */
static bool wanted(const struct query *q, const struct recordlog_item *item, uint32_t index, bool *found) {
    if (q->since)
        return item->last >= q->since && (q->limit == 0 || index < q->limit);
    if (q->limit)
        return index < q->limit;
    /* What holds now, and the last change. */
    bool change = item->change && !*found;
    *found |= item->change;
    return index == 0 || change;
}

static void choose(struct query *q, const struct recordlog *log, struct chosen *ret) {
    struct recordlog_item item;
    bool found = false;

    ret->count = 0;
    for (uint32_t i = 0; i < RECORDLOG_SLOTS && recordlog_get(log, i, &q->arena, &item); i++) {
        if (!wanted(q, &item, i, &found))
            continue;
        /* The log gives the newest first, people read downward in time. There are few enough to be moved. */
        memmove(&ret->items[1], &ret->items[0], ret->count * sizeof(item));
        ret->items[0] = item;
        ret->count++;
    }
}

/* Why there is nothing to show; NULL: there is. Of a log that is not empty only since can choose nothing, for
 * the newest decision is within every limit. */
static const char *excuse(struct query *q, const struct autoscaler_policy *policy,
                          const struct chosen *chosen) {
    char since[CLOCK_TEXT_MAX];
    struct recordlog_item last;

    if (policy->invalid)
        return arena_printf(&q->arena, "the policy cannot be used, and nothing is decided: %s",
                            policy->invalid);
    if (chosen->count)
        return NULL;
    if (!recordlog_get(policy->log, 0, &q->arena, &last))
        return "nothing has been decided since the operator started";
    return arena_printf(&q->arena, "nothing has been decided since %s", clock_format(q->since, since));
}

/* ---- the answer ---- */

/* A policy that was spoilt by an edit still has the decisions from before it. */
static void print(struct query *q, const char *why, const struct chosen *chosen, struct buf *body) {
    char first[CLOCK_TEXT_MAX];

    if (why)
        buf_printf(body, "%s  %s\n", q->title, why);
    for (uint32_t i = 0; i < chosen->count; i++) {
        const struct recordlog_item *item = &chosen->items[i];
        if (i || why)
            buf_puts(body, "\n");
        record_print(item->record, q->title, q->now, body);
        if (item->count > 1)
            buf_printf(body, "  repeated    %" PRIu32 " decisions since %s came to this\n", item->count,
                       clock_format(item->first, first));
    }
}

/* The record, and what the memory knows of it. */
static json_t *item_json(const struct recordlog_item *item) {
    json_t *o = record_json(item->record);
    char first[CLOCK_TEXT_MAX];

    /* The record's own time is that of the last decision that came to this. */
    json_object_set_new(o, "change", json_boolean(item->change));
    json_object_set_new(o, "firstTime", json_string(clock_format_micro(item->first, first)));
    json_object_set_new(o, "count", json_integer(item->count));
    return o;
}

static void dump(struct query *q, const char *why, const struct chosen *chosen, struct buf *body) {
    char now[CLOCK_TEXT_MAX];
    json_t *list = json_array(), *o;

    for (uint32_t i = 0; i < chosen->count; i++)
        json_array_append_new(list, item_json(&chosen->items[i]));
    o = json_pack("{s:s, s:s, s:s}", "namespace", q->ns, "name", q->name, "now",
                  clock_format_micro(q->now, now));
    if (why)
        json_object_set_new(o, "message", json_string(why)); /* none where it is not UTF-8 */
    json_object_set_new(o, "decisions", list);
    cleanup_free char *text = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    json_decref(o);
    buf_printf(body, "%s\n", str_or_empty(text));
}

static int answer(struct query *q, const struct autoscaler *autoscaler, struct buf *body,
                  const char **content_type) {
    struct autoscaler_policy policy;
    struct chosen chosen;

    if (!autoscaler_policy(autoscaler, q->ns, q->name, &policy)) {
        buf_printf(body, "there is no policy %s/%s, or its namespace is not followed\n", q->ns, q->name);
        return 404;
    }
    choose(q, policy.log, &chosen);
    const char *why = excuse(q, &policy, &chosen);
    if (q->text) {
        print(q, why, &chosen, body);
    } else {
        *content_type = "application/json";
        dump(q, why, &chosen, body);
    }
    return 200;
}

int decisions_serve(const struct autoscaler *autoscaler, const struct httpserver_request *request, usec_t now,
                    struct buf *body, const char **content_type) {
    struct query q = {.now = now};

    arena_init(&q.arena, 0);
    int status = read_path(request->path, &q, body);
    if (status == 0)
        status = read_parameters(request->query, &q, body);
    if (status == 0)
        status = answer(&q, autoscaler, body, content_type);
    arena_done(&q.arena);
    return status;
}
