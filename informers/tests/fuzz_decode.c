/* Any bytes into the decoder, in pieces: no crash, no leak, every shared string given back. The first byte
 * chooses form, type and the length of the pieces. */
#include "informers/decode.h"

#include <stdlib.h>

static void on_object(void *arg, enum decode_event event, struct object *object) {
    (void)arg;
    (void)event;
    object_unref(object);
}

static void on_bookmark(void *arg, const char *resource_version, bool initial_end) {
    (void)arg;
    (void)resource_version;
    (void)initial_end;
}

static void on_error(void *arg, const struct decode_status *status) {
    (void)arg;
    (void)status;
}

static void on_skipped(void *arg, const char *name, const char *why) {
    (void)arg;
    (void)name;
    (void)why;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    const struct decode_handler handler = {on_object, on_bookmark, on_error, on_skipped, NULL};
    struct str_pool pool;
    struct err err = {0};
    int ret = 0;

    if (size < 1)
        return 0;
    unsigned choice = data[0];
    size_t piece = (size_t)1 << choice / 15; /* 1 to 128 KiB */
    str_pool_init(&pool);
    struct decoder *d =
        decoder_new((enum decode_form)(choice % 3), (enum object_type)(choice / 3 % 6), &pool, &handler);
    for (size_t at = 1; at < size && ret == 0; at += piece)
        ret = decoder_feed(d, (const char *)data + at, size - at < piece ? size - at : piece, &err);
    if (ret == 0)
        ret = decoder_finish(d, &err);
    if (ret < 0)
        decoder_reset(d);
    decoder_free(d);
    if (pool.strings.len)
        abort();
    str_pool_done(&pool);
    return 0;
}
