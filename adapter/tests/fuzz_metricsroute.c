/* Whatever path is asked for: it is read or refused with a reason. */
#include "adapter/metricsroute.h"

#include "base/mem.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_free char *path = xstrndup((const char *)data, size);
    cleanup_arena struct arena arena;
    struct metrics_route route;
    struct err err = {0};

    arena_init(&arena, 0);
    int ret = metrics_route_read(path, &arena, &route, &err);
    if (ret < 0 && !*err.text)
        abort();
    /* An object or a resource is always told. */
    if (ret == 0 && !route.resource && !route.metric)
        abort();
    return 0;
}
