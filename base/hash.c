/* SipHash with one round a word and three at the end, as Rust and Python hash their strings: made to be
 * keyed, and about as quick as what is not. */
#include "base/hash.h"

#include "base/clock.h"
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static struct {
    uint64_t first, second;
    bool known;
} key;

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t word, int by) {
    return word << by | word >> (64 - by);
}

/* SipRound: order and rotations are the paper's. */
static void mix(struct state *s) {
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static void take(struct state *s, uint64_t word) {
    s->v3 ^= word;
    mix(s);
    s->v0 ^= word;
}

void hash_set_key(uint64_t first, uint64_t second) {
    key.first = first;
    key.second = second;
    key.known = true;
}

/* Without getrandom(2), which a sandbox may forbid, time and place are better than a key that all know. */
static void choose_key(void) {
    uint64_t words[2];
    if (getrandom(words, sizeof(words), GRND_NONBLOCK) != (ssize_t)sizeof(words)) {
        words[0] = (uint64_t)clock_wall() << 20 ^ (uint64_t)getpid();
        words[1] = (uint64_t)clock_mono() ^ (uint64_t)(uintptr_t)words;
    }
    hash_set_key(words[0], words[1]);
}

uint64_t hash_bytes(const void *data, size_t len) {
    const unsigned char *at = data;
    size_t left = len;
    uint64_t word;
    if (!key.known)
        choose_key();
    /* The constants spell "somepseudorandomlygeneratedbytes". */
    struct state s = {.v0 = key.first ^ UINT64_C(0x736f6d6570736575),
                      .v1 = key.second ^ UINT64_C(0x646f72616e646f6d),
                      .v2 = key.first ^ UINT64_C(0x6c7967656e657261),
                      .v3 = key.second ^ UINT64_C(0x7465646279746573)};
    /* Words in the machine's own order: the value is never compared with another machine's. */
    for (; left >= sizeof(word); at += sizeof(word), left -= sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        take(&s, word);
    }
    word = (uint64_t)len << 56; /* no more than seven are left */
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)at[i] << (8 * i);
    take(&s, word);
    s.v2 ^= 0xff;
    mix(&s);
    mix(&s);
    mix(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
