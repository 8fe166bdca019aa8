/* Quantities and spans of time as texts. */
#include "adapter/metricswrite.h"
#include "api/types/quantity.h"
#include <inttypes.h>

void metrics_write_milli(struct buf *out, int64_t milli) {
    char text[QUANTITY_TEXT_MAX];

    buf_puts(out, quantity_write(milli, QUANTITY_DECIMAL_SI, text));
}

void metrics_write_nano(struct buf *out, int64_t nano) {
    char text[QUANTITY_TEXT_MAX];

    buf_puts(out, quantity_write_nano(nano, text));
}

/* What is more than int64_t has of milli-units is written as the largest whole number of bytes. */
void metrics_write_memory(struct buf *out, int64_t bytes, int milli) {
    char text[QUANTITY_TEXT_MAX];
    int64_t all;

    if (__builtin_mul_overflow(bytes, (int64_t)1000, &all) || __builtin_add_overflow(all, milli, &all))
        all = bytes < 0 ? INT64_MIN : INT64_MAX - INT64_MAX % 1000;
    buf_puts(out, quantity_write(all, QUANTITY_BINARY_SI, text));
}

/* The fraction of a second without the zeros at its end, as Go's time.Duration has it. unit is a power of
 * ten, so that each step gives one digit and the last one leaves nothing. */
static void write_fraction(struct buf *out, uint64_t value, uint64_t unit) {
    buf_printf(out, "%" PRIu64, value / unit);
    uint64_t rest = value % unit;
    if (rest)
        buf_puts(out, ".");
    while (rest) {
        unit /= 10;
        buf_printf(out, "%" PRIu64, rest / unit);
        rest %= unit;
    }
}

/* Hours are shown where there are any, then minutes too, and seconds always: Duration.String of Go's time. */
void metrics_write_duration(struct buf *out, usec_t span) {
    uint64_t u = span < 0 ? 0 - (uint64_t)span : (uint64_t)span, second = (uint64_t)USEC_PER_SEC;
    uint64_t minutes = u / second / 60;

    if (span < 0)
        buf_puts(out, "-");
    if (u > 0 && u < second) { /* below a second the unit is a smaller one */
        write_fraction(out, u, u < 1000 ? 1 : 1000);
        buf_puts(out, u < 1000 ? "\xc2\xb5s" : "ms");
        return;
    }
    if (minutes >= 60)
        buf_printf(out, "%" PRIu64 "h", minutes / 60);
    if (minutes)
        buf_printf(out, "%" PRIu64 "m", minutes % 60);
    write_fraction(out, u % (60 * second), second);
    buf_puts(out, "s");
}
