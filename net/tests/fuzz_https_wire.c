/* The reader of request heads must end well on any bytes, keep its limits, and say the same however they are
 * cut. */
#include "net/https_wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t read_all(struct https_wire *wire, const char *data, size_t size, size_t step) {
    size_t at = 0;
    https_wire_init(wire);
    while (at < size && !wire->whole && !wire->refused)
        at += https_wire_feed(wire, data + at, size - at < step ? size - at : step);
    return at;
}

static void check(const struct https_wire *wire) {
    if (wire->n_lines > HTTPS_MAX_LINES || wire->header_len > HTTPS_MAX_HEADER + wire->text.len)
        abort();
    if (strlen(https_wire_target(wire)) > HTTPS_MAX_TARGET || !https_wire_method(wire))
        abort();
    for (int i = 0; wire->whole && i < wire->n_lines; i++)
        if (wire->lines[i].name >= wire->text.len || wire->lines[i].value >= wire->text.len ||
            wire->lines[i].value <= wire->lines[i].name)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct https_wire whole, cut;
    size_t used = read_all(&whole, (const char *)data, size, size + 1);
    size_t used_cut = read_all(&cut, (const char *)data, size, 1 + size % 7);
    check(&whole);
    check(&cut);
    /* Of what is wrong in two ways, the one or the other is told: a name that is one line too many, and none.
     */
    if (whole.whole != cut.whole || !whole.refused != !cut.refused)
        abort();
    if (whole.whole &&
        (used != used_cut || whole.keep_alive != cut.keep_alive || whole.has_body != cut.has_body ||
         whole.text.len != cut.text.len || memcmp(whole.text.data, cut.text.data, cut.text.len) != 0))
        abort();
    https_wire_done(&whole);
    https_wire_done(&cut);
    return 0;
}
