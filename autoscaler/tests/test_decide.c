/* Decisions of our own as data: pause, preview, qualities, several metrics, bounds, windows, zero; and the
 * status that is built from them. Times in a case are seconds before its now. */
#include "api/types/tests/cases.h"
#include "autoscaler/stages.h"
#include "autoscaler/status.h"
#include "autoscaler/tests/record_checks.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct world {
    const json_t *in;
    struct arena arena, status_arena;
    struct policy_spec spec;
    struct policy_status status;
    struct decide_flags flags;
    struct history history;
    struct sample samples[8];
    struct tz *zones[8];
    struct decide_input input;
};

static const char *text(const json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "";
}

static int32_t number(const json_t *object, const char *key, int32_t otherwise) {
    const json_t *value = json_object_get(object, key);

    return json_is_integer(value) ? (int32_t)json_integer_value(value) : otherwise;
}

static usec_t seconds(const json_t *value) {
    return (usec_t)(json_number_value(value) * (double)USEC_PER_SEC);
}

/* [[value, seconds ago], …] */
static void read_list(const json_t *list, usec_t now, struct history_list *ret) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        history_put(ret, -1,
                    (struct history_entry){.value = (int32_t)json_integer_value(json_array_get(item, 0)),
                                           .at = now - seconds(json_array_get(item, 1))});
    }
}

static void read_history(struct world *w) {
    const json_t *h = json_object_get(w->in, "history");

    w->history.has_recommendations = json_object_get(h, "recommendations") != NULL;
    read_list(json_object_get(h, "recommendations"), w->input.now, &w->history.recommendations);
    read_list(json_object_get(h, "ups"), w->input.now, &w->history.up_events);
    read_list(json_object_get(h, "downs"), w->input.now, &w->history.down_events);
}

static enum quality quality_of(const char *name) {
    for (int q = QUALITY_PENDING; q <= QUALITY_FAILED; q++)
        if (strcmp(quality_name((enum quality)q), name) == 0)
            return (enum quality)q;
    fail_msg("unknown quality \"%s\"", name);
    return QUALITY_FAILED;
}

static void read_samples(struct world *w) {
    const json_t *list = json_object_get(w->in, "samples");

    assert_true(w->spec.metric_count <= 8);
    for (size_t i = 0; i < w->spec.metric_count; i++) {
        const json_t *item = json_array_get(list, i);
        struct sample *s = &w->samples[i];
        if (json_is_number(item)) {
            double value = json_number_value(item);
            *s = (struct sample){.quality = value == 0 ? QUALITY_ZERO : QUALITY_VALUE,
                                 .value = value,
                                 .at = w->input.now - USEC_PER_SEC};
        } else {
            *s = (struct sample){.quality = quality_of(text(item, "quality")),
                                 .value = json_number_value(json_object_get(item, "value")),
                                 .at = w->input.now - seconds(json_object_get(item, "age"))};
        }
        if (json_is_true(json_object_get(item, "infinite")))
            s->value = INFINITY;
        s->milli = isfinite(s->value) ? (int64_t)(s->value * 1000) : INT64_MAX;
        s->message = text(item, "message");
        s->warning = text(item, "warning");
    }
}

static void read_scale(struct world *w) {
    const json_t *scale = json_object_get(w->in, "scale");
    struct scale_view *v = &w->input.scale;

    v->known = !json_object_get(scale, "error");
    v->error = json_string_value(json_object_get(scale, "error"));
    v->spec_replicas = number(scale, "replicas", 0);
    v->status_replicas = number(scale, "statusReplicas", v->spec_replicas);
    v->selector = json_object_get(scale, "selector") ? text(scale, "selector") : "app=web";
    w->input.pods = (uint32_t)number(w->in, "pods", v->spec_replicas);
    w->input.ready_pods = (uint32_t)number(w->in, "readyPods", (int32_t)w->input.pods);
    w->input.selector_error = json_string_value(json_object_get(w->in, "selectorError"));
}

static void read_zones(struct world *w) {
    struct err err;

    assert_true(w->spec.schedule_count <= 8);
    for (uint32_t i = 0; i < w->spec.schedule_count; i++)
        if (tz_load(w->spec.schedules[i].time_zone, &w->zones[i], &err) < 0)
            fail_msg("%s", err.text);
    w->input.zones = (const struct tz *const *)w->zones;
}

