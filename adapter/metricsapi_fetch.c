/* The requests of the metrics APIs' source: which version of a group answers, what a reply comes to, and what
 * is said where none comes.
 *
 * A fetch is in the plan of its API, due or in flight (then call and reader are set); or it waits for
 * discovery, out of the plan and without a request, since the kind of its object is not known. absent is a
 * mark beside that: nobody serves its group, so that it is asked for rarely. A round of discovery takes both
 * back (metrics_fetch_retry_all).
 *
 * Each try ends in tell, and those who are told may unsubscribe: so tell comes last, and f is not touched
 * behind it. */
#include "adapter/metricsapi_internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A namespace of 10,000 pods with many labels takes about 20 MiB; a list is read as it arrives. */
static const size_t BODY_MAX = (size_t)128 << 20;
static const usec_t TIMEOUT = 20 * USEC_PER_SEC;
/* A group that nobody serves is asked for again by each question in turn, the more there are the more rarely;
 * a round of discovery asks sooner. */
static const usec_t ABSENT_INTERVAL_EACH = USEC_PER_SEC, ABSENT_INTERVAL_MIN = 5 * USEC_PER_SEC,
                    ABSENT_INTERVAL_MAX = 30 * USEC_PER_SEC;

static void arm(struct metrics_api *api) {
    usec_t wait = plan_wait(&api->plan, loop_now(api->source->loop));

    if (wait < 0)
        loop_timer_cancel(api->timer);
    else
        loop_timer_set(api->timer, wait);
}

static void fetch_free(struct metrics_fetch *f) {
    metrics_question_done(&f->question);
    metrics_table_free(f->table);
    free(f->message);
    free(f);
}

struct metrics_fetch *metrics_fetch_new(struct metricsapi *s, struct metrics_question *q, usec_t interval) {
    struct metrics_fetch *f = XNEW(struct metrics_fetch);

    f->api = &s->apis[q->group];
    f->question = *q;
    f->message = xstrdup("");
    map_put(&s->fetches, f->question.key, f);
    plan_add(&f->api->plan, &f->planned, interval, loop_now(s->loop));
    arm(f->api);
    return f;
}

/* absent of the API is the number of its fetches that have the mark. */
static void set_absent(struct metrics_fetch *f, bool absent) {
    if (f->absent)
        f->api->absent--;
    if (absent)
        f->api->absent++;
    f->absent = absent;
}

static usec_t absent_interval(const struct metrics_api *api) {
    usec_t interval = (usec_t)api->absent * ABSENT_INTERVAL_EACH;

    if (interval < ABSENT_INTERVAL_MIN)
        return ABSENT_INTERVAL_MIN;
    return interval < ABSENT_INTERVAL_MAX ? interval : ABSENT_INTERVAL_MAX;
}

/* Takes it out of the plan, with the request that is under way; one that waits is out of it already. */
static void stop(struct metrics_fetch *f) {
    kube_cancel(steal_ptr(&f->call));
    metricslist_free(steal_ptr(&f->reader));
    if (!f->waiting)
        plan_remove(&f->api->plan, &f->planned);
}

void metrics_fetch_drop(struct metrics_fetch *f) {
    struct metrics_api *api = f->api;

    stop(f);
    set_absent(f, false);
    map_remove(&api->source->fetches, f->question.key);
    /* Else tell frees it. Out of the map it is in any case: who asks the same from now on gets another one.
     */
    if (!f->users.telling)
        fetch_free(f);
    arm(api);
}

void metrics_fetch_pace(struct metrics_fetch *f) {
    usec_t interval = subscribers_interval(&f->users);

    if (f->waiting || !interval)
        return;
    if (f->absent && interval < absent_interval(f->api))
        interval = absent_interval(f->api);
    if (interval == f->planned.interval)
        return;
    plan_set_interval(&f->api->plan, &f->planned, interval, loop_now(f->api->source->loop));
    arm(f->api);
}

/* f may be gone when it returns. */
static void tell(struct metrics_fetch *f) {
    subscribers_tell(&f->users);
    if (!f->users.first) /* the last one went while being told */
        fetch_free(f);
}

static void replace(char **text, const char *with) {
    if (str_eq(*text, with))
        return;
    free(*text);
    *text = xstrdup(with);
}

