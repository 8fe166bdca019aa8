/* Reading Retry-After. */
#include "net/retry_after.h"

#include "base/str.h"
#include "net/curl_library.h"
#include "net/library.h"

usec_t retry_after_parse(const char *text, usec_t wall) {
    int64_t seconds;
    if (str_to_i64(text, &seconds) < 0) {
        library_need(curl_library_load);
        time_t date = libcurl->getdate(text, NULL);
        seconds = date < 0 ? 0 : (int64_t)date - wall / USEC_PER_SEC;
    }
    if (seconds <= 0)
        return 0;
    return (seconds > 86400 ? 86400 : seconds) * USEC_PER_SEC;
}
