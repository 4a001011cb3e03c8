/* memo.h - what the encoder has met in this message: addresses and their numbers. Internal to transport.
 *
 * Owns      its slots. Emptied in no time: a slot counts only if it bears the present stamp.
 */
#ifndef TIDE_TRANSPORT_MEMO_H
#define TIDE_TRANSPORT_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tide_memo_slot {
    const void *key;
    uint32_t value;
    uint32_t stamp;
};

struct tide_memo {
    struct tide_memo_slot *slots;
    uint32_t room;      /* a power of two, or 0 */
    uint32_t used;
    uint32_t stamp;     /* never 0 once used */
};

void tide_memo_fini(struct tide_memo *memo);
void tide_memo_clear(struct tide_memo *memo);

/* Where the value of `key` is; if it is new, *fresh is set and the value is 0. Valid until the next call. NULL: out of
 * memory. */
uint32_t *tide_memo_get(struct tide_memo *memo, const void *key, bool *fresh);

#endif
