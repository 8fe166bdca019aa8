/* Whether a person would see a difference between two statuses, and how pressing it is.
 *
 * Three questions, the cheapest first, since nearly every decision of a quiet cluster ends here: is the
 * digest still that of what is stored, has a value moved (status_moved), and only then, document against
 * document, what differs (status_compare). The digest must take in whatever status_compare takes for more
 * than a number: a field that is shown and forgotten here would be written late, or never. Fields are told
 * apart by name at any depth, so that a new one is STATUS_STATE until it is put into a list. */
#include "autoscaler/status.h"
#include <math.h>
#include <string.h>

static bool is_one_of(const char *key, const char *const *keys) {
    for (; *keys; keys++)
        if (strcmp(key, *keys) == 0)
            return true;
    return false;
}

/* Times that only say "now" (a condition's transition moves with its status). */
static bool is_time(const char *key) {
    static const char *const keys[] = {"sampleTime", "age", "time", "lastTransitionTime", NULL};
    return is_one_of(key, keys);
}

/* Where a metric's value is written out: sentences and the words of conditions repeat it. */
static bool is_number(const char *key) {
    static const char *const keys[] = {"targets", "value", "message", "currentMetrics", "averageValue", NULL};
    return is_one_of(key, keys);
}

/* What else changes with the load alone. */
static bool is_value(const char *key) {
    static const char *const keys[] = {"proposal", "metric", "warnings", "note", "heldUntil", NULL};
    return is_one_of(key, keys);
}

static enum status_difference compare(const json_t *a, const json_t *b);

static enum status_difference larger(enum status_difference a, enum status_difference b) {
    return a > b ? a : b;
}

static enum status_difference compare_member(const char *key, const json_t *a, const json_t *b) {
    if (is_time(key))
        return STATUS_SAME;
    if (is_number(key))
        return json_equal(a, b) ? STATUS_SAME : STATUS_NUMBERS;
    if (is_value(key))
        return json_equal(a, b) ? STATUS_SAME : STATUS_VALUES;
    return compare(a, b);
}

/* A condition whose message is the news: who else scales the target, and how far a take-over is. */
static bool is_told_by_message(const json_t *condition) {
    return str_eq(json_string_value(json_object_get(condition, "type")), "Conflict");
}

static enum status_difference compare_objects(const json_t *a, const json_t *b) {
    enum status_difference worst = STATUS_SAME;
    const char *key;
    json_t *value;

    if (is_told_by_message(b) && !json_equal(json_object_get(a, "message"), json_object_get(b, "message")))
        return STATUS_STATE;
    json_object_foreach((json_t *)(uintptr_t)b, key, value) worst =
        larger(worst, compare_member(key, json_object_get(a, key), value));
    json_object_foreach((json_t *)(uintptr_t)a, key, value) {
        /* What is gone is a difference as well; what is in both was looked at above. */
        if (!json_object_get(b, key))
            worst = larger(worst, compare_member(key, value, NULL));
    }
    return worst;
}

static enum status_difference compare(const json_t *a, const json_t *b) {
    enum status_difference worst = STATUS_SAME;

    if (json_is_object(a) && json_is_object(b))
        return compare_objects(a, b);
    if (!json_is_array(a) || !json_is_array(b))
        return json_equal(a, b) ? STATUS_SAME : STATUS_STATE;
    /* Conditions and metrics keep their order, so that entries are compared in pairs. */
    if (json_array_size(a) != json_array_size(b))
        return STATUS_STATE;
    for (size_t i = 0; i < json_array_size(b); i++)
        worst = larger(worst, compare(json_array_get(a, i), json_array_get(b, i)));
    return worst;
}

enum status_difference status_compare(const json_t *stored, const json_t *wanted) {
    return stored ? compare(stored, wanted) : STATUS_STATE;
}

/* In thousandths: a percentage is shown as one. */
static int64_t shown_value(const struct proposal *p) {
    return p->utilization >= 0 ? (int64_t)p->utilization * 1000 : p->current_milli;
}

static double shown_target(const struct metric_target *target) {
    return target->type == TARGET_UTILIZATION ? (double)target->utilization * 1000 : (double)target->milli;
}

void status_shown(const struct decision *decision, int64_t *ret_shown) {
    for (uint32_t i = 0; i < decision->proposal_count; i++)
        ret_shown[i] = shown_value(&decision->proposals[i]);
}

bool status_moved(const int64_t *shown, const struct decide_input *input, const struct decision *decision) {
    for (uint32_t i = 0; i < decision->proposal_count; i++) {
        const struct proposal *p = &decision->proposals[i];
        /* Without a value there is nothing to measure: the documents are compared. */
        if (!shown || !p->valid || !p->has_current)
            return true;
        double moved = fabs((double)shown_value(p) - (double)shown[i]);
        if (moved > shown_target(&input->spec->metrics[i].target) / 100)
            return true;
    }
    return false;
}

/* FNV-1a over what is shown; texts with their end, so that "ab","c" is not "a","bc". */
static void add_bytes(uint64_t *digest, const void *data, size_t len) {
    const unsigned char *p = data;

    for (size_t i = 0; i < len; i++)
        *digest = (*digest ^ p[i]) * UINT64_C(1099511628211);
}

static void add_text(uint64_t *digest, const char *text) {
    add_bytes(digest, text ? text : "", text ? strlen(text) + 1 : 1);
}

static void add_number(uint64_t *digest, int64_t number) {
    add_bytes(digest, &number, sizeof(number));
}

static void add_metric(uint64_t *digest, const struct sample *s, const struct proposal *p) {
    add_number(digest, p->quality);
    add_number(digest, p->valid ? p->replicas : -1);
    add_text(digest, p->valid ? NULL : p->failure);
    add_text(digest, p->label);
    add_text(digest, s->warning);
    add_text(digest, s->origin);
    add_text(digest, p->note);
}

static void add_conditions(uint64_t *digest, const struct decision *d) {
    for (uint32_t i = 0; i < d->condition_count; i++) {
        add_text(digest, d->conditions[i].type);
        add_text(digest, d->conditions[i].status);
        add_text(digest, d->conditions[i].reason);
        if (strcmp(d->conditions[i].type, "Conflict") == 0)
            add_text(digest, d->conditions[i].message);
    }
}

uint64_t status_digest(const struct decide_input *input, const struct decision *decision, int64_t generation,
                       usec_t last_scale_time) {
    const int64_t numbers[] = {generation,
                               last_scale_time,
                               decision->current,
                               decision->desired,
                               decision->preview,
                               decision->keep_desired_status,
                               decision->reason,
                               decision->steps.stabilized.window ? decision->steps.stabilized.changes_at : 0,
                               input->scale.known,
                               decision->metrics_read,
                               decision->proposal_count};
    uint64_t digest = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        add_number(&digest, numbers[i]);
    add_text(&digest, input->scale.known ? input->scale.selector : input->scale.error);
    add_text(&digest, input->selector_error);
    add_text(&digest, decision->limited_by);
    add_text(&digest, decision->metric);
    add_text(&digest, decision->steps.scheduled.names);
    for (uint32_t i = 0; i < decision->proposal_count; i++)
        add_metric(&digest, &input->samples[i], &decision->proposals[i]);
    add_conditions(&digest, decision);
    /* 0 is the entry's "not known". */
    return digest ? digest : 1;
}
