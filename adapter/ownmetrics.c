/* Requests for metrics of our own rules. A request goes through steps, each of which may have to wait: the
 * rule, the objects, the answer to the query. Whatever it has waited for, it starts anew from the first, so
 * that it goes by the rules and objects that there are then.
 *
 * Most requests are answered from memory within ownmetrics_ask, with the caller's texts. Only a call that
 * has to wait is given texts of its own and comes into the list of calls; what it waits for is in waits_for.
 * The cache and the rules tell when they have something; informers and servers that come do not, and are
 * looked for by one timer for all calls.
 *
 * To answer ends a call: inside of ownmetrics_ask it is freed there, else at once. So whatever may answer
 * comes last in its function, and a step that returns false may have lost the call. */
#include "adapter/ownmetrics_internal.h"

#include "adapter/promjson.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <math.h>
#include <string.h>

static const usec_t WAIT_MAX = 10 * USEC_PER_SEC;
/* A query may have the names of all pods of a namespace in it. */
static const size_t QUERY_MAX = (size_t)8 << 20;
static const size_t ARENA_BLOCK = 16384; /* a hundred values in one piece */

enum waits_for {
    WAITS_FOR_NOTHING,
    WAITS_FOR_RULES,
    WAITS_FOR_VALUES,
    WAITS_FOR_ANOTHER_TURN, /* objects come in, or a server has gone */
};

struct ownmetrics_call {
    struct ownmetrics *own;
    struct ownmetrics_call *next, **at; /* of those that wait */
    struct arena arena;
    struct metrics_route route; /* borrowed at first, copied when it has to wait */
    metrics_answer_fn *fn;
    void *arg;
    bool inside, answered; /* within ownmetrics_ask */
    bool looked;           /* the series have been listed again for it */
    bool asked_again;      /* after its server had gone */
    enum waits_for waits_for;
    uint32_t round; /* of recheck that has seen it */
    usec_t deadline;
    struct own_query *query;
    struct own_names names;
    struct querycache_wait *wait;
};

static void step(struct ownmetrics_call *call);

/* ---- waiting ---- */

static void link_call(struct ownmetrics_call *call) {
    struct ownmetrics *own = call->own;

    call->next = own->calls;
    call->at = &own->calls;
    if (call->next)
        call->next->at = &call->next;
    own->calls = call;
}

static void call_free(struct ownmetrics_call *call) {
    if (call->at) {
        *call->at = call->next;
        if (call->next)
            call->next->at = call->at;
    }
    own_query_unref(call->query);
    arena_done(&call->arena);
    free(call);
}

static void wait_for(struct ownmetrics_call *call, enum waits_for what) {
    struct ownmetrics *own = call->own;

    call->waits_for = what;
    /* One for the whole call, set when it first waits: it is not to wait that long for each step. */
    if (!call->deadline)
        call->deadline = loop_now(own->world.loop) + WAIT_MAX;
    if (what != WAITS_FOR_VALUES && !loop_timer_pending(own->recheck))
        loop_timer_set(own->recheck, OWN_RECHECK);
}

static void on_rules_listed(void *arg) {
    struct ownmetrics_call *call = arg;

    call->waits_for = WAITS_FOR_NOTHING;
    step(call);
}

static void give_up_rules(struct ownmetrics_call *call) {
    if (call->waits_for == WAITS_FOR_RULES)
        ruleset_cancel_look(call->own->world.ruleset, on_rules_listed, call);
}

static bool is_late(const struct ownmetrics_call *call) {
    return call->deadline && loop_now(call->own->world.loop) >= call->deadline;
}

/* By the stamp each is looked at once in a round, whatever comes and goes meanwhile. */
static struct ownmetrics_call *next_to_check(const struct ownmetrics *own) {
    for (struct ownmetrics_call *call = own->calls; call; call = call->next)
        if (call->waits_for != WAITS_FOR_VALUES && call->round != own->round)
            return call;
    return NULL;
}

/* An answer may end other calls: each time one is found anew. */
static void on_recheck(void *arg) {
    struct ownmetrics *own = arg;
    struct ownmetrics_call *call;

    own->round++;
    while ((call = next_to_check(own))) {
        call->round = own->round;
        if (call->waits_for == WAITS_FOR_RULES && !is_late(call))
            continue;
        give_up_rules(call);
        step(call);
    }
    /* Those who were passed over; a step that waits again has set the timer itself. */
    for (call = own->calls; call; call = call->next)
        if (call->waits_for != WAITS_FOR_VALUES && !loop_timer_pending(own->recheck))
            loop_timer_set(own->recheck, OWN_RECHECK);
}

