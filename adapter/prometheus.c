/* The Prometheus source: subscriptions share fetches, fetches follow the plan, answers are told to the
 * subscribers.
 *
 * There is one fetch for each query and way to combine it, from its first subscription to the end of its
 * last; it keeps the last answer, which reading a subscription copies. The plan (queryplan.h) says when it is
 * sent, the client (promclient.h) how; one timer runs for all, armed anew after whatever may have changed
 * the plan. A server that does not answer fails all fetches: first those that were under way, then each that
 * becomes due, with the sentence of the outage, so that thousands of policies show one text. */
#include "adapter/prometheus.h"

#include "adapter/promclient.h"
#include "adapter/promjson.h"
#include "adapter/queryplan.h"
#include "adapter/staleness.h"
#include "adapter/subscribers.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/url.h"
#include <errno.h>
#include <string.h>

/* A policy's query is written by hand. The bound is named in unusable, too. */
enum { QUERY_MAX = 16 * 1024 };
static const usec_t INTERVAL_MIN = 100 * USEC_PER_MSEC;
/* A query is asked a little less often than its interval: with the very period of the scrape behind it, it
 * would see each scrape by the same delay for ever, and with bad luck by almost a whole interval. */
enum { DRIFT = 32 };

struct prometheus {
    struct metric_source head;
    struct loop *loop;
    struct loop_timer *timer;
    struct promclient *client; /* whose limit of requests at once is the plan's too */
    size_t max_response;
    usec_t interval;
    struct query_plan plan;
    struct map fetches; /* by key */
    char *outage;       /* why the server is down; "" where it is not */
};

/* One query as it is asked for, whoever shares it. */
struct fetch {
    struct plan_query planned; /* first: the plan hands it back */
    struct prometheus *source;
    char *key; /* how it is combined, and the query */
    char *form;
    enum combine combine;
    struct subscribers users;
    struct promclient_call *call;
    struct promclient_answer reply; /* of the last call */
    struct promjson *reader;
    bool refused; /* the reader ended the request */
    /* The last answer. */
    enum quality quality;
    double value;
    usec_t at;
    char *message, *warning;
};

struct metric_subscription {
    struct subscriber head; /* in its fetch's list */
    struct fetch *fetch;    /* NULL: cannot be asked for, why says why not */
    struct staleness staleness;
    const char *why;
};

static void arm(struct prometheus *s) {
    usec_t wait = plan_wait(&s->plan, loop_now(s->loop));

    /* Nothing is due before a fetch ends, which arms anew. */
    if (wait < 0)
        loop_timer_cancel(s->timer);
    else
        loop_timer_set(s->timer, wait);
}

static void fetch_free(struct fetch *f) {
    promjson_free(f->reader);
    free(f->key);
    free(f->form);
    free(f->message);
    free(f->warning);
    free(f);
}

/* Stops asking; the memory goes at once, or when the subscribers have been told. */
static void fetch_drop(struct fetch *f) {
    struct prometheus *s = f->source;

    promclient_cancel(f->call);
    f->call = NULL;
    plan_remove(&s->plan, &f->planned);
    map_remove(&s->fetches, f->key);
    /* It is out of the map already: who subscribes to the same query while the others are told gets a new
     * one. */
    if (!f->users.telling)
        fetch_free(f);
    arm(s);
}

/* Calls every subscriber; each may end its own or any other subscription meanwhile. */
static void tell(struct fetch *f) {
    /* Those who have gone meanwhile have left it to this function, see fetch_drop. */
    subscribers_tell(&f->users);
    if (!f->users.first)
        fetch_free(f);
}

static void replace(char **text, const char *with) {
    if (str_eq(*text, with))
        return;
    free(*text);
    *text = xstrdup(with);
}

/* Keeps a failure as the fetch's answer; what was good before is not shown as good any more. */
static void keep_failure(struct fetch *f, const char *message) {
    f->quality = QUALITY_FAILED;
    f->value = 0;
    f->at = 0;
    replace(&f->message, message);
    replace(&f->warning, "");
}

static void keep_answer(struct fetch *f, const struct promjson_answer *a) {
    f->quality = a->quality;
    f->value = a->value;
    f->at = a->at;
    replace(&f->message, a->message);
    replace(&f->warning, a->warning);
}

