/* Listing series: which lists are due, and their answers.
 *
 * A round asks for all lists, at most two at a time. A list that fails keeps what it had, and is tried again
 * alone, with back-off; so is one that brought nothing yet, so that a rule's first series shows soon.
 *
 * Of each list: wanted -> asked (call) -> ended, good or failed; then pause and due where it is tried again
 * alone. go_on is called whenever something may have ended or become due. It asks for what is wanted, and
 * while anything is under way that is all, since each answer comes back to it; a change that has waited for
 * SETTLE is told meanwhile. When nothing is under way, the round is over, the timer is set for what is due
 * next, and changes and the end are told. */
#include "adapter/ruleset_internal.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/url.h"
#include <inttypes.h>
#include <string.h>

/* An answer has about 230 bytes a series; it is read as it comes, and never held. */
static const size_t ANSWER_MAX = (size_t)512 << 20;
static const usec_t LIST_TIMEOUT = 60 * USEC_PER_SEC;
static const usec_t PAUSE_MIN = 5 * USEC_PER_SEC;
/* How long a change waits for the other lists of its round: the whole registry is made anew for it. */
static const usec_t SETTLE = 1 * USEC_PER_SEC;
/* Of the time, what rounds that somebody asked for may take at most: one part of so many. Anybody may ask for
 * a metric that there is not, as often as they like. */
enum { AT_ONCE_MAX = 2, HURRY_SHARE = 20 };

static void go_on(struct rulelists *lists);

static usec_t earlier(usec_t a, usec_t b) {
    return a < b ? a : b;
}

/* ---- the lists ---- */

static void drop_answer(struct rulelist *list) {
    promseries_free(list->reader);
    seriesforms_free(list->coming);
    list->reader = NULL;
    list->coming = NULL;
}

/* in_flight is the number of lists that have a call: here it goes down, and in on_done. */
static void cancel(struct rulelist *list) {
    if (!list->call)
        return;
    promclient_cancel(list->call);
    list->call = NULL;
    list->lists->in_flight--;
    drop_answer(list);
}

static void list_free(struct rulelist *list) {
    cancel(list);
    seriesforms_free(list->forms);
    free(list->key);
    free(list->source);
    free(list->selector);
    free(list);
}

/* Names of sources have no blank. Custom and external rules share lists, unlike in the original. */
static char *key_of(const struct rule *rule) {
    return xasprintf("%s %s", str_or_empty(rule->source), rule->series_query);
}

static void need(struct rulelists *lists, const struct rule *rule) {
    cleanup_free char *key = key_of(rule);
    struct rulelist *list = map_get(&lists->by_key, key);

    if (!list) {
        list = XNEW(struct rulelist);
        list->lists = lists;
        list->key = steal_ptr(&key);
        list->source = rule->source ? xstrdup(rule->source) : NULL;
        list->selector = xstrdup(rule->series_query);
        map_put(&lists->by_key, list->key, list);
    }
    if (list->needed)
        return;
    list->needed = true;
    list->line = rule->line;
    lists->all[lists->count++] = list;
}

/* Those that no rule needs any more. */
static void drop_others(struct rulelists *lists) {
    struct map_iter it = {0};
    void *value;

    while (map_next(&lists->by_key, &it, NULL, &value)) {
        struct rulelist *list = value;
        if (list->needed)
            continue;
        map_remove(&lists->by_key, list->key);
        list_free(list);
    }
}

/* A list that is being asked for is not asked once more: its answer is new enough. */
static void start_round(struct rulelists *lists) {
    usec_t now = loop_now(lists->loop);

    lists->round = true;
    lists->round_started = now;
    lists->next_round = now + lists->interval;
    for (uint32_t i = 0; i < lists->count; i++)
        lists->all[i]->wanted = !lists->all[i]->call;
}

