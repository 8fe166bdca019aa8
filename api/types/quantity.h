/* resource.Quantity in milli-units, as HPA computes with them. Pure. */
#ifndef API_TYPES_QUANTITY_H
#define API_TYPES_QUANTITY_H

#include "base/err.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { QUANTITY_TEXT_MAX = 48 };
enum quantity_format { QUANTITY_DECIMAL_SI, QUANTITY_BINARY_SI };

/* Reads "100m", "1.5", "2Ki", "1e3" into milli-units, rounded up as Quantity.MilliValue does, saturating at
 * int64's ends; -EINVAL names what was expected. */
int quantity_parse(const char *text, int64_t *ret_milli, struct err *err);
/* The same text as a double, as Quantity.AsApproximateFloat64 (behavior's tolerance). */
int quantity_parse_double(const char *text, double *ret_value, struct err *err);
/* Writes the canonical text ("1500m", "2", "10k", BinarySI: "128Mi") into out (QUANTITY_TEXT_MAX bytes);
 * returns out. */
char *quantity_write(int64_t milli, enum quantity_format format, char *out);
/* The canonical text of a quantity that was written so, as an apiserver shows it: "50000m" is "50", "0.5Gi"
 * is "512Mi". Exponents ("1e3") and what is finer than milli stay as they were written: then written is
 * returned, else out (QUANTITY_TEXT_MAX bytes). */
const char *quantity_write_like(int64_t milli, const char *written, char *out);
/* The text of a quantity that is written as a JSON number, for quantity_parse: the shortest that reads back
 * as the same number. 0.1 is 100m then, where all 17 digits of it are a little more and would be rounded up.
 * Writes into out (QUANTITY_TEXT_MAX bytes); returns out. */
char *quantity_write_number(const json_t *number, char *out);
/* The same as quantity_write of nano-units, DecimalSI ("123456789n", "1500u"). */
char *quantity_write_nano(int64_t nano, char *out);

#endif
