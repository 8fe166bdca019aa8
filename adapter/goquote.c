/* Go's %q: escapes for what cannot be seen, bytes of bad UTF-8 as \xNN. */
#include "adapter/goquote.h"

#include "base/str.h"

#include <stdint.h>
#include <string.h>

/* The letters of \a to \r, in the order of their codes from 7 on; all seven have one in Go. */
static const char letters[] = "abtnvfr";

/* The character that the len bytes at s stand for; they are well-formed. */
static uint32_t decode(const char *s, size_t len) {
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (unsigned char)*s & first_bits[len];

    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)s[i] & 0x3f);
    return c;
}

/* Go asks tables of Unicode for what can be printed, and they change from release to release. In these ranges
 * strconv.IsPrint holds of no character; those it does not hold of elsewhere are written as they are. */
static bool is_visible(uint32_t c) {
    static const struct {
        uint32_t from, to;
    } unseen[] = {{0x00, 0x1f},     {0x7f, 0xa0},       {0xad, 0xad},       {0x1680, 0x1680},
                  {0x180e, 0x180e}, {0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x206f},
                  {0x3000, 0x3000}, {0xe000, 0xf8ff},   {0xfeff, 0xfeff},   {0xfff0, 0xfffb},
                  {0xfffe, 0xffff}, {0xe0000, 0xe00ff}, {0xe01f0, 0x10ffff}};

    for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
        if (c >= unseen[i].from && c <= unseen[i].to)
            return false;
    return true;
}

static int quote_ascii(char c, struct buf *out) {
    if (c == '"' || c == '\\')
        return buf_printf(out, "\\%c", c);
    if (c >= '\a' && c <= '\r')
        return buf_printf(out, "\\%c", letters[c - '\a']);
    if (c < ' ' || c == 0x7f)
        return buf_printf(out, "\\x%02x", (unsigned)c);
    return buf_append(out, &c, 1);
}

static int quote_wide(const char *s, size_t len, struct buf *out) {
    uint32_t c = decode(s, len);

    if (is_visible(c))
        return buf_append(out, s, len);
    return buf_printf(out, c > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)c);
}

int go_quote(const char *text, struct buf *out) {
    int ret = buf_puts(out, "\"");

    while (ret == 0 && *text) {
        size_t len = str_utf8(text);
        if (len == 0) /* not UTF-8: byte by byte */
            ret = buf_printf(out, "\\x%02x", (unsigned)(unsigned char)*text);
        else
            ret = len == 1 ? quote_ascii(*text, out) : quote_wide(text, len, out);
        text += len ? len : 1;
    }
    return ret < 0 ? ret : buf_puts(out, "\"");
}
