/* Any bytes as a template: refused with a word, or run within bounds, twice to the same text. */
#include "adapter/template.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

static const char *const groups[] = {"pod", "container"};
static const struct template_pair labels[] = {{"namespace", "default"}, {"pod", "a|b"}, {"verb", ""}};
static const struct template_field fields[] = {
    {.name = "Series", .kind = TEMPLATE_STRING, .text = "http_requests_total"},
    {.name = "LabelMatchers", .kind = TEMPLATE_STRING, .text = "namespace=\"default\""},
    {.name = "LabelValuesByName", .kind = TEMPLATE_MAP, .count = 3, .pairs = labels},
    {.name = "GroupBy", .kind = TEMPLATE_STRING, .text = "pod"},
    {.name = "GroupBySlice", .kind = TEMPLATE_LIST, .count = 2, .list = groups},
};

static int run(const struct template *t, struct buf *out) {
    struct err err = {0};

    int ret = template_run(t, fields, sizeof(fields) / sizeof(fields[0]), out, &err);
    if (ret < 0 && (err.text[0] == '\0' || out->len > 0))
        abort();
    return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_free char *text = xstrndup((const char *)data, size);
    struct template *t = NULL;
    struct err err = {0};
    struct buf first, second;

    if (template_new(text, &t, &err) < 0) {
        if (err.text[0] == '\0' || t)
            abort();
        return 0;
    }
    buf_init(&first, 100000);
    buf_init(&second, 100000);
    if (run(t, &first) != run(t, &second) || strcmp(first.data, second.data) != 0)
        abort();
    buf_done(&first);
    buf_done(&second);
    template_free(t);
    return 0;
}
