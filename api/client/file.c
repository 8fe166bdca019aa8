/* Reading small files, and following those that change. To follow is to ask stat(2) whenever the text is
 * needed: that sees a file written in place as well as a link that a projected volume has swapped, and there
 * is no watch to be lost with the folder that it was set on. */
#include "api/client/file.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* As kubeconfig.c's PEM_MAX: what it has read is followed here. */
enum { FOLLOWED_MAX = 1024 * 1024 };

static void stamp_of(const struct stat *st, struct file_stamp *ret_stamp) {
    *ret_stamp =
        (struct file_stamp){.dev = st->st_dev, .ino = st->st_ino, .size = st->st_size, .mtime = st->st_mtim};
}

static int read_all(int fd, struct buf *out) {
    char piece[8192];

    for (;;) {
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n == 0)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        int r = n < 0 ? -errno : buf_append(out, piece, (size_t)n);
        if (r < 0)
            return r;
    }
}

int file_read(const char *path, size_t max, char **ret_text, size_t *ret_len, struct file_stamp *ret_stamp,
              struct err *err) {
    cleanup_buf struct buf text;
    struct stat st;

    buf_init(&text, max);
    /* O_NONBLOCK: opening a FIFO by mistake must not hang */
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(err, -errno, "%s: %s", path, strerror(errno));
    /* Before the text: what is written while we read makes the stamp an old one, and is read the next time.
     */
    if (fstat(fd, &st) < 0)
        return err_set(err, -errno, "%s: %s", path, strerror(errno));
    int r = read_all(fd, &text);
    if (r == -E2BIG)
        return err_set(err, r, "%s: larger than %zu bytes", path, max);
    if (r < 0)
        return err_set(err, r, "%s: %s", path, strerror(-r));
    if (ret_len)
        *ret_len = text.len;
    if (ret_stamp)
        stamp_of(&st, ret_stamp);
    *ret_text = buf_detach(&text);
    return 0;
}

bool file_changed(const char *path, const struct file_stamp *stamp) {
    struct stat st;

    if (stat(path, &st) < 0)
        return true;
    return st.st_dev != stamp->dev || st.st_ino != stamp->ino || st.st_size != stamp->size ||
           st.st_mtim.tv_sec != stamp->mtime.tv_sec || st.st_mtim.tv_nsec != stamp->mtime.tv_nsec;
}

/* A file that an editor or echo has written ends with a line end, and a token must not. */
static void cut_blanks(char *text) {
    size_t len = strlen(text);

    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
}

/* The file's text without the blanks at its end; one that is empty is no text. */
static int read_text(const char *path, char **ret_text, struct file_stamp *ret_stamp, struct err *err) {
    cleanup_free char *text = NULL;

    int r = file_read(path, FOLLOWED_MAX, &text, NULL, ret_stamp, err);
    if (r < 0)
        return r;
    if (text)
        cut_blanks(text);
    if (!text || !text[0])
        return err_set(err, -ENODATA, "%s: is empty", path);
    *ret_text = steal_ptr(&text);
    return 0;
}

/* A stamp is taken with each text that could be read, the same one too, or the file would be read for every
 * request. One that could not be read leaves the stamp as it was: the next request tries again. */
int file_follow(struct file_followed *file, bool force, bool *ret_changed, struct err *err) {
    cleanup_free char *text = NULL;
    struct file_stamp stamp;
    struct err problem = {0};

    if (!file->path || (file->text && !force && !file_changed(file->path, &file->stamp)))
        return 0;
    int r = read_text(file->path, &text, &stamp, &problem);
    if (r < 0 && file->text) {
        log_debug(file->path, "kept what was read before: %s", err_text(&problem));
        return 0;
    }
    if (r < 0)
        return err_set(err, r, "%s", err_text(&problem));
    file->stamp = stamp;
    if (str_eq(text, file->text))
        return 0;
    free(file->text);
    file->text = steal_ptr(&text);
    *ret_changed = true;
    return 0;
}

void file_followed_done(struct file_followed *file) {
    free(file->text);
    *file = (struct file_followed){0};
}
