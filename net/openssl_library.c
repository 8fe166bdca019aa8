/* Loading OpenSSL: libssl brings libcrypto along, and its functions are found through it. */
#include "net/openssl_library.h"

#include "net/library.h"

const struct openssl_library *openssl;

int openssl_library_load(struct err *err) {
    static const char *const names[] = {OPENSSL_FUNCTIONS(LIBRARY_NAME)};
    static const struct library library = {
        .file = OPENSSL_SONAME,
        .package = "libssl",
        .prefix = "",
        .names = names,
        .count = sizeof(names) / sizeof(names[0]),
    };
    static struct openssl_library table;

    _Static_assert(sizeof(table) == sizeof(names), "a pointer for each name");
    if (openssl)
        return 0;
    int ret = library_open(&library, &table, err);
    if (ret == 0)
        openssl = &table;
    return ret;
}

int openssl_error(struct err *err, int code, const char *what) {
    char text[160];
    unsigned long last = openssl->ERR_peek_last_error();
    openssl->ERR_error_string_n(last, text, sizeof(text));
    openssl->ERR_clear_error();
    return err_set(err, code, "%s: %s", what, last ? text : "not PEM");
}