static void keep(struct metrics_fetch *f, enum quality quality, const char *message) {
    metrics_table_free(steal_ptr(&f->table));
    f->quality = quality;
    f->milli = 0;
    f->at = 0;
    replace(&f->message, message);
}

/* As HPA, a failure is known at once: what was good before does not count any more. */
static void keep_failure(struct metrics_fetch *f, const char *cause) {
    cleanup_free char *message = xasprintf("%s: %s", f->api->info->name, cause);

    keep(f, QUALITY_FAILED, message);
}

/* Logs when nothing answers any more and when something does again, once each. */
static void note_outage(struct metrics_api *api, const char *message) {
    bool was_down = api->outage[0] != '\0';

    replace(&api->outage, api->plan.down ? message : "");
    if (api->plan.down && !was_down)
        log_warn(NULL, "%s", api->outage);
    else if (!api->plan.down && was_down)
        log_info(NULL, "%s: answers again", api->info->name);
}

/* Ends a try that has left its answer in f. */
static void finish(struct metrics_fetch *f, enum plan_outcome outcome, usec_t hold) {
    struct metrics_api *api = f->api;

    /* The pace first: the plan makes the next turn of it. */
    metrics_fetch_pace(f);
    plan_finish(&api->plan, &f->planned, outcome, hold, loop_now(api->source->loop));
    note_outage(api, f->message);
    if (outcome != PLAN_ANSWERED)
        api->source->stats.failures++;
    arm(api);
    tell(f);
}

/* The apiserver's own answer to a path of a group and version that nobody serves is no Status. */
static bool is_not_served(const struct kube_reply *reply) {
    return reply->status == 404 && !reply->reason[0];
}

/* The next version of the group, where there is one that has not been refused in this try. Several questions
 * may have asked in the old one at the same time: only the first refusal moves the group on, lest the second
 * one move it back. */
static bool falls_back(struct metrics_fetch *f) {
    struct metrics_api *api = f->api;
    size_t count = api->info->versions[1] ? 2 : 1;

    if (++f->refused_versions >= count)
        return false;
    if (api->version == f->asked_version)
        api->version = (api->version + 1) % count;
    return true;
}

static enum plan_outcome take_absence(struct metrics_fetch *f) {
    cleanup_free char *message =
        xasprintf("the cluster serves no %s: %s", f->api->info->name, f->api->info->remedy);

    set_absent(f, true);
    keep(f, QUALITY_FAILED, message);
    return PLAN_QUERY_FAILED;
}

/* What differs from try to try (curl tells the milliseconds) is left out: the status shows this text, and
 * must not change while nothing does. */
static const char *silence(const struct err *err) {
    switch (err->code) {
    case -ECONNREFUSED:
        return "the apiserver refuses connections";
    case -ECONNRESET:
        return "the connection broke before the answer was whole";
    case -ETIMEDOUT:
        /* that is TIMEOUT */
        return "no answer within 20s";
    default:
        return err_text(err);
    }
}

static enum plan_outcome take_failure(struct metrics_fetch *f, const struct kube_reply *reply) {
    /* The codes that are left out come of an answer: one that is too large, malformed, or that we refused. */
    bool silent = reply->status == 0 && reply->err.code != -E2BIG && reply->err.code != -EBADMSG &&
                  reply->err.code != -EINVAL;

    if (is_not_served(reply))
        return take_absence(f);
    keep_failure(f, silent ? silence(&reply->err) : err_text(&reply->err));
    return silent ? PLAN_SOURCE_FAILED : PLAN_QUERY_FAILED;
}

/* A list that is one number: of the described object, or the sum, as HPA adds up an External metric's values.
 */
static enum plan_outcome take_total(struct metrics_fetch *f, const struct metrics_table *table) {
    char message[80];

    if (f->question.type == METRIC_OBJECT && table->count != 1) {
        snprintf(message, sizeof(message), "it answers with %" PRIu32 " values for one object", table->count);
        keep_failure(f, message);
        return PLAN_QUERY_FAILED;
    }
    keep(f, table->sum ? QUALITY_VALUE : QUALITY_ZERO, "");
    f->milli = table->sum;
    f->at = table->newest;
    return PLAN_ANSWERED;
}

static enum plan_outcome take_list(struct metrics_fetch *f) {
    struct metrics_table *table = NULL;
    struct err err = {0};

