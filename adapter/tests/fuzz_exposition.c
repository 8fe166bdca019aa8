/* The reader of the text format must end well on any bytes, and hand out only what its header promises. */
#include "adapter/exposition.h"

#include "base/str.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check(void *arg, const struct exposition_sample *sample) {
    const struct series *series = &sample->series;

    (void)arg;
    if (!*series->name)
        abort();
    for (uint32_t i = 0; i < series->label_count; i++) {
        if (!*series->labels[i].value || !str_is_utf8(series->labels[i].value) ||
            (i && strcmp(series->labels[i - 1].name, series->labels[i].name) >= 0))
            abort();
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct err err = {0};
    int ret = exposition_read((const char *)data, size, check, NULL, &err);

    if ((ret < 0) != (strncmp(err.text, "line ", 5) == 0))
        abort();
    return 0;
}
