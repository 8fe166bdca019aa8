/* Secrets in files: a stat before each use, and a new read when it differs. */
#include "adapter/secretfile.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

enum { SECRET_MAX = 64 * 1024 };

void secret_file_init(struct secret_file *f, const char *path) {
    *f = (struct secret_file){.path = path ? xstrdup(path) : NULL};
}

static void forget(struct secret_file *f) {
    if (f->text)
        explicit_bzero(f->text, strlen(f->text));
    free(f->text);
    f->text = NULL;
}

void secret_file_done(struct secret_file *f) {
    forget(f);
    free(f->path);
    f->path = NULL;
}

static bool unchanged(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Cuts the blanks at both ends; false where something is left that may not stand in a header. */
static bool tidy(char *text) {
    size_t start = strspn(text, " \t\r\n");
    size_t len = strlen(text + start);

    while (len && strchr(" \t\r\n", text[start + len - 1]))
        len--;
    memmove(text, text + start, len);
    text[len] = '\0';
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return len > 0;
}

/* Reads the whole file, which holds at most max bytes, into text; its length or a negative errno. */
static ssize_t read_whole(int fd, char *text, size_t max) {
    size_t len = 0;

    while (len < max) {
        ssize_t n = read(fd, text + len, max - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static int load(struct secret_file *f, struct err *err) {
    cleanup_close int fd = open(f->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &f->seen) < 0)
        return err_set(err, -errno, "%s: %s", f->path, strerror(errno));
    char *text = xmalloc(SECRET_MAX + 2);
    ssize_t n = read_whole(fd, text, SECRET_MAX + 1);
    if (n >= 0)
        text[n] = '\0';
    bool good = n >= 0 && n <= SECRET_MAX && strlen(text) == (size_t)n && tidy(text);
    if (good)
        f->text = xstrdup(text);
    explicit_bzero(text, SECRET_MAX + 2);
    free(text);
    if (n < 0)
        return err_set(err, (int)n, "%s: %s", f->path, strerror((int)-n));
    return good ? 0 : err_set(err, -EINVAL, "%s: empty, too long, or not text", f->path);
}

int secret_file_read(struct secret_file *f, const char **ret_text, struct err *err) {
    struct stat now;

    if (stat(f->path, &now) < 0) {
        forget(f);
        return err_set(err, -errno, "%s: %s", f->path, strerror(errno));
    }
    if (!f->text || !unchanged(&now, &f->seen)) {
        forget(f);
        int ret = load(f, err);
        if (ret < 0)
            return ret;
    }
    *ret_text = f->text;
    return 0;
}