    if (metricslist_finish(f->reader, &table, &err) < 0) {
        keep_failure(f, err.text);
        return PLAN_QUERY_FAILED;
    }
    enum plan_outcome outcome = PLAN_ANSWERED;
    if (table->count == 0 && f->question.type != METRIC_OBJECT) {
        keep(f, QUALITY_ABSENT, f->api->info->empty);
    } else if (metric_of_pods(f->question.type)) {
        keep(f, QUALITY_VALUE, "");
        f->at = table->newest;
        f->table = steal_ptr(&table);
    } else {
        outcome = take_total(f, table);
    }
    metrics_table_free(table);
    return outcome;
}

static void on_done(void *arg, const struct kube_reply *reply) {
    struct metrics_fetch *f = arg;
    enum plan_outcome outcome;

    f->call = NULL;
    /* Another version is tried at once: that one was refused is no failure yet. */
    if (is_not_served(reply) && falls_back(f)) {
        metricslist_free(steal_ptr(&f->reader));
        plan_again(&f->api->plan, &f->planned, loop_now(f->api->source->loop));
        arm(f->api);
        return;
    }
    f->refused_versions = 0;
    set_absent(f, false);
    /* The reader holds the answer, and is needed up to here. */
    outcome = reply->err.code ? take_failure(f, reply) : take_list(f);
    metricslist_free(steal_ptr(&f->reader));
    finish(f, outcome, reply->retry_after);
}

static int on_body(void *arg, const char *data, size_t len, struct err *err) {
    struct metrics_fetch *f = arg;

    return metricslist_feed(f->reader, data, len, err);
}

/* The kind of an Object is not known (yet): discovery's next round tries again. Before the first round
 * (-EAGAIN) there is nothing to tell: the answer is pending, as it was. */
static void wait_for_discovery(struct metrics_fetch *f, const struct err *err) {
    plan_remove(&f->api->plan, &f->planned);
    f->waiting = true;
    if (err->code == -EAGAIN)
        return;
    f->api->source->stats.failures++;
    keep_failure(f, err->text);
    tell(f);
}

static void start(struct metrics_fetch *f) {
    static const enum metricslist_kind kinds[] = {[GROUP_RESOURCE] = LIST_POD_METRICS,
                                                  [GROUP_CUSTOM] = LIST_METRIC_VALUES,
                                                  [GROUP_EXTERNAL] = LIST_EXTERNAL_VALUES};
    struct metricsapi *s = f->api->source;
    cleanup_buf struct buf path;
    struct err err = {0};

    buf_init(&path, METRICS_PATH_MAX);
    f->asked_version = f->api->version;
    err.code = metrics_question_path(&f->question, f->api->info->versions[f->asked_version], s->discovery,
                                     &path, &err);
    if (err.code < 0) {
        wait_for_discovery(f, &err);
        return;
    }
    s->stats.requests++;
    f->reader = metricslist_new(kinds[f->question.group], BODY_MAX);
    f->call = kube_start(s->kube, &(struct kube_request){.verb = KUBE_GET,
                                                         .path = path.data,
                                                         .timeout = TIMEOUT,
                                                         .max_body = BODY_MAX,
                                                         .on_body = on_body,
                                                         .on_done = on_done,
                                                         .arg = f});
}

void metrics_fetch_on_timer(void *arg) {
    struct metrics_api *api = arg;
    usec_t now = loop_now(api->source->loop);
    struct plan_query *q;

    /* Those that were due while nothing answers: what they had is taken back, each once an outage. */
    while ((q = plan_held(&api->plan, now))) {
        struct metrics_fetch *f = (struct metrics_fetch *)q;
        keep(f, QUALITY_FAILED, api->outage);
        tell(f);
    }
    while ((q = plan_start(&api->plan, now)))
        start((struct metrics_fetch *)q);
    arm(api);
}

void metrics_fetch_retry_all(void *arg) {
    struct metricsapi *s = arg;
    struct map_iter it = {0};
    void *value;

    while (map_next(&s->fetches, &it, NULL, &value)) {
        struct metrics_fetch *f = value;
        /* What is in flight finds out by itself. */
        if (!f->waiting && (!f->absent || f->planned.in_flight))
            continue;
        if (!f->waiting)
            plan_remove(&f->api->plan, &f->planned);
        set_absent(f, false);
        f->waiting = false;
        plan_add(&f->api->plan, &f->planned, subscribers_interval(&f->users), loop_now(s->loop));
        arm(f->api);
    }
}