/* ---- answering ---- */

static void answer(struct ownmetrics_call *call, const struct metrics_answer *a) {
    call->waits_for = WAITS_FOR_NOTHING;
    /* Its message may be in the arena of the call: that goes behind this. */
    call->fn(call->arg, a);
    if (call->inside)
        call->answered = true;
    else
        call_free(call);
}

static void refuse(struct ownmetrics_call *call, int status, const char *message) {
    answer(call, &(struct metrics_answer){.status = status,
                                          .reason = status == 404 ? "NotFound" : "InternalError",
                                          .message = message,
                                          .metric = call->route.metric});
}

/* People and tools know these words. */
static void refuse_unknown(struct ownmetrics_call *call) {
    const struct metrics_route *r = &call->route;

    refuse(call, 404,
           ARENA_JOIN(&call->arena, "the server could not find the metric ", r->metric, " for ",
                      r->resource ? r->resource : "namespaces"));
}

static void refuse_object(struct ownmetrics_call *call) {
    const struct metrics_route *r = &call->route;

    refuse(call, 404,
           ARENA_JOIN(&call->arena, "the server could not find the metric ", r->metric, " for ", r->resource,
                      " ", r->name));
}

/* The reference's words, and behind them the cause, which it writes to its log alone. */
static void fail(struct ownmetrics_call *call, const char *what, const char *why) {
    refuse(call, 500, ARENA_JOIN(&call->arena, "Internal error occurred: ", what, ": ", why));
}

/* An infinite value is none, in both APIs; NaN is 0 in the one, and none in the other, as the reference has
 * it in the one, and would rather have it in the other than what the processor makes of it. */
static bool put_value(struct metrics_value *value, const struct vector_sample *sample, bool nan_counts) {
    if (isinf(sample->value) || (isnan(sample->value) && !nan_counts))
        return false;
    value->milli = promjson_milli(sample->value);
    value->at = sample->at;
    return true;
}

static void answer_values(struct ownmetrics_call *call, const struct metrics_value *values, uint32_t count) {
    answer(call, &(struct metrics_answer){.status = 200,
                                          .metric = call->route.metric,
                                          .resource = &call->query->resource,
                                          .count = count,
                                          .values = values});
}

/* The values of the names that have one, in their order, into values; their number. */
static uint32_t join(const struct own_query *query, const struct own_names *names,
                     const struct vector *vector, struct metrics_value *values) {
    uint32_t count = 0;

    for (uint32_t i = 0; i < names->count; i++) {
        const struct vector_sample *sample = vector_find(vector, query->label, names->names[i]);
        if (!sample || !put_value(&values[count], sample, /* nan_counts= */ true))
            continue;
        values[count].ns = query->ns;
        values[count].name = names->names[i];
        count++;
    }
    return count;
}

/* Dashboards and HPAs ask for the same list again and again between two answers of Prometheus. */
static const struct own_joined *join_list(struct own_query *query, const struct own_names *names,
                                          const struct vector *vector) {
    struct own_joined *j = &query->joined;

    /* An address alone proves nothing, for a new answer may lie where the last one was freed. */
    if (j->serial == names->serial && j->vector == vector && j->fetched == vector->fetched)
        return j;
    if (names->count > j->cap) {
        /* Not grown in place: nothing of it is of use any more. */
        free(j->values);
        j->values = xcalloc(names->count, sizeof(*j->values));
        j->cap = names->count;
    }
    j->serial = names->serial;
    j->vector = vector;
    j->fetched = vector->fetched;
    j->count = join(query, names, vector, j->values);
    return j;
}

static void answer_objects(struct ownmetrics_call *call, const struct vector *vector) {
    /* By name, no sample is a 404; of a list, objects without one are left out, be it all of them. */
    const struct own_names *names = &call->names;
    struct metrics_value *values = NULL;
    const struct own_joined *joined;

    /* A list of an informer's, and not names that a call has copied: those live no longer than the call. */
    if (names->serial) {
        joined = join_list(call->query, names, vector);
        answer_values(call, joined->values, joined->count);
        return;
    }
    /* One more, so that an empty array is none of no bytes. */
    values = ARENA_ARRAY(&call->arena, struct metrics_value, names->count + 1);
    uint32_t count = join(call->query, names, vector, values);
    if (!count && call->route.name)
        refuse_object(call);
    else
        answer_values(call, values, count);
}

