/* Any bytes as an expression, an expansion and a subject, parted by newlines: refused with a word, or matched
 * within bounds. */
#include "adapter/pattern.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include <stdint.h>
#include <string.h>

static void check(const struct pattern *p, const char *as, const char *subject) {
    struct pattern_match match;
    int len = (int)strlen(subject);
    struct buf out;

    buf_init(&out, 4096);
    bool found = pattern_find(p, subject, &match);
    if (found != pattern_expand(p, subject, as, &out))
        abort();
    for (unsigned i = 0; found && i <= pattern_groups(p); i++)
        if (match.begin[i] >= 0 ? match.begin[i] > match.end[i] || match.end[i] > len : i == 0)
            abort();
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_free char *text = xstrndup((const char *)data, size < 4096 ? size : 4096);
    char *rest = text, *pattern = strsep(&rest, "\n"), *as = rest ? strsep(&rest, "\n") : text;
    struct pattern *p = NULL;
    struct err err = {0};

    if (pattern_new(pattern, &p, &err) < 0) {
        if (err.text[0] == '\0' || p)
            abort();
        return 0;
    }
    check(p, as, rest ? rest : "");
    pattern_free(p);
    return 0;
}
