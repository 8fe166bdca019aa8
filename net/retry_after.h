/* The Retry-After header (RFC 9110, 10.2.3). */
#ifndef NET_RETRY_AFTER_H
#define NET_RETRY_AFTER_H

#include "base/clock.h"

/* How long to wait after wall (µs since 1970): seconds or a date are read, at most a day; 0 where text is
 * neither or the date is past. */
usec_t retry_after_parse(const char *text, usec_t wall);

#endif
