/* The usage store must end well on any answers; one that it refuses changes nothing, and what it shows is
 * sorted and never negative. The input is cut into answers at its NULs. */
#include "adapter/usage.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_object(const struct metrics_object *object) {
    if (object->usage_count == 0 || object->window <= 0)
        abort();
    for (uint32_t i = 0; i < object->usage_count; i++) {
        if (object->usages[i].cpu_nano < 0 || object->usages[i].memory_bytes <= 0)
            abort();
        if (i && strcmp(object->usages[i - 1].name, object->usages[i].name) >= 0)
            abort();
    }
}

static void look(const struct usage_store *store) {
    struct metrics_object object;
    struct pod_value value;
    struct usage_pod pod = {"n", "s", "p"};
    struct arena arena;

    arena_init(&arena, 0);
    if (usage_store_node(store, "n", &arena, &object))
        check_object(&object);
    bool shown = usage_store_pod(store, &pod, &arena, &object);
    if (shown)
        check_object(&object);
    usage_store_value(store, &pod, NULL, USAGE_CPU, &value);
    if (value.known != shown || value.milli < 0)
        abort();
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct usage_store *store = usage_store_new(15 * USEC_PER_SEC);
    const char *at = (const char *)data, *end = at + size;
    struct usage_store_stats before, after;

    while (at < end) {
        const char *stop = memchr(at, '\0', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        usage_store_stats(store, &before);
        int ret = usage_store_take(store, "n", at, len, 1000000, NULL);
        usage_store_stats(store, &after);
        if (ret < 0 && (before.bytes != after.bytes || before.containers != after.containers))
            abort();
        look(store);
        at += len + 1;
    }
    usage_store_forget(store, "n");
    usage_store_stats(store, &after);
    if (after.bytes || after.nodes || after.pods || after.containers || usage_store_ready(store))
        abort();
    usage_store_free(store);
    return 0;
}
