/* How each server is doing, and its status: written when a person would read something new, not oftener than
 * every 15 s. The only file that writes statuses of sources.
 *
 * Each second a server is looked at: is it asked by anyone, what would its status be, and does that say
 * another thing than the one stored. What is compared is what a person reads: latency, rate and the time of
 * the last success change with every query, and would write for ever. */
#include "adapter/sources_internal.h"

#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const usec_t WRITE_EVERY = 15 * USEC_PER_SEC;
/* lastSuccessTime moves in steps of this while all is well, and latency and queries a second with it. */
static const usec_t SUCCESS_STEP = USEC_PER_MIN;
/* A server that nobody asks is asked by us: rarely while it answers. */
static const usec_t PROBE_IDLE = 5 * USEC_PER_MIN, PROBE_DOWN = 30 * USEC_PER_SEC;
/* One lost answer is not yet news. */
static const usec_t PATIENCE = 10 * USEC_PER_SEC;

/* ---- asking ---- */

/* The beginning alone tells JSON from a login page; what the answer is does not matter. */
static int on_probe_body(void *arg, const char *data, size_t len, struct err *err) {
    struct server_watch *w = arg;

    if (len && !w->probe_begun && data[0] != '{')
        return err_set(err, -EBADMSG, "the answer is not JSON");
    w->probe_begun |= len > 0;
    return 0;
}

static void on_probe_done(void *arg, const struct err *err) {
    struct server_watch *w = arg;

    (void)err; /* the client's figures have it */
    w->probe = NULL;
}

/* Whether a question of ours is due: nobody else has asked for a while. */
static bool probe_due(struct server_watch *w, const struct promclient_stats *stats, usec_t now) {
    if (stats->requests != w->requests) {
        w->requests = stats->requests;
        w->asked = now;
        return false;
    }
    return !w->probe && (!w->asked || now - w->asked >= (stats->last_code ? PROBE_DOWN : PROBE_IDLE));
}

static void probe(struct server *server) {
    struct server_watch *w = &server->watch;

    w->probe_begun = false;
    w->probe = promclient_start(server->client, &(struct promclient_request){.path = "/api/v1/query",
                                                                             .form = "query=1",
                                                                             .on_body = on_probe_body,
                                                                             .on_done = on_probe_done,
                                                                             .arg = w});
}

/* ---- health ---- */

struct health {
    const char *status, *reason, *message;
};

/* False: nothing can be said at the moment that would last: its object or Secrets are being read, one answer
 * was lost, or none has come yet. */
static bool health_of(const struct server *server, const struct promclient_stats *stats,
                      struct health *ret_health) {
    if (!server->client) {
        *ret_health = (struct health){"False", server->reason, err_text(&server->why)};
        return server->why.code != -EAGAIN;
    }
    if (stats->last_code) {
        *ret_health = (struct health){"False", stats->last_code == -EINVAL ? "Refused" : "Unreachable",
                                      stats->last_error};
        return !stats->last_success || clock_wall() - stats->last_success > PATIENCE;
    }
    *ret_health = (struct health){"True", "Answers", "the server answers"};
    return stats->last_success != 0;
}

/* ---- the status ---- */

static const json_t *condition_of(const json_t *status) {
    return json_array_get(json_object_get(status, "conditions"), 0);
}

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static bool same_text(const json_t *a, const json_t *b, const char *key) {
    return str_eq(text_of(a, key), text_of(b, key));
}

static bool same_number(const json_t *a, const json_t *b, const char *key) {
    return json_integer_value(json_object_get(a, key)) == json_integer_value(json_object_get(b, key));
}

static usec_t time_of(const json_t *status, const char *key) {
    const char *text = text_of(status, key);
    usec_t t = 0;

    return text && clock_parse(text, &t) == 0 ? t : 0;
}

/* What a person would read is another one; that all goes on well is not, but for a step of the time. */
static bool worth_writing(const json_t *stored, const json_t *wanted) {
    const json_t *was = condition_of(stored), *is = condition_of(wanted);

    return !same_text(was, is, "status") || !same_text(was, is, "reason") || !same_text(was, is, "message") ||
           !same_text(stored, wanted, "lastError") || !same_number(stored, wanted, "policies") ||
           !same_number(stored, wanted, "observedGeneration") ||
           time_of(wanted, "lastSuccessTime") - time_of(stored, "lastSuccessTime") >= SUCCESS_STEP;
}

/* lastTransitionTime moves with the status alone, not with reason or message (Kubernetes' API conventions).
 */
