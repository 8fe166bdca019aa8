/* Discovery documents of a hostile server: the first byte says which kind of document, the rest is read. */
#include "api/client/discovery_table.h"

#include <string.h>

static void on_resource(void *arg, const struct resource *resource) {
    *(size_t *)arg += strlen(resource->plural) + strlen(resource->kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct discovery_table table;
    bool aggregated = false, broken = false;
    struct err err = {0};

    if (size < 1)
        return 0;
    json_t *body = json_loadb((const char *)data + 1, size - 1, JSON_ALLOW_NUL, NULL);
    discovery_table_init(&table);
    for (int round = 0; round < 2; round++) {
        discovery_table_read_root(&table, data[0] & 1 ? HALF_CORE : HALF_GROUPS, body, &aggregated, &err);
        if (table.versions && data[0] & 2)
            discovery_table_read_version(&table, table.versions, body, &err);
    }
    discovery_table_each(&table, on_resource, &size);
    discovery_table_find(&table, "apps/v1", "Deployment", &broken);
    discovery_table_done(&table);
    json_decref(body);
    return 0;
}
