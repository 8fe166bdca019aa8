/* Whatever a client accepts: the answer is something that is offered, or nothing. */
#include "adapter/metricswrite.h"

#include "base/mem.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_free char *header = xstrndup((const char *)data, size);

    for (unsigned offered = 0; offered < 1u << ACCEPT_NOTHING; offered++) {
        enum accepted form = accept_read(*header ? header : "-", offered);
        if (form != ACCEPT_NOTHING && !(offered & 1u << form))
            abort();
    }
    return 0;
}
