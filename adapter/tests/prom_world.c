/* The simulated Prometheus and its subscribers. */
#include "adapter/tests/prom_world.h"

#include "base/log.h"
#include "base/mem.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *vector(struct world *w, const char *elements) {
    static char out[1024];

    (void)w;
    snprintf(out, sizeof(out),
             "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[%s]},"
             "\"warnings\":[\"be careful\"]}",
             elements);
    return out;
}

static const char *element(struct world *w, const char *pod, double value) {
    static char out[2][160];
    static int turn;
    usec_t wall = WORLD_WALL + loop_now(w->loop);

    turn = !turn;
    snprintf(out[turn], sizeof(out[turn]),
             "{\"metric\":{\"pod\":\"%s\"},\"value\":[%" PRId64 ".%06d,\"%g\"]}", pod, wall / USEC_PER_SEC,
             (int)(wall % USEC_PER_SEC), value);
    return out[turn];
}

/* "two", "none", "bad", "garbage" say what to answer; anything else gives the present value. */
static const char *body_of(struct world *w, const char *form, int *ret_status) {
    char elements[400];

    *ret_status = 200;
    if (strstr(form, "query=none"))
        return vector(w, "");
    if (strstr(form, "query=garbage"))
        return "<html>Sign in";
    if (strstr(form, "query=two")) {
        snprintf(elements, sizeof(elements), "%s,%s", element(w, "a", w->value), element(w, "b", 2));
        return vector(w, elements);
    }
    if (strstr(form, "query=bad")) {
        *ret_status = 422;
        return "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"1:5: parse error\"}";
    }
    return vector(w, element(w, "a", w->value));
}

static void serve(void *arg, const struct http_request *request, struct fake_reply *ret_reply) {
    struct world *w = arg;
    const char *form = request->body ? request->body : request->url;

    if (w->always) {
        *ret_reply = *w->always;
    } else if (w->get_only && strcmp(request->method, "POST") == 0) {
        ret_reply->status = 405;
    } else {
        static char bodies[64][1024]; /* more than can be under way at once */
        static int turn;
        turn = (turn + 1) % 64;
        snprintf(bodies[turn], sizeof(bodies[turn]), "%s", body_of(w, form, &ret_reply->status));
        ret_reply->body = bodies[turn];
        ret_reply->content_type = "application/json";
    }
}

struct world *world_new(const struct prometheus_options *options) {
    struct world *w = XNEW(struct world);
    struct prometheus_options o = options ? *options : (struct prometheus_options){0};
    struct err err = {0};

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    o.url = o.url ? o.url : "http://prom:9090";
    w->value = 5;
    w->loop = fake_loop_new();
    fake_http_init(&w->http, w->loop, serve, w);
    if (promclient_new(w->loop, &w->http.head, &o, &w->client, &err) < 0)
        fail_msg("%s", err.text);
    w->source = prometheus_new(w->loop, w->client, o.interval);
    return w;
}

void world_free(struct world *w) {
    struct promclient_stats stats;

    for (int i = 0; i < w->count; i++)
        world_leave(&w->followers[i]);
    promclient_stats(w->client, &stats);
    assert_int_equal(prometheus_distinct(w->source), 0);
    assert_int_equal(stats.in_flight, 0);
    assert_int_equal(w->http.in_flight, 0);
    prometheus_free(w->source);
    promclient_free(w->client);
    fake_loop_free(w->loop);
    free(w);
}

void world_run(struct world *w, usec_t duration) {
    fake_loop_run(w->loop, duration);
}

static void told(void *arg) {
    struct follower *f = arg;

    assert_false(f->in_call);
    f->told++;
    if (f->when_told)
        f->when_told(f);
}

struct follower *world_follow_metric(struct world *w, const struct metric_spec *metric, usec_t interval) {
    assert_true(w->count < FOLLOWERS_MAX);
    struct follower *f = &w->followers[w->count++];

    *f = (struct follower){.world = w, .metric = *metric, .in_call = true};
    const struct metric_request request = {.metric = &f->metric, .ns = "default", .interval = interval};
    f->sub = w->source->ops->subscribe(w->source, &request, told, f);
    f->in_call = false;
    return f;
}

struct follower *world_follow(struct world *w, const char *query, enum combine combine, usec_t interval) {
    /* The source copies what it keeps: this text is gone when it asks. */
    char *text = xstrdup(query);
    struct metric_spec metric = {.type = METRIC_PROMETHEUS, .query = text, .combine = combine};
    struct follower *f = world_follow_metric(w, &metric, interval);

    free(text);
    f->metric.query = NULL;
    snprintf(f->query, sizeof(f->query), "%s", query);
    return f;
}

void world_leave(struct follower *f) {
    if (f->sub)
        f->world->source->ops->unsubscribe(f->world->source, f->sub);
    f->sub = NULL;
}

struct sample world_read(const struct follower *f) {
    struct sample sample;

    f->world->source->ops->read(f->world->source, f->sub, WORLD_WALL + loop_now(f->world->loop), &sample);
    return sample;
}

void world_expect(const struct follower *f, enum quality quality, double value, const char *message) {
    struct sample s = world_read(f);

    if (s.quality != quality || s.value != value || strcmp(s.message, message) != 0)
        fail_msg("%s: %s %g \"%s\", expected %s %g \"%s\"", f->query, quality_name(s.quality), s.value,
                 s.message, quality_name(quality), value, message);
}
