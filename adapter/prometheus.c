/* The Prometheus source: subscriptions share fetches, fetches follow the plan, answers are told to the
 * subscribers. */
#include "adapter/prometheus.h"

#include "adapter/promjson.h"
#include "adapter/promrequest.h"
#include "adapter/queryplan.h"
#include "adapter/staleness.h"
#include "adapter/subscribers.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { QUERY_MAX = 16 * 1024, SNIPPET_MAX = 160 };
static const usec_t INTERVAL_MIN = 100 * USEC_PER_MSEC;
/* A query is asked a little less often than its interval: with the very period of the scrape behind it, it
 * would see each scrape by the same delay for ever, and with bad luck by almost a whole interval. */
enum { DRIFT = 32 };

struct prometheus {
    struct metric_source head;
    struct loop *loop;
    struct http *http;
    struct loop_timer *timer;
    struct prom_endpoint endpoint;
    usec_t interval;
    struct query_plan plan;
    struct map fetches; /* by key */
    struct prometheus_stats stats;
    char *outage; /* why the server is down; "" where it is not */
};

/* One query as it is asked for, whoever shares it. */
struct fetch {
    struct plan_query planned; /* first: the plan hands it back */
    struct prometheus *source;
    char *key; /* how it is combined, and the query */
    char *form;
    enum combine combine;
    struct subscribers users;
    struct http_call *call;
    struct promjson *reader;
    bool refused; /* the reader ended the request */
    bool posted;
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

    http_cancel(s->http, f->call);
    f->call = NULL;
    plan_remove(&s->plan, &f->planned);
    map_remove(&s->fetches, f->key);
    if (!f->users.telling)
        fetch_free(f);
    arm(s);
}

/* Calls every subscriber; each may end its own or any other subscription meanwhile. */
static void tell(struct fetch *f) {
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

    if (s->plan.down)
        replace(&s->outage, message);
    else
        replace(&s->outage, "");
    if (s->plan.down && !was_down)
        log_warn(NULL, "%s", s->outage);
    else if (!s->plan.down && was_down)
        log_info(NULL, "%s: answers again", s->endpoint.label);
}

static void finish(struct fetch *f, enum plan_outcome outcome, usec_t hold) {
    struct prometheus *s = f->source;

    plan_finish(&s->plan, &f->planned, outcome, hold, loop_now(s->loop));
    note_outage(s, f->message);
    if (outcome == PLAN_ANSWERED)
        s->stats.last_success = clock_wall();
    else
        s->stats.failures++;
    tell(f);
    arm(s);
}

/* The beginning of an error page in plain text, on one line, or "". */
static const char *snippet(const struct http_reply *reply, char *out) {
    size_t n = 0;

    if (reply->body && str_starts(str_or_empty(reply->content_type), "text/plain"))
        for (; n < reply->body_len && n < SNIPPET_MAX; n++) {
            char c = reply->body[n];
            out[n] = ' ';
            if (c >= 0x20 && c < 0x7f)
                out[n] = c;
        }
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
    return out;
}

/* A reply that is not 2xx: what the server says in its body, else its number alone. */
static enum plan_outcome take_refusal(struct fetch *f, const struct http_reply *reply) {
    struct promjson_answer a;
    char text[SNIPPET_MAX + 1];

    promjson_feed(f->reader, reply->body ? reply->body : "", reply->body_len, NULL);
    promjson_finish(f->reader, &a);
    const char *said = a.said_error ? a.message : snippet(reply, text);
    cleanup_free char *message =
        xasprintf("%s answered %d%s%s", f->source->endpoint.label, reply->status, *said ? ": " : "", said);
    keep_failure(f, message);
    return reply->status >= 500 && !a.said_error ? PLAN_SOURCE_FAILED : PLAN_QUERY_FAILED;
}

static enum plan_outcome take_answer(struct fetch *f) {
    struct promjson_answer a;

    promjson_finish(f->reader, &a);
    keep_answer(f, &a);
    if (a.quality != QUALITY_FAILED)
        return PLAN_ANSWERED;
    cleanup_free char *message = xasprintf("%s: %s", f->source->endpoint.label, a.message);
    replace(&f->message, message);
    /* A question that was understood is asked again at its own pace: its answer may change any time. */
    return a.malformed || a.said_error ? PLAN_QUERY_FAILED : PLAN_ANSWERED;
}

/* Why no reply came. What differs from try to try (curl tells the milliseconds) is left out: the status shows
 * this text, and must not change while nothing does. */
static char *silence(const struct prom_endpoint *e, const struct err *err) {
    char limit[CLOCK_TEXT_MAX];

    switch (err->code) {
    case -ECONNREFUSED:
        return xasprintf("%s: connection refused", e->label);
    case -ECONNRESET:
        return xasprintf("%s: the connection broke before the answer was whole", e->label);
    case -ETIMEDOUT:
        return xasprintf("%s: no answer within %s", e->label, clock_format_duration(e->timeout, limit));
    default:
        return xasprintf("%s: %s", e->label, err_text(err));
    }
}

static enum plan_outcome take_reply(struct fetch *f, const struct http_reply *reply) {
    if (f->refused || (reply->status >= 200 && reply->status < 300))
        return take_answer(f);
    if (reply->status)
        return take_refusal(f, reply);
    cleanup_free char *message = silence(&f->source->endpoint, &reply->err);
    keep_failure(f, message);
    return reply->err.code == -E2BIG ? PLAN_QUERY_FAILED : PLAN_SOURCE_FAILED;
}

