/* Hashes of texts that strangers choose: keyed with what nobody outside of the process knows, so that nobody
 * can make many that collide. Another value in each process: never to be written down or told. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3 (Aumasson and Bernstein, 2012) of len bytes, keyed by the kernel's random numbers at the first
 * call. */
uint64_t hash_bytes(const void *data, size_t len);
/* For tests: the key from now on. What was hashed before is not found any more. */
void hash_set_key(uint64_t first, uint64_t second);

#endif
