/* The reader of vectors must end well on any bytes, say the same however they are cut, and give labels in
 * order. */
#include "adapter/promvector.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_all(const char *data, size_t size, size_t step, struct vector **ret_vector, struct err *err) {
    struct promvector *p = promvector_new(32 * 1024);

    for (size_t at = 0; at < size; at += step)
        if (promvector_feed(p, data + at, size - at < step ? size - at : step, NULL) < 0)
            break;
    int ret = promvector_finish(p, 1, ret_vector, err);
    promvector_free(p);
    return ret;
}

static void check(const struct vector *v) {
    for (uint32_t i = 0; i < v->count; i++)
        for (uint32_t l = 0; l < v->samples[i].label_count; l++) {
            const struct series_label *label = &v->samples[i].labels[l];
            if (l && strcmp(label[-1].name, label->name) > 0)
                abort();
            if (!vector_find(v, label->name, label->value))
                abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct vector *whole = NULL, *cut = NULL;
    struct err whole_err = {0}, cut_err = {0};

    if (read_all((const char *)data, size, size + 1, &whole, &whole_err) !=
            read_all((const char *)data, size, 7, &cut, &cut_err) ||
        strcmp(whole_err.text, cut_err.text) != 0 || (whole && whole->count != cut->count))
        abort();
    if (whole)
        check(whole);
    vector_free(whole);
    vector_free(cut);
    return 0;
}
