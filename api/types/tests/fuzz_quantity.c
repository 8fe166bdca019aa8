/* Quantities from any bytes: what is read must be written and read again as the same. */
#include "api/types/quantity.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[256], out[QUANTITY_TEXT_MAX];
    int64_t milli, again;
    struct err err;
    double value;

    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (quantity_parse(text, &milli, &err) < 0)
        return 0;
    if (quantity_parse_double(text, &value, &err) < 0)
        abort();
    if (quantity_parse(quantity_write(milli, QUANTITY_DECIMAL_SI, out), &again, &err) < 0 || again != milli)
        abort();
    if (quantity_parse(quantity_write(milli, QUANTITY_BINARY_SI, out), &again, &err) < 0 || again != milli)
        abort();
    return 0;
}