/* A sample without labels is not a scalar: it is written with none, and not with null. */
static void put_labels(struct metrics_value *value, const struct vector_sample *sample) {
    static const struct series_label none[1];

    value->label_count = sample->label_count;
    value->labels = sample->labels ? sample->labels : none;
}

static void answer_external(struct ownmetrics_call *call, const struct vector *vector) {
    struct metrics_value *values = ARENA_ARRAY(&call->arena, struct metrics_value, vector->count + 1);
    uint32_t count = 0;

    for (uint32_t i = 0; i < vector->count; i++) {
        const struct vector_sample *sample = &vector->samples[i];
        if (!put_value(&values[count], sample, /* nan_counts= */ false))
            continue;
        if (!vector->scalar)
            put_labels(&values[count], sample);
        count++;
    }
    answer_values(call, values, count);
}

/* Its server goes at this moment: once more with whichever there is then. */
static bool asks_again(struct ownmetrics_call *call, const struct err *err) {
    if (err->code != -ECANCELED || call->asked_again)
        return false;
    call->asked_again = true;
    wait_for(call, WAITS_FOR_ANOTHER_TURN);
    return true;
}

static void on_values(void *arg, const struct vector *vector, const struct err *err) {
    struct ownmetrics_call *call = arg;

    /* Before anything that may free the call: the cache has ended the wait. */
    call->wait = NULL;
    if (!vector && asks_again(call, err))
        return;
    if (!vector)
        fail(call, "unable to fetch metrics", err_text(err));
    else if (call->query->external)
        answer_external(call, vector);
    else if (vector->scalar)
        fail(call, "unable to fetch metrics", "the query gives a scalar, and not a value for each object");
    else
        answer_objects(call, vector);
}

/* ---- the steps ---- */

/* Why the objects of a resource cannot be listed at all, or NULL. */
static const char *unlistable(struct ownmetrics_call *call) {
    const struct metrics_route *r = &call->route;
    const struct cluster_resource *resource;

    /* Of one object by name nothing is listed, and an external metric has none. */
    if (!r->resource || r->name)
        return NULL;
    resource = cluster_resource_find(ruleset_resources(call->own->world.ruleset), NULL, r->resource);
    if (!resource)
        return ARENA_JOIN(&call->arena, "the cluster has no resource ", r->resource);
    if (r->ns && !resource->namespaced)
        return ARENA_JOIN(&call->arena, r->resource, " are in no namespace");
    return NULL;
}

static void find_no_rule(struct ownmetrics_call *call) {
    const struct ownmetrics_world *world = &call->own->world;
    struct ruleset_stats stats;

    /* Once for each call: a metric that nobody has must come to a 404 in the end. */
    if (!call->looked && ruleset_look_again(world->ruleset, on_rules_listed, call)) {
        call->looked = true;
        wait_for(call, WAITS_FOR_RULES);
        return;
    }
    const char *why = unlistable(call);
    if (why) {
        fail(call, "unable to list matching resources", why);
    } else if (ruleset_ready(world->ruleset)) {
        refuse_unknown(call);
    } else {
        ruleset_stats(world->ruleset, &stats);
        fail(call, "unable to fetch metrics",
             *stats.error ? stats.error : "the series of the rules have not been listed yet");
    }
}

/* False: it waits, or has been answered. */
static bool find_rule(struct ownmetrics_call *call) {
    /* The one before may be of rules that have gone. */
    own_query_unref(call->query);
    call->query = own_find(call->own, &call->route);
    if (!call->query) {
        find_no_rule(call);
        return false;
    }
    return true;
}

