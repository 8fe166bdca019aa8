/* HMAC-SHA-256 in one call. */
#include "net/digest.h"

#include "net/openssl_library.h"
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

int digest_key_new(struct digest_key *ret_key, struct err *err) {
    if (getrandom(ret_key->bytes, sizeof(ret_key->bytes), 0) != (ssize_t)sizeof(ret_key->bytes))
        return err_set(err, -EIO, "no random bytes");
    return 0;
}

int digest_text(const struct digest_key *key, const void *data, size_t len, char ret_text[DIGEST_TEXT_MAX],
                struct err *err) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int n = 0;

    int ret = openssl_library_load(err);
    if (ret < 0)
        return ret;
    if (!openssl->HMAC(openssl->EVP_sha256(), key->bytes, sizeof(key->bytes), data, len, bytes, &n))
        return err_set(err, -EIO, "no digest can be made");
    /* Two digits a byte: the 32 bytes of SHA-256 fill the text up to its NUL. */
    for (unsigned int i = 0; i < n && 2 * i + 2 < DIGEST_TEXT_MAX; i++)
        snprintf(ret_text + (size_t)2 * i, 3, "%02x", bytes[i]);
    return 0;
}
