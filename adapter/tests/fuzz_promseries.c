/* The reader of lists of series must end well on any bytes, and say the same however they are cut. */
#include "adapter/promseries.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    size_t count, bytes;
    struct err err;
};

/* What is promised of a series must hold. */
static int on_series(void *arg, const struct series *series, struct err *err) {
    struct seen *seen = arg;

    (void)err;
    seen->count++;
    seen->bytes += strlen(series->name);
    for (uint32_t i = 0; i < series->label_count; i++) {
        const struct series_label *label = &series->labels[i];
        if (!*label->value || (i && strcmp(series->labels[i - 1].name, label->name) >= 0))
            abort();
        seen->bytes += strlen(label->name) + strlen(label->value);
    }
    return 0;
}

static struct seen read_all(const char *data, size_t size, size_t step) {
    struct seen seen = {0};
    struct promseries *p = promseries_new(32 * 1024, on_series, &seen);

    for (size_t at = 0; at < size; at += step)
        if (promseries_feed(p, data + at, size - at < step ? size - at : step, NULL) < 0)
            break;
    promseries_finish(p, &seen.err);
    promseries_free(p);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct seen whole = read_all((const char *)data, size, size + 1);
    struct seen cut = read_all((const char *)data, size, 5);

    if (whole.err.code != cut.err.code || strcmp(whole.err.text, cut.err.text) != 0)
        abort();
    if (whole.err.code == 0 && (whole.count != cut.count || whole.bytes != cut.bytes))
        abort();
    return 0;
}
