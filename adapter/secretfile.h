/* A secret kept in a file (a token, a password), read again when the file changes. */
#ifndef ADAPTER_SECRETFILE_H
#define ADAPTER_SECRETFILE_H

#include "base/err.h"
#include <sys/stat.h>

struct secret_file {
    char *path;       /* owned; NULL: none */
    struct stat seen; /* of what was read */
    char *text;       /* owned; NULL: not read yet */
};

/* Copies path, which may be NULL. Reads nothing yet. */
void secret_file_init(struct secret_file *f, const char *path);
/* Frees the contents; the secret is overwritten first. */
void secret_file_done(struct secret_file *f);
/* The present content without blanks around it, borrowed until the next call: 0, or a negative code naming
 * the file where it cannot be read, is empty, longer than 64 KiB or has control characters in it. */
int secret_file_read(struct secret_file *f, const char **ret_text, struct err *err);

#endif
