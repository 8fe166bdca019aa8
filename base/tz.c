/* Time zones: finding a zone's file, and looking from UTC to local time and back. */
#include "base/tz.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tz_data.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const char default_directory[] = "/usr/share/zoneinfo";

/* The largest files of the database have 4 KiB. */
enum { NAME_MAX_LENGTH = 64, PATH_MAX_LENGTH = 1024, FILE_MAX = 256 * 1024, HOUR = 60 * 60 };

/* ---- files ---- */

/* Such names as the database has. What could leave its directory (dots, a leading slash) is not among them.
 */
static bool name_is_plausible(const char *name) {
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    size_t len = strlen(name);

    return len > 0 && len <= NAME_MAX_LENGTH && strspn(name, allowed) == len && name[0] != '/' &&
           name[len - 1] != '/' && strstr(name, "//") == NULL;
}

/* As the C library looks for it. */
static const char *zone_directory(void) {
    const char *given = getenv("TZDIR");

    return given && given[0] != '\0' ? given : default_directory;
}

/* The whole file in new memory, which is the caller's. */
static int read_file(const char *path, unsigned char **ret_data, size_t *ret_size) {
    struct stat st;
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -ENOENT; /* a directory: "Europe" is no zone */
    if (st.st_size > FILE_MAX)
        return -EFBIG;

    cleanup_free unsigned char *data = xmalloc((size_t)st.st_size);
    ssize_t n = read(fd, data, (size_t)st.st_size);
    if (n < 0)
        return -errno;
    *ret_data = steal_ptr(&data);
    *ret_size = (size_t)n;
    return 0;
}

/* The reason in words: a zone that is misspelt, or a database that is not installed. */
static int load_failed(const char *name, const char *directory, int code, struct err *err) {
    if (code != -ENOENT && code != -ENOTDIR)
        return err_set(err, code == -EFBIG ? -EINVAL : code, "time zone %s in %s: %s", name, directory,
                       strerror(-code));
    if (access(directory, X_OK) < 0)
        return err_set(err, -ENOENT, "time zone %s: there is no time zone database in %s (package tzdata)",
                       name, directory);
    return err_set(err, -ENOENT, "there is no time zone %s in %s", name, directory);
}

int tz_load(const char *name, struct tz **ret_tz, struct err *err) {
    const char *directory = zone_directory();
    cleanup_free unsigned char *data = NULL;
    char path[PATH_MAX_LENGTH];
    size_t size = 0;

    if (str_eq(name, "UTC")) {
        *ret_tz = XNEW(struct tz);
        return 0;
    }
    if (!name_is_plausible(name))
        return err_set(err, -EINVAL, "\"%.64s\" is no name of a time zone, as Europe/Berlin is", name);
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
        return err_set(err, -EINVAL, "the path of time zone %s is too long", name);
    int ret = read_file(path, &data, &size);
    if (ret < 0)
        return load_failed(name, directory, ret, err);
    if (tz_read(data, size, ret_tz, err) < 0)
        return err_wrap(err, "time zone %s: %s", name, path);
    return 0;
}

void tz_free(struct tz *tz) {
    free(tz);
}

/* ---- looking ---- */

static int64_t seconds_of(usec_t t) {
    return t / USEC_PER_SEC - (t % USEC_PER_SEC < 0);
}

/* How many changes there are up to s. */
static uint32_t changes_until(const struct tz *tz, int64_t s) {
    uint32_t low = 0, high = tz->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tz->changes[middle].at <= s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Between the changes that are listed, or behind the last by the rule. */
static struct tz_span span_at(const struct tz *tz, int64_t s) {
    uint32_t n = changes_until(tz, s);
    struct tz_span span = {tz->first, INT64_MIN, INT64_MAX};

    if (n == tz->count && tz->has_rule) {
        span = tz_rule_span(&tz->rule, s);
        if (n > 0 && span.from < tz->changes[n - 1].at)
            span.from = tz->changes[n - 1].at;
        return span;
    }
    if (n > 0) {
        span.offset = tz->changes[n - 1].offset;
        span.from = tz->changes[n - 1].at;
    }
    if (n < tz->count)
        span.until = tz->changes[n].at;
    return span;
}

int32_t tz_offset(const struct tz *tz, usec_t t) {
    return span_at(tz, seconds_of(t)).offset;
}

/* The first instant at which clocks show `local` or more. Clocks run on within a span, so only its beginning
 * and the moment where they come to `local` need a look. */
usec_t tz_from_local(const struct tz *tz, int64_t local) {
    /* What microseconds can hold, and some days. */
    const int64_t limit = INT64_MAX / USEC_PER_SEC - 100 * HOUR;
    int64_t wanted = local < -limit ? -limit : local > limit ? limit : local;
    int64_t s = wanted - TZ_OFFSET_MAX; /* not there yet in any zone */
    struct tz_span span = span_at(tz, s);

    while (s + span.offset < wanted) {
        int64_t shown = wanted - span.offset;
        s = shown < span.until ? shown : span.until;
        if (s == span.until)
            span = span_at(tz, s);
    }
    return s * USEC_PER_SEC;
}

int64_t tz_local_reached(const struct tz *tz, usec_t t) {
    int64_t s = seconds_of(t), oldest = s - (TZ_OFFSET_MAX - TZ_OFFSET_MIN);
    struct tz_span span = span_at(tz, s);
    int64_t reached = s + span.offset;

    /* An earlier span that ran further than clocks show now. */
    while (span.from > oldest) {
        int64_t last = span.from - 1;
        span = span_at(tz, last);
        if (last + span.offset > reached)
            reached = last + span.offset;
    }
    return reached;
}
