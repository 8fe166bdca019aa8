/* resource.Quantity: "<number><suffix>" with decimal, binary or exponent suffixes, as apimachinery reads and
 * writes it. Arithmetic is exact in 128 bits; what does not fit 20 digits only serves the rounding. */
#include "api/types/quantity.h"
#include "base/str.h"
#include <errno.h>
#include <float.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 20, EXPONENT_MAX = 10000 };

/* mantissa * 10^exponent * 2^binary; more: digits beyond DIGITS_MAX were not all zero. */
struct parsed {
    bool negative, more;
    unsigned __int128 mantissa;
    int exponent, binary;
};

/* Reads digits into the mantissa while it is below 10^19, so that it never has more than 67 bits; what comes
 * after only moves the exponent. */
static const char *skip_digits(const char *s, struct parsed *p, int *digits, bool fraction) {
    for (; *s >= '0' && *s <= '9'; s++, (*digits)++) {
        if (p->mantissa >= (unsigned __int128)10000000000 * 1000000000) {
            p->more |= *s != '0';
            p->exponent += !fraction;
            continue;
        }
        p->mantissa = p->mantissa * 10 + (unsigned)(*s - '0');
        p->exponent -= fraction;
    }
    return s;
}

/* Exponents beyond EXPONENT_MAX are all alike: the value is 0 or the largest there is. */
static int read_exponent(const char *s, struct parsed *p) {
    bool negative = *s == '-';
    int value = 0;

    if (*s == '+' || *s == '-')
        s++;
    if (*s == '\0')
        return -EINVAL;
    for (; *s >= '0' && *s <= '9'; s++)
        value = value < EXPONENT_MAX ? value * 10 + (*s - '0') : value;
    p->exponent += negative ? -value : value;
    return *s == '\0' ? 0 : -EINVAL;
}