/* Logs when the server goes and when it comes back, once each. */
static void note_outage(struct prometheus *s, const char *message) {
    bool was_down = s->outage[0] != '\0';

    /* The latest reason: a server may go from refusing connections to saying 503. */
    if (s->plan.down)
        replace(&s->outage, message);
    else
        replace(&s->outage, "");
    if (s->plan.down && !was_down)
        log_warn(NULL, "%s", s->outage);
    else if (!s->plan.down && was_down)
        log_info(NULL, "%s: answers again", promclient_label(s->client));
}

static void finish(struct fetch *f, enum plan_outcome outcome, usec_t hold) {
    struct prometheus *s = f->source;

    /* First the plan, for who is told may end f, and plan_remove must find it in its place. */
    plan_finish(&s->plan, &f->planned, outcome, hold, loop_now(s->loop));
    note_outage(s, f->message);
    tell(f);
    arm(s);
}

static enum plan_outcome take_answer(struct fetch *f) {
    struct promjson_answer a;

    promjson_finish(f->reader, &a);
    keep_answer(f, &a);
    if (a.quality != QUALITY_FAILED)
        return PLAN_ANSWERED;
    /* The reader knows nothing of the server. */
    cleanup_free char *message = xasprintf("%s: %s", promclient_label(f->source->client), a.message);
    replace(&f->message, message);
    /* A question that was understood is asked again at its own pace: its answer may change any time. */
    return a.malformed || a.said_error ? PLAN_QUERY_FAILED : PLAN_ANSWERED;
}

/* What a failure says about this query and about the server. */
static enum plan_outcome outcome_of(const struct promclient_answer *reply, const struct err *err) {
    if (!reply->sent)
        return PLAN_NOT_ASKED;
    /* An answer that is too large is the query's doing. */
    if (!reply->status)
        return err->code == -E2BIG ? PLAN_QUERY_FAILED : PLAN_SOURCE_FAILED;
    /* A 5xx of a proxy speaks of the server behind it, one in Prometheus' own words of the query: it was
     * there to say them. */
    return reply->status >= 500 && !reply->said_error ? PLAN_SOURCE_FAILED : PLAN_QUERY_FAILED;
}

static void on_done(void *arg, const struct err *err) {
    struct fetch *f = arg;
    enum plan_outcome outcome;

    f->call = NULL;
    /* A request that the reader has stopped has no status, and would pass for a server that does not
     * answer. */
    if (f->refused || !err->code) {
        outcome = take_answer(f);
    } else {
        keep_failure(f, err_text(err));
        outcome = outcome_of(&f->reply, err);
    }
    promjson_free(steal_ptr(&f->reader));
    finish(f, outcome, f->reply.retry_after);
}

static int on_body(void *arg, const char *data, size_t len, struct err *err) {
    struct fetch *f = arg;
    int ret = promjson_feed(f->reader, data, len, err);

    f->refused |= ret < 0;
    return ret;
}

static void start(struct fetch *f) {
    struct prometheus *s = f->source;

    f->refused = false;
    /* Made for each answer, and gone with it: most of the time there is none. */
    f->reader = promjson_new(f->combine, s->max_response);
    f->call = promclient_start(s->client, &(struct promclient_request){.path = "/api/v1/query",
                                                                       .form = f->form,
                                                                       .on_body = on_body,
                                                                       .on_done = on_done,
                                                                       .arg = f,
                                                                       .answer = &f->reply});
}

static void on_timer(void *arg) {
    struct prometheus *s = arg;
    usec_t now = loop_now(s->loop);
    struct plan_query *q;

    /* Taken one by one, since telling may add to the plan and take from it. */
    while ((q = plan_held(&s->plan, now))) {
        keep_failure((struct fetch *)q, s->outage);
        tell((struct fetch *)q);
    }
    while ((q = plan_start(&s->plan, now)))
        start((struct fetch *)q);
    arm(s);
}

/* Why a metric cannot be asked for at all, or NULL. */
static const char *unusable(const struct metric_spec *metric) {
    if (metric->type != METRIC_PROMETHEUS || !metric->query)
        return "this metric is not one of Prometheus";
    return strlen(metric->query) > QUERY_MAX ? "the query is longer than 16384 bytes" : NULL;
}

static char *form_of(const char *query) {
    cleanup_free char *escaped = url_escape(query);

    return xasprintf("query=%s", escaped);
}

