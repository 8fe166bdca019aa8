/* A record in lines, one a stage, in columns that a person can run down with the eye.
 *
 * A head with the outcome, the metrics with what each asks for, the stages in their order, and the sentence
 * last: one reads from the measurement to the number. Widths are counted in characters and bounded, for a
 * query may be longer than a terminal. */
#include "autoscaler/record_fields.h"
#include "autoscaler/stages.h"
#include "base/str.h"
#include <inttypes.h>
#include <string.h>

enum { CELLS = 5, LABEL_WIDTH = 10, LABEL_WIDTH_MAX = 28, CELL_WIDTH_MAX = 64 };

/* A metric's line. */
struct line {
    const char *cells[CELLS]; /* label, type, value, sample, result */
    const char *note;
};

/* Characters of UTF-8, as a terminal counts them, more or less. */
static size_t width_of(const char *s) {
    size_t n = 0;

    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* printf's own width counts bytes. */
static void pad(struct buf *out, const char *text, size_t width) {
    size_t n = width_of(text);

    buf_printf(out, "%s%*s", text, n < width ? (int)(width - n) : 0, "");
}

/* ---- the cells of a metric ---- */

/* In the unit that the target is written in: against "512Mi", 500000000 reads as 476.8Mi. */
static const char *amount(int64_t milli, const char *like, struct arena *arena) {
    static const struct {
        const char *suffix;
        int64_t unit;
    } units[] = {{"Ki", INT64_C(1) << 10},
                 {"Mi", INT64_C(1) << 20},
                 {"Gi", INT64_C(1) << 30},
                 {"Ti", INT64_C(1) << 40}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (str_ends(like, units[i].suffix))
            return arena_printf(arena, "%s%s", record_number(milli / units[i].unit, arena), units[i].suffix);
    return record_number(milli, arena);
}

/* "139.2/100 a pod", "41%/80%" */
static const char *value_cell(const struct record_metric *m, struct arena *arena) {
    const char *target = amount(m->target_milli, m->target_text, arena);
    const char *current = m->has_current ? amount(m->current_milli, m->target_text, arena) : "<unknown>";
    const char *each = "";

    if (m->target_type == TARGET_UTILIZATION) {
        current = m->utilization >= 0 ? arena_printf(arena, "%" PRId32 "%%", m->utilization) : "<unknown>";
        target = arena_printf(arena, "%" PRId32 "%%", m->target_utilization);
    } else if (m->target_type == TARGET_AVERAGE_VALUE && m->has_current) {
        each = metric_of_pods(m->type) ? " a pod" : " a replica";
    }
    return arena_printf(arena, "%s/%s%s", current, target, each);
}

/* A value that is there needs no word. */
static const char *quality_word(enum quality quality) {
    static const char *const words[] = {
        [QUALITY_PENDING] = "pending", [QUALITY_VALUE] = "",       [QUALITY_ZERO] = "",
        [QUALITY_ABSENT] = "absent",   [QUALITY_STALE] = "stale ", [QUALITY_FAILED] = "failed",
    };
    return words[quality];
}

/* "sample 0.4 s old", "stale sample 5 min old", "failed" */
static const char *age_text(const struct record *r, const struct record_metric *m, struct arena *arena) {
    const char *word = quality_word(m->quality);
    bool value = m->quality == QUALITY_VALUE || m->quality == QUALITY_ZERO || m->quality == QUALITY_STALE;

    if (!m->at || !value)
        return word;
    return arena_printf(arena, "%ssample %s old", word,
                        record_duration(r->at > m->at ? r->at - m->at : 0, arena));
}

/* "10 of 10 pods, sample 0.4 s old, metrics.k8s.io" */
static const char *sample_cell(const struct record *r, const struct record_metric *m, struct arena *arena) {
    const char *parts[3] = {"", age_text(r, m, arena), m->origin}, *text = "";

    if (metric_of_pods(m->type) && m->pods > 0)
        parts[0] = arena_printf(arena, "%" PRIu32 " of %" PRIu32 " pods", m->counted_pods, m->pods);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (parts[i][0] != '\0')
            text = arena_printf(arena, "%s%s%s", text, text[0] ? ", " : "", parts[i]);
    return text;
}

/* How the number came about, or why there is none: the same column, for one of them is always there. */
static const char *result_cell(const struct record_metric *m, struct arena *arena) {
    if (m->ignored)
        return arena_printf(arena, "%s; does not count (whenMissing: Ignore)", m->failure);
    return m->valid ? m->arithmetic : m->failure;
}

static struct line line_of(const struct record *r, const struct record_metric *m, struct arena *arena) {
    return (struct line){
        .cells = {m->label, m->type == METRIC_UNKNOWN ? "?" : metric_type_name(m->type), value_cell(m, arena),
                  sample_cell(r, m, arena), result_cell(m, arena)},
        .note = m->note,
    };
}

/* ---- the lines ---- */

/* Cells that are wider than most do not push the columns of the others apart. */
static size_t widest(const struct line *lines, uint32_t count, int cell, size_t most) {
    size_t width = 0;

    for (uint32_t i = 0; i < count; i++) {
        size_t w = width_of(lines[i].cells[cell]);
        if (w <= most && w > width)
            width = w;
    }
    return width;
}

/* Told where it kept a metric's number as it is. */
static void print_tolerance(const struct record *r, size_t label, struct buf *out) {
    bool used = false;

    for (uint32_t i = 0; i < r->metric_count; i++)
        used |= r->metrics[i].valid && r->metrics[i].within;
    if (!used)
        return;
    buf_puts(out, "  ");
    pad(out, "tolerance", label);
    buf_printf(out, "  %g%% down, %g%% up\n", r->tolerance_down * 100, r->tolerance_up * 100);
}

/* Notes have a line of their own: they are sentences, and rare. */
static void print_metrics(const struct record *r, size_t label, struct arena *arena, struct buf *out) {
    struct line *lines = ARENA_ARRAY(arena, struct line, r->metric_count);
    size_t widths[CELLS] = {label};

    for (uint32_t i = 0; i < r->metric_count; i++)
        lines[i] = line_of(r, &r->metrics[i], arena);
    /* The label is as wide as the stages' below it; the last cell ends the line. */
    for (int cell = 1; cell < CELLS - 1; cell++)
        widths[cell] = widest(lines, r->metric_count, cell, CELL_WIDTH_MAX);
    for (uint32_t i = 0; i < r->metric_count; i++) {
        buf_puts(out, "  ");
        for (int cell = 0; cell < CELLS - 1; cell++) {
            pad(out, lines[i].cells[cell], widths[cell]);
            buf_puts(out, cell < 2 ? "  " : "   ");
        }
        buf_printf(out, "%s\n", lines[i].cells[CELLS - 1]);
        if (lines[i].note[0] != '\0')
            buf_printf(out, "  %*s  %s\n", (int)label, "", lines[i].note);
    }
    print_tolerance(r, label, out);
    if (r->metric_count < r->metric_total && r->metrics_read)
        buf_printf(out, "  %*s  and %" PRIu32 " more metrics that are not kept\n", (int)label, "",
                   r->metric_total - r->metric_count);
}

static void print_stages(const struct record *r, size_t label, struct arena *arena, struct buf *out) {
    struct record_stage stages[STAGE_COUNT];

    record_stages(r, arena, stages);
    for (int i = 0; i < STAGE_COUNT; i++) {
        if (!stages[i].name)
            continue;
        buf_puts(out, "  ");
        pad(out, stages[i].name, label);
        buf_printf(out, "  %s%s\n", stages[i].text, record_stage_changed(&stages[i]) ? "  <- changed" : "");
    }
}

/* "10 -> 14 replicas", and what of it was done. */
static void print_change(const struct record *r, struct buf *out) {
    if (r->current == r->desired) {
        buf_printf(out, "%" PRId32 " %s", r->current, r->current == 1 ? "replica" : "replicas");
        return;
    }
    buf_printf(out, "%" PRId32 " -> %" PRId32 " replicas", r->current, r->desired);
    if (!r->rescale)
        buf_puts(out, " (Preview, not written)");
    else if (r->write_failed)
        buf_puts(out, " (the write failed)");
}

static void print_head(const struct record *r, const char *name, usec_t now, struct arena *arena,
                       struct buf *out) {
    buf_printf(out, "%s  %s/%s  ", name, r->kind, r->name);
    print_change(r, out);
    buf_printf(out, " at %s", record_time(r->at, now, arena));
    /* A clock that was set back since leaves the age out: it would be a guess. */
    if (now >= r->at && now)
        buf_printf(out, " (%s ago)", record_duration((now - r->at) / 100000 * 100000, arena));
    if (r->reason != REASON_NONE)
        buf_printf(out, ": %s", decision_reason_name(r->reason));
    if (r->limited_by[0] != '\0')
        buf_printf(out, ", limited by %s", r->limited_by);
    buf_puts(out, "\n");
}

/* One width for metrics and stages, so that what they say begins in the same column. */
static size_t label_width(const struct record *r) {
    size_t width = LABEL_WIDTH;

    for (uint32_t i = 0; i < r->metric_count; i++) {
        size_t w = width_of(r->metrics[i].label);
        if (w <= LABEL_WIDTH_MAX && w > width)
            width = w;
    }
    return width;
}

void record_print(const struct record *record, const char *name, usec_t now, struct buf *out) {
    size_t label = label_width(record);
    cleanup_arena struct arena arena;

    arena_init(&arena, 0);
    print_head(record, name, now, &arena, out);
    print_metrics(record, label, &arena, out);
    print_stages(record, label, &arena, out);
    buf_puts(out, "  ");
    pad(out, "because", label);
    buf_printf(out, "  %s\n", record->message);
}