/* "E" alone is exa, "E3" an exponent. */
static int read_suffix(const char *s, struct parsed *p) {
    static const struct {
        const char *text;
        int exponent, binary;
    } suffixes[] = {
        {"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},
        {"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
        {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
    };

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        if (strcmp(s, suffixes[i].text) == 0) {
            p->exponent += suffixes[i].exponent;
            p->binary = suffixes[i].binary;
            return 0;
        }
    }
    return *s == 'e' || *s == 'E' ? read_exponent(s + 1, p) : -EINVAL;
}

static int parse(const char *text, struct parsed *p, struct err *err) {
    const char *s = text;
    int digits = 0;

    *p = (struct parsed){.negative = *s == '-'};
    if (*s == '+' || *s == '-')
        s++;
    s = skip_digits(s, p, &digits, false);
    if (*s == '.')
        s = skip_digits(s + 1, p, &digits, true);
    if (digits == 0 || read_suffix(s, p) < 0)
        return err_set(err, -EINVAL,
                       "\"%.40s\" is not a quantity: expected a number such as 100, 250m or 1.5Gi", text);
    return 0;
}

/* In milli-units, what is finer cut off; ret_more: there was something finer. */
static unsigned __int128 to_milli(const struct parsed *p, bool *ret_more) {
    unsigned __int128 value = p->mantissa << p->binary; /* 67 + 60 bits at most */

    *ret_more = p->more;
    for (int e = p->exponent + 3; e > 0 && value != 0 && value <= INT64_MAX; e--)
        value *= 10;
    for (int e = p->exponent + 3; e < 0 && value != 0; e++) {
        *ret_more |= value % 10 != 0;
        value /= 10;
    }
    return value;
}

/* Into milli-units as Quantity.MilliValue gives them: rounded away from zero, and saturated. */
int quantity_parse(const char *text, int64_t *ret_milli, struct err *err) {
    struct parsed p;
    unsigned __int128 value;
    bool more;
    int r = parse(text, &p, err);

    if (r < 0)
        return r;
    value = to_milli(&p, &more);
    value += more; /* away from zero, as MilliValue */
    if (value > INT64_MAX)
        *ret_milli = p.negative ? INT64_MIN : INT64_MAX;
    else
        *ret_milli = p.negative ? -(int64_t)value : (int64_t)value;
    return 0;
}

int quantity_parse_double(const char *text, double *ret_value, struct err *err) {
    static const double thousands[] = {1e-9, 1e-6, 1e-3, 1e0, 1e3, 1e6, 1e9, 1e12, 1e15, 1e18};
    struct parsed p;
    double value;
    int r = parse(text, &p, err);

    if (r < 0)
        return r;
    value = (double)(p.mantissa << p.binary);
    /* The stored form is canonical, an integer times a power of 1000: 0.05 is 50m, and that is what Go
     * multiplies. */
    for (; p.exponent > 18 && value < 1e300; p.exponent--)
        value *= 10;
    for (; p.exponent < -9 && value != 0; p.exponent++)
        value /= 10;
    for (; p.exponent % 3 != 0; p.exponent--)
        value *= 10;
    if (p.exponent >= -9 && p.exponent <= 18)
        value *= thousands[p.exponent / 3 + 3];
    *ret_value = p.negative ? -value : value;
    return 0;
}

/* By hand: lists of metrics are mostly made of numbers, and printf takes a third of the time for them. */
static char *write_digits(int64_t value, char *out) {
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char digits[DIGITS_MAX], *first = digits + sizeof(digits);

    do
        *--first = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *out++ = '-';
    size_t len = (size_t)(digits + sizeof(digits) - first);
    memcpy(out, first, len);
    return out + len;
}

/* The largest suffix that leaves a whole number, as CanonicalizeBytes does. */
static char *write_with(int64_t value, int64_t base, const char *const *suffixes, char *out) {
    int i = 0;

    for (; value != 0 && value % base == 0 && suffixes[i + 1]; i++)
        value /= base;
    char *end = write_digits(value, out);
    memcpy(end, suffixes[i], strlen(suffixes[i]) + 1);
    return out;
}

/* Below 1024 and for what is not whole there is no binary suffix: then it is written as decimal, as
 * apimachinery does. */
char *quantity_write(int64_t milli, enum quantity_format format, char *out) {
    static const char *const decimal[] = {"m", "", "k", "M", "G", "T", "P", "E", NULL};
    static const char *const binary[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", NULL};
    bool small = milli > -1024000 && milli < 1024000;

    if (milli == 0)
        write_with(0, 1000, decimal + 1, out);
    else if (format == QUANTITY_BINARY_SI && !small && milli % 1000 == 0)
        write_with(milli / 1000, 1024, binary, out);
    else
        write_with(milli, 1000, decimal, out);
    return out;
}

const char *quantity_write_like(int64_t milli, const char *written, char *out) {
    size_t len = strlen(written);
    struct parsed p;
    struct err err = {0};
    bool finer;

    /* A trailing E is exa, one before digits an exponent. */
    if (milli == INT64_MAX || strcspn(written, "eE") + 1 < len || parse(written, &p, &err) < 0)
        return written;
    to_milli(&p, &finer);
    return finer ? written : quantity_write(milli, p.binary ? QUANTITY_BINARY_SI : QUANTITY_DECIMAL_SI, out);
}

/* DBL_DIG digits always survive the way through a double, and DBL_DECIMAL_DIG always tell two of them apart.
 */
char *quantity_write_number(const json_t *number, char *out) {
    if (json_is_integer(number)) {
        snprintf(out, QUANTITY_TEXT_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
        return out;
    }
    for (int digits = DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(out, QUANTITY_TEXT_MAX, "%.*g", digits, json_real_value(number));
        if (strtod(out, NULL) == json_real_value(number))
            break;
    }
    return out;
}

char *quantity_write_nano(int64_t nano, char *out) {
    static const char *const decimal[] = {"n", "u", "m", "", "k", "M", "G", NULL};

    return nano == 0 ? write_with(0, 1000, decimal + 3, out) : write_with(nano, 1000, decimal, out);
}
