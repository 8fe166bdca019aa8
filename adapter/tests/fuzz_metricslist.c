/* The reader of metric lists must end well on any bytes, and say the same however they are cut. The first
 * byte tells the kind of the list. */
#include "adapter/metricslist.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_all(const uint8_t *data, size_t size, size_t step, struct metrics_table **ret_table,
                    struct err *err) {
    struct metricslist *list = metricslist_new((enum metricslist_kind)(data[0] % 3), 32 * 1024);

    for (size_t at = 1; at < size; at += step)
        if (metricslist_feed(list, (const char *)data + at, size - at < step ? size - at : step, NULL) < 0)
            break;
    int ret = metricslist_finish(list, ret_table, err);
    metricslist_free(list);
    return ret;
}

static void look(const struct metrics_table *table) {
    struct map_iter it = {0};
    void *item;
    int64_t milli;

    while (map_next(&table->items, &it, NULL, &item))
        if (metrics_item_usage(item, "cpu", NULL, &milli) && !((struct metrics_item *)item)->containers)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct metrics_table *whole = NULL, *cut = NULL;
    struct err a = {0}, b = {0};

    if (!size)
        return 0;
    int ret = read_all(data, size, size, &whole, &a);
    if (read_all(data, size, 7, &cut, &b) != ret || strcmp(a.text, b.text) != 0)
        abort();
    if (ret == 0 && (whole->count != cut->count || whole->sum != cut->sum || whole->newest != cut->newest ||
                     whole->items.len != cut->items.len))
        abort();
    if (ret == 0)
        look(whole);
    metrics_table_free(whole);
    metrics_table_free(cut);
    return 0;
}
