/* What a policy's own status says, for when the operator itself cannot be asked: the last decision's sentence
 * and what it was made of, without the steps. */
#include "operator/explain.h"

#include "base/str.h"

/* A status is whatever somebody stored: a field that is missing or of another type reads as "". */
static const char *text(const json_t *object, const char *key) {
    return str_or_empty(json_string_value(json_object_get(object, key)));
}

/* " (12s ago)", or "" where the text is no time of the past. */
static void put_age(struct buf *out, const char *time, usec_t now) {
    char age[CLOCK_TEXT_MAX];
    usec_t at;

    if (clock_parse(time, &at) == 0 && at <= now)
        buf_printf(out, " (%s ago)", clock_format_duration(now - at, age));
}

static void put_head(const json_t *status, const json_t *decision, const char *title, usec_t now,
                     struct buf *out) {
    buf_printf(out, "%s  %s%s", title, text(status, "reference"), *text(status, "reference") ? "  " : "");
    if (!decision) {
        buf_puts(out, "nothing has been decided yet\n");
        return;
    }
    json_int_t replicas = json_integer_value(json_object_get(decision, "replicas"));
    buf_printf(out, "%" JSON_INTEGER_FORMAT " replica%s at %s", replicas, replicas == 1 ? "" : "s",
               text(decision, "time"));
    put_age(out, text(decision, "time"), now);
    if (*text(decision, "reason"))
        buf_printf(out, ": %s", text(decision, "reason"));
    if (*text(decision, "limitedBy"))
        buf_printf(out, ", limited by %s", text(decision, "limitedBy"));
    buf_puts(out, "\n");
}

/* As much of the record's line as the status has, in the same order: whoever knows the one can read the
 * other.
 */
static void put_metric(const json_t *m, usec_t now, struct buf *out) {
    const json_t *proposal = json_object_get(m, "proposal");

    buf_printf(out, "  %-10s  %-10s  %s", text(m, "name"), text(m, "type"), text(m, "quality"));
    if (*text(m, "value"))
        buf_printf(out, " %s", text(m, "value"));
    put_age(out, text(m, "sampleTime"), now);
    if (proposal)
        buf_printf(out, ", asks for %" JSON_INTEGER_FORMAT, json_integer_value(proposal));
    if (*text(m, "message"))
        buf_printf(out, ": %s", text(m, "message"));
    if (*text(m, "note"))
        buf_printf(out, "; %s", text(m, "note"));
    buf_puts(out, "\n");
}

static void put_condition(const json_t *c, struct buf *out) {
    buf_printf(out, "  %s=%s  %s: %s\n", text(c, "type"), text(c, "status"), text(c, "reason"),
               text(c, "message"));
}

void explain_status(const json_t *policy, const char *title, usec_t now, struct buf *out) {
    const json_t *status = json_object_get(policy, "status"), *item;
    const json_t *decision = json_object_get(status, "decision");
    size_t i;

    put_head(status, decision, title, now, out);
    json_array_foreach(json_object_get(status, "metrics"), i, item) put_metric(item, now, out);
    json_array_foreach(json_object_get(status, "conditions"), i, item) put_condition(item, out);
    if (*text(decision, "message"))
        buf_printf(out, "  because     %s\n", text(decision, "message"));
}