void rulelists_take(struct rulelists *lists, const struct rules *rules) {
    uint32_t most = rules->rule_count + rules->external_count;

    for (uint32_t i = 0; i < lists->count; i++)
        lists->all[i]->needed = false;
    lists->all = xrealloc(lists->all, most * sizeof(struct rulelist *));
    lists->count = 0;
    for (uint32_t i = 0; i < rules->rule_count; i++)
        need(lists, &rules->rules[i]);
    for (uint32_t i = 0; i < rules->external_count; i++)
        need(lists, &rules->external[i]);
    drop_others(lists);
    /* Who loads rules may have put right what was wrong: nothing is held against a list. */
    for (uint32_t i = 0; i < lists->count; i++)
        lists->all[i]->pause = 0;
    start_round(lists);
    loop_timer_set(lists->timer, 0);
}

const struct rulelist *rulelists_of(const struct rulelists *lists, const struct rule *rule) {
    cleanup_free char *key = key_of(rule);

    return map_get(&lists->by_key, key);
}

const struct rulelist *rulelists_failed(const struct rulelists *lists) {
    for (uint32_t i = 0; i < lists->count; i++)
        if (lists->all[i]->err.code)
            return lists->all[i];
    return NULL;
}

/* ---- an answer ---- */

/* A list that failed, or brought nothing, is asked for again before the round. Where there was no server to
 * ask, that is no reason to wait longer each time: it may be told many times a second that servers have
 * changed. */
static void set_pause(struct rulelist *list) {
    struct rulelists *lists = list->lists;

    if (!list->err.code && seriesforms_count(list->forms)) {
        list->pause = 0;
        return;
    }
    list->pause = list->pause && list->client ? earlier(2 * list->pause, lists->interval) : PAUSE_MIN;
    list->due = loop_now(lists->loop) + list->pause;
}

/* The same forms in the same order make the same registry: then nobody is told. */
static void take_answer(struct rulelist *list) {
    struct seriesforms *forms = steal_ptr(&list->coming);

    seriesforms_sort(forms);
    if (!list->forms || !seriesforms_equal(forms, list->forms))
        list->lists->dirty = true;
    seriesforms_free(list->forms);
    list->forms = forms;
}

static void list_ended(struct rulelist *list, const struct err *err) {
    list->err = *err;
    if (!err->code)
        take_answer(list);
    drop_answer(list);
    set_pause(list);
}

/* That all bytes came is not enough: the answer must also be whole and a success. */
static void on_done(void *arg, const struct err *err) {
    struct rulelist *list = arg;
    struct rulelists *lists = list->lists;
    struct err failure = *err;

    list->call = NULL;
    lists->in_flight--;
    if (!failure.code)
        promseries_finish(list->reader, &failure);
    list_ended(list, &failure);
    go_on(lists);
}

static int on_series(void *arg, const struct series *series, struct err *err) {
    const struct rulelist *list = arg;

    return seriesforms_add(list->coming, series, err);
}

static int on_body(void *arg, const char *data, size_t len, struct err *err) {
    struct rulelist *list = arg;

    return promseries_feed(list->reader, data, len, err);
}

static void ask(struct rulelist *list) {
    struct rulelists *lists = list->lists;
    struct err err = {0};
    struct promclient *client = sources_client(lists->sources, /* ns= */ NULL, list->source, &err);

    list->wanted = false;
    list->client = client;
    if (!client) {
        list_ended(list, &err);
        return;
    }
    usec_t start = clock_wall() - lists->max_age;
    cleanup_free char *selector = url_escape(list->selector);
    cleanup_free char *form = xasprintf("match%%5B%%5D=%s&start=%" PRId64, selector, start / USEC_PER_SEC);
    list->coming = seriesforms_new();
    list->reader = promseries_new(ANSWER_MAX, on_series, list);
    lists->in_flight++;
    list->call = promclient_start(client, &(struct promclient_request){.path = "/api/v1/series",
                                                                       .form = form,
                                                                       .max_body = ANSWER_MAX,
                                                                       .timeout = LIST_TIMEOUT,
                                                                       .on_body = on_body,
                                                                       .on_done = on_done,
                                                                       .arg = list});
}

/* ---- when ---- */

static void end_round(struct rulelists *lists) {
    lists->round = false;
    lists->round_ended = loop_now(lists->loop);
    lists->took = lists->round_ended - lists->round_started;
    lists->last_wall = clock_wall();
    lists->rounds++;
    /* rounds that take longer than the interval leave the server some air */
    if (lists->next_round < lists->round_ended + lists->interval / 2)
        lists->next_round = lists->round_ended + lists->interval / 2;
    if (rulelists_failed(lists))
        lists->failed_rounds++;
}