static json_t *condition_json(const struct server *server, const struct health *health) {
    const json_t *was = condition_of(server->watch.stored);
    const char *since = text_of(was, "lastTransitionTime");
    char now[CLOCK_TEXT_MAX];

    if (!since || !str_eq(text_of(was, "status"), health->status))
        since = clock_format(clock_wall(), now);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s}", "type", "Ready", "status", health->status, "reason",
                     health->reason, "message", health->message, "observedGeneration",
                     (json_int_t)server->object->meta.generation, "lastTransitionTime", since);
}

static double per_second(const struct server_watch *w, uint64_t requests, usec_t now) {
    double seconds = (double)(now - w->since) / (double)USEC_PER_SEC;

    return seconds > 0 ? (double)(requests - w->since_requests) / seconds : 0;
}

/* null takes a field away: it is a merge patch. */
static json_t *status_json(struct server *server, const struct promclient_stats *stats,
                           const struct health *health) {
    usec_t now = loop_now(server->sources->world.loop);
    usec_t latency = stats->last_latency < USEC_PER_MSEC ? USEC_PER_MSEC : stats->last_latency;
    char success[CLOCK_TEXT_MAX], took[CLOCK_TEXT_MAX], rate[32];

    snprintf(rate, sizeof(rate), "%.1f", per_second(&server->watch, stats->requests, now));
    json_t *status =
        json_pack("{s:I, s:i, s:s, s:[o]}", "observedGeneration", (json_int_t)server->object->meta.generation,
                  "policies", (int)server_policies(server), "queriesPerSecond", rate, "conditions",
                  condition_json(server, health));
    json_object_set_new(status, "lastError",
                        health->status[0] == 'F' ? json_string(health->message) : json_null());
    if (stats->last_success) {
        clock_format(stats->last_success, success);
        json_object_set_new(status, "lastSuccessTime", json_string(success));
        json_object_set_new(status, "latency", json_string(clock_format_duration(latency, took)));
    }
    return status;
}

/* ---- writing ---- */

static void on_written(void *arg, const struct kube_reply *reply) {
    struct server *server = arg;
    struct server_watch *w = &server->watch;
    json_t *sent = w->sent;

    /* Failed, the next tick that may write finds that the same is still to be said. */
    w->call = NULL;
    w->sent = NULL;
    if (reply->err.code == 0) {
        json_decref(w->stored);
        w->stored = json_incref(sent);
    } else if (reply->status != 404) { /* deleted: the watch will say so */
        log_warn(server->title, "writing its status: %s", err_text(&reply->err));
    }
    json_decref(sent);
}

static void write_status(struct server *server, json_t *status, uint64_t requests) {
    const struct object *o = &server->object->meta;
    struct server_watch *w = &server->watch;
    cleanup_free char *path =
        o->ns[0] ? xasprintf("/apis/autoscaling.trimtab.dev/v1/namespaces/%s/metricsources/%s/status", o->ns,
                             o->name)
                 : xasprintf("/apis/autoscaling.trimtab.dev/v1/clustermetricsources/%s/status", o->name);
    /* The uid keeps the status of a deleted one from landing on a new one of the same name. */
    json_t *body = json_pack("{s:{s:s}, s:O}", "metadata", "uid", o->uid, "status", status);

    w->written = w->since = loop_now(server->sources->world.loop);
    w->since_requests = requests;
    w->sent = json_incref(status);
    w->call = kube_start(
        server->sources->world.kube,
        &(struct kube_request){
            .verb = KUBE_MERGE_PATCH, .path = path, .body = body, .on_done = on_written, .arg = server});
    json_decref(body);
}

static void consider_status(struct server *server, const struct promclient_stats *stats, usec_t now) {
    struct server_watch *w = &server->watch;
    struct health health;

    if (w->call || (w->written && now - w->written < WRITE_EVERY) || !health_of(server, stats, &health))
        return;
    json_t *status = status_json(server, stats, &health);
    if (worth_writing(w->stored, status))
        write_status(server, status, stats->requests);
    json_decref(status);
}

void server_watch_tick(struct server *server) {
    usec_t now = loop_now(server->sources->world.loop);
    struct promclient_stats stats;

    server_stats(server, &stats);
    if (!server->watch.since)
        server->watch.since = now;
    if (server->client && probe_due(&server->watch, &stats, now))
        probe(server);
    if (server->sources->world.write_status)
        consider_status(server, &stats, now);
}

void server_watch_done(struct server *server) {
    struct server_watch *w = &server->watch;

    promclient_cancel(w->probe);
    kube_cancel(w->call);
    json_decref(w->sent);
    json_decref(w->stored);
}
