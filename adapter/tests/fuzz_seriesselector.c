/* The reader of selectors must end well on any text: refuse it with a reason, or select with it. */
#include "adapter/seriesselector.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct series_label labels[] = {{"a", "b"}, {"pod", "web-1"}};
    static const struct series named = {"up", 2, labels}, empty = {"", 0, NULL};
    cleanup_free char *text = xstrndup((const char *)data, size);
    struct seriesselector *selector = NULL;
    struct err err = {0};
    const char *why = NULL;

    if (seriesselector_new(text, &selector, &err) < 0) {
        if (!*err.text || selector)
            abort();
        return 0;
    }
    if (!seriesselector_matches(selector, &named, &why) && !why)
        abort();
    /* A series without a name and labels fulfils no selector that Prometheus takes. */
    if (seriesselector_matches(selector, &empty, NULL))
        abort();
    seriesselector_free(selector);
    return 0;
}
