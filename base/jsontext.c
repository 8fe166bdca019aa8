/* Texts as JSON strings: runs of plain bytes are copied as they are, and what lies between them is looked at
 * one character at a time. */
#include "base/jsontext.h"

#include "base/str.h"
#include <stdbool.h>

/* Whether the byte stands for itself: most of all texts are made of nothing else. */
static bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static size_t plain_length(const char *s) {
    size_t len = 0;

    while (is_plain((unsigned char)s[len]))
        len++;
    return len;
}

/* One character that needs care; *ret_len: the bytes it takes in the text. */
static int write_special(struct buf *out, const char *s, size_t *ret_len) {
    unsigned char c = (unsigned char)*s;

    *ret_len = 1;
    if (c == '"' || c == '\\')
        return buf_printf(out, "\\%c", c);
    if (c < 0x20)
        return buf_printf(out, "\\u%04x", c);
    /* Well-formed characters beyond ASCII stand for themselves (RFC 8259, section 7); of what is malformed
     * one byte goes at a time, so that the next character is found again. */
    size_t len = str_utf8(s);
    if (len == 0)
        return buf_puts(out, "\xef\xbf\xbd");
    *ret_len = len;
    return buf_append(out, s, len);
}

int jsontext_write(struct buf *out, const char *text) {
    const char *s = str_or_empty(text);
    int ret = buf_append(out, "\"", 1);

    while (ret == 0 && *s) {
        size_t len = plain_length(s);
        ret = buf_append(out, s, len);
        s += len;
        if (ret == 0 && *s) {
            ret = write_special(out, s, &len);
            s += len;
        }
    }
    return ret < 0 ? ret : buf_append(out, "\"", 1);
}
