/* Strings: comparison, numbers from text, and a pool of shared (interned) strings. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/map.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Equality that takes NULL (two NULLs are equal). */
bool str_eq(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* s, or "" where it is NULL. */
const char *str_or_empty(const char *s);

/* The bytes of the well-formed UTF-8 character at s (1 to 4; 1 for the NUL), or 0 where there is none (RFC
 * 3629). */
size_t str_utf8(const char *s);
/* Whether all of s is UTF-8. */
bool str_is_utf8(const char *s);
/* Cuts off the beginning of a UTF-8 character that a fixed buffer left at the end of s; what was malformed
 * before stays.
 */
void str_trim_utf8(char *s);
/* How many of text's len bytes are to be kept where most may be: all, or those before a whole UTF-8
 * character.
 */
size_t str_fit(const char *text, size_t len, size_t most);
/* Copies the first len bytes of text into out, which holds size, and a NUL; of what does not fit, str_fit. */
void str_cut(char *out, size_t size, const char *text, size_t len);

/* How many letters to insert, remove or replace to make a of b, large and small ones being the same (to guess
 * what was meant by a word). UINT_MAX where b is longer than STR_DISTANCE_MAX bytes. */
enum { STR_DISTANCE_MAX = 64 };
unsigned str_distance(const char *a, const char *b);

/* A whole decimal number without blanks or trailing text: 0, -EINVAL, or -ERANGE. */
int str_to_i64(const char *s, int64_t *ret_value);
/* A finite or infinite double in C's notation, the whole text: 0 or -EINVAL. "NaN" and "+Inf" are accepted,
 * as Prometheus writes them. */
int str_to_double(const char *s, double *ret_value);

/* Interned strings: equal texts share one copy; a copy is counted and goes with its last user. */
struct str_pool {
    struct map strings;
};

void str_pool_init(struct str_pool *pool);
void str_pool_done(struct str_pool *pool);
/* The pool's copy of s, with one more reference for the caller, who gives it back with str_release. */
const char *str_intern(struct str_pool *pool, const char *s, size_t len);
/* One more reference on a string of the pool; returns s. */
const char *str_retain(const char *s);
/* Gives a reference back; NULL is allowed. */
void str_release(struct str_pool *pool, const char *s);

#endif
