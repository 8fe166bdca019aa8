/* Time zones out of the system's tz database (TZif files, RFC 8536). A zone is read once and immutable. */
#ifndef BASE_TZ_H
#define BASE_TZ_H

#include "base/clock.h"
#include "base/err.h"

struct tz;

/* Reads the zone NAME ("Europe/Berlin"; "UTC" needs no file) from $TZDIR or the system's directory. -ENOENT:
 * there is no such zone (the text says so and where it was looked for); -EINVAL: the name or the file is not
 * one. Owned by the caller. */
int tz_load(const char *name, struct tz **ret_tz, struct err *err);
void tz_free(struct tz *tz);

/* Seconds to add to UTC at wall time t to have local time. */
int32_t tz_offset(const struct tz *tz, usec_t t);
/* The wall time (UTC) at which it is `local` there (seconds since 1970-01-01 as if local time were UTC). A
 * local time that is skipped when the clock goes forward is taken as the moment of the change; one that comes
 * twice as the first. */
usec_t tz_from_local(const struct tz *tz, int64_t local);
/* The furthest that clocks there have come by wall time t, in seconds as `local` above: local time at t, but
 * through an hour that comes a second time the last second of its first. What tz_from_local puts at or before
 * t is exactly what lies at or before this. */
int64_t tz_local_reached(const struct tz *tz, usec_t t);

#endif