static bool find_objects(struct ownmetrics_call *call) {
    const struct metrics_route *r = &call->route;
    struct err err = {0};

    /* Those of the last try are another turn's, and may be gone. */
    call->names = (struct own_names){0};
    if (call->query->external)
        return true;
    if (r->name) {
        /* The object need not exist: its name is looked up in the answer alone, as in the reference. */
        call->names = (struct own_names){.count = 1, .names = &call->route.name};
        return true;
    }
    const struct own_wanted wanted = {&call->query->resource, r->ns, &r->labels, r->labels_text};
    int ret = own_objects_list(call->own->objects, &wanted, &call->names, &err);
    bool found = ret == 0 && call->names.count > 0; /* an answer may free the call */
    if (ret == -EAGAIN && !is_late(call))
        wait_for(call, WAITS_FOR_ANOTHER_TURN);
    else if (ret < 0)
        fail(call, "unable to list matching resources", err_text(&err));
    else if (!found)
        refuse_unknown(call);
    return found;
}

/* What the reference cannot ask for is to it a metric that it does not have; an external one is a failure. */
static void refuse_question(struct ownmetrics_call *call, const struct promclient *client,
                            const struct err *err) {
    /* Without a server nothing has been rendered: then it is a failure in any case. */
    if (client && !call->query->external)
        refuse_unknown(call);
    else
        fail(call, "unable to fetch metrics", err_text(err));
}

/* They are the list's, which may change meanwhile. */
static void keep_names(struct ownmetrics_call *call) {
    const struct own_names *from = &call->names;
    const char **names = ARENA_ARRAY(&call->arena, const char *, from->count + 1);

    for (uint32_t i = 0; i < from->count; i++)
        names[i] = arena_strdup(&call->arena, from->names[i]);
    call->names = (struct own_names){.count = from->count, .names = names};
}

static void ask_server(struct ownmetrics_call *call) {
    struct ownmetrics *own = call->own;
    cleanup_own_question struct own_question question;
    struct err err = {0};

    int ret = own_question_init(&question, own, call->query, &call->names, &err);
    if (ret == -EAGAIN && !is_late(call)) {
        wait_for(call, WAITS_FOR_ANOTHER_TURN);
        return;
    }
    if (ret < 0) {
        refuse_question(call, question.client, &err);
        return;
    }
    /* Before the cache is asked, which may answer within. */
    wait_for(call, WAITS_FOR_VALUES);
    struct querycache_wait *wait =
        querycache_ask(own->world.cache, question.client, &question.query, on_values, call);
    if (!wait) /* it has been answered, and the call may be gone */
        return;
    call->wait = wait;
    keep_names(call);
}

/* A path may name the resource otherwise, "namespace" say. */
static bool is_about_namespace(const struct ownmetrics *own, const struct metrics_route *route) {
    const struct cluster_resource *r = NULL;

    if (route->ns || !route->resource)
        return false;
    r = cluster_resource_find(ruleset_resources(own->world.ruleset), NULL, route->resource);
    return r && !*r->group && str_eq(r->plural, "namespaces");
}

/* What lies outside of namespaces belongs to all of them, but for a namespace itself. */
static bool is_allowed(const struct ownmetrics *own, const struct metrics_route *route) {
    const char *const *allowed = own->world.namespaces;
    const char *ns = allowed && is_about_namespace(own, route) ? route->name : route->ns;

    while (allowed && *allowed && !str_eq(*allowed, ns))
        allowed++;
    return !allowed || !ns || *allowed;
}

static void step(struct ownmetrics_call *call) {
    call->waits_for = WAITS_FOR_NOTHING;
    if (!is_allowed(call->own, &call->route))
        refuse_unknown(call);
    else if (find_rule(call) && find_objects(call))
        ask_server(call);
}

/* ---- calls ---- */

static const char *copy_text(struct arena *arena, const char *text) {
    return text ? arena_strdup(arena, text) : NULL;
}

/* The route's texts are the caller's until it returns. */
static void copy_route(struct ownmetrics_call *call) {
    struct metrics_route *r = &call->route;
    struct arena *arena = &call->arena;

    r->version = copy_text(arena, r->version);
    r->ns = copy_text(arena, r->ns);
    r->resource = copy_text(arena, r->resource);
    r->name = copy_text(arena, r->name);
    r->metric = copy_text(arena, r->metric);
    r->labels_text = copy_text(arena, r->labels_text);
    r->labels = selector_copy(&r->labels, arena);
    r->metric_labels = selector_copy(&r->metric_labels, arena);
    r->fields = (struct selector){0}; /* not looked at here */
}

