/* Policies from any JSON: read or refused, and never without a word. */
#include "api/types/policy.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *document = json_loadb((const char *)data, size, 0, NULL);
    struct policy_object *policy = NULL;
    struct str_pool pool;
    struct err err = {0};

    if (!document)
        return 0;
    str_pool_init(&pool);
    if (policy_from_json(document, &pool, &policy, &err) == 0) {
        json_decref(document);
        if (policy->invalid.code
                ? policy->invalid.text[0] == '\0'
                : policy->spec.min_replicas > policy->spec.max_replicas || policy->spec.metric_count == 0)
            abort();
        object_unref(&policy->meta);
    } else {
        json_decref(document);
        if (err.text[0] == '\0')
            abort();
    }
    str_pool_done(&pool);
    return 0;
}
