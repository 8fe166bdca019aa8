/* Small files that somebody else rewrites while we run: tokens, certificates. */
#ifndef API_CLIENT_FILE_H
#define API_CLIENT_FILE_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/* Tells two states of a file apart. A projected volume swaps a symbolic link, which shows as another inode.
 */
struct file_stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
};

/* Reads a whole file of at most max bytes into new memory, NUL behind it, owned by the caller: 0, -E2BIG, or
 * open's and read's codes; err names the path. ret_len and ret_stamp may be NULL. */
int file_read(const char *path, size_t max, char **ret_text, size_t *ret_len, struct file_stamp *ret_stamp,
              struct err *err);
/* True where the file is not the one that stamp was taken of (or is gone). One stat(2). */
bool file_changed(const char *path, const struct file_stamp *stamp);

/* A file whose contents are followed; path is borrowed, NULL: none. */
struct file_followed {
    const char *path;
    char *text; /* the last contents, blanks at the end cut off; owned */
    struct file_stamp stamp;
};

/* Reads it again where it changed, or in any case with force. *ret_changed is set to true where the text is
 * another one, else left alone. What was read once is kept while the file cannot be read or is empty: only
 * the first read can fail. */
int file_follow(struct file_followed *file, bool force, bool *ret_changed, struct err *err);
void file_followed_done(struct file_followed *file);

#endif
