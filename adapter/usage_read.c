/* A kubelet's answer to /metrics/resource, gathered into one row for each container.
 *
 * The families come one behind the other, so what belongs to one container is spread over the text: rows are
 * found again by key. Nothing of an answer counts before all of it has been read; the rows lie in the batch,
 * whose memory is used again for the next answer of any node. */
#include "adapter/usage_internal.h"

#include "adapter/exposition.h"
#include "adapter/usage.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a family says about a row. */
enum field { FIELD_CPU, FIELD_MEMORY, FIELD_START };

/* The five that metrics-server reads; what else a kubelet tells (of swap, or of its own failures) is passed
 * over. */
static const struct family {
    const char *name;
    enum field field;
    bool node;
} families[] = {
    {"container_cpu_usage_seconds_total", FIELD_CPU, false},
    {"container_memory_working_set_bytes", FIELD_MEMORY, false},
    {"container_start_time_seconds", FIELD_START, false},
    {"node_cpu_usage_seconds_total", FIELD_CPU, true},
    {"node_memory_working_set_bytes", FIELD_MEMORY, true},
};

struct reading {
    struct usage_batch *batch;
    const struct family *family; /* of the last line that was wanted */
    usec_t asked;
    struct err *err;
};

void usage_batch_init(struct usage_batch *batch) {
    *batch = (struct usage_batch){0};
    arena_init(&batch->arena, (size_t)64 << 10);
    buf_init(&batch->key, EXPOSITION_LINE_MAX);
}

void usage_batch_done(struct usage_batch *batch) {
    map_done(&batch->by_key);
    arena_done(&batch->arena);
    buf_done(&batch->key);
}

/* A family's lines stand together: the last one is looked at first. */
static const struct family *family_of(const struct family *last, const char *name) {
    if (last && strcmp(last->name, name) == 0)
        return last;
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (strcmp(families[i].name, name) == 0)
            return &families[i];
    return NULL;
}

/* A number as an unsigned one, truncated; 0, as if it were not told, where there is none such. */
static uint64_t counted(double value, double scale) {
    double scaled = value * scale;
    return scaled >= 0 && scaled < (double)INT64_MAX ? (uint64_t)scaled : 0;
}

static void set_field(struct usage_row *row, enum field field, const struct exposition_sample *sample,
                      usec_t asked) {
    /* INT64_MIN: the line has no timestamp. Others must fit as microseconds, with room for their differences.
     */
    int64_t ms = sample->timestamp_ms;
    bool sound = ms > INT64_MIN / 2000 && ms < INT64_MAX / 2000;

    if (field == FIELD_START) {
        row->point.start = (usec_t)counted(sample->value, USEC_PER_SEC);
    } else if (field == FIELD_MEMORY) {
        row->memory = counted(sample->value, 1);
    } else if (sound || ms == INT64_MIN) {
        /* The time that counts is the counter's: the rate is taken over it. */
        row->point.cpu = counted(sample->value, 1e9);
        row->point.at = sound ? ms * USEC_PER_MSEC : asked;
    }
}

/* The row that a sample speaks of, made where it is new; NULL where it names no container. */
static struct usage_row *row_of(struct usage_batch *batch, const struct series *series) {
    const char *ns = series_label(series, "namespace"), *pod = series_label(series, "pod");
    const char *container = series_label(series, "container");

    if (!*ns || !*pod || !*container || strchr(ns, '/') || strchr(pod, '/'))
        return NULL; /* a name of the API holds no slash: it keeps the keys apart */
    buf_reset(&batch->key);
    buf_puts(&batch->key, ns);
    buf_puts(&batch->key, "/");
    buf_puts(&batch->key, pod);
    buf_puts(&batch->key, "/");
    buf_puts(&batch->key, container);
    struct usage_row *row = map_get_n(&batch->by_key, batch->key.data, batch->key.len);
    if (row)
        return row;
    row = ARENA_NEW(&batch->arena, struct usage_row);
    row->key = arena_strndup(&batch->arena, batch->key.data, batch->key.len);
    row->ns = arena_strdup(&batch->arena, ns);
    row->pod = arena_strdup(&batch->arena, pod);
    row->container = arena_strdup(&batch->arena, container);
    map_put(&batch->by_key, row->key, row);
    return row;
}

static int take_sample(void *arg, const struct exposition_sample *sample) {
    struct reading *reading = arg;
    struct usage_batch *batch = reading->batch;
    const struct family *family = family_of(reading->family, sample->series.name);

    if (!family)
        return 0;
    reading->family = family;
    if (family->node) {
        set_field(&batch->node, family->field, sample, reading->asked);
        return 0;
    }
    struct usage_row *row = row_of(batch, &sample->series);
    if (row)
        set_field(row, family->field, sample, reading->asked);
    /* Labels are whatever the node says: without a bound one kubelet could fill the memory. */
    if (batch->by_key.len > USAGE_CONTAINERS_MAX)
        return err_set(reading->err, -E2BIG, "more than %d containers", USAGE_CONTAINERS_MAX);
    return 0;
}

static int compare_rows(const void *a, const void *b) {
    const struct usage_row *x = *(struct usage_row *const *)a, *y = *(struct usage_row *const *)b;
    int order = strcmp(x->ns, y->ns);

    if (order == 0)
        order = strcmp(x->pod, y->pod);
    return order ? order : strcmp(x->container, y->container);
}

static bool same_pod(const struct usage_row *a, const struct usage_row *b) {
    return strcmp(a->pod, b->pod) == 0 && strcmp(a->ns, b->ns) == 0;
}

/* A 0 is one that was not told, as with metrics-server: what runs has used some cpu and some memory. */
bool usage_row_complete(const struct usage_row *row) {
    return row->point.cpu > 0 && row->memory > 0;
}

/* Leaves out the pods of which one container has no cpu or no memory yet. */
static void drop_incomplete(struct usage_batch *batch) {
    uint32_t kept = 0, end;

    for (uint32_t i = 0; i < batch->count; i = end) {
        bool complete = true;
        for (end = i; end < batch->count && same_pod(batch->rows[i], batch->rows[end]); end++)
            complete = complete && usage_row_complete(batch->rows[end]);
        for (uint32_t j = i; complete && j < end; j++)
            batch->rows[kept++] = batch->rows[j];
    }
    batch->count = kept;
}

/* The order is that of the store's blocks, and brings the containers of a pod together for drop_incomplete.
 */
static void sort_rows(struct usage_batch *batch) {
    struct map_iter it = {0};
    void *row;

    batch->rows = ARENA_ARRAY(&batch->arena, struct usage_row *, batch->by_key.len);
    while (map_next(&batch->by_key, &it, NULL, &row))
        batch->rows[batch->count++] = row;
    if (batch->count)
        qsort(batch->rows, batch->count, sizeof(struct usage_row *), compare_rows);
    drop_incomplete(batch);
}

int usage_batch_read(struct usage_batch *batch, const char *text, size_t len, usec_t asked, struct err *err) {
    struct reading reading = {.batch = batch, .asked = asked, .err = err};

    map_done(&batch->by_key); /* before the arena: its keys lie there */
    arena_reset(&batch->arena);
    batch->node = (struct usage_row){0};
    batch->count = 0;
    int ret = exposition_read(text, len, take_sample, &reading, err);
    if (ret == 0)
        sort_rows(batch);
    return ret;
}
