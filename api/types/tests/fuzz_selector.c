/* Label selectors from any bytes: as text, and as an object whose text must be readable. */
#include "api/types/selector.h"
#include <stdlib.h>
#include <string.h>

static void as_object(const uint8_t *data, size_t size, struct arena *arena) {
    json_t *object = json_loadb((const char *)data, size, 0, NULL);
    struct selector selector;
    const char *text;
    struct err err;

    if (object && selector_write(object, arena, &text, &err) == 0 &&
        selector_parse(text, arena, &selector, &err) < 0)
        abort();
    json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct labels *labels = calloc(1, sizeof(*labels) + sizeof(struct label));
    char *text = malloc(size + 1);
    struct selector selector;
    struct arena arena;
    struct err err;

    if (!labels || !text)
        abort();
    labels->count = 1;
    labels->items[0] = (struct label){"app", "web"};
    memcpy(text, data, size);
    text[size] = '\0';
    arena_init(&arena, 0);
    if (selector_parse(text, &arena, &selector, &err) == 0) {
        selector_matches(&selector, labels);
        selector_matches(&selector, NULL);
    }
    as_object(data, size, &arena);
    arena_done(&arena);
    free(text);
    free(labels);
    return 0;
}