static struct fetch *fetch_of(struct prometheus *s, const struct metric_spec *metric, usec_t interval) {
    /* The number cannot run into the query: it ends at the first blank. */
    cleanup_free char *key = xasprintf("%d %s", (int)metric->combine, metric->query);
    struct fetch *f = map_get(&s->fetches, key);

    if (f)
        return f;
    f = XNEW(struct fetch);
    f->source = s;
    f->combine = metric->combine;
    f->key = steal_ptr(&key);
    f->form = form_of(metric->query);
    f->message = xstrdup("");
    f->warning = xstrdup("");
    map_put(&s->fetches, f->key, f);
    plan_add(&s->plan, &f->planned, interval, loop_now(s->loop));
    return f;
}

/* Asks as often as the most eager subscriber wants. */
static void pace(struct fetch *f) {
    struct prometheus *s = f->source;
    usec_t interval = subscribers_interval(&f->users);

    if (interval != f->planned.interval)
        plan_set_interval(&s->plan, &f->planned, interval, loop_now(s->loop));
    arm(s);
}

static struct metric_subscription *subscribe(struct metric_source *source,
                                             const struct metric_request *request, metric_changed_fn *changed,
                                             void *arg) {
    struct prometheus *s = (struct prometheus *)source;
    struct metric_subscription *sub = XNEW(struct metric_subscription);
    const struct metric_spec *metric = request->metric;
    usec_t interval = request->interval ? request->interval : s->interval;

    interval = interval < INTERVAL_MIN ? INTERVAL_MIN : interval;
    interval += interval / DRIFT;
    sub->head = (struct subscriber){.interval = interval, .changed = changed, .arg = arg};
    sub->staleness.max_age = metric->max_age;
    sub->why = unusable(metric);
    if (sub->why)
        return sub;
    sub->fetch = fetch_of(s, metric, interval);
    subscribers_add(&sub->fetch->users, &sub->head);
    pace(sub->fetch);
    return sub;
}

static void unsubscribe(struct metric_source *source, struct metric_subscription *sub) {
    struct fetch *f = sub->fetch;

    (void)source;
    /* Out of the list before its memory goes; whether the fetch goes too is seen afterwards. */
    if (f)
        subscribers_remove(&f->users, &sub->head);
    staleness_done(&sub->staleness);
    free(sub);
    if (f && !f->users.first)
        fetch_drop(f);
    else if (f)
        pace(f);
}

static void read_sample(struct metric_source *source, struct metric_subscription *sub, usec_t now,
                        struct sample *ret_sample) {
    const struct fetch *f = sub->fetch;

    (void)source;
    if (!f) {
        *ret_sample = (struct sample){.quality = QUALITY_FAILED, .message = sub->why, .warning = ""};
        return;
    }
    /* The texts are the fetch's: they live until its next answer. */
    *ret_sample = (struct sample){.quality = f->quality,
                                  .value = f->value,
                                  .milli = promjson_milli(f->value),
                                  .at = f->at,
                                  .message = f->message,
                                  .warning = f->warning};
    staleness_apply(&sub->staleness, now, ret_sample);
}

struct metric_source *prometheus_new(struct loop *loop, struct promclient *client, usec_t interval) {
    static const struct metric_source_ops ops = {
        .name = "Prometheus", .subscribe = subscribe, .unsubscribe = unsubscribe, .read = read_sample};
    struct prometheus *s = XNEW(struct prometheus);

    s->head.ops = &ops;
    s->loop = loop;
    s->client = client;
    s->interval = interval > 0 ? interval : USEC_PER_SEC;
    s->max_response = promclient_max_response(client);
    s->timer = loop_timer_new(loop, on_timer, s);
    s->outage = xstrdup("");
    map_init(&s->fetches);
    plan_init(&s->plan, promclient_max_concurrent(client), (uint64_t)clock_wall());
    return &s->head;
}

void prometheus_free(struct metric_source *source) {
    struct prometheus *s = (struct prometheus *)source;

    if (!s)
        return;
    loop_timer_free(s->timer);
    plan_done(&s->plan);
    map_done(&s->fetches);
    free(s->outage);
    free(s);
}

uint32_t prometheus_distinct(const struct metric_source *source) {
    return (uint32_t)((const struct prometheus *)source)->fetches.len;
}