static void world_init(struct world *w, const json_t *in) {
    struct err err = {0};

    *w = (struct world){.in = in};
    arena_init(&w->arena, 0);
    if (policy_read_spec(json_object_get(in, "spec"), &w->arena, &w->spec, &err) < 0)
        fail_msg("%s", err.text);
    arena_init(&w->status_arena, 0);
    policy_read_status(json_object_get(in, "status"), &w->status_arena, &w->status);
    w->flags = (struct decide_flags){.tolerance = 0.1, .downscale_stabilization = 5 * USEC_PER_MIN};
    w->input = (struct decide_input){
        .spec = &w->spec, .status = &w->status, .samples = w->samples, .flags = &w->flags};
    w->flags.hpa = json_is_true(json_object_get(in, "hpa"));
    const char *now = json_object_get(in, "now") ? text(in, "now") : "2026-01-01T00:00:00Z";
    assert_int_equal(clock_parse(now, &w->input.now), 0);
    w->input.conflict = json_string_value(json_object_get(in, "conflict"));
    w->input.ambiguous = json_string_value(json_object_get(in, "ambiguous"));
    read_zones(w);
    read_scale(w);
    read_samples(w);
    read_history(w);
}

static void world_done(struct world *w) {
    for (size_t i = 0; i < w->spec.schedule_count; i++)
        tz_free(w->zones[i]);
    history_done(&w->history);
    arena_done(&w->status_arena);
    arena_done(&w->arena);
}

/* While a write is under way the status that the decision started from is replaced; the decision must not
 * look at it any more. */
static void replace_status(struct world *w) {
    arena_done(&w->status_arena);
    arena_init(&w->status_arena, 0);
    policy_read_status(json_object_get(w->in, "status"), &w->status_arena, &w->status);
}

static json_t *conditions_json(const struct decision *d) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < d->condition_count; i++)
        json_array_append_new(list, json_sprintf("%s=%s %s", d->conditions[i].type, d->conditions[i].status,
                                                 d->conditions[i].reason));
    return list;
}

static json_t *events_json(const struct decision *d) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < d->event_count; i++)
        json_array_append_new(list, json_sprintf("%s %s: %s", d->events[i].warning ? "Warning" : "Normal",
                                                 d->events[i].reason, d->events[i].message));
    return list;
}

static json_t *recommendations_json(const struct history *h) {
    json_t *list = json_array();

    for (uint32_t i = 0; i < h->recommendations.count; i++)
        json_array_append_new(list, json_integer(h->recommendations.items[i].value));
    return list;
}

/* The record as `explain` shows it, line by line. */
static json_t *record_lines(struct world *w, const struct decision *d) {
    json_t *list = json_array();
    struct buf out;

    assert_record_kept(&w->input, d);
    buf_init(&out, 1 << 20);
    record_print(record_of(&w->input, d, &w->arena), "default/web", 0, &out);
    for (char *line = out.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        json_array_append_new(list, json_stringn(line, (size_t)(end - line)));
    buf_done(&out);
    return list;
}

static json_t *outcome(struct world *w, const struct decision *d) {
    json_t *o =
        json_pack("{s:i, s:i, s:b, s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:b}", "current", d->current, "desired",
                  d->desired, "rescale", d->rescale, "preview", d->preview, "reason",
                  decision_reason_name(d->reason), "limitedBy", d->limited_by, "metric", d->metric, "message",
                  d->message, "targets", d->targets, "ready", d->ready, "failed", d->failed);

    json_object_set_new(o, "conditions", conditions_json(d));
    json_object_set_new(o, "events", events_json(d));
    json_object_set_new(o, "recommendations", recommendations_json(&w->history));
    json_object_set_new(o, "record", record_lines(w, d));
    if (d->look_again)
        json_object_set_new(o, "lookAgain", json_real((double)(d->look_again - w->input.now) / USEC_PER_SEC));
    json_object_set_new(o, "status", status_build(&w->input, d, 7, d->rescale ? w->input.now : 0));
    return o;
}

/* Decides, writes where the case says so ("written": true, or the error), and gives back what came of it. */
static json_t *play(const json_t *in) {
    const json_t *written = json_object_get(in, "written");
    struct world w;
    struct decision d;
    json_t *out;

    world_init(&w, in);
    decide(&w.input, &w.history, &w.arena, &d);
    replace_status(&w);
    if (written)
        decision_written(&d, &w.input, json_is_true(written), json_string_value(written), &w.arena);
    out = outcome(&w, &d);
    world_done(&w);
    return out;
}

static void check(const struct test_case *c) {
    json_t *out = play(c->in), *again = play(c->in);

    assert_json_has(c->want, out);
    assert_true(json_equal(out, again)); /* same input, same output */
    json_decref(out);
    json_decref(again);
}

int main(void) {
    return cases_run_dir("decide", TEST_DATA_DIR "/decide", check);
}
