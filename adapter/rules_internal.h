/* The inside of the rules' reader: the file's schema (rules_schema.c) over the strict YAML of rules_yaml.h.
 */
#ifndef ADAPTER_RULES_INTERNAL_H
#define ADAPTER_RULES_INTERNAL_H

#include "adapter/rules_yaml.h"

/* Reads the reader's document into rules, whose arena is the reader's. What is wrong is told. */
void rules_read_document(struct rules_reader *r, struct rules *rules);
/* A duration as Prometheus writes it ("5m", "1h30m", "0"; units from y to ms, each once, the largest first):
 * 0 or -EINVAL. */
int rules_parse_duration(const char *text, usec_t *ret_duration);

#endif
