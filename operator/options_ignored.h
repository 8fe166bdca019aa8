/* Flags that a Deployment of prometheus-adapter or metrics-server may carry and that mean nothing here. */
#ifndef OPERATOR_OPTIONS_IGNORED_H
#define OPERATOR_OPTIONS_IGNORED_H

#include <stdbool.h>

/* Whether the flag name (without its dashes) is one of them; then ret_takes_value tells whether a value
 * follows it. Not among them are those that say how to reach something or what to show, such as
 * --prometheus-auth-config and --tls-sni-cert-key: to go on without would be to do something else than was
 * asked for. */
bool options_ignored(const char *name, bool *ret_takes_value);

#endif
