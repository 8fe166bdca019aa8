/* The reader of answers must end well on any bytes, and say the same however they are cut. */
#include "adapter/promjson.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const char *data, size_t size, size_t step, struct promjson_answer *ret_answer) {
    struct promjson *p = promjson_new((enum combine)(size % 5), 32 * 1024);

    for (size_t at = 0; at < size; at += step)
        if (promjson_feed(p, data + at, size - at < step ? size - at : step, NULL) < 0)
            break;
    promjson_finish(p, ret_answer);
    promjson_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct promjson_answer whole, cut;

    read_all((const char *)data, size, size + 1, &whole);
    read_all((const char *)data, size, 7, &cut);
    if (whole.quality != cut.quality || strcmp(whole.message, cut.message) != 0 ||
        strcmp(whole.warning, cut.warning) != 0 || whole.at != cut.at || whole.value != cut.value)
        abort();
    return 0;
}
