/* Keyed digests (HMAC-SHA-256, by OpenSSL): a secret can stand in a table by its digest, which tells equal
 * secrets without keeping them. */
#ifndef NET_DIGEST_H
#define NET_DIGEST_H

#include "base/err.h"
#include <stddef.h>

enum { DIGEST_TEXT_MAX = 65 };

struct digest_key {
    unsigned char bytes[32];
};

/* A random key. -EIO where the system has none to give. */
int digest_key_new(struct digest_key *ret_key, struct err *err);
/* Writes the digest of data, in hexadecimal with a NUL. -EIO: OpenSSL cannot, or is not there. */
int digest_text(const struct digest_key *key, const void *data, size_t len, char ret_text[DIGEST_TEXT_MAX],
                struct err *err);

#endif
