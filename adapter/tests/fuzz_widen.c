/* The widener must end well on any text, leave what it does not widen as it is, and leave nothing to be
 * widened in what it did. */
#include "adapter/widen.h"

#include "base/mem.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct widen_labels labels = {.object = "pod", .ns = "namespace"};
    cleanup_free char *query = xstrndup((const char *)data, size);
    cleanup_buf struct buf out, again;

    buf_init(&out, 4 * WIDEN_QUERY_MAX);
    buf_init(&again, 4 * WIDEN_QUERY_MAX);
    enum widened level = widen_query(query, &labels, WIDEN_NAMESPACES, &out);
    if (level == WIDEN_NONE && strcmp(out.data, query) != 0)
        abort();
    if (level != WIDEN_NONE && widen_query(out.data, &labels, WIDEN_NAMESPACES, &again) != WIDEN_NONE)
        abort();
    return 0;
}
