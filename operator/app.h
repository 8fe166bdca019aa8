/* `trimtab run`: wires the modules together and runs the loop. */
#ifndef OPERATOR_APP_H
#define OPERATOR_APP_H

#include "operator/options.h"

/* Runs until SIGINT or SIGTERM. 0, or a negative code with the reason where the start failed. */
int app_run(const struct options *options, struct err *err);

#endif
