/* Base64 by OpenSSL's EVP decoder. */
#include "net/base64.h"

#include "base/mem.h"
#include "net/library.h"
#include "net/openssl_library.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n";

/* The decoder skips blanks itself, but takes '-' for the end of the text: nothing else gets as far as it. */
static int decode(const char *text, size_t len, char *out) {
    EVP_ENCODE_CTX *ctx = openssl->EVP_ENCODE_CTX_new();
    unsigned char *to = (unsigned char *)out;
    int n = 0, rest = 0;
    openssl->EVP_DecodeInit(ctx);
    int ok = openssl->EVP_DecodeUpdate(ctx, to, &n, (const unsigned char *)text, (int)len) >= 0 &&
             openssl->EVP_DecodeFinal(ctx, to + n, &rest) == 1;
    openssl->EVP_ENCODE_CTX_free(ctx);
    return ok ? n + rest : -EINVAL;
}

int base64_decode(const char *text, char **ret_data, size_t *ret_len, struct err *err) {
    size_t len = strlen(text), good = strspn(text, allowed); /* the message tells where, and shows nothing */
    if (good != len)
        return err_set(err, -EINVAL, "not base64: character %zu is not of its alphabet", good + 1);
    if (len > INT_MAX / 2) /* OpenSSL counts in ints */
        return err_set(err, -E2BIG, "too much base64");
    int n = openssl_library_load(err);
    if (n < 0)
        return n;
    char *data = xmalloc(len / 4 * 3 + 4); /* three bytes for four characters, a rest, and the NUL */
    n = decode(text, len, data);
    if (n < 0) {
        free(data);
        return err_set(err, n, "not base64: it is cut short or padded wrongly");
    }
    data[n] = '\0';
    *ret_data = data;
    if (ret_len)
        *ret_len = (size_t)n;
    return 0;
}

char *base64_encode(const void *data, size_t len) {
    library_need(openssl_library_load);
    char *text = xmalloc((len + 2) / 3 * 4 + 1);
    openssl->EVP_EncodeBlock((unsigned char *)text, data, (int)len);
    return text;
}
