/* Any bytes as a configuration: refused with words for each mistake, or rules that name metrics. */
#include "adapter/rules.h"
#include <stdlib.h>
#include <string.h>

static void told(void *arg, const struct err *err) {
    if (err->code >= 0 || strncmp(err->text, "f:", 2) != 0)
        abort();
    ++*(unsigned *)arg;
}

static void use(const struct rule *rule) {
    static const char *const series[] = {"", "up", "my_hits_total"};
    struct buf name;

    buf_init(&name, 1000);
    for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++) {
        const char *why = NULL;
        if (rule_takes_name(rule, series[i], &why) == (why != NULL))
            abort();
        if (!why)
            rule_metric_name(rule, series[i], &name);
    }
    buf_done(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rules *rules = NULL;
    unsigned mistakes = 0;

    if (rules_check("f", (const char *)data, size, told, &mistakes, &rules) < 0) {
        if (!mistakes || mistakes > 100)
            abort();
        rules_free(rules);
        return 0;
    }
    for (uint32_t i = 0; i < rules->rule_count; i++)
        use(&rules->rules[i]);
    for (uint32_t i = 0; i < rules->external_count; i++)
        use(&rules->external[i]);
    rules_free(rules);
    return 0;
}
