/* Zones from any bytes: what is read answers for every instant, and the way back from local time agrees with
 * it. */
#include "base/tz_data.h"

#include <stdlib.h>

static void check(const struct tz *tz, usec_t t) {
    int32_t offset = tz_offset(tz, t);
    int64_t reached = tz_local_reached(tz, t);
    int64_t local = (t - (t % USEC_PER_SEC + USEC_PER_SEC) % USEC_PER_SEC) / USEC_PER_SEC + offset;

    if (offset < TZ_OFFSET_MIN || offset > TZ_OFFSET_MAX || reached < local)
        abort();
    /* Clocks have shown `reached` by now, and not a second more. */
    if (tz_from_local(tz, reached) > t || tz_from_local(tz, reached + 1) <= t)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tz *tz;
    struct err err;

    if (tz_read(data, size, &tz, &err) < 0)
        return 0;
    for (usec_t t = -3000000000 * USEC_PER_SEC; t < 6000000000 * USEC_PER_SEC; t += 98765432 * USEC_PER_SEC)
        check(tz, t);
    for (uint32_t i = 0; i < tz->count && i < 100; i++) {
        int64_t at = tz->changes[i].at;
        if (at < -9000000000 || at > 9000000000)
            continue;
        check(tz, at * USEC_PER_SEC);
        check(tz, at * USEC_PER_SEC - 1);
        check(tz, (at + 3600) * USEC_PER_SEC);
    }
    (void)tz_offset(tz, INT64_MAX);
    (void)tz_local_reached(tz, INT64_MIN);
    (void)tz_from_local(tz, INT64_MAX);
    (void)tz_from_local(tz, INT64_MIN);
    tz_free(tz);
    return 0;
}
