/* What must hold of the record of every decision that a test makes. */
#ifndef AUTOSCALER_TESTS_RECORD_CHECKS_H
#define AUTOSCALER_TESTS_RECORD_CHECKS_H

#include "autoscaler/record.h"

/* The record prints and reads the same after it was packed, fits its bounds, and packed bytes that are cut or
 * damaged are refused or at least harmless. Returns the packed size. */
size_t assert_record_kept(const struct decide_input *input, const struct decision *decision);

#endif