struct ownmetrics_call *ownmetrics_ask(struct ownmetrics *own, const struct metrics_route *route,
                                       metrics_answer_fn *fn, void *arg) {
    struct ownmetrics_call *call = XNEW(struct ownmetrics_call);

    *call = (struct ownmetrics_call){.own = own, .route = *route, .fn = fn, .arg = arg, .inside = true};
    arena_init(&call->arena, ARENA_BLOCK);
    step(call);
    /* From here on an answer frees the call by itself. */
    call->inside = false;
    if (call->answered) {
        call_free(call);
        return NULL;
    }
    copy_route(call);
    link_call(call);
    return call;
}

void ownmetrics_cancel(struct ownmetrics_call *call) {
    if (!call)
        return;
    /* Wherever it waits: at most one of these has it. */
    give_up_rules(call);
    querycache_cancel(call->wait);
    call_free(call);
}

/* ---- what calls and policies share ---- */

struct own_query *own_find(struct ownmetrics *own, const struct metrics_route *route) {
    const struct ruleset *ruleset = own->world.ruleset;

    return own_queries_find(own->queries, ruleset_registry(ruleset), ruleset_resources(ruleset), route);
}

int own_question_init(struct own_question *question, struct ownmetrics *own, const struct own_query *q,
                      const struct own_names *names, struct err *err) {
    *question = (struct own_question){.client = asked_servers_client(own->servers, q->source, err)};
    buf_init(&question->scratch, QUERY_MAX);
    if (!question->client)
        return err->code < 0 ? err->code : -ENOENT;
    *err = q->err;
    question->query =
        (struct querycache_query){.text = q->text, .wide = q->wide, .ns_label = q->ns_label, .ns = q->ns};
    if (err->code || q->text)
        return err->code;
    int ret = own_query_render(q, ruleset_resources(own->world.ruleset), names->names, names->count,
                               &question->scratch, err);
    question->query.text = question->scratch.data;
    return ret;
}

void own_question_done(struct own_question *question) {
    buf_done(&question->scratch);
}

static void on_rules_changed(void *arg) {
    struct ownmetrics *own = arg;

    /* Calls and feeds keep theirs by a reference, without its rule: own_query tells what of it is still
     * good. */
    own_queries_forget(own->queries);
    own_source_reconsider(own->source);
}

static void on_gone(void *arg, const struct promclient *client) {
    own_source_stop(((struct ownmetrics *)arg)->source, client);
}

static void on_sources_changed(void *arg) {
    struct ownmetrics *own = arg;

    asked_servers_sweep(own->servers, on_gone, own);
    own_source_reconsider(own->source);
}

struct ownmetrics *ownmetrics_new(const struct ownmetrics_world *world) {
    struct ownmetrics *own = XNEW(struct ownmetrics);

    own->world = *world;
    own->servers = asked_servers_new(world->sources, world->cache);
    own->queries = own_queries_new();
    own->objects = own_objects_new(world->loop, world->discovery, world->informers);
    own->recheck = loop_timer_new(world->loop, on_recheck, own);
    /* Before the listeners, which call it. */
    own->source = own_source_new(own);
    ruleset_on_change(world->ruleset, on_rules_changed, own);
    sources_on_change(world->sources, on_sources_changed, own);
    return own;
}

void ownmetrics_free(struct ownmetrics *own) {
    if (!own)
        return;
    for (struct ownmetrics_call *call = own->calls, *next; call; call = next) {
        next = call->next;
        ownmetrics_cancel(call);
    }
    /* The calls have gone before: they hold queries, and waits of the cache. */
    own_source_free(own->source);
    own_objects_free(own->objects);
    own_queries_free(own->queries);
    loop_timer_free(own->recheck);
    asked_servers_free(own->servers);
    free(own);
}

bool ownmetrics_has(const struct ownmetrics *own, const struct metrics_route *route) {
    /* By the rules and series alone: whether there are objects, or values, is found out by asking. */
    const struct registry *registry = ruleset_registry(own->world.ruleset);

    if (!registry || route->api == ROUTE_RESOURCE || !is_allowed(own, route))
        return false;
    if (route->api == ROUTE_EXTERNAL)
        return registry_find_external(registry, route->metric);
    return registry_find(registry, route->resource, route->ns != NULL, route->metric);
}

struct metric_source *ownmetrics_source(struct ownmetrics *own) {
    return own_source_head(own->source);
}
