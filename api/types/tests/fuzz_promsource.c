/* MetricSources from any JSON: read or refused, and never without a word. */
#include "api/types/promsource.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What becomes a part of a path must not lead anywhere else. */
static bool sound(const struct promsource_spec *s) {
    const char *names[PROMSOURCE_SECRETS_MAX];
    uint32_t count = promsource_secrets(s, names);

    for (uint32_t i = 0; i < count; i++)
        if (names[i][0] == '.' || strpbrk(names[i], "/?#%\\ "))
            return false;
    for (uint32_t i = 0; i < s->header_count; i++)
        if (strpbrk(s->headers[i].name, "\r\n: ") || strpbrk(s->headers[i].value, "\r\n"))
            return false;
    return s->timeout > 0 && s->interval > 0 && str_starts(s->url, "http") &&
           (s->auth == PROMSOURCE_OPEN) == !s->credential.name;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *document = json_loadb((const char *)data, size, 0, NULL);
    struct promsource_object *source = NULL;
    struct str_pool pool;
    struct err err = {0};

    if (!document)
        return 0;
    str_pool_init(&pool);
    if (promsource_from_json(document, &pool, &source, &err) == 0) {
        if (source->invalid.code ? source->invalid.text[0] == '\0' : !sound(&source->spec))
            abort();
        object_unref(&source->meta);
    } else if (err.text[0] == '\0') {
        abort();
    }
    str_pool_done(&pool);
    json_decref(document);
    return 0;
}