/* Some servers and proxies take GET only; once seen, all later queries use it. */
static bool falls_back_to_get(struct fetch *f, const struct http_reply *reply) {
    struct prom_endpoint *e = &f->source->endpoint;

    if (!f->posted || (reply->status != 405 && reply->status != 501))
        return false;
    if (!e->use_get)
        log_info(NULL, "%s answered %d to POST: using GET", e->label, reply->status);
    e->use_get = true;
    return true;
}

static void on_done(void *arg, const struct http_reply *reply) {
    struct fetch *f = arg;
    enum plan_outcome outcome;

    f->call = NULL;
    if (falls_back_to_get(f, reply)) {
        promjson_free(steal_ptr(&f->reader));
        plan_again(&f->source->plan, &f->planned, loop_now(f->source->loop));
        arm(f->source);
        return;
    }
    outcome = take_reply(f, reply);
    promjson_free(steal_ptr(&f->reader));
    finish(f, outcome, reply->retry_after);
}

static int on_body(void *arg, const char *data, size_t len, struct err *err) {
    struct fetch *f = arg;
    int ret = promjson_feed(f->reader, data, len, err);

    f->refused |= ret < 0;
    return ret;
}

static void start(struct fetch *f) {
    struct prometheus *s = f->source;
    cleanup_prom_request struct prom_request request;
    struct err err = {0};

    s->stats.queries++;
    if (prom_request_init(&request, &s->endpoint, "/api/v1/query", f->form, &err) < 0) {
        cleanup_free char *message = xasprintf("%s: %s", s->endpoint.label, err_text(&err));
        keep_failure(f, message);
        finish(f, PLAN_NOT_ASKED, 0);
        return;
    }
    request.http.on_body = on_body;
    request.http.on_done = on_done;
    request.http.arg = f;
    f->refused = false;
    f->posted = !s->endpoint.use_get;
    f->reader = promjson_new(f->combine, s->endpoint.max_response);
    f->call = http_start(s->http, &request.http);
}

static void on_timer(void *arg) {
    struct prometheus *s = arg;
    usec_t now = loop_now(s->loop);
    struct plan_query *q;

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

static struct fetch *fetch_of(struct prometheus *s, const struct metric_spec *metric, usec_t interval) {
    cleanup_free char *key = xasprintf("%d %s", (int)metric->combine, metric->query);
    struct fetch *f = map_get(&s->fetches, key);

    if (f)
        return f;
    f = XNEW(struct fetch);
    f->source = s;
    f->combine = metric->combine;
    f->key = steal_ptr(&key);
    f->form = prom_form(&s->endpoint, metric->query);
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
    if (f)
        subscribers_remove(&f->users, &sub->head);
    staleness_done(&sub->staleness);
    free(sub);
    if (f && !f->users.first)
        fetch_drop(f);
    else if (f)
        pace(f);
}

static void read_sample(struct metric_source *source, const struct metric_subscription *subscription,
                        usec_t now, struct sample *ret_sample) {
    /* The text of STALE belongs to the subscription and is not part of what the caller sees as constant. */
    struct metric_subscription *sub = (struct metric_subscription *)(uintptr_t)subscription;
    const struct fetch *f = sub->fetch;

    (void)source;
    if (!f) {
        *ret_sample = (struct sample){.quality = QUALITY_FAILED, .message = sub->why, .warning = ""};
        return;
    }
    *ret_sample = (struct sample){.quality = f->quality,
                                  .value = f->value,
                                  .milli = promjson_milli(f->value),
                                  .at = f->at,
                                  .message = f->message,
                                  .warning = f->warning};
    staleness_apply(&sub->staleness, now, ret_sample);
}

int prometheus_new(struct loop *loop, struct http *http, const struct prometheus_options *options,
                   struct metric_source **ret_source, struct err *err) {
    static const struct metric_source_ops ops = {
        .name = "Prometheus", .subscribe = subscribe, .unsubscribe = unsubscribe, .read = read_sample};
    struct prometheus *s = XNEW(struct prometheus);
    int ret = prom_endpoint_init(&s->endpoint, options, err);

    if (ret < 0) {
        free(s);
        return ret;
    }
    s->head.ops = &ops;
    s->loop = loop;
    s->http = http;
    s->interval = options->interval > 0 ? options->interval : USEC_PER_SEC;
    s->timer = loop_timer_new(loop, on_timer, s);
    s->outage = xstrdup("");
    map_init(&s->fetches);
    plan_init(&s->plan, options->max_concurrent > 0 ? options->max_concurrent : 8, (uint64_t)clock_wall());
    *ret_source = &s->head;
    return 0;
}

void prometheus_free(struct metric_source *source) {
    struct prometheus *s = (struct prometheus *)source;

    if (!s)
        return;
    loop_timer_free(s->timer);
    plan_done(&s->plan);
    map_done(&s->fetches);
    prom_endpoint_done(&s->endpoint);
    free(s->outage);
    free(s);
}

void prometheus_stats(const struct metric_source *source, struct prometheus_stats *ret_stats) {
    const struct prometheus *s = (const struct prometheus *)source;

    *ret_stats = s->stats;
    ret_stats->distinct = (uint32_t)s->fetches.len;
    ret_stats->in_flight = (uint32_t)s->plan.in_flight;
}