/* The time of what is asked for next, while nothing is under way. */
static void set_timer(struct rulelists *lists) {
    usec_t due = lists->next_round;

    if (!lists->count)
        return;
    for (uint32_t i = 0; i < lists->count; i++)
        if (lists->all[i]->pause)
            due = earlier(due, lists->all[i]->due);
    loop_timer_set(lists->timer, due - loop_now(lists->loop));
}

/* Asks for the wanted ones, as many as may be; whether any is under way then. */
static bool ask_wanted(struct rulelists *lists) {
    for (uint32_t i = 0; i < lists->count && lists->in_flight < AT_ONCE_MAX; i++)
        if (lists->all[i]->wanted)
            ask(lists->all[i]);
    return lists->in_flight > 0;
}

static void tell_change(struct rulelists *lists) {
    loop_timer_cancel(lists->settle);
    if (!lists->dirty)
        return;
    lists->dirty = false;
    lists->changed(lists->arg);
}

static void go_on(struct rulelists *lists) {
    if (ask_wanted(lists)) {
        if (lists->dirty && !loop_timer_pending(lists->settle))
            loop_timer_set(lists->settle, SETTLE);
        return;
    }
    if (lists->round)
        end_round(lists);
    set_timer(lists);
    tell_change(lists);
    lists->ended(lists->arg);
}

static void on_settle(void *arg) {
    tell_change(arg);
}

static void on_timer(void *arg) {
    struct rulelists *lists = arg;
    usec_t now = loop_now(lists->loop);

    if (now >= lists->next_round && !lists->round)
        start_round(lists);
    for (uint32_t i = 0; i < lists->count; i++) {
        struct rulelist *list = lists->all[i];
        list->wanted |= !list->call && list->pause && list->due <= now;
    }
    go_on(lists);
}

bool rulelists_hurry(struct rulelists *lists) {
    usec_t now = loop_now(lists->loop), pause = HURRY_SHARE * lists->took;

    if (lists->round || !lists->count)
        return lists->round;
    pause = pause < PAUSE_MIN ? PAUSE_MIN : earlier(pause, lists->interval);
    if (now - lists->round_ended < pause)
        return false;
    start_round(lists);
    loop_timer_set(lists->timer, 0);
    return true;
}

/* Whether the list has another server than before, or none: then why may be another. */
static bool has_moved(struct rulelist *list) {
    struct err err = {0};
    struct promclient *now = sources_client(list->lists->sources, /* ns= */ NULL, list->source, &err);

    if (now && now == list->client)
        return false;
    list->client = now;
    return true;
}

/* It may be told many times a second, while nobody may list the servers that have objects: what is asked of
 * those that have not changed goes on. */
void rulelists_restart(struct rulelists *lists) {
    bool moved = false;

    /* The old clients are still there, and are freed when all have been told: calls to them end here. */
    for (uint32_t i = 0; i < lists->count; i++) {
        struct rulelist *list = lists->all[i];
        if (!has_moved(list))
            continue;
        moved |= list->client != NULL;
        list->wanted |= list->call || list->pause;
        cancel(list);
    }
    if (moved)
        lists->next_round = earlier(lists->next_round, lists->round_ended + PAUSE_MIN);
    if (lists->count)
        loop_timer_set(lists->timer, 0);
}

/* ---- */

void rulelists_init(struct rulelists *lists, struct loop *loop, struct sources *sources,
                    const struct ruleset_options *options) {
    *lists = (struct rulelists){.loop = loop, .sources = sources};
    lists->interval = options->relist ? options->relist : USEC_PER_MIN;
    lists->max_age = options->max_age ? options->max_age : lists->interval;
    map_init(&lists->by_key);
    lists->timer = loop_timer_new(loop, on_timer, lists);
    lists->settle = loop_timer_new(loop, on_settle, lists);
}

void rulelists_done(struct rulelists *lists) {
    for (uint32_t i = 0; i < lists->count; i++)
        list_free(lists->all[i]);
    free(lists->all);
    map_done(&lists->by_key);
    loop_timer_free(lists->timer);
    loop_timer_free(lists->settle);
}
