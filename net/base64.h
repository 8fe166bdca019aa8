/* Base64 by OpenSSL, for the *-data fields of a kubeconfig. */
#ifndef NET_BASE64_H
#define NET_BASE64_H

#include "base/err.h"
#include <stddef.h>

/* Decodes standard base64 (blanks and line ends allowed) into new memory with a NUL behind it, owned by the
 * caller: 0, or -EINVAL. ret_len may be NULL. */
int base64_decode(const char *text, char **ret_data, size_t *ret_len, struct err *err);
/* Encodes into new memory without line ends, owned by the caller. */
char *base64_encode(const void *data, size_t len);

#endif
