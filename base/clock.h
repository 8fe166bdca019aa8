/* Time: microseconds in an int64_t, wall clock since 1970 or monotonic. Pure code gets it as an argument. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

typedef int64_t usec_t;

#define USEC_PER_MSEC ((usec_t)1000)
#define USEC_PER_SEC ((usec_t)1000000)
#define USEC_PER_MIN (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MIN)

enum { CLOCK_TEXT_MAX = 40 };

/* Microseconds since 1970-01-01T00:00:00Z. */
usec_t clock_wall(void);
/* Microseconds on a clock that never jumps. */
usec_t clock_mono(void);

/* Reads RFC 3339 ("2026-01-01T00:00:00.001Z", offsets too; digits past the microsecond are dropped): 0 or
 * -EINVAL. */
int clock_parse(const char *text, usec_t *ret_time);
/* Writes RFC 3339 in UTC into out (at least CLOCK_TEXT_MAX bytes) with whole seconds, as Kubernetes' Time, or
 * with six digits, as its MicroTime. Returns out. */
char *clock_format(usec_t t, char *out);
char *clock_format_micro(usec_t t, char *out);

/* Reads a duration as Go writes it ("1h30m", "1.5s", "250ms", "0"): 0, -EINVAL, or -ERANGE. Negative ones are
 * read. */
int clock_parse_duration(const char *text, usec_t *ret_duration);
/* Writes a duration for people, cut to its largest two units: "2m30s", "40s", "1.2s", "350ms". Returns
 * out. */
char *clock_format_duration(usec_t d, char *out);

#endif
