#include "transport/memo.h"

#include "base/alloc.h"

enum { ROOM_FIRST = 32, ROOM_KEPT = 4096 };

void tide_memo_fini(struct tide_memo *memo)
{
    tide_free(memo->slots);
    *memo = (struct tide_memo){0};
}

void tide_memo_clear(struct tide_memo *memo)
{
    memo->used = 0;
    memo->stamp++;
    if (memo->room > ROOM_KEPT || memo->stamp == 0)
        tide_memo_fini(memo);
}

static struct tide_memo_slot *find(const struct tide_memo *memo, const void *key)
{
    uint64_t hash = (uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t at = (uint32_t)(hash >> 32) & (memo->room - 1);
    while (memo->slots[at].stamp == memo->stamp && memo->slots[at].key != key)
        at = (at + 1) & (memo->room - 1);
    return &memo->slots[at];
}

static bool grow(struct tide_memo *memo)
{
    struct tide_memo old = *memo;
    uint32_t room = old.room ? old.room * 2 : ROOM_FIRST;
    if (room < old.room)
        return false;
    struct tide_memo_slot *slots = tide_calloc(room, sizeof *slots);
    if (!slots)
        return false;
    memo->slots = slots;
    memo->room = room;
    if (memo->stamp == 0)
        memo->stamp = 1;
    for (uint32_t i = 0; i < old.room; i++)
        if (old.slots[i].stamp == old.stamp)
            *find(memo, old.slots[i].key) = old.slots[i];
    tide_free(old.slots);
    return true;
}

uint32_t *tide_memo_get(struct tide_memo *memo, const void *key, bool *fresh)
{
    if (memo->used * 4 >= memo->room * 3 && !grow(memo))
        return NULL;
    struct tide_memo_slot *slot = find(memo, key);
    *fresh = slot->stamp != memo->stamp;
    if (*fresh) {
        *slot = (struct tide_memo_slot){.key = key, .stamp = memo->stamp};
        memo->used++;
    }
    return &slot->value;
}
